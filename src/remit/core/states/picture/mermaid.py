"""A workflow as a Mermaid flowchart, as GitHub and the console show it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from remit.core.states.picture.graph import Edge, Graph, Group, Node, Phase, Status, walk
from remit.core.states.picture.words import MARKS, cut, printable, said

_LABEL = 60
_COLOURS: dict[Phase, str] = {
    "waiting": "fill:#fff4d6,stroke:#b7791f,color:#3d2c05",
    "running": "fill:#dbeafe,stroke:#2563eb,color:#0b2a66,stroke-width:2px",
    "succeeded": "fill:#dcfce7,stroke:#15803d,color:#0a3318",
    "failed": "fill:#fee2e2,stroke:#b91c1c,color:#4a0d0d,stroke-width:2px",
    "caught": "fill:#ffedd5,stroke:#c2410c,color:#4a1b06",
    "aborted": "fill:#e5e7eb,stroke:#6b7280,color:#1f2937",
}
_SHAPES = {"Choice": ("{", "}"), "Succeed": ("([", "])"), "Fail": ("([", "])"), "Wait": ("(", ")")}
_ARROWS = {"next": "-->", "choice": "-->", "default": "-->", "catch": "-.->"}


def to_mermaid(graph: Graph, statuses: Mapping[str, Status] | None = None) -> str:
    """The flowchart. `statuses` by JSON pointer of the state colour it."""
    statuses = statuses or {}
    ids = {node.pointer: f"s{number}" for number, node in enumerate(walk(graph.root))}
    lines = ["flowchart TD", *_header(graph), "  start_((start))"]
    lines += _group(graph.root, ids, statuses, "  ")
    lines.append(f"  start_ --> {ids[_pointer(graph.root, graph.root.start)]}")
    last = [node for node in graph.root.nodes if node.ends and node.type not in ("Succeed", "Fail")]
    if last:
        lines += ["  end_(((end)))", *(f"  {ids[node.pointer]} --> end_" for node in last)]
    for phase in sorted({status.phase for status in statuses.values()}):
        lines.append(f"  classDef {phase} {_COLOURS[phase]}")
    for pointer, status in statuses.items():
        if pointer in ids:
            lines.append(f"  class {ids[pointer]} {status.phase}")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """The text as a quoted label holds it: what Mermaid or its Markdown would read becomes a character code."""
    return re.sub(r"[^\w\s,()/:=?!'-]|_|(?<=^\d)[.)]|^[-+*]", lambda m: f"#{ord(m[0])};", printable(text))


def _header(graph: Graph) -> list[str]:
    return [f"  %% {printable(graph.title)}"] if graph.title else []


def _group(group: Group, ids: Mapping[str, str], statuses: Mapping[str, Status], indent: str) -> list[str]:
    lines: list[str] = []
    for node in group.nodes:
        lines += _node(node, ids, statuses, indent)
    for edge in group.edges:
        lines.append(indent + _edge(edge, group, ids))
    return lines


def _node(node: Node, ids: Mapping[str, str], statuses: Mapping[str, Status], indent: str) -> list[str]:
    label = _label(node, statuses.get(node.pointer))
    if not node.groups:
        left, right = _SHAPES.get(node.type, ("[", "]"))
        return [f'{indent}{ids[node.pointer]}{left}"{label}"{right}']
    lines = [f'{indent}subgraph {ids[node.pointer]} ["{label}"]', f"{indent}  direction LR"]
    for number, inner in enumerate(node.groups):
        lines.append(f'{indent}  subgraph {ids[node.pointer]}b{number} ["{escaped(inner.label)}"]')
        lines += [f"{indent}    direction TB", *_group(inner, ids, statuses, indent + "    ")]
        lines.append(f"{indent}  end")
    return [*lines, f"{indent}end"]


def _label(node: Node, status: Status | None) -> str:
    name = cut(node.name, _LABEL)
    words = [escaped(f"{MARKS[status.phase]} {name}" if status else name)]
    if node.detail:
        words.append(escaped(cut(node.detail, _LABEL)))
    if status and said(status):
        words.append(escaped(cut(said(status), _LABEL)))
    return (" - " if node.groups else "<br/>").join(words)


def _edge(edge: Edge, group: Group, ids: Mapping[str, str]) -> str:
    source, target = ids[_pointer(group, edge.source)], ids[_pointer(group, edge.target)]
    label = f'|"{escaped(cut(edge.label, _LABEL))}"|' if edge.label else ""
    return f"{source} {_ARROWS[edge.kind]}{label} {target}"


def _pointer(group: Group, name: str) -> str:
    return next(node.pointer for node in group.nodes if node.name == name)
