"""What goes into a state, what comes out of it, and what it assigns: both query languages behind the same questions.

INVARIANT: nothing here decides what happens next but `choose`; the interpreter journals each answer, so that it is given once.
Every function here raises StateFailure with the error name that Step Functions gives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from . import choice, jsonata, paths, templates, timestamps
from .env import Env as Env
from .failures import DATA_LIMIT, NO_CHOICE, PAYLOAD_BYTES, QUERY, RUNTIME, StateFailure

State = Mapping[str, Any]

_WITH_RESULT = frozenset({"Task", "Parallel", "Map"})
"""States for which `$states.result` has a value."""
_LEAST = {"MaxConcurrency": 0, "ToleratedFailureCount": 0, "ToleratedFailurePercentage": 0, "Seconds": 0}
"""The least value of a number; of all others it is 1."""
_LONGEST = 99_999_999
_MOST = {
    "ToleratedFailurePercentage": 100,
    "TimeoutSeconds": _LONGEST,
    "HeartbeatSeconds": _LONGEST,
    "Seconds": _LONGEST,
}
"""The greatest value of a number, where there is one."""
_NULL = object()
_encode = msgspec.json.Encoder().encode


class Scope(Struct, frozen=True):
    """What an expression sees: the state's raw input, the context object (`$$`, `$states.context`) and the variables in reach.

    `jsonata` says which query language is in force for the state.
    """

    input: Any
    context: Mapping[str, Any]
    variables: Mapping[str, Any]
    jsonata: bool
    env: Env


class Outcome(Struct, frozen=True):
    """What a state hands on: its output, and the variables that it assigns."""

    output: Any
    assigned: dict[str, Any] = {}


class Chosen(Struct, frozen=True):
    """Where a Choice goes, and what it hands on."""

    next: str
    output: Any
    assigned: dict[str, Any] = {}


class Item(Struct, frozen=True):
    """One item of a Map: its place, its value, its key when the items are an object's (JSONata), and where it came from."""

    index: int
    value: Any
    key: str | None = None
    source: str = "STATE_DATA"


def speaks_jsonata(machine: Mapping[str, Any], state: State) -> bool:
    """Whether JSONata is in force for a state of a machine: its own `QueryLanguage`, else the machine's (JSONPath by default).

    `machine` is the whole document: only its top level may say, and a state may switch to JSONata.
    """
    return bool(state.get("QueryLanguage", machine.get("QueryLanguage")) == "JSONata")


def arguments(state: State, scope: Scope) -> Any:
    """The effective input of a state: InputPath then Parameters; or Arguments (the input if there are none).

    For a Map in JSONPath: InputPath only (its items have `item_input`). Pass in JSONata has no Arguments: the input.
    Raises DATA_LIMIT for more than PAYLOAD_BYTES.
    """
    if scope.jsonata:
        return (
            _fits(jsonata.fill(state["Arguments"], _sight(scope), "Arguments"))
            if "Arguments" in state
            else scope.input
        )
    given = _selected(state, "InputPath", scope.input, scope)
    if "Parameters" not in state or state.get("Type") == "Map":
        return given
    return _fits(templates.fill(state["Parameters"], _view(given, scope)))


def finished(state: State, scope: Scope, result: Any) -> Outcome:
    """What a state hands on that did its work: ResultSelector, ResultPath, OutputPath, Assign; or Output and Assign.

    `result` is the task's result, the list of a Parallel or a Map, the `Result` or effective input of a Pass, the effective
    input of a Wait or Succeed. Raises DATA_LIMIT for an output of more than PAYLOAD_BYTES.
    """
    if scope.jsonata:
        return _queried(
            state,
            _sight(scope, result=result) if state.get("Type") in _WITH_RESULT else _sight(scope),
            result,
        )
    # `$` of Assign is the result as it came, before ResultSelector ("Passing data between states with variables").
    assigned = _assigned(state, result, scope)
    selected = (
        templates.fill(state["ResultSelector"], _view(result, scope)) if "ResultSelector" in state else result
    )
    output = _selected(state, "OutputPath", _placed(state, scope.input, selected), scope)
    return Outcome(_fits(output), assigned)


def caught(state: State, catcher: Mapping[str, Any], scope: Scope, error: str, cause: str) -> Outcome:
    """What a state hands on whose error a Catcher takes: ResultPath of the error output; or Output; and Assign."""
    told = {"Error": error, "Cause": cause}
    if scope.jsonata:
        return _queried(catcher, _sight(scope, errorOutput=told), told)
    return Outcome(_fits(_placed(catcher, scope.input, told)), _assigned(catcher, told, scope))


