import { Anchor, Badge, Text } from "@mantine/core";
import { piece, type Schemas } from "../../api";
import { type Column, DataTable, Empty } from "../../ui";
import { nameOf } from "./pointers";

type Linked = Schemas["Linked"];

const COLUMNS: readonly Column<Linked>[] = [
  { key: "state", title: "State", cell: (row) => nameOf(row.pointer), csv: (row) => row.pointer },
  { key: "resource", title: "Resource", cell: (row) => <Text size="sm" ff="monospace">{row.resource}</Text>, csv: (row) => row.resource },
  { key: "leads", title: "Leads to", cell: (row) => (row.found ? <Lead row={row} /> : <Badge color="red" variant="light" tt="none">nothing here</Badge>), csv: (row) => (row.found ? `${row.kind} ${row.name}` : "") },
  { key: "note", title: "What to do", cell: (row) => <Text size="sm">{row.note || "–"}</Text>, csv: (row) => row.note ?? "" },
];

function Lead({ row }: { row: Linked }) {
  if (row.kind === "workflow" && row.name) return <Anchor href={`#/workflows/${piece(row.name)}`}>{`workflow ${row.name}`}</Anchor>;
  return <span>{`${row.kind} ${row.name}`.trim()}</span>;
}

/** What each of its Tasks leads to here. */
export function Calls({ bindings }: { bindings: readonly Linked[] }) {
  return <DataTable rows={bindings} columns={COLUMNS} name="calls" rowKey={(row) => row.pointer} empty={<Empty title="It calls nothing">It has no Task: it only decides, waits and reshapes data.</Empty>} />;
}
