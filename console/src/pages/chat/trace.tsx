import { ActionIcon, Anchor, Badge, Group, Stack, Text } from "@mantine/core";
import { piece, type Schemas, useGet } from "../../api";
import { durationText, Loading, ProblemNote, StatusBadge } from "../../ui";

type Step = Schemas["StepRow"];

const LOOK_MS = 1_500;
const MOST = 200;

/** The steps of one turn's run in short; each leads to the run's page. */
export function Trace({ runId, isLive, onClose }: { runId: string; isLive: boolean; onClose: () => void }) {
  const { data, error, refetch } = useGet<{ items: Step[]; cursor?: unknown }>(`/api/v1/runs/${piece(runId)}/steps`, { limit: MOST }, { refetchInterval: isLive ? LOOK_MS : false });
  const run = `#/runs/${piece(runId)}`;
  return (
    <Stack gap="xs" className="remit-chat-trace" component="section" aria-label="Trace">
      <Group justify="space-between">
        <Text fw={600} size="sm">
          Trace
        </Text>
        <Group gap="xs">
          <Anchor size="sm" href={run}>
            Open the run
          </Anchor>
          <ActionIcon size="sm" variant="subtle" color="gray" onClick={onClose} aria-label="Close the trace">
            ×
          </ActionIcon>
        </Group>
      </Group>
      {error ? (
        <ProblemNote problem={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading />
      ) : (
        <ol className="remit-chat-steps" tabIndex={0} aria-label="Steps">
          {data.items.map((step) => (
            <li key={`${step.seq}/${step.step}`}>
              <a href={`${run}/steps/${piece(step.step)}`}>
                <Group gap={6} wrap="nowrap">
                  <Text size="sm" truncate style={{ flex: 1, minWidth: 0 }}>
                    {step.name}
                  </Text>
                  {step.verdict && step.verdict !== "allow" && (
                    <Badge size="sm" variant="light" color="yellow" tt="none" radius="sm">
                      {step.verdict.replaceAll("_", " ")}
                    </Badge>
                  )}
                  <StatusBadge status={step.state} />
                </Group>
                <Text size="xs" className="remit-chat-dim">
                  {[step.kind, step.ended_ts ? durationText(step.ended_ts - step.started_ts) : ""].filter(Boolean).join(" · ")}
                </Text>
              </a>
            </li>
          ))}
          {data.items.length === 0 && (
            <Text size="sm" c="dimmed">
              No step yet.
            </Text>
          )}
          {data.items.length >= MOST && (
            <Anchor size="sm" href={run}>
              There are more: open the run
            </Anchor>
          )}
        </ol>
      )}
    </Stack>
  );
}
