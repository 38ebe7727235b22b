"""The builder: nodes, edges, and the shapes that they make."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

from remit.core.agent import AgentSpec
from remit.core.errors import ConfigError
from remit.core.states import resources
from remit.core.tool import ToolSpec
from remit.sdk import Agent, CodeAgent, FunctionTool, tool
from remit.workflow import emit
from remit.workflow.expressions import Condition, Field, is_jsonata, plain
from remit.workflow.nodes import (
    END,
    START,
    Catch,
    Chain,
    Common,
    Inputs,
    Kind,
    Node,
    Rule,
    Target,
    TaskOptions,
    catchers,
    fields,
    seconds,
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}\Z")

Decision = Literal["approve", "reject", "constrain", "request-info", "expired"]
_DECISIONS = ("approve", "reject", "constrain", "request-info", "expired")


class Workflow:
    """A workflow: nodes and edges, compiled to an Amazon States Language document in JSONata.

    A node without an edge ends its branch. What is wrong is said when the document is made, all at once.
    """

    def __init__(self, name: str, *, description: str = "", timeout_s: float | None = None) -> None:
        """`timeout_s` bounds a whole run. Raises ConfigError E680 for what is no name."""
        if not _NAME.match(name):
            raise ConfigError(
                f"`{name}` is no name for a workflow",
                code="E680",
                help="use 1 to 128 letters, digits and `_ . -`, a letter or digit first",
            )
        self.spec_name = name
        self.description = description
        self.timeout_s = timeout_s
        self.nodes: dict[str, Node] = {}
        self.entry: str | None = None
        self._given: dict[tuple[str, str], Any] = {}

    # what was built

    @property
    def document(self) -> dict[str, Any]:
        """The States Language document. Raises ConfigError E682 with all that is wrong."""
        return emit.document(self)

    def compile(self) -> dict[str, Any]:
        """The States Language document. Raises ConfigError E682 with all that is wrong."""
        return self.document

    def to_yaml(self) -> str:
        """The document as YAML."""
        import yaml  # loaded when it is used: a run needs no YAML

        text: str = yaml.safe_dump(self.document, sort_keys=False, allow_unicode=True, width=110)
        return text

    def to_mermaid(self) -> str:
        """The document as a Mermaid flowchart."""
        from remit.core.states import picture

        return picture.to_mermaid(picture.graph(self.document, self.spec_name))

    def to_svg(self) -> str:
        """The document as a standalone SVG."""
        from remit.core.states import picture

        return picture.to_svg(picture.graph(self.document, self.spec_name))

    @property
    def tools(self) -> tuple[FunctionTool, ...]:
        """The tools that nodes were given."""
        return tuple(one for (kind, _), one in self._given.items() if kind == "tool")

    @property
    def agents(self) -> tuple[Agent | CodeAgent, ...]:
        """The agents that nodes were given."""
        return tuple(one for (kind, _), one in self._given.items() if kind == "agent")

    @property
    def workflows(self) -> tuple[Workflow, ...]:
        """The workflows that nodes were given."""
        return tuple(one for (kind, _), one in self._given.items() if kind == "workflow")

    def __repr__(self) -> str:
        return f"<workflow `{self.spec_name}` of {len(self.nodes)} nodes>"

    # nodes

    def node(self, name: str, does: Any, **options: Unpack[TaskOptions]) -> Node:
        """A node that does one thing: an agent, a tool, another workflow, a plain function (it becomes a tool), or a URI.

        Raises ConfigError E680 for anything else, and E681 for a name that is taken.
        """
        resource = self._resource(name, does)
        kind: Kind = "gate" if resource.startswith("remit:gate:") else "task"
        return self._add(name, kind, {"Type": "Task", "Resource": resource}, options)

    def add_node(self, name: str, does: Any, **options: Unpack[TaskOptions]) -> Node:
        """The same as `node`."""
        return self.node(name, does, **options)

    def gate(
        self,
        name: str,
        *,
        message: str | Field,
        payload: Any = None,
        approver_roles: Sequence[str] = (),
        quorum: int = 1,
        expires_s: float | None = None,
        risk_level: str = "",
        schema: Mapping[str, Any] | None = None,
        on_request_info: Literal["wait", "return"] = "wait",
        branches: Mapping[Decision, Target] | None = None,
        **options: Unpack[Common],
    ) -> Node:
        """A node that waits for a person. Its edge is for approve and constrain; `branches` leads other decisions elsewhere.

        A decision that leads nowhere fails the workflow with `Remit.Rejected` or `Remit.Expired`. The variable `gate_NAME`
        has the gate's whole answer. `payload` is what is asked about; `schema` (JSON Schema) bounds what a person may make
        of it.
        """
        arguments: dict[str, Any] = {"Message": message}
        if payload is not None:
            arguments["Payload"] = payload
        if approver_roles:
            arguments["ApproverRoles"] = list(approver_roles)
        if quorum != 1:
            arguments["Quorum"] = self._at_least_one(name, "quorum", quorum)
        if expires_s is not None:
            arguments["ExpiresSeconds"] = seconds(name, "expires_s", expires_s)
        if risk_level:
            arguments["RiskLevel"] = risk_level
        if schema is not None:
            arguments["Schema"] = schema
        if on_request_info != "wait":
            arguments["OnRequestInfo"] = on_request_info
        state = {"Type": "Task", "Resource": f"remit:gate:{emit.word(name)}"}
        made = self._add(name, "gate", state, Inputs(**options, input=arguments))
        for decision, target in (branches or {}).items():
            if decision not in _DECISIONS:
                raise ConfigError(
                    f"`{decision}` is no decision at gate `{name}`",
                    code="E683",
                    help=f"decisions are {', '.join(_DECISIONS)}",
                )
            made.rules.append(Rule(decision, self._target(target)))
        return made

    def choice(
        self, name: str, rules: Mapping[str | Condition, Target], *, default: Target | None = None
    ) -> Node:
        """A node that only decides where to go: the first condition that is true, else the default."""
        made = self._add(name, "choice", {"Type": "Choice"}, {})
        self._decide(made, rules, default)
        return made

    def parallel(self, name: str, *branches: Any, **options: Unpack[Inputs]) -> Node:
        """A node that does its branches at the same time; its result is the list of theirs.

        A branch is a node or a chain of this workflow, or anything that `node` takes.
        """
        made = self._add(name, "parallel", {"Type": "Parallel"}, options)
        if not branches:
            raise ConfigError(
                f"node `{name}` has no branches",
                code="E683",
                help="give `parallel` at least one node or chain",
            )
        made.heads = [self._head(name, branch) for branch in branches]
        return made

    def map(
        self,
        name: str,
        *,
        body: Any,
        items: str | Field | Sequence[Any] | None = None,
        item_input: Any = None,
        max_concurrency: int | str | Field | None = None,
        tolerated_failures: int | None = None,
        tolerated_failure_percentage: float | None = None,
        distributed: bool = False,
        reader: Mapping[str, Any] | None = None,
        batch: Mapping[str, Any] | None = None,
        writer: Mapping[str, Any] | None = None,
        **options: Unpack[Common],
    ) -> Node:
        """A node that does its body for each item; its result is the list of theirs. `items` is by default the input.

        `item_input` is what the body gets (by default the item). Tolerated failures, `reader`, `batch` and `writer` (ItemReader,
        ItemBatcher and ResultWriter as in the document) make it a distributed Map, since the language has them only there.
        """
        where = f"node `{name}`"
        state: dict[str, Any] = {"Type": "Map"}
        optional = {
            "Items": items,
            "ItemSelector": item_input,
            "MaxConcurrency": max_concurrency,
            "ToleratedFailureCount": tolerated_failures,
            "ToleratedFailurePercentage": tolerated_failure_percentage,
            "ItemReader": reader,
            "ItemBatcher": batch,
            "ResultWriter": writer,
        }
        state |= {key: plain(value, where) for key, value in optional.items() if value is not None}
        only_distributed = (tolerated_failures, tolerated_failure_percentage, reader, batch, writer)
        apart = distributed or any(value is not None for value in only_distributed)
        state["ItemProcessor"] = {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
            if apart
            else {"Mode": "INLINE"}
        }
        made = self._add(name, "map", state, options)
        made.heads = [self._head(name, body)]
        return made

    def loop(
        self,
        name: str,
        *,
        body: Any,
        until: str | Condition,
        max_rounds: int,
        exhausted: Target | None = None,
    ) -> Node:
        """A node that does its body until the condition holds, for at most `max_rounds` rounds.

        The body's result is the input of its next round, and of `until`. The variable `NAME_round` counts from 1. When the
        rounds are used up: on to `exhausted`, or the workflow fails with `Remit.RoundsExhausted`. An edge to END leaves the
        loop and the workflow.
        """
        made = self._add(name, "loop", {"Type": "Pass"}, {})
        made.heads = [self._head(name, body)]
        made.bound = (
            self._condition(f"`until` of node `{name}`", until),
            self._at_least_one(name, "max_rounds", max_rounds),
        )
        made.default = None if exhausted is None else self._target(exhausted)
        return made

    def transform(
        self, name: str, *, output: Any = None, assign: Mapping[str, Any] | None = None, comment: str = ""
    ) -> Node:
        """A node that makes another value of its input, or sets variables, and does nothing else."""
        options: dict[str, Any] = {"comment": comment}
        if output is not None:
            options["output"] = output
        if assign:
            options["assign"] = assign
        return self._add(name, "pass", {"Type": "Pass"}, options)

    def wait(
        self, name: str, for_s: float | str | Field | None = None, *, until: str | Field | None = None
    ) -> Node:
        """A node that waits: for seconds, or until a time (RFC 3339), either of them plain or JSONata."""
        if (for_s is None) == (until is None):
            raise ConfigError(
                f"node `{name}` waits for nothing, or for two things",
                code="E683",
                help="give seconds, or `until`",
            )
        state: dict[str, Any] = {"Type": "Wait"}
        if for_s is not None:
            state["Seconds"] = seconds(name, "for_s", for_s)
        else:
            state["Timestamp"] = plain(until, f"node `{name}`")
        return self._add(name, "wait", state, {})

    def succeed(self, name: str, *, output: Any = None) -> Node:
        """A node that ends the workflow, or its branch, well."""
        return self._add(name, "succeed", {"Type": "Succeed"}, {} if output is None else {"output": output})

    def fail(self, name: str, *, error: str | Field, cause: str | Field = "") -> Node:
        """A node that fails the workflow with this error name."""
        where = f"node `{name}`"
        state = {"Type": "Fail", "Error": plain(error, where)}
        return self._add(name, "fail", state | ({"Cause": plain(cause, where)} if cause != "" else {}), {})

    # edges

    def add_edge(self, source: Node | str, target: Target) -> None:
        """After `source`, `target` is next; START and END are the workflow's. Raises ConfigError E681."""
        to = self._target(target)
        if source == START:
            self.set_entry_point(to)
            return
        node = self.known(source)
        self._may_lead_on(node)
        if node.next is not None and node.next != to:
            raise ConfigError(
                f"node `{node.name}` has an edge to `{node.next}` and gets another to `{to}`",
                code="E681",
                help="use `add_conditional_edges` to choose between them, or `parallel` to do both",
            )
        node.next = to

    def add_conditional_edges(
        self,
        source: Node | str,
        rules: Mapping[str | Condition, Target],
        *,
        default: Target | None = None,
    ) -> None:
        """After `source`, the first rule whose condition is true says what is next, else the default.

        Conditions see what `source` gave as `$states.input`. Raises ConfigError E681 or E683.
        """
        node = self.known(source)
        self._may_lead_on(node)
        if node.next is not None or node.rules or node.kind in ("gate", "loop"):
            raise ConfigError(
                f"node `{node.name}` has its way on, and gets conditional edges",
                code="E681",
                help="give it one or the other; after a gate or a loop, put a `choice`",
            )
        self._decide(node, rules, default)

    def set_entry_point(self, node: Node | str) -> None:
        """The workflow begins at this node. Needed only where more than one could be it."""
        self.entry = self._target(node)

    def known(self, node: Node | str) -> Node:
        """The node of this workflow. Raises ConfigError E681."""
        name = node if isinstance(node, str) else node.name
        found = self.nodes.get(name)
        if found is None or (isinstance(node, Node) and found is not node):
            raise ConfigError(
                f"`{name}` is no node of workflow `{self.spec_name}`",
                code="E681",
                help=f"its nodes are {', '.join(self.nodes) or 'none so far'}",
            )
        return found

    # inside

    def _add(self, name: str, kind: Kind, state: dict[str, Any], options: Mapping[str, Any]) -> Node:
        if name in self.nodes:
            raise ConfigError(
                f"workflow `{self.spec_name}` has a node `{name}` already",
                code="E681",
                help="names are unique in the whole workflow, branches and all: choose another",
            )
        if not 1 <= len(name) <= 80 or name in (START, END):
            raise ConfigError(
                f"`{name[:100]}` is no name for a node",
                code="E681",
                help="names have 1 to 80 characters, as the States Language allows",
            )
        made = Node(self, name, kind, state | fields(name, options))
        made.catches = [
            (catcher, self._target(to)) for catcher, to in catchers(name, options.get("catch", {}))
        ]
        self.nodes[name] = made
        return made

    def _decide(self, node: Node, rules: Mapping[str | Condition, Target], default: Target | None) -> None:
        if not rules:
            raise ConfigError(
                f"node `{node.name}` chooses between no conditions",
                code="E683",
                help="give at least one, or use `add_edge`",
            )
        where = f"a rule of node `{node.name}`"
        node.rules = [Rule(self._condition(where, c), self._target(to)) for c, to in rules.items()]
        node.default = None if default is None else self._target(default)

    def _target(self, target: Target | Catch) -> str:
        if isinstance(target, Chain):
            return self.known(target.head).name
        if isinstance(target, Node):
            return self.known(target).name
        if isinstance(target, str):
            return target  # may be added later: looked up when the document is made
        raise ConfigError(
            f"`{target!r}` is no node of workflow `{self.spec_name}`",
            code="E681",
            help="give a node, a chain, the name of a node, or END",
        )

    def _head(self, name: str, body: Any) -> str:
        """Where a branch begins; what is no node yet becomes one, named after itself."""
        if isinstance(body, (Node, Chain)):
            return self._target(body)
        if isinstance(body, str) and not resources.parse(body):
            return body
        label = resources.parse(body).name if isinstance(body, str) else _label(body)  # type: ignore[union-attr]
        return self.node(label if label not in self.nodes else f"{name}: {label}", body).name

    def _resource(self, name: str, does: Any) -> str:
        if isinstance(does, str):
            if resources.parse(does) is None:
                raise ConfigError(
                    f"`{does}` of node `{name}` is no resource",
                    code="E680",
                    help="name an agent `remit:agent:NAME`, a tool `remit:tool:NAME`, or give the thing itself",
                )
            return does
        if isinstance(does, Workflow):
            return self._keep("workflow", does.spec_name, does)
        spec = getattr(does, "spec", None)
        if isinstance(spec, ToolSpec):
            return self._keep("tool", spec.name, does)
        if isinstance(spec, AgentSpec):
            return self._keep("agent", spec.name, does)
        if inspect.isfunction(does) and does.__name__ != "<lambda>":
            return self._keep("tool", does.__name__, self._as_tool(does))
        raise ConfigError(
            f"`{does!r}` is nothing that node `{name}` can do",
            code="E680",
            help="give an agent, a tool, a workflow, a function with a name, or a URI such as `remit:tool:NAME`",
        )

    def _as_tool(self, function: Any) -> FunctionTool:
        """The function as a tool: the same one, however many nodes it is given to."""
        before = self._given.get(("tool", function.__name__))
        if isinstance(before, FunctionTool) and before.function is function:
            return before
        return tool(function)

    def _keep(self, kind: str, name: str, thing: Any) -> str:
        if self._given.setdefault((kind, name), thing) is not thing:
            raise ConfigError(
                f"workflow `{self.spec_name}` is given two different {kind}s named `{name}`",
                code="E681",
                help="give one of them another name",
            )
        return f"remit:{kind}:{name}"

    def _may_lead_on(self, node: Node) -> None:
        if node.kind in ("choice", "succeed", "fail") or (node.rules and node.kind != "gate"):
            raise ConfigError(
                f"node `{node.name}` cannot have an edge",
                code="E681",
                help="a choice leads on by its rules and its default; succeed and fail end the workflow",
            )

    @staticmethod
    def _at_least_one(name: str, option: str, value: int) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        raise ConfigError(
            f"`{option}` of node `{name}` is `{value!r}`",
            code="E683",
            help="give a whole number of at least 1",
        )

    @staticmethod
    def _condition(where: str, condition: str | Condition) -> str:
        text = str(condition)
        if is_jsonata(text):
            return text
        raise ConfigError(
            f"{where} is `{text}`, no JSONata",
            code="E683",
            help="write `{% $states.input.kind = 'refund' %}`, or `when(field('kind') == 'refund')`",
        )


def _label(thing: Any) -> str:
    if isinstance(thing, Workflow):
        return thing.spec_name
    spec = getattr(thing, "spec", None)
    return str(getattr(spec, "name", None) or getattr(thing, "__name__", "") or repr(thing))[:80]
