"""How agents act: the loop of an LLM agent, and the context of a code agent. Both only through the gateway."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from remit.core import event as ev
from remit.core.codec import canonical, convert, digest_of, plain
from remit.core.errors import FencedError, InputError, ModelError, RemitError, StoreError, ToolError
from remit.core.message import Message, user
from remit.core.provenance import Label
from remit.core.rule import PUBLISH
from remit.core.run import (
    AskModel,
    CallTools,
    CheckAnswer,
    Finished,
    GiveUp,
    Run,
    Step,
    message_chars,
    next_step,
)
from remit.core.task import Problem, Result
from remit.core.tool import ToolSpec
from remit.engine import delegation
from remit.engine.blame import place_of
from remit.engine.calls import Ask
from remit.engine.gateway import Gateway
from remit.engine.kit import Kit
from remit.engine.matching import Matching
from remit.engine.numbering import Numbering
from remit.engine.schemas import Validator
from remit.engine.summing import sum_up
from remit.ports.agents import Agent, Memory
from remit.ports.model import ModelRequest

FENCE = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.DOTALL)


class Ended(Exception):
    """The agent is done: with a payload, or with a problem."""

    def __init__(self, payload: Any = None, problem: Problem | None = None) -> None:
        super().__init__()
        self.payload = payload
        self.problem = problem


class LlmLoop:
    """Model, tools, model, ... until an answer; every step through the gateway."""

    def __init__(self, kit: Kit, gateway: Gateway) -> None:
        self.kit = kit
        self.gateway = gateway
        self.run: Run = gateway.run
        self._tools = offered(kit, gateway.run, gateway.terms.tools)
        self._system_chars = len(self.run.agent.instructions) + sum(
            len(t.description) + 3 * len(t.input_schema) * 16 for t in self._tools
        )

    async def step(self) -> None:
        """Do the next thing. Raises Ended, Parked."""
        await sum_up(self.kit, self.gateway)
        match next_step(self.run):
            case AskModel(step):
                await self._ask(step)
            case CallTools(calls):
                await self.gateway.settle(
                    [Ask(step, use.id, use.name, use.input, use.malformed) for step, use in calls]
                )
            case CheckAnswer(text):
                self._check(text)
            case GiveUp(problem):
                raise Ended(problem=problem)

    async def _ask(self, step: str) -> None:
        agent = self.run.agent
        request = ModelRequest(
            model="",
            messages=tuple(self.run.messages),
            system=agent.instructions,
            tools=self._tools,
            max_tokens=agent.max_tokens,
            temperature=agent.temperature,
            output_schema=agent.output_schema,
        )
        try:
            await self.gateway.ask_model(step, request, self.run.chars + self._system_chars)
        except ModelError:
            return  # journaled; the next step gives up

    def _check(self, text: str) -> None:
        schema = self.run.agent.output_schema
        if schema is None:
            raise Ended(payload=text)
        value, reason = parse_output(text, schema)
        if not reason:
            raise Ended(payload=value)
        if self.run.repairs >= self.run.agent.repairs:
            raise Ended(problem=Problem("E622", f"the answer does not fit the output schema: {reason}"))
        self.gateway.recorder.note(ev.OutputRejected(reason, self.run.repairs + 1))


def offered(kit: Kit, run: Run, contracts: Mapping[str, ToolSpec]) -> tuple[ToolSpec, ...]:
    """The tools that a run's model is shown: declared ones that exist, by their contracts, and its delegates."""
    known = kit.catalogue.tools
    tools = [contracts.get(name, known[name].spec) for name in run.agent.tools if name in known]
    tools += [
        delegation.spec(delegation.tool_name(name), name, kit.catalogue) for name in run.agent.delegates
    ]
    return tuple(tools)


def parse_output(text: str, schema: dict[str, Any]) -> tuple[Any, str]:
    """The JSON value in an answer, and why it does not fit (empty when it does)."""
    fenced = FENCE.match(text.strip())
    try:
        value = msgspec.json.decode(fenced.group(1) if fenced else text)
    except (msgspec.DecodeError, RecursionError) as error:
        return None, f"it is not JSON ({error})"
    problems = Validator(schema).problems(value)
    return value, "; ".join(problems[:3])


class RunMemory:
    """Working memory of a run, as a code agent sees it."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation so far."""
        return tuple(self._run.messages)

    def get(self, key: str, default: Any = None) -> Any:
        """The value last put under `key` in this run."""
        return self._run.memory.get(key, default)


