"""A workflow as one SVG file, readable in light and dark, without anything from outside."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from msgspec import Struct

from remit.core.states.picture.graph import Edge, Graph, Group, Node, Status
from remit.core.states.picture.layout import Gaps, Layout, Link, Point, lay_out
from remit.core.states.picture.words import MARKS, cut, printable, said, width, wrapped

_FONT = 13.0
_SMALL = 11.0
_LINE = 17.0
_NAME_COLUMNS = 28
_LABEL_COLUMNS = 34
_MARGIN = 20.0
_PAD = 14.0
_GAPS = Gaps(beside=28, below=34)
_START, _END = "\0start", "\0end"  # no state has such a name
_DOT = 18.0

_STYLE = """
.page{fill:#fff}.box{fill:#f8fafc;stroke:#64748b;stroke-width:1.2}.name{fill:#0f172a;font-weight:600}
.small{fill:#475569;font-size:11px}.edge{fill:none;stroke:#64748b;stroke-width:1.3}.tip{fill:#64748b}
.catch{stroke:#c2410c;stroke-dasharray:4 3}.tip-catch{fill:#c2410c}.label{fill:#334155;font-size:11px}
.label-catch{fill:#9a3412}.back{fill:#fff}.group{fill:#94a3b814;stroke:#94a3b8;stroke-dasharray:3 3}
.dot{fill:#475569}.Choice .box{fill:#fef9c3;stroke:#a16207}.Succeed .box{fill:#f0fdf4;stroke:#15803d}
.Fail .box{fill:#fef2f2;stroke:#b91c1c}.Parallel>.box,.Map>.box{fill:#eef2ff55;stroke:#6366f1}
.succeeded>.box{fill:#dcfce7;stroke:#15803d;stroke-width:2}.running>.box{fill:#dbeafe;stroke:#2563eb;stroke-width:2.5}
.failed>.box{fill:#fee2e2;stroke:#b91c1c;stroke-width:2.5}.caught>.box{fill:#ffedd5;stroke:#c2410c;stroke-width:2}
.waiting>.box{fill:#fef3c7;stroke:#b45309;stroke-width:2}.aborted>.box{fill:#e5e7eb;stroke:#6b7280;stroke-width:2}
.Parallel>.box,.Map>.box{fill-opacity:.4}.pending{opacity:.55}
@media (prefers-color-scheme:dark){.page,.back{fill:#0b1220}.box{fill:#172033;stroke:#94a3b8}.name{fill:#f1f5f9}
.small,.label{fill:#cbd5e1}.edge{stroke:#94a3b8}.tip,.dot{fill:#94a3b8}.catch{stroke:#fb923c}.tip-catch,.label-catch{fill:#fb923c}
.Choice .box{fill:#3b2f08;stroke:#eab308}.Succeed .box{fill:#0c2a17;stroke:#22c55e}.Fail .box{fill:#3a1113;stroke:#ef4444}
.Parallel>.box,.Map>.box{fill:#1e1b4b55;stroke:#818cf8}.succeeded>.box{fill:#14532d;stroke:#22c55e}
.running>.box{fill:#1e3a8a;stroke:#60a5fa}.failed>.box{fill:#7f1d1d;stroke:#f87171}.caught>.box{fill:#7c2d12;stroke:#fb923c}
.waiting>.box{fill:#713f12;stroke:#fbbf24}.aborted>.box{fill:#374151;stroke:#9ca3af}}
"""


class _Drawing(Struct, frozen=True):
    """A group laid out: its size, its parts with what is inside them."""

    layout: Layout
    shapes: dict[str, _Shape]
    edges: list[Edge]


class _Shape(Struct, frozen=True):
    """A state to be drawn: its lines of text, its size, and the groups inside it with their places."""

    node: Node
    names: list[str]
    detail: str
    status: Status | None
    size: Point
    inner: list[tuple[Point, Point, Group, _Drawing]]


def to_svg(graph: Graph, statuses: Mapping[str, Status] | None = None) -> str:
    """The picture. `statuses` by JSON pointer of the state colour it; states without one are then pale."""
    drawing = _arranged(graph.root, statuses or {}, outermost=True)
    across, down = drawing.layout.width + 2 * _MARGIN, drawing.layout.height + 2 * _MARGIN
    title = _escaped(graph.title or "workflow")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across:.0f} {down:.0f}" width="{across:.0f}" '
        f'height="{down:.0f}" font-family="ui-sans-serif,system-ui,sans-serif" font-size="{_FONT:.0f}" role="img" '
        f'aria-label="{title}">',
        f"<title>{title}</title><style>{_STYLE.strip()}</style>",
        f'<rect class="page" width="{across:.0f}" height="{down:.0f}"/>',
        *_drawn(drawing, (_MARGIN, _MARGIN), bool(statuses)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


# arranging


def _arranged(group: Group, statuses: Mapping[str, Status], *, outermost: bool = False) -> _Drawing:
    shapes = {node.name: _shape(node, statuses) for node in group.nodes}
    sizes = {name: shape.size for name, shape in shapes.items()}
    edges = list(group.edges)
    first = group.start
    if outermost:
        first = _START
        sizes = {_START: (_DOT, _DOT), **sizes}
        edges.insert(0, Edge(_START, group.start))
        ends = [Edge(node.name, _END) for node in group.nodes if node.ends and not _is_end(node)]
        if ends:
            sizes[_END] = (_DOT, _DOT)
            edges += ends
    links = [_link(edge) for edge in edges]
    return _Drawing(lay_out(sizes, links, first, _GAPS), shapes, edges)


def _is_end(node: Node) -> bool:
    """Whether the state is the end by its own shape."""
    return node.type in ("Succeed", "Fail")


def _link(edge: Edge) -> Link:
    if not edge.label:
        return Link(edge.source, edge.target)
    return Link(edge.source, edge.target, _pixels(cut(edge.label, _LABEL_COLUMNS), _SMALL) + 10, _LINE)


def _shape(node: Node, statuses: Mapping[str, Status]) -> _Shape:
    status = statuses.get(node.pointer)
    names = wrapped(node.name, _NAME_COLUMNS, 2)
    detail = cut(node.detail or node.type.lower(), _NAME_COLUMNS + 8)
    noted = _noted(status)
    text = max(
        *(_pixels(line, _FONT, bold=True) for line in names), _pixels(detail, _SMALL), _pixels(noted, _SMALL)
    )
    lines = len(names) + 1 + bool(noted)
    if not node.groups:
        slope = 2 * _PAD if node.type == "Choice" else 0
        return _Shape(
            node, names, detail, status, (max(96.0, text + 2 * _PAD + slope), lines * _LINE + 14), []
        )
    top = lines * _LINE + 14
    inner, x, low = [], _PAD, 0.0
    for group in node.groups:
        drawing = _arranged(group, statuses)
        across = max(drawing.layout.width, _pixels(group.label, _SMALL)) + 2 * _PAD
        size = (across, drawing.layout.height + 2 * _PAD + _LINE)
        inner.append(((x, top), size, group, drawing))
        x += across + _PAD
        low = max(low, size[1])
    return _Shape(node, names, detail, status, (max(x, text + 2 * _PAD), top + low + _PAD), inner)


# drawing


def _drawn(drawing: _Drawing, at: Point, told: bool) -> list[str]:
    parts = []
    layout = drawing.layout
    for edge, route in zip(drawing.edges, layout.routes, strict=True):
        parts += _edge(edge, [(x + at[0], y + at[1]) for x, y in route])
    for name, (x, y) in layout.corners.items():
        if name in (_START, _END):
            parts.append(_dot((x + at[0], y + at[1]), name == _END))
        else:
            parts += _state(drawing.shapes[name], (x + at[0], y + at[1]), told)
    for edge, middle in zip(drawing.edges, layout.labels, strict=True):
        if middle is not None:
            parts.append(_label(edge, (middle[0] + at[0], middle[1] + at[1])))
    return parts


def _dot(at: Point, end: bool) -> str:
    x, y, r = at[0] + _DOT / 2, at[1] + _DOT / 2, _DOT / 2
    ring = f'<circle class="edge" cx="{x:.1f}" cy="{y:.1f}" r="{r - 1:.1f}"/>' if end else ""
    return f'{ring}<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{r - 4 if end else r - 2:.1f}"/>'


def _state(shape: _Shape, at: Point, told: bool) -> list[str]:
    node, across = shape.node, shape.size[0]
    phase = shape.status.phase if shape.status else ("pending" if told and not node.groups else "")
    parts = [f'<g class="{_escaped(node.type)} {phase}"><title>{_escaped(_hint(shape))}</title>']
    parts.append(_outline(node.type, at, shape.size))
    x, y = at[0] + across / 2, at[1] + 20
    for line in shape.names:
        parts.append(_text("name", (x, y), line))
        y += _LINE
    parts.append(_text("small", (x, y - 1), shape.detail))
    if noted := _noted(shape.status):
        parts.append(_text("small", (x, y - 1 + _LINE), noted))
    parts.append("</g>")
    for place, size, group, drawing in shape.inner:
        corner = (at[0] + place[0], at[1] + place[1])
        parts.append(
            f'<rect class="group" x="{corner[0]:.1f}" y="{corner[1]:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}" rx="6"/>'
        )
        parts.append(_text("small", (corner[0] + size[0] / 2, corner[1] + 15), group.label))
        shift = (size[0] - drawing.layout.width) / 2
        parts += _drawn(drawing, (corner[0] + shift, corner[1] + _PAD + _LINE), told)
    return parts


def _outline(type_: str, at: Point, size: Point) -> str:
    (x, y), (w, h) = at, size
    if type_ == "Choice":
        points = [
            (x + 14, y),
            (x + w - 14, y),
            (x + w, y + h / 2),
            (x + w - 14, y + h),
            (x + 14, y + h),
            (x, y + h / 2),
        ]
        return f'<polygon class="box" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}"/>'
    radius = h / 2 if type_ in ("Succeed", "Fail") else 8
    return f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="{radius:.1f}"/>'


def _edge(edge: Edge, route: list[Point]) -> list[str]:
    """A line that leaves and comes straight, with its arrow."""
    caught = edge.kind == "catch"
    (x, y), before = route[-1], route[-2]
    path = [f"M{route[0][0]:.1f},{route[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(route):
        if x0 == x1 or y0 == y1:
            path.append(f"L{x1:.1f},{y1:.1f}")
        else:
            middle = (y0 + y1) / 2
            path.append(f"C{x0:.1f},{middle:.1f} {x1:.1f},{middle:.1f} {x1:.1f},{y1:.1f}")
    if before[1] == y:
        tip = f"{x:.1f},{y:.1f} {x + 7:.1f},{y - 4:.1f} {x + 7:.1f},{y + 4:.1f}"
    else:
        back = -7 if _from_above(route) else 7
        tip = f"{x:.1f},{y:.1f} {x - 4:.1f},{y + back:.1f} {x + 4:.1f},{y + back:.1f}"
    return [
        f'<path class="edge{" catch" if caught else ""}" d="{" ".join(path)}"/>',
        f'<polygon class="tip{"-catch" if caught else ""}" points="{tip}"/>',
    ]


def _from_above(route: list[Point]) -> bool:
    return route[0][1] <= route[-1][1]


def _label(edge: Edge, middle: Point) -> str:
    text = cut(edge.label, _LABEL_COLUMNS)
    across = _pixels(text, _SMALL) + 6
    caught = " label-catch" if edge.kind == "catch" else ""
    return (
        f"<g><title>{_escaped(edge.label)}</title>"
        f'<rect class="back" x="{middle[0] - across / 2:.1f}" y="{middle[1] - 8:.1f}" width="{across:.1f}" height="16"/>'
        f"{_text(f'label{caught}', (middle[0], middle[1] + 4), text)}</g>"
    )


def _text(kind: str, at: Point, text: str) -> str:
    return (
        f'<text class="{kind}" x="{at[0]:.1f}" y="{at[1]:.1f}" text-anchor="middle">{_escaped(text)}</text>'
    )


def _noted(status: Status | None) -> str:
    if status is None:
        return ""
    return cut(f"{MARKS[status.phase]} {said(status) or status.phase}", _NAME_COLUMNS + 8)


def _hint(shape: _Shape) -> str:
    """What is shown when the pointer rests on a state: all that was cut."""
    status = shape.status
    lines = [shape.node.name, shape.node.detail or shape.node.type]
    return "\n".join(lines + ([f"{status.phase} {said(status)}".strip()] if status else []))


def _pixels(text: str, size: float, *, bold: bool = False) -> float:
    """How long a text is at most, in a usual font: what is narrow or broad weighs less or more than the rest."""
    narrow = sum(letter in "iljtfrI.,:;'|!()[]{} " for letter in text)
    broad = sum(letter in "mwMW@%" for letter in text)
    return size * (0.59 if bold else 0.56) * (width(text) - 0.4 * narrow + 0.45 * broad)


def _escaped(text: str) -> str:
    kept = "\n".join(printable(line) for line in text.split("\n"))
    return kept.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
