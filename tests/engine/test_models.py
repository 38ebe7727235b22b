"""Routes, retries, fallbacks, breakers and prices around the model port; time is the test's."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

import pytest

from remit.adapters.model.rules import RulesModel
from remit.adapters.model.scripted import ScriptedModel
from remit.core.budget import Usage
from remit.core.errors import ConfigError, InputError, ModelError
from remit.core.message import Document, Image, Message, Text, Thinking, ToolResult, ToolUse, assistant, user
from remit.core.pricing import Price, PriceTable, parse_prices
from remit.core.tool import Retry
from remit.engine.models import (
    Answer,
    AskError,
    BreakerSettings,
    ModelAccess,
    Route,
    chars_of,
    default_prices,
)
from remit.ports.model import Delta, Model, ModelReply, ModelRequest, OnDelta

PRICE = Price(Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75"))
ASKED = ModelRequest("ignored", (user("Hello"),), timeout_s=60.0)


class FakeClock:
    """Time that passes only when somebody waits."""

    def __init__(self, random: float = 0.5) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self._random = random

    def now(self) -> int:
        return int(self.time * 1000)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def new_id(self, prefix: str) -> str:
        return prefix

    def random(self) -> float:
        return self._random


def busy(**fields: float) -> ModelError:
    """A retryable failure."""
    return ModelError("busy", code="E603", retryable=True, **fields)  # type: ignore[arg-type]


def refused(code: str = "E602") -> ModelError:
    """A failure that asking again does not cure."""
    return ModelError("no", code=code)


def access(
    clock: FakeClock,
    *,
    attempts: int = 3,
    breaker: BreakerSettings | None = None,
    fallbacks: bool = True,
    **models: Model,
) -> ModelAccess:
    """One route per model, named like it; `main` falls back to the others in order."""
    others = tuple(name for name in models if name != "main")
    routes = {
        name: Route(name, f"{name}-model", others if name == "main" and fallbacks else (), price=PRICE)
        for name in models
    }
    return ModelAccess(
        routes, models, PriceTable({}), clock, breaker=breaker, retry=Retry(attempts, base_s=1.0, max_s=8.0)
    )


async def fails(models: ModelAccess, route: str = "main", asked: ModelRequest = ASKED) -> AskError:
    with pytest.raises(AskError) as caught:
        await models.ask(route, asked)
    return caught.value


async def test_an_answer_is_priced() -> None:
    """Tokens times price, in Decimal; the route's model is asked, whatever the request says."""
    model = ScriptedModel(["x" * 400])
    answer = await access(FakeClock(), main=model).ask("main", ASKED)
    usage = answer.reply.usage
    assert usage.cost_usd == (3 * usage.input_tokens + 15 * usage.output_tokens) / Decimal(1_000_000)
    assert usage.output_tokens == 101
    assert (answer.usage, answer.route, answer.model, answer.tries, answer.incidents) == (
        usage,
        "main",
        "main-model",
        1,
        (),
    )
    assert model.requests[0].model == "main-model"


async def test_the_route_caps_tokens_and_time() -> None:
    """The smaller of the request's and the route's limits goes out."""
    model = ScriptedModel(["a", "b"])
    models = ModelAccess({"r": Route("m", "x", (), 100, 5.0)}, {"m": model}, PriceTable({}), FakeClock())
    await models.ask("r", ModelRequest("", (user("x"),), max_tokens=4000, timeout_s=60.0))
    await models.ask("r", ModelRequest("", (user("x"),), max_tokens=50, timeout_s=2.0))
    assert [(r.max_tokens, r.timeout_s) for r in model.requests] == [(100, 5.0), (50, 2.0)]


async def test_retryable_failures_are_tried_again_with_full_jitter() -> None:
    """Half of 1, then half of 2 seconds; what happened is told."""
    clock = FakeClock(random=0.5)
    answer = await access(clock, main=ScriptedModel([busy(), busy(), "at last"])).ask("main", ASKED)
    assert clock.slept == [0.5, 1.0]
    assert (answer.tries, answer.incidents, answer.latency_ms) == (3, ("E603 main", "E603 main"), 1500.0)


