import { durationText } from "../time";
import type { NodeState } from "./model";

const SIGNS: Record<string, string> = { succeeded: "✓", failed: "✗", running: "●", waiting: "◷", caught: "↷", aborted: "⊘" };

/** How far a state has come, in a few words. */
export function phaseText(state: NodeState): string {
  const took = state.started_ms != null && state.ended_ms != null ? durationText(state.ended_ms - state.started_ms) : "";
  const items = state.total ? `${state.done ?? 0} of ${state.total}` : "";
  const again = (state.retries ?? 0) > 0 ? `${state.retries} ${state.retries === 1 ? "retry" : "retries"}` : (state.visits ?? 1) > 1 ? `${state.visits} times` : "";
  return [`${SIGNS[state.phase] ?? ""} ${state.phase}`.trim(), items, took, again, state.note].filter(Boolean).join(" · ");
}
