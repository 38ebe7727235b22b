import { Button, Center, Group, Stack, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useLocation, useParams } from "wouter";
import { api, piece, renew, type Schemas, useAct, useGet, usePages } from "../../api";
import { freshId } from "../../ui/fresh";
import { Loading, PageHead, ProblemNote, useKeys, useUrlState } from "../../ui";
import "./chat.css";
import { Chunks, Near } from "./chunks";
import { Composer } from "./composer";
import { Sidebar } from "./sidebar";
import { Trace } from "./trace";
import { LiveTurn, TurnView } from "./turn-view";
import type { Turn } from "./turn";
import { useHistory } from "./use-history";
import { inOrder } from "./whom";

const LIST = "/api/v1/conversations";
const LAST_AGENT = "remit.chat.agent";

/** Chat: one's conversations beside the one that is open. */
export default function Page() {
  const { session } = useParams<{ session?: string }>();
  const [draft, setDraft] = useState(() => freshId("chat"));
  const [, go] = useLocation();
  const opened = session ? decodeURIComponent(session) : draft;
  const fresh = () => {
    setDraft(freshId("chat"));
    go("/chat");
  };
  return (
    <div className="remit-chat">
      <Sidebar session={opened} onNew={fresh} />
      <Conversation key={opened} session={opened} isNew={!session} onNew={fresh} />
    </div>
  );
}

