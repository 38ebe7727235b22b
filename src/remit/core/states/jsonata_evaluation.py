"""One evaluation of a JSONata expression: bounded in steps, depth and size, and with the functions of Step Functions.

Import it lazily: it loads the JSONata library. Where the library differs from JSONata 2 of jsonata.org, the difference is
mended here, beside a comment that names it.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from . import regexes
from .env import Env, seeded
from .recursion import room

with room():  # the library raises Python's limit when it is imported
    from jsonata.functions import Functions
    from jsonata.jexception import JException
    from jsonata.jsonata import Jsonata
    from jsonata.parser import Parser
    from jsonata.regex_engine import RegexFlags, default_regex_engine
    from jsonata.signature import Signature
    from jsonata.utils import Utils

STEPS = 500_000
"""The most nodes of an expression that one evaluation visits, a 64th of the size of each intermediate value added."""
DEPTH = 800
"""The deepest that evaluations are nested."""
CHARACTERS = 1 << 20
"""The longest string that a function may make."""
ELEMENTS = 200_000
"""The longest array that `..` and `$range` may make."""

_NULL = Utils.NULL_VALUE
_ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z")


class EvaluationError(Exception):
    """An expression has no value; the text continues a sentence that starts with the expression."""


class Program(Struct, frozen=True):
    """A compiled expression and the names of all `$variables` in it."""

    tree: Any
    names: frozenset[str]


def parse(expression: str) -> Program:
    """The program of an expression. Raises ValueError with a sentence."""
    try:
        tree = Jsonata.get_parser().parse(expression, _regex)
    except JException as error:
        raise ValueError(_lower(str(error))) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except Exception as error:  # the library's parser stumbles over some texts without a word of its own
        raise ValueError(_lower(str(error))) from None
    names = frozenset(_names(tree))
    if "eval" in names:
        raise ValueError("workflows have no `$eval`: use `$parse` for JSON text")
    return Program(tree, names)


def ready(value: Any) -> Any:
    """A JSON value as the library wants it: null is a value of its own there, and None is undefined."""
    if value is None:
        return _NULL
    if isinstance(value, dict):
        made = {name: ready(each) for name, each in value.items()}
        return made if any(made[name] is not value[name] for name in made) else value
    if isinstance(value, list | tuple):
        return [ready(each) for each in value]
    return value


def run(program: Program, bindings: Mapping[str, Any], env: Env) -> Any:
    """The value of a program as JSON. Raises EvaluationError."""
    evaluation = _Evaluation(env)
    frame = _frame(program.names, bindings, env)
    current = Jsonata.CURRENT
    before = getattr(current, "jsonata", None)
    # The library's higher-order functions find the evaluation that calls them here, by thread.
    current.jsonata = evaluation
    try:
        value = evaluation.eval(program.tree, None, frame)
        return _json(value)
    except EvaluationError:
        raise
    except JException as error:
        raise EvaluationError(f"failed: {_lower(str(error))}") from None
    except RecursionError:
        raise EvaluationError("is nested too deeply") from None
    except (
        Exception
    ) as error:  # arithmetic, dates and conversions fail in the library with Python's own exceptions
        raise EvaluationError(f"failed: {_lower(str(error))}") from None
    finally:
        current.jsonata = before


class _Evaluation(Jsonata):  # type: ignore[misc]  # the library has no types
    """An evaluation that counts. Its methods override those of the library by name."""

    def __init__(self, env: Env) -> None:
        self.parser = Jsonata.get_parser()
        self.regex_engine = _regex
        self.environment = _library()
        self.input = None
        self.timestamp = env.now_ms()
        self._steps = 0
        self._depth = 0

    def get_per_thread_instance(self) -> _Evaluation:
        return self

    def eval(self, expr: Any, input: Any, environment: Any) -> Any:
        self._steps += 1
        self._depth += 1
        if self._steps > STEPS:
            raise EvaluationError("takes too many steps: it may never end")
        if self._depth > DEPTH:
            raise EvaluationError("is nested too deeply")
        before = self.input, self.environment
        try:
            value = self._eval(expr, input, environment)
        finally:
            self._depth -= 1
            self.input, self.environment = before
        if isinstance(value, str | list):
            self._steps += len(value) >> 6
        return value

    def evaluate_group_expression(self, expr: Any, input: Any, environment: Any) -> Any:
        # The library appends to an empty array that it is given, which may be a variable's.
        return super().evaluate_group_expression(expr, list(input) if input == [] else input, environment)

    def evaluate_numeric_expression(self, lhs: Any, rhs: Any, op: str | None) -> Any:
        # The library cuts the remainder down to an integer.
        if op == "%" and Utils.is_numeric(lhs) and Utils.is_numeric(rhs):
            return Utils.convert_number(math.fmod(lhs, rhs))
        return super().evaluate_numeric_expression(lhs, rhs, op)

    def evaluate_includes_expression(self, lhs: Any, rhs: Any) -> bool:
        # The library takes true for 1.
        if lhs is None or rhs is None:
            return False
        return any(Utils.is_deep_equal(lhs, each) for each in (rhs if isinstance(rhs, list) else [rhs]))

    def evaluate_string_concat(self, lhs: Any, rhs: Any) -> str:
        return _bounded(_string(lhs) or "", _string(rhs) or "")

    def evaluate_range_expression(self, lhs: Any, rhs: Any) -> Any:
        # The library's own range has one element too many, and refuses 3.0.
        for side, code in ((lhs, "T2003"), (rhs, "T2004")):
            if side is not None and not (Utils.is_numeric(side) and float(side).is_integer()):
                raise JException(code, -1, side)
        if lhs is None or rhs is None or lhs > rhs:
            return None
        return Utils.create_sequence_from_iter(_span(int(lhs), int(rhs), 1))

    def apply_inner(self, proc: Any, args: Any, input: Any, environment: Any) -> Any:
        # The library prints what is no function.
        if not self.is_function_like(proc):
            raise JException("T1006", 0)
        return super().apply_inner(proc, args, input, environment)


class _Function(Jsonata.JFunction):  # type: ignore[misc]  # the library has no types
    """A function of ours under a name and signature of JSONata."""

    def __init__(self, name: str, signature: str, function: Callable[..., Any], count: int) -> None:
        super().__init__(None, None)
        self.signature = _signature(signature, name)
        self.function_name = name
        self._function = function
        self._count = count

    def call(self, input: Any, args: Any) -> Any:
        given = list(args)[: self._count]
        value = self._function(*given, *[None] * (self._count - len(given)))
        return Utils.convert_number(value) if Utils.is_numeric(value) else value

    def get_number_of_args(self) -> int:
        return self._count


@functools.cache
def _signature(signature: str, name: str) -> Signature:
    return Signature(signature, name)


@functools.cache
def _library() -> Any:
    """The functions of JSONata, with ours in place of some and besides them."""
    frame = Jsonata.Frame(Jsonata.static_frame)
    for name, signature, function, count in _PURE:
        frame.bind(name, _Function(name, signature, function, count))
    return frame


def _frame(names: frozenset[str], bindings: Mapping[str, Any], env: Env) -> Any:
    frame = Jsonata.Frame(_library())
    for name, signature, function, count in _impure(env):
        if name in names:
            frame.bindings[name] = _Function(name, signature, function, count)
    frame.bindings.update(bindings)
    # Asked for at every step; found here, they are not searched for in all frames.
    frame.bindings["__evaluate_entry"] = frame.bindings["__evaluate_exit"] = None
    return frame


def _impure(env: Env) -> Iterator[tuple[str, str, Callable[..., Any], int]]:
    now = env.now_ms()
    yield "now", "<s?s?:s>", lambda picture, zone: Functions.datetime_from_millis(now, picture, zone), 2
    yield "millis", "<:n>", lambda: now, 0
    yield "random", "<n?:n>", lambda seed: env.random() if seed is None else seeded(seed), 1
    yield "shuffle", "<a:a>", lambda array: _shuffle(array, env), 1
    yield "uuid", "<:s>", env.new_id, 0


def _shuffle(array: Any, env: Env) -> Any:
    if array is None:
        return None
    mixed = list(array)
    for last in range(len(mixed) - 1, 0, -1):
        other = math.floor(env.random() * (last + 1))
        mixed[last], mixed[other] = mixed[other], mixed[last]
    return mixed


def _partition(array: Any, size: Any) -> Any:
    if array is None or size is None:
        return None
    if math.floor(size) < 1:
        raise EvaluationError("failed: `$partition` takes a size of at least 1")
    return [array[at : at + math.floor(size)] for at in range(0, len(array), math.floor(size))]


def _range(first: Any, last: Any, step: Any) -> Any:
    if first is None or last is None or step is None:
        return None
    if step == 0:
        raise EvaluationError("failed: `$range` takes a step that is not 0")
    if all(float(number).is_integer() for number in (first, last, step)):
        made: list[Any] = list(_span(int(first), int(last), int(step)))
    else:
        made = [first + index * step for index in _span(0, math.floor((last - first) / step), 1)]
    # A range of one number is that number, as in Step Functions, where an empty one stays an array.
    return Utils.create_sequence_from_iter(made) if made else made


def _span(first: int, last: int, step: int) -> range:
    span = range(first, last + (1 if step > 0 else -1), step)
    if len(span) > ELEMENTS:
        raise EvaluationError(f"makes an array of more than {ELEMENTS:,} elements")
    return span


def _hash(text: Any, algorithm: Any) -> Any:
    if text is None:
        return None
    name = _ALGORITHMS.get(algorithm or "SHA-1")
    if name is None:
        raise EvaluationError(f"failed: `$hash` knows the algorithms {', '.join(_ALGORITHMS)} only")
    return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _parse(text: Any) -> Any:
    if text is None:
        return None
    try:
        return ready(json.loads(text, parse_constant=_no_constant))
    except ValueError:
        raise EvaluationError("failed: `$parse` was given text that is not JSON") from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _number(value: Any) -> Any:
    # The library reads what Python reads: `nan`, `1_000`, ` 1 `.
    if (
        isinstance(value, str)
        and not value.lower().startswith(("0x", "0b", "0o"))
        and not _NUMBER.match(value)
    ):
        raise JException("D3030", -1, value)
    return Functions.number(value.lower().replace("0b", "0B").replace("0o", "0O") if _radix(value) else value)


def _radix(value: Any) -> bool:
    return isinstance(value, str) and value.lower().startswith(("0x", "0b", "0o"))


def _string(value: Any, pretty: Any = None) -> str | None:
    """`$string`. The library's escapes all that is not ASCII inside of objects and arrays."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return json.dumps(
            _texts(value),
            ensure_ascii=False,
            indent=2 if pretty else None,
            separators=None if pretty else (",", ":"),
        )
    text: str = Functions.string(value, False)
    return text


