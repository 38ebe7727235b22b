import { Text, Title } from "@mantine/core";
import { piece, type Schemas } from "../../api";
import { Ago, DataTable, StatusBadge } from "../../ui";

type Row = Schemas["Earlier"];

/** What was decided about calls of the same tool before. */
export function Earlier({ earlier }: { earlier: readonly Row[] }) {
  return (
    <section>
      <Title order={3} size="h6" mb={4}>
        Earlier decisions about this tool
      </Title>
      <DataTable
        keyless
        name="earlier decisions"
        rows={earlier}
        rowKey={(row) => row.approval_id}
        href={(row) => `/approvals/${piece(row.approval_id)}`}
        height={260}
        empty={
          <Text size="sm" c="dimmed">
            None of the newest approvals was about this tool.
          </Text>
        }
        columns={[
          { key: "status", title: "Decision", cell: (row) => <StatusBadge status={row.status} />, csv: (row) => row.status },
          { key: "same", title: "Call", cell: (row) => (row.same_arguments ? "exactly the same" : `other arguments, agent ${row.agent}`), csv: (row) => (row.same_arguments ? "same" : "other") },
          { key: "by", title: "By", cell: (row) => row.by || "nobody in time", csv: (row) => row.by },
          { key: "why", title: "Reason", cell: (row) => row.rationale || "–", csv: (row) => row.rationale },
          { key: "at", title: "When", cell: (row) => <Ago ts={row.decided_ts} />, csv: (row) => new Date(row.decided_ts).toISOString() },
        ]}
      />
    </section>
  );
}
