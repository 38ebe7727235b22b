import { Button, Group, Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { api, piece, type Problem, urlOf } from "../../api";
import { isRemote } from "../../api/session";
import { type Column, DataTable, download, Json, ProblemNote } from "../../ui";
import type { Called } from "./turn";

type Row = Record<string, unknown>;

interface TableOf {
  columns: string[];
  rows: Row[];
  truncated: boolean;
}

/** A result as the table that it is: rows that are objects, or lists under the names of columns. */
export function tableOf(output: unknown): TableOf | undefined {
  if (!output || typeof output !== "object") return undefined;
  const given = output as { columns?: unknown; rows?: unknown; truncated?: unknown };
  const rows = Array.isArray(output) ? output : given.rows;
  if (!Array.isArray(rows) || rows.length === 0) return undefined;
  const named = Array.isArray(given.columns) ? given.columns.map((column) => (column && typeof column === "object" ? String((column as Row).name ?? "") : String(column))) : [];
  if (rows.every((row) => Array.isArray(row) && row.length === named.length)) {
    return { columns: named, rows: rows.map((row) => Object.fromEntries(named.map((name, at) => [name, (row as unknown[])[at]]))), truncated: given.truncated === true };
  }
  if (!rows.every((row) => row !== null && typeof row === "object" && !Array.isArray(row))) return undefined;
  const columns = named.length > 0 ? named : [...new Set(rows.flatMap((row) => Object.keys(row as Row)))];
  const marked = Object.hasOwn(rows[0] as Row, "#") && !columns.includes("#") ? ["#", ...columns] : columns;
  return { columns: marked, rows: rows as Row[], truncated: given.truncated === true };
}

/** A table, which saves itself as CSV. */
export function Rows({ table, name }: { table: TableOf; name: string }) {
  const columns = useMemo(
    () =>
      table.columns.map((column): Column<{ row: Row; at: number }> => {
        const isNumber = table.rows.every(({ [column]: value }) => value === null || value === undefined || typeof value === "number");
        return { key: column, title: column, align: isNumber ? "right" : "left", cell: ({ row }) => cellText(row[column]), csv: ({ row }) => (typeof row[column] === "number" ? row[column] : cellText(row[column])) };
      }),
    [table],
  );
  const rows = useMemo(() => table.rows.map((row, at) => ({ row, at })), [table]);
  return (
    <div>
      <DataTable rows={rows} columns={columns} name={`rows of ${name}`} rowKey={({ at }) => String(at)} height={320} keyless />
      {table.truncated && (
        <Text size="xs" c="dimmed">
          There are more rows than it answered with.
        </Text>
      )}
    </div>
  );
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : typeof value === "number" ? String(value) : JSON.stringify(value);
}

interface ChartOf {
  png: string;
  html: string;
  title: string;
}

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** The chart that a call drew: by what it kept, or by the digests in its answer. */
export function chartOf(part: Called): ChartOf | undefined {
  const kept = (type: string) => part.artifacts.find((artifact) => artifact.media_type.startsWith(type));
  const said = (part.output && typeof part.output === "object" ? part.output : {}) as Row;
  const digest = (name: string) => (typeof said[name] === "string" && DIGEST.test(said[name]) ? said[name] : "");
  const png = kept("image/png")?.digest ?? digest("png");
  const html = kept("text/html")?.digest ?? digest("html");
  if (!png) return undefined;
  const asked = (part.input && typeof part.input === "object" ? part.input : {}) as Row;
  const named = typeof asked.title === "string" ? asked.title : "";
  const title = named || kept("image/png")?.name.replace(/\.png$/, "") || [said.kind, "of", said.y || said.x].filter(Boolean).join(" ");
  return { png, html, title };
}

/** A chart as its picture; as its page on demand, in a frame that has no origin and reaches nothing. */
export function Picture({ runId, chart }: { runId: string; chart: ChartOf }) {
  const [isPage, setPage] = useState(false);
  const path = (digest: string) => `/api/v1/runs/${piece(runId)}/artifacts/${piece(digest)}`;
  const { data, error } = useQuery<Blob, Problem>({ queryKey: ["artifact", runId, chart.png], queryFn: () => api.blob(path(chart.png)), staleTime: Number.POSITIVE_INFINITY });
  const source = useBlobUrl(data);
  if (error) return <ProblemNote problem={error} />;
  return (
    <figure className="remit-chat-chart">
      {isPage ? (
        <iframe title={chart.title} sandbox="allow-scripts" src={urlOf(path(chart.html), { inline: true })} />
      ) : source ? (
        <img src={source} alt={`Chart: ${chart.title}`} />
      ) : (
        <Skeleton h={280} />
      )}
      <Group justify="space-between" gap="xs">
        <Text component="figcaption" size="sm" c="dimmed">
          {chart.title}
        </Text>
        <Group gap="xs">
          {/* A frame shows no key, only the session's cookie: elsewhere the picture has to do. */}
          {chart.html && !isRemote && (
            <Button size="compact-xs" variant="default" onClick={() => setPage(!isPage)}>
              {isPage ? "Show the picture" : "Show it interactive"}
            </Button>
          )}
          <Button size="compact-xs" variant="default" disabled={!data} onClick={() => data && download(`${chart.title}.png`, new Blob([data], { type: "image/png" }))}>
            Save
          </Button>
        </Group>
      </Group>
    </figure>
  );
}

function useBlobUrl(data: Blob | undefined): string {
  const [url, setUrl] = useState("");
  useEffect(() => {
    if (!data) return undefined;
    // It is shown as a picture whatever it says it is.
    const made = URL.createObjectURL(new Blob([data], { type: "image/png" }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [data]);
  return url;
}

/** The result of an agent that answers with data. */
export function AnswerData({ value }: { value: unknown }) {
  const table = useMemo(() => tableOf(value), [value]);
  return table ? <Rows table={table} name="the answer" /> : <Json value={value} label="answer" />;
}