async def test_the_provider_says_how_long_to_wait() -> None:
    """Never sooner than it asked."""
    clock = FakeClock(random=0.5)
    await access(clock, main=ScriptedModel([busy(retry_after_s=7.0), "ok"])).ask("main", ASKED)
    assert clock.slept == [7.5]


async def test_a_wait_that_is_too_long_goes_to_the_fallback() -> None:
    """A quarter of an hour is not waited for."""
    clock = FakeClock()
    answer = await access(
        clock, main=ScriptedModel([busy(retry_after_s=900.0)]), spare=ScriptedModel(["ok"])
    ).ask("main", ASKED)
    assert clock.slept == []
    assert (answer.route, answer.incidents) == ("spare", ("E603 main", "fallback spare"))


async def test_fallbacks_come_in_order_after_the_tries() -> None:
    """Each route has its tries; the answer says who gave it."""
    main, second, third = ScriptedModel([busy()] * 2), ScriptedModel([refused("E611")]), ScriptedModel(["ok"])
    answer = await access(FakeClock(), attempts=2, main=main, second=second, third=third).ask("main", ASKED)
    assert (answer.route, answer.model, answer.tries) == ("third", "third-model", 4)
    assert answer.incidents == ("E603 main", "E603 main", "fallback second", "E611 second", "fallback third")


async def test_a_refused_request_goes_nowhere_else() -> None:
    """Another model would be asked the same wrong thing."""
    spare = ScriptedModel(["never"])
    error = await fails(access(FakeClock(), main=ScriptedModel([refused("E602")]), spare=spare))
    assert (error.code, error.retryable, error.tries, error.incidents) == ("E602", False, 1, ("E602 main",))
    assert spare.requests == []


async def test_reasoning_stays_with_its_model() -> None:
    """A fallback gets the conversation without another model's thinking."""
    spare = ScriptedModel(["ok"])
    asked = ModelRequest("", (user("x"), Message("assistant", (Thinking("hm", "sig"), Text("a"))), user("y")))
    await access(FakeClock(), main=ScriptedModel([refused("E610")]), spare=spare).ask("main", asked)
    assert spare.requests[0].messages[1].blocks == (Text("a"),)


async def test_what_failed_tries_used_is_paid() -> None:
    """An error may know its usage; it is priced and added."""
    error = busy()
    error.usage = Usage(input_tokens=1_000_000, model_calls=1)  # type: ignore[attr-defined]
    models = access(FakeClock(), attempts=2, main=ScriptedModel([error, "ok", error, error]))
    answer = await models.ask("main", ASKED)
    assert answer.usage.cost_usd == answer.reply.usage.cost_usd + 3
    assert answer.usage.model_calls == 2
    failed = await fails(models)
    assert (failed.usage.cost_usd, failed.tries) == (Decimal(6), 2)


async def test_the_time_of_the_request_bounds_all_tries() -> None:
    """No wait that would end after it, and each try gets what is left."""
    clock = FakeClock(random=1.0)
    model = ScriptedModel([busy()] * 9)
    error = await fails(
        access(clock, attempts=9, main=model), asked=ModelRequest("", (user("x"),), timeout_s=10.0)
    )
    assert clock.slept == [1.0, 2.0, 4.0]
    assert [request.timeout_s for request in model.requests] == [10.0, 9.0, 7.0, 3.0]
    assert error.code == "E603"


async def test_no_fallback_after_the_time_is_over() -> None:
    """A model that used it all up was the last."""
    clock = FakeClock()

    def slow(request: ModelRequest) -> ModelError:
        clock.time += 61
        return busy()

    spare = ScriptedModel(["late"])
    await fails(access(clock, main=ScriptedModel([slow]), spare=spare))
    assert spare.requests == []


