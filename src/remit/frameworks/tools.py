"""Tools of other frameworks as tools of Remit."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import msgspec

from remit.core.errors import ConfigError, RemitError, ToolError
from remit.core.tool import ToolSpec
from remit.frameworks.contract import Contract
from remit.frameworks.values import to_json
from remit.ports.agents import ToolContext
from remit.sdk import TOOL_NAME, FunctionTool

Perform = Callable[[dict[str, Any]], Coroutine[Any, Any, Any]]
"""Does what a call asks for, by the framework's own code, with these arguments."""

PERFORM: ContextVar[Perform | None] = ContextVar("remit_perform", default=None)
"""How the call is done that is on its way through the gateway: with what the framework hands its tool besides arguments."""

SERVING: ContextVar[ToolContext | None] = ContextVar("remit_serving", default=None)


def served_call() -> ToolContext:
    """The call of Remit that the running tool serves: its idempotency key, actor, secrets. Raises ConfigError E963."""
    serving = SERVING.get()
    if serving is None:
        raise ConfigError(
            "no tool is being called through the gateway here", code="E963", help="ask inside a tool"
        )
    return serving


class ForeignTool(FunctionTool):
    """A framework's tool under a contract. Called by the gateway only."""

    def __init__(
        self, name: str, description: str, schema: dict[str, Any], contract: Contract, alone: Perform
    ) -> None:
        """`alone` calls it where the framework's own code is not under way: to bring an effect to its outcome."""
        if not TOOL_NAME.fullmatch(name):
            raise ConfigError(
                f"`{name}` is no name for a tool",
                code="E961",
                help="name it with 1 to 64 letters, digits, `_` and `-`: model providers accept nothing else",
            )
        effect = contract.effect or ("read" if contract.risk == "L0" else "plain")
        spec = ToolSpec(
            name=name,
            description=description,
            input_schema=_shown(schema, contract.key_argument),
            risk=contract.risk,
            effect="lookup" if effect == "plain" and contract.reconcile else effect,
            timeout_s=contract.timeout_s,
            retry=contract.retry,
            outward=contract.risk != "L0" if contract.outward is None else contract.outward,
            trust=contract.trust,
            sensitivity=contract.sensitivity,
        )
        super().__init__(alone, spec, msgspec.Struct)
        self._contract = contract
        self._alone = alone
        self._reconcile = contract.reconcile
        self._facts = contract.facts

    async def call(self, arguments: dict[str, Any], context: ToolContext) -> Any:
        """Run the framework's tool, with its idempotency key if it takes one."""
        given = dict(arguments)
        if self._contract.key_argument:
            given[self._contract.key_argument] = context.idempotency_key
        before = SERVING.set(context)
        try:
            return to_json(await (PERFORM.get() or self._alone)(given))
        except RemitError:
            raise
        except self._contract.refusals as error:
            raise ToolError(f"{type(error).__name__}: {error}") from error
        finally:
            SERVING.reset(before)


def told(error: ToolError) -> str:
    """What a framework's model is told about a call that failed or was refused."""
    return f"[{error.code}] {error.message}" + (f" ({error.help})" if error.help else "")


def _shown(schema: dict[str, Any], key_argument: str) -> dict[str, Any]:
    """The schema without what only Remit fills in, and with nothing besides what it names."""
    made = {"type": "object", "additionalProperties": False, **schema}
    properties = dict(made.get("properties", {}))
    properties.pop(key_argument, None)
    made["properties"] = properties
    if "required" in made:
        made["required"] = [name for name in made["required"] if name != key_argument]
    return made
