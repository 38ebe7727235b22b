import { Text } from "@mantine/core";
import { piece, type Schemas, usePages } from "../../api";
import { type Column, DataTable, Empty, Loading, ProblemNote } from "../../ui";
import { RUNS } from "./paths";

type Row = Record<string, unknown>;

interface Line {
  id: string;
  key: string;
  change: string;
  column: string;
  source: string | null;
  target: string | null;
}

const SIDE: Record<string, string> = { missing: "only in the source", extra: "only in the target", changed: "changed" };

/** The rows because of which a run failed, as far as it kept them. */
export function FailingRows({ run }: { run: string }) {
  const { items, first, more, hasMore, isLoading, problem, refetch } = usePages<Row>(`${RUNS}/${piece(run)}/rows`, { limit: 100 });
  if (problem) return <ProblemNote problem={problem} retry={refetch} />;
  if (isLoading) return <Loading />;
  const page = first as Schemas["FailingRows"] | undefined;
  if (items.length === 0) {
    return (
      <Empty title="No rows were kept">
        {page?.gone ? "What this run kept is no longer there." : "This check counts rows and keeps none; row_diff and referential_integrity keep the rows themselves."}
      </Empty>
    );
  }
  const shared = { more, hasMore, height: 420, keyless: true };
  return (
    <>
      <Text size="sm" c="dimmed" mb={4}>
        {page?.total.toLocaleString()} {page?.total === 1 ? "row was" : "rows were"} kept.
      </Text>
      {items.every((row) => "change" in row && "key" in row) ? <DataTable {...shared} rows={items.flatMap(linesOf)} name="differing values" rowKey={(line) => line.id} columns={DIFFERENCES} /> : <DataTable {...shared} rows={items.map((row, at) => ({ ...row, "": at }))} name="failing rows" rowKey={(row) => String((row as Row)[""])} columns={columnsOf(items)} />}
    </>
  );
}

/** Each differing column of a row on a line of its own; a row of one side alone is one line. */
function linesOf(row: Row, at: number): Line[] {
  const key = textOf(row.key);
  const change = String(row.change);
  const columns = Object.entries((row.columns ?? {}) as Record<string, [unknown, unknown]>);
  if (columns.length === 0) return [{ id: String(at), key, change, column: "", source: null, target: null }];
  return columns.map(([column, [source, target]]) => ({ id: `${at}/${column}`, key, change, column, source: valueOf(source), target: valueOf(target) }));
}

const DIFFERENCES: Column<Line>[] = [
  { key: "key", title: "Key", cell: (line) => line.key, csv: (line) => line.key },
  { key: "change", title: "Change", cell: (line) => SIDE[line.change] ?? line.change, csv: (line) => line.change },
  { key: "column", title: "Column", cell: (line) => line.column || "–", csv: (line) => line.column },
  { key: "source", title: "Source", cell: (line) => <Value of={line} side="source" />, csv: (line) => line.source },
  { key: "target", title: "Target", cell: (line) => <Value of={line} side="target" />, csv: (line) => line.target },
];

function Value({ of, side }: { of: Line; side: "source" | "target" }) {
  if (!of.column) return <>–</>;
  const value = of[side];
  if (value === null) return <Text span c="dimmed" size="sm">NULL</Text>;
  return value === "" ? <Text span c="dimmed" size="sm">empty</Text> : <span title={value}>{value}</span>;
}

function columnsOf(rows: readonly Row[]): Column<Row>[] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))].slice(0, 30);
  return names.map((name) => ({ key: name, title: name, cell: (row) => <span title={textOf(row[name])}>{textOf(row[name])}</span>, csv: (row) => textOf(row[name]) }));
}

function valueOf(value: unknown): string | null {
  return value === null || value === undefined ? null : textOf(value);
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return value.map(textOf).join(", ");
  const entries = Object.entries(value);
  return entries.length === 1 ? textOf(entries[0]![1]) : entries.map(([name, inner]) => `${name}: ${textOf(inner)}`).join(", ");
}
