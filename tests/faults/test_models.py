"""F6, F7: models that fail in every way, and arguments in every broken form. Nothing runs that was not asked for whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from faultlib.invariants import check_invariants
from faultlib.ledger import TENANT, Ledger

from remit import Agent, open_app
from remit.adapters.model.arguments import parse_arguments
from remit.adapters.model.openai import OpenAIModel
from remit.core.message import Message, ToolUse
from remit.engine.models import Route
from remit.sdk import Pack
from remit.settings import Settings
from remit.testing import FakeClock, app_for_tests, task
from remit.testing.model_server import EMPTY, Body, Call, Cut, Hang, ModelServer, Status, StreamError, Turn

CHARGE = Turn(calls=(Call("c1", "charge_plain", '{"ref": "one"}'),))
DONE = Turn("done")
PASSING: dict[str, list[Any]] = {
    "429": [Status(429)],
    "429-retry-after": [Status(429, retry_after=2)],
    "429-twice": [Status(429), Status(429, retry_after=1)],
    "429-bad-retry-after": [Status(429, retry_after="soon")],
    "500": [Status(500)],
    "502": [Status(502)],
    "503": [Status(503)],
    "503-twice": [Status(503), Status(503)],
    "529": [Status(529)],
    "cut-early": [Cut(CHARGE, 0.2)],
    "cut-middle": [Cut(CHARGE, 0.5)],
    "cut-late": [Cut(CHARGE, 0.8)],
    "cut-neatly": [Cut(CHARGE, 0.5, neatly=True)],
    "cut-text": [Cut(Turn("thinking about it " * 20), 0.7)],
    "stream-error": [StreamError()],
    "hang": [Hang()],
    "hang-in-stream": [Hang(CHARGE)],
    "mixed": [Status(500), Cut(CHARGE, 0.6)],
}
LASTING: dict[str, Any] = {
    "400": Status(400),
    "401": Status(401),
    "403": Status(403),
    "404": Status(404),
    "429": Status(429),
    "429-an-hour": Status(429, retry_after=3600),
    "500": Status(500),
    "503": Status(503),
    "cut": Cut(CHARGE, 0.5),
    "cut-neatly": Cut(CHARGE, 0.6, neatly=True),
    "empty": EMPTY,
    "not-json": Body(b"<html>proxy</html>", "text/html"),
    "half-json": Body(b'{"choices": ['),
    "stream-error": StreamError(),
    "hang": Hang(CHARGE),
}
FAULTS = [(name, at) for name in PASSING for at in (0, 1)]


def app_at(server: ModelServer, ledger: Ledger, home: Path) -> Any:
    """An app whose model is the server, and an agent that may charge."""
    charger = Agent("charger", instructions="Charge.", tools=ledger.tools())
    return open_app(
        Settings(home=home, store="memory:"),
        packs=[Pack("tests", agents=[charger])],
        models={"openai": OpenAIModel(api_key="k", base_url=server.openai_url)},
        routes={"default": Route("openai", "gpt-test", timeout_s=0.4)},
        clock=FakeClock(),
    )


@pytest.mark.parametrize(("fault", "at"), FAULTS, ids=lambda v: str(v))
async def test_a_passing_model_fault_is_retried_within_bounds_and_nothing_runs_twice(
    fault: str, at: int, tmp_path: Path
) -> None:
    """Whatever the provider does once or twice: the run succeeds, its one effect happens once."""
    ledger = Ledger()
    script: list[Any] = [CHARGE, DONE]
    script[at:at] = PASSING[fault]
    with ModelServer(*script) as server:
        async with app_at(server, ledger, tmp_path) as app:
            result = await app.run(task("charger"))
            assert (result.status, result.result_payload) == ("success", "done"), result.problem
            await check_invariants(app, result.run_id, ledger.entries)
        assert [e["ref"] for e in ledger.entries] == ["one"]
        assert len(server.requests) == 2 + len(PASSING[fault])


@pytest.mark.parametrize("fault", LASTING)
async def test_a_lasting_model_fault_ends_the_run_with_its_reason_and_no_effect(
    fault: str, tmp_path: Path
) -> None:
    """A provider that stays broken is asked a bounded number of times; half an answer never becomes a call."""
    ledger = Ledger()
    with ModelServer(*[LASTING[fault]] * 20) as server:
        async with app_at(server, ledger, tmp_path) as app:
            result = await app.run(task("charger"))
            assert result.status == "failure"
            assert result.problem.code.startswith("E6")
            await check_invariants(app, result.run_id, ledger.entries)
        assert not ledger.entries
        assert 1 <= len(server.requests) <= 6


async def test_ten_megabytes_of_answer_are_bounded(tmp_path: Path) -> None:
    """A huge answer ends in a result or a reason, never in a hang or a call."""
    ledger = Ledger()
    with ModelServer(*[Turn("x" * 10_000_000, piece=256 * 1024)] * 6) as server:
        async with app_at(server, ledger, tmp_path) as app:
            result = await app.run(task("charger"))
            assert result.status in ("success", "failure")
            await check_invariants(app, result.run_id, ledger.entries)
    assert not ledger.entries


def corpus() -> list[str]:
    """Broken arguments: truncated, trailing, of another type, doubled keys, no numbers, too deep, too long."""
    whole = '{"ref": "one", "note": "a \\"quoted\\" word", "n": [1, 2, {"k": null}]}'
    longer = '{"ref": "zwei", "list": [' + ", ".join(f'{{"id": {n}, "ok": true}}' for n in range(5)) + "]}"
    cut = [text[:at] for text in (whole, longer) for at in range(1, len(text))]
    trailing = [
        whole + end
        for end in ("}", "]", " x", ",", '{"ref": "two"}', "\x00", "// ok", "<|end|>", "```", "\n\n;")
    ]
    leading = [start + whole for start in ("x", "```json\n", "[", "\ufeff{", "=", "call(", "\x00", "'")]
    types = [
        "1",
        "null",
        "true",
        '"one"',
        "[]",
        '["ref"]',
        "1.5",
        "-0",
        '[{"ref": "one"}]',
        "undefined",
        "None",
    ]
    doubled = [f'{{"ref": "one", "ref": {v}}}' for v in ('"two"', "1", "null", "[]", "{}")]
    numbers = [
        f'{{"ref": {v}}}'
        for v in ("NaN", "Infinity", "-Infinity", "1e999", "0x10", "01", "+1", ".5", "1_000")
    ]
    deep = ['{"ref": ' + "[" * n + "]" * n + "}" for n in (65, 100, 1000, 10_000)]
    deep += ['{"a":' * n + "1" + "}" * n for n in (65, 100, 1000, 10_000)]
    quotes = [
        "{'ref': 'one'}",
        "{ref: 'one'}",
        '{"ref": one}',
        '{"ref" "one"}',
        '{"ref":: "one"}',
        '{"ref": "one",}',
    ]
    strings = [
        '{"ref": "\ud800"}',
        '{"ref": "a\nb"}',
        '{"ref": "\\x41"}',
        '{"ref": "\\u12"}',
        '{"ref": "' + "x" * 1_000_000,
    ]
    long = ['{"ref": "' + "x" * n for n in (10, 1000, 100_000)]
    middle = [whole[:at] + "\x01" + whole[at:] for at in range(1, len(whole), 2)]
    swapped = [whole[:at] + whole[at + 1 :] for at in range(len(whole)) if whole[at] in '{}[]":,']
    commas = [whole[:at] + ",," + whole[at:] for at in range(1, len(whole), 3)]
    braces = [whole[:at] + "}" + whole[at:] for at in range(1, len(whole), 3)]
    every = [*cut, *trailing, *leading, *types, *doubled, *numbers, *deep, *quotes, *strings, *long]
    return [text for text in dict.fromkeys([*every, *middle, *swapped, *commas, *braces]) if _is_broken(text)]


def _is_broken(text: str) -> bool:
    return parse_arguments(text)[1] is not None


def invalid() -> list[ToolUse]:
    """Whole JSON objects that are not what the tool asks for, and tools that are not the agent's."""
    good = {"ref": "one"}
    bad: list[dict[str, Any]] = [{}, {"ref": 1}, {"ref": None}, {"ref": ["one"]}, {"ref": {}}, {"REF": "one"}]
    bad += [{**good, name: 1} for name in ("extra", "Ref", "ref ", "__proto__", "context", "key", "ｒef")]
    names = [
        "charge",
        "Charge_plain",
        "charge_plain ",
        "charge_plаin",
        "chargе_plain",
        "charge_plain\u200b",
        "",
        "x" * 300,
    ]
    names += [
        "delegate_to_charger",
        "__import__",
        "charge_plain;charge_keyed",
        "ｃharge_plain",
        "../charge_plain",
    ]
    return [ToolUse("c", "charge_plain", b) for b in bad] + [ToolUse("c", name, good) for name in names]


