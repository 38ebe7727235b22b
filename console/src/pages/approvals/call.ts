import type { Schemas } from "../../api";

type Approval = Schemas["Approval"];

/** Equal for approvals that may be decided together: the same agent, tool and arguments, asked of the same people. */
export function callOf(approval: Approval): string {
  const { tool, agent, arguments_digest, reason, profile, approver_roles, quorum } = approval;
  return JSON.stringify([tool, agent, arguments_digest, reason, profile, approver_roles, quorum]);
}

/** Whether a decision is still wanted. */
export function isOpen({ status }: Approval): boolean {
  return status === "pending" || status === "info_requested";
}
