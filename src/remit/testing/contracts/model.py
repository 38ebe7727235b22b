"""What every adapter of the `Model` port keeps, shown over real sockets against `remit.testing.model_server`.

    class TestOpenAI(ModelContract):
        def make(self, server, secret): return OpenAIModel(base_url=server.openai_url, api_key=secret)

Needs pytest with `asyncio_mode = "auto"`.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from remit.core.errors import ModelError
from remit.core.message import Text, Thinking, ToolUse, user
from remit.core.tool import ToolSpec
from remit.ports.model import Delta, Model, ModelReply, ModelRequest
from remit.testing.model_server import (
    EMPTY,
    Body,
    Call,
    Cut,
    Hang,
    ModelServer,
    Status,
    Step,
    StreamError,
    Tokens,
    Turn,
    huge,
)

SECRET = "sk-test-0123456789abcdefSECRET"
MODES = ["whole", "streamed"]
TOOL = ToolSpec("look_up", "Looks up.", {"type": "object", "properties": {"id": {"type": "integer"}}})
TWO_CALLS = Turn(
    "I look.",
    calls=(
        Call("c1", "look_up", '{"id": 1, "deep": {"a": ["é", null]}}'),
        Call("c2", "look_up", '{"id": 2}'),
    ),
)
STATUSES: list[tuple[Status, str, bool, float | None]] = [
    (Status(429), "E601", True, None),
    (Status(429, retry_after=2), "E601", True, 2.0),
    (Status(429, retry_after="0.5"), "E601", True, 0.5),
    (Status(429, retry_after="-3"), "E601", True, None),
    (Status(429, retry_after="soon"), "E601", True, None),
    (Status(429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), "E601", True, 0.0),
    (Status(500), "E603", True, None),
    (Status(502), "E603", True, None),
    (Status(503, retry_after=1), "E603", True, 1.0),
    (Status(529), "E603", True, None),
    (Status(400), "E602", False, None),
    (Status(401), "E610", False, None),
    (Status(403), "E610", False, None),
    (Status(404), "E611", False, None),
    (Status(413), "E602", False, None),
    (Status(302), "E602", False, None),
]


_WHOLE = (
    '{"order_id": "A-17", "amount": 12.5, "tags": ["x", {"y": null}]}',
    '{"q": "caf\\u00e9 \\"quoted\\"", "n": -1e3, "ok": true}',
    '{"a": {"b": {"c": [1, 2, [3, [4]]]}}, "ключ": "значение"}',
)
_TAILS = ("x", "}", "{}", " trailing text", "\nDone.", ",", "null", "\x00", "\u2028", "```", "]", ";", "//c")
_HEADS = ("x", "{", "[", "```json\n", "Sure: ", "\ufeff", "\x00", "=")
_KEYS = ("id", "", "é", "\\u0069d", "__proto__", "a b")
_NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "01",
    "+1",
    ".5",
    "1.",
    "0x1F",
    "1_000",
    "--1",
    "1e",
)
_OTHER_TYPES = [
    "null",
    "true",
    "false",
    "0",
    "-1",
    "3.14",
    '"text"',
    '"{}"',
    "[]",
    '[{"id":1}]',
    "[[]]",
    '""',
    "undefined",
]
_NOT_JSON = r"""
{'a': 1}
{a: 1}
{"a": 1,}
{"a" 1}
{"a": }
{,"a": 1}
{"a": None}
{"a": True}
{1: 2}
{"a": 1 /* c */}
{"a": 1} // c
{"a": `x`}
<a>1</a>
a=1&b=2
id: 1
{{}}
{[]}
{]
[}
{"t": "\ud800"}
{"t": "\udc00x"}
{"\ud83d": 1}
{"t": "\x41"}
{"t": "\u12"}
{"t": "	"}
{"a": {"id": 1, "id": 1}}
{"a": [{"id": 1, "id": 2}]}
{"id": 1, "\u0069d": 2}
""".strip().splitlines()
_LONG = "x" * 1_000_000


def malformed_arguments() -> list[str]:
    """More than 300 texts that are not exactly one clean JSON object; the same each time."""
    cases = [text[:end] for text in _WHOLE for end in range(1, len(text))]
    cases += [text + tail for text in _WHOLE for tail in _TAILS]
    cases += [head + text for text in _WHOLE for head in _HEADS]
    cases += [*_OTHER_TYPES, *_NOT_JSON]
    cases += [f'{{"{key}": 1, "x": 2, "{key}": 3}}' for key in _KEYS]
    cases += [f'{{"n": {number}}}' for number in _NUMBERS] + [
        f'{{"n": [0, {number}]}}' for number in _NUMBERS
    ]
    cases += [f'{{"n": {"9" * digits}}}' for digits in (19, 40, 400, 5000)]
    for depth in (65, 100, 1000, 10_000, 100_000):
        cases += [
            '{"a":' * depth + "1" + "}" * depth,
            '{"a":' + "[" * depth + "]" * depth + "}",
            '{"a":' * depth,
        ]
    return [*cases, f'{{"t": "{_LONG}', f'{{"t": "{_LONG}"}} y']


def request(timeout_s: float = 10.0, **fields: Any) -> ModelRequest:
    """A small request with one tool."""
    return ModelRequest(
        "anthropic.claude-test", (user("Hello"),), tools=(TOOL,), timeout_s=timeout_s, **fields
    )


class ModelContract:
    """Subclass it, and say how to make the adapter."""

    full = "max_tokens"
    """The wire's word for an answer that ran into its limit."""
    signs = True
    """Whether the wire carries signatures of thinking."""
    writes_cache = True
    """Whether the wire says how many tokens were written to a cache."""

    def make(self, server: ModelServer, secret: str) -> Model:
        """The adapter, pointed at the server, with `secret` as its key."""
        raise NotImplementedError

    @pytest.fixture
    def server(self) -> Iterator[ModelServer]:
        """A fresh server."""
        with ModelServer() as server:
            yield server

    async def ask(
        self, server: ModelServer, step: Step, mode: str = "whole", timeout_s: float = 10.0
    ) -> tuple[ModelReply, list[Delta]]:
        """One ask against one step."""
        model = self.make(server, SECRET)
        deltas: list[Delta] = []
        server.script(step)
        try:
            return await model.ask(request(timeout_s), deltas.append if mode == "streamed" else None), deltas
        finally:
            await model.close()

    async def fail(
        self, server: ModelServer, step: Step, mode: str = "whole", timeout_s: float = 10.0
    ) -> ModelError:
        """The error of one ask; fails when there was an answer, or a second request."""
        with pytest.raises(ModelError) as caught:
            await self.ask(server, step, mode, timeout_s)
        assert len(server.requests) <= 1, "an adapter does not retry"
        return caught.value

    @pytest.mark.parametrize("mode", MODES)
    async def test_text_and_usage_come_through(self, server: ModelServer, mode: str) -> None:
        """An answer has its text, its stop reason, and all tokens that the provider counted."""
        tokens = Tokens(input=100, output=20, cache_read=30, cache_write=40 if self.writes_cache else 0)
        text = "Grüße \u2028 and 日本語 🙂, in pieces."
        reply, deltas = await self.ask(server, Turn(text, tokens=tokens, piece=3), mode)
        assert reply.message.blocks == (Text(text),)
        assert reply.stop_reason == "end_turn"
        assert (reply.usage.input_tokens, reply.usage.output_tokens) == (100, 20)
        assert (reply.usage.cache_read_tokens, reply.usage.cache_write_tokens) == (30, tokens.cache_write)
        assert reply.usage.model_calls == 1
        assert reply.model
        told = "".join(delta.text for delta in deltas if delta.kind == "text")
        assert told == (text if mode == "streamed" else "")

    @pytest.mark.parametrize("mode", MODES)
    async def test_parallel_tool_calls_come_through_in_order(self, server: ModelServer, mode: str) -> None:
        """Two calls in one answer keep ids, names and arguments."""
        reply, deltas = await self.ask(server, TWO_CALLS, mode)
        assert reply.stop_reason == "tool_use"
        assert reply.message.tool_uses == (
            ToolUse("c1", "look_up", {"id": 1, "deep": {"a": ["é", None]}}),
            ToolUse("c2", "look_up", {"id": 2}),
        )
        told = [delta.text for delta in deltas if delta.kind == "tool_use"]
        assert told == (["look_up", "look_up"] if mode == "streamed" else [])

    @pytest.mark.parametrize("mode", MODES)
    async def test_thinking_comes_before_text(self, server: ModelServer, mode: str) -> None:
        """Reasoning is a block of its own, signed where the provider signs."""
        reply, _ = await self.ask(server, Turn("Yes.", thinking="Let me think.", signature="SIGN=="), mode)
        signature = "SIGN==" if self.signs else ""
        assert reply.message.blocks == (Thinking("Let me think.", signature), Text("Yes."))

    @pytest.mark.parametrize("mode", MODES)
    async def test_stop_reasons(self, server: ModelServer, mode: str) -> None:
        """A full answer is `max_tokens`; a reason nobody knows is `other`."""
        full, _ = await self.ask(server, Turn("Cut of", stop=self.full), mode)
        assert full.stop_reason == "max_tokens"
        unknown, _ = await self.ask(server, Turn("Well", stop="a_reason_from_the_future"), mode)
        assert unknown.stop_reason == "other"

    @pytest.mark.parametrize("mode", MODES)
    async def test_a_call_at_the_end_of_a_full_answer_is_malformed(
        self, server: ModelServer, mode: str
    ) -> None:
        """Arguments may look whole although the limit cut them, so the last call is not executed."""
        reply, _ = await self.ask(server, Turn("", calls=TWO_CALLS.calls, stop=self.full), mode)
        first, last = reply.message.tool_uses
        assert first.malformed is None
        assert last.malformed == '{"id": 2}'
        assert last.input == {}

    @pytest.mark.parametrize("mode", MODES)
    async def test_two_calls_never_share_an_id(self, server: ModelServer, mode: str) -> None:
        """Same and missing ids are made different."""
        calls = (Call("c", "look_up"), Call("c", "look_up"), Call("", "look_up"))
        reply, _ = await self.ask(server, Turn("", calls=calls), mode)
        ids = [use.id for use in reply.message.tool_uses]
        assert ids[0] == "c"
        assert len(set(ids)) == 3
        assert all(ids)

    @pytest.mark.parametrize("mode", MODES)
    async def test_malformed_arguments_are_never_a_call(self, server: ModelServer, mode: str) -> None:
        """Over 300 cases: no exception but ModelError, and no call that looks well-formed."""
        cases = malformed_arguments()
        assert len(cases) >= 300
        model = self.make(server, SECRET)
        wrong: list[str] = []
        for raw in cases:
            server.script(Turn("", calls=(Call("c", "look_up", raw),), piece=max(7, len(raw) // 20)))
            try:
                reply = await model.ask(request(), (lambda _: None) if mode == "streamed" else None)
            except ModelError:
                continue
            (use,) = reply.message.tool_uses
            if use.malformed is None or use.input:
                wrong.append(raw[:80])
        await model.close()
        assert wrong == []

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(("step", "code", "retryable", "wait"), STATUSES)
    async def test_statuses(
        self, server: ModelServer, step: Status, code: str, retryable: bool, wait: float | None, mode: str
    ) -> None:
        """Each status has its code, says whether to ask again and when, and what to do."""
        error = await self.fail(server, step, mode)
        assert (error.code, error.retryable, error.retry_after_s) == (code, retryable, wait)
        assert error.help
        if code == "E611":
            assert "claude-test" in error.message

    async def test_a_refused_connection_is_retryable(self, server: ModelServer) -> None:
        """E604 when nobody listens."""
        model = self.make(server, SECRET)
        server.__exit__()
        with pytest.raises(ModelError) as caught:
            await model.ask(request())
        await model.close()
        assert (caught.value.code, caught.value.retryable) == ("E604", True)

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("step", [Hang(), Hang(Turn("half of this comes"))], ids=["headers", "body"])
    async def test_a_hang_ends_with_the_timeout(self, server: ModelServer, step: Hang, mode: str) -> None:
        """`timeout_s` bounds the whole call, wherever it hangs."""
        error = await self.fail(server, step, mode, timeout_s=0.2)
        assert (error.code, error.retryable) == ("E606", True)

    @pytest.mark.parametrize("neatly", [False, True])
    @pytest.mark.parametrize("keep", [0.02, 0.2, 0.4, 0.6, 0.75])
    async def test_a_cut_stream_is_no_answer(self, server: ModelServer, keep: float, neatly: bool) -> None:
        """Wherever a stream with tool calls is cut, there is an error and never a call."""
        error = await self.fail(server, Cut(TWO_CALLS, keep, neatly), "streamed")
        assert (error.code, error.retryable) == ("E607", True)

    @pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
    async def test_a_cut_body_is_no_answer(self, server: ModelServer, keep: float) -> None:
        """A body shorter than promised is not used."""
        error = await self.fail(server, Cut(TWO_CALLS, keep))
        assert (error.code, error.retryable) == ("E607", True)

    @pytest.mark.parametrize("mode", MODES)
    async def test_an_error_inside_a_stream_is_an_error(self, server: ModelServer, mode: str) -> None:
        """A provider may fail after it began well."""
        del mode
        error = await self.fail(server, StreamError("rate"), "streamed")
        assert (error.code, error.retryable) == ("E601", True)

    @pytest.mark.parametrize("mode", MODES)
    async def test_an_empty_answer_is_an_error(self, server: ModelServer, mode: str) -> None:
        """E605, with what was spent; asking again may help."""
        error = await self.fail(server, Turn(""), mode)
        assert (error.code, error.retryable) == ("E605", True)
        assert error.usage.input_tokens == 10  # type: ignore[attr-defined]

    async def test_an_empty_body_is_an_error(self, server: ModelServer) -> None:
        """Status 200 and nothing else."""
        error = await self.fail(server, EMPTY)
        assert (error.code, error.retryable) == ("E605", True)

    @pytest.mark.parametrize("mode", MODES)
    async def test_ten_megabytes_are_refused(self, server: ModelServer, mode: str) -> None:
        """E608 instead of filling memory and journal."""
        error = await self.fail(server, huge(10), mode)
        assert (error.code, error.retryable) == ("E608", False)

    @pytest.mark.parametrize(
        "data", [b"<html>busy</html>", b"[]", b'{"a":', b"\xff\xfe", b"[" * 100_000, b"null"]
    )
    async def test_another_body_is_no_answer(self, server: ModelServer, data: bytes) -> None:
        """What is not the provider's JSON is an error, never an exception of another kind."""
        error = await self.fail(server, Body(data))
        assert error.code in ("E605", "E607", "E609")

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("status", [400, 401, 429, 500])
    async def test_secrets_stay_out_of_errors(self, server: ModelServer, status: int, mode: str) -> None:
        """Not when the provider echoes the key, not in the traceback, not in `repr`."""
        error = await self.fail(server, Status(status, message=f"bad key {SECRET} (Bearer {SECRET})"), mode)
        shown = "".join(traceback.format_exception(error)) + repr(error) + error.help
        assert "SECRET" not in shown
        assert error.__cause__ is None
        assert error.__context__ is None
        assert SECRET not in repr(self.make(server, SECRET))

    async def test_a_listener_that_breaks_does_no_harm(self, server: ModelServer) -> None:
        """Deltas are a side channel."""
        model = self.make(server, SECRET)
        server.script(TWO_CALLS)

        def broken(_: Delta) -> None:
            raise RuntimeError("listener")

        reply = await model.ask(request(), broken)
        await model.close()
        assert len(reply.message.tool_uses) == 2

    async def test_cancelling_ends_the_call(self, server: ModelServer) -> None:
        """A cancelled ask is gone at once."""
        model = self.make(server, SECRET)
        server.script(Hang())
        task = asyncio.create_task(model.ask(request(timeout_s=2.0)))
        await asyncio.to_thread(_until_asked, server)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await model.close()

    def test_one_adapter_serves_one_event_loop_after_another(self, server: ModelServer) -> None:
        """A notebook or the sync facade may start a new loop for each call."""
        model = self.make(server, SECRET)
        for _ in range(3):
            server.script(Turn("again"))
            assert asyncio.run(model.ask(request())).message.text == "again"
        asyncio.run(model.close())


def _until_asked(server: ModelServer) -> None:
    with server.asked:
        server.asked.wait_for(lambda: server.requests, timeout=5)