async def test_the_breaker_opens_probes_and_closes() -> None:
    """Closed, open after three, one probe after the cool-down, open again when it fails, closed when it passes."""
    clock = FakeClock()
    model = ScriptedModel([busy(), busy(), busy(), busy(), "ok", "ok"])
    models = access(clock, attempts=1, breaker=BreakerSettings(3, 30.0), main=model)
    for _ in range(3):
        assert (await fails(models)).code == "E603"
    assert models.breaker("main") == "open"
    error = await fails(models)
    assert (error.code, error.tries, error.incidents) == ("E612", 0, ("breaker_open main",))
    assert len(model.requests) == 3
    clock.time += 30
    assert (await fails(models)).code == "E603"
    assert (await fails(models)).code == "E612"
    clock.time += 30
    assert (await models.ask("main", ASKED)).tries == 1
    assert models.breaker("main") == "closed"


async def test_an_open_breaker_goes_to_the_fallback_at_once() -> None:
    """Without a try and without a wait."""
    clock = FakeClock()
    models = access(
        clock,
        attempts=1,
        breaker=BreakerSettings(1, 30.0),
        main=ScriptedModel([busy()]),
        spare=ScriptedModel(["1", "2"]),
    )
    assert (await models.ask("main", ASKED)).tries == 2
    answer = await models.ask("main", ASKED)
    assert (answer.tries, answer.incidents) == (1, ("breaker_open main", "fallback spare"))


async def test_a_refused_request_says_nothing_about_health() -> None:
    """Only retryable failures open the breaker; success between them starts the count again."""
    script: list[str | ModelError] = [refused(), refused(), refused(), busy(), "ok", busy()]
    models = access(FakeClock(), attempts=1, breaker=BreakerSettings(2, 30.0), main=ScriptedModel(script))
    for reply in script:
        if isinstance(reply, str):
            await models.ask("main", ASKED)
        else:
            await fails(models)
    assert models.breaker("main") == "closed"


class Gate(ScriptedModel):
    """Answers when it is told to."""

    def __init__(self, replies: list[str | ModelError]) -> None:
        super().__init__(replies)
        self.entered = asyncio.Event()
        self.free = asyncio.Event()

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        self.entered.set()
        await self.free.wait()
        return await super().ask(request, on_delta)


async def test_half_open_lets_one_call_through() -> None:
    """While the probe is out, others are turned away; a cancelled probe gives its place back."""
    clock = FakeClock()
    model = Gate([busy(), "probe"])
    models = access(clock, attempts=1, breaker=BreakerSettings(1, 30.0), main=model)
    model.free.set()
    await fails(models)
    clock.time += 30
    model.free.clear()
    for cancel in (True, False):
        model.entered.clear()
        probe = asyncio.create_task(models.ask("main", ASKED))
        await model.entered.wait()
        assert models.breaker("main") == "half_open"
        assert (await fails(models)).code == "E612"
        if cancel:
            probe.cancel()
            with pytest.raises(asyncio.CancelledError):
                await probe
    model.free.set()
    assert (await probe).reply.message.text == "probe"
    assert models.breaker("main") == "closed"


async def test_routes_of_one_model_share_its_breaker() -> None:
    """Health belongs to the model, not to the name."""
    routes = {"a": Route("m", "x"), "b": Route("m", "x"), "c": Route("m", "y")}
    models = ModelAccess(
        routes,
        {"m": ScriptedModel([busy()])},
        PriceTable({}),
        FakeClock(),
        breaker=BreakerSettings(1),
        retry=Retry(1),
    )
    await fails(models, "a")
    assert [models.breaker(name) for name in "abc"] == ["open", "open", "closed"]


async def test_an_adapter_that_breaks_is_a_model_error() -> None:
    """Its text may hold anything, so only its type is shown."""

    def broken(request: ModelRequest) -> str:
        raise RuntimeError("sk-secret")

    error = await fails(access(FakeClock(), main=ScriptedModel([broken])))
    assert "RuntimeError" in error.message
    assert "sk-secret" not in repr(error) + str(error)
    assert error.__cause__ is None
    assert error.__context__ is None


