import { Skeleton } from "@mantine/core";
import { lazy, Suspense } from "react";

const WIDTH = 96;
const HEIGHT = 22;

/** A line without axes. Gaps (null) are left out. */
export function Spark({ values, label }: { values: readonly (number | null)[]; label?: string }) {
  const there = values.filter((value): value is number => value !== null);
  if (there.length < 2) return <span>–</span>;
  const low = Math.min(...there);
  const range = Math.max(...there) - low || 1;
  const step = WIDTH / (values.length - 1);
  const y = (value: number) => HEIGHT - 3 - ((value - low) / range) * (HEIGHT - 6);
  const path = values.map((value, at) => (value === null ? "" : `${at === 0 || values[at - 1] === null ? "M" : "L"}${(at * step).toFixed(1)},${y(value).toFixed(1)}`)).join("");
  return (
    <svg width={WIDTH} height={HEIGHT} role="img" aria-label={label ?? `from ${there[0]} to ${there.at(-1)}`}>
      <path d={path} fill="none" stroke="var(--mantine-primary-color-filled)" strokeWidth={1.5} />
    </svg>
  );
}

export interface ChartProps {
  kind: "line" | "bar" | "area" | "donut";
  data: readonly Record<string, string | number | null>[];
  /** The field of the x axis (donut: of the names). */
  x: string;
  series: readonly { name: string; color?: string; label?: string }[];
  height?: number;
  stacked?: boolean;
  /** How values are written, e.g. `moneyText`. */
  format?: (value: number) => string;
}

const Chart = lazy(() => import("./chart"));

/** A chart, whose library is fetched when the first one is shown. */
export function LazyChart(props: ChartProps) {
  return (
    <Suspense fallback={<Skeleton h={props.height ?? 240} />}>
      <Chart {...props} />
    </Suspense>
  );
}
