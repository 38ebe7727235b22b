"""What a distributed Map reads its items from and writes its results to: through the gateway, as steps of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import astuple

from remit.core.codec import convert, plain
from remit.core.errors import ToolError
from remit.core.run import Run, Step
from remit.core.states import dataflow
from remit.core.states.dataflow import Env, Item, Scope
from remit.core.states.failures import ITEM_READER, RESULT_WRITER, StateFailure
from remit.core.states.progress import Visit
from remit.core.tool import ToolSpec
from remit.engine.calls import Ask
from remit.engine.workflows.items import ItemResult, read_items, write_results
from remit.engine.workflows.names import READ, WRITE
from remit.ports.agents import Found, ToolContext
from remit.ports.objects import ObjectStore

MOST_BYTES = 1 << 30

State = Mapping[str, Any]


def reading(visit: Visit, state: State, scope: Scope) -> Ask:
    """The call that reads a Map's items."""
    arguments = {"ItemReader": _resolved(state["ItemReader"], "ReaderConfig", scope)}
    return Ask(f"{visit.step}.items", visit.visit, READ, arguments, from_model=False)


def items(visit: Visit, state: State, scope: Scope, run: Run) -> list[Item] | None:
    """The items of a Map; None while its reader has yet to read them. Raises StateFailure."""
    if "ItemReader" not in state:
        return dataflow.items(state, scope)
    step = run.steps.get(f"{visit.step}.items")
    if step is None or not step.settled:
        return None
    return [Item(i, *given) for i, given in enumerate(_answer(step, ITEM_READER))]


def writing(run: Run, visit: Visit, state: State, scope: Scope) -> Ask:
    """The call that writes a Map's results."""
    place = f"{run.run_id}:{visit.visit}.{visit.attempt}"
    results = [_ended(visit, i, f"{place}.{i}") for i in range(len(visit.inputs))]
    arguments = {
        "ResultWriter": _resolved(state["ResultWriter"], "WriterConfig", scope),
        "name": f"{run.run_id}-{visit.visit}-{visit.attempt}",
        "results": plain(results),
    }
    return Ask(f"{visit.step}.results", visit.visit, WRITE, arguments, from_model=False)


def written(visit: Visit, run: Run) -> Any:
    """What the writer answered; None while it still writes. Raises StateFailure."""
    step = run.steps.get(f"{visit.step}.results")
    return _answer(step, RESULT_WRITER) if step is not None and step.settled else None


def _ended(visit: Visit, index: int, place: str) -> ItemResult:
    given = visit.inputs[index]
    if index in visit.outputs:
        return ItemResult(index, given, "SUCCEEDED", visit.outputs[index], run_id=place)
    error, cause = visit.failures[index]
    return ItemResult(index, given, "FAILED", None, error, cause, place)


def _answer(step: Step, error: str) -> Any:
    if step.state == "done":
        return step.output
    raise StateFailure(error, step.problem.message if step.problem else "")


def _resolved(field: Mapping[str, Any], config: str, scope: Scope) -> dict[str, Any]:
    """A reader or writer with its parameters evaluated, as plain JSONPath that evaluates to itself."""
    made = {k: v for k, v in field.items() if k not in ("Parameters", "Arguments", config)}
    made["Parameters"] = dataflow.template(
        field.get("Arguments" if scope.jsonata else "Parameters", {}), scope
    )
    settings = dict(field.get(config) or {})
    most = dataflow.number(settings, "MaxItems", scope)
    settings.pop("MaxItemsPath", None)
    return {**made, config: settings if most is None else {**settings, "MaxItems": int(most)}}


class _MapTool:
    """A built-in tool of distributed Maps over a store of objects."""

    can_reconcile = False

    def __init__(self, objects: ObjectStore, spec: ToolSpec) -> None:
        self.spec = spec
        self._objects = objects

    async def reconcile(self, arguments: dict[str, Any], context: ToolContext) -> Found:
        """It cannot say, and need not: doing it again changes nothing."""
        raise ToolError(f"tool `{self.spec.name}` has no `reconcile`", code="E704")

    def context_facts(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """How many results there are."""
        return {"count": len(arguments.get("results", ()))}


class ReadItems(_MapTool):
    """Reads what an ItemReader says."""

    def __init__(self, objects: ObjectStore) -> None:
        about = "Read the items of a Map from an object, or list the objects of a bucket."
        schema = {"type": "object", "required": ["ItemReader"]}
        super().__init__(
            objects,
            ToolSpec(READ, about, schema, effect="read", timeout_s=300.0, max_output_bytes=MOST_BYTES),
        )

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        """The items as lists of value, key and source."""
        try:
            found = await read_items(self._objects.of(context.tenant_id), arguments, _nothing(context))
        except StateFailure as failure:
            raise ToolError(failure.cause, code=failure.error) from failure
        return [astuple(item)[1:] for item in found]


class WriteResults(_MapTool):
    """Writes what a ResultWriter says. Names are made of the run's, so doing it again writes the same."""

    def __init__(self, objects: ObjectStore) -> None:
        about = "Write the results of a Map to objects of a bucket."
        schema = {"type": "object", "required": ["ResultWriter", "name", "results"]}
        spec = ToolSpec(WRITE, about, schema, risk="L1", effect="keyed", timeout_s=300.0, outward=False)
        super().__init__(objects, spec)

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        """Where the results are."""
        results = convert(arguments["results"], list[ItemResult])
        objects = self._objects.of(context.tenant_id)
        try:
            return await write_results(objects, arguments, _nothing(context), arguments["name"], results)
        except StateFailure as failure:
            raise ToolError(failure.cause, code=failure.error) from failure


def _nothing(context: ToolContext) -> Scope:
    """A scope for what holds no expression any more."""
    clock = context.clock
    return Scope(None, {}, {}, False, Env(clock.now, clock.random, lambda: clock.new_id("id")))
