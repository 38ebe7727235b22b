"""What policy says of a call of a tool or another agent, and what whoever asked is told when it says no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from remit.core import event as ev
from remit.core.flow import Flow, Trace
from remit.core.grounds import CITES, cited
from remit.core.memory import FORGET, REMEMBER, memory_question
from remit.core.policy import ActionName, Decision, PolicyRequest, Principal
from remit.core.rule import PUBLISH, declares
from remit.core.task import Problem
from remit.core.tool import ToolSpec
from remit.engine import delegation, telling
from remit.engine.effects import Recorder
from remit.engine.kit import Kit
from remit.engine.terms import Terms

FACTS = frozenset({"amount", "count", "over_limit"})
"""What a tool may tell policy about the arguments of a call."""


_NO_PROBLEM = Problem("E301", "policy refuses this call")


class Judgement(NamedTuple):
    """A decision, and the problem that goes with it where it is a refusal."""

    decision: Decision
    problem: Problem


class Judge:
    """Asks policy about the calls of one run, under one lease."""

    def __init__(self, kit: Kit, recorder: Recorder, principal: Principal, terms: Terms) -> None:
        self._kit = kit
        self._recorder = recorder
        self._run = recorder.run
        self._principal = principal
        self._terms = terms
        self._trace = Trace(recorder.run, self._schema)

    def judge(
        self, spec: ToolSpec, kind: ev.StepKind, arguments: dict[str, Any], *, approved: bool
    ) -> Judgement:
        """What policy says of a call whose arguments fit. Its reason tells of a tainted run's arguments where they came from."""
        refusal = self._beforehand(spec, kind, arguments)
        if refusal is not None:
            return Judgement(refusal, self._problem(refusal))
        try:
            facts = self._facts(spec, kind, arguments)
            flow = self._flow(spec, arguments)
            if spec.risk >= "L2":
                facts["cited"] = cited(self._run, arguments, self._tags)
        except Exception as error:
            why = f"the facts of `{spec.name}` cannot be computed: {error}"
            unknown = Decision("deny", reason=self._recorder.clean(why))
            return Judgement(unknown, self._problem(unknown))
        request = self._request(spec, kind, arguments, {**facts, "approved": approved, "declared": True})
        decision = self._kit.policy.decide(_with(request, flow))
        telling.decided(self._kit.telemetry, request.action, decision.verdict)
        if decision.verdict == "allow":
            return Judgement(decision, _NO_PROBLEM)
        if decision.verdict == "deny" and facts.get("cited") is False and self._would_do(request, flow):
            return Judgement(decision, self._uncited(spec))
        if flow is None:
            return Judgement(decision, self._problem(decision))
        reason = "; ".join([decision.reason, *flow.sentences, *self._trace.legs()])
        told = replace(decision, reason=self._recorder.clean(reason))
        if decision.verdict == "deny" and self._kit.policy.decide(request).verdict != "deny":
            return Judgement(told, self._untrusted(reason))
        return Judgement(told, self._problem(told))

    def _would_do(self, request: PolicyRequest, flow: Flow | None) -> bool:
        """Whether a call would not be refused if it named what it rests on."""
        grounded = replace(request, context={**request.context, "cited": True})
        return self._kit.policy.decide(_with(grounded, flow)).verdict != "deny"

    def _uncited(self, spec: ToolSpec) -> Problem:
        bringing = sorted(name for name in self._run.agent.tools if CITES in self._tags(name))
        by = f"with {' or '.join(f'`{name}`' for name in bringing)}, " if bringing else ""
        return self._recorder.problem(
            "E1163",
            f"a call of `{spec.name}` ({spec.risk}) has to name the passages that it rests on",
            f"retrieve them in this run, {by}and put their citations, as they came, into the text of the same answer or into an "
            "argument; untrusted passages do not count, and none may be named that this run has not retrieved",
        )

    def _tags(self, name: str) -> tuple[str, ...]:
        tool = self._kit.catalogue.tools.get(name)
        return tool.spec.tags if tool is not None else ()

    def _untrusted(self, reason: str) -> Problem:
        return self._recorder.problem(
            "E970",
            f"untrusted content may not decide this: {reason}",
            "ask whoever wants this done to name it in their own words; no approval lifts this",
        )

    def _problem(self, decision: Decision) -> Problem:
        return self._recorder.problem("E301", decision.reason or "policy refuses this call", decision.help)

    def _beforehand(self, spec: ToolSpec, kind: ev.StepKind, arguments: Mapping[str, Any]) -> Decision | None:
        """What the task and the agent's own declaration refuse, whatever policy says."""
        limit = self._run.task.constraints.max_risk
        if limit is not None and spec.risk > limit:
            why = f"the task accepts risk up to {limit} and `{spec.name}` is {spec.risk}"
            return Decision("deny", ("task-max-risk",), why)
        if kind == "tool" and spec.name == PUBLISH:
            agent, published = self._run.agent, arguments["type"]
            if not declares(agent.publishes, published):
                why = f"agent `{agent.name}` does not declare that it publishes `{published}`"
                return Decision("deny", ("declared-events",), why, "add the type to its `publishes`")
        return None

    def _facts(self, spec: ToolSpec, kind: ev.StepKind, arguments: dict[str, Any]) -> dict[str, Any]:
        """A tool speaks of its arguments only: whether a call is approved is not for it to say."""
        tool = self._kit.catalogue.tools.get(spec.name)
        if tool is None or kind != "tool":
            return {}
        return {name: value for name, value in tool.context_facts(arguments).items() if name in FACTS}

    def _flow(self, spec: ToolSpec, arguments: dict[str, Any]) -> Flow | None:
        """Where the arguments came from, where that matters: in a tainted run, for what has consequences or goes outwards."""
        labels = self._run.labels
        if not labels.untrusted:
            return None
        leaving = spec.outward and labels.private
        if spec.risk < "L2" and not leaving:
            return None
        return self._trace.flow(spec.input_schema, arguments, leaving=leaving)

    def _request(
        self, spec: ToolSpec, kind: ev.StepKind, arguments: dict[str, Any], context: dict[str, Any]
    ) -> PolicyRequest:
        action, resource, tags = self._asked(spec, kind, arguments)
        return PolicyRequest(
            self._principal,
            action,
            resource,
            {"risk": spec.risk, "effect": spec.effect, "outward": spec.outward, "tags": tags},
            self._run.labels,
            arguments,
            context,
            self._terms.policy.key,
        )

    def _asked(
        self, spec: ToolSpec, kind: ev.StepKind, arguments: dict[str, Any]
    ) -> tuple[ActionName, str, list[str]]:
        """Which action on what a call is to policy, and the tags that it sees."""
        tags = list(spec.tags)
        if kind == "delegate":  # policy knows agents by name, whatever alias of theirs is meant
            return "hand_off", delegation.target(spec.name, self._run.agent.delegates).partition("@")[0], tags
        if spec.name == PUBLISH:
            return "publish", arguments["type"], tags
        if spec.name in (REMEMBER, FORGET) and spec.risk < "L2" and not spec.outward:
            scope, kinds = memory_question(spec.name, arguments)
            return "write_memory", scope, [*tags, *kinds]
        return "call_tool", spec.name, tags

    def _schema(self, name: str) -> Mapping[str, Any]:
        tool = self._kit.catalogue.tools.get(name)
        known = self._terms.tools.get(name, tool.spec if tool is not None else None)
        return known.input_schema if known is not None else {}


def _with(request: PolicyRequest, flow: Flow | None) -> PolicyRequest:
    return request if flow is None else replace(request, context={**request.context, "flow": flow.facts})
