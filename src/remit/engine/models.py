"""Access to models by route: price, retries, fallbacks and circuit breakers around the `Model` port (P8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib.resources import files
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core.budget import NANO, ZERO, Reservation, Usage
from remit.core.errors import ConfigError, ModelError, RemitError
from remit.core.message import Block, Document, Image, Message, Text, Thinking, ToolResult
from remit.core.pricing import FREE, Price, PriceTable, parse_prices
from remit.core.tool import Retry
from remit.ports.clock import Clock
from remit.ports.model import Model, ModelReply, ModelRequest, OnDelta

RULES = "rules"
OFFLINE = (RULES, "scripted")
"""Providers that cost nothing."""

IMAGE_CHARS = 4_800
"""What an image counts for in a reservation: 1600 tokens."""

DOCUMENT_CHARS = 60_000
"""What a document counts for in a reservation: 20 000 tokens, about ten pages."""

_NO_FALLBACK = frozenset({"E602", "E608"})
"""Another model would not help: the request itself is refused, or asks for too much."""

_MILLIONTH = Decimal("0.000001")


class Route(Struct, frozen=True):
    """A name for a model that agents use.

    `fallbacks` are other routes, tried in order. `max_tokens` caps a request's, `timeout_s` bounds one attempt
    (a request's own `timeout_s` bounds all of them together). `price` overrides the price list. An answer is kept for
    `cache_ttl_s` seconds for whoever of the same tenant asks exactly the same; 0: not at all.
    """

    provider: str
    model: str
    fallbacks: tuple[str, ...] = ()
    max_tokens: int = 32_768
    timeout_s: float = 120.0
    price: Price | None = None
    cache_ttl_s: float = 0.0


class BreakerSettings(Struct, frozen=True):
    """After `failures` retryable failures in a row a model is left alone for `cooldown_s` seconds, then tried once."""

    failures: int = 5
    cooldown_s: float = 30.0


class Answer(Struct, frozen=True):
    """What an ask came to.

    `reply.usage` is the reply's own, priced; `usage` also holds what failed tries are known to have used. `incidents`
    say in order what went wrong on the way: `E603 <route>`, `breaker_open <route>`, `fallback <route>`,
    `unpriced <model>`. `latency_ms` is the whole ask, waiting included.
    """

    reply: ModelReply
    usage: Usage
    route: str
    model: str
    tries: int
    incidents: tuple[str, ...]
    latency_ms: float


class AskError(ModelError):
    """No route gave an answer. Carries what it took: `usage` (priced), `tries`, `incidents`."""

    usage = Usage()
    tries = 0
    incidents: tuple[str, ...] = ()


class Breaker:
    """One model's circuit breaker. `state` is `closed`, `open` or `half_open`; time comes from the caller."""

    __slots__ = ("_cooldown_s", "_failures", "_limit", "_open_until", "state")

    def __init__(self, settings: BreakerSettings) -> None:
        self.state: Literal["closed", "open", "half_open"] = "closed"
        self._limit = settings.failures
        self._cooldown_s = settings.cooldown_s
        self._failures = 0
        self._open_until = 0.0

    def admit(self, now: float) -> bool:
        """Whether a call may go out. After the cool-down one may, and the next only when it has come back."""
        if self.state == "closed":
            return True
        if self.state == "open" and now >= self._open_until:
            self.state = "half_open"
            return True
        return False

    def passed(self) -> None:
        """A call was answered."""
        if self._failures:
            self._failures = 0
        self.state = "closed"

    def failed(self, now: float) -> None:
        """A call failed in a way that says the model is not well."""
        self._failures += 1
        if self.state == "half_open" or self._failures >= self._limit:
            self.state = "open"
            self._open_until = now + self._cooldown_s

    def dropped(self, now: float) -> None:
        """A call ended without saying anything about the model's health: a probe's place is free again."""
        if self.state == "half_open":
            self.state = "open"
            self._open_until = now


class _Leg(Struct):
    """A route made ready: adapter, price and breaker found."""

    name: str
    route: Route
    model: Model
    breaker: Breaker
    price: Price
    unpriced: tuple[str, ...]


class _Trail:
    """What happened during one ask. An object of this class lives only while it is needed."""

    __slots__ = ("deadline", "error", "incidents", "spent", "started", "tries")

    def __init__(self, started: float, timeout_s: float) -> None:
        self.started = started
        self.deadline = started + timeout_s
        self.tries = 0
        self.incidents: tuple[str, ...] = ()
        self.spent: Usage | None = None
        self.error: ModelError | None = None

    def note(self, incident: str) -> None:
        self.incidents += (incident,)

    def failed(self, leg: _Leg, error: ModelError) -> None:
        self.error = error
        self.note(f"{error.code} {leg.name}")
        used = getattr(error, "usage", None)
        if isinstance(used, Usage) and used.tokens:
            priced = _priced(used, leg.price)
            self.spent = priced if self.spent is None else self.spent.plus(priced)

    def failure(self) -> AskError:
        """The last error, as what the caller sees."""
        last = self.error or ModelError("no model was asked", code="E606")
        error = AskError(
            last.message,
            code=last.code,
            help=last.help,
            retryable=last.retryable,
            retry_after_s=last.retry_after_s,
        )
        error.usage = self.spent or Usage()
        error.tries = self.tries
        error.incidents = self.incidents
        return error


class ModelAccess:
    """Asks models by route name.

    `adapters` maps provider names to models, or to functions that make one on first use. `retry` is the budget of tries
    per route; a provider's wish to wait longer than `max_wait_s` ends the tries on its route. `variant` is what else decides
    how models answer, e.g. the provider's own guardrail. Raises ConfigError E211
    at once for a route that names a provider or fallback that is not there.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        adapters: Mapping[str, Model | Callable[[], Model]],
        prices: PriceTable,
        clock: Clock,
        *,
        breaker: BreakerSettings | None = None,
        retry: Retry | None = None,
        max_wait_s: float = 30.0,
        variant: str = "",
    ) -> None:
        self._variant = variant
        self._routes = dict(routes)
        self._adapters = adapters
        self._prices = prices
        self._clock = clock
        self._settings = breaker or BreakerSettings()
        self._retry = retry or Retry(attempts=3, base_s=0.5, max_s=8.0)
        self._max_wait_s = max_wait_s
        self._built: dict[str, Model] = {}
        self._breakers: dict[tuple[str, str], Breaker] = {}
        self._legs: dict[str, _Leg] = {}
        self._named = tuple(self._routes)
        self._orders = {name: self._order(name) for name in self._routes}
        self._rates = {name: self._dearest(name) for name in self._routes}

    @property
    def routes(self) -> tuple[str, ...]:
        """The names that agents may give."""
        return self._named

    def knows(self, route_name: str) -> bool:
        """Whether the route may be asked."""
        return route_name in self._rates

    def speaks(self, route_name: str) -> bool:
        """Whether a language model answers on the route, or rules that can only say what they were written for."""
        route = self._routes.get(route_name)
        return route is not None and route.provider != RULES

    def cache_ttl_s(self, route_name: str) -> float:
        """For how many seconds an answer of the route is kept; 0 for not at all."""
        route = self._routes.get(route_name)
        return 0.0 if route is None else route.cache_ttl_s

    def identity(self, route_name: str) -> tuple[str, ...]:
        """Who answers on the route, one after the other: equal identities may give each other's answers."""
        legs = [self._routes[name] for name in self._orders[route_name]]
        return (self._variant, *(f"{leg.provider}/{leg.model}/{leg.max_tokens}" for leg in legs))

    def check(self, route: Route) -> None:
        """Raise ConfigError E211 for a route whose provider or fallback is not there."""
        self._order_of("", route)

    def add(self, route_name: str, route: Route) -> None:
        """Let a route be asked under a name of its own, besides those of settings. Raises ConfigError E211."""
        order = self._order_of(route_name, route)
        self._routes[route_name] = route
        self._orders[route_name] = order
        self._rates[route_name] = self._dearest(route_name)

    async def ask(self, route_name: str, request: ModelRequest, on_delta: OnDelta | None = None) -> Answer:
        """The first answer of the route or its fallbacks, within `request.timeout_s`; `request.model` is ignored.

        Raises AskError (a ModelError with `usage`, `tries` and `incidents`), and ConfigError for an unknown route or
        a vendor package that is missing. A try that failed may already have told `on_delta` pieces.
        """
        order = self._orders.get(route_name)
        if order is None:
            raise self._unknown(route_name)
        trail = _Trail(self._clock.monotonic(), request.timeout_s)
        for name in order:
            leg = self._legs.get(name) or self._leg(name)
            if name is not route_name and trail.error is not None:
                trail.note(f"fallback {name}")
                request = _without_thinking(request)
            reply = await self._try(leg, request, on_delta, trail)
            if reply is not None:
                return self._answer(leg, reply, trail)
            if trail.error is not None and trail.error.code in _NO_FALLBACK:
                break
            if self._clock.monotonic() >= trail.deadline:
                break
        raise trail.failure()

    def reserve(self, route_name: str, chars: int, max_tokens: int) -> Reservation:
        """The most that one answered call may use: `chars` (see `chars_of`) at three to a token, and `max_tokens`.

        Priced at the dearest of the route and its fallbacks. Raises ConfigError E211 for an unknown route.
        """
        rates = self._rates.get(route_name)
        if rates is None:
            raise self._unknown(route_name)
        input_rate, output_rate, cap = rates
        input_tokens = chars // 3 + 64
        output_tokens = min(max_tokens, cap)
        cost = (input_rate * input_tokens + output_rate * output_tokens) * _MILLIONTH
        return Reservation(cost.quantize(NANO), input_tokens + output_tokens, model_calls=1)

    def breaker(self, route_name: str) -> str:
        """The state of the breaker of a route's model: `closed`, `open` or `half_open`."""
        route = self._routes.get(route_name)
        if route is None:
            raise self._unknown(route_name)
        held = self._breakers.get((route.provider, route.model))
        return held.state if held else "closed"

    async def close(self) -> None:
        """Close every adapter that was built."""
        for model in self._built.values():
            await model.close()
        self._built.clear()
        self._legs.clear()

    async def _try(
        self, leg: _Leg, request: ModelRequest, on_delta: OnDelta | None, trail: _Trail
    ) -> ModelReply | None:
        """An answer of one route within its tries, else `None` with the reason in `trail`."""
        clock, breaker, route = self._clock, leg.breaker, leg.route
        now = trail.started if trail.tries == 0 else clock.monotonic()
        for attempt in range(self._retry.attempts):
            if now >= trail.deadline:
                trail.failed(leg, _out_of_time(request.timeout_s))
                return None
            if not breaker.admit(now):
                trail.note(f"breaker_open {leg.name}")
                trail.error = trail.error or _left_alone(route)
                return None
            trail.tries += 1
            try:
                reply = await leg.model.ask(_prepared(request, route, trail.deadline - now), on_delta)
            except Exception as error:
                failure = self._judged(error, leg)
                trail.failed(leg, failure)
            except BaseException:  # cancelled
                breaker.dropped(clock.monotonic())
                raise
            else:
                breaker.passed()
                return reply
            delay = self._delay(failure, attempt)
            now = clock.monotonic()
            if delay is None or now + delay >= trail.deadline:
                return None
            await clock.sleep(delay)
            now = clock.monotonic()
        return None

    def _judged(self, error: Exception, leg: _Leg) -> ModelError:
        """The error as a ModelError, told to the breaker. Raises it when it is no model's fault (a missing package)."""
        now = self._clock.monotonic()
        if isinstance(error, ModelError):
            if error.retryable:
                leg.breaker.failed(now)
            else:
                leg.breaker.dropped(now)
            return error
        leg.breaker.dropped(now)
        if isinstance(error, RemitError):
            raise error
        return ModelError(
            f"the adapter of `{leg.route.provider}` broke (`{type(error).__name__}`)",
            help="report this: an adapter may raise ModelError only",
        )

    def _delay(self, error: ModelError, attempt: int) -> float | None:
        """Seconds until the next try, full jitter; never less than the provider asked for; `None` to stop."""
        if not error.retryable or attempt + 1 >= self._retry.attempts:
            return None
        jitter: float = self._clock.random() * min(self._retry.max_s, self._retry.base_s * 2.0**attempt)
        if error.retry_after_s is None:
            return jitter
        if error.retry_after_s > self._max_wait_s:
            return None
        return error.retry_after_s + jitter

    def _answer(self, leg: _Leg, reply: ModelReply, trail: _Trail) -> Answer:
        usage = reply.usage
        if leg.price is not FREE and not usage.cost_usd:
            usage = _priced(usage, leg.price)
            reply = ModelReply(reply.message, reply.stop_reason, usage, reply.model, reply.notes)
        total = usage if trail.spent is None else trail.spent.plus(usage)
        latency_ms = (self._clock.monotonic() - trail.started) * 1000
        incidents = trail.incidents + leg.unpriced + reply.notes
        return Answer(reply, total, leg.name, leg.route.model, trail.tries, incidents, latency_ms)

    def _leg(self, name: str) -> _Leg:
        route = self._routes[name]
        model = self._built.get(route.provider)
        if model is None:
            model = self._built[route.provider] = _built(self._adapters[route.provider])
        key = (route.provider, route.model)
        breaker = self._breakers.setdefault(key, Breaker(self._settings))
        price = self._price(route)
        unpriced = (f"unpriced {route.model}",) if price is None else ()
        leg = self._legs[name] = _Leg(name, route, model, breaker, price or FREE, unpriced)
        return leg

    def _price(self, route: Route) -> Price | None:
        if route.price is not None:
            return route.price
        return FREE if route.provider in OFFLINE else self._prices.find(route.model)

    def _order(self, name: str) -> tuple[str, ...]:
        """A route and all that it falls back to, each once, in order."""
        route = self._routes.get(name)
        if route is None:
            raise self._unknown(name)
        return self._order_of(name, route)

    def _order_of(self, first: str, start: Route) -> tuple[str, ...]:
        order: list[str] = []

        def visit(name: str) -> None:
            if name in order:
                return
            route = start if name == first else self._routes.get(name)
            if route is None:
                raise self._unknown(name)
            if route.provider not in self._adapters:
                known = ", ".join(f"`{p}`" for p in sorted(self._adapters))
                raise ConfigError(
                    f"the route `{name}` names the provider `{route.provider}`, which is not there",
                    code="E211",
                    help=f"use one of {known}",
                )
            order.append(name)
            for fallback in route.fallbacks:
                visit(fallback)

        visit(first)
        return tuple(order)

    def _dearest(self, name: str) -> tuple[Decimal, Decimal, int]:
        """Input and output price per million tokens, and the cap of output tokens, none of the legs goes above."""
        routes = [self._routes[leg] for leg in self._orders[name]]
        prices = [self._price(route) or FREE for route in routes]
        return (
            max((p.dearest_input for p in prices), default=ZERO),
            max((p.output for p in prices), default=ZERO),
            max(route.max_tokens for route in routes),
        )

    def _unknown(self, name: str) -> ConfigError:
        known = ", ".join(f"`{route}`" for route in sorted(self._named))
        return ConfigError(f"there is no model route `{name}`", code="E211", help=f"use one of {known}")


def chars_of(*, system: str = "", messages: tuple[Message, ...] = (), schemas: int = 0) -> int:
    """The size of an input for `reserve`. Adds up: a run keeps a running sum and adds each new message.

    In UTF-8 bytes, since a character beyond ASCII may be a token of its own. `schemas` is the size of the tools' JSON.
    """
    return schemas + _bytes(system) + sum(_block_chars(b) for m in messages for b in m.blocks)


def default_prices() -> PriceTable:
    """The price list that comes with Remit. Approximate public list prices; routes and a file of one's own override it."""
    return parse_prices(files("remit").joinpath("data", "prices.toml").read_text("utf-8"))


def _block_chars(block: Block) -> int:
    if isinstance(block, Text | Thinking):
        return _bytes(block.text) + 16
    if isinstance(block, Image):
        return IMAGE_CHARS
    if isinstance(block, Document):
        return DOCUMENT_CHARS
    value = block.content if isinstance(block, ToolResult) else (block.malformed or block.input)
    return _bytes(value if isinstance(value, str) else str(value)) + 64


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _built(given: Model | Callable[[], Model]) -> Model:
    if callable(given):
        return given()
    return given


def _prepared(request: ModelRequest, route: Route, left_s: float) -> ModelRequest:
    return ModelRequest(
        route.model,
        request.messages,
        request.system,
        request.tools,
        min(request.max_tokens, route.max_tokens),
        request.temperature,
        request.output_schema,
        min(left_s, route.timeout_s),
    )


def _without_thinking(request: ModelRequest) -> ModelRequest:
    """Reasoning is bound to the model that thought it; another one may refuse it."""
    messages = tuple(
        Message(m.role, tuple(b for b in m.blocks if not isinstance(b, Thinking)))
        if any(isinstance(b, Thinking) for b in m.blocks)
        else m
        for m in request.messages
    )
    return replace(request, messages=messages)


def _priced(usage: Usage, price: Price) -> Usage:
    return Usage(
        price.cost(usage),
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.model_calls,
        usage.tool_calls,
        usage.children,
        usage.wall_s,
    )


def _out_of_time(timeout_s: float) -> ModelError:
    return ModelError(
        f"no model answered within {timeout_s:g} seconds",
        code="E606",
        retryable=True,
        help="raise the request's `timeout_s`",
    )


def _left_alone(route: Route) -> ModelError:
    return ModelError(
        f"`{route.model}` failed too often and is left alone for a while",
        code="E612",
        retryable=True,
        help="try again later, or give the route a fallback",
    )
