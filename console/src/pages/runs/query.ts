import { useMemo } from "react";
import type { Schemas } from "../../api";

export type Run = Schemas["AgentRun"];

/** The filters of the page, as its address has them; empty for all. */
export const FILTERS = { status: "", agent: "", session: "", period: "", since: "", until: "", top: "" };
export type Filters = typeof FILTERS;

/** What the server is asked. */
export interface RunQuery {
  status?: string;
  agent?: string;
  session_id?: string;
  since?: number;
  until?: number;
  top?: boolean;
}

const MINUTE = 60_000;

export const PERIODS: readonly { value: string; label: string; ms: number }[] = [
  { value: "1h", label: "Last hour", ms: 60 * MINUTE },
  { value: "24h", label: "Last 24 hours", ms: 24 * 60 * MINUTE },
  { value: "7d", label: "Last 7 days", ms: 7 * 24 * 60 * MINUTE },
  { value: "30d", label: "Last 30 days", ms: 30 * 24 * 60 * MINUTE },
];
export const BETWEEN = "between";

/** The server's question for the filters. A period counts back from when it was chosen, to the minute. */
export function useRunQuery({ status, agent, session, period, since, until, top }: Filters): RunQuery {
  return useMemo(() => {
    const back = PERIODS.find((one) => one.value === period);
    const from = back ? Math.floor((Date.now() - back.ms) / MINUTE) * MINUTE : period === BETWEEN ? momentOf(since) : undefined;
    return {
      status: status || undefined,
      agent: agent || undefined,
      session_id: session || undefined,
      since: from,
      until: period === BETWEEN ? momentOf(until) : undefined,
      top: top === "1" || undefined,
    };
  }, [status, agent, session, period, since, until, top]);
}

function momentOf(text: string): number | undefined {
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at;
}

/** Whether the server would list this run for the question. */
export function matches(run: Run, query: RunQuery): boolean {
  return (
    (!query.status || run.status === query.status) &&
    (!query.agent || run.agent_id === query.agent) &&
    (!query.session_id || run.session_id === query.session_id) &&
    (query.since === undefined || run.start_ts >= query.since) &&
    (query.until === undefined || run.start_ts <= query.until) &&
    (!query.top || !run.parent_run)
  );
}
