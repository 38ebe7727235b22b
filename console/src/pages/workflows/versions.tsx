import { Anchor, Button, Group, Select, Stack, Text } from "@mantine/core";
import { piece, type Schemas, useGet, usePages } from "../../api";
import { type Column, DataTable, Empty, JsonDiff, Loading, ProblemNote, StatusBadge, useUrlState, When } from "../../ui";

type Definition = Schemas["Definition"];

/** Every version, and what differs between two of them. Promoting and rolling back are done in the registry. */
export function Versions({ name }: { name: string }) {
  const base = `/api/v1/definitions/workflow/${piece(name)}`;
  const found = usePages<Definition>(`${base}/versions`, { limit: 100 });
  const [{ old, new: newer }, set] = useUrlState({ old: "", new: "" });
  if (found.problem) return <ProblemNote problem={found.problem} retry={found.refetch} />;
  if (found.isLoading) return <Loading />;
  const numbers = found.items.map((item) => String(item.version));
  const right = newer || numbers[0] || "";
  const left = old || numbers[numbers.indexOf(right) + 1] || right;
  const columns: readonly Column<Definition>[] = [
    { key: "version", title: "Version", width: 90, cell: (row) => <Anchor href={`#/workflows/${piece(name)}?version=${row.version}`}>{row.version}</Anchor>, csv: (row) => row.version },
    { key: "status", title: "Status", width: 110, cell: (row) => <StatusBadge status={row.status} />, csv: (row) => row.status },
    { key: "when", title: "Written", width: 190, cell: (row) => <When ts={row.created_at} />, csv: (row) => row.created_at },
    { key: "by", title: "By", width: 130, cell: (row) => row.change_author, csv: (row) => row.change_author },
    { key: "why", title: "Why", cell: (row) => <Text size="sm">{[row.change_reason, row.comment].filter(Boolean).join(" · ") || "–"}</Text>, csv: (row) => row.change_reason },
  ];
  return (
    <Stack>
      <DataTable
        rows={found.items}
        columns={columns}
        name="versions"
        rowKey={(row) => String(row.version)}
        more={found.more}
        hasMore={found.hasMore}
        height={260}
        empty={<Empty title="There are no versions" />}
      />
      <Group align="flex-end">
        <Select label="From version" data={numbers} value={left} onChange={(value) => set({ old: value ?? "" })} w={120} allowDeselect={false} />
        <Select label="To version" data={numbers} value={right} onChange={(value) => set({ new: value ?? "" })} w={120} allowDeselect={false} />
        <Button component="a" href={`#/registry/workflow/${piece(name)}`} variant="default">
          Promote or roll back in the registry
        </Button>
      </Group>
      <Difference base={base} left={left} right={right} />
    </Stack>
  );
}

function Difference({ base, left, right }: { base: string; left: string; right: string }) {
  const before = useGet<Definition>(base, { version: left }, { enabled: left !== "" });
  const after = useGet<Definition>(base, { version: right }, { enabled: right !== "" });
  const problem = before.error ?? after.error;
  if (problem) return <ProblemNote problem={problem} />;
  if (!before.data || !after.data) return <Loading />;
  return <JsonDiff before={before.data.body} after={after.data.body} />;
}
