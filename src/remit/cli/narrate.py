"""A run told in lines: one short line for each event that a person cares about. Used by the live view and `runs events`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from remit.cli.text import brief, duration, moment, money, plural

if TYPE_CHECKING:
    from remit.core.view import EventView

Part = tuple[str, str]
"""A piece of a line: style (see `console.COLOURS`) and text."""

Line = list[Part]

ITEMS_TOLD = 10
"""Of how many branches or items of one state each state entered is told; of the rest only what goes wrong."""


class Totals:
    """What the runs told so far have used."""

    def __init__(self) -> None:
        self.tokens = 0
        self.cost = 0.0
        self.model_calls = 0
        self.tool_calls = 0

    def text(self) -> str:
        """One line."""
        calls = f"{plural(self.model_calls, 'model call')} · {plural(self.tool_calls, 'tool call')}"
        return f"{calls} · {plural(self.tokens, 'token')} · {money(self.cost)}"


class Narrator:
    """Tells a run and its children. Children are indented under their parent."""

    def __init__(self, width: int = 120) -> None:
        self.totals = Totals()
        self.width = width
        self.depth: dict[str, int] = {}
        self.agents: dict[str, str] = {}
        self._inputs: dict[tuple[str, str], Any] = {}
        self._tools: dict[tuple[str, str], str] = {}
        self._workers: dict[str, str] = {}
        self._together: dict[str, set[tuple[str, str]]] = {}
        self._settled: set[tuple[str, str]] = set()
        self._visits: dict[tuple[str, str], str] = {}
        self._start = 0
        self._last = ""

    def tell(self, run_id: str, event: EventView) -> list[Line]:
        """The lines for one event of one run; often none."""
        self._start = self._start or event.ts
        told = _TELL.get(event.type)
        if told is None:
            return []
        depth = self.depth.setdefault(run_id, 0)
        indent = "  " * depth + ("" if event.type == "RunCreated" else "  ")
        clock: Part = ("dim", f"{(event.ts - self._start) / 1000:6.1f}s  {indent}")
        found = [[clock, *line] for line in told(self, run_id, event.data)]
        if found and depth and self._last != run_id:
            found.insert(0, [("dim", f"         {'  ' * depth}{self.agents.get(run_id, run_id)}")])
        if found:
            self._last = event.data["child_run"] if event.type == "ChildStarted" else run_id
        return found

    def short(self, value: Any) -> str:
        """A value cut to what is left of a line."""
        return brief(value, max(24, self.width - 40))

    def _created(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        agent = data["agent"]["name"]
        self.agents[run_id] = agent
        if data.get("parent_run"):
            return
        objective = data["task"].get("objective") or data["task"].get("input") or ""
        yield [
            ("bold", agent),
            ("", f"  “{self.short(objective)}”" if objective else ""),
            ("dim", f"  {run_id}"),
        ]

    def _claimed(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        before = self._workers.get(run_id)
        self._workers[run_id] = data["worker"]
        if before not in (None, data["worker"]):
            yield [("dim", f"taken up by worker {data['worker']} (epoch {data['epoch']})")]

    def _answered(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        usage, totals = data["usage"], self.totals
        read, wrote = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
        totals.tokens += read + wrote + usage.get("cache_read_tokens", 0) + usage.get("cache_write_tokens", 0)
        totals.cost += float(usage.get("cost_usd", 0) or 0)
        totals.model_calls += 1
        said = ""
        for block in (data.get("message") or {}).get("blocks", ()):
            if block.get("type") == "tool_use":
                self._inputs[run_id, block["id"]] = block.get("input", {})
            elif block.get("type") == "text":
                said = block["text"]
        line: Line = [
            ("name", "model "),
            ("dim", f"{data['model']} · {read:,}→{wrote:,} tokens · {money(usage.get('cost_usd'))}"),
        ]
        yield [*line, ("dim", f" · {duration(data.get('latency_ms', 0))}")]
        if said and data["stop_reason"] == "tool_use":
            yield [("", f"  {self.short(said)}")]

    def _model_failed(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        yield [("bad", "model failed: "), *_problem(data)]

    def _output_rejected(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        yield [("warn", f"answer sent back ({data['repair']}): "), ("", self.short(data["reason"]))]

    def _summed(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        how = {"model": "summed up", "excerpts": "cut to excerpts"}.get(data["method"], "left out")
        yield [("dim", f"{data['messages']:,} earlier messages {how}")]

    def _decided(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        self._tools[run_id, data["step"]] = data["tool"]
        together = self._together.setdefault(run_id, set())
        if together <= self._settled:
            together.clear()
        together.add((run_id, data["step"]))
        arguments = data.get("arguments")
        if arguments is None:
            arguments = self._inputs.get((run_id, data["call_id"]), {})
        decision = data["decision"]
        if data.get("kind") == "delegate" and decision["verdict"] == "allow":
            return  # the child's start says it all
        kind = "agent " if data.get("kind") == "delegate" else "tool  "
        yield [("name", kind), ("bold", data["tool"]), ("", f" {self.short(arguments)}")]
        style = {"allow": "good", "deny": "bad"}.get(decision["verdict"], "warn")
        word = decision["verdict"].replace("_", " ")
        by = ", ".join(decision.get("policies", ()))
        why = f": {self.short(decision.get('reason', ''))}" if decision["verdict"] == "deny" else ""
        yield [("dim", "  policy "), (style, word), ("dim", (f" by {by}" if by else "") + why)]

    def _refused(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        self._settled.add((run_id, data["step"]))
        yield [("bad", f"  ✗ {data['tool']} refused: "), *_problem(data)]

    def _requested(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        asked = data["approval"]
        why = "a crash hid whether it happened" if asked.get("reason") == "in_doubt" else "waits for a person"
        yield [
            ("warn", f"  ⏸ {asked['tool']} ({asked['risk_level']}) {why}"),
            ("dim", f"  {asked['approval_id']}"),
        ]

    def _voted(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        vote = data["vote"]
        style = {"approve": "good", "reject": "bad"}.get(vote["kind"], "warn")
        reason = f": “{brief(vote['rationale'])}”" if vote.get("rationale") else ""
        yield [(style, f"  {vote['kind'].replace('_', ' ')} "), ("", f"by {vote['approver_id']}{reason}")]

    def _expired(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        yield [("bad", "  nobody decided in time, which means reject")]

    def _question(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        yield [("", f"  {data['answered_by']} answered: “{self.short(data['answer'])}”")]

    def _done(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        self.totals.tool_calls += 1
        found = {"reconcile": " · found to have happened already", "person": " · confirmed by a person"}
        how = found.get(data.get("found_by", "call"), "")
        self._settled.add((run_id, data["step"]))
        several = len(self._together.get(run_id, ())) > 1  # then say whose answer it is
        name = f"{self._tools.get((run_id, data['step']), '')} · " if several else ""
        took = f"{name}{duration(data.get('latency_ms', 0))}{how} · "
        yield [("good", "  ✓ "), ("dim", took), ("", self.short(data.get("output")))]
        for artifact in data.get("artifacts", ()):
            yield [("good", "  + "), ("", f"{artifact['name']} ({artifact['size']:,} bytes)")]

    def _failed(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        self.totals.tool_calls += 1
        self._settled.add((run_id, data["step"]))
        yield [("bad", f"  ✗ {self._tools.get((run_id, data['step']), '')} failed: "), *_problem(data)]

    def _in_doubt(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        tool = self._tools.get((run_id, data["step"]), data["step"])
        yield [("warn", f"  ? {tool} is in doubt and is not repeated: "), ("", self.short(data["why"]))]

    def _reopened(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        yield [("dim", f"  {data['by']} found that it did not happen: once more")]

    def _child_started(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        child = data["child_run"]
        self.depth[child] = self.depth.get(run_id, 0) + 1
        handoff = data["handoff"]
        self.agents[child] = handoff["to_agent"]
        objective = self.short(handoff.get("objective", ""))
        yield [("name", "→ "), ("bold", handoff["to_agent"]), ("", f"  “{objective}”"), ("dim", f"  {child}")]

    def _child_ended(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        yield [("name", "← "), ("", self.agents.get(data["child_run"], data["child_run"]))]

    def _entered(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        # VISIT.ATTEMPT.INDEX says which branch or item a frame is; a Map may have very many of them.
        index = data.get("frame", "").rpartition(".")[2]
        self._visits[run_id, data["visit"]] = f"{data['state']} [{index}]" if index else data["state"]
        if not index or int(index) < ITEMS_TOLD:
            yield [("name", "● "), ("bold", self._visits[run_id, data["visit"]])]

    def _scheduled(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        if data.get("token"):
            yield [("warn", f"  ⏸ {self._state(run_id, data)} waits for whoever answers with its task token")]

    def _waits(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        yield [("dim", f"  ◷ {self._state(run_id, data)} waits until {moment(data['until_ts'])}")]

    def _retried(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        yield [("warn", f"  ↻ {self._state(run_id, data)} again: "), *_error(data)]

    def _exited(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        if data.get("error"):
            yield [("warn", f"  ↷ {self._state(run_id, data)} caught "), *_error(data)]

    def _state_failed(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        yield [("bad", f"  ✗ {self._state(run_id, data)} failed: "), *_error(data)]

    def _state(self, run_id: str, data: dict[str, Any]) -> str:
        return str(self._visits.get((run_id, data["visit"]), data["visit"]))

    def _cancelled(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        yield [("warn", f"cancel asked by {data['by']}: {self.short(data['reason'])}")]

    def _finished(self, run_id: str, data: dict[str, Any]) -> Iterator[Line]:
        if data["status"] == "failure":
            yield [("bad", "✗ failed: "), *_problem(data)]
        elif self.depth.get(run_id, 0):
            yield [("good", "✓ "), ("", self.short(data.get("payload")))]


Teller = Callable[[Narrator, str, dict[str, Any]], Iterator[Line]]

_TELL: dict[str, Teller] = {
    "RunCreated": Narrator._created,
    "RunClaimed": Narrator._claimed,
    "ModelAnswered": Narrator._answered,
    "ModelFailed": Narrator._model_failed,
    "OutputRejected": Narrator._output_rejected,
    "HistorySummed": Narrator._summed,
    "ToolDecided": Narrator._decided,
    "ToolRefused": Narrator._refused,
    "ApprovalRequested": Narrator._requested,
    "ApprovalVoted": Narrator._voted,
    "ApprovalExpired": Narrator._expired,
    "QuestionAnswered": Narrator._question,
    "EffectDone": Narrator._done,
    "EffectFailed": Narrator._failed,
    "EffectInDoubt": Narrator._in_doubt,
    "EffectReopened": Narrator._reopened,
    "ChildStarted": Narrator._child_started,
    "ChildEnded": Narrator._child_ended,
    "StateEntered": Narrator._entered,
    "TaskScheduled": Narrator._scheduled,
    "WaitStarted": Narrator._waits,
    "StateRetried": Narrator._retried,
    "StateExited": Narrator._exited,
    "StateFailed": Narrator._state_failed,
    "CancelRequested": Narrator._cancelled,
    "RunFinished": Narrator._finished,
}


def _error(data: dict[str, Any]) -> Line:
    cause = brief(data.get("cause", ""), 160)
    return [("", f"{brief(data['error'], 80)}: {cause}" if cause else brief(data["error"], 80))]


def _problem(data: dict[str, Any]) -> Line:
    problem = data.get("problem") or {}
    line: Line = [("", f"[{problem.get('code', '')}] {brief(problem.get('message', ''), 160)}")]
    if problem.get("help"):
        line.append(("dim", f" (help: {brief(problem['help'], 120)})"))
    return line
