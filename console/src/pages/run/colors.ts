import type { Row } from "./data";

const LANES = ["teal", "blue", "grape", "orange", "cyan", "pink", "lime", "indigo"] as const;

/** The colour name of an agent: the same for the same place among the lanes. */
export function laneColor(lanes: readonly string[], lane: string): string {
  const place = lanes.indexOf(lane);
  return LANES[(place < 0 ? 0 : place) % LANES.length]!;
}

const BAD = new Set(["failed", "refused", "in_doubt"]);

export function isBad(row: Pick<Row, "state">): boolean {
  return BAD.has(row.state);
}

export function isOpen(row: Pick<Row, "end_seq">): boolean {
  return row.end_seq === null;
}

export function barColor(row: Row, lanes: readonly string[]): string {
  if (isBad(row)) return "red";
  if (row.state === "awaiting" || row.state === "waiting" || row.state === "retrying") return "yellow";
  return laneColor(lanes, row.lane);
}

const MARKS: Record<string, string> = { model: "◇", tool: "▣", delegate: "⇥", gate: "⏸", state: "○" };

/** A sign for a kind of step; the kind is said in words beside it for who cannot see it. */
export function kindMark(kind: string): string {
  return MARKS[kind] ?? "•";
}
