import { Badge, Group, Tooltip } from "@mantine/core";
import { type CSSProperties, memo } from "react";
import { durationText } from "./time";

const COLORS: Record<string, string> = {
  success: "green",
  succeeded: "green",
  done: "green",
  passed: "green",
  pass: "green",
  active: "green",
  approved: "green",
  allow: "green",
  ok: "green",
  running: "blue",
  ready: "blue",
  intended: "blue",
  entered: "blue",
  waiting: "yellow",
  pending: "yellow",
  awaiting: "yellow",
  needs_approval: "yellow",
  info_requested: "yellow",
  constrained: "cyan",
  draft: "cyan",
  in_doubt: "orange",
  retrying: "orange",
  caught: "orange",
  warning: "orange",
  expired: "gray",
  cancelled: "gray",
  archived: "gray",
  skipped: "gray",
  disabled: "gray",
  failure: "red",
  failed: "red",
  fail: "red",
  error: "red",
  rejected: "red",
  refused: "red",
  deny: "red",
};

/** The colour name of a status; gray for one that is not known. */
export function statusColor(status: string): string {
  return COLORS[status.toLowerCase()] ?? "gray";
}

const { root: BADGE, label: LABEL } = Badge.classes;

/** A status as a coloured word: never by colour alone. Plain elements with Mantine's classes: lists that move are full of them. */
export function StatusBadge({ status }: { status: string }) {
  const color = `var(--mantine-color-${statusColor(status)}-light`;
  const style = { "--badge-bg": `${color})`, "--badge-color": `${color}-color)` } as CSSProperties;
  return (
    <span className={`${BADGE} remit-status`} style={style}>
      <span className={LABEL}>{status.replaceAll("_", " ").toLowerCase()}</span>
    </span>
  );
}

const RISKS: Record<string, [string, string]> = {
  L0: ["gray", "reads only"],
  L1: ["blue", "writes within bounds"],
  L2: ["orange", "significant"],
  L3: ["red", "privileged"],
};

/** How risky a tool is: L0 to L3. */
export function RiskBadge({ risk }: { risk: string }) {
  const [color, meaning] = RISKS[risk] ?? ["gray", "unknown"];
  return (
    <Tooltip label={meaning}>
      <Badge variant="outline" color={color} radius="sm" tt="none" style={{ color: `var(--mantine-color-${color}-light-color)` }}>
        {risk || "?"}
      </Badge>
    </Tooltip>
  );
}

export interface StripRun {
  run_id: string;
  status: string;
  start_ts: number;
  end_ts?: number | null;
}

const BAR: CSSProperties = { width: 6, height: 18, borderRadius: 2, display: "block" };

/** The last runs of an agent or workflow, oldest left: green, red, blue, yellow bars that lead to their run. */
export function Strip({ runs }: { runs: readonly StripRun[] }) {
  if (runs.length === 0) return <span>–</span>;
  return (
    <Group gap={2} wrap="nowrap" role="list" aria-label={`last ${runs.length} runs`}>
      {runs.map((run) => (
        <Bar key={run.run_id} id={run.run_id} status={run.status} began={run.start_ts} ended={run.end_ts} />
      ))}
    </Group>
  );
}

/** One run of a strip, made anew only when it changes: a strip may move several times a second. */
const Bar = memo(function Bar({ id, status, began, ended }: { id: string; status: string; began: number; ended?: number | null }) {
  const at = new Date(began).toLocaleString();
  return (
    <a role="listitem" href={`#/runs/${encodeURIComponent(id)}`} title={`${status}${ended ? ` in ${durationText(ended - began)}` : ""} · ${at}`} aria-label={`${status}, ${at}`}>
      <span style={{ ...BAR, background: `var(--mantine-color-${statusColor(status)}-filled)` }} />
    </a>
  );
});

/** US dollars; small amounts keep two significant digits. */
export function moneyText(usd: number | string): string {
  const value = Number(usd);
  if (!Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 0.01) return `$${value.toPrecision(2)}`;
  return `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

/** An amount of money, with all its digits on hover. */
export function Money({ usd }: { usd: number | string | null | undefined }) {
  if (usd === null || usd === undefined || usd === "") return <span>–</span>;
  return (
    <Tooltip label={`${usd} US dollars`}>
      <span style={{ fontVariantNumeric: "tabular-nums" }}>{moneyText(usd)}</span>
    </Tooltip>
  );
}
