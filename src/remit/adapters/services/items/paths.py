"""Document paths of DynamoDB: `a.b[0]`, looked up, set and removed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from remit.adapters.services.items.values import Invalid, Item, Value

Path = tuple[str | int, ...]
_NOWHERE = "The document path provided in the update expression is invalid for update"


def find(item: Item, path: Path) -> Value | None:
    """What stands at a path, or None."""
    value: Value | None = {"M": item}
    for part in path:
        value = _step(value, part)
        if value is None:
            return None
    return value


def _step(value: Value | None, part: str | int) -> Value | None:
    if value is None:
        return None
    if isinstance(part, str):
        found: Value | None = value.get("M", {}).get(part)
        return found
    held = value.get("L", [])
    return held[part] if part < len(held) else None


def put(item: Item, path: Path, value: Value) -> None:
    """Set what stands at a path; past the end of a list it is appended. Raises Invalid when its parent is not there."""
    parent, last = _parent(item, path), path[-1]
    if isinstance(last, str) and "M" in parent:
        parent["M"][last] = value
    elif isinstance(last, int) and "L" in parent:
        held: list[Any] = parent["L"]
        held[last : last + 1] = [value]
    else:
        raise Invalid(_NOWHERE)


def remove(item: Item, paths: list[Path]) -> None:
    """Take away what stands at these paths. Elements of one list go together, by the places that they had before."""
    for path in sorted(paths, key=lambda p: p[-1] if isinstance(p[-1], int) else -1, reverse=True):
        parent, last = _parent(item, path), path[-1]
        if isinstance(last, str):
            parent.get("M", {}).pop(last, None)
        elif last < len(parent.get("L", [])):
            del parent["L"][last]


def _parent(item: Item, path: Path) -> Value:
    value = find(item, path[:-1])
    if value is None or not {"M", "L"} & set(value):
        raise Invalid(_NOWHERE)
    return value


def check_apart(paths: list[Path]) -> None:
    """Raise Invalid when one path is or leads to another."""
    for i, left in enumerate(paths):
        for right in paths[i + 1 :]:
            shared = min(len(left), len(right))
            if left[:shared] == right[:shared]:
                raise Invalid(
                    "Two document paths overlap with each other; must remove or rewrite one of these paths; "
                    f"path one: {text(left)}, path two: {text(right)}"
                )


def text(path: Path) -> str:
    """A path as DynamoDB shows it in errors."""
    return "[" + ", ".join(f"[{p}]" if isinstance(p, int) else p for p in path) + "]"


def project(item: Item, paths: list[Path]) -> Item:
    """The parts of an item that a ProjectionExpression names; elements of lists move together."""
    made: dict[str, Any] = {}
    for path in paths:
        value = find(item, path)
        if value is not None:
            _graft(made, path, value)
    return {name: _settled(node) for name, node in made.items()}


class _Elements(dict[int, Any]):
    """Elements of a list, by the places that they had."""


def _graft(tree: dict[Any, Any], path: Path, value: Value) -> None:
    for part, after in pairwise(path):
        tree = tree.setdefault(part, _Elements() if isinstance(after, int) else {})
    tree[path[-1]] = _Leaf(value)


class _Leaf:
    def __init__(self, value: Value) -> None:
        self.value = value


def _settled(node: Any) -> Value:
    if isinstance(node, _Leaf):
        return node.value
    if isinstance(node, _Elements):
        return {"L": [_settled(node[place]) for place in sorted(node)]}
    return {"M": {name: _settled(each) for name, each in node.items()}}