function Conversation({ session, isNew, onNew }: { session: string; isNew: boolean; onNew: () => void }) {
  // What it was when it was opened: a conversation that begins here has no past to ask for.
  const [began] = useState(isNew);
  const [, go] = useLocation();
  const client = useQueryClient();
  const known = useGet<Schemas["Conversation"]>(`${LIST}/${piece(session)}`, {}, { enabled: !isNew, retry: false });
  const history = useHistory(session, began);
  const [runs, setRuns] = useState<readonly string[]>([]);
  const [current, setCurrent] = useState<Turn>();
  const [traced, setTraced] = useState("");
  const [agent, setAgent] = useState(() => (began ? (localStorage.getItem(LAST_AGENT) ?? "") : ""));
  const [{ agent: wanted }] = useUrlState({ agent: "" });
  const found = usePages<Schemas["AgentSpec"]>("/api/v1/agents", { limit: 200 });
  const agents = useMemo(() => inOrder(found.items), [found.items.length]);
  const scroller = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLTextAreaElement>(null);

  // A turn that had not ended when this was opened is followed like one that begins here.
  const last = history.turns.at(-1);
  const open = last && (last.status === "running" || last.status === "waiting") ? last.runId : "";
  const live = open && !runs.includes(open) ? [open, ...runs] : runs;
  const past = history.turns.filter((turn) => !live.includes(turn.runId));
  const chosen = agent || known.data?.agent_id || "";
  const isRunning = live.length > 0 && current !== undefined && current.runId === live.at(-1) ? current.status === "running" || current.status === "waiting" : live.length > 0;

  useEffect(() => {
    if (found.hasMore) found.more();
  }, [found.hasMore, agents.length]);
  useEffect(() => {
    if (wanted) setAgent(wanted); // by the palette
  }, [wanted]);
  useEffect(() => {
    if (began && !found.hasMore && agents.length > 0 && !agents.some((one) => one.name === chosen)) setAgent(agents[0]!.name);
  }, [agents, chosen, found.hasMore]);

  const send = useAct(async ({ text, input, to }: { text: string; input: unknown; to: string }) => {
    const made = await api.post<Schemas["Submitted"]>("/api/v1/runs", { task_id: freshId("chat"), agent: to, objective: text, input: input ?? null, session_id: session });
    setRuns((before) => [...before, made.run_id]);
    setTraced((before) => (before ? made.run_id : ""));
    if (scroller.current) scroller.current.scrollTop = 0;
    renew(client, [LIST]);
    if (isNew) go(`/chat/${piece(session)}`, { replace: true });
    return true;
  });
  const stop = useAct(() => api.post(`/api/v1/runs/${piece(live.at(-1) ?? "")}/cancel`, { reason: "stopped in the chat" }), { done: "It stops at its next step" });
  const retry = useCallback((turn: Turn) => void send.run({ text: turn.asked, input: turn.input, to: turn.agent || chosen }), [chosen, session]);
  const onEnd = useCallback(() => renew(client, [LIST]), [client]);
  const onTurn = useCallback((turn: Turn) => queueMicrotask(() => setCurrent(turn)), []);

  const walk = (by: number) => {
    const all = [...(scroller.current?.querySelectorAll<HTMLElement>("article") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    all.at(at < 0 ? -1 : Math.min(Math.max(at + by, 0), all.length - 1))?.focus();
  };
  useKeys([
    { key: "n", label: "New conversation", run: onNew },
    { key: "c", label: "Write a message", run: () => box.current?.focus() },
    { key: "x", label: "Stop it", run: () => void stop.run(), when: isRunning },
    { key: "t", label: "Show or hide the trace", run: () => setTraced((before) => (before ? "" : (live.at(-1) ?? last?.runId ?? ""))) },
    { key: "j", label: "Next turn", run: () => walk(1) },
    { key: "k", label: "Previous turn", run: () => walk(-1) },
  ]);

  const title = known.data?.title || (isNew ? "New conversation" : "Conversation");
  const problem = known.error && !began ? known.error : history.problem;
  const final = past.at(-1)?.runId;
  return (
    <>
      <section className="remit-chat-main" aria-label="Conversation">
        <PageHead title={title} tab={`${title.slice(0, 60)} · Chat`} />
        {problem ? (
          <ProblemNote problem={problem} retry={history.retry} />
        ) : history.isLoading ? (
          <Loading />
        ) : (
          <div ref={scroller} className="remit-chat-scroll" tabIndex={0} role="region" aria-label="What was said">
            <div className="remit-chat-inner">
              {history.hasMore && <Near root={scroller} onNear={history.more} />}
              <Chunks items={past} root={scroller} item={(turn) => <TurnView key={turn.runId} turn={turn} onTrace={setTraced} onRetry={live.length === 0 && turn.runId === final ? retry : undefined} />} />
              {live.map((runId, index) => (
                <LiveTurn key={runId} runId={runId} onEnd={onEnd} onTurn={index === live.length - 1 ? onTurn : NOBODY} onTrace={setTraced} onRetry={index === live.length - 1 ? retry : undefined} />
              ))}
              {past.length + live.length === 0 && <Start agents={agents} chosen={chosen} onAgent={setAgent} />}
            </div>
          </div>
        )}
        <Composer
          box={box}
          agents={agents}
          agent={chosen}
          onAgent={(name) => {
            setAgent(name);
            localStorage.setItem(LAST_AGENT, name);
          }}
          isRunning={isRunning}
          isBusy={send.busy}
          onSend={async (text, input) => (await send.run({ text, input, to: chosen })) === true}
          onStop={() => void stop.run()}
        />
      </section>
      {traced && <Trace runId={traced} isLive={isRunning && traced === live.at(-1)} onClose={() => setTraced("")} />}
    </>
  );
}

const NOBODY = () => undefined;

/** Nothing was said yet: who there is to talk with. */
function Start({ agents, chosen, onAgent }: { agents: readonly Schemas["AgentSpec"][]; chosen: string; onAgent: (name: string) => void }) {
  if (agents.length === 0) {
    return (
      <Center mih={240}>
        <Text c="dimmed">There is no agent yet. Write one, or start with `remit init`.</Text>
      </Center>
    );
  }
  return (
    <Stack mih="50vh" justify="center" gap="sm" py="lg">
      <Text fw={600} size="lg">
        Whom do you want to ask?
      </Text>
      <Group gap="xs">
        {agents.slice(0, 12).map((one) => (
          <Button key={one.name} size="compact-sm" variant={one.name === chosen ? "filled" : "default"} onClick={() => onAgent(one.name)} title={one.description} aria-pressed={one.name === chosen}>
            {one.name}
          </Button>
        ))}
      </Group>
      <Text size="sm" c="dimmed">
        {agents.find((one) => one.name === chosen)?.description}
      </Text>
    </Stack>
  );
}
