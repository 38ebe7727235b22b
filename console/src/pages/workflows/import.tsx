import { Alert, Anchor, Badge, Box, Button, FileButton, Group, List, Stack, Text, TextInput, Tooltip, UnstyledButton } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { useLocation } from "wouter";
import { api, piece, Problem, type Schemas, useAct, useCan, whyNot } from "../../api";
import { Editor, type EditorHandle, graphOf, LazyGraph, PageHead, ProblemNote } from "../../ui";

type Preview = Schemas["WorkflowPreview"];

const PATIENCE_MS = 300;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const EXAMPLE = `Comment: What it is for, in a sentence.
QueryLanguage: JSONata
StartAt: Big enough?
States:
  Big enough?:
    Type: Choice
    Choices:
      - Condition: "{% $states.input.amount > 100 %}"
        Next: Done
    Default: Too small
  Too small: {Type: Fail, Error: TooSmall}
  Done: {Type: Succeed}
`;

/** A workflow from a text: checked while one types, seen as a picture, and saved as a definition. */
export function Import({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [name, setName] = useState("");
  const [reason, setReason] = useState("");
  const [filled, setFilled] = useState<Record<string, string>>({});
  const [settled] = useDebouncedValue(text, PATIENCE_MS);
  const editor = useRef<EditorHandle>(null);
  const asked = useMemo(() => ({ text: settled, substitutions: Object.fromEntries(Object.entries(filled).filter(([, value]) => value !== "")) }), [settled, filled]);
  const { data: preview, error } = useQuery<Preview, Problem>({
    queryKey: ["import", asked],
    queryFn: () => api.post<Preview>("/api/v1/workflows/import", asked),
    enabled: settled.trim() !== "",
    placeholderData: keepPreviousData,
    gcTime: 0,
  });
  const found = settled.trim() === "" ? undefined : preview;
  const isFresh = text === settled;
  const problems = found?.problems ?? [];
  const graph = useMemo(() => (found?.graph ? graphOf(found.graph) : null), [found?.graph]);
  const holders = placeholders(problems, filled);
  return (
    <>
      <PageHead title="Import a workflow" crumbs={[{ label: "Workflows", href: "/workflows" }]} actions={<Button variant="default" onClick={onClose}>Back to the list</Button>} />
      <Group align="stretch" gap="md" wrap="wrap">
        <Stack gap="xs" style={{ flex: "1 1 480px", minWidth: 0 }}>
          <Group justify="space-between">
            <Text size="sm" c="dimmed">
              A States Language document, a file for remit apply, what describe-state-machine prints, or a CloudFormation or SAM template.
            </Text>
            <Group gap="xs">
              <FileButton accept=".json,.yaml,.yml,.template" onChange={(file) => void file?.text().then(setText)}>
                {(props) => (
                  <Button size="xs" variant="default" {...props}>
                    Choose a file
                  </Button>
                )}
              </FileButton>
              <Button size="xs" variant="default" onClick={() => setText(EXAMPLE)} disabled={text !== ""}>
                Start from an example
              </Button>
            </Group>
          </Group>
          <Editor ref={editor} text={text} onChange={setText} marks={problems.map((problem) => ({ line: problem.line ?? 0, message: problem.message }))} label="Document" rows={28} unlisted />
          {holders.map((holder) => (
            <TextInput key={holder} label={`\${${holder}}`} description="What stands here instead" value={filled[holder] ?? ""} onChange={(event) => setFilled({ ...filled, [holder]: event.currentTarget.value })} />
          ))}
        </Stack>
        <Stack gap="xs" style={{ flex: "1 1 420px", minWidth: 0 }} role="region" aria-label="What was found">
          <Verdict preview={found} isFresh={isFresh} />
          {error && <ProblemNote problem={error} />}
          <Places problems={problems} color="red" onGo={(line, column) => editor.current?.go(line, column)} />
          <Places problems={found?.warnings ?? []} color="orange" onGo={(line, column) => editor.current?.go(line, column)} />
          {found?.ok && <Missing bindings={found.bindings ?? []} />}
          {graph && <LazyGraph {...graph} height={380} label="What it looks like" />}
          {found?.ok && found.document && <Save document={found.document} name={name || found.name || ""} onName={setName} reason={reason} onReason={setReason} isFresh={isFresh} />}
        </Stack>
      </Group>
    </>
  );
}

function Verdict({ preview, isFresh }: { preview: Preview | undefined; isFresh: boolean }) {
  if (!preview) return <Text c="dimmed" size="sm">Paste a document: what is wrong with it is said here, with its place, and a picture is drawn once nothing is.</Text>;
  const count = preview.problems?.length ?? 0;
  return (
    <Group role="status" gap="xs">
      <Badge color={preview.ok ? "green" : "red"} variant="light" tt="none">
        {preview.ok ? "nothing is wrong" : `${count} ${count === 1 ? "problem" : "problems"}`}
      </Badge>
      {!isFresh && <Text size="xs" c="dimmed">looking …</Text>}
    </Group>
  );
}

/** Problems; each leads to its place in the text. */
function Places({ problems, color, onGo }: { problems: readonly Schemas["DocumentProblem"][]; color: string; onGo: (line: number, column: number) => void }) {
  if (problems.length === 0) return null;
  return (
    <List listStyleType="none" spacing={6} style={{ maxHeight: 300, overflow: "auto" }} tabIndex={0} aria-label={color === "red" ? "Problems" : "Warnings"}>
      {problems.map((problem, index) => (
        <List.Item key={index}>
          <Group gap="xs" wrap="nowrap" align="baseline">
            {problem.line ? (
              <UnstyledButton onClick={() => onGo(problem.line ?? 1, problem.column ?? 1)} title="Go there: line and column">
                <Badge color={color} variant="light" tt="none" style={{ cursor: "pointer" }}>{`${problem.line}:${problem.column}`}</Badge>
              </UnstyledButton>
            ) : (
              <Badge color={color} variant="light" tt="none">{problem.pointer || "/"}</Badge>
            )}
            <Box style={{ overflowWrap: "anywhere", minWidth: 0 }}>
              <Text size="sm">{problem.message}</Text>
              {problem.help && <Text size="xs" c="dimmed">{problem.help}</Text>}
            </Box>
          </Group>
        </List.Item>
      ))}
    </List>
  );
}

function Missing({ bindings }: { bindings: readonly Schemas["Linked"][] }) {
  const missing = bindings.filter((binding) => !binding.found);
  if (missing.length === 0) return null;
  return (
    <Alert color="orange" variant="light" title={`${missing.length} of its ${bindings.length} calls lead nowhere here`}>
      <List size="sm">
        {missing.map((binding) => (
          <List.Item key={binding.pointer} style={{ overflowWrap: "anywhere" }}>
            {binding.resource}: {binding.note}
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}

interface SaveProps {
  document: Record<string, unknown>;
  name: string;
  onName: (name: string) => void;
  reason: string;
  onReason: (reason: string) => void;
  isFresh: boolean;
}

function Save({ document, name, onName, reason, onReason, isFresh }: SaveProps) {
  const [, go] = useLocation();
  const canEdit = useCan("edit");
  const isName = NAME.test(name);
  const path = `/api/v1/definitions/workflow/${piece(name)}`;
  const [taken, setTaken] = useState<{ name: string; version: number }>();
  const active = taken?.name === name ? taken.version : 0;
  const save = useAct(
    async () => {
      try {
        await api.put(path, { spec: document, reason: reason.trim(), expect_version: active });
        return true;
      } catch (error) {
        if (!(error instanceof Problem) || error.status !== 409 || active > 0) throw error;
        const head = await api.get<Schemas["Head"]>(`${path}/head`);
        setTaken({ name, version: head.active.version });
        return false;
      }
    },
    { done: (isSaved) => (isSaved ? `${name} is saved` : undefined), touches: ["/api/v1/workflows", "/api/v1/definitions"] },
  );
  const isReady = isFresh && isName && reason.trim() !== "";
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (isReady && canEdit) void save.run().then((isSaved) => isSaved === true && go(`/workflows/${piece(name)}`));
      }}
    >
      <Stack gap="xs">
        <TextInput label="Name" required value={name} onChange={(event) => onName(event.currentTarget.value)} error={name !== "" && !isName ? "Letters, digits and . _ - ; a letter or digit first." : undefined} />
        {active > 0 && (
          <Text size="sm" role="alert">
            <Anchor href={`#/workflows/${piece(name)}`}>{name}</Anchor> is there already, in version {active}. Save it again to make this the next version, and active.
          </Text>
        )}
        <TextInput label="Reason" description="It is kept with the change." required value={reason} onChange={(event) => onReason(event.currentTarget.value)} />
        <Group>
          <Tooltip label={whyNot(canEdit, "edit")} disabled={canEdit}>
            <Button type="submit" loading={save.busy} disabled={!isReady} data-disabled={!canEdit || undefined}>
              {active > 0 ? "Save as the next version" : "Save it"}
            </Button>
          </Tooltip>
        </Group>
      </Stack>
    </form>
  );
}

/** The `${NAME}` that problems speak of, and those that were filled in. */
function placeholders(problems: readonly Schemas["DocumentProblem"][], filled: Record<string, string>): string[] {
  const found = problems.flatMap((problem) => [...problem.message.matchAll(/`\$\{([^}`]+)\}`/g)].map((match) => match[1]!));
  return [...new Set([...Object.keys(filled), ...found])];
}
