import { Text, Tooltip } from "@mantine/core";
import { useSyncExternalStore } from "react";

/** Times are Unix milliseconds. */
type Ts = number | null | undefined;

const local = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });

export function utc(ts: number): string {
  return new Date(ts).toISOString().replace("T", " ").replace(/\.000Z$|Z$/, " UTC");
}

/** A moment in the reader's own time, with UTC on hover. */
export function When({ ts }: { ts: Ts }) {
  if (!ts) return <span>–</span>;
  return (
    <Tooltip label={utc(ts)}>
      <time dateTime={new Date(ts).toISOString()}>{local.format(ts)}</time>
    </Tooltip>
  );
}

let now = Date.now();
const watchers = new Set<() => void>();
let ticking: ReturnType<typeof setInterval> | undefined;

function watch(tell: () => void): () => void {
  watchers.add(tell);
  ticking ??= setInterval(() => {
    now = Date.now();
    for (const watcher of watchers) watcher();
  }, 5_000);
  return () => {
    watchers.delete(tell);
    if (watchers.size === 0) {
      clearInterval(ticking);
      ticking = undefined;
    }
  };
}

/** The time of day, renewed every five seconds by one timer for the whole page. */
export function useNow(): number {
  return useSyncExternalStore(watch, () => now);
}

/** "3 min ago", renewed by itself. */
export function Ago({ ts }: { ts: Ts }) {
  const at = useNow();
  if (!ts) return <span>–</span>;
  const since = Math.max(0, at - ts);
  return (
    <Tooltip label={`${local.format(ts)} · ${utc(ts)}`}>
      <time dateTime={new Date(ts).toISOString()}>{since < 5_000 ? "now" : `${spanText(since)} ago`}</time>
    </Tooltip>
  );
}

/** How long is left until a deadline; in red once it is near or over. */
export function Deadline({ ts }: { ts: Ts }) {
  const at = useNow();
  if (!ts) return <span>no deadline</span>;
  const left = ts - at;
  return (
    <Tooltip label={`${local.format(ts)} · ${utc(ts)}`}>
      <Text span inherit c={left < 3_600_000 ? "var(--mantine-color-error)" : undefined}>
        {left > 0 ? `${spanText(left)} left` : `over since ${spanText(-left)}`}
      </Text>
    </Tooltip>
  );
}

/** A length of time in its largest unit: 4 s, 3 min, 5 h, 12 days. */
export function spanText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** A length of time as text: 0.4 ms, 12 ms, 3.1 s, 2 min 5 s, 3 h 4 min. */
export function durationText(ms: number): string {
  if (ms < 0.1) return "< 0.1 ms";
  if (ms < 1) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.floor((seconds % 3600) / 60);
  return `${Math.floor(seconds / 3600)} h${minutes > 0 ? ` ${minutes} min` : ""}`;
}

/** How long something took. */
export function Duration({ ms }: { ms: number | null | undefined }) {
  return <span style={{ fontVariantNumeric: "tabular-nums" }}>{ms === null || ms === undefined ? "–" : durationText(ms)}</span>;
}
