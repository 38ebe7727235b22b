import type { Schemas } from "../../api";

type Agent = Schemas["AgentSpec"];

const FIRST = ["assistant", "supervisor"];
const KINDS = ["llm", "workflow", "code"];

/** Agents as one would ask them: whoever leads the others, models, teams and workflows, and last code, which takes data rather than words. */
export function inOrder(agents: readonly Agent[]): Agent[] {
  return [...agents].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name));
}

function rank({ name, kind }: Agent): number {
  const at = kind === "code" ? -1 : FIRST.indexOf(name);
  return at >= 0 ? at : FIRST.length + KINDS.indexOf(kind ?? "llm");
}
