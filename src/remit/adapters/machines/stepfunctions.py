"""The state machines of a deployment on AWS Step Functions."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any, TypeVar

from msgspec.structs import replace

from remit.adapters.machines.histories import moment, parsed
from remit.core import aws
from remit.core.codec import digest_of, encode
from remit.core.errors import ConfigError, InputError, StoreError
from remit.core.states.arns import Bindings
from remit.core.states.compile import compile_for_stepfunctions
from remit.core.states.failures import PAYLOAD_BYTES
from remit.core.states.history import Moment
from remit.ports.clock import Clock
from remit.ports.machines import Execution

T = TypeVar("T")

log = logging.getLogger("remit.machines")

PAGE = 1000
KNOWN_S = 60.0
"""How long it is believed that a machine has the document that it had."""
MOST_KNOWN = 512

_EXECUTION = re.compile(r"(arn:[a-z-]+):states:([a-z0-9-]+):(\d+):execution:([^:]+):([^:]+)\Z")
_GONE = frozenset({"ExecutionDoesNotExist", "StateMachineDoesNotExist", "StateMachineDeleting"})
_NOBODY = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})
_ENDED = frozenset({"ValidationException", *_GONE})
MOST_ERROR, MOST_CAUSE = 256, 32_768
"""How long error and cause may be, in characters (SendTaskFailure, StopExecution)."""


class StepFunctions:
    """The machines `DEPLOYMENT-WORKFLOW`. An execution has the id of its run for a name, so that starting twice is starting once."""

    def __init__(
        self,
        clients: Callable[..., Any],
        clock: Clock,
        deployment: str,
        *,
        lambdas: Mapping[str, str] = {},
        bindings: Bindings | None = None,
    ) -> None:
        """`lambdas` as in `Bindings`. Other `bindings`, if the machines were compiled with others; account and region are found out."""
        self._clients = clients
        self._clock = clock
        self._deployment = deployment
        self._given = bindings or Bindings(
            prefix=deployment, event_bus=deployment, governed=True, lambdas=lambdas
        )
        self._bindings: Bindings | None = None
        self._threads = ThreadPoolExecutor(16, "remit-machines")
        self._parents: dict[str, str] = {}
        self._known: dict[tuple[str, str], tuple[float, bool]] = {}

    async def execution_for(self, workflow: str, document: Mapping[str, Any], run_id: str) -> str:
        """Compared with what the document is compiled to: a machine of another version is not taken for it."""
        base = workflow.partition("@")[0]
        machine = (await self._bound()).machine(base)
        key = (base, digest_of(document))
        until, same = self._known.get(key, (0.0, False))
        if until <= self._clock.monotonic():
            same = await self._serves(base, machine, document)
            self._known[key] = (self._clock.monotonic() + KNOWN_S, same)
            while len(self._known) > MOST_KNOWN:
                self._known.pop(next(iter(self._known)))
        return f"{machine.replace(':stateMachine:', ':execution:')}:{run_id}" if same else ""

    def workflow_of(self, execution: str) -> str:
        """What stands behind `DEPLOYMENT-` in the name of its machine."""
        found = _EXECUTION.match(execution)
        name = found[4] if found else ""
        return name.removeprefix(f"{self._deployment}-") if name.startswith(f"{self._deployment}-") else ""

    async def outermost(self, execution: str) -> str:
        """An item's machine is `MACHINE/MAP`, and its Map Run knows the execution that it belongs to."""
        while "/" in _machine_of(execution):
            if execution not in self._parents:
                self._parents[execution] = await self._parent(execution)
                while len(self._parents) > MOST_KNOWN:
                    self._parents.pop(next(iter(self._parents)))
            execution = self._parents[execution]
        return execution

    async def start(self, execution: str, input: Any) -> None:
        """The same name with the same input is the same execution; with another one it is that of a run which is forgotten."""
        text = encode(input).decode()
        if len(text.encode()) > PAYLOAD_BYTES:
            raise InputError(
                f"the input of execution `{execution}` has more than {PAYLOAD_BYTES:,} bytes",
                code="E697",
                help="keep it as an artifact, and give where it is",
            )
        given = {"stateMachineArn": _machine_of(execution), "name": _name_of(execution), "input": text}
        if await self._do(
            "StartExecution", execution, lambda c: c.start_execution(**given), {"ExecutionAlreadyExists"}
        ):
            return
        known = await self.describe(execution)
        if known is not None and known.input != json.loads(text):
            raise InputError(
                f"execution `{execution}` began with another input: it is of a run that this store does not know",
                code="E697",
                help="submit the task again, under a new id",
            )

    async def describe(self, execution: str) -> Execution | None:
        """DescribeExecution, which is of this moment."""
        told = await self._do(
            "DescribeExecution", execution, lambda c: c.describe_execution(executionArn=execution), _GONE
        )
        if told is None:
            return None
        return Execution(
            execution,
            told["status"],
            parsed(told.get("input")),
            parsed(told.get("output")) if told["status"] == "SUCCEEDED" else None,
            told.get("error") or "",
            told.get("cause") or "",
        )

    async def history(self, execution: str, after: int) -> list[Moment]:
        """Pages from the newest event back to the one that is known."""
        found: list[dict[str, Any]] = []
        token: dict[str, str] = {}
        while True:
            ask = functools.partial(_page, execution, token)
            page = await self._do("GetExecutionHistory", execution, ask, _GONE)
            events = page["events"] if page is not None else []
            found += [event for event in events if event["id"] > after]
            token = {"nextToken": page["nextToken"]} if page is not None and page.get("nextToken") else {}
            if not token or (events and events[-1]["id"] <= after + 1):
                break
        # The history follows a moment later: what comes after an event that is missing yet is read once that is there.
        whole = takewhile(lambda one: one[1]["id"] == one[0], enumerate(reversed(found), after + 1))
        return [moment(event) for _, event in whole]

    async def stop(self, execution: str, error: str, cause: str) -> None:
        """StopExecution."""
        given = {"executionArn": execution, "error": error[:MOST_ERROR], "cause": cause[:MOST_CAUSE]}
        if await self._do("StopExecution", execution, lambda c: c.stop_execution(**given), _ENDED):
            return
        known = await self.describe(execution)
        if known is not None and not known.ended:
            raise StoreError(
                f"execution `{execution}` is not stopped, and Step Functions does not say why",
                code="E658",
                help="try again",
            )

    async def succeed(self, token: str, output: Any) -> bool:
        """SendTaskSuccess. What is too large for Step Functions fails the task as there."""
        text = encode(output).decode()
        if len(text.encode()) > PAYLOAD_BYTES:
            why = f"the answer has more than {PAYLOAD_BYTES:,} bytes"
            return await self.fail(token, "States.DataLimitExceeded", why)
        given = {"taskToken": token, "output": text}
        done = await self._do("SendTaskSuccess", "a task", lambda c: c.send_task_success(**given), _NOBODY)
        return done is not None

    async def beat(self, token: str) -> None:
        """SendTaskHeartbeat."""
        await self._do(
            "SendTaskHeartbeat", "a task", lambda c: c.send_task_heartbeat(taskToken=token), _NOBODY
        )

    async def fail(self, token: str, error: str, cause: str) -> bool:
        """SendTaskFailure."""
        given = {"taskToken": token, "error": error[:MOST_ERROR], "cause": cause[:MOST_CAUSE]}
        done = await self._do("SendTaskFailure", "a task", lambda c: c.send_task_failure(**given), _NOBODY)
        return done is not None

    async def _parent(self, execution: str) -> str:
        item = await self._do(
            "DescribeExecution", execution, lambda c: c.describe_execution(executionArn=execution), _GONE
        )
        if item is None or not item.get("mapRunArn"):
            raise InputError(f"execution `{execution}` is of no Map", code="E696")
        run = item["mapRunArn"]
        told = await self._do("DescribeMapRun", run, lambda c: c.describe_map_run(mapRunArn=run), frozenset())
        parent: str = told["executionArn"]
        return parent

    async def _serves(self, workflow: str, machine: str, document: Mapping[str, Any]) -> bool:
        compiled = compile_for_stepfunctions(document, await self._bound(), workflow).document
        if compiled is None:
            return False
        try:
            told = await self._do(
                "DescribeStateMachine",
                machine,
                lambda c: c.describe_state_machine(stateMachineArn=machine),
                _GONE,
            )
        except ConfigError as error:
            # Roles name the machines that were deployed: for a workflow that has none, AWS says no more than this.
            log.warning("workflow %s runs in Remit itself: %s", workflow, error.message)
            return False
        return told is not None and json.loads(told["definition"]) == compiled

    async def _bound(self) -> Bindings:
        """The bindings with the account and region of this process."""
        if self._bindings is None:
            try:
                who, region = await self._run("sts", lambda c: (c.get_caller_identity(), c.meta.region_name))
            except Exception as error:
                raise aws.failure(error, "sts:GetCallerIdentity", "this process") from error
            partition = who["Arn"].split(":")[1]
            self._bindings = replace(self._given, partition=partition, region=region, account=who["Account"])
        return self._bindings

    async def _do(
        self, action: str, thing: str, call: Callable[[Any], Any], harmless: frozenset[str] | set[str]
    ) -> Any:
        """A call of Step Functions; None for an answer that is `harmless`. Raises ConfigError, StoreError."""
        try:
            return await self._run("stepfunctions", call)
        except Exception as error:
            if aws.code_of(error) in harmless:
                return None
            if isinstance(error, ConfigError):
                raise
            raise aws.failure(error, f"states:{action}", f"`{thing}`") from error

    async def _run(self, service: str, call: Callable[[Any], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: call(self._clients(service)))


def _page(execution: str, token: Mapping[str, str], client: Any) -> Any:
    return client.get_execution_history(
        executionArn=execution, maxResults=PAGE, reverseOrder=True, includeExecutionData=True, **token
    )


def _machine_of(execution: str) -> str:
    return execution.rpartition(":")[0].replace(":execution:", ":stateMachine:")


def _name_of(execution: str) -> str:
    return execution.rpartition(":")[2]
