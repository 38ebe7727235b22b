"""JSONPath as Step Functions reads it: paths into the input, the context object and variables, and reference paths.

A definite path (names and indexes only) gives one value and fails where there is none. Any other path gives a list.
Source: "Paths" and "Reference Paths" of https://states-language.net; where it is silent, Jayway JsonPath.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from . import regexes
from .failures import RESULT_PATH, StateFailure

if TYPE_CHECKING:
    from jsonpath import JSONPath

Step = str | int

_ROOT = re.compile(r"\$(\$|(?P<name>[^\W\d]\w*))?(?=[.\[]|\Z)")
_NAME = re.compile(r"\.(?P<name>[^.\[\](*\s][^.\[\](\s]*)(?=[.\[]|\Z)")
_QUOTED = re.compile(r"""\[\s*(?:'(?P<single>(?:[^'\\]|\\.)*)'|"(?P<double>(?:[^"\\]|\\.)*)")\s*\]""")
_INDEX = re.compile(r"\[\s*(?P<index>-?\d+)\s*\]")
_REGEX = re.compile(r"=~\s*/((?:[^/\\]|\\.)*)/")
_FUNCTION = re.compile(r"\.(?P<function>length|size|keys|min|max|sum|avg|first|last)\(\)\Z")
_CHILDREN = re.compile(r"\.\*|\[\s*\*\s*\]")
_ESCAPE = re.compile(r"\\(.)")
_TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_DOT = re.compile(rf"({_TEXT})|(?<!\.)\.(?=\[)")
_WORD = re.compile(rf"({_TEXT})|([=!]=\s*)(?!(?:true|false|null)\b)([A-Za-z_][\w-]*)(?=\s*[)\]&|])")
_MOST_NAMES = 1024
"""The most paths whose compiled form is kept."""


class NoMatch(Exception):
    """A definite path leads to no value, or a variable is not assigned."""


class Path(Struct, frozen=True):
    """A compiled path. `root` is `$`, `$$` or the name of a variable; `steps` its definite beginning; `query` all the rest.

    `function` is the name of a function that ends it, as in `$.items.length()`.
    """

    text: str
    root: str
    steps: tuple[Step, ...]
    query: Any = None
    function: str = ""

    @property
    def definite(self) -> bool:
        """Whether the path gives one value rather than a list."""
        return self.query is None


@lru_cache(_MOST_NAMES)
def compile_path(text: str) -> Path:
    """The compiled path. Raises ValueError with a sentence for one that no path is."""
    root = _ROOT.match(text)
    if root is None:
        raise ValueError(f"`{text}` is not a path: it starts with `$.`, `$[`, `$$` or the name of a variable")
    body, function = _function(_lenient(text[root.end() :]))
    steps, rest = _steps(body)
    query = _query(text, steps, rest) if rest else None
    return Path(text, root["name"] or root[0], steps, query, function)


@lru_cache(_MOST_NAMES)
def compile_reference(text: str) -> Path:
    """The compiled reference path: one that names a single place, so it can be written to. Raises ValueError."""
    path = compile_path(text)
    if not path.definite or path.function or any(isinstance(step, int) and step < 0 for step in path.steps):
        raise ValueError(f"`{text}` is not a reference path: it may only name fields and array elements")
    return path


def find(path: Path, root: Any) -> Any:
    """The value (definite path) or list of values at a path below its root. Raises NoMatch."""
    value = root
    for step in path.steps:
        value = _child(path, value, step)
    if path.query is not None:
        value = _search(path, value, root)
    return _FUNCTIONS[path.function](value) if path.function else value


def look_up(text: str, root: Any, context: Mapping[str, Any], variables: Mapping[str, Any]) -> Any:
    """The value of a path whose `$` is `root`. Raises NoMatch; ValueError for bad syntax."""
    path = compile_path(text)
    if path.root == "$":
        return find(path, root)
    if path.root == "$$":
        return find(path, context)
    if path.root not in variables:
        raise NoMatch(f"the variable `${path.root}` has no value here")
    return find(path, variables[path.root])


def put(text: str, document: Any, value: Any) -> Any:
    """A copy of a document with a value at a reference path, objects made on the way. Raises RESULT_PATH where that is refused.

    An array may only be written where it has an element, and a scalar has no fields ("ResultPath", states-language.net).
    """
    return _put(compile_reference(text), 0, document, value)


