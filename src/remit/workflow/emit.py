"""From nodes and edges to the document, or to everything that is wrong with them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from remit.core.errors import ConfigError
from remit.core.states import check
from remit.workflow.nodes import END, Node

if TYPE_CHECKING:
    from remit.workflow.builder import Workflow

ROUNDS_EXHAUSTED = "Remit.RoundsExhausted"


def document(flow: Workflow) -> dict[str, Any]:
    """The document of a workflow. Raises ConfigError E682 with all that is wrong."""
    return _Emission(flow).document()


def word(name: str) -> str:
    """A node's name as part of a variable or a gate's name."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "node"


class _Level:
    """One `States` of the document: the workflow's own, or that of a branch."""

    def __init__(self, label: str, end: str) -> None:
        self.label = label
        self.end = end
        """The name of its Succeed state, made where a choice or a Catcher leads to the end."""
        self.states: dict[str, dict[str, Any]] = {}
        self.claimed: set[str] = set()


class _Emission:
    """The making of one document."""

    def __init__(self, flow: Workflow) -> None:
        self.flow = flow
        self.wrong: list[str] = []
        self.owner: dict[str, str] = {}
        self.back: dict[str, str] = {}
        """Of a node without an edge inside a loop: the loop's test."""

    def document(self) -> dict[str, Any]:
        entry = self._entry()
        self._targets_exist()
        self._bounded()
        made: dict[str, Any] = {}
        if self.flow.description:
            made["Comment"] = self.flow.description
        made["QueryLanguage"] = "JSONata"
        if self.flow.timeout_s is not None:
            made["TimeoutSeconds"] = math.ceil(self.flow.timeout_s)
        if entry is not None:
            made |= self._level(entry, _Level("the workflow", END.strip("_").upper()))
            self._all_reached()
        self._refuse()
        self._language(made)
        self._refuse()
        return made

    # checks

    def _language(self, made: dict[str, Any]) -> None:
        """What the checker of every document says, by the name of the node."""
        for problem in check.problems(made):
            states = re.findall(r"/States/([^/]*)", problem.pointer)
            name = states[-1].replace("~1", "/").replace("~0", "~") if states else ""
            where = f"node `{name}`: " if name else ""
            self.wrong.append(f"{where}{problem.message}" + (f" ({problem.help})" if problem.help else ""))

    def _refuse(self) -> None:
        if not self.wrong:
            return
        many = f"workflow `{self.flow.spec_name}` has {len(self.wrong)} mistakes"
        raise ConfigError(
            f"workflow `{self.flow.spec_name}`: {self.wrong[0]}" if len(self.wrong) == 1 else many,
            code="E682",
            help="mend the node that is named"
            if len(self.wrong) == 1
            else "; ".join(f"{number}. {text}" for number, text in enumerate(self.wrong, 1)),
        )

    def _entry(self) -> str | None:
        if not self.flow.nodes:
            self.wrong.append("it has no nodes: add one with `node`")
            return None
        if self.flow.entry is not None:
            if self.flow.entry in self.flow.nodes:
                return self.flow.entry
            self.wrong.append(f"its entry point `{self.flow.entry}` is no node of it: {self._nodes()}")
            return None
        led_to = {to for node in self.flow.nodes.values() for to in (*node.leads_to(), *node.heads)}
        firsts = [name for name in self.flow.nodes if name not in led_to]
        if len(firsts) == 1:
            return firsts[0]
        could = ", ".join(f"`{name}`" for name in firsts) or "none: all nodes have an edge to them"
        self.wrong.append(f"it does not say where it begins (could be {could}): call `set_entry_point`")
        return None

    def _targets_exist(self) -> None:
        for node in self.flow.nodes.values():
            for name in (*node.leads_to(), *node.heads):
                if name not in self.flow.nodes:
                    self.wrong.append(
                        f"node `{node.name}` leads to `{name}`, which is no node: {self._nodes()}"
                    )

    def _nodes(self) -> str:
        return f"its nodes are {', '.join(self.flow.nodes)}"

    def _bounded(self) -> None:
        """No way leads back to where it came from, but by a loop with its bound."""
        done: set[str] = set()
        for name in self.flow.nodes:
            for circle in self._circles(name, done):
                self.wrong.append(
                    f"nodes {' -> '.join(f'`{n}`' for n in circle)} go round without a bound: use `loop` with `max_rounds`"
                )

    def _circles(self, start: str, done: set[str]) -> Iterator[list[str]]:
        """Ways that come back to themselves, depth first and without recursion."""
        path: list[str] = []
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            name, left = stack.pop()
            if left:
                path.pop()
                done.add(name)
            elif name in path:
                yield [*path[path.index(name) :], name]
            elif name not in done and name in self.flow.nodes:
                path.append(name)
                stack.append((name, True))
                node = self.flow.nodes[name]
                stack.extend((to, False) for to in reversed([*node.heads, *node.leads_to()]))

    def _all_reached(self) -> None:
        for name in self.flow.nodes:
            if name not in self.owner:
                self.wrong.append(f"node `{name}` is never reached: add an edge to it, or leave it out")

    # levels

    def _level(self, head: str, level: _Level) -> dict[str, Any]:
        self._region(head, level, None)
        return {"StartAt": head, "States": level.states}

    def _region(self, head: str, level: _Level, back: str | None) -> None:
        """Emit what is reached from `head` without going into loops, then the loops' bodies; dangling nodes go to `back`."""
        region = [self.flow.nodes[name] for name in self._claim(head, level)]
        for node in region:
            if back is not None and _dangles(node):
                self.back[node.name] = back
        for node in region:
            self._emit(node, level)
            if node.kind == "loop":
                self._body(node, level)

    def _body(self, loop: Node, level: _Level) -> None:
        head = loop.heads[0]
        if head in level.claimed:
            self.wrong.append(f"node `{head}` is inside loop `{loop.name}` and is reached from outside it")
        self._region(head, level, _again(loop))

    def _claim(self, head: str, level: _Level) -> list[str]:
        """The nodes of a region, in order, which are this level's from now on."""
        claimed: list[str] = []
        waiting = [head]
        while waiting:
            name = waiting.pop()
            node = self.flow.nodes.get(name)
            if node is None:
                continue
            owner = self.owner.setdefault(name, level.label)
            if owner != level.label:
                said = f"node `{name}` is reached from {owner} and from {level.label}: each node belongs to one of them"
                if said not in self.wrong:
                    self.wrong.append(said)
                continue
            if name in level.claimed:
                continue
            level.claimed.add(name)
            claimed.append(name)
            waiting.extend(reversed(node.leads_to()))
        return claimed

    # states

    def _emit(self, node: Node, level: _Level) -> None:
        state = dict(node.state)
        catch = [{**catcher, "Next": self._to(to, level)} for catcher, to in node.catches]
        if catch:
            state["Catch"] = catch
        if node.kind == "gate":
            self._gate(node, state, level)
        elif node.kind == "loop":
            self._loop(node, state, level)
        elif node.kind == "choice":
            level.states[node.name] = self._choice(node, level)
        else:
            self._insides(node, state)
            if node.rules:
                after = f"after {node.name}"
                level.states[node.name] = {**state, "Next": after}
                self._extra(after, self._choice(node, level), level)
            else:
                level.states[node.name] = state | self._onward(node, level)

    def _extra(self, name: str, state: dict[str, Any], level: _Level) -> None:
        """A state that no node stands for."""
        if name in self.flow.nodes:
            self.wrong.append(f"the name `{name}` is one that the builder needs: give that node another name")
        if len(name) > 80:
            self.wrong.append(
                f"the name `{name}` that the builder needs is longer than 80 characters: shorten the node's"
            )
        level.states[name] = state

    def _onward(self, node: Node, level: _Level) -> dict[str, Any]:
        if node.kind in ("succeed", "fail"):
            return {}
        to = node.next or self.back.get(node.name, END)
        return {"End": True} if to == END else {"Next": self._to(to, level)}

    def _to(self, target: str, level: _Level) -> str:
        """The name of a state that a choice or a Catcher leads to; END needs a state there."""
        if target != END:
            return target
        if level.end not in level.states:
            self._extra(level.end, {"Type": "Succeed"}, level)
        return level.end

    def _choice(self, node: Node, level: _Level) -> dict[str, Any]:
        choices = [{"Condition": r.condition, "Next": self._to(r.target, level)} for r in node.rules]
        state: dict[str, Any] = {"Type": "Choice", "Choices": choices}
        return state if node.default is None else state | {"Default": self._to(node.default, level)}

    def _insides(self, node: Node, state: dict[str, Any]) -> None:
        """The branches of a Parallel, or the body of a Map."""
        inner = []
        for number, head in enumerate(node.heads, 1):
            label = (
                f"branch {number} of `{node.name}`"
                if node.kind == "parallel"
                else f"the body of `{node.name}`"
            )
            inner.append(self._level(head, _Level(label, f"end of {label.replace('`', '')}")))
        if node.kind == "parallel":
            state["Branches"] = inner
        elif node.kind == "map":
            state["ItemProcessor"] = state["ItemProcessor"] | inner[0]

    def _gate(self, node: Node, state: dict[str, Any], level: _Level) -> None:
        answer = f"gate_{word(node.name)}"
        decide, refused = f"{node.name} decision", f"{node.name} refused"
        state["Assign"] = {**state.get("Assign", {}), answer: "{% $states.result %}"}
        level.states[node.name] = {**state, "Next": decide}
        onward = node.next or self.back.get(node.name, END)
        leads = {"approve": onward, "constrain": onward} | {
            rule.condition: rule.target for rule in node.rules
        }
        by_target: dict[str, list[str]] = {}
        for decision, to in leads.items():
            by_target.setdefault(self._to(to, level), []).append(decision)
        choices = [
            {"Condition": _decided(answer, decisions), "Next": to} for to, decisions in by_target.items()
        ]
        self._extra(decide, {"Type": "Choice", "Choices": choices, "Default": refused}, level)
        error = f"{{% ${answer}.decision = 'expired' ? 'Remit.Expired' : 'Remit.Rejected' %}}"
        cause = f"{{% 'the decision at gate {word(node.name)} is ' & ${answer}.decision %}}"
        self._extra(refused, {"Type": "Fail", "Error": error, "Cause": cause}, level)

    def _loop(self, node: Node, state: dict[str, Any], level: _Level) -> None:
        assert node.bound is not None
        until, rounds = node.bound
        head, counter, again = node.heads[0], f"{word(node.name)}_round", _again(node)
        level.states[node.name] = {**state, "Assign": {counter: 1}, "Next": head}
        done = self._to(node.next or self.back.get(node.name, END), level)
        if node.default is None:
            exhausted = f"{node.name} exhausted"
            cause = f"loop {node.name} did not come to its end in {rounds} rounds"
            self._extra(exhausted, {"Type": "Fail", "Error": ROUNDS_EXHAUSTED, "Cause": cause}, level)
        else:
            exhausted = self._to(node.default, level)
        once_more = {
            "Condition": f"{{% ${counter} < {rounds} %}}",
            "Assign": {counter: f"{{% ${counter} + 1 %}}"},
            "Next": head,
        }
        choices = [{"Condition": until, "Next": done}, once_more]
        self._extra(again, {"Type": "Choice", "Choices": choices, "Default": exhausted}, level)


def _again(loop: Node) -> str:
    return f"{loop.name} again?"


def _dangles(node: Node) -> bool:
    """Whether nothing was said about where the node leads."""
    return (
        node.next is None
        and node.kind not in ("choice", "succeed", "fail")
        and not (node.rules and node.kind != "gate")
    )


def _decided(answer: str, decisions: list[str]) -> str:
    names = [f"'{decision}'" for decision in decisions]
    test = f"= {names[0]}" if len(names) == 1 else f"in [{', '.join(names)}]"
    return f"{{% ${answer}.decision {test} %}}"
