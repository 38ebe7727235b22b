import { Anchor, Badge, Collapse, Group, Paper, Stack, Text, UnstyledButton } from "@mantine/core";
import { memo, useId, useState } from "react";
import { piece } from "../../api";
import { Code, Duration, Json, StatusBadge } from "../../ui";
import { chartOf, Picture, Rows, tableOf } from "./results";
import type { Called } from "./turn";

const SAID: Record<Called["state"], string> = { called: "called", running: "running", waiting: "waiting", done: "done", failed: "failed", refused: "refused", in_doubt: "in_doubt" };

/** One call of a tool or agent: what was asked, what policy said, what came back. Tables and charts stand open below it. */
export const CallCard = memo(function CallCard({ part, runId }: { part: Called; runId: string }) {
  const [isOpen, setOpen] = useState(false);
  const body = useId();
  const chart = chartOf(part);
  const table = chart ? undefined : tableOf(part.output);
  return (
    <Stack gap="xs">
      <Paper withBorder className="remit-chat-call">
        <UnstyledButton w="100%" px="sm" py={6} onClick={() => setOpen(!isOpen)} aria-expanded={isOpen} aria-controls={body}>
          <Group gap="xs" wrap="nowrap">
            <span aria-hidden>{isOpen ? "▾" : "▸"}</span>
            <Text size="sm" fw={600} style={{ overflowWrap: "anywhere" }}>
              {part.name}
            </Text>
            <Text size="sm" c="dimmed" truncate style={{ flex: 1, minWidth: 0 }}>
              {brief(part.input)}
            </Text>
            {part.verdict && part.verdict !== "allow" && <Badge variant="light" color={part.verdict === "deny" ? "red" : "yellow"} radius="sm" tt="none">{part.verdict.replaceAll("_", " ")}</Badge>}
            <StatusBadge status={SAID[part.state]} />
          </Group>
        </UnstyledButton>
        <Collapse expanded={isOpen} id={body}>
          {isOpen && <Inside part={part} runId={runId} />}
        </Collapse>
      </Paper>
      {part.problem && (
        <Text size="sm" c="red" style={{ overflowWrap: "anywhere" }}>
          {part.problem}
        </Text>
      )}
      {chart && <Picture runId={runId} chart={chart} />}
      {table && <Rows table={table} name={part.name} />}
    </Stack>
  );
});

function Inside({ part, runId }: { part: Called; runId: string }) {
  return (
    <Stack gap="xs" px="sm" pb="sm">
      {part.verdict && (
        <Text size="xs" c="dimmed" style={{ overflowWrap: "anywhere" }}>
          Policy: {part.verdict.replaceAll("_", " ")}
          {part.policies.length > 0 && ` by ${part.policies.join(", ")}`}
          {part.reason && ` – ${part.reason}`}
        </Text>
      )}
      <Labelled title="What went in">
        <Json value={part.input} label={`what went into ${part.name}`} />
      </Labelled>
      {part.hasOutput && (
        <Labelled title="What came back">
          {typeof part.output === "string" ? <Code text={part.output} label={`what ${part.name} answered`} maxHeight={320} /> : <Json value={part.output} label={`what ${part.name} answered`} />}
        </Labelled>
      )}
      <Group gap="md">
        {part.latencyMs !== undefined && part.latencyMs > 0 && (
          <Text size="xs" c="dimmed">
            took <Duration ms={part.latencyMs} />
          </Text>
        )}
        {part.step && (
          <Anchor size="xs" href={`#/runs/${piece(runId)}/steps/${piece(part.step)}`}>
            Look at the step
          </Anchor>
        )}
        {part.childRun && (
          <Anchor size="xs" href={`#/runs/${piece(part.childRun)}`}>
            Its own run
          </Anchor>
        )}
      </Group>
    </Stack>
  );
}

function Labelled({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <div>
      <Text size="xs" fw={600} c="dimmed">
        {title}
      </Text>
      {children}
    </div>
  );
}

function brief(input: unknown): string {
  if (typeof input === "string") return input.slice(0, 200);
  if (!input || typeof input !== "object") return String(input ?? "");
  return Object.entries(input)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ")
    .slice(0, 200);
}
