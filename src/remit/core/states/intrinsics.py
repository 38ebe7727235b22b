"""Intrinsic functions of JSONPath states: `States.Format('{} of {}', $.index, $.count)`.

Source: "Intrinsics for JSONPath states" of the developer guide of AWS Step Functions, limits included.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from .env import Env, seeded
from .failures import INTRINSIC, StateFailure

NESTING = 10
"""How deep functions may be nested."""
CHARACTERS = 10_000
"""The most characters that Base64Encode, Base64Decode and Hash take."""
RANGE = 1_000
"""The most elements that ArrayRange gives."""
_INT = 2**31
_ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_HEAD = re.compile(r"\s*(States\.[A-Za-z0-9]+)\s*\(\s*")
_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_LITERAL = re.compile(r"(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?=\s*[,)])")
_PATH = re.compile(
    r"""\$(?:[^\[\],()\s]|\(\)|\[(?:[^\[\]'"]|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\[[^\[\]]*\])*\])*"""
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SLOT = re.compile(r"\\(.)|(\{\})|([{}])", re.DOTALL)


class Text(Struct, frozen=True):
    """A string argument as it is written, escapes included: States.Format has to see them."""

    raw: str


class Reference(Struct, frozen=True):
    """An argument that is a path."""

    path: str


class Call(Struct, frozen=True):
    """A call of an intrinsic function; its arguments are Call, Reference, Text, or a number, a boolean or null."""

    name: str
    arguments: tuple[Any, ...]


def looks_like_one(text: str) -> bool:
    """Whether a text is meant as an intrinsic function rather than as a path."""
    return text.startswith("States.")


@lru_cache(1024)
def parse(text: str) -> Call:
    """The call that a text is. Raises ValueError with a sentence on bad syntax, an unknown function, too few or many arguments."""
    call, at = _call(text, 0, 1)
    if text[at:].strip():
        raise ValueError(f"`{text}` goes on after its closing parenthesis")
    return call


def evaluate(call: Call, look_up: Callable[[str], Any], env: Env) -> Any:
    """The value of a call; `look_up` gives the value of a path. Raises INTRINSIC for arguments that a function refuses."""
    arguments = [_value(call, argument, look_up, env) for argument in call.arguments]
    try:
        return _FUNCTIONS[call.name](env, *arguments)
    except _Refused as refused:
        raise StateFailure(INTRINSIC, f"`{call.name}` {refused}") from None


class _Refused(Exception):
    """Arguments that a function does not take; the text continues a sentence that starts with the function's name."""


def _value(call: Call, argument: Any, look_up: Callable[[str], Any], env: Env) -> Any:
    if isinstance(argument, Call):
        return evaluate(argument, look_up, env)
    if isinstance(argument, Reference):
        return look_up(argument.path)
    if isinstance(argument, Text) and not (call.name == "States.Format" and call.arguments[0] is argument):
        return _ESCAPE.sub(r"\1", argument.raw)
    return argument


def _call(text: str, at: int, depth: int) -> tuple[Call, int]:
    head = _HEAD.match(text, at)
    if head is None:
        raise ValueError(f"`{text}` is not an intrinsic function such as `States.Format('{{}}', $.name)`")
    if depth > NESTING:
        raise ValueError(f"`{text}` nests functions deeper than {NESTING}")
    if head[1] not in _FUNCTIONS:
        raise ValueError(f"`{head[1]}` is no intrinsic function")
    arguments, at = _arguments(text, head.end(), depth)
    _check_count(head[1], len(arguments))
    return Call(head[1], tuple(arguments)), at


def _arguments(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    if text[at : at + 1] == ")":
        return found, at + 1
    while True:
        argument, at = _argument(text, at, depth)
        found.append(argument)
        at += len(text[at:]) - len(text[at:].lstrip())
        mark = text[at : at + 1]
        if mark == ")":
            return found, at + 1
        if mark != ",":
            raise ValueError(f"`{text}` wants a comma or a closing parenthesis at character {at + 1}")
        at += 1
        at += len(text[at:]) - len(text[at:].lstrip())


def _argument(text: str, at: int, depth: int) -> tuple[Any, int]:
    if string := _STRING.match(text, at):
        return Text(string[1]), string.end()
    if literal := _LITERAL.match(text, at):
        return json.loads(literal[0]), literal.end()
    if path := _PATH.match(text, at):
        from .paths import compile_path

        compile_path(path[0])
        return Reference(path[0]), path.end()
    if _HEAD.match(text, at):
        return _call(text, at, depth + 1)
    raise ValueError(f"`{text}` has no argument that can be read at character {at + 1}")


def _check_count(name: str, count: int) -> None:
    least, most = _COUNTS.get(name, (0, math.inf))
    if not least <= count <= most:
        wanted = (
            f"{least}" if least == most else f"{least} to {most}" if most < math.inf else f"at least {least}"
        )
        raise ValueError(f"`{name}` takes {wanted} arguments, not {count}")


def _string(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise _Refused(f"takes a string as its {what}")
    return value


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _Refused("takes an array as its first argument")
    return value


def _integer(value: Any, what: str) -> int:
    """An integer; another number is rounded to the nearest one, as documented."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _Refused(f"takes a number as its {what}")
    return value if isinstance(value, int) else math.floor(value + 0.5)


def _short(value: str) -> str:
    if len(value) > CHARACTERS:
        raise _Refused(f"takes at most {CHARACTERS:,} characters")
    return value


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _compact(value)


def _shown(value: Any) -> str:
    """A value as States.Format of Step Functions shows it: objects and arrays are not JSON there but `{name=1, list=[a, b]}`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_shown(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return _plain(value)


def _format(_: Env, template: Any, *values: Any) -> str:
    raw = template.raw if isinstance(template, Text) else _string(template, "first argument")
    rest = list(values)

    def fill(found: re.Match[str]) -> str:
        if found[1] is not None:
            return found[1]
        if found[3] is not None:
            raise _Refused("has a brace in its template that is neither `{}` nor escaped")
        if not rest:
            raise _Refused("has more `{}` in its template than values")
        return _shown(rest.pop(0))

    filled = _SLOT.sub(fill, raw)
    if rest:
        raise _Refused("has fewer `{}` in its template than values")
    return filled


def _string_to_json(_: Env, text: Any) -> Any:
    """Blank text is null, as in Step Functions."""
    try:
        if not _string(text, "argument").strip():
            return None
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _Refused("was given text that is not JSON") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _array_partition(_: Env, array: Any, size: Any) -> list[list[Any]]:
    items, step = _array(array), _integer(size, "chunk size")
    if step < 1:
        raise _Refused("takes a chunk size of at least 1")
    return [items[at : at + step] for at in range(0, len(items), step)]


def _key(value: Any) -> str:
    """A text that is the same for equal JSON values: 1 is 1.0, and true is neither."""
    return json.dumps(_canonical(value), sort_keys=True)


def _canonical(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    if isinstance(value, dict):
        return {name: _canonical(each) for name, each in value.items()}
    return value


def _array_contains(_: Env, array: Any, value: Any) -> bool:
    return _key(value) in map(_key, _array(array))


def _array_range(_: Env, first: Any, last: Any, step: Any) -> list[int]:
    start, end, by = _integer(first, "start"), _integer(last, "end"), _integer(step, "increment")
    if by == 0:
        raise _Refused("takes an increment that is not 0")
    span = range(start, end + (1 if by > 0 else -1), by)
    if len(span) > RANGE:
        raise _Refused(f"gives at most {RANGE:,} elements")
    return list(span)


def _array_get_item(_: Env, array: Any, index: Any) -> Any:
    items, at = _array(array), _integer(index, "index")
    if not 0 <= at < len(items):
        raise _Refused(f"has no element {at} in an array of {len(items)}")
    return items[at]


def _array_unique(_: Env, array: Any) -> list[Any]:
    unique: dict[str, Any] = {}
    for each in _array(array):
        unique.setdefault(_key(each), each)
    return list(unique.values())


def _base64_encode(_: Env, text: Any) -> str:
    return base64.b64encode(_short(_string(text, "argument")).encode()).decode("ascii")


def _base64_decode(_: Env, text: Any) -> str:
    try:
        return base64.b64decode(_short(_string(text, "argument")), validate=True).decode()
    except ValueError:
        raise _Refused("was given text that is not Base64 of UTF-8") from None


def _hash(_: Env, data: Any, algorithm: Any) -> str:
    name = _ALGORITHMS.get(_string(algorithm, "algorithm"))
    if name is None:
        raise _Refused(f"knows the algorithms {', '.join(_ALGORITHMS)} only")
    return hashlib.new(name, _short(_plain(data)).encode(), usedforsecurity=False).hexdigest()


def _json_merge(_: Env, first: Any, second: Any, deep: Any) -> dict[str, Any]:
    if deep is not False:
        raise _Refused("merges shallowly only: its third argument has to be false")
    if not isinstance(first, dict) or not isinstance(second, dict):
        raise _Refused("takes two objects")
    return {**first, **second}


def _math_random(env: Env, start: Any, end: Any, *seed: Any) -> int:
    low, high = _integer(start, "start"), _integer(end, "end")
    if low >= high:
        raise _Refused("takes a start that is less than its end")
    drawn = seeded(_integer(seed[0], "seed")) if seed else env.random()
    return low + math.floor(drawn * (high - low))


def _math_add(_: Env, first: Any, second: Any) -> int:
    numbers = _integer(first, "first argument"), _integer(second, "second argument")
    if any(not -_INT <= number < _INT for number in (*numbers, sum(numbers))):
        raise _Refused("adds integers of 32 bits only")
    return sum(numbers)


def _string_split(_: Env, text: Any, delimiters: Any) -> list[str]:
    """Every character of the second argument divides, and what is empty between two of them is left out."""
    marks = _string(delimiters, "second argument")
    whole = _string(text, "first argument")
    return [part for part in re.split(f"[{re.escape(marks)}]", whole) if part] if marks else [whole]


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "States.Format": _format,
    "States.StringToJson": _string_to_json,
    "States.JsonToString": lambda _, value: _compact(value),
    "States.Array": lambda _, *values: list(values),
    "States.ArrayPartition": _array_partition,
    "States.ArrayContains": _array_contains,
    "States.ArrayRange": _array_range,
    "States.ArrayGetItem": _array_get_item,
    "States.ArrayLength": lambda _, array: len(_array(array)),
    "States.ArrayUnique": _array_unique,
    "States.Base64Encode": _base64_encode,
    "States.Base64Decode": _base64_decode,
    "States.Hash": _hash,
    "States.JsonMerge": _json_merge,
    "States.MathRandom": _math_random,
    "States.MathAdd": _math_add,
    "States.StringSplit": _string_split,
    "States.UUID": lambda env: env.new_id(),
}
_COUNTS: dict[str, tuple[int, float]] = {
    "States.Format": (1, math.inf),
    "States.StringToJson": (1, 1),
    "States.JsonToString": (1, 1),
    "States.ArrayPartition": (2, 2),
    "States.ArrayContains": (2, 2),
    "States.ArrayRange": (3, 3),
    "States.ArrayGetItem": (2, 2),
    "States.ArrayLength": (1, 1),
    "States.ArrayUnique": (1, 1),
    "States.Base64Encode": (1, 1),
    "States.Base64Decode": (1, 1),
    "States.Hash": (2, 2),
    "States.JsonMerge": (3, 3),
    "States.MathRandom": (2, 3),
    "States.MathAdd": (2, 2),
    "States.StringSplit": (2, 2),
    "States.UUID": (0, 0),
}