def _put(path: Path, depth: int, place: Any, value: Any) -> Any:
    if depth == len(path.steps):
        return value
    step = path.steps[depth]
    if isinstance(step, int):
        if not isinstance(place, list) or step >= len(place):
            raise StateFailure(
                RESULT_PATH, f"the reference path `{path.text}` has no array element {step} to write to"
            )
        return [*place[:step], _put(path, depth + 1, place[step], value), *place[step + 1 :]]
    if not isinstance(place, dict):
        raise StateFailure(
            RESULT_PATH, f"the reference path `{path.text}` writes `{step}` into what is no object"
        )
    return {**place, step: _put(path, depth + 1, place.get(step, {}), value)}


def _child(path: Path, value: Any, step: Step) -> Any:
    if isinstance(step, int):
        if isinstance(value, list) and -len(value) <= step < len(value):
            return value[step]
    elif isinstance(value, dict) and step in value:
        return value[step]
    raise NoMatch(f"the path `{path.text}` leads to nothing in the input: no `{step}`")


def _search(path: Path, value: Any, root: Any) -> Any:
    if callable(path.query):
        return path.query(value)
    from . import jsonpath_library

    try:
        return jsonpath_library.find_all(path.query, root)
    except ValueError as error:
        raise NoMatch(f"the path `{path.text}` cannot be evaluated: {error}") from None


def _function(body: str) -> tuple[str, str]:
    found = _FUNCTION.search(body)
    return (body[: found.start()], found["function"]) if found else (body, "")


def _lenient(body: str) -> str:
    """A path's body as the library reads it. Step Functions takes `$.[0]`, and `@.name==word` for a text without quotes."""
    body = _DOT.sub(lambda found: found[1] or "", body)
    return _WORD.sub(lambda found: found[1] or f"{found[2]}'{found[3]}'", body)


def _steps(body: str) -> tuple[tuple[Step, ...], str]:
    """The definite beginning of a path's body, and the rest."""
    steps: list[Step] = []
    at = 0
    while at < len(body):
        if name := _NAME.match(body, at):
            steps.append(name["name"])
        elif name := _QUOTED.match(body, at):
            steps.append(_ESCAPE.sub(r"\1", name["single"] if name["single"] is not None else name["double"]))
        elif name := _INDEX.match(body, at):
            steps.append(int(name["index"]))
        else:
            break
        at = name.end()
    return tuple(steps), body[at:]


def _query(text: str, steps: tuple[Step, ...], rest: str) -> Callable[[Any], list[Any]] | JSONPath:
    if _CHILDREN.fullmatch(rest):
        return _children
    from . import jsonpath_library

    for pattern in _REGEX.findall(rest):
        regexes.check(pattern)
    prefix = "".join(f"[{step}]" if isinstance(step, int) else f"[{_quote(step)}]" for step in steps)
    try:
        return jsonpath_library.compile_query(f"${prefix}{rest}")
    except ValueError as error:
        raise ValueError(f"`{text}` is not a path: {error}") from None


def _quote(name: str) -> str:
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list) else []


def _numbers(value: Any) -> list[float]:
    found = [
        each for each in _children(value) if isinstance(each, int | float) and not isinstance(each, bool)
    ]
    if not found:
        raise NoMatch("a function over numbers was given none")
    return found


def _length(value: Any) -> int:
    if not isinstance(value, str | list | dict):
        raise NoMatch("only an array, an object or a string has a length")
    return len(value)


def _edge(index: int) -> Callable[[Any], Any]:
    def element(value: Any) -> Any:
        if not isinstance(value, list) or not value:
            raise NoMatch("there is no such element in an empty array")
        return value[index]

    return element


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "length": _length,
    "size": _length,
    "keys": lambda value: list(value) if isinstance(value, dict) else [],
    "min": lambda value: min(_numbers(value)),
    "max": lambda value: max(_numbers(value)),
    "sum": lambda value: sum(_numbers(value)),
    "avg": lambda value: sum(_numbers(value)) / len(_numbers(value)),
    "first": _edge(0),
    "last": _edge(-1),
}