def choose(state: State, scope: Scope) -> Chosen:
    """Which way a Choice goes. Raises NO_CHOICE when no rule matches and there is no Default."""
    given = scope.input if scope.jsonata else _selected(state, "InputPath", scope.input, scope)
    sight = _sight(scope)
    for number, rule in enumerate(state["Choices"]):
        if _holds(rule, number, given, scope, sight):
            return _chosen(rule["Next"], rule, state, given, scope)
    if "Default" not in state:
        raise StateFailure(NO_CHOICE, "no rule of the choice matches, and it has no `Default`")
    return _chosen(state["Default"], state, state, given, scope)


def wait_until(state: State, scope: Scope) -> int:
    """Until when a Wait waits, Unix milliseconds: from Seconds, SecondsPath, Timestamp, TimestampPath, or their JSONata."""
    seconds = number(state, "Seconds", scope)
    if seconds is not None:
        return scope.env.now_ms() + int(seconds) * 1000
    moment = timestamps.nanoseconds(_text(state, "Timestamp", scope))
    if moment is None:
        raise StateFailure(
            _wrong(scope),
            "the field `Timestamp` has a value that is no timestamp such as `2026-03-14T01:59:00Z`",
        )
    return moment // 1_000_000


def failure(state: State, scope: Scope) -> tuple[str, str]:
    """Error and cause of a Fail: Error, ErrorPath, Cause, CausePath (paths may be intrinsic functions), or their JSONata."""
    return _text(state, "Error", scope), _text(state, "Cause", scope)


def number(state: State, field: str, scope: Scope) -> float | None:
    """A number of a state that may be written plainly, as `{field}Path`, or in JSONata; None where it is not given.

    `field`: TimeoutSeconds, HeartbeatSeconds, MaxConcurrency, ToleratedFailureCount, ToleratedFailurePercentage,
    MaxItemsPerBatch, MaxInputBytesPerBatch, MaxItems; `state` may also be the object that has it, an ItemBatcher say. Raises RUNTIME (JSONPath) or QUERY (JSONata) for another value.
    """
    value = _given(state, field, scope)
    if value is None and not (scope.jsonata and state.get(field) is not None):
        return None
    least, most = _LEAST.get(field, 1), _MOST.get(field, math.inf)
    whole = field == "ToleratedFailurePercentage" or isinstance(value, int)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not whole
        or not least <= value <= most
    ):
        raise StateFailure(_wrong(scope), f"the field `{field}` has a value that is no number it may be")
    return value


def items(state: State, scope: Scope) -> list[Item]:
    """The items of a Map without an ItemReader: ItemsPath of the effective input; or Items (an array, or an object by key)."""
    if scope.jsonata:
        found = jsonata.fill(state["Items"], _sight(scope), "Items") if "Items" in state else scope.input
        _size(found)
        if isinstance(found, dict):
            return [Item(index, value, key) for index, (key, value) in enumerate(found.items())]
    else:
        found = _selected(state, "ItemsPath", arguments(state, scope), scope)
    if not isinstance(found, list):
        raise StateFailure(_wrong(scope), "the items of the Map are no array")
    return [Item(index, value) for index, value in enumerate(found)]


def item_input(state: State, scope: Scope, item: Item) -> Any:
    """The input of one iteration: the item, or ItemSelector (or a Map's legacy Parameters) with `Map.Item` in the context."""
    selector = "ItemSelector" if "ItemSelector" in state else "Parameters"
    if selector not in state:
        return item.value
    told = {"Index": item.index, "Value": item.value, "Source": item.source}
    if item.key is not None:
        told["Key"] = item.key
    within = msgspec.structs.replace(scope, context={**scope.context, "Map": {"Item": told}})
    if scope.jsonata:
        return _fits(jsonata.fill(state[selector], _sight(within), selector))
    return _fits(templates.fill(state[selector], _view(arguments(state, scope), within)))


def template(value: Any, scope: Scope) -> Any:
    """A payload template (`.$` fields, intrinsic functions) or a JSONata one (`{% %}` strings) of any other field, evaluated.

    Used for ItemReader's and ResultWriter's Parameters or Arguments, BatchInput, and Credentials.
    """
    if scope.jsonata:
        return jsonata.fill(value, _sight(scope), "Arguments")
    return templates.fill(value, _view(scope.input, scope))


def _view(root: Any, scope: Scope) -> templates.Sight:
    return templates.Sight(root, scope.context, scope.variables, scope.env)


