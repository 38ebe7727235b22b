import { useMemo } from "react";
import { Ago } from "../../ui";
import { useRunList } from "../runs/list";
import { Card, countOf, Line, SHOWN } from "./card";

const DAY_MS = 24 * 3_600_000;
const MINUTE = 60_000;

/** Runs that failed within the last day. */
export function Failures() {
  const query = useMemo(() => ({ status: "failure", since: Math.floor((Date.now() - DAY_MS) / MINUTE) * MINUTE, top: true }), []);
  const { rows, hasMore, isLoading, problem } = useRunList(query, { limit: 50 });
  return (
    <Card title="Failures of the last day" count={countOf(rows.length, hasMore)} calm="No run has failed." href="/runs?status=failure&period=24h" all="All of them" isLoading={isLoading} problem={problem} color="red">
      {rows.slice(0, SHOWN).map((run) => (
        <Line key={run.run_id} href={`/runs/${encodeURIComponent(run.run_id)}`} text={[run.agent_id, run.objective].filter(Boolean).join(" · ")} right={<Ago ts={run.start_ts} />} />
      ))}
    </Card>
  );
}
