"""Asking a model: policy, budget, intent, call, answer. The gateway's half for models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from remit.core import event as ev
from remit.core.budget import Usage, exceeded
from remit.core.codec import convert, plain
from remit.core.errors import ModelError
from remit.core.message import Message
from remit.core.payload import NOTHING
from remit.core.policy import PolicyRequest, Principal
from remit.core.task import Problem
from remit.engine import resolving, telling
from remit.engine.answer_cache import AnswerCache
from remit.engine.decisions import refusal
from remit.engine.effects import Recorder
from remit.engine.guarding import guarded
from remit.engine.kit import Kit
from remit.engine.streaming import CleanStream
from remit.ports.model import Delta, ModelRequest
from remit.ports.store import Write


class Asking:
    """Asks the model of one run, under one lease."""

    def __init__(self, kit: Kit, recorder: Recorder, principal: Principal, profile: str) -> None:
        """`profile` is what policy knows the run's profile by."""
        self.kit = kit
        self.recorder = recorder
        self.run = recorder.run
        self.principal = principal
        self.profile = profile

    async def ask(
        self, step_id: str, request: ModelRequest, chars: int, request_note: Any, *, streams: bool = True
    ) -> Message:
        """Ask the agent's model as step `step_id`. Raises ModelError after it was journaled."""
        route = self.run.agent.model
        decision = self.kit.policy.decide(
            PolicyRequest(self.principal, "use_model", route, {}, self.run.labels, {}, {}, self.profile)
        )
        if decision.verdict != "allow":
            why = decision.reason or "policy refuses this model"
            row = refusal(self.run, step_id, "model", route, decision, self.kit.clock.now())
            problem = self.recorder.problem("E301", why, decision.help)
            return await self._model_refused(step_id, route, problem, [row])
        pinned = await resolving.pinned_route(self.kit.registry, self.kit.models, self.run)
        hold = self.kit.models.reserve(pinned, chars, request.max_tokens)
        reason = exceeded(self.run.budget, self.run.usage, self.run.held, hold)
        if reason:
            return await self._model_refused(
                step_id, route, Problem("E501", reason, "raise the limit, or do less")
            )
        known = self.run.steps.get(step_id)
        attempt = known.attempt + 1 if known else 1
        note = NOTHING if request_note is None else self.recorder.pack(request_note)
        self.recorder.note(ev.ModelAsked(step_id, route, len(self.run.messages), attempt, hold, note))
        if hold.cost_usd:
            await self.recorder.flush()
        else:
            # A call that costs nothing loses nothing: its intent need not be waited for.
            self.recorder.flush_soon()
        self.recorder.crash("before:model")
        return await self._answer(step_id, route, pinned, request, streams)

    async def _answer(
        self, step_id: str, route: str, pinned: str, request: ModelRequest, streams: bool
    ) -> Message:
        telemetry = self.kit.telemetry
        with telling.model_span(telemetry, self.run, step_id, route) as span:
            stream = CleanStream(self.recorder.clean, self._on_delta if streams else _to_nobody)
            caches = self.kit.models.cache_ttl_s(pinned) > 0
            cache = AnswerCache(self.kit, self.run.task.tenant_id, self.profile) if caches else None
            ask = self.kit.models.ask if cache is None else cache.ask
            try:
                answer = await guarded(self.kit, ask, pinned, request, stream)
            except ModelError as error:
                telling.model_failed(telemetry, span, route, error.code, self.recorder.clean(error.message))
                await self._model_failed(step_id, route, error)
                raise
            stream.end()
            telling.model_answered(telemetry, span, answer)
        self.recorder.crash("after:model")
        message = _clean_message(self.recorder, answer.reply.message)
        self.recorder.note(
            ev.ModelAnswered(
                step_id,
                answer.model,
                self.recorder.pack(message),
                answer.reply.stop_reason,
                replace(answer.usage, model_calls=1),
                answer.latency_ms,
                answer.tries,
                answer.incidents,
            ),
            writes=() if cache is None else cache.keeping(answer, message),
        )
        return message

    def _on_delta(self, delta: Delta) -> None:
        self.kit.on_delta(self.run.run_id, delta)

    async def _model_failed(self, step_id: str, route: str, error: ModelError) -> None:
        problem = self.recorder.problem(error.code, error.message, error.help)
        usage = getattr(error, "usage", Usage())
        tries, incidents = getattr(error, "tries", 1), tuple(getattr(error, "incidents", ()))
        await self.recorder.record(ev.ModelFailed(step_id, route, problem, usage, tries, incidents))

    async def _model_refused(
        self, step_id: str, route: str, problem: Problem, writes: Sequence[Write] = ()
    ) -> Message:
        self.recorder.note(
            ev.ModelAsked(step_id, route, len(self.run.messages)),
            ev.ModelFailed(step_id, route, problem),
            writes=writes,
        )
        await self.recorder.flush()
        raise ModelError(problem.message, code=problem.code, help=problem.help)


def _to_nobody(delta: Delta) -> None:
    """Nobody is to read it."""


def _clean_message(recorder: Recorder, message: Message) -> Message:
    """The message without secrets and PII in text and tool input; the very same object when nothing was found."""
    before = plain(message)
    after = recorder.clean(before)
    return message if after is before or after == before else convert(after, Message)
