"""A States Language document read from YAML or JSON, with the place of every value."""

from __future__ import annotations

import math
import re
from functools import cache
from typing import Any

from remit.core.states.text import MOST_DEPTH, Text, child, limited, read_json, wrong

MOST_VALUES = 200_000
"""How many values a document may have once its YAML aliases are written out: a few lines of YAML can mean billions."""

MALFORMED = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
"""What reading raises, besides its own errors, where a value is not of the shape that its tag or its place says: `!!bool maybe`."""

_TIME, _BOOL, _MERGE = ("tag:yaml.org,2002:" + name for name in ("timestamp", "bool", "merge"))


def read(text: str) -> Text:
    """The document that a text holds: JSON if it begins with `{`, else YAML. Raises InputError with line and column."""
    return read_json(text) if text.lstrip("\ufeff \t\r\n").startswith("{") else read_yaml(text)


def read_yaml(text: str) -> Text:
    """The document that YAML text holds. Raises InputError for anything that is not one object of JSON's values."""
    import yaml

    text = limited(text)
    try:
        loader = yaml_loader()(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position].split("\n")
        raise wrong(f"not YAML: {error.reason}", len(before), len(before[-1]) + 1) from error
    try:
        node = loader.get_single_node()
        if not isinstance(node, yaml.MappingNode):
            raise wrong("a workflow is an object, and this is none", 1, 1)
        value = loader.construct_document(node)
        places = _Places()
        places.note(node, value, "", 0)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise wrong(f"not YAML: {getattr(error, 'problem', None) or error}", line, column) from error
    except MALFORMED as error:
        raise wrong(f"a value in this YAML cannot be read: {error}", 1, 1) from error
    finally:
        loader.dispose()
    return Text(value, places.positions)


@cache
def yaml_loader() -> type[Any]:
    """The reader of YAML whose values are JSON's: a date, `on` and `off` are text; a name that occurs twice is a mistake."""
    import yaml

    class Loader(yaml.SafeLoader):
        """As `yaml_loader` says."""

        yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML wants it
            first: [(tag, pattern) for tag, pattern in pairs if tag not in (_TIME, _BOOL)]
            for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            """The mapping, unless a key occurs twice."""
            seen: set[str] = set()
            for key, _ in node.value:
                if key.tag == _MERGE or not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"`{key.value[:100]}` occurs twice", key.start_mark
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep=deep)

    Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
    return Loader


class _Places:
    """Where the values of a YAML document begin; refuses what JSON has not."""

    def __init__(self) -> None:
        self.positions: dict[str, tuple[int, int]] = {}

    def note(self, node: Any, value: Any, pointer: str, depth: int) -> None:
        """Note a value, found at a node, and all below it."""
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        self.positions.setdefault(pointer, (line, column))
        if depth > MOST_DEPTH or len(self.positions) > MOST_VALUES:
            raise wrong("the document is nested too deep, or its aliases stand for too much", line, column)
        if isinstance(value, dict):
            self._members(node, value, pointer, depth)
        elif isinstance(value, list):
            for index, (item, made) in enumerate(zip(node.value, value, strict=True)):
                self.note(item, made, child(pointer, index), depth + 1)
        elif not _is_json(value):
            raise wrong(f"JSON has no value such as `{str(value)[:100]}`", line, column)

    def _members(self, node: Any, value: dict[Any, Any], pointer: str, depth: int) -> None:
        # What a merge key brings stands before what writes over it, and the last one counts.
        for key, item in {key.value: (key, item) for key, item in node.value}.values():
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            name = key.value
            if name not in value:
                raise wrong(f"the name of a field is text: quote `{str(name)[:100]}`", line, column)
            place = child(pointer, name)
            self.positions[place] = (line, column)
            self.note(item, value[name], place, depth + 1)


def _is_json(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))