async def test_a_missing_package_goes_through() -> None:
    """ConfigError is the operator's to solve, so no fallback hides it."""

    def factory() -> Model:
        raise ConfigError("not installed", code="E210")

    models = ModelAccess({"r": Route("m", "x")}, {"m": factory}, PriceTable({}), FakeClock())
    with pytest.raises(ConfigError, match="E210"):
        await models.ask("r", ASKED)


async def test_factories_are_called_once_and_late() -> None:
    """A provider that no run asks costs nothing."""
    made: list[str] = []

    def factory() -> Model:
        made.append("m")
        return ScriptedModel(["a", "b"])

    models = ModelAccess(
        {"r": Route("m", "x"), "s": Route("m", "y")}, {"m": factory}, PriceTable({}), FakeClock()
    )
    assert made == []
    await models.ask("r", ASKED)
    await models.ask("s", ASKED)
    assert made == ["m"]
    await models.close()


@pytest.mark.parametrize(
    "routes",
    [
        {"r": Route("nobody", "x")},
        {"r": Route("m", "x", ("nowhere",))},
        {"r": Route("m", "x", ("s",)), "s": Route("nobody", "y")},
    ],
)
def test_wrong_routes_are_found_at_once(routes: dict[str, Route]) -> None:
    """Not at the first failure in the night."""
    with pytest.raises(ConfigError, match="E211"):
        ModelAccess(routes, {"m": ScriptedModel([])}, PriceTable({}), FakeClock())


async def test_an_unknown_route_lists_the_known() -> None:
    """Both to ask and to reserve."""
    models = access(FakeClock(), main=ScriptedModel([]))
    with pytest.raises(ConfigError, match="use one of `main`"):
        await models.ask("mian", ASKED)
    with pytest.raises(ConfigError, match="E211"):
        models.reserve("mian", 1, 1)


async def test_circular_fallbacks_end() -> None:
    """Each route is tried once."""
    routes = {"a": Route("m", "x", ("b",)), "b": Route("m", "y", ("a",))}
    models = ModelAccess(routes, {"m": ScriptedModel([refused("E610")] * 2)}, PriceTable({}), FakeClock())
    assert (await fails(models, "a")).incidents == ("E610 a", "fallback b", "E610 b")


async def test_an_unpriced_model_is_flagged() -> None:
    """It costs nothing, and says so each time."""
    models = ModelAccess(
        {"r": Route("m", "my-own")}, {"m": ScriptedModel(["x"], provider="m")}, default_prices(), FakeClock()
    )
    answer = await models.ask("r", ASKED)
    assert (answer.usage.cost_usd, answer.incidents) == (Decimal(0), ("unpriced my-own",))


async def test_offline_models_are_free_and_not_flagged() -> None:
    """`rules` and `scripted` cost nothing by nature."""
    models = ModelAccess(
        {"r": Route("rules", "rules")}, {"rules": RulesModel([])}, default_prices(), FakeClock()
    )
    answer = await models.ask("r", ASKED)
    assert (answer.usage.cost_usd, answer.incidents) == (Decimal(0), ())


@pytest.mark.parametrize("fallback_price", [Price(Decimal(1), Decimal(2)), Price(Decimal(30), Decimal(150))])
async def test_a_reservation_covers_the_answer(fallback_price: Price) -> None:
    """Whoever answers: tokens and cost stay within what was reserved."""
    replies = ScriptedModel(["y" * 4000] * 2)
    routes = {"r": Route("a", "x", ("s",), price=PRICE), "s": Route("b", "y", price=fallback_price)}
    models = ModelAccess(
        routes, {"a": ScriptedModel([refused("E610"), "z" * 4000]), "b": replies}, PriceTable({}), FakeClock()
    )
    messages = (user("Hello " * 500), assistant("日本語" * 100), user("end"))
    held = models.reserve("r", chars_of(system="Be brief.", messages=messages), 1024)
    for _ in range(2):
        answer = await models.ask("r", ModelRequest("", messages, "Be brief.", max_tokens=1024))
        assert answer.usage.tokens <= held.tokens
        assert answer.usage.cost_usd <= held.cost_usd
    assert held.model_calls == 1


