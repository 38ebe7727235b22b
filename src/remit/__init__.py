"""Remit: governed, durable multi-agent systems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from remit.adapters.guardrail.local import LocalGuardrail as LocalGuardrail
    from remit.bootstrap import App as App
    from remit.bootstrap import open_app as open_app
    from remit.core.budget import Usage as Usage
    from remit.core.cloudevent import CloudEvent as CloudEvent
    from remit.core.errors import ModelError as ModelError
    from remit.core.guardrail import parse_guardrail as parse_guardrail
    from remit.core.mcp import pin as pin
    from remit.core.states.arns import Bindings as Bindings
    from remit.core.states.compile import compile_for_stepfunctions as compile_for_stepfunctions
    from remit.core.task import Actor as Actor
    from remit.ports.extension import Opening as Opening
    from remit.ports.model import Delta as Delta
    from remit.ports.model import Model as Model
    from remit.ports.model import ModelReply as ModelReply
    from remit.ports.model import OnDelta as OnDelta
    from remit.ports.store import Store as Store
    from remit.ports.vectors import Near as Near
    from remit.ports.vectors import Vector as Vector
    from remit.ports.vectors import Vectors as Vectors
    from remit.sdk import *  # noqa: F403
    from remit.settings import McpServer as McpServer
    from remit.settings import SandboxSettings as SandboxSettings
    from remit.settings import Settings as Settings
    from remit.settings import WebSettings as WebSettings
    from remit.workflow import *  # noqa: F403
    from remit.workflow.importing import import_document as import_document

PLACES = {
    "Actor": "remit.core.task",
    "App": "remit.bootstrap",
    "Bindings": "remit.core.states.arns",
    "CloudEvent": "remit.core.cloudevent",
    "Delta": "remit.ports.model",
    "LocalGuardrail": "remit.adapters.guardrail.local",
    "McpServer": "remit.settings",
    "Model": "remit.ports.model",
    "ModelError": "remit.core.errors",
    "ModelReply": "remit.ports.model",
    "Near": "remit.ports.vectors",
    "OnDelta": "remit.ports.model",
    "Opening": "remit.ports.extension",
    "SandboxSettings": "remit.settings",
    "Settings": "remit.settings",
    "Store": "remit.ports.store",
    "Usage": "remit.core.budget",
    "Vector": "remit.ports.vectors",
    "Vectors": "remit.ports.vectors",
    "WebSettings": "remit.settings",
    "compile_for_stepfunctions": "remit.core.states.compile",
    "import_document": "remit.workflow.importing",
    "open_app": "remit.bootstrap",
    "parse_guardrail": "remit.core.guardrail",
    "pin": "remit.core.mcp",
}
"""Public names beside those of `remit.sdk` and `remit.workflow`, and the module that each is loaded from."""

_AUTHORS = ("remit.sdk", "remit.workflow")


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used, so that `import remit` costs nothing."""
    from importlib import import_module

    if name in PLACES:
        return getattr(import_module(PLACES[name]), name)
    for author in _AUTHORS:
        module = import_module(author)
        if name in module.__all__:
            return getattr(module, name)
    raise AttributeError(f"module `remit` has no `{name}`")


def __dir__() -> list[str]:
    """Every public name, for whoever completes them with a key."""
    from importlib import import_module

    return sorted({*PLACES, *(name for author in _AUTHORS for name in import_module(author).__all__)})
