import { memo } from "react";
import { type Column, Duration, moneyText, spanText, StatusBadge, useNow, utc } from "../../ui";
import type { Run } from "./query";
import "./columns.css";

/** Cells are plain, and made anew only for runs that changed: a list that moves four times a second stays smooth. */
const State = memo(function State({ run }: { run: Run }) {
  return <StatusBadge status={run.status} />;
});

const What = memo(function What({ run }: { run: Run }) {
  const approval = run.waiting_on?.find((one) => one.startsWith("approval:"))?.slice("approval:".length);
  return (
    <span className="runs-what">
      <a className="runs-objective" data-unnamed={run.objective ? undefined : true} href={`#/runs/${encodeURIComponent(run.run_id)}`} title={run.objective || run.run_id}>
        {run.objective || run.task_id || run.run_id}
      </a>
      {approval && <a href={`#/approvals/${encodeURIComponent(approval)}`}>decide</a>}
      {run.parent_run && (
        <a className="runs-part" href={`#/runs/${encodeURIComponent(run.parent_run)}`}>
          part of another
        </a>
      )}
    </span>
  );
});

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

const Began = memo(function Began({ ts }: { ts: number }) {
  const now = useNow();
  return (
    <time dateTime={new Date(ts).toISOString()} title={`${moment.format(ts)} · ${utc(ts)}`}>
      {now - ts < SHORT_MS ? "now" : `${spanText(now - ts)} ago`}
    </time>
  );
});

const Took = memo(function Took({ run }: { run: Run }) {
  return run.end_ts ? <Duration ms={run.end_ts - run.start_ts} /> : <SoFar since={run.start_ts} />;
});

const SHORT_MS = 5_000;

function SoFar({ since }: { since: number }) {
  const now = useNow();
  return <span className="runs-part">{now - since < SHORT_MS ? "a moment" : spanText(now - since)}</span>;
}

function Cost({ usd }: { usd: string }) {
  return (
    <span className={Number(usd) === 0 ? "runs-part" : undefined} title={`${usd} US dollars`}>
      {moneyText(usd)}
    </span>
  );
}

const time = (ts: number | null | undefined) => (ts ? utc(ts) : "");

export const COLUMNS: readonly Column<Run>[] = [
  { key: "status", title: "Status", width: 96, cell: (run) => <State run={run} />, csv: (run) => run.status },
  { key: "objective", title: "Objective", cell: (run) => <What run={run} />, csv: (run) => run.objective ?? "" },
  { key: "agent", title: "Agent", width: 150, cell: (run) => run.agent_id, csv: (run) => run.agent_id },
  { key: "began", title: "Began", width: 100, cell: (run) => <Began ts={run.start_ts} />, csv: (run) => time(run.start_ts) },
  { key: "took", title: "Took", width: 90, align: "right", cell: (run) => <Took run={run} />, csv: (run) => (run.end_ts ? run.end_ts - run.start_ts : "") },
  { key: "cost", title: "Cost", width: 80, align: "right", cell: (run) => <Cost usd={run.cost} />, csv: (run) => Number(run.cost) },
];

/** For the file alone. */
export const MORE_COLUMNS: readonly Column<Run>[] = [
  ...COLUMNS,
  { key: "run", title: "Run", width: 110, cell: (run) => <code title={run.run_id}>{run.run_id.slice(4, 14)}</code>, csv: (run) => run.run_id },
];
