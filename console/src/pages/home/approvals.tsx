import { type Schemas, useGet } from "../../api";
import { Deadline, RiskBadge } from "../../ui";
import { Card, countOf, Line, SHOWN } from "./card";

const ASKED = { status: "open", limit: 50 };

/** Approvals that want a decision, the first deadline on top. */
export function Approvals() {
  const { data, isLoading, error } = useGet<Schemas["ApprovalPage"]>("/api/v1/approvals", ASKED);
  const waiting = data?.items ?? [];
  return (
    <Card title="Approvals waiting" count={countOf(waiting.length, Boolean(data?.cursor))} calm="Nothing waits for a person." href="/approvals" all="All approvals" isLoading={isLoading} problem={error}>
      {waiting.slice(0, SHOWN).map((one) => (
        <Line key={one.approval_id} href={`/approvals/${encodeURIComponent(one.approval_id)}`} left={<RiskBadge risk={one.risk_level} />} text={`${one.tool} · ${one.agent}`} right={<Deadline ts={one.expires_ts} />} />
      ))}
    </Card>
  );
}