def test_the_size_of_an_input_adds_up() -> None:
    """So a run adds each new message to a running sum."""
    messages = (
        user("a"),
        Message("assistant", (Thinking("t"), ToolUse("c", "n", {"a": 1}), ToolUse("d", "n", {}, "{bad"))),
        Message(
            "user", (ToolResult("c", {"x": [1]}), Image("image/png", "d"), Document("application/pdf", "e"))
        ),
    )
    assert chars_of(messages=messages) == sum(chars_of(messages=(m,)) for m in messages)
    assert chars_of(messages=(user("日本"),)) == chars_of(messages=(user("123456"),))


@pytest.mark.parametrize(
    ("model", "input_price"),
    [
        ("claude-sonnet-4-5-20250929", "3"),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "3"),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/us.anthropic.claude-haiku-4-5-v1:0", "1"),
        ("claude-opus-5-5", "4"),
        ("claude-opus-5", "5"),
        ("us.amazon.nova-pro-v1:0", "0.8"),
        ("gpt-5-2025-08-07", "1.25"),
        ("gpt-5-mini", "0.25"),
        ("meta.llama3-3-70b-instruct-v1:0", "0.72"),
        ("gpt-5.99", None),
        ("claude-opus-57", None),
        ("qwen3", None),
        ("", None),
    ],
)
def test_prices_are_found_by_the_longest_prefix(model: str, input_price: str | None) -> None:
    """Without geography and vendor, and only where a word of the id ends."""
    price = default_prices().find(model)
    assert (price and price.input) == (Decimal(input_price) if input_price else None)


def test_cached_tokens_have_their_own_price() -> None:
    """Reading is cheap, writing dear; where nothing is said both cost what input costs."""
    used = Usage(
        input_tokens=1_000_000,
        output_tokens=1_000_000,
        cache_read_tokens=1_000_000,
        cache_write_tokens=1_000_000,
    )
    assert PRICE.cost(used) == Decimal("22.05")
    plain = parse_prices('[models]\n"x" = {input = 1, output = 2}').find("x")
    assert plain is not None
    assert plain.cost(used) == 5


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "[models]\nx = 3",
        "[models]\nx = {input = 1}",
        '[models]\nx = {input = "1", output = 1}',
        "[models]\nx = {input = -1, output = 1}",
    ],
)
def test_a_wrong_price_list_is_refused(text: str) -> None:
    """E220."""
    with pytest.raises(ConfigError, match="E220"):
        parse_prices(text)


async def test_deltas_pass_through() -> None:
    """Streaming is the adapter's; access hands the listener on."""
    told: list[Delta] = []
    await access(FakeClock(), main=ScriptedModel(["streamed"])).ask("main", ASKED, told.append)
    assert told == [Delta("text", "streamed")]


async def test_access_costs_microseconds() -> None:
    """At most 10 us on top of the adapter, the best of several rounds."""
    model = ScriptedModel(["hello"], cycle=True)
    models = access(FakeClock(), main=model)
    best = 1.0
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(2000):
            await model.ask(ASKED)
        middle = time.perf_counter()
        for _ in range(2000):
            answer: Answer = await models.ask("main", ASKED)
        best = min(best, ((time.perf_counter() - middle) - (middle - started)) / 2000)
        model.requests.clear()
    assert answer.tries == 1
    assert best < 10e-6


@pytest.mark.parametrize("text", ["[]", "{", '{"replies": [3]}', '{"replies": [{"error": {}}]}'])
def test_a_wrong_script_file_is_refused(tmp_path: object, text: str) -> None:
    """E120."""
    from pathlib import Path

    path = Path(str(tmp_path)) / "script.json"
    path.write_text(text)
    with pytest.raises(InputError, match="E120"):
        ScriptedModel.from_file(path)
