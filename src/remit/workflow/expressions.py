"""JSONata from Python: fields that can be compared, and conditions that can be combined.

`when(field("kind") == "refund")` is the text `{% $states.input.kind = "refund" %}`; writing that text is as good.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from remit.core.errors import ConfigError

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_RESERVED = frozenset({"and", "or", "in", "true", "false", "null", "function"})
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}\Z")


class Condition:
    """A JSONata expression that is true or false; combined with `&`, `|` and `~`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"({self.text}) and ({other.text})")

    def __or__(self, other: Condition) -> Condition:
        return Condition(f"({self.text}) or ({other.text})")

    def __invert__(self) -> Condition:
        return Condition(f"$not({self.text})")

    def __bool__(self) -> bool:
        raise ConfigError(
            f"the condition `{self.text}` is decided when the workflow runs",
            code="E680",
            help="combine conditions with `&`, `|` and `~` in the place of `and`, `or` and `not`",
        )

    def __str__(self) -> str:
        return f"{{% {self.text} %}}"


class Field:
    """A value that the workflow will have: of a state's input, of its result, or a variable."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self.text = text

    def __getitem__(self, key: str | int) -> Field:
        return Field(f"{self.text}[{key}]" if isinstance(key, int) else f"{self.text}.{_step(key)}")

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("=", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("!=", other)

    def __lt__(self, other: object) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: object) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Condition:
        return self._compared(">=", other)

    def is_in(self, values: Sequence[Any]) -> Condition:
        """Whether it is one of these."""
        return self._compared("in", list(values))

    def contains(self, text: str) -> Condition:
        """Whether it is a text with this in it."""
        return Condition(f"$contains({self.text}, {literal(text)})")

    def exists(self) -> Condition:
        """Whether it is there at all."""
        return Condition(f"$exists({self.text})")

    def __str__(self) -> str:
        return f"{{% {self.text} %}}"

    def __iter__(self) -> Any:
        raise TypeError("a field of a workflow has no items before the workflow runs")

    def _compared(self, operator: str, other: object) -> Condition:
        return Condition(f"{self.text} {operator} {literal(other)}")


def field(path: str = "") -> Field:
    """A field of the state's input, its names separated by dots; without a name, the whole input. Raises ConfigError E680."""
    return _rooted("$states.input", path)


def result(path: str = "") -> Field:
    """A field of what the node's work gave; for `output` and `assign`."""
    return _rooted("$states.result", path)


def variable(name: str) -> Field:
    """A variable that a node before this one has assigned. Raises ConfigError E680 for what is no name of one."""
    if not _VARIABLE.match(name) or name == "states":
        raise ConfigError(
            f"`{name}` is no name for a variable",
            code="E680",
            help="use letters, digits and `_`, no digit first, and not `states`",
        )
    return Field(f"${name}")


def when(condition: Condition) -> str:
    """The condition as the States Language writes it."""
    return str(condition)


def plain(value: Any, where: str) -> Any:
    """The JSON value with fields and conditions as JSONata. Raises ConfigError E680 for what JSON does not have."""
    if isinstance(value, (Field, Condition)):
        return str(value)
    if isinstance(value, Mapping):
        return {_key(key, where): plain(item, where) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, where) for item in value]
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise ConfigError(
        f"`{value!r}` in {where} is no JSON value",
        code="E680",
        help="use text, numbers, booleans, None, lists, dicts, `field(...)`, or JSONata as `{% … %}`",
    )


def literal(value: object) -> str:
    """A Python value as JSONata writes it."""
    if isinstance(value, Field):
        return value.text
    if isinstance(value, Condition):
        return f"({value.text})"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    return json.dumps(plain(value, "a condition"), ensure_ascii=False)


def is_jsonata(text: str) -> bool:
    """Whether a text is an expression."""
    return text.startswith("{%") and text.endswith("%}")


def _rooted(root: str, path: str) -> Field:
    if "[" in path:
        raise ConfigError(
            f"`{path}` has an index in it, and a field is named without one",
            code="E680",
            help='write the index behind the field: `field("items")[0]`',
        )
    return Field(".".join([root, *(_step(name) for name in path.split(".") if name)]))


def _step(name: str) -> str:
    return name if _WORD.match(name) and name not in _RESERVED else f"`{name.replace('`', '')}`"


def _key(key: object, where: str) -> str:
    if isinstance(key, str):
        return key
    raise ConfigError(
        f"`{key!r}` in {where} is no JSON key",
        code="E680",
        help="keys are text",
    )
