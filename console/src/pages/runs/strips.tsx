import { Anchor, Group, Paper, Text } from "@mantine/core";
import { memo, useMemo, useRef } from "react";
import { type Schemas, useGet, useLiveRows } from "../../api";
import { Strip } from "../../ui";
import type { Run } from "./query";

type StripRun = Schemas["StripRun"];

const MOST_NAMES = 12;
const LENGTH = 20;

/** How the last runs of each agent or workflow among these runs went; a name leads to its runs alone. */
export function Strips({ runs, agent, onAgent }: { runs: readonly Run[]; agent: string; onAgent: (name: string) => void }) {
  const names = useNames(runs, agent);
  const { data } = useGet<Schemas["RunStrips"]>("/api/v1/runs/strips", { names: names.join(",") }, { enabled: names.length > 0, staleTime: 30_000, placeholderData: (before) => before });
  const live = useLiveRows("run");
  const heard = useRef(new Map<string, Map<string, StripRun>>());
  const strips = useMemo(() => {
    for (const run of live) {
      if (!names.includes(run.agent_id)) continue;
      const known = heard.current.get(run.agent_id) ?? new Map<string, StripRun>();
      const before = known.get(run.run_id);
      if (!before || before.status !== run.status) known.set(run.run_id, run);
      heard.current.set(run.agent_id, known);
    }
    return names.map((name) => {
      const known = heard.current.get(name) ?? new Map<string, StripRun>();
      const told = data?.items.find((strip) => strip.name === name)?.runs ?? [];
      const together = new Map([...told.map((run) => [run.run_id, run] as const), ...known]);
      const last = [...together.values()].sort((left, right) => right.start_ts - left.start_ts).slice(0, LENGTH);
      heard.current.set(name, new Map([...known].filter(([id]) => last.some((run) => run.run_id === id))));
      return { name, runs: last.reverse() };
    });
  }, [names, data, live]);
  if (strips.length === 0) return null;
  return (
    <Group gap="xs" mb="sm" role="list" aria-label="Last runs of each agent and workflow" className="runs-strips" tabIndex={0}>
      {strips.map((strip) => (
        <One key={strip.name} name={strip.name} runs={strip.runs} mark={strip.runs.map((run) => run.run_id + run.status).join()} isChosen={strip.name === agent} onAgent={onAgent} />
      ))}
    </Group>
  );
}

interface OneProps {
  name: string;
  runs: readonly StripRun[];
  /** What the strip shows, as text: it is drawn anew only when that changes. */
  mark: string;
  isChosen: boolean;
  onAgent: (name: string) => void;
}

const One = memo(
  function One({ name, runs, isChosen, onAgent }: OneProps) {
    const ended = runs.filter((run) => run.status === "success" || run.status === "failure");
    const fine = ended.filter((run) => run.status === "success").length;
    return (
      <Paper withBorder px="xs" py={6} role="listitem" style={isChosen ? { borderColor: "var(--mantine-primary-color-filled)" } : undefined}>
        <Group justify="space-between" gap="xs" wrap="nowrap" mb={4}>
          <Anchor component="button" type="button" size="sm" onClick={() => onAgent(isChosen ? "" : name)} aria-pressed={isChosen} title={isChosen ? `Show the runs of all again` : `Show the runs of ${name} alone`} style={{ overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" }}>
            {name}
          </Anchor>
          <Text size="xs" c="dimmed" style={{ flexShrink: 0 }}>
            {ended.length > 0 ? `${fine}/${ended.length}` : ""}
          </Text>
        </Group>
        <div style={{ minWidth: 160 }}>
          <Strip runs={runs} />
        </div>
      </Paper>
    );
  },
  (before, after) => before.name === after.name && before.mark === after.mark && before.isChosen === after.isChosen && before.onAgent === after.onAgent,
);

/** The names that ran last, in the order of the alphabet; they stay where they are while others come and go. */
function useNames(runs: readonly Run[], agent: string): readonly string[] {
  const seen = useRef<readonly string[]>([]);
  const found = [...new Set([...(agent ? [agent] : []), ...seen.current, ...runs.map((run) => run.agent_id)])].slice(0, MOST_NAMES).sort();
  if (found.join() !== seen.current.join()) seen.current = found;
  return seen.current;
}
