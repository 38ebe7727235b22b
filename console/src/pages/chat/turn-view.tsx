import { Anchor, Badge, Button, Collapse, CopyButton, Group, Loader, Stack, Text, UnstyledButton } from "@mantine/core";
import { memo, useId, useMemo, useState } from "react";
import { piece, type Schemas, useGet } from "../../api";
import { Ago, Markdown, ProblemNote } from "../../ui";
import { ApprovalCard } from "./approval-card";
import { CallCard } from "./call-card";
import { CITATIONS, Citing, Sources } from "./citations";
import { AnswerData } from "./results";
import { type Delta, type Part, spoken, type Turn } from "./turn";
import { useLiveTurn } from "./use-live";

interface Doing {
  /** Show its trace beside it. */
  onTrace: (runId: string) => void;
  /** Ask the same again. */
  onRetry?: (turn: Turn) => void;
}

/** A turn that happens now, or may still go on. */
export function LiveTurn({ runId, onEnd, onTurn, ...doing }: Doing & { runId: string; onEnd: () => void; onTurn: (turn: Turn) => void }) {
  const { turn, draft, isConnected, problem } = useLiveTurn(runId, onEnd);
  useMemo(() => onTurn(turn), [turn]);
  return (
    <>
      <TurnView turn={turn} draft={draft} {...doing} />
      {!isConnected && turn.status !== "success" && turn.status !== "failure" && (
        <Text size="sm" c="orange" role="status">
          The line is cut; connecting again. The run itself goes on.
        </Text>
      )}
      {problem && <ProblemNote problem={problem} />}
    </>
  );
}

/** What was asked, what was thought and done, and what was answered. */
export const TurnView = memo(function TurnView({ turn, draft = [], onTrace, onRetry }: Doing & { turn: Turn; draft?: readonly Delta[] }) {
  const isOver = turn.status === "success" || turn.status === "failure" || turn.status === "unknown";
  const text = spoken(turn);
  const children = turn.status === "waiting" && turn.waitingOn.some((one) => one.startsWith("child:"));
  return (
    <article className="remit-chat-turn" aria-label={`You asked: ${turn.asked.slice(0, 80)}`} tabIndex={-1} data-run={turn.runId}>
      <div className="remit-chat-asked">{turn.asked || <em>{turn.status === "running" ? "…" : "(nothing in words)"}</em>}</div>
      <Citing text={[text, ...draft.map((delta) => (delta.kind === "text" ? delta.text : ""))].join("\n\n")} parts={turn.parts}>
        <Stack gap="sm" className="remit-chat-answer">
          {turn.parts.map((part) => (
            <PartView key={part.key} part={part} runId={turn.runId} />
          ))}
          {draft.map((delta, index) => (
            <DraftView key={index} delta={delta} />
          ))}
          {turn.answer !== undefined && (typeof turn.answer === "string" ? <Markdown text={turn.answer} marks={CITATIONS} /> : <AnswerData value={turn.answer} />)}
          {turn.approvals.map((approval) => (
            <ApprovalCard key={approval.approval_id} id={approval.approval_id} isOver={isOver} />
          ))}
          {children && <ChildApprovals taskId={turn.taskId} />}
          {turn.problem && (
            <Text size="sm" c="red" role="alert" style={{ overflowWrap: "anywhere" }}>
              {turn.problem.code} · {turn.problem.message} {turn.problem.help}
            </Text>
          )}
          {turn.status === "failure" && !turn.problem && <FailedTurn runId={turn.runId} />}
          {isOver && <Sources />}
          <Group gap="xs">
            {turn.status === "running" && draft.length === 0 && <Loader size="xs" type="dots" role="status" aria-label="It works" />}
            {turn.status === "waiting" && (
              <Badge color="yellow" variant="light" tt="none" radius="sm">
                it waits
              </Badge>
            )}
            <Text size="xs" c="dimmed" component="span">
              {turn.agent && `${turn.agent} · `}
              <Ago ts={turn.ts} />
            </Text>
            <UnstyledButton onClick={() => onTrace(turn.runId)}>
              <Text size="xs" td="underline" c="dimmed">
                Trace
              </Text>
            </UnstyledButton>
            {text !== "" && (
              <CopyButton value={text}>
                {({ copied, copy }) => (
                  <UnstyledButton onClick={copy}>
                    <Text size="xs" td="underline" c="dimmed">
                      {copied ? "Copied" : "Copy"}
                    </Text>
                  </UnstyledButton>
                )}
              </CopyButton>
            )}
            {isOver && onRetry && turn.asked !== "" && (
              <Button size="compact-xs" variant={turn.status === "failure" ? "light" : "subtle"} color={turn.status === "failure" ? undefined : "gray"} onClick={() => onRetry(turn)}>
                Ask again
              </Button>
            )}
          </Group>
        </Stack>
      </Citing>
    </article>
  );
});

const PartView = memo(function PartView({ part, runId }: { part: Part; runId: string }) {
  if (part.kind === "call") return <CallCard part={part} runId={runId} />;
  if (part.kind === "thinking") return <Thinking text={part.text} />;
  if (part.kind === "note")
    return (
      <Text size="sm" c="dimmed" style={{ overflowWrap: "anywhere" }}>
        {part.text}
      </Text>
    );
  return <Prose text={part.text} />;
});

/** An answer in words; one that is data is shown as data. */
function Prose({ text }: { text: string }) {
  const data = useMemo(() => dataOf(text), [text]);
  return data === undefined ? <Markdown text={text} marks={CITATIONS} /> : <AnswerData value={data} />;
}

function dataOf(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function DraftView({ delta }: { delta: Delta }) {
  if (delta.kind === "thinking") return <Thinking text={delta.text} isLive />;
  if (delta.kind === "tool_use")
    return (
      <Text size="sm" c="dimmed">
        preparing a call …
      </Text>
    );
  return (
    <div data-draft>
      <Markdown text={delta.text} marks={CITATIONS} />
    </div>
  );
}

function Thinking({ text, isLive = false }: { text: string; isLive?: boolean }) {
  const [isOpen, setOpen] = useState(isLive);
  const body = useId();
  return (
    <div className="remit-chat-thinking">
      <UnstyledButton onClick={() => setOpen(!isOpen)} aria-expanded={isOpen} aria-controls={body}>
        <Text size="sm" c="dimmed">
          {isOpen ? "▾" : "▸"} {isLive ? "It thinks" : "What it thought"}
        </Text>
      </UnstyledButton>
      <Collapse expanded={isOpen} id={body}>
        <Text size="sm" c="dimmed" component="div" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}>
          {text}
        </Text>
      </Collapse>
    </div>
  );
}

const LOOK_MS = 3_000;

/** What the runs that this one waits for ask of people. */
function ChildApprovals({ taskId }: { taskId: string }) {
  const { data } = useGet<Schemas["TaskStatus"]>(`/api/v1/agents/status/${piece(taskId)}`, {}, { enabled: taskId !== "", refetchInterval: LOOK_MS });
  return (
    <>
      {(data?.approvals ?? []).map((approval) => (
        <ApprovalCard key={approval.approval_id} id={approval.approval_id} isOver={false} />
      ))}
    </>
  );
}

function FailedTurn({ runId }: { runId: string }) {
  return (
    <Text size="sm" c="red">
      It did not come to an answer. <Anchor size="sm" href={`#/runs/${piece(runId)}`}>See why</Anchor>
    </Text>
  );
}
