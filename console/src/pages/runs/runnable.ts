import { useMemo } from "react";
import { type Schemas, useGet } from "../../api";

export interface Runnable {
  name: string;
  kind: "agent" | "workflow";
  description: string;
}

const SOME = { limit: 200 };
const KEPT = { staleTime: 60_000 };

/** Agents and workflows that can be run, by name: the first two hundred of each, for suggestions. Any other name may be typed. */
export function useRunnable(): readonly Runnable[] {
  const agents = useGet<Schemas["AgentPage"]>("/api/v1/agents", SOME, KEPT);
  const workflows = useGet<Schemas["WorkflowPage"]>("/api/v1/workflows", SOME, KEPT);
  return useMemo(() => {
    const found = new Map<string, Runnable>();
    for (const { name, description = "" } of agents.data?.items ?? []) found.set(name, { name, kind: "agent", description });
    for (const { name, description } of workflows.data?.items ?? []) found.set(name, { name, kind: "workflow", description });
    return [...found.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }, [agents.data, workflows.data]);
}
