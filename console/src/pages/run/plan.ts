import type { Group, Row } from "./data";

/** A line of the waterfall. */
export type Line =
  | { kind: "group"; group: Group; place: number; isShut: boolean }
  | { kind: "row"; index: number; depth: number }
  | { kind: "child"; run: string; row: Row; depth: number }
  | { kind: "note"; text: string; run: string; depth: number };

/** A delegated run that is unfolded below the row at `index`. */
export interface Unfolded {
  index: number;
  run: string;
  rows: readonly Row[] | undefined;
  hasMore: boolean;
}

interface Segment {
  start: number;
  count: number;
  line: (offset: number) => Line;
}

/** Every line of a run without making any: 100,000 rows are a few segments. */
export interface Plan {
  count: number;
  line: (at: number) => Line | undefined;
  /** The line of a row of the run. */
  of: (index: number) => number;
}

/** `upto`: rows from there on are left out, for a replay. */
export function planOf(groups: readonly Group[], opened: ReadonlySet<number>, shut: ReadonlySet<number>, unfolded: readonly Unfolded[], upto: number): Plan {
  const segments: Segment[] = [];
  let count = 0;
  const add = (size: number, line: (offset: number) => Line) => {
    if (size <= 0) return;
    segments.push({ start: count, count: size, line });
    count += size;
  };
  const places = new Map<number, number>();
  const rows = (first: number, size: number, depth: number) => {
    let from = first;
    for (const one of unfolded.filter((each) => each.index >= first && each.index < first + size)) {
      const begin = from;
      places.set(begin, count);
      add(one.index - begin + 1, (offset) => ({ kind: "row", index: begin + offset, depth }));
      children(one, depth + 1);
      from = one.index + 1;
    }
    places.set(from, count);
    add(first + size - from, (offset) => ({ kind: "row", index: from + offset, depth }));
  };
  const children = (one: Unfolded, depth: number) => {
    const known = one.rows;
    if (!known) add(1, () => ({ kind: "note", text: "Loading …", run: one.run, depth }));
    else {
      add(known.length, (offset) => ({ kind: "child", run: one.run, row: known[offset]!, depth }));
      if (one.hasMore) add(1, () => ({ kind: "note", text: "More steps: open the run", run: one.run, depth }));
      else if (known.length === 0) add(1, () => ({ kind: "note", text: "No steps yet: open the run", run: one.run, depth }));
    }
  };
  groups.forEach((group, place) => {
    if (group.first >= upto) return;
    const size = Math.min(group.steps, upto - group.first);
    const isFolded = size >= FOLDS && (group.shut ? !opened.has(group.first) : shut.has(group.first));
    if (size >= FOLDS && (group.shut || isFolded)) {
      places.set(group.first, count);
      add(1, () => ({ kind: "group", group, place, isShut: isFolded }));
      if (isFolded) return;
    }
    rows(group.first, size, size >= FOLDS && group.shut ? 1 : 0);
  });
  const starts = [...places.entries()].sort((a, b) => a[0] - b[0]);
  return {
    count,
    line: (at) => {
      const segment = segments[last(segments, (each) => each.start <= at)];
      return segment && at < segment.start + segment.count ? segment.line(at - segment.start) : undefined;
    },
    of: (index) => {
      const found = starts[last(starts, ([first]) => first <= index)];
      if (!found) return 0;
      const [first, line] = found;
      const group = groups[last(groups, (each) => each.first <= index)];
      const isFolded = group?.shut && group.steps >= FOLDS && !opened.has(group.first);
      return isFolded ? line : Math.min(count - 1, line + index - first);
    },
  };
}

/** Groups of fewer steps are always shown as their steps. */
const FOLDS = 6;

/** The index of the last item that holds; -1 for none. Items that hold come first. */
function last<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = -1;
  let high = items.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (holds(items[middle]!)) low = middle;
    else high = middle;
  }
  return low;
}
