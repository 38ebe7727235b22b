import { Anchor, Button, Text } from "@mantine/core";
import { piece, type Schemas, usePages } from "../../api";
import { type Column, DataTable, Duration, Empty, Loading, Money, ProblemNote, StatusBadge, When } from "../../ui";

type Run = Schemas["AgentRun"];

const COLUMNS: readonly Column<Run>[] = [
  { key: "status", title: "Status", width: 110, cell: (row) => <StatusBadge status={row.status} />, csv: (row) => row.status },
  { key: "run", title: "Run", cell: (row) => <Anchor href={`#/runs/${piece(row.run_id)}`} ff="monospace" size="sm">{row.run_id}</Anchor>, csv: (row) => row.run_id },
  { key: "objective", title: "Objective", cell: (row) => <Text size="sm" lineClamp={1}>{row.objective || "–"}</Text>, csv: (row) => row.objective },
  { key: "start", title: "Started", width: 190, cell: (row) => <When ts={row.start_ts} />, csv: (row) => row.start_ts },
  { key: "took", title: "Took", width: 100, align: "right", cell: (row) => (row.end_ts ? <Duration ms={row.end_ts - row.start_ts} /> : "–"), csv: (row) => (row.end_ts ? row.end_ts - row.start_ts : "") },
  { key: "cost", title: "Cost", width: 90, align: "right", cell: (row) => <Money usd={row.cost} />, csv: (row) => row.cost },
];

/** The last runs of a workflow. */
export function RecentRuns({ name }: { name: string }) {
  const found = usePages<Run>("/api/v1/runs", { agent: name, limit: 50 }, { refetchInterval: 5_000 });
  if (found.problem) return <ProblemNote problem={found.problem} retry={found.refetch} />;
  if (found.isLoading) return <Loading />;
  return (
    <DataTable
      rows={found.items}
      columns={COLUMNS}
      name="runs"
      rowKey={(row) => row.run_id}
      href={(row) => `/runs/${piece(row.run_id)}`}
      more={found.more}
      hasMore={found.hasMore}
      empty={
        <Empty title="It has not run yet" action={<Button component="a" variant="default" href={`#/workflows/${piece(name)}?tab=run`}>Run it</Button>}>
          Its runs are listed here.
        </Empty>
      }
    />
  );
}
