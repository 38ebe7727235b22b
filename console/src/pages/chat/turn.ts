import type { Schemas } from "../../api";

export type Approval = Schemas["Approval"];
export type Artifact = Schemas["Artifact"];
export type Message = Schemas["ConversationMessage"];

/** One entry of a run's journal, as the API tells it. */
export interface RunEvent {
  seq: number;
  ts: number;
  type: string;
  data: Record<string, unknown>;
}

export interface Delta {
  kind: "text" | "thinking" | "tool_use";
  text: string;
}

export interface Said {
  kind: "text" | "thinking";
  key: string;
  text: string;
}

/** A call of a tool or of another agent, and how far it has come. */
export interface Called {
  kind: "call";
  key: string;
  step: string;
  callId: string;
  name: string;
  input: unknown;
  state: "called" | "running" | "waiting" | "done" | "failed" | "refused" | "in_doubt";
  verdict: string;
  reason: string;
  policies: readonly string[];
  output?: unknown;
  hasOutput: boolean;
  problem: string;
  approvalId: string;
  artifacts: readonly Artifact[];
  childRun: string;
  latencyMs?: number;
}

export interface Noted {
  kind: "note";
  key: string;
  text: string;
}

export type Part = Said | Called | Noted;

export interface Problem {
  code: string;
  message: string;
  help?: string;
}

/** What somebody asked, and what came of it. */
export interface Turn {
  runId: string;
  taskId: string;
  agent: string;
  asked: string;
  input: unknown;
  ts: number;
  parts: readonly Part[];
  approvals: readonly Approval[];
  waitingOn: readonly string[];
  status: "running" | "waiting" | "success" | "failure" | "unknown";
  problem?: Problem;
  /** The result of an agent that is no model's: it is said nowhere else. */
  answer?: unknown;
  seq: number;
}

export function begun(runId: string, given: Partial<Turn> = {}): Turn {
  return { runId, taskId: "", agent: "", asked: "", input: null, ts: 0, parts: [], approvals: [], waitingOn: [], status: "running", seq: -1, ...given };
}

interface Block {
  type: string;
  text?: string;
  id?: string;
  name?: string;
  input?: unknown;
  malformed?: string | null;
  tool_use_id?: string;
  content?: unknown;
  is_error?: boolean;
}

function call(key: string, step: string, given: Partial<Called>): Called {
  return { kind: "call", key, step, callId: "", name: "", input: {}, state: "called", verdict: "", reason: "", policies: [], hasOutput: false, problem: "", approvalId: "", artifacts: [], childRun: "", ...given };
}

/** The turn after one more event of its run. An event that was seen before changes nothing. */
export function fold(turn: Turn, event: RunEvent): Turn {
  if (event.seq <= turn.seq) return turn;
  const next = { ...turn, seq: event.seq };
  const data = event.data;
  const text = (name: string) => (typeof data[name] === "string" ? (data[name] as string) : "");
  const edit = (change: Partial<Called>) => ({ ...next, parts: changed(turn.parts, text("step"), change) });
  switch (event.type) {
    case "RunCreated": {
      const task = data.task as Schemas["Task"];
      return { ...next, taskId: task.task_id, agent: task.agent, asked: task.objective ?? "", input: task.input, ts: event.ts };
    }
    case "RunClaimed":
    case "ModelAsked":
      return { ...next, status: "running", waitingOn: [] };
    case "ModelAnswered":
      return { ...next, parts: [...turn.parts, ...answered(text("step"), data.message as { blocks: Block[] })] };
    case "ModelFailed":
      return { ...next, parts: [...turn.parts, note(event, `the model failed: ${problemOf(data.problem)}`)] };
    case "OutputRejected":
      return { ...next, parts: [...turn.parts, note(event, `the answer was sent back: ${text("reason")}`)] };
    case "MessageAdded":
      return next;
    case "HistorySummed":
      return { ...next, parts: [...turn.parts, note(event, "what was said long ago was summed up")] };
    case "ToolDecided": {
      const decision = (data.decision ?? {}) as Schemas["Decision"];
      const change: Partial<Called> = { verdict: decision.verdict, reason: decision.reason ?? "", policies: decision.policies ?? [], state: decision.verdict === "allow" ? "running" : "waiting" };
      const known = turn.parts.some((part) => part.kind === "call" && part.step === text("step"));
      if (known) return edit(change);
      return { ...next, parts: [...turn.parts, call(`${event.seq}`, text("step"), { name: text("tool"), input: data.arguments ?? {}, callId: text("call_id"), ...change })] };
    }
    case "ToolRefused":
      return edit({ state: "refused", problem: problemOf(data.problem) });
    case "ApprovalRequested": {
      const approval = data.approval as Approval;
      return { ...next, approvals: [...turn.approvals.filter((one) => one.approval_id !== approval.approval_id), approval], parts: changed(turn.parts, approval.step, { state: "waiting", approvalId: approval.approval_id }) };
    }
    case "EffectIntended":
      return edit({ state: "running" });
    case "EffectDone":
      return edit({ state: "done", output: data.output, hasOutput: true, artifacts: (data.artifacts ?? []) as Artifact[], latencyMs: Number(data.latency_ms ?? 0) });
    case "EffectFailed":
      return edit({ state: "failed", problem: problemOf(data.problem), latencyMs: Number(data.latency_ms ?? 0) });
    case "EffectInDoubt":
      return edit({ state: "in_doubt", problem: text("why") });
    case "ChildStarted":
      return edit({ state: "running", childRun: text("child_run") });
    case "ChildEnded": {
      const result = (data.result ?? {}) as Schemas["Result"];
      return edit({ state: result.status === "success" ? "done" : "failed", output: result.result_payload, hasOutput: true, problem: problemOf(result.problem), childRun: text("child_run") });
    }
    case "StateEntered":
      return { ...next, parts: [...turn.parts, note(event, text("state"))] };
    case "StateFailed":
      return { ...next, parts: [...turn.parts, note(event, [text("error"), text("cause")].filter(Boolean).join(": "))] };
    case "RunParked":
      return { ...next, status: "waiting", waitingOn: (data.waiting_on ?? []) as string[] };
    case "CancelRequested":
      return { ...next, parts: [...turn.parts, note(event, `${text("by")} asked to stop${text("reason") ? `: ${text("reason")}` : ""}`)] };
    case "RunFinished": {
      const isGood = text("status") === "success";
      const saidSo = turn.parts.some((part) => part.kind === "text");
      return { ...next, status: isGood ? "success" : "failure", waitingOn: [], problem: data.problem ? (data.problem as Problem) : undefined, answer: isGood && !saidSo ? data.payload : undefined };
    }
    default:
      return next;
  }
}

