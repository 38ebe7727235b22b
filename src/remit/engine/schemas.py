"""JSON Schema for what goes into tools and comes out of them, checked before it is believed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import jsonschema_rs

from remit.core.codec import canonical, digest
from remit.core.errors import ConfigError, InputError

K = TypeVar("K")
V = TypeVar("V")

MAX_NESTING = 64
MAX_BYTES = 1_000_000
MAX_PROBLEMS = 20
_MAX_MESSAGE = 200
_CACHE_SIZE = 1024

# Patterns run without backtracking, but for look-arounds and back-references: those may take so many steps.
_PATTERNS = jsonschema_rs.FancyRegexOptions(backtrack_limit=100_000)
_compiled: dict[str, jsonschema_rs.Validator] = {}
# The very object last met under an id, kept alive so that the id stays its own.
_met: dict[int, tuple[dict[str, Any], jsonschema_rs.Validator]] = {}


class Validator:
    """Checks values against one schema. Schemas with equal digests share what was compiled.

    2020-12 unless `$schema` says otherwise; formats are checked; `$ref` never leaves the schema itself.
    """

    def __init__(self, schema: dict[str, Any], *, fixed: bool = False) -> None:
        """`fixed`: this very object is never changed, as a tool's schema, so it is known again without being read.

        Raises ConfigError E230 when the schema is not valid.
        """
        known = _met.get(id(schema)) if fixed else None
        if known is not None and known[0] is schema:
            self._schema = known[1]
            return
        key = _digest(schema)
        compiled = _compiled.get(key)
        if compiled is None:
            compiled = _compile(schema)
            _keep(_compiled, key, compiled)
        if fixed:
            _keep(_met, id(schema), (schema, compiled))
        self._schema = compiled

    def problems(self, value: Any) -> tuple[str, ...]:
        """What is wrong with the value, each as one sentence after its path; empty when it is valid.

        Values too deep, too large or not JSON (NaN, infinity, other types) are problems, not errors.
        """
        found = _unfit(value)
        if found:
            return (found,)
        try:
            if self._schema.is_valid(value):
                return ()
            return _sentences(self._schema.iter_errors(value))
        except (ValueError, TypeError, RecursionError) as error:
            return (f"$: the value cannot be checked: {_short(str(error))}",)


def _keep(cache: dict[K, V], key: K, value: V) -> None:
    if len(cache) >= _CACHE_SIZE:
        cache.clear()
    cache[key] = value


def check_schema(schema: dict[str, Any]) -> None:
    """Raises ConfigError E230 when a schema is not valid JSON Schema, or refers outside itself."""
    Validator(schema)


def _compile(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.validator_for(
            schema, validate_formats=True, offline=True, pattern_options=_PATTERNS
        )
    except (ValueError, TypeError, RecursionError, jsonschema_rs.ReferencingError) as error:
        raise _invalid(_reason(error)) from error


def _digest(schema: dict[str, Any]) -> str:
    if not isinstance(schema, dict):
        raise _invalid(f"it is a `{type(schema).__name__}`, not an object")
    found = _unfit(schema)
    if found:
        raise _invalid(found)
    try:
        return digest(canonical(schema))
    except InputError as error:
        raise _invalid(error.message) from error


def _invalid(why: str) -> ConfigError:
    return ConfigError(
        f"the schema is not valid JSON Schema: {why}",
        code="E230",
        help="see https://json-schema.org/draft/2020-12",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, jsonschema_rs.ValidationError):
        return f"{_path(error.instance_path)}: {_short(error.message)}"
    return _short(str(error))


def _sentences(errors: Iterable[jsonschema_rs.ValidationError]) -> tuple[str, ...]:
    found: list[str] = []
    for error in errors:
        if len(found) == MAX_PROBLEMS:
            found.append(f"$: there are more than {MAX_PROBLEMS} problems")
            break
        found.append(f"{_path(error.instance_path)}: {_short(error.message)}")
    return tuple(found)


def _path(parts: Iterable[str | int]) -> str:
    path = "$"
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier():
            path += f".{part}"
        else:
            path += f"[{part!r}]"
    return _short(path)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…"


def _unfit(value: Any) -> str:
    """Why a value cannot be checked at all, or an empty text. Walks level by level, so depth cannot overflow."""
    level, size = [value], 0
    for _ in range(MAX_NESTING + 1):
        deeper: list[Any] = []
        for item in level:
            kind = type(item)
            if kind is str:
                size += len(item)
            elif kind is dict:
                if not _TEXT.issuperset(map(type, item)):
                    return "$: an object has a key that is not text"
                size += sum(map(len, item)) + len(item)
                deeper.extend(item.values())
            elif kind is list or kind is tuple:
                size += len(item)
                deeper.extend(item)
            elif kind is int:
                size += item.bit_length() // 3
            else:
                problem = _odd(item)
                if problem:
                    return problem
                size += 8
            if size > MAX_BYTES:
                return f"$: the value is larger than {MAX_BYTES} characters"
        if not deeper:
            return ""
        level = deeper
    return f"$: the value is nested more than {MAX_NESTING} levels deep"


def _odd(item: Any) -> str:
    kind = type(item)
    if item is None or kind is bool:
        return ""
    if kind is not float:
        return f"$: a `{kind.__name__}` is not a JSON value"
    return "$: NaN and infinity are not JSON numbers" if item != item or item in (_INF, -_INF) else ""


_INF = float("inf")
_TEXT = frozenset({str})