def test_the_corpus_of_broken_arguments_is_large_and_all_of_it_is_refused() -> None:
    """At least three hundred texts in all forms that models have been seen to write."""
    assert len(corpus()) + len(invalid()) >= 300


async def test_broken_arguments_execute_nothing_and_are_repaired_at_most_twice() -> None:
    """No broken text runs a tool or throws; the model is told twice, then the run stops with a reason."""
    for number, text in enumerate(corpus()):
        given, malformed = parse_arguments(text)
        turn = Message("assistant", (ToolUse("c", "charge_plain", given, malformed),))
        asked = await _asked_with(turn, f"t{number}", "E621")
        assert asked <= 4, text[:80]


async def test_well_formed_but_wrong_calls_execute_nothing() -> None:
    """Another type, a missing or an extra argument, a look-alike name: refused, and the model is told why."""
    for number, use in enumerate(invalid()):
        await _asked_with(Message("assistant", (use,)), f"t{number}", "E510")


async def _asked_with(turn: Message, task_id: str, code: str) -> int:
    """A run whose model says nothing but `turn`; how often it was asked."""
    ledger = Ledger()
    charger = Agent("charger", instructions="Charge.", tools=ledger.tools(), max_iterations=6)
    async with app_for_tests(charger, replies=[turn], cycle=True) as app:
        result = await app.run(task("charger", task_id))
        assert result.status == "failure"
        assert result.problem is not None
        assert result.problem.code == code, (result.problem, turn)
        await check_invariants(app, result.run_id, ledger.entries)
    assert not ledger.entries, turn
    return result.cost_usage.model_calls


async def test_two_calls_of_one_id_each_run_with_their_own_arguments() -> None:
    """An id that a model uses twice never lets one call run with the other's arguments."""
    ledger = Ledger()
    charger = Agent("charger", instructions="Charge.", tools=ledger.tools())
    uses = tuple(ToolUse("same", "charge_plain", {"ref": ref}) for ref in ("one", "two"))
    async with app_for_tests(charger, replies=[Message("assistant", uses), "done"]) as app:
        result = await app.run(task("charger"))
        assert result.status == "success"
        await check_invariants(app, result.run_id, ledger.entries)
        assert {e["ref"] for e in ledger.entries} == {"one", "two"}
        assert (await app.runs.view(result.run_id, TENANT)).usage.tool_calls == 2
