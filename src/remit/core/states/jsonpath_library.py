"""Queries of JSONPath by the library, in the dialect of Jayway JsonPath. Import it lazily: it loads the library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError, JSONPathMatch
from jsonpath.segments import JSONPathChildSegment
from jsonpath.selectors import Filter, JSONPathSelector


class _Dialect(JSONPathEnvironment):
    """Without the library's own additions to JSONPath, which Step Functions does not know."""

    pseudo_root_token = ""
    filter_context_token = ""
    intersection_token = ""
    union_token = ""
    key_token = ""
    keys_selector_token = "\0"
    keys_filter_token = "\0?"


class _Filter(Filter):
    """A filter that asks an object itself, not its members, as Jayway's does."""

    def resolve(self, node: JSONPathMatch) -> Iterable[JSONPathMatch]:
        if isinstance(node.obj, Mapping):
            return super().resolve(node.new_child([node.obj], 0))
        return super().resolve(node)


_ENVIRONMENT = _Dialect()


def compile_query(text: str) -> JSONPath:
    """The compiled query. Raises ValueError with the reason."""
    try:
        compiled = _ENVIRONMENT.compile(text)
    except (JSONPathError, RecursionError) as error:
        raise ValueError(_first_line(error)) from None
    if not isinstance(compiled, JSONPath):
        raise ValueError("it is more than one")
    for segment in compiled.segments:
        if isinstance(segment, JSONPathChildSegment):
            segment.selectors = tuple(map(_asking_objects, segment.selectors))
    return compiled


def find_all(query: JSONPath, root: Any) -> list[Any]:
    """All values that a query finds. Raises ValueError where the data is too deep or a filter compares what it cannot."""
    try:
        return query.findall(root)
    except (JSONPathError, RecursionError) as error:
        raise ValueError(_first_line(error)) from None


def _asking_objects(selector: JSONPathSelector) -> JSONPathSelector:
    if isinstance(selector, Filter):
        return _Filter(env=selector.env, token=selector.token, expression=selector.expression)
    return selector


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
