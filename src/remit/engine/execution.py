"""One call of a tool whose intent is journaled: attempts, time limits, and what to believe when it goes wrong."""

from __future__ import annotations

import asyncio
from typing import Any

from remit.core import event as ev
from remit.core.codec import encode
from remit.core.errors import ArgumentsError, ToolError, is_code
from remit.core.provenance import Label, covering
from remit.core.run import Run, Step
from remit.core.task import Artifact
from remit.core.tool import ToolSpec
from remit.engine import ledger_rows, telling
from remit.engine.breaker import Breaker
from remit.engine.contracts import output_problems
from remit.engine.effects import Recorder
from remit.engine.kit import Kit
from remit.engine.tenant_secrets import TenantSecrets
from remit.ports.agents import Found, Kept, Tool, ToolContext
from remit.ports.store import Write

PREVIEW_CHARS = 2000


class Unknown(Exception):
    """The attempt went wrong in a way that does not tell whether its effect happened.

    `running`: it may still be going on (a blocking tool past its time limit), so that "not yet" is no answer.
    """

    def __init__(self, why: str, *, running: bool = False) -> None:
        super().__init__(why)
        self.running = running


class Execution:
    """Executes one step to its outcome, or to doubt."""

    def __init__(
        self,
        kit: Kit,
        recorder: Recorder,
        tool: Tool,
        spec: ToolSpec,
        step: Step,
        breaker: Breaker,
        *,
        timeout_s: float | None = None,
    ) -> None:
        """`spec` is the tool's in this run: of its code, or narrowed by a definition. `timeout_s` bounds an attempt besides the tool's own limit."""
        self.kit = kit
        self.recorder = recorder
        self.tool = tool
        self.spec = spec
        self.step = step
        self.breaker = breaker
        self.timeout_s = min(self.spec.timeout_s, timeout_s or self.spec.timeout_s)
        self.began = kit.clock.monotonic()
        self.tries = 0
        self.kept: list[Kept] = []
        self.read: list[Label] = []

    async def run(self) -> str:
        """Execute the step, whose intent was written just now. Returns why it is in doubt, or the empty string."""
        try:
            with telling.tool_span(self.kit.telemetry, self.recorder.run, self.step, self.spec):
                output = await self._attempts()
        except ToolError as error:
            self._failed(error.code, error.message, error.help, answered=isinstance(error, ArgumentsError))
            await self._flush()
            return ""
        except Unknown as error:
            return await self._unknown(error)
        await self._done(output, "call")
        return ""

    async def recover(self) -> str:
        """Bring a step to its outcome that was begun before and has none. Returns why it is in doubt, or the empty string."""
        return await self._recover("the call was begun, and nothing recorded its outcome", may_repeat=True)

    # attempts

    async def _attempts(self) -> Any:
        """Call within the retry budget. An attempt of unknown outcome is repeated only if that is harmless."""
        retry = self.spec.retry
        while True:
            self.tries += 1
            try:
                return await self._attempt()
            except ToolError as error:
                if not error.retryable or self.tries >= retry.attempts:
                    raise
            except Unknown:
                if self.spec.effect not in ("read", "keyed") or self.tries >= retry.attempts:
                    raise
            ceiling = min(retry.max_s, retry.base_s * 2 ** (self.tries - 1))
            await self.kit.clock.sleep(ceiling * self.kit.clock.random())

    async def _attempt(self) -> Any:
        self.recorder.crash(f"before:effect:{self.spec.name}")
        if self.spec.effect != "read":
            await self.recorder.assure()
        try:
            async with asyncio.timeout(self.timeout_s):
                output = await self.tool.call(self.step.arguments, self._context())
        except ToolError:
            raise
        except TimeoutError as error:
            why = f"`{self.spec.name}` did not answer within {self.timeout_s:g} s"
            raise Unknown(why, running=True) from error
        except asyncio.CancelledError as error:
            if _cancelled():
                raise
            raise Unknown(f"`{self.spec.name}` was cancelled from within") from error
        except SystemExit as error:
            raise Unknown(f"`{self.spec.name}` tried to end the process") from error
        except Exception as error:
            raise Unknown(f"`{self.spec.name}` raised {type(error).__name__}: {error}") from error
        self.recorder.crash(f"after:effect:{self.spec.name}")
        return output

    def _context(self) -> ToolContext:
        task = self.recorder.run.task
        self.kept, self.read = [], []
        return ToolContext(
            run_id=self.recorder.run.run_id,
            step=self.step.step,
            tenant_id=task.tenant_id,
            actor=task.actor_context,
            agent=self.recorder.run.agent.name,
            idempotency_key=self.step.key,
            attempt=self.tries,
            clock=self.kit.clock,
            secrets=TenantSecrets(self.kit.secrets, task.tenant_id),
            platform=self.kit.platform(task) if self.kit.platform else None,
            kept=self.kept,
            read=self.read,
            facilities=self.kit.facilities(self.recorder.run, self.step) if self.kit.facilities else None,
            labels=self.recorder.run.labels,
            policy_profile=self.recorder.run.start.profile,
            max_risk=task.constraints.max_risk,
            tool_version=self.spec.version,
            started_ts=self.step.started_ts,
        )

    # doubt

    async def _unknown(self, error: Unknown) -> str:
        if self.spec.effect == "read":
            self._failed("E712" if error.running else "E708", str(error), "")
            await self._flush()
            return ""
        return await self._recover(str(error), may_repeat=not error.running)

    async def _recover(self, why: str, *, may_repeat: bool) -> str:
        """Ask the tool whether it happened; if it cannot say, a person must."""
        if not self.tool.can_reconcile:
            return why
        try:
            async with asyncio.timeout(self.spec.timeout_s):
                found: Found = await self.tool.reconcile(self.step.arguments, self._context())
        except Exception as error:
            return f"{why}; and `reconcile` failed: {error}"
        if found.happened:
            await self._done(found.output, "reconcile")
            return ""
        if not may_repeat:
            return f"{why}; it has not happened so far and may still be going on"
        on_its_way_s = self._on_its_way_s()
        if on_its_way_s > 0:
            await self.kit.clock.sleep(on_its_way_s)
            return await self._recover(why, may_repeat=True)
        return await self._again()

    def _on_its_way_s(self) -> float:
        """How long the first call may still be on its way: until its time limit, counted from its intent.

        Whoever made it may have been killed, or still be at it, with the request sent and not yet arrived. That it
        has not happened is believed only after that.
        """
        since_s = (self.kit.clock.now() - self.step.started_ts) / 1000
        return min(self.spec.timeout_s - since_s, self.spec.timeout_s)

    async def _again(self) -> str:
        """It certainly did not happen: intend it anew under this epoch and do it, once."""
        if self.step.attempt >= self.spec.retry.attempts + 1:
            self._failed("E709", f"`{self.spec.name}` did not happen in {self.step.attempt} attempts", "")
            await self._flush()
            return ""
        attempt, key, held = self.step.attempt + 1, self.step.key, self.step.reserved
        self.recorder.note(ev.EffectReopened(self.step.step, "reconcile"))
        await self.recorder.record(ev.EffectIntended(self.step.step, key, attempt, held), durable=True)
        return await self.run()

    # outcomes

    async def _done(self, output: Any, found_by: Any) -> None:
        clean = self.recorder.clean(output)
        clean, artifacts = await self._cap(clean)
        problem = self._post_check(clean) if not artifacts else ""
        if problem and self.spec.effect == "read":
            self._failed("E706", problem, "")
            await self._flush()
            return
        if problem:
            clean = {"output": clean, "warning": problem}
        self.breaker.succeeded()
        payload = self.recorder.pack(clean)
        latency = self._latency()
        self.recorder.note(
            ev.EffectDone(
                self.step.step,
                payload,
                self._label(),
                latency,
                max(self.tries, 1),
                artifacts=(*artifacts, *await self._keep()),
                found_by=found_by,
            )
        )
        telling.tool_settled(self.kit.telemetry, self.spec, "done", latency)
        await self._flush()

    def _failed(self, code: str, message: str, help: str, *, answered: bool = False) -> None:
        self.breaker.succeeded() if answered or _answered(code) else self.breaker.failed()
        latency = self._latency()
        self.recorder.note(
            ev.EffectFailed(
                self.step.step,
                self.recorder.problem(code, message, help),
                latency,
                max(self.tries, 1),
                label=self._label(),
            )
        )
        telling.tool_settled(self.kit.telemetry, self.spec, code, latency)

    def _label(self) -> Label:
        """What the tool said, also that it failed, is as trusted as the tool, and as what the call says it has read."""
        return covering(Label(f"tool:{self.spec.name}", self.spec.trust, self.spec.sensitivity), self.read)

    async def _flush(self) -> None:
        """An effect's outcome is written at once; a read's goes with the next append, since it can be read again."""
        row = [ledger_rows.as_it_ended(self.recorder.run, self.step)]
        if self.spec.effect == "read":
            self.recorder.note_later(row)
        else:
            await self.recorder.record(writes=row)

    def _post_check(self, output: Any) -> str:
        problems = output_problems(self.spec, self.tool, output)
        return f"the output of `{self.spec.name}` does not fit its schema: {problems[0]}" if problems else ""

    async def _cap(self, output: Any) -> tuple[Any, tuple[Artifact, ...]]:
        """A large output becomes an artifact and a preview."""
        data = encode(output)
        if len(data) <= self.spec.max_output_bytes:
            return output, ()
        digest = await self.kit.blobs.put(data)
        artifact = Artifact(
            f"{self.spec.name}-{self.step.step}.json", digest, "application/json", len(data), self.step.step
        )
        preview = data[: PREVIEW_CHARS * 4].decode("utf-8", "ignore")[:PREVIEW_CHARS]
        return {"truncated": True, "size_bytes": len(data), "artifact": digest, "preview": preview}, (
            artifact,
        )

    async def _keep(self) -> list[Artifact]:
        """Store what the tool asked to keep."""
        return [
            Artifact(k.name, await self.kit.blobs.put(k.data), k.media_type, len(k.data), self.step.step)
            for k in self.kept
        ]

    def _latency(self) -> float:
        return round((self.kit.clock.monotonic() - self.began) * 1000, 3)


def unwritten(run: Run) -> list[Write]:
    """The ledger rows of a run whose last holder went without a word: those of reads may have gone with it."""
    if run.epoch == 0 or run.waiting_on:
        return []
    called = (s for s in run.steps.values() if s.kind == "tool" and s.key)
    return [ledger_rows.as_it_ended(run, step) for step in called if step.state in ("done", "failed")]


def _answered(code: str) -> bool:
    """Whether a failure is the tool's own answer, under the code of its author, and no trouble with the tool."""
    return code == "E700" or not is_code(code)


def _cancelled() -> bool:
    """Whether somebody asked this task to stop, as opposed to a tool that raised CancelledError by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
