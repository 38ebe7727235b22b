import { Anchor, Drawer, Group, Stack, Text, Title, Tooltip } from "@mantine/core";
import { piece, type Schemas, useGet, usePages } from "../../api";
import { DataTable, Duration, Empty, Fact, Json, Loading, ProblemNote, StatusBadge, statusColor, useUrlState, When } from "../../ui";
import { ruleRoute, RUNS, tableRoute } from "./paths";
import { FailingRows } from "./rows";

type Run = Schemas["ValidationRun"];

/** What a run said, in one sentence. */
export function reasonOf(run: Run): string {
  return typeof run.details.reason === "string" ? run.details.reason : "";
}

/** The last runs as small bars, the oldest on the left; each opens its run. */
export function Outcomes({ runs }: { runs: readonly Run[] }) {
  const [, set] = useUrlState({ run: "" });
  if (runs.length === 0) return <Text span c="dimmed">never ran</Text>;
  return (
    <Group gap={2} wrap="nowrap" role="group" aria-label={`last ${runs.length} runs`}>
      {[...runs].reverse().map((run) => (
        <Tooltip key={run.run_id} label={`${run.status.toLowerCase()} · ${new Date(run.timestamp).toLocaleString()}${reasonOf(run) ? ` · ${reasonOf(run)}` : ""}`}>
          <button type="button" aria-label={`${run.status.toLowerCase()}, ${new Date(run.timestamp).toLocaleString()}`} onClick={() => set({ run: run.run_id })} style={{ width: 12, height: 24, padding: "3px 2px", border: 0, background: "none", cursor: "pointer" }}>
            <span style={{ display: "block", height: 18, borderRadius: 2, background: `var(--mantine-color-${statusColor(run.status)}-filled)` }} />
          </button>
        </Tooltip>
      ))}
    </Group>
  );
}

/** The run log of the tenant, of a table or of a rule. */
export function RunLog({ table = "", rule = "" }: { table?: string; rule?: string }) {
  const [, set] = useUrlState({ run: "" });
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Run>(RUNS, { table_id: table, config_id: rule, limit: 100 });
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  return (
    <>
      <DataTable
        rows={items}
        name="validation runs"
        rowKey={(run) => run.run_id}
        onRow={(run) => set({ run: run.run_id })}
        more={more}
        hasMore={hasMore}
        empty={
          <Empty title="Nothing ran yet">
            Rules run on their schedule while <code>remit up</code> is running, by “Run now”, or by <code>remit validate run {rule ? `--config ${rule}` : table || "--all"}</code>
          </Empty>
        }
        columns={[
          { key: "when", title: "When", width: 190, cell: (run) => <When ts={run.timestamp} />, csv: (run) => new Date(run.timestamp).toISOString() },
          { key: "status", title: "Came to", width: 100, cell: (run) => <StatusBadge status={run.status} />, csv: (run) => run.status },
          ...(rule ? [] : [{ key: "rule", title: "Rule", width: 220, cell: (run: Run) => <a href={`#${ruleRoute(run.config_id)}`}>{run.config_id}</a>, csv: (run: Run) => run.config_id }]),
          ...(rule || table ? [] : [{ key: "table", title: "Table", width: 160, cell: (run: Run) => <a href={`#${tableRoute(run.table_id)}`}>{run.table_id}</a>, csv: (run: Run) => run.table_id }]),
          { key: "version", title: "Version", width: 75, align: "right", cell: (run) => run.version, csv: (run) => run.version },
          {
            key: "reason",
            title: "What it found",
            cell: (run) => (
              <Anchor component="button" type="button" size="sm" c="inherit" ta="left" maw={290} style={{ overflow: "hidden", textOverflow: "ellipsis", display: "block" }} onClick={() => set({ run: run.run_id })}>
                {reasonOf(run) || "details"}
              </Anchor>
            ),
            csv: (run) => reasonOf(run),
          },
          { key: "by", title: "Asked by", width: 100, cell: (run) => run.triggered_by, csv: (run) => run.triggered_by },
          { key: "took", title: "Took", width: 90, align: "right", cell: (run) => <Duration ms={run.duration_ms} />, csv: (run) => run.duration_ms },
        ]}
      />
    </>
  );
}

/** The run that is looked at, beside the page. Once on each page that shows runs. */
export function RunDrawer() {
  const [{ run }, set] = useUrlState({ run: "" });
  return (
    <Drawer opened={run !== ""} onClose={() => set({ run: "" })} position="right" size="xl" title="Validation run" closeButtonProps={{ "aria-label": "Close" }}>
      {run && <RunDetail id={run} />}
    </Drawer>
  );
}

function RunDetail({ id }: { id: string }) {
  const found = useGet<Run>(`${RUNS}/${piece(id)}`);
  if (found.error) return <ProblemNote problem={found.error} retry={() => void found.refetch()} />;
  if (!found.data) return <Loading />;
  const run = found.data;
  return (
    <Stack>
      <Group gap="xs">
        <StatusBadge status={run.status} />
        <Text style={{ overflowWrap: "anywhere" }}>{reasonOf(run)}</Text>
      </Group>
      <div>
        <Fact name="Rule">
          <a href={`#${ruleRoute(run.config_id)}`}>{run.config_id}</a>, version {run.version} ({run.validation_type})
        </Fact>
        <Fact name="Table">
          <a href={`#${tableRoute(run.table_id)}`}>{run.table_id}</a>
        </Fact>
        <Fact name="When">
          <When ts={run.timestamp} />, took <Duration ms={run.duration_ms} />
        </Fact>
        <Fact name="Asked by">{run.triggered_by}</Fact>
        <Fact name="Run">{run.agent_run ? <a href={`#/runs/${piece(run.agent_run)}`}>{run.agent_run}</a> : "–"}</Fact>
      </div>
      {(run.status !== "PASSED" || run.artifacts.length > 0) && (
        <section aria-label="failing rows">
          <Title order={2} size="h5" mb={4}>
            Failing rows
          </Title>
          <FailingRows run={run.run_id} />
        </section>
      )}
      <section aria-label="details">
        <Title order={2} size="h5" mb={4}>
          Details
        </Title>
        <Json value={run.details} open={3} label="details" />
      </section>
    </Stack>
  );
}
