"""`@validation_type`: a function that decides becomes an agent that runs a kind of check."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, get_type_hints

from msgspec import Struct, ValidationError, convert, to_builtins

from remit.sdk import (
    CodeAgent,
    ConfigError,
    FunctionTool,
    Memory,
    RunContext,
    ToolError,
    ValidationType,
    agent,
    json_schema,
)
from remit_packs.validation.checks.data import Data, Given
from remit_packs.validation.checks.history import last_passed
from remit_packs.validation.checks.outcome import CheckError, Outcome
from remit_packs.validation.diff.tool import diff_rows
from remit_packs.validation.tools import count_rows, describe_source, hash_columns, measure, run_query

P = TypeVar("P")
Check = Callable[[P, Data], Awaitable[Outcome]]

READS = (count_rows, describe_source, hash_columns, measure, run_query, diff_rows, last_passed)
"""The tools behind `Data`. All of them only read."""


def validation_type(
    name: str, *, description: str = "", tools: Sequence[FunctionTool] = (), version: str = "1"
) -> Callable[[Check[Any]], CodeAgent]:
    """Decorator: `async def check(parameters: MyParameters, data: Data) -> Outcome` becomes the agent of a validation type.

    `MyParameters` is a `msgspec.Struct`; its JSON Schema is what rules of this type are checked against. The
    description is the docstring unless given. `tools` are more tools that the check may `data.call`.
    Raises ConfigError E594 for a function of another shape.
    """

    def make(check: Check[Any]) -> CodeAgent:
        shape = _parameters(check, name)
        about = description or inspect.getdoc(check) or ""

        async def act(input: Any, memory: Memory, context: RunContext) -> dict[str, Any]:
            del memory
            return to_builtins(await decide(check, shape, input, context))  # type: ignore[no-any-return]

        made: CodeAgent = agent(act, name=name, description=about, tools=(*READS, *tools), version=version)
        made.validation_type = ValidationType(name, about, name, json_schema(shape))
        return made

    return make


class Verdict(Outcome, frozen=True, omit_defaults=True):
    """An outcome as the agent answers it: with `code` and `help` where the status is ERROR."""

    code: str = ""
    help: str = ""


async def decide(check: Check[Any], shape: type[Any], input: Any, context: RunContext) -> Verdict:
    """Run a check. Whatever keeps it from deciding is ERROR with a code and a sentence, never PASSED or FAILED."""
    try:
        given = _convert(input, Given, "the input")
        parameters = _convert(given.parameters, shape, "the parameters")
        found = await check(parameters, Data(context, given))
    except CheckError as error:
        return Verdict("ERROR", error.message, error.details, error.artifacts, error.code, error.help)
    except ToolError as error:
        return Verdict("ERROR", error.message, {}, [], error.code, error.help)
    if not isinstance(found, Outcome):
        return Verdict(
            "ERROR", f"the check answered `{type(found).__name__}`", {}, [], "E594", "return an Outcome"
        )
    return Verdict(found.status, found.reason, found.details, found.artifacts)


def _convert(value: Any, shape: type[Any], what: str) -> Any:
    try:
        return convert({} if value in (None, "") else value, shape)
    except ValidationError as error:
        raise CheckError(
            f"{what} of the check cannot be understood: {error}",
            code="E590",
            help="`remit types show` says what it takes",
        ) from error


def _parameters(check: Check[Any], name: str) -> type[Any]:
    if not inspect.iscoroutinefunction(check) or len(inspect.signature(check).parameters) != 2:
        raise _shapeless(name)
    first = next(iter(inspect.signature(check).parameters))
    shape = get_type_hints(check).get(first)
    if not (isinstance(shape, type) and issubclass(shape, Struct)):
        raise _shapeless(name)
    return shape


def _shapeless(name: str) -> ConfigError:
    return ConfigError(
        f"the check of validation type `{name}` has another shape than it must",
        code="E594",
        help="write `async def check(parameters: SomeStruct, data: Data) -> Outcome`",
    )
