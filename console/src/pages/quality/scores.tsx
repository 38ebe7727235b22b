import { Alert, Anchor, Button, Group, Select, Stack, Text, TextInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useEffect, useState } from "react";
import { type Schemas, usePages } from "../../api";
import { Ago, type Column, DataTable, Empty, Loading, ProblemNote, useUrlState } from "../../ui";
import { ruleRoute, SCORES, tableRoute } from "./paths";
import { History, Rate, rateText, Trend } from "./rate";

type Score = Schemas["Score"];
type ScorePage = Schemas["ScorePage"];

const WINDOWS = [
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "366", label: "a year" },
];

/** Over how many days; in the URL. */
export function Window() {
  const [{ days }, set] = useUrlState({ days: "30" });
  return <Select label="Over the last" w={120} data={WINDOWS.some((one) => one.value === days) ? WINDOWS : [...WINDOWS, { value: days, label: `${days} days` }]} value={days} allowDeselect={false} onChange={(value) => set({ days: value ?? "30" })} />;
}

/** A rule that fails, and how many more do. */
function Failing({ ids }: { ids: readonly string[] }) {
  if (ids.length === 0) return <Text span c="dimmed">–</Text>;
  return (
    <Text span size="sm" title={ids.join(", ")}>
      <Anchor href={`#${ruleRoute(ids[0]!)}`} size="sm" underline="always">
        {ids[0]}
      </Anchor>
      {ids.length > 1 && ` and ${ids.length - 1} more`}
    </Text>
  );
}

const COLUMNS: Column<Score>[] = [
  { key: "rate", title: "Passed", width: 110, cell: (score) => <Rate rate={score.pass_rate} />, csv: (score) => score.pass_rate },
  { key: "trend", title: "Trend", width: 90, cell: (score) => <Trend points={score.trend} />, csv: (score) => score.trend },
  { key: "history", title: "History", width: 120, cell: (score) => <History score={score} /> },
  { key: "runs", title: "Runs", width: 80, align: "right", cell: (score) => score.runs.toLocaleString(), csv: (score) => score.runs },
  { key: "failed", title: "Failed", width: 80, align: "right", cell: (score) => score.failed.toLocaleString(), csv: (score) => score.failed },
  { key: "errors", title: "Errors", width: 80, align: "right", cell: (score) => score.errors.toLocaleString(), csv: (score) => score.errors },
  { key: "failing", title: "Failing now", width: 260, cell: (score) => <Failing ids={score.failing ?? []} />, csv: (score) => (score.failing ?? []).join("; ") },
  { key: "last", title: "Checked", width: 130, cell: (score) => <Ago ts={score.last_ts} />, csv: (score) => (score.last_ts ? new Date(score.last_ts).toISOString() : "") },
];

/** Every active table, how often its rules held, and what fails now. */
export function TableScores() {
  const [url, set] = useUrlState({ days: "30", owner: "", prefix: "" });
  const [typed, type] = useState(url.prefix);
  const [prefix] = useDebouncedValue(typed.trim(), 250);
  useEffect(() => set({ prefix }), [prefix, set]);
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Score>(`${SCORES}/tables`, { days: url.days, owner: url.owner, prefix: url.prefix, limit: 50 }, { refetchInterval: 60_000 });
  const isFiltered = Boolean(url.owner || url.prefix);
  return (
    <Stack gap="sm">
      <Group align="flex-end" gap="xs">
        <Window />
        <TextInput label="Table begins with" w={220} value={typed} onChange={(event) => type(event.currentTarget.value)} />
        {url.owner && (
          <Button variant="default" rightSection="×" onClick={() => set({ owner: "" })} aria-label={`No longer only of ${url.owner}`} maw={260}>
            of {url.owner}
          </Button>
        )}
      </Group>
      {problem ? (
        <ProblemNote problem={problem} retry={refetch} />
      ) : isLoading ? (
        <Loading />
      ) : (
        <DataTable
          rows={items}
          name="tables"
          rowKey={(score) => score.subject}
          href={(score) => tableRoute(score.subject)}
          more={more}
          hasMore={hasMore}
          empty={
            hasMore || isFiltered ? (
              <Empty title="No active table fits" action={hasMore ? <Button variant="default" onClick={more}>Look further</Button> : undefined}>
                Ids are matched from their beginning, as they are written.
              </Empty>
            ) : (
              <Empty title="No table is watched yet">
                “Register a table” above, or <code>remit tables add orders --location data/orders.parquet</code>; then let Remit propose rules for it. Or see it all at once: <code>remit demo</code>
              </Empty>
            )
          }
          columns={[
            { key: "table", title: "Table", cell: (score) => <a href={`#${tableRoute(score.subject)}`}>{score.subject}</a>, csv: (score) => score.subject },
            {
              key: "owner",
              title: "Owner",
              width: 150,
              cell: (score) =>
                score.owner ? (
                  <Anchor component="button" type="button" size="sm" onClick={() => set({ owner: score.owner })}>
                    {score.owner}
                  </Anchor>
                ) : (
                  "–"
                ),
              csv: (score) => score.owner,
            },
            ...COLUMNS,
          ]}
        />
      )}
    </Stack>
  );
}

/** Every owner, with all their tables together. */
export function OwnerScores() {
  const [url, set] = useUrlState({ days: "30", owner: "", tab: "tables" });
  const { items, first, more, hasMore, isLoading, problem, refetch } = usePages<Score>(`${SCORES}/owners`, { days: url.days, limit: 50 });
  const isPartial = (first as ScorePage | undefined)?.complete === false;
  return (
    <Stack gap="sm">
      <Group align="flex-end">
        <Window />
      </Group>
      {isPartial && (
        <Alert color="orange" variant="light" py="xs">
          There are more tables than are looked through for owners: an owner may be missing, or miss some tables. The tables themselves are all on their own tab.
        </Alert>
      )}
      {problem ? (
        <ProblemNote problem={problem} retry={refetch} />
      ) : isLoading ? (
        <Loading />
      ) : (
        <DataTable
          rows={items}
          name="owners"
          rowKey={(score) => score.subject}
          onRow={(score) => set({ owner: score.subject, tab: "tables" })}
          more={more}
          hasMore={hasMore}
          empty={
            <Empty title="No table has an owner">
              Say who looks after a table: <code>remit tables add ID --location … --owner NAME</code>
            </Empty>
          }
          columns={[
            {
              key: "owner",
              title: "Owner",
              cell: (score) => (
                <Anchor component="button" type="button" size="sm" onClick={() => set({ owner: score.subject, tab: "tables" })}>
                  {score.subject}
                </Anchor>
              ),
              csv: (score) => score.subject,
            },
            ...COLUMNS,
          ]}
        />
      )}
    </Stack>
  );
}

/** The numbers of one table, large. */
export function ScoreFacts({ score }: { score: Score }) {
  const facts: [string, React.ReactNode][] = [
    ["Passed", <Rate key="rate" rate={score.pass_rate} size="lg" />],
    ["Trend", <Trend key="trend" points={score.trend} />],
    ["Runs", score.runs.toLocaleString()],
    ["Failed", score.failed.toLocaleString()],
    ["Errors", score.errors.toLocaleString()],
    ["Last checked", <Ago key="last" ts={score.last_ts} />],
  ];
  return (
    <Group gap="xl" aria-label={`scores: ${rateText(score.pass_rate)} passed`} role="group">
      {facts.map(([name, value]) => (
        <div key={name}>
          <Text size="xs" c="dimmed">
            {name}
          </Text>
          <Text component="div" fw={600}>
            {value}
          </Text>
        </div>
      ))}
    </Group>
  );
}
