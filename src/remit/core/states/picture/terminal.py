"""A workflow as text for a terminal: each state a line, the ways on as arrows, what is inside a state in a box."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from remit.core.states.picture.graph import Edge, Graph, Group, Node, Phase, Status
from remit.core.states.picture.words import MARKS, cut, said, width

_KINDS = {
    "Task": "●",
    "Choice": "◇",
    "Parallel": "‖",
    "Map": "≡",
    "Wait": "◷",
    "Pass": "○",
    "Succeed": "◉",
    "Fail": "⊗",
}
_ANSI: dict[Phase, str] = {
    "waiting": "33",
    "running": "1;34",
    "succeeded": "32",
    "failed": "1;31",
    "caught": "35",
    "aborted": "2",
}
_NARROWEST = 40
Paint = Callable[[str, str], str]


def to_text(
    graph: Graph, statuses: Mapping[str, Status] | None = None, *, columns: int = 80, colour: bool = False
) -> str:
    """The text, at most `columns` wide (40 at least). `statuses` by JSON pointer mark the states; `colour` by ANSI codes."""
    columns = max(columns, _NARROWEST)
    paint: Paint = (
        (lambda text, code: f"\x1b[{code}m{text}\x1b[0m" if text and code else text) if colour else _as_is
    )
    lines = [cut(graph.title, columns)] if graph.title else []
    return "\n".join(lines + _group(graph.root, statuses or {}, columns, paint)) + "\n"


def _as_is(text: str, code: str) -> str:
    return text


def _group(group: Group, statuses: Mapping[str, Status], columns: int, paint: Paint) -> list[str]:
    lines = []
    for number, node in enumerate(group.nodes):
        following = group.nodes[number + 1].name if number + 1 < len(group.nodes) else ""
        ways = [edge for edge in group.edges if edge.source == node.name]
        lines += _state(node, statuses, columns, paint)
        lines += _ways(node, ways, following, columns, paint)
    return lines


def _state(node: Node, statuses: Mapping[str, Status], columns: int, paint: Paint) -> list[str]:
    """The line of a state, and the boxes of what is inside it."""
    status = statuses.get(node.pointer)
    mark = MARKS[status.phase] if status else _KINDS.get(node.type, "●")
    code = _ANSI[status.phase] if status else ""
    noted = said(status) if status else ""
    right = cut(noted, columns // 2)
    room = columns - 2 - (width(right) + 2 if right else 0)
    name = cut(node.name, room)
    detail = cut(node.detail or node.type.lower(), max(room - width(name) - 2, 0))
    left = f"{mark} {name}" + (f"  {detail}" if detail else "")
    gap = " " * max(columns - width(left) - width(right), 2) if right else ""
    line = (
        paint(f"{mark} {name}", code or "1")
        + paint(f"  {detail}" if detail else "", "2")
        + gap
        + paint(right, code)
    )
    boxes = [row for inner in node.groups for row in _box(inner, statuses, columns - 2, paint)]
    return [line, *(f"│ {row}" if not node.ends else f"  {row}" for row in boxes)]


def _box(group: Group, statuses: Mapping[str, Status], columns: int, paint: Paint) -> list[str]:
    """A frame as broad as it may be, its label in the upper edge; too narrow a place has the states without one."""
    inside = columns - 4
    if inside < _NARROWEST // 2:
        return _group(group, statuses, max(columns, 8), paint)
    label = cut(group.label, inside - 2)
    rows = _group(group, statuses, inside, paint)
    top = f"┌─ {label} " + "─" * (columns - width(label) - 5) + "┐"
    body = [f"│ {row}{' ' * (inside - _visible(row))} │" for row in rows]
    return [top, *body, "└" + "─" * (columns - 2) + "┘"]


def _ways(node: Node, ways: list[Edge], following: str, columns: int, paint: Paint) -> list[str]:
    """Where a state leads: a plain line when the next one stands right below."""
    rows = []
    straight = any(edge.kind == "next" and edge.target == following for edge in ways)
    shown = [edge for edge in ways if not (edge.kind == "next" and edge.target == following)]
    for number, edge in enumerate(shown):
        corner = "├" if straight or node.ends or number + 1 < len(shown) else "└"
        rows.append(_way(edge, corner, columns, paint))
    if node.ends and node.type not in ("Succeed", "Fail"):
        rows.append("└─▶ end")
    return [*rows, *(["│"] if straight else [""] if following else [])]


def _way(edge: Edge, corner: str, columns: int, paint: Paint) -> str:
    code = "35" if edge.kind == "catch" else "36"
    target = cut(edge.target, columns // 2)
    said_ = f"caught {edge.label}" if edge.kind == "catch" else edge.label
    label = cut(said_, columns - width(target) - 7)
    return f"{corner}─ {paint(label, code)} ─▶ {target}" if label else f"{corner}─▶ {target}"


def _visible(text: str) -> int:
    """The columns of a line without its colours."""
    plain, inside = "", False
    for letter in text:
        if letter == "\x1b":
            inside = True
        elif inside:
            inside = letter != "m"
        else:
            plain += letter
    return width(plain)
