"""Workflows built in Python: what is built is an Amazon States Language document, and nothing else is kept or run.

from remit import END, Workflow, field, when

flow = Workflow("order")
flow.node("price", price) >> flow.choice(
    "size", {when(field("total") > 100): "approve"}, default="ship"
)
flow.gate("approve", message="Ship it?", approver_roles=["sales"]) >> flow.node("ship", ship) >> END
"""

from __future__ import annotations

from remit.workflow.builder import Workflow
from remit.workflow.expressions import Condition, Field, field, result, variable, when
from remit.workflow.nodes import END, START, Catch, Chain, Node

__all__ = [
    "END",
    "START",
    "Catch",
    "Chain",
    "Condition",
    "Field",
    "Node",
    "Workflow",
    "field",
    "result",
    "variable",
    "when",
]
