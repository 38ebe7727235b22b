"""A document for Remit as the same document for AWS Step Functions: Remit's resources become ARNs, and nothing else changes.

An agent or a tool is called by the ARN of its Lambda function, not by `lambda:invoke`: its answer is then the Task's result,
as it is in Remit, in both query languages (developer guide, "Invoke Lambda with Step Functions"). Remit's own functions are
told which call this is, so that a repeated one is known:
`{"remit": {"kind", "name", "alias", "execution", "state", "entered"[, "retry", "task_token"]}, "input": <the effective input>}`.
Where Remit itself is deployed (`Bindings.governed`), they answer by task token: see docs/explanation/step-functions.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from remit.core.states import permissions, resources, unwrap
from remit.core.states.arns import Bindings
from remit.core.states.dataflow import speaks_jsonata
from remit.core.states.permissions import Statement
from remit.core.states.report import Problem
from remit.core.states.resources import Resource
from remit.core.states.text import child

MOST_BYTES = 1_048_576
"""The most that a definition may be (quota of Step Functions: 1 MB)."""

LAMBDA_RETRY: dict[str, Any] = {
    "ErrorEquals": [
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
    ],
    "IntervalSeconds": 2,
    "MaxAttempts": 6,
    "BackoffRate": 2,
}
"""Developer guide, "Best practices: handle transient Lambda service exceptions"."""

UNAVAILABLE = "Remit.Unavailable"
"""How a function fails that could not even write down that it was called, e.g. since the store is away."""

LAMBDA_ENDS = (
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
    UNAVAILABLE,
)
"""How a function that was killed, ran out of time or was not let in appears. A governed call is simply made again: Remit knows it."""


class Bound(Struct, frozen=True):
    """What a Task calls on AWS: the state (JSON pointer), Remit's URI, the ARN, and whether Remit's own function answers."""

    pointer: str
    uri: str
    arn: str
    own: bool = False


class Compiled(Struct, frozen=True):
    """The document for Step Functions (None when something is refused), what its role must be allowed, and what to know.

    `problems` are the reasons of a refusal; `notes` say what is different on AWS, or to be narrowed by hand.
    """

    document: dict[str, Any] | None
    statements: tuple[Statement, ...]
    bound: tuple[Bound, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]

    def policy(self) -> dict[str, Any]:
        """The IAM policy for the state machine's role."""
        return permissions.policy(self.statements)


def compile_for_stepfunctions(
    document: Mapping[str, Any], bindings: Bindings = Bindings(), name: str = ""
) -> Compiled:
    """The same workflow for Step Functions. `document` was checked; `name` is the workflow's, for its own ARN."""
    return _Compilation(document, bindings, name).compiled()


class _Task(Struct, frozen=True):
    """A Task to be compiled: where, what, how it speaks, and what it gives its resource."""

    name: str
    pointer: str
    state: Mapping[str, Any]
    resource: Resource
    jsonata: bool

    @property
    def field(self) -> str:
        """The name of the field that says the effective input."""
        return "Arguments" if self.jsonata else "Parameters"

    def given(self) -> tuple[str, Any]:
        """The effective input as a member of a template: what is put behind its key, and its value."""
        if self.field in self.state:
            return "", self.state[self.field]
        return ("", "{% $states.input %}") if self.jsonata else (".$", "$")

    def context(self, key: str, path: str) -> dict[str, str]:
        """A member of a template with a value of the context object."""
        return {key: f"{{% $states.context.{path} %}}"} if self.jsonata else {f"{key}.$": f"$$.{path}"}