def _texts(value: Any) -> Any:
    """A value for `$string`: functions are empty there, and numbers have 15 digits."""
    if isinstance(value, dict):
        return {name: _texts(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_texts(each) for each in value]
    if value is _NULL or isinstance(value, bool | int | str):
        return None if value is _NULL else value
    return Utils.convert_number(float(f"{value:.15g}")) if isinstance(value, float) else ""


def _pad(text: Any, width: Any, char: Any) -> Any:
    if width is not None and abs(width) > CHARACTERS:
        raise EvaluationError(_TOO_LONG)
    return Functions.pad(text, width, char)


def _join(texts: Any, separator: Any) -> Any:
    if texts is not None and sum(map(len, texts)) + len(separator or "") * len(texts) > CHARACTERS:
        raise EvaluationError(_TOO_LONG)
    return Functions.join(texts, separator)


def _replace(text: Any, pattern: Any, replacement: Any, limit: Any) -> Any:
    if isinstance(text, str) and isinstance(replacement, str) and pattern:
        places = text.count(pattern) if isinstance(pattern, str) else sum(1 for _ in pattern.finditer(text))
        if len(text) + places * len(replacement) > CHARACTERS:
            raise EvaluationError(_TOO_LONG)
    return Functions.replace(text, pattern, replacement, limit)


def _bounded(left: str, right: str) -> str:
    if len(left) + len(right) > CHARACTERS:
        raise EvaluationError(_TOO_LONG)
    return left + right


def _distinct(array: Any) -> Any:
    # The library takes true for 1, and compares each with all.
    if not isinstance(array, list) or len(array) < 2:
        return array
    kept: dict[str, Any] = {}
    for each in array:
        kept.setdefault(f"{isinstance(each, str)}{_string(each)}", each)
    return Utils.create_sequence_from_iter(kept.values())


def _sort(array: Any, comparator: Any) -> Any:
    # The library turns round elements that a comparator finds equal.
    if array is None or comparator is None:
        return Functions.sort(array, None)

    def swaps(left: Any, right: Any) -> bool:
        return bool(Jsonata.boolize(Functions.func_apply(comparator, [left, right])))

    def compare(left: Any, right: Any) -> int:
        return 1 if swaps(left, right) else -1 if swaps(right, left) else 0

    return sorted(array, key=functools.cmp_to_key(compare))


_TOO_LONG = f"makes a string of more than {CHARACTERS:,} characters"
_PURE: list[tuple[str, str, Callable[..., Any], int]] = [
    ("partition", "<an:a<a>>", _partition, 2),
    ("range", "<nnn:a<n>>", _range, 3),
    ("hash", "<s-s?:s>", _hash, 2),
    ("parse", "<s-:x>", _parse, 1),
    ("number", "<(nsb)-:n>", _number, 1),
    ("string", "<x-b?:s>", _string, 2),
    ("pad", "<s-ns?:s>", _pad, 3),
    ("join", "<a<s>s?:s>", _join, 2),
    ("replace", "<s-(sf)(sf)n?:s>", _replace, 4),
    ("distinct", "<x:x>", _distinct, 1),
    ("sort", "<af?:a>", _sort, 2),
]


def _json(value: Any) -> Any:
    """A result as JSON: integral numbers are integers, null is None."""
    if value is None:
        raise EvaluationError("returned nothing (undefined)")
    if value is _NULL:
        return None
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return _finite(value)
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_json(_NULL if each is None else each) for each in value]
    raise EvaluationError("returned a function, which is no JSON value")


def _finite(value: float) -> float | int:
    """A number as JavaScript writes it: whole numbers up to 1e21 without a fraction."""
    if not math.isfinite(value):
        raise EvaluationError("returned a number out of range")
    if abs(value) >= 1e21:
        return float(value)
    return int(value) if value == int(value) else value


def _regex(pattern: str, flags: RegexFlags) -> Any:
    """The regular expression of a literal; `(?<name>` is `(?P<name>` in Python. Raises ValueError for one that could take for ever."""
    regexes.check(pattern)
    return default_regex_engine(re.sub(r"\(\?<(?![=!])", "(?P<", pattern), flags)


def _names(tree: Any) -> Iterator[str]:
    """The names of the variables that stand anywhere in a tree."""
    seen: set[int] = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list | tuple):
            waiting.extend(node)
        elif isinstance(node, Parser.Symbol) and id(node) not in seen:
            seen.add(id(node))
            if getattr(node, "type", None) == "variable":
                yield str(node.value)
            waiting.extend(vars(node).values())


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