class CodeContext:
    """The gateway as a code agent sees it. Calls are numbered task by task; a replay gives recorded answers."""

    def __init__(self, kit: Kit, gateway: Gateway, matching: Matching | None = None) -> None:
        """With `matching` calls are known by what they ask instead of by their number."""
        self._kit = kit
        self._gateway = gateway
        self._run = gateway.run
        self._numbering = Numbering()
        self._matching = matching

    def by_content(self) -> CodeContext:
        """The same for code whose branches keep no order: calls are known by what they ask."""
        return CodeContext(self._kit, self._gateway, Matching(self._run))

    @property
    def run_id(self) -> str:
        """The run."""
        return self._run.run_id

    def now(self) -> int:
        """When the run was created, Unix milliseconds."""
        return self._run.created_ts

    async def call(self, tool: str, /, **arguments: Any) -> Any:
        """Call a tool. Raises ToolError when it failed or was refused."""
        return (await self.call_many([(tool, arguments)]))[0]

    async def call_many(self, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        """Call several tools at once; answers in order. Raises the first ToolError after all have settled."""
        answers = await self.call_all(calls)
        for answer in answers:
            if isinstance(answer, ToolError):
                raise answer
        return answers

    async def call_all(self, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        """As `call_many`, but a call that failed or was refused answers with its ToolError instead of raising it."""
        if self._matching is None:
            asks = [self._ask(self._numbering.next(), name, plain(given)) for name, given in calls]
            await _turn()
        else:
            asks = [await self._matched(self._matching, name, plain(given)) for name, given in calls]
        await self._gateway.settle(asks)
        return [_answer(self._run.steps[a.step]) for a in asks]

    async def ask(self, prompt: str, *, system: str = "", output_schema: dict[str, Any] | None = None) -> Any:
        """Ask the agent's model. Raises ModelError."""
        agent = self._run.agent
        note = self._gateway.recorder.clean({"prompt": prompt, "system": system})
        request = ModelRequest(
            model="",
            messages=(user(note["prompt"]),),
            system=note["system"] or agent.instructions,
            max_tokens=agent.max_tokens,
            temperature=agent.temperature,
            output_schema=output_schema,
        )
        text = (await self._answered(request, note)).text
        if output_schema is None:
            return text
        value, reason = parse_output(text, output_schema)
        if reason:
            raise ModelError(f"the answer does not fit the output schema: {reason}", code="E622")
        return value

    async def chat(
        self,
        messages: Sequence[Message],
        *,
        system: str = "",
        tools: Sequence[ToolSpec] = (),
        output_schema: dict[str, Any] | None = None,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> Message:
        """Ask the agent's model to go on with a conversation. Raises ModelError."""
        agent = self._run.agent
        said, instructions = self._gateway.recorder.clean((plain(list(messages)), system))
        request = ModelRequest(
            model="",
            messages=tuple(convert(said, list[Message])),
            system=instructions or agent.instructions,
            tools=tuple(tools),
            max_tokens=max_tokens or agent.max_tokens,
            temperature=agent.temperature if temperature is None else temperature,
            output_schema=output_schema,
        )
        answered = max((n for n, m in enumerate(said, 1) if m["role"] == "assistant"), default=0)
        note = {"request": digest_of(plain(request)), "system": instructions, "messages": said[answered:]}
        return await self._answered(request, note, said)

    async def _answered(self, request: ModelRequest, note: Any, asked: Any = None) -> Message:
        """The model's answer, recorded or asked for now. `note` is journaled; `asked` is it without the instructions."""
        if self._matching is None:
            step_id = self._numbering.next()
            await _turn()
        else:
            step_id = await self._matching.model(note["prompt"] if asked is None else asked, digest_of(note))
        known = self._run.steps.get(step_id)
        if known is not None and known.kind != "model":
            raise diverged(known, "a model call")
        if known is None or not known.settled:
            chars = sum(map(message_chars, request.messages))
            chars += len(request.system) if request.tools else 0
            chars += sum(len(canonical(t.input_schema)) + len(t.description) for t in request.tools)
            await self._gateway.ask_model(step_id, request, chars, note)
            known = self._run.steps[step_id]
        elif self._matching is None and known.arguments_digest not in ("", digest_of(note)):
            raise diverged(known, "a model call with another prompt")
        if known.problem is not None:
            raise ModelError(known.problem.message, code=known.problem.code, help=known.problem.help)
        answer: Message = known.output
        return answer

    async def delegate(
        self,
        agent: str,
        objective: str,
        *,
        input: Any = None,
        output_schema: dict[str, Any] | None = None,
        max_cost_usd: Decimal | None = None,
    ) -> Result:
        """Hand a task to another agent and wait for its result. Raises ToolError when refused."""
        arguments: dict[str, Any] = {"objective": objective}
        if input is not None:
            arguments["input"] = plain(input)
        if output_schema is not None:
            arguments["output_schema"] = output_schema
        if max_cost_usd is not None:
            arguments["max_cost_usd"] = str(max_cost_usd)
        answer = await self.call(delegation.tool_name(agent), **arguments)
        return msgspec.convert(answer, Result)

    async def remember(self, key: str, value: Any) -> None:
        """Put a value into working memory."""
        key, clean = self._gateway.recorder.clean((key, plain(value)))
        if key in self._run.memory and self._run.memory[key] == clean:
            return
        label = Label(f"agent:{self._run.agent.name}")
        self._gateway.recorder.note(ev.MemoryWritten(key, self._gateway.recorder.pack(clean), label))

    async def publish(self, type: str, data: Any = None, *, key: str = "", subject: str = "") -> str:
        """Publish an event of a declared type, and return its id. Raises ToolError when it was refused."""
        given = {"type": type, "data": data, "key": key, "subject": subject}
        answer = await self.call(
            PUBLISH, **{name: value for name, value in given.items() if value not in ("", None)}
        )
        return str(answer["event_id"])

    async def _matched(self, matching: Matching, name: str, arguments: dict[str, Any]) -> Ask:
        step_id = await matching.tool(name, self._gateway.recorder.clean(arguments))
        return self._ask(step_id, name, arguments)

    def _ask(self, step_id: str, name: str, arguments: dict[str, Any]) -> Ask:
        known = self._run.steps.get(step_id)
        if known is not None:
            clean = self._gateway.recorder.clean(arguments)
            changed = known.arguments_digest not in ("", digest_of(clean)) and not known.approval_id
            if known.kind == "model" or known.name != name or changed:
                raise diverged(known, f"`{name}` with these arguments")
        return Ask(step_id, step_id, name, arguments, from_model=False)


async def _turn() -> None:
    """Let tasks that were started make their first calls, also where a replay answers at once: that orders them."""
    turned = asyncio.Event()
    asyncio.get_running_loop().call_soon(turned.set)
    await turned.wait()


def diverged(step: Step, now: str) -> InputError:
    """The error of an agent that does not make the same calls when it is replayed."""
    return InputError(
        f"step `{step.step}` was `{step.name}` when it was recorded and is {now} now",
        code="E408",
        help="make the agent deterministic: same calls in the same order for the same input and answers; "
        "make parallel calls with `call_many`",
    )


def _answer(step: Step) -> Any:
    if step.state == "done":
        return step.output
    problem = step.problem or Problem("E700", "the call failed")
    return ToolError(problem.message, code=problem.code, help=problem.help)


async def act(kit: Kit, gateway: Gateway, agent: Agent) -> Finished:
    """Run a code agent to its end, or until it must wait (Parked goes through)."""
    run = gateway.run
    await sum_up(kit, gateway)
    memory: Memory = RunMemory(run)
    given = run.task.input if run.task.input is not None else run.task.objective
    try:
        payload = gateway.recorder.clean(plain(await agent.act(given, memory, CodeContext(kit, gateway))))
        gateway.raise_stop()
    except (StoreError, FencedError):
        raise  # not the agent's failure: the run goes on when the store is back, or elsewhere
    except RemitError as error:
        gateway.raise_stop()
        problem = gateway.recorder.problem(error.code, error.message, error.help)
        return Finished("failure", None, problem, kit.clock.now())
    except (Exception, BaseExceptionGroup, asyncio.CancelledError, SystemExit) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        gateway.raise_stop()
        place = place_of(error)
        problem = gateway.recorder.problem(
            "E710",
            f"agent `{run.agent.name}` raised {type(error).__name__}: {error}"
            + (f" ({place})" if place else ""),
            "correct the agent's code; what is raised as a `remit.ToolError` ends the run with a sentence of its own",
        )
        return Finished("failure", None, problem, kit.clock.now())
    return _judged(run, payload, kit)


def _judged(run: Run, payload: Any, kit: Kit) -> Finished:
    schema = run.agent.output_schema
    if schema is not None:
        problems = Validator(schema).problems(payload)
        if problems:
            return Finished(
                "failure",
                payload,
                Problem("E622", f"the output does not fit its schema: {problems[0]}"),
                kit.clock.now(),
            )
    verdict = payload.get("status") if isinstance(payload, dict) else None
    if verdict in ("FAILED", "ERROR"):
        problem = Problem("E711", str(payload.get("reason") or f"agent `{run.agent.name}` reports {verdict}"))
        return Finished("failure", payload, problem, kit.clock.now())
    return Finished("success", payload, None, kit.clock.now())