function answered(step: string, message: { blocks: readonly Block[] }): Part[] {
  const made: Part[] = [];
  let calls = 0;
  message.blocks.forEach((block, index) => {
    const key = `${step}/${index}`;
    if (block.type === "tool_use") made.push(call(key, `${step}.${calls++}`, { callId: block.id ?? "", name: block.name ?? "", input: block.malformed ?? block.input ?? {} }));
    else if ((block.type === "text" || block.type === "thinking") && block.text) made.push({ kind: block.type, key, text: block.text });
  });
  return made;
}

function changed(parts: readonly Part[], step: string, change: Partial<Called>): readonly Part[] {
  return parts.map((part) => (part.kind === "call" && part.step === step ? { ...part, ...change } : part));
}

function note(event: RunEvent, text: string): Noted {
  return { kind: "note", key: `n${event.seq}`, text };
}

function problemOf(problem: unknown): string {
  if (!problem || typeof problem !== "object") return "";
  const said = problem as Problem;
  return [said.code, said.message].filter(Boolean).join(" · ");
}

/** The turns of a conversation from its messages, oldest first. A turn whose beginning is not loaded yet is left out. */
export function turnsOf(messages: readonly Message[], isWhole: boolean): Turn[] {
  const turns: { turn: Turn; isWhole: boolean }[] = [];
  for (const message of messages) {
    const blocks = message.blocks as unknown as Block[];
    let last = turns.at(-1);
    if (last?.turn.runId !== message.run_id) {
      const isAsked = message.role === "user" && blocks.some((block) => block.type === "text");
      const asked = isAsked ? blocks.filter((block) => block.type === "text").map((block) => block.text).join("\n") : "";
      last = { turn: begun(message.run_id, { asked, ts: message.ts, status: "unknown" }), isWhole: isAsked };
      turns.push(last);
      if (isAsked) continue;
    }
    const known = last.turn;
    if (message.role === "assistant") last.turn = { ...known, parts: [...known.parts, ...answered(message.message_id, { blocks })] };
    else last.turn = { ...known, parts: settled(known.parts, blocks) };
  }
  return turns.filter((one, at) => one.isWhole || isWhole || at > 0).map((one) => one.turn);
}

/** Calls with the answers that came for them, in their order. */
function settled(parts: readonly Part[], blocks: readonly Block[]): readonly Part[] {
  const left = blocks.filter((block) => block.type === "tool_result");
  return parts.map((part) => {
    if (part.kind !== "call" || part.hasOutput) return part;
    const at = left.findIndex((block) => block.tool_use_id === part.callId);
    if (at < 0) return part;
    const [found] = left.splice(at, 1);
    return { ...part, output: found!.content, hasOutput: true, state: found!.is_error ? ("failed" as const) : ("done" as const) };
  });
}

/** All that was said in answer, to copy it. */
export function spoken(turn: Turn): string {
  const said = turn.parts.filter((part): part is Said => part.kind === "text").map((part) => part.text);
  if (said.length > 0) return said.join("\n\n");
  if (turn.answer === undefined) return "";
  return typeof turn.answer === "string" ? turn.answer : JSON.stringify(turn.answer, null, 2);
}
