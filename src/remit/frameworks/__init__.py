"""Agents and teams written with other frameworks, run as agents of Remit: governed, durable and audited.

    from remit.frameworks import Contract, langgraph

    desk = langgraph.agent(graph, name="desk", contracts={"search": Contract(risk="L0")})

`langgraph`, `crewai`, `agent_framework` and `strands` each have one function, `agent`. Their tools become tools of Remit
and their questions to models questions to the agent's model, without a change to their code.
"""

from remit.frameworks.contract import Contract
from remit.frameworks.tools import served_call

__all__ = ["Contract", "served_call"]
