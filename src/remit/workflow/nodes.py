"""Nodes of a workflow, chains of them, and what may be said about each: in the words of Python, given as States Language."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, Union

from msgspec import Struct

from remit.core.errors import ConfigError
from remit.core.states import failures
from remit.core.tool import Retry
from remit.workflow.expressions import Condition, Field, plain

if TYPE_CHECKING:
    from remit.workflow.builder import Workflow

START: Final = "__start__"
"""Where a workflow begins: `flow.add_edge(START, "price")`."""
END: Final = "__end__"
"""Where a workflow, or a branch of one, ends."""

Kind = Literal["task", "gate", "choice", "loop", "parallel", "map", "pass", "wait", "succeed", "fail"]


class Catch(Struct, frozen=True):
    """Where an error leads, and what that node gets: by default `Error` and `Cause`."""

    to: Any
    output: Any = None
    assign: Mapping[str, Any] | None = None


class Rule(Struct, frozen=True):
    """One way out of a choice, with its condition as JSONata."""

    condition: str
    target: str


class Node:
    """One node of a workflow. Made by `Workflow.node` and its relatives; `a >> b` adds an edge."""

    def __init__(self, flow: Workflow, name: str, kind: Kind, state: dict[str, Any]) -> None:
        """`state` is the state of the document, without its transitions."""
        self.flow = flow
        self.name = name
        self.kind = kind
        self.state = state
        self.next: str | None = None
        self.rules: list[Rule] = []
        self.default: str | None = None
        self.catches: list[tuple[dict[str, Any], str]] = []
        self.heads: list[str] = []
        """Where the branches of a Parallel, the body of a Map or of a loop begin."""
        self.bound: tuple[str, int] | None = None
        """Of a loop: until when (JSONata), and for how many rounds at most."""

    def __rshift__(self, other: Node | Chain | str) -> Chain:
        return Chain(self, self) >> other

    def __repr__(self) -> str:
        return f"<node `{self.name}` of workflow `{self.flow.spec_name}`>"

    def leads_to(self) -> list[str]:
        """The nodes that may come right after this one; not what is inside it."""
        named = [self.next, *(r.target for r in self.rules), self.default, *(to for _, to in self.catches)]
        return [name for name in dict.fromkeys(named) if name is not None and name != END]


class Chain:
    """Nodes one after another: `a >> b >> c`."""

    def __init__(self, head: Node, tail: Node | None) -> None:
        self.head = head
        self.tail = tail

    def __rshift__(self, other: Node | Chain | str) -> Chain:
        if self.tail is None:
            raise ConfigError(
                f"the chain from node `{self.head.name}` goes on after END, or after a node that is not there yet",
                code="E681",
                help="put END at the end of the chain, and add a node before the chain goes on from it",
            )
        self.tail.flow.add_edge(self.tail, other)
        if isinstance(other, Chain):
            return Chain(self.head, other.tail)
        if isinstance(other, Node):
            return Chain(self.head, other)
        return Chain(self.head, self.tail.flow.nodes.get(other))


Target = Union[Node, Chain, str]  # noqa: UP007  read at run time by Python 3.11
Retrying = Union[Retry, Mapping[str, Retry], Sequence[Mapping[str, Any]], None]  # noqa: UP007


class Common(TypedDict, total=False):
    """What may be said about a node that does something.

    `output` is what the next node gets (by default the node's result); `into` adds the result to the node's input under
    this key instead. `assign` sets variables. `retry`: a Retry for every error, a Retry by error name, or Retriers as in the
    document. `catch`: where each error leads; `States.ALL` is every error.
    """

    output: Any
    into: str
    assign: Mapping[str, Any]
    retry: Retrying
    catch: Mapping[str, Target | Catch]
    comment: str


class Inputs(Common, total=False):
    """`input` is what the work is given; by default the node's own input."""

    input: Any


class TaskOptions(Inputs, total=False):
    """`timeout_s` and `heartbeat_s`: seconds, or JSONata."""

    timeout_s: float | str | Field
    heartbeat_s: float | str | Field


def fields(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a state for these options; Catch is not among them. Raises ConfigError E680 or E683."""
    where = f"node `{name}`"
    given: dict[str, Any] = {}
    if options.get("comment"):
        given["Comment"] = options["comment"]
    if "input" in options:
        given["Arguments"] = plain(options["input"], where)
    for option, field_name in (("timeout_s", "TimeoutSeconds"), ("heartbeat_s", "HeartbeatSeconds")):
        if options.get(option) is not None:
            given[field_name] = seconds(name, option, options[option])
    if options.get("retry"):
        given["Retry"] = retriers(name, options["retry"])
    if options.get("assign"):
        given["Assign"] = plain(options["assign"], where)
    return given | _output(where, options)


def seconds(name: str, option: str, value: Any) -> int | str:
    """Whole seconds, at least one, or JSONata. Raises ConfigError E683."""
    if isinstance(value, (Field, Condition)) or (isinstance(value, str) and value.startswith("{%")):
        return str(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return math.ceil(value)
    raise ConfigError(
        f"`{option}` of node `{name}` is `{value!r}`, no number of seconds",
        code="E683",
        help="give a number above 0, or JSONata as `{% … %}`",
    )


def retriers(name: str, retry: Any) -> list[dict[str, Any]]:
    """The Retriers; whole seconds, as the States Language has them, and `States.ALL` last, as it must be."""
    if isinstance(retry, Retry):
        return [_retrier([failures.ALL], retry)]
    if isinstance(retry, Mapping):
        by_error = sorted(retry.items(), key=lambda entry: entry[0] == failures.ALL)
        return [_retrier([error], one) for error, one in by_error]
    return [plain(one, f"node `{name}`") for one in retry]


def catchers(name: str, catch: Mapping[str, Any]) -> list[tuple[dict[str, Any], Any]]:
    """The Catchers without their `Next`, and where they lead; `States.ALL` last, as it must be."""
    where = f"node `{name}`"
    made = []
    for error, given in sorted(catch.items(), key=lambda entry: entry[0] == failures.ALL):
        one = given if isinstance(given, Catch) else Catch(given)
        catcher: dict[str, Any] = {"ErrorEquals": [error]}
        if one.assign:
            catcher["Assign"] = plain(one.assign, where)
        if one.output is not None:
            catcher["Output"] = plain(one.output, where)
        made.append((catcher, one.to))
    return made


def _retrier(errors: list[str], retry: Retry) -> dict[str, Any]:
    interval = max(1, math.ceil(retry.base_s))
    retrier = {
        "ErrorEquals": errors,
        "IntervalSeconds": interval,
        "MaxAttempts": max(0, retry.attempts - 1),
        "BackoffRate": 2,
        "JitterStrategy": "FULL",
    }
    longest = math.ceil(retry.max_s)
    return retrier | ({"MaxDelaySeconds": longest} if longest > interval else {})


def _output(where: str, options: Mapping[str, Any]) -> dict[str, Any]:
    if "into" in options and "output" in options:
        raise ConfigError(
            f"{where} has both `into` and `output`",
            code="E683",
            help="`into` adds the result to the input under a key; `output` says all of what the next node gets",
        )
    if "into" in options:
        key = _quoted(options["into"])
        return {"Output": f"{{% $merge([$states.input, {{{key}: $states.result}}]) %}}"}
    return {"Output": plain(options["output"], where)} if "output" in options else {}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
