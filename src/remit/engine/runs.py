"""Runs from outside: submit, look, follow, cancel."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from remit.core import event as ev
from remit.core.approval import OPEN, Approval
from remit.core.budget import Budget, tighten
from remit.core.codec import decode, digest_of, encode, plain
from remit.core.errors import (
    BudgetError,
    ConditionError,
    ConfigError,
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    RemitError,
    RunExistsError,
)
from remit.core.payload import NOTHING, Payload, load, pack
from remit.core.policy import PolicyRequest, Principal
from remit.core.provenance import Labels, merge
from remit.core.result import result_of, view_of
from remit.core.signal import CancelAsked, Nudged
from remit.core.task import Actor, Artifact, Result, Task
from remit.core.view import EventView, RunView
from remit.engine import creation, envelopes, loading, resolving, run_lists
from remit.engine.conversations import Conversations
from remit.engine.kit import Kit
from remit.engine.profiles import InForce, in_force
from remit.engine.registry import Registry
from remit.engine.resolving import Resolved
from remit.engine.schemas import check_schema
from remit.engine.workflows import catalog
from remit.engine.workflows.names import INLINE
from remit.engine.workflows.stepfunctions.placing import execution_for
from remit.ports.model import Delta
from remit.ports.policy import Policy
from remit.ports.store import Entry, Page, RunHead, Signal, Write, tail

Events = list[EventView]
Entries = list[Entry]
Writes = list[Write]

if TYPE_CHECKING:
    from remit.engine.stepping import Stepping
    from remit.engine.summaries import Summaries

Approvals = list[Approval]

NEWEST = 200
"""Approvals of one run that are looked through for open ones, besides those that its record names."""

WORKING = ev.MemoryWritten.__name__
"""The events that hold values of a run's working memory, which expire."""


