import { Badge, Text } from "@mantine/core";
import type { Schemas } from "../../api";
import { Spark } from "../../ui";

type Score = Schemas["Score"];
const DAY_MS = 86_400_000;

/** A pass rate in words: 99.99 does not read as 100. */
export function rateText(rate: number | null | undefined): string {
  if (rate === null || rate === undefined) return "–";
  return Number.isInteger(rate) ? `${rate} %` : `${(Math.floor(rate * 10) / 10).toFixed(1)} %`;
}

export function Rate({ rate, size = "md" }: { rate: number | null | undefined; size?: string }) {
  if (rate === null || rate === undefined) return <Text span c="dimmed" size="sm">nothing ran</Text>;
  return (
    <Badge variant="light" radius="sm" tt="none" size={size} color={rate >= 100 ? "green" : rate >= 90 ? "yellow" : "red"}>
      {rateText(rate)}
    </Badge>
  );
}

/** How the last day's rate moved against the days before. */
export function Trend({ points }: { points: number | null | undefined }) {
  if (points === null || points === undefined) return <Text span c="dimmed">–</Text>;
  if (points === 0) return <Text span size="sm" c="dimmed">steady</Text>;
  return (
    <Text span size="sm" fw={600} c={points < 0 ? "var(--mantine-color-error)" : undefined} style={{ fontVariantNumeric: "tabular-nums" }}>
      {points > 0 ? "▲ +" : "▼ −"}
      {Math.abs(points).toFixed(1)}
    </Text>
  );
}

/** The pass rate of each UTC day of a window, null where nothing ran. */
export function daily(score: Score, days: number, until: number): { day: string; rate: number | null }[] {
  const known = new Map((score.history ?? []).map(([day, rate]) => [String(day), Number(rate)]));
  return Array.from({ length: days }, (_, at) => {
    const day = new Date(until - (days - 1 - at) * DAY_MS).toISOString().slice(0, 10);
    return { day, rate: known.get(day) ?? null };
  });
}

/** The days that ran as a small line, without gaps: one point for each. */
export function History({ score }: { score: Score }) {
  const history = score.history ?? [];
  if (history.length === 1) return <Text span size="sm" c="dimmed">one day</Text>;
  return <Spark values={history.map(([, rate]) => Number(rate))} label={`pass rate of ${history.length} days, from ${rateText(Number(history[0]?.[1]))} to ${rateText(Number(history.at(-1)?.[1]))}`} />;
}
