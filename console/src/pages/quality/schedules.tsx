import { Button, Group, Text, Tooltip } from "@mantine/core";
import { api, piece, type Schemas, useAct, useCan, usePages, whyNot } from "../../api";
import { Ago, DataTable, Empty, Loading, ProblemNote, StatusBadge, When } from "../../ui";
import { RUNS, SCHEDULES, SCORES, tableRoute } from "./paths";

type Entry = Schemas["ScheduleEntry"];

/** What is checked when; pausing one lets its rules rest. `prefix` is how the ids of the wanted schedules begin. */
export function Schedules({ prefix }: { prefix: string }) {
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Entry>(SCHEDULES, { prefix, limit: 100 });
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  return (
    <DataTable
      rows={items}
      name="schedules"
      rowKey={(entry) => entry.schedule_id}
      more={more}
      hasMore={hasMore}
      keyless
      empty={
        <Empty title="Nothing is scheduled">
          Give a table or a rule a schedule: <code>daily at 06:30</code>, <code>hourly</code>, <code>every 15 minutes</code> or a cron expression. It runs while <code>remit up</code> is running.
        </Empty>
      }
      columns={[
        { key: "table", title: "Table", cell: (entry) => <a href={`#${tableRoute(tableOf(entry))}`}>{tableOf(entry)}</a>, csv: tableOf },
        { key: "when", title: "When", width: 240, cell: (entry) => entry.expression, csv: (entry) => entry.expression },
        { key: "state", title: "State", width: 100, cell: (entry) => <StatusBadge status={entry.state === "enabled" ? "active" : "paused"} />, csv: (entry) => entry.state },
        { key: "next", title: "Next", width: 190, cell: (entry) => (entry.state === "enabled" ? <When ts={entry.next_ts} /> : "–"), csv: (entry) => new Date(entry.next_ts).toISOString() },
        { key: "last", title: "Last", width: 130, cell: (entry) => (entry.last_run ? <a href={`#/runs/${piece(entry.last_run)}`}><Ago ts={entry.last_slot} /></a> : <Ago ts={entry.last_slot} />), csv: (entry) => (entry.last_slot ? new Date(entry.last_slot).toISOString() : "") },
        { key: "problem", title: "Problem", cell: (entry) => (entry.last_error ? <Text size="sm" c="var(--mantine-color-error)" truncate title={entry.last_error}>{entry.last_error}</Text> : entry.skipped ? `${entry.skipped} passed unstarted` : "–"), csv: (entry) => entry.last_error },
        { key: "do", title: "Do", width: 190, align: "right", cell: (entry) => <Doing entry={entry} /> },
      ]}
    />
  );
}

function tableOf(entry: Entry): string {
  const input = entry.input as { table_id?: unknown } | null;
  return typeof input?.table_id === "string" ? input.table_id : entry.schedule_id;
}

function Doing({ entry }: { entry: Entry }) {
  const canEdit = useCan("edit");
  const canRun = useCan("run");
  // An id holds the table and the expression, with `/` between them.
  const path = `${SCHEDULES}/${entry.schedule_id.split("/").map(piece).join("/")}`;
  const verb = entry.state === "enabled" ? "pause" : "resume";
  const swap = useAct(() => api.post(`${path}/${verb}`), { touches: [SCHEDULES] });
  const fire = useAct(() => api.post(`${path}/fire`), { done: "It is started.", touches: [SCHEDULES, RUNS, SCORES] });
  return (
    <Group gap={4} justify="flex-end" wrap="nowrap">
      <Tooltip label={whyNot(canEdit, "edit")} disabled={canEdit}>
        <Button size="compact-xs" variant="default" disabled={!canEdit} loading={swap.busy} onClick={() => void swap.run()}>
          {verb === "pause" ? "Pause" : "Resume"}
        </Button>
      </Tooltip>
      <Tooltip label={whyNot(canRun, "run")} disabled={canRun}>
        <Button size="compact-xs" variant="default" disabled={!canRun} loading={fire.busy} onClick={() => void fire.run()}>
          Run now
        </Button>
      </Tooltip>
    </Group>
  );
}
