import { Anchor, Text } from "@mantine/core";
import { type Schemas, usePages } from "../../api";
import { DataTable, Empty, Loading, ProblemNote, StatusBadge, When } from "../../ui";
import { routeOf } from "./paths";

type Change = Schemas["Change"];

/** Who changed what, when and why, newest first. `named` says which definition each is about. */
export function Changes({ path, named = false, height }: { path: string; named?: boolean; height?: string }) {
  const { items, more, hasMore, isLoading, problem, refetch } = usePages<Change>(path);
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  return (
    <DataTable
      rows={items}
      name="changes"
      rowKey={(change) => `${change.kind}/${change.name}/${change.revision}`}
      more={more}
      hasMore={hasMore}
      height={height}
      empty={<Empty title="Nothing was changed yet">Every change of a definition is kept here, with who made it and why.</Empty>}
      columns={[
        { key: "when", title: "When", width: 190, cell: (change) => <When ts={change.changed_ts} />, csv: (change) => new Date(change.changed_ts).toISOString() },
        ...(named
          ? [
              {
                key: "what",
                title: "Definition",
                width: 260,
                cell: (change: Change) => <Anchor href={`#${routeOf(change.kind, change.name)}`} size="sm">{`${change.kind}/${change.name}`}</Anchor>,
                csv: (change: Change) => `${change.kind}/${change.name}`,
              },
            ]
          : []),
        { key: "action", title: "Change", width: 110, cell: (change) => <StatusBadge status={change.action} />, csv: (change) => change.action },
        { key: "version", title: "Version", width: 80, align: "right", cell: (change) => change.version, csv: (change) => change.version },
        { key: "active", title: "Active", width: 110, cell: (change) => moved(change), csv: (change) => moved(change) },
        { key: "author", title: "By", width: 150, cell: (change) => change.author, csv: (change) => change.author },
        {
          key: "reason",
          title: "Reason",
          cell: (change) => (
            <Text size="sm" title={change.reason} truncate maw={380}>
              {change.reason}
            </Text>
          ),
          csv: (change) => change.reason,
        },
      ]}
    />
  );
}

function moved(change: Change): string {
  const before = change.before?.active.version ?? 0;
  const after = change.after.active.version ?? 0;
  const text = (version: number) => (version ? String(version) : "none");
  return before === after ? text(after) : `${text(before)} → ${text(after)}`;
}
