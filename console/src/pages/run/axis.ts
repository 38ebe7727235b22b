import type { Gap } from "./data";

/** How wide an idle time is drawn, as a part of all time at work. */
const GAP_PART = 0.015;

/** The run's time with its idle gaps drawn narrow: every gap keeps a strip of the same width, to be seen and named. */
export interface Axis {
  /** Where a time is, from 0 to 1. */
  at: (ts: number) => number;
  /** The time at a place; within a gap its beginning. */
  ts: (at: number) => number;
  gaps: readonly { from: number; to: number; gap: Gap }[];
}

export function axisOf(gaps: readonly Gap[], start: number, end: number): Axis {
  const idle = gaps.reduce((sum, gap) => sum + gap.to_ts - gap.from_ts, 0);
  const work = Math.max(1, end - start - idle);
  const strip = work * GAP_PART;
  const length = work + strip * gaps.length;
  // Knots of a line that maps time to place: it is steep at work and nearly level in gaps.
  const times: number[] = [start];
  const places: number[] = [0];
  for (const gap of gaps) {
    places.push(places.at(-1)! + gap.from_ts - times.at(-1)!, 0);
    places[places.length - 1] = places.at(-2)! + strip;
    times.push(gap.from_ts, gap.to_ts);
  }
  places.push(Math.max(places.at(-1)! + 1e-9, length));
  times.push(Math.max(end, times.at(-1)! + 1));
  return {
    at: (ts) => between(ts, times, places) / length,
    ts: (at) => between(at * length, places, times),
    gaps: gaps.map((gap, index) => ({ gap, from: places[2 * index + 1]! / length, to: places[2 * index + 2]! / length })),
  };
}

function between(value: number, from: readonly number[], to: readonly number[]): number {
  let low = 0;
  let high = from.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (from[middle]! <= value) low = middle;
    else high = middle;
  }
  const span = from[high]! - from[low]!;
  const part = span > 0 ? (value - from[low]!) / span : 0;
  return to[low]! + (to[high]! - to[low]!) * Math.min(1, Math.max(0, part));
}