def _sight(scope: Scope, **more: Any) -> jsonata.Sight:
    return jsonata.Sight({"input": scope.input, "context": scope.context, **more}, scope.variables, scope.env)


def _wrong(scope: Scope) -> str:
    """The error's name for a field whose value is of the wrong type."""
    return QUERY if scope.jsonata else RUNTIME


def _fits(value: Any) -> Any:
    """The value, if it is no larger than a payload may be, and JSON. Raises DATA_LIMIT, RUNTIME."""
    size = _size(value)
    if size > PAYLOAD_BYTES:
        raise StateFailure(
            DATA_LIMIT, f"{size:,} bytes are more than the {PAYLOAD_BYTES:,} that a state may take or hand on"
        )
    return value


def _size(value: Any) -> int:
    """How many bytes a value is as JSON. Raises RUNTIME for a text that cannot be written."""
    try:
        return len(_encode(value))
    except UnicodeEncodeError:
        raise StateFailure(
            RUNTIME, "a text has half a character (a lone surrogate), which no JSON can hold"
        ) from None


def _selected(state: State, field: str, value: Any, scope: Scope) -> Any:
    """What InputPath, OutputPath or ItemsPath select: all by default, an empty object for null."""
    path = state.get(field, "$")
    if path == "$":
        return value
    return {} if path is None else templates.read(path, _view(value, scope), RUNTIME, field)


def _placed(fields: Mapping[str, Any], raw: Any, result: Any) -> Any:
    """A result where ResultPath wants it in the raw input: in its place by default, nowhere for null."""
    path = fields.get("ResultPath", "$")
    if path == "$":
        return result
    if path is None:
        return raw
    try:
        return paths.put(path, raw, result)
    except ValueError as bad:
        raise StateFailure(RUNTIME, str(bad)) from None


def _assigned(fields: Mapping[str, Any], root: Any, scope: Scope) -> dict[str, Any]:
    if "Assign" not in fields:
        return {}
    assigned: dict[str, Any] = _fits(templates.fill(fields["Assign"], _view(root, scope)))
    return assigned


def _queried(fields: Mapping[str, Any], sight: jsonata.Sight, otherwise: Any) -> Outcome:
    """Output and Assign of a state, a Catcher or a rule in JSONata."""
    output = jsonata.fill(fields["Output"], sight, "Output") if "Output" in fields else otherwise
    assigned = jsonata.fill(fields["Assign"], sight, "Assign") if "Assign" in fields else {}
    return Outcome(_fits(output), _fits(assigned))


def _holds(rule: Mapping[str, Any], index: int, given: Any, scope: Scope, sight: jsonata.Sight) -> bool:
    if not scope.jsonata:
        try:
            return choice.matches(
                rule, lambda path: paths.look_up(path, given, scope.context, scope.variables)
            )
        except ValueError as bad:
            raise StateFailure(RUNTIME, str(bad)) from None
    field = f"Choices[{index}]/Condition"
    answer = jsonata.fill(rule["Condition"], sight, field)
    if not isinstance(answer, bool):
        raise StateFailure(QUERY, f"the field `{field}` is neither true nor false")
    return answer


def _chosen(goes_to: str, fields: Mapping[str, Any], state: State, given: Any, scope: Scope) -> Chosen:
    """Assign and Output belong to the rule that matched, those of the state to its Default."""
    if scope.jsonata:
        outcome = _queried(fields, _sight(scope), given)
        return Chosen(goes_to, outcome.output, outcome.assigned)
    output = _selected(state, "OutputPath", given, scope)
    return Chosen(goes_to, _fits(output), _assigned(fields, given, scope))


def _given(state: State, field: str, scope: Scope) -> Any:
    """The value of a scalar field that may be written plainly, as `{field}Path`, or in JSONata; None where it is not given."""
    if scope.jsonata:
        return jsonata.fill(state.get(field), _sight(scope), field)
    path = state.get(f"{field}Path")
    if path is None:
        return state.get(field)
    root = _selected(state, "InputPath", scope.input, scope)
    value = templates.read(path, _view(root, scope), RUNTIME, f"{field}Path")
    # Null from a path is a value, and none that any of these fields takes.
    return _NULL if value is None else value


def _text(state: State, field: str, scope: Scope) -> str:
    value = _given(state, field, scope)
    if value is not None and not isinstance(value, str):
        raise StateFailure(_wrong(scope), f"the field `{field}` has a value that is no string")
    return value or ""
