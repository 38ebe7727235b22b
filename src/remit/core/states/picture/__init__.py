"""Pictures of a workflow and of a run of one: as Mermaid, as standalone SVG, and for a terminal."""

from __future__ import annotations

from remit.core.states.picture.graph import Edge, Graph, Group, Node, Phase, Status, graph
from remit.core.states.picture.mermaid import to_mermaid
from remit.core.states.picture.svg import to_svg
from remit.core.states.picture.terminal import to_text

__all__ = [
    "Edge",
    "Graph",
    "Group",
    "Node",
    "Phase",
    "Status",
    "graph",
    "to_mermaid",
    "to_svg",
    "to_text",
]
