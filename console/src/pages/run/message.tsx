import { Badge, Group, Stack, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { Json, Markdown, Ticks, When } from "../../ui";
import type { EventOf } from "./data";

type Block = { type: string; text?: string; name?: string; input?: unknown; malformed?: string | null; content?: unknown; is_error?: boolean; media_type?: string; digest?: string };

interface MessageOf {
  role?: string;
  blocks?: Block[];
}

/** What a model said, block by block. Nothing in it is more than text. */
export function MessageBlocks({ message }: { message: unknown }) {
  const { blocks } = (message ?? {}) as MessageOf;
  if (!Array.isArray(blocks)) return <Json value={message} />;
  return (
    <Stack gap={6}>
      {blocks.map((block, place) => (
        <BlockOf key={place} block={block} />
      ))}
      {blocks.length === 0 && (
        <Text size="sm" c="dimmed">
          It said nothing.
        </Text>
      )}
    </Stack>
  );
}

function BlockOf({ block }: { block: Block }) {
  if (block.type === "text") return <Markdown text={block.text ?? ""} />;
  if (block.type === "thinking") {
    return (
      <details>
        <summary>
          <Text span size="sm" c="dimmed">
            Thinking
          </Text>
        </summary>
        <Text size="sm" c="dimmed" style={{ whiteSpace: "pre-wrap" }}>
          {block.text}
        </Text>
      </details>
    );
  }
  if (block.type === "tool_use") {
    return (
      <div>
        <Text size="sm">
          Calls <b>{block.name}</b> with
        </Text>
        <Json value={block.malformed ?? block.input} open={1} label={`arguments of ${block.name}`} />
      </div>
    );
  }
  if (block.type === "tool_result") return <Json value={block.content} open={1} label="result" />;
  return (
    <Text size="sm" c="dimmed">
      {block.type} {block.media_type} {block.digest}
    </Text>
  );
}

/** An event that is part of the conversation, as a reader sees it; null for any other. */
export function EventMessage({ event }: { event: EventOf }): ReactNode {
  const shown = contentOf(event);
  if (!shown) return null;
  return (
    <div className="run-message" data-who={shown.who}>
      <Group gap="xs" mb={2}>
        <Text size="xs" fw={600}>
          {shown.title}
        </Text>
        {shown.untrusted && (
          <Badge size="xs" variant="light" color="orange" tt="none">
            untrusted
          </Badge>
        )}
        <Text size="xs" c="dimmed">
          <When ts={event.ts} /> · event {event.seq}
        </Text>
      </Group>
      {shown.body}
    </div>
  );
}

interface Shown {
  who: "person" | "model" | "tool" | "problem";
  title: string;
  body: ReactNode;
  untrusted?: boolean;
}

type Data = Record<string, unknown>;

const READERS: Record<string, (data: Data) => Shown> = {
  RunCreated: (data) => {
    const task = data.task as { objective: string; input: unknown };
    return {
      who: "person",
      title: "Task",
      body: (
        <Stack gap={6}>
          {task.objective && <Text size="sm" style={{ whiteSpace: "pre-wrap" }}>{task.objective}</Text>}
          {task.input !== null && task.input !== undefined && <Json value={task.input} open={1} label="input" />}
        </Stack>
      ),
    };
  },
  MessageAdded: (data) => ({ who: "person", title: "Added message", body: <MessageBlocks message={data.message} />, untrusted: isUntrusted(data) }),
  OutputRejected: (data) => ({ who: "problem", title: "The answer did not fit", body: <Text size="sm">{String(data.reason)}</Text> }),
  HistorySummed: (data) => ({ who: "person", title: `${String(data.messages)} older messages, summed up`, body: <Text size="sm" style={{ whiteSpace: "pre-wrap" }}>{String(data.text ?? "left out")}</Text> }),
  ModelAnswered: (data) => ({ who: "model", title: `${String(data.model)} (${String(data.step)})`, body: <MessageBlocks message={data.message} /> }),
  ModelFailed: (data) => ({ who: "problem", title: `The model failed (${String(data.step)})`, body: <ProblemText problem={data.problem} /> }),
  EffectDone: (data) => ({ who: "tool", title: `Result of ${String(data.step)}`, body: <Json value={data.output} open={1} label={`result of ${String(data.step)}`} />, untrusted: isUntrusted(data) }),
  EffectFailed: (data) => ({ who: "problem", title: `${String(data.step)} failed`, body: <ProblemText problem={data.problem} /> }),
  ToolRefused: (data) => ({ who: "problem", title: `${String(data.tool)} was refused (${String(data.step)})`, body: <ProblemText problem={data.problem} /> }),
  ChildEnded: (data) => ({ who: "tool", title: `Answer of the child run (${String(data.step)})`, body: <Json value={(data.result as { result_payload?: unknown } | null)?.result_payload ?? data.result} open={1} label="answer" /> }),
  RunFinished: (data) => ({ who: data.status === "success" ? "model" : "problem", title: data.status === "success" ? "Result" : "Failed", body: data.problem ? <ProblemText problem={data.problem} /> : <Value value={data.payload} /> }),
};

function contentOf(event: EventOf): Shown | null {
  return READERS[event.type]?.(event.data) ?? null;
}

/** Whether an event is part of the conversation. */
export function isMessage(event: EventOf): boolean {
  return event.type in READERS;
}

function isUntrusted(data: Data): boolean {
  return (data.label as { trust?: string } | null)?.trust === "untrusted";
}

export function ProblemText({ problem }: { problem: unknown }) {
  const { code, message, help } = (problem ?? {}) as { code?: string; message?: string; help?: string };
  return (
    <Text size="sm">
      <b>{code}</b> <Ticks text={message ?? ""} /> {help && <Text span inherit c="dimmed">– <Ticks text={help} /></Text>}
    </Text>
  );
}

/** A value: text as text, anything else as a tree. */
export function Value({ value, label = "value" }: { value: unknown; label?: string }) {
  return typeof value === "string" ? <Markdown text={value} /> : <Json value={value} label={label} />;
}