class Runs:
    """The runs of all tenants; every question names its tenant."""

    def __init__(
        self,
        kit: Kit,
        deltas: Deltas,
        conversations: Conversations,
        *,
        working_ttl_s: float,
    ) -> None:
        """`working_ttl_s`: for how long the working memory of a run can be read after its end."""
        self._kit = kit
        self._working_ttl_ms = round(working_ttl_s * 1000)
        self._deltas = deltas
        self._conversations = conversations

    @cached_property
    def stepping(self) -> Stepping:
        """The steps of runs, page by page; loaded, as all that reads for people, when it is asked."""
        from remit.engine.stepping import Stepping

        return Stepping(self._kit.store, self._kit.clock)

    @cached_property
    def summaries(self) -> Summaries:
        """Runs in short."""
        from remit.engine.summaries import Summaries

        return Summaries(self._kit)

    async def submit(
        self, task: Task, document: Any = None, *, labels: Labels = Labels(), execution: str = ""
    ) -> str:
        """Accept a task and return its run's id; the same task again returns the same run.

        `labels` are those of what the task was made from, besides its session. A task that brings a States Language
        `document` with it is a run of `workflow:inline`, whatever agent it names: that is what policy is asked about.
        Raises InputError E632 for one that could not run. `execution`: the ARN of an execution of Step Functions that has begun
        by itself, and that the run is to go along with.

        Raises NotFoundError (agent), DeniedError (policy, a disabled agent), ConflictError E404 (another task under this id), BudgetError.
        """
        if not task.task_id:
            raise InputError(
                "a task needs a `task_id`", code="E109", help="any text that is new for each task"
            )
        run_id = root_run_id(task.tenant_id, task.task_id)
        key = task.session_id or run_id
        try:
            if document is not None:
                task = replace(task, agent=INLINE)
                agent = await catalog.inline(self._kit, task.tenant_id, document, key)
            else:
                agent = await resolving.resolve(
                    self._kit.registry, self._kit.catalogue, task.tenant_id, task.agent, key
                )
        except (NotFoundError, DeniedError) as error:
            return await self._begun(run_id, task, error, document)
        return await self._start(run_id, task, agent, labels, execution)

    async def _start(self, run_id: str, task: Task, agent: Resolved, labels: Labels, execution: str) -> str:
        policy = await may_start(self._kit.registry, self._kit.policy, task, run_id)
        task = self._clean(_checked(task), policy.key)
        budget = tighten(policy.profile.budget, task.constraints.budget)
        contents: dict[str, bytes] = {}
        envelope, writes = await self._reserve(run_id, task, budget)
        workflow = NOTHING if agent.document is None else pack(agent.document, contents)
        created = ev.RunCreated(
            task=task,
            agent=creation.with_output(agent.spec, task.output_schema),
            agent_digest=digest_of(agent.spec),
            profile=task.policy_profile,
            profile_digest=policy.profile.digest,
            budget=budget,
            root_run=run_id,
            labels=labels,
            envelope=envelope,
            workflow=workflow,
            execution=execution or await execution_for(self._kit, agent.spec.name, agent.document, run_id),
            definitions=agent.used if policy.used is None else (*agent.used, policy.used),
        )
        try:
            await self._create(run_id, created, contents, writes)
        except RunExistsError:
            await self._same(run_id, task, agent.document)
        except ConditionError as error:
            await envelopes.note_refused(self._kit, task.tenant_id, budget)
            raise BudgetError(
                f"the envelope of tenant `{task.tenant_id}` has less than this run's budget left",
                code="E506",
                help="lower `max_cost_usd` of the task, or wait until other runs end",
            ) from error
        return run_id

    async def _create(
        self, run_id: str, created: ev.RunCreated, contents: dict[str, bytes], writes: Writes
    ) -> None:
        """Create the run as the next turn of its conversation, if it has a session."""
        task = created.task
        while True:
            turn = await self._conversations.turn(task, sums_up=created.workflow is NOTHING)
            known = dict(contents)
            history = pack(plain(list(turn.history)), known) if turn.history else NOTHING
            labels = merge(created.labels, turn.labels)
            given = created.labels if labels != created.labels else None
            begun = replace(created, history=history, labels=labels, given=given, older=turn.older)
            try:
                await creation.create(
                    self._kit, run_id, begun, contents=known, writes=[*turn.writes, *writes], at=turn.at
                )
            except ConditionError:
                if not await self._conversations.moved(task, turn):
                    raise
            else:
                return

    def _clean(self, task: Task, profile: str) -> Task:
        redactor = self._kit.redactor(profile)
        trace = (
            task.trace_id or hashlib.sha256(f"{task.tenant_id}\x00{task.task_id}".encode()).hexdigest()[:32]
        )
        return replace(
            task,
            objective=redactor.text(task.objective),
            input=redactor.value(task.input),
            trace_id=trace,
        )

    async def _reserve(self, run_id: str, task: Task, budget: Budget) -> tuple[str, Writes]:
        if await self._kit.store.head(run_id) is not None:
            return "", []
        return await envelopes.take(self._kit, task.tenant_id, budget)

    async def _begun(self, run_id: str, task: Task, refusal: RemitError, document: Any = None) -> str:
        """The run of a task whose agent starts none now: there is one if the task was submitted before."""
        if await self._kit.store.head(run_id) is None:
            raise refusal
        policy = await may_start(self._kit.registry, self._kit.policy, task, run_id)
        try:
            await self._same(run_id, self._clean(_checked(task), policy.key), document)
        except ConflictError:
            raise refusal from None
        return run_id

    async def _same(self, run_id: str, task: Task, document: Any = None) -> None:
        start, contents = await loading.start(self._kit.store, run_id)
        begun = start.task
        brought = load(start.workflow, contents) if task.agent == INLINE else document
        if (begun.agent, begun.objective, begun.input, brought) != (
            task.agent,
            task.objective,
            task.input,
            document,
        ):
            raise ConflictError(
                f"task `{task.task_id}` was submitted before with another content",
                code="E404",
                help="use a fresh task id",
            )

    # looking

    async def view(self, run_id: str, tenant_id: str) -> RunView:
        """Everything about a run at this moment; of a long one its newest steps. Raises NotFoundError."""
        from remit.engine.long_runs import is_long, view_of_long

        if is_long(await self.stepping.head(run_id, tenant_id)):
            return await view_of_long(self.summaries, self.stepping, run_id, tenant_id)
        run, _ = await loading.load(self._kit.store, run_id, tenant_id)
        return view_of(run)

    async def result(self, run_id: str, tenant_id: str) -> Result | None:
        """The result; None while the run works. A run that waits for a person has one: `needs_approval` or `needs_info`.

        That of a long run comes without its log of decisions. Raises NotFoundError.
        """
        head = await self._mine(run_id, tenant_id)
        if head.status == "ended":
            return await self._so_far(head)
        asked = await self._asked(run_id) if head.status == "waiting" else []
        if not asked:
            return None
        questions = all(a.status == "info_requested" for a in asked)
        return replace(
            await self._so_far(head),
            status="needs_info" if questions else "needs_approval",
            waiting_on=tuple(f"approval:{a.approval_id}" for a in asked),
        )

    async def _so_far(self, head: RunHead) -> Result:
        from remit.engine.long_runs import is_long, result_of_long

        if is_long(head):
            return await result_of_long(self.summaries, self.stepping, head.run_id, head.tenant_id)
        run, _ = await loading.load(self._kit.store, head.run_id)
        return result_of(run)

    async def artifacts(self, run_id: str, tenant_id: str) -> tuple[Artifact, ...]:
        """What a run made so far, in order. Raises NotFoundError."""
        from remit.engine.long_runs import FOR_S, is_long

        if is_long(await self.stepping.head(run_id, tenant_id)):
            _, whole = await self.stepping.whole(run_id, tenant_id, for_s=FOR_S)
            return tuple(whole.fold.artifacts)
        run, _ = await loading.load(self._kit.store, run_id, tenant_id)
        return tuple(run.artifacts)

    async def artifact(self, run_id: str, tenant_id: str, reference: str) -> tuple[Artifact, bytes]:
        """The artifact of a run with this digest, or its newest with this name, and its bytes. Raises NotFoundError."""
        for artifact in reversed(await self.artifacts(run_id, tenant_id)):
            if reference in (artifact.digest, artifact.name):
                return artifact, await self._kit.blobs.get(artifact.digest)
        raise NotFoundError(
            f"run `{run_id}` made nothing called `{reference[:200]}`",
            help=f"`remit runs artifacts {run_id}` lists it",
        )

    async def _asked(self, run_id: str) -> Approvals:
        """What people are asked by a run and by the children it waits for, at any depth. Its record says for what it waits."""
        store = self._kit.store
        row = await store.get("agent_run", (run_id,)) or {}
        waits = [name.partition(":") for name in row.get("waiting_on", ())]
        # One that is in doubt is asked about also where the run waits for something else first.
        newest = await store.query("approval_event", "by_run", (run_id,), descending=True, limit=NEWEST)
        found = {item["approval_id"]: item for item in reversed(newest.items)}
        for name in (what for kind, _, what in waits if kind == "approval" and what not in found):
            found[name] = await store.get("approval_event", (name,)) or {}
        asked = [decode(i["approval"], Approval) for i in found.values() if i.get("status") in OPEN]
        for child in (what for kind, _, what in waits if kind == "child"):
            asked += await self._asked(child)
        return asked

    async def list(
        self,
        tenant_id: str,
        *,
        status: str = "",
        agent: str = "",
        workflow: str = "",
        session_id: str = "",
        since: int | None = None,
        until: int | None = None,
        top: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page:
        """Runs of a tenant, newest first; see `RunFilter`. A page may be short, and still have a cursor. Raises InputError."""
        wanted = run_lists.RunFilter(status, agent, workflow, session_id, since, until, top)
        return await run_lists.listed(self._kit.store, tenant_id, wanted, limit=limit, cursor=cursor)

    async def strips(self, tenant_id: str, names: Sequence[str]) -> run_lists.RunStrips:
        """The last runs of each of these agents or workflows. Raises InputError E1000."""
        return await run_lists.strips(self._kit.store, tenant_id, names)

    async def events(self, run_id: str, tenant_id: str, *, after: int = -1, limit: int = 500) -> Events:
        """Events after seq `after`, at most `limit`. Raises NotFoundError."""
        await self._mine(run_id, tenant_id)
        entries = await self._kit.store.read(run_id, after=after, limit=limit)
        return await self._without_expired(run_id, await self._views(run_id, entries))

    async def follow(self, run_id: str, tenant_id: str, *, after: int = -1) -> AsyncIterator[EventView]:
        """Events as they happen, until the run has ended. Raises NotFoundError."""
        await self._mine(run_id, tenant_id)
        async for entry in tail(self._kit.store, run_id, after=after, poll_s=1.0):
            for view in await self._without_expired(run_id, await self._views(run_id, [entry])):
                yield view
                if view.type == "RunFinished":
                    return

    def deltas(self, run_id: str) -> AsyncIterator[Delta]:
        """Tokens while they stream, in this process only; lossy by design."""
        return self._deltas.listen(run_id)

    async def _mine(self, run_id: str, tenant_id: str) -> RunHead:
        head = await self._kit.store.head(run_id)
        if head is None or head.tenant_id != tenant_id:
            raise loading.missing(run_id)
        return head

    async def _views(self, run_id: str, entries: Entries) -> Events:
        contents: dict[str, bytes] = {}
        events = await loading.events(self._kit.store, run_id, entries, contents)
        return [
            EventView(e.seq, e.ts, e.epoch, type(e.data).__name__, shown(e.data, contents), entry.hash.hex())
            for e, entry in zip(events, entries, strict=True)
        ]

    async def _without_expired(self, run_id: str, views: Events) -> Events:
        """The events without the values of working memory, once the run ended so long ago that these have expired."""
        if not any(view.type == WORKING for view in views):
            return views
        row = await self._kit.store.get("agent_run", (run_id,))
        ended = row["end_ts"] if row else None
        if ended is None or self._kit.clock.now() < ended + self._working_ttl_ms:
            return views
        gone = {"value": None, "expired": True}
        return [replace(v, data={**v.data, **gone}) if v.type == WORKING else v for v in views]

    # steering

    async def cancel(self, run_id: str, tenant_id: str, actor: Actor, reason: str) -> None:
        """Ask a run to end, and its children with it. Harmless for one that has ended."""
        await self._mine(run_id, tenant_id)
        reason = self._kit.redactor("default").text(reason)
        body = encode(CancelAsked(actor.actor_id, reason))
        await self._kit.store.transact([Signal(run_id, self._kit.clock.new_id("cancel"), body)])

    async def resume(self, run_id: str, tenant_id: str, actor: Actor) -> None:
        """Let a waiting run look again now."""
        await self._mine(run_id, tenant_id)
        body = encode(Nudged(actor.actor_id))
        await self._kit.store.transact([Signal(run_id, self._kit.clock.new_id("nudge"), body)])


class Deltas:
    """Tokens on their way to whoever listens in this process. A slow listener loses tokens, never blocks a run."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[Delta]]] = {}

    def publish(self, run_id: str, delta: Delta) -> None:
        """Hand a token to the listeners of a run."""
        for queue in self._queues.get(run_id, ()):
            if not queue.full():
                queue.put_nowait(delta)

    async def listen(self, run_id: str) -> AsyncIterator[Delta]:
        """Tokens of a run from now on."""
        queue: asyncio.Queue[Delta] = asyncio.Queue(maxsize=1000)
        self._queues.setdefault(run_id, set()).add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._queues[run_id].discard(queue)
            if not self._queues[run_id]:
                del self._queues[run_id]


def _checked(task: Task) -> Task:
    """The task, if its input and its output schema are what JSON can hold. Raises InputError."""
    try:
        if task.output_schema is not None:
            check_schema(task.output_schema)
        return replace(task, input=plain(task.input))
    except ConfigError as error:
        raise InputError(f"`output_schema`: {error.message}", code="E129", help=error.help) from error
    except (RecursionError, TypeError, ValueError) as error:
        raise InputError(f"`input` cannot be written as JSON: {error}", code="E101") from error


async def may_start(registry: Registry, policy: Policy, task: Task, run_id: str = "") -> InForce:
    """The profile that the task's run goes by. Raise DeniedError E301 unless it lets the task's actor start its agent."""
    found = await in_force(
        registry, policy, task.tenant_id, task.policy_profile, key=task.session_id or run_id
    )
    actor = task.actor_context
    decision = policy.decide(
        PolicyRequest(
            Principal(task.tenant_id, actor.actor_id, actor.roles),
            "start_run",
            task.agent.partition("@")[0],
            profile=found.key,
        )
    )
    if decision.verdict != "allow":
        raise DeniedError(
            decision.reason or f"policy does not let `{actor.actor_id}` start `{task.agent}`",
            code="E301",
            help=decision.help,
        )
    return found


def root_run_id(tenant_id: str, task_id: str) -> str:
    """The id of the run of a task: submitting it twice gives one run."""
    return "run_" + hashlib.sha256(f"root\x00{tenant_id}\x00{task_id}".encode()).hexdigest()[:26]


def shown(data: Any, contents: dict[str, bytes]) -> dict[str, Any]:
    """An event's data for a reader, with payloads filled in."""
    out: dict[str, Any] = {}
    for name in data.__struct_fields__:
        value = getattr(data, name)
        out[name] = load(value, contents) if isinstance(value, Payload) else plain(value)
    return out
