import { Anchor, Group, Title } from "@mantine/core";
import { DataTable } from "../../ui";
import { COLUMNS } from "../runs/columns";
import type { Run } from "../runs/query";

/** The runs that began last. */
export function Recent({ runs }: { runs: readonly Run[] }) {
  return (
    <section aria-label="Recent runs">
      <Group justify="space-between" mb="xs">
        <Title order={2} size="h5">
          Recent runs
        </Title>
        <Anchor href="#/runs" size="sm">
          All runs
        </Anchor>
      </Group>
      <DataTable<Run> rows={runs} columns={COLUMNS} name="recent runs" rowKey={(run) => run.run_id} href={(run) => `/runs/${encodeURIComponent(run.run_id)}`} height="none" />
    </section>
  );
}
