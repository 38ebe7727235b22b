import { Text } from "@mantine/core";
import { useMemo } from "react";
import "./json.css";
import { diffLines } from "./lines";

const AROUND = 3;

/** What differs between two texts, line by line; far from a change, lines are folded away. */
export function TextDiff({ before, after, whole = false }: { before: string; after: string; whole?: boolean }) {
  const lines = useMemo(() => diffLines(before, after), [before, after]);
  if (lines.every((line) => line.kind === "same")) return <Text size="sm" c="dimmed">Nothing differs.</Text>;
  const near = lines.map((_, at) => whole || lines.slice(Math.max(0, at - AROUND), at + AROUND + 1).some((line) => line.kind !== "same"));
  return (
    <div className="remit-diff" role="group" aria-label="differences">
      {lines.map((line, at) => {
        if (!near[at]) return near[at - 1] || at === 0 ? <div key={at} className="skipped">  ⋯</div> : null;
        const mark = { same: "  ", added: "+ ", removed: "− " }[line.kind];
        return (
          <div key={at} className={line.kind}>
            {mark}
            {line.text || " "}
          </div>
        );
      })}
    </div>
  );
}

/** What differs between two JSON values, as their sorted text. */
export function JsonDiff({ before, after, whole }: { before: unknown; after: unknown; whole?: boolean }) {
  return <TextDiff before={stable(before)} after={stable(after)} whole={whole} />;
}

/** JSON with sorted keys, so that order alone is no difference. */
export function stable(value: unknown): string {
  return (
    JSON.stringify(
      value,
      (_key, inner: unknown) => (inner && typeof inner === "object" && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner),
      2,
    ) ?? ""
  );
}
