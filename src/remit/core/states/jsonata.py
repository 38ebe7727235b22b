"""JSONata as Step Functions has it: strings `{% ... %}`, with `$states` and variables in sight.

Source: "Transforming data with JSONata in Step Functions" of the developer guide. `$` and `$$` have no value at the top of
an expression. The library is loaded by the first expression that is compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .env import Env
from .failures import QUERY, StateFailure
from .recursion import room

if TYPE_CHECKING:
    from .jsonata_evaluation import Program

OPEN = "{%"
CLOSE = "%}"


class Sight:
    """What expressions see: the parts of `$states` and the variables; values are made ready once for all expressions."""

    def __init__(self, states: Mapping[str, Any], variables: Mapping[str, Any], env: Env) -> None:
        self._values = {**variables, "states": dict(states)}
        self._ready: dict[str, Any] = {}
        self.env = env

    def bindings(self, names: frozenset[str]) -> dict[str, Any]:
        """The values of those names that have one, as the library wants them."""
        from .jsonata_evaluation import ready

        for name in names & self._values.keys() - self._ready.keys():
            self._ready[name] = ready(self._values[name])
        return {name: self._ready[name] for name in names if name in self._ready}


def is_expression(value: Any) -> bool:
    """Whether a value of a field is a JSONata expression: a string that `{%` and `%}` enclose, nothing before or after."""
    return isinstance(value, str) and value.startswith(OPEN) and value.endswith(CLOSE) and len(value) >= 4


@lru_cache(1024)
def compile_expression(text: str) -> Program:
    """The program of an expression, with or without its `{% %}`. Raises ValueError with a sentence on bad syntax or `$eval`."""
    inside = _inside(text)
    with room():
        from .jsonata_evaluation import parse

        # The library cannot read a comment at the very end; in brackets it is not there, and the value is the same.
        return parse(f"({inside}\n)" if inside.endswith("*/") else inside)


def fill(template: Any, sight: Sight, field: str) -> Any:
    """A template with the expressions in it evaluated, at any depth. Raises QUERY, naming the field."""
    if isinstance(template, str):
        return evaluate(template, sight, field) if is_expression(template) else template
    if isinstance(template, dict):
        return {name: fill(value, sight, f"{field}/{name}") for name, value in template.items()}
    if isinstance(template, list):
        return [fill(value, sight, f"{field}[{index}]") for index, value in enumerate(template)]
    return template


def evaluate(text: str, sight: Sight, field: str) -> Any:
    """The value of an expression. Raises QUERY when it fails, is undefined, is a function, or does too much."""
    try:
        program = compile_expression(text)
    except ValueError as error:
        what = f"cannot be read: {error}"
    else:
        from .jsonata_evaluation import EvaluationError, run

        try:
            with room():
                return run(program, sight.bindings(program.names), sight.env)
        except EvaluationError as error:
            what = str(error)
    raise StateFailure(QUERY, f"the JSONata expression `{_inside(text)}` of the field `{field}` {what}")


def _inside(text: str) -> str:
    return text[len(OPEN) : -len(CLOSE)].strip() if is_expression(text) else text.strip()
