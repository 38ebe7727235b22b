import "@mantine/charts/styles.css";
import { AreaChart, BarChart, DonutChart, LineChart } from "@mantine/charts";
import type { ChartProps } from "./charts";

const COLORS = ["teal.6", "indigo.5", "orange.5", "grape.5", "cyan.6", "pink.5", "lime.6", "gray.5"];

/** The chart itself; apart, since its library is heavy. */
export default function Chart({ kind, data, x, series, height = 240, stacked, format }: ChartProps) {
  const colored = series.map((one, at) => ({ ...one, color: one.color ?? COLORS[at % COLORS.length]! }));
  const rows = data as Record<string, string | number>[];
  const common = { h: height, data: rows, dataKey: x, series: colored, withLegend: colored.length > 1, valueFormatter: format };
  if (kind === "donut") {
    const value = colored[0]?.name ?? "value";
    const parts = rows.map((row, at) => ({ name: String(row[x]), value: Number(row[value]), color: COLORS[at % COLORS.length]! }));
    return <DonutChart h={height} data={parts} withTooltip valueFormatter={format} />;
  }
  if (kind === "bar") return <BarChart {...common} type={stacked ? "stacked" : "default"} />;
  if (kind === "area") return <AreaChart {...common} type={stacked ? "stacked" : "default"} curveType="monotone" />;
  return <LineChart {...common} curveType="monotone" connectNulls={false} />;
}
