import { ActionIcon, Button, Group, Menu, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { api, piece, type Schemas, useAct, useCan, usePages } from "../../api";
import { Ago, Empty, Loading, ProblemNote, useConfirm } from "../../ui";

type Match = Schemas["ConversationMatch"];

const PATH = "/api/v1/conversations";

/** One's own conversations, the last used first, and a search through all that was said. */
export function Sidebar({ session, onNew }: { session: string; onNew: () => void }) {
  const [query, setQuery] = useState("");
  const [q] = useDebouncedValue(query.trim(), 300);
  const found = usePages<Match>(PATH, { q, limit: 40 });
  const matches = [...new Map(found.items.map((match) => [match.conversation.session_id, match])).values()];
  return (
    <Stack gap="xs" className="remit-chat-side" component="section" aria-label="Conversations">
      <Button size="xs" variant="default" onClick={onNew}>
        New conversation
      </Button>
      <TextInput size="xs" type="search" aria-label="Search conversations" placeholder="Search all that was said" value={query} onChange={(event) => setQuery(event.currentTarget.value)} maxLength={200} />
      <div className="remit-chat-list" tabIndex={0} role="region" aria-label="Conversations found">
        {found.problem ? (
          <ProblemNote problem={found.problem} retry={found.refetch} />
        ) : found.isLoading ? (
          <Loading />
        ) : (
          <>
            {matches.map((match) => (
              <Item key={match.conversation.session_id} match={match} isOpen={match.conversation.session_id === session} onGone={onNew} />
            ))}
            {matches.length === 0 && !found.hasMore && <Empty title={q ? "Nothing was found" : "No conversations yet"}>{q ? "Every word has to occur in a title or in one message." : "Ask something: it is kept here."}</Empty>}
            {found.hasMore && (
              <Button size="compact-xs" variant="subtle" onClick={found.more} fullWidth>
                {q ? "Look further back" : "More"}
              </Button>
            )}
          </>
        )}
      </div>
    </Stack>
  );
}

function Item({ match: { conversation, excerpt }, isOpen, onGone }: { match: Match; isOpen: boolean; onGone: () => void }) {
  const [isNaming, setNaming] = useState(false);
  const canRun = useCan("run");
  const confirm = useConfirm();
  const path = `${PATH}/${piece(conversation.session_id)}`;
  const forget = useAct(() => api.del(path), { touches: [PATH], done: "Forgotten" });
  const title = conversation.title || "(without words)";
  const ask = async () => {
    const { ok } = await confirm({ title: `Forget "${title}"?`, body: <Text size="sm">Its messages are deleted. The journals of its runs, which are the audit trail, stay.</Text>, action: "Forget it", danger: true });
    if (!ok) return;
    await forget.run();
    if (isOpen) onGone();
  };
  return (
    <Group gap={2} wrap="nowrap" className="remit-chat-item" data-open={isOpen || undefined}>
      <a href={`#/chat/${piece(conversation.session_id)}`} aria-current={isOpen ? "page" : undefined}>
        <Text size="sm" truncate fw={isOpen ? 600 : 400}>
          {title}
        </Text>
        {excerpt && (
          <Text size="xs" lineClamp={2} style={{ overflowWrap: "anywhere" }}>
            {excerpt}
          </Text>
        )}
        <Text size="xs" className="remit-chat-dim" truncate>
          {conversation.agent_id} · <Ago ts={conversation.updated_ts} />
        </Text>
      </a>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <ActionIcon variant="subtle" color="gray" size="sm" aria-label={`What to do with ${title}`}>
            ⋯
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item disabled={!canRun} onClick={() => setNaming(true)}>
            Name it
          </Menu.Item>
          <Menu.Item disabled={!canRun} color="red" onClick={() => void ask()}>
            Forget it
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {isNaming && <Naming path={path} title={conversation.title} onClose={() => setNaming(false)} />}
    </Group>
  );
}

function Naming({ path, title, onClose }: { path: string; title: string; onClose: () => void }) {
  const [text, setText] = useState(title);
  const rename = useAct(() => api.put(path, { title: text.trim() }), { touches: [PATH] });
  return (
    <Modal opened onClose={onClose} title="Name the conversation">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) void rename.run().then(onClose);
        }}
      >
        <Stack>
          <TextInput label="Name" data-autofocus maxLength={120} value={text} onChange={(event) => setText(event.currentTarget.value)} />
          <Group justify="flex-end">
            <Button type="submit" loading={rename.busy} disabled={text.trim() === ""}>
              Name it
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
