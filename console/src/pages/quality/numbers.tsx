import { Button, Group, Stack, Text, Title, UnstyledButton } from "@mantine/core";
import { useMemo } from "react";
import { type Schemas, usePages } from "../../api";
import { Empty, LazyChart, Loading, ProblemNote, Spark, useUrlState } from "../../ui";
import { rulePath } from "./paths";

type Point = Schemas["Point"];

const TOOK = "duration_ms";
const short = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });

export function numberText(value: number): string {
  return Math.abs(value) >= 1e15 ? value.toExponential(3) : value.toLocaleString(undefined, { maximumFractionDigits: 6 });
}

/** Every number that the runs of a rule measured, each over time; one of them large. */
export function Numbers({ id }: { id: string }) {
  const [url, set] = useUrlState({ number: "" });
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Point>(`${rulePath(id)}/series`, { limit: 100 });
  const points = useMemo(() => [...items].reverse(), [items]);
  const lines = useMemo(() => linesOf(points), [points]);
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  if (points.length === 0) {
    return (
      <Empty title="Nothing was measured yet">
        Every number that a run of the rule finds is drawn here over time: counts, shares, ages. “Run now” makes the first.
      </Empty>
    );
  }
  const chosen = lines.find((line) => line.name === url.number) ?? lines[0]!;
  const data = points.map((point, at) => ({ when: short.format(point.timestamp), value: chosen.values[at] ?? null }));
  return (
    <Stack>
      <section aria-label={`${chosen.name} over time`}>
        <Title order={2} size="h5" mb="xs" style={{ overflowWrap: "anywhere" }}>
          {label(chosen.name)}
        </Title>
        <LazyChart kind={points.length > 1 ? "line" : "bar"} x="when" series={[{ name: "value", label: label(chosen.name) }]} data={data} height={240} format={numberText} />
      </section>
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          The last {points.length.toLocaleString()} runs, of every version. Choose a number to see it large.
        </Text>
        {hasMore && (
          <Button size="compact-xs" variant="default" onClick={more}>
            Earlier runs
          </Button>
        )}
      </Group>
      <div style={{ display: "grid", gridTemplateColumns: "repeat(auto-fill, minmax(250px, 1fr))", gap: 8 }}>
        {lines.map((line) => (
          <UnstyledButton key={line.name} aria-pressed={line.name === chosen.name} onClick={() => set({ number: line.name })} p="xs" style={{ border: `1px solid var(${line.name === chosen.name ? "--mantine-primary-color-filled" : "--mantine-color-default-border"})`, borderRadius: 6, minWidth: 0 }}>
            <Text size="xs" c="dimmed" truncate title={line.name}>
              {label(line.name)}
            </Text>
            <Group justify="space-between" wrap="nowrap">
              <Text fw={600} style={{ fontVariantNumeric: "tabular-nums" }} truncate>
                {numberText(line.last)}
              </Text>
              <Spark values={line.values} label={`${label(line.name)}, last ${numberText(line.last)}`} />
            </Group>
          </UnstyledButton>
        ))}
      </div>
    </Stack>
  );
}

function label(name: string): string {
  return name === TOOK ? "took, ms" : name.replaceAll("_", " ");
}

/** A line for each number: its value in every run, null where a run has none. */
function linesOf(points: readonly Point[]): { name: string; values: (number | null)[]; last: number }[] {
  const names = [...new Set(points.flatMap((point) => Object.keys(point.values)))];
  const lines = names.map((name) => ({ name, values: points.map((point) => point.values[name] ?? null) }));
  lines.push({ name: TOOK, values: points.map((point) => point.duration_ms) });
  return lines.map((line) => ({ ...line, last: line.values.filter((value) => value !== null).at(-1) ?? 0 }));
}