class _Compilation:
    """The compilation of one document."""

    def __init__(self, document: Mapping[str, Any], bindings: Bindings, name: str) -> None:
        self.document = document
        self.bindings = bindings
        self.name = name
        self.statements: list[Statement] = []
        self.bound: list[Bound] = []
        self.problems: list[Problem] = []
        self.notes: list[Problem] = []
        self.taken: set[str] = set()

    def compiled(self) -> Compiled:
        made = self._machine(self.document, "")
        if self.bindings.substituted:
            made = _kept_from_sub(made, self.bindings)
        size = len(json.dumps(made, ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if size > MOST_BYTES:
            self._refuse(
                "",
                f"the document has {size} bytes, and Step Functions takes {MOST_BYTES}",
                "move a part into another workflow",
            )
        return Compiled(
            None if self.problems else made,
            permissions.merged(self.statements),
            tuple(self.bound),
            tuple(self.problems),
            tuple(self.notes),
        )

    def _refuse(self, pointer: str, message: str, help: str) -> None:
        self.problems.append(Problem(pointer, message, help))

    def _note(self, pointer: str, message: str) -> None:
        self.notes.append(Problem(pointer, message))

    def _machine(self, machine: Mapping[str, Any], pointer: str) -> dict[str, Any]:
        made = dict(machine)
        made["States"] = {}
        at = child(pointer, "States")
        for name, state in machine["States"].items():
            made["States"].update(self._state(name, child(at, name), state))
        return made

    def _state(self, name: str, pointer: str, state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """The states that a state becomes; all but one are itself."""
        made = dict(state)
        if state["Type"] == "Parallel":
            at = child(pointer, "Branches")
            made["Branches"] = [self._machine(b, child(at, i)) for i, b in enumerate(state["Branches"])]
        elif state["Type"] == "Map":
            for field in ("ItemProcessor", "Iterator"):
                if field in state:
                    made[field] = self._machine(state[field], child(pointer, field))
            self._map(state, pointer)
        elif state["Type"] == "Task":
            found = resources.parse(str(state["Resource"]))
            if found is None:
                self._refuse(pointer, f"`{state['Resource']}` is no resource", "correct it and compile again")
                return {name: made}
            task = _Task(name, pointer, state, found, speaks_jsonata(self.document, state))
            return self._task(task)
        return {name: made}

    def _map(self, state: Mapping[str, Any], pointer: str) -> None:
        config = state.get("ItemProcessor", {}).get("ProcessorConfig", {})
        if config.get("Mode") == "DISTRIBUTED":
            if not self.name:
                self._note(
                    pointer,
                    "a distributed Map starts its own state machine: give the workflow's name for that permission",
                )
            own = (
                self.bindings.machine(self.name)
                if self.name
                else self.bindings.arn("states", "stateMachine:*")
            )
            executions = permissions.execution_of(own).removesuffix(":*") + "/*"
            self.statements += permissions.distributed(state, own, executions, self.bindings.partition)

    # tasks

    def _task(self, task: _Task) -> dict[str, dict[str, Any]]:
        match task.resource.kind:
            case "agent" | "tool" | "gate":
                return {task.name: self._function(task)}
            case "event":
                return self._event(task)
            case "workflow" if self.bindings.governed and task.resource.mode != "async":
                return {task.name: self._function(task)}
            case "workflow":
                return self._workflow(task)
            case "activity":
                return {task.name: self._activity(task)}
            case _:
                return {task.name: self._native(task)}

    def _function(self, task: _Task) -> dict[str, Any]:
        """A Lambda function: by its ARN; by `lambda:invoke.waitForTaskToken` where somebody answers later."""
        found = task.resource
        kind = "agent" if found.kind == "workflow" else found.kind  # what drives a workflow is its function
        arn, own = self.bindings.function(kind, found.name), self.bindings.is_own(kind, found.name)
        later = found.mode == "token" or found.kind == "gate" or (own and self.bindings.governed)
        self._bind(task, arn, own)
        self.statements += permissions.invoke(arn)
        made = dict(task.state)
        suffix, given = task.given()
        if own:
            suffix, given = "", self._envelope(task, later)
        if later:
            made["Resource"] = self.bindings.integration("lambda:invoke.waitForTaskToken")
            made[task.field] = {"FunctionName": arn, f"Payload{suffix}": given}
        else:
            made["Resource"] = arn
            if own:
                made[task.field] = given
        if own and self.bindings.governed and found.mode != "token":
            made.pop("HeartbeatSeconds", None)  # it is for who answers from outside, as in Remit
            made.pop("HeartbeatSecondsPath", None)
        if own and self.bindings.retry_lambda:
            ends = LAMBDA_ENDS if self.bindings.governed else ()
            made["Retry"] = _with_lambda_retry(made.get("Retry", []), ends)
        return made

    def _envelope(self, task: _Task, later: bool) -> dict[str, Any]:
        found = task.resource
        about: dict[str, Any] = {"kind": found.kind, "name": found.name, "alias": found.alias}
        about |= task.context("execution", "Execution.Id") | task.context("state", "State.Name")
        about |= task.context("entered", "State.EnteredTime")
        if self.bindings.governed:
            about |= task.context("retry", "State.RetryCount")
        if later:
            about |= task.context("task_token", "Task.Token")
        suffix, given = task.given()
        return {"remit": about, f"input{suffix}": given}

    def _event(self, task: _Task) -> dict[str, dict[str, Any]]:
        found = task.resource
        if found.mode == "event":
            self._refuse(
                task.pointer,
                f"`{found.uri}` waits for an event, which Step Functions cannot",
                "publish with `.waitForTaskToken`, and let who answers send the token back",
            )
            return {task.name: dict(task.state)}
        suffix, given = task.given()
        if isinstance(given, Mapping) and "data" in given:
            for key in sorted({"key", "subject"} & set(given)):
                self._note(task.pointer, f"EventBridge has no place for `{key}` of an event: it is left out")
            given = given["data"]
        elif isinstance(given, Mapping) and "data.$" in given:
            suffix, given = ".$", given["data.$"]
        later = ".waitForTaskToken" if found.mode == "token" else ""
        if later:
            given = {f"data{suffix}": given, **task.context("task_token", "Task.Token")}
            suffix = ""
        entry = {
            "EventBusName": self.bindings.bus(),
            "Source": self.bindings.event_source,
            "DetailType": found.name,
            f"Detail{suffix}": given,
        }
        self._bind(task, self.bindings.bus())
        self.statements += permissions.publish(self.bindings.bus())
        made = dict(task.state)
        made["Resource"] = self.bindings.integration(f"events:putEvents{later}")
        made[task.field] = {"Entries": [entry]}
        return {task.name: made}

    def _workflow(self, task: _Task) -> dict[str, dict[str, Any]]:
        found = task.resource
        waits = found.mode != "async"
        arn = self.bindings.machine(found.name, found.alias)
        suffix, given = task.given()
        self._bind(task, arn)
        executions = permissions.execution_of(arn)
        self.statements += permissions.start(arn, executions, waits=waits, bindings=self.bindings)
        made = dict(task.state)
        made["Resource"] = self.bindings.integration("states:startExecution" + (".sync:2" if waits else ""))
        made[task.field] = {"StateMachineArn": arn, f"Input{suffix}": given}
        if not waits:
            return {task.name: made}
        if "Catch" in made or "Retry" in made:
            self._note(
                task.pointer,
                "an error of the inner workflow arrives as `States.TaskFailed`, with its own name in the cause",
            )
        return self._bare(task, made, "Output")

    def _bare(self, task: _Task, made: dict[str, Any], key: str) -> dict[str, dict[str, Any]]:
        """The state with the bare result, as in Remit, where AWS wraps it."""
        try:
            states = (
                {task.name: unwrap.jsonata_state(made, key)}
                if task.jsonata
                else unwrap.jsonpath_state(task.name, made, key)
            )
        except unwrap.NotRewritable as error:
            self._refuse(
                task.pointer,
                f"the result of `{task.name}` cannot be followed: {error}",
                "write `$states.result` where the result is used",
            )
            return {task.name: made}
        for extra in set(states) - {task.name}:
            if extra in self._names():
                self._refuse(task.pointer, f"a state is called `{extra}`, which this one needs", "rename it")
            self.taken.add(extra)
        return states

    def _names(self) -> set[str]:
        return self.taken | set(_state_names(self.document))

    def _activity(self, task: _Task) -> dict[str, Any]:
        found = task.resource
        arn = found.uri if found.uri.startswith("arn:") else self.bindings.activity(found.name)
        self._bind(task, arn)
        return {**task.state, "Resource": arn}

    def _native(self, task: _Task) -> dict[str, Any]:
        """A Lambda function or a service integration that the document names as Step Functions does."""
        found = task.resource
        name = _function_named(task) if self.bindings.governed else ""
        if name in self.bindings.lambdas:
            kind = self.bindings.lambdas[name]
            return self._function(replace(task, resource=Resource(f"remit:{kind}:{name}", kind, name)))  # type: ignore[arg-type]
        self._bind(task, found.uri)
        if found.kind == "lambda":
            self.statements += permissions.invoke(found.uri)
            return dict(task.state)
        given = permissions.literals(task.state.get(task.field))
        statements, wide = permissions.service(found.name, given, self.bindings)
        self.statements += statements
        if wide:
            self._note(task.pointer, wide)
        return dict(task.state)

    def _bind(self, task: _Task, arn: str, own: bool = False) -> None:
        self.bound.append(Bound(task.pointer, task.resource.uri, arn, own))


def _function_named(task: _Task) -> str:
    """The Lambda function that a Task calls by name; the empty string where it calls none, or one that only a run can tell."""
    found = task.resource
    if found.kind == "lambda":
        return found.name
    given = permissions.literals(task.state.get(task.field)) if found.name == "lambda:invoke" else {}
    called = found.mode == "call" and str(given.get("FunctionName", "")).split(":function:")[-1]
    return called.partition(":")[0] if called else ""


def _with_lambda_retry(retry: list[Any], more: tuple[str, ...] = ()) -> list[Any]:
    """The Retriers with one for what Lambda itself failed at, unless they speak of that already."""
    named = {error for retrier in retry for error in retrier["ErrorEquals"]}
    errors = [error for error in (*LAMBDA_RETRY["ErrorEquals"], *more) if error not in named]
    return [{**LAMBDA_RETRY, "ErrorEquals": errors}, *retry] if errors else list(retry)


def _state_names(machine: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    waiting = [machine]
    while waiting:
        states = waiting.pop()["States"]
        names += states
        for state in states.values():
            waiting += state.get("Branches", ())
            waiting += [state[field] for field in ("ItemProcessor", "Iterator") if field in state]
    return names


def _kept_from_sub(made: Any, bindings: Bindings) -> Any:
    """The document with `${` of its own written so that `Fn::Sub` leaves it; the placeholders of ARNs stay."""
    marks = {
        part: f"\0{index}\0"
        for index, part in enumerate((bindings.partition, bindings.region, bindings.account))
    }

    def kept(value: Any) -> Any:
        if isinstance(value, dict):
            return {kept(key): kept(item) for key, item in value.items()}
        if isinstance(value, list):
            return [kept(item) for item in value]
        if not isinstance(value, str) or "${" not in value:
            return value
        for part, mark in marks.items():
            value = value.replace(part, mark)
        value = value.replace("${", "${!")
        for part, mark in marks.items():
            value = value.replace(mark, part)
        return value

    return kept(made)
