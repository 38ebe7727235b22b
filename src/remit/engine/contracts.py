"""What a tool is held to in one run: the schemas of its code, and those of its definition on top.

A definition only ever narrows: what a model is shown is the definition's, and arguments and output must fit both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from remit.core.codec import convert
from remit.core.definition import Definition
from remit.core.run import Run
from remit.core.tool import ToolSpec
from remit.engine.kinds import TOOL_SCHEMA, ToolSchemaBody
from remit.engine.mcp.kind import MCP_TOOL, McpToolBody, spec_of
from remit.engine.registry import Registry
from remit.engine.schemas import Validator
from remit.ports.agents import Tool

Tools = Mapping[str, Tool]


async def contracts(registry: Registry, tools: Tools, run: Run) -> dict[str, ToolSpec]:
    """The tools that the run's first event has a definition for, as they are shown to its model."""
    found: dict[str, ToolSpec] = {}
    for kind in (MCP_TOOL, TOOL_SCHEMA):  # what narrows a tool of a server starts from what was approved
        for used in run.start.definitions:
            if used.kind == kind and used.name in tools:
                made = await registry.get(run.task.tenant_id, kind, used.name, used.version)
                found[used.name] = _held_to(found.get(used.name, tools[used.name].spec), made)
    return found


def _held_to(spec: ToolSpec, made: Definition) -> ToolSpec:
    if made.kind == MCP_TOOL:
        return spec_of(spec.name, spec.timeout_s, made.version, convert(made.body, McpToolBody))
    return _narrowed(spec, convert(made.body, ToolSchemaBody))


def input_problems(spec: ToolSpec, tool: Tool | None, arguments: Any) -> tuple[str, ...]:
    """What is wrong with the arguments of a call, by the contract and by the code."""
    coded = spec if tool is None else tool.spec
    found = Validator(coded.input_schema, fixed=True).problems(arguments)
    if found or coded is spec:
        return found
    return Validator(spec.input_schema).problems(arguments)


def output_problems(spec: ToolSpec, tool: Tool, output: Any) -> tuple[str, ...]:
    """What is wrong with the output of a call, by the code and by the contract."""
    coded = tool.spec
    if coded.output_schema is not None:
        found = Validator(coded.output_schema, fixed=True).problems(output)
        if found:
            return found
    if spec.output_schema is None or spec.output_schema is coded.output_schema:
        return ()
    return Validator(spec.output_schema).problems(output)


def _narrowed(coded: ToolSpec, own: ToolSchemaBody) -> ToolSpec:
    return replace(
        coded,
        input_schema=own.input_schema,
        output_schema=coded.output_schema if own.output_schema is None else own.output_schema,
        description=own.description or coded.description,
    )
