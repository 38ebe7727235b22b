import type { InfiniteData, QueryClient } from "@tanstack/react-query";
import { api, piece, type Schemas, useAct } from "../../api";
import { freshId } from "../../ui/fresh";

type Approval = Schemas["Approval"];
type Kind = Schemas["Decide"]["kind"];

export interface Decision {
  kind: Kind;
  rationale: string;
  arguments?: Record<string, unknown>;
}

const PATH = "/api/v1/approvals";
const AFTER: Record<Kind, Approval["status"]> = { approve: "approved", reject: "rejected", constrain: "constrained", request_info: "info_requested" };
const DONE: Record<Kind, string> = { approve: "Approved", reject: "Rejected", constrain: "Approved with changes", request_info: "Question sent" };

/** Decide one approval; what is shown changes at once, and back when the server refuses. */
export function useDecide(approval: Approval, onDecided: () => void, quiet = false) {
  return useAct(
    async (decision: Decision) => {
      const after = await api.post<Approval>(`${PATH}/${piece(approval.approval_id)}/decide`, { ...decision, decision_id: freshId("dec") });
      onDecided();
      return after;
    },
    {
      done: (after: Approval, { kind }) => (after.status === "pending" && kind !== "request_info" ? "Noted; more people must agree" : DONE[kind]),
      optimistic: (client, { kind }) => shown(client, [approval.approval_id], kind, willSettle(approval, kind)),
      touches: [PATH, "/api/v1/runs"],
      quiet,
    },
  );
}

/** Decide several approvals of the same call. */
export function useDecideTogether(ids: readonly string[], onDecided: () => void) {
  return useAct(
    async ({ kind, rationale }: Decision) => {
      const body: Schemas["DecideSeveral"] = { approval_ids: [...ids], kind: kind === "approve" ? "approve" : "reject", rationale, decision_id: freshId("dec") };
      const { items } = await api.post<Schemas["Outcomes"]>(`${PATH}/decide`, body);
      onDecided();
      return items;
    },
    {
      done: (items) => {
        const refused = items.filter((one) => one.problem);
        const first = refused[0]?.problem;
        return `${items.length - refused.length} of ${items.length} decided${first ? `; ${first.code}: ${first.message}` : ""}`;
      },
      optimistic: (client, { kind }) => shown(client, ids, kind, true),
      touches: [PATH, "/api/v1/runs"],
    },
  );
}

/** Answer an approver's question. */
export function useAnswer(approval: Approval) {
  return useAct((text: string) => api.post<Approval>(`${PATH}/${piece(approval.approval_id)}/answer`, { text }), { done: "Answered; a decision is wanted again", touches: [PATH] });
}

function willSettle({ quorum = 1, votes = [] }: Approval, kind: Kind): boolean {
  if (kind === "reject" || kind === "request_info") return true;
  const agreeing = new Set(votes.filter((vote) => vote.kind === "approve" || vote.kind === "constrain").map((vote) => vote.approver_id));
  return quorum <= (kind === "constrain" ? 1 : agreeing.size + 1);
}

type Pages = InfiniteData<{ items: Approval[]; cursor?: string | null }>;

/** Show approvals as decided wherever they stand in the cache; gives back what undoes it. */
function shown(client: QueryClient, ids: readonly string[], kind: Kind, settles: boolean): (() => void) | undefined {
  if (!settles) return undefined;
  const decided = new Set(ids);
  const status = AFTER[kind];
  const before = client.getQueriesData<unknown>({ predicate: ({ queryKey: [key] }) => typeof key === "string" && (key === PATH || (key.startsWith(`${PATH}/`) && key.endsWith("/context"))) });
  const changed = (item: Approval): Approval => (decided.has(item.approval_id) ? { ...item, status } : item);
  for (const [key, data] of before) {
    if (!data) continue;
    if (key[0] === PATH) {
      const list = data as Pages | { items: Approval[] };
      client.setQueryData(key, "pages" in list ? { ...list, pages: list.pages.map((page) => ({ ...page, items: page.items.map(changed) })) } : { ...list, items: list.items.map(changed) });
    } else {
      const context = data as Schemas["ApprovalContext"];
      if (decided.has(context.approval.approval_id)) client.setQueryData(key, { ...context, approval: changed(context.approval), may_decide: false, decisions: [] });
    }
  }
  return () => {
    for (const [key, data] of before) client.setQueryData(key, data);
  };
}
