"""The investigator without a language model: fixed rules that read the run log aloud, and say that this is what they are."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from msgspec import Struct, convert, to_builtins

from remit.sdk import Message, ModelRequest, Rule

OFFLINE = "I am Remit's offline rules model: fixed rules that read the run log aloud, not a language model."

_ID = r"`?([A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?)`?"
_ACTIVATE = re.compile(rf"\bactivate version (\d+) of {_ID}", re.I)
_PROPOSE = re.compile(rf"\bset {_ID} to (\S+) (?:in|of|for) (?:rule )?{_ID}", re.I)
_QUARANTINE = re.compile(rf"\bquarantine (?:partition )?{_ID} of (?:table )?{_ID}", re.I)
_RERUN = re.compile(rf"\brerun (?:the )?load of (?:table )?{_ID}(?: for (?:partition )?{_ID})?", re.I)
_TABLE = re.compile(rf"\btable {_ID}|\"table_id\": *\"([^\"]+)\"|\bof (?:table )?{_ID}", re.I)
_RULE = re.compile(rf"\brule {_ID}|\"config_id\": *\"([^\"]+)\"", re.I)


class Answer(Struct, frozen=True):
    """What a tool answered to a call."""

    tool: str
    content: Any
    failed: bool


class Talk(Struct, frozen=True):
    """What was asked last, and what tools answered since."""

    said: str
    answers: tuple[Answer, ...]


def listen(request: ModelRequest) -> Talk:
    """Read a request."""
    said = ""
    calls: dict[str, str] = {}
    answers: list[Answer] = []
    for message in request.messages:
        for block in to_builtins(message)["blocks"]:
            if block["type"] == "text" and message.role == "user":
                said, answers = block["text"], []
            elif block["type"] == "tool_use":
                calls[block["id"]] = block["name"]
            elif block["type"] == "tool_result":
                answers.append(
                    Answer(calls.get(block["tool_use_id"], ""), block["content"], block["is_error"])
                )
    return Talk(said, tuple(answers))


def act(request: ModelRequest) -> Message | None:
    """A change that was asked for in so many words: ask for exactly that tool, once."""
    talk = listen(request)
    if talk.answers:
        return None
    because = f"asked for: {talk.said[:200]}"
    if found := _ACTIVATE.search(talk.said):
        given = {"config_id": found[2], "version": int(found[1]), "reason": because}
        return _call("activate_rule_change", given)
    if found := _PROPOSE.search(talk.said):
        return _call(
            "propose_rule_change",
            {"config_id": found[3], "parameters": {found[1]: _value(found[2])}, "reason": because},
        )
    if found := _QUARANTINE.search(talk.said):
        return _call("quarantine_partition", {"table_id": found[2], "partition": found[1], "reason": because})
    if found := _RERUN.search(talk.said):
        return _call("rerun_load", {"table_id": found[1], "partition": found[2] or "", "reason": because})
    return None


def look_up(request: ModelRequest) -> Message | None:
    """First the run log of the table."""
    talk = listen(request)
    table = _first(_TABLE, talk.said)
    return _call("recent_runs", {"table_id": table, "limit": 50}) if table and not talk.answers else None


def explain(request: ModelRequest) -> Message | None:
    """The newest run of the rule (or of any that does not hold), in words, from its details only."""
    talk = listen(request)
    log = next((a for a in talk.answers if a.tool == "recent_runs" and not a.failed), None)
    if log is None or not isinstance(log.content, list):
        return None
    rule = _first(_RULE, talk.said)
    runs = [run for run in log.content if not rule or run["config_id"] == rule]
    newest = list({run["config_id"]: run for run in reversed(runs)}.values())
    bad = [run for run in newest if run["status"] != "PASSED"]
    if not runs:
        return _say("The run log has nothing about that.", OFFLINE)
    if not bad:
        return _say("The newest run of every rule there passed.", OFFLINE)
    return _say(*(_story(run, runs) for run in bad), OFFLINE)


def _story(run: dict[str, Any], runs: list[dict[str, Any]]) -> str:
    """What one run found, and for how many runs in a row."""
    mine = [r for r in runs if r["config_id"] == run["config_id"]]
    row = next((i for i, r in enumerate(mine) if r["status"] == "PASSED"), len(mine))
    since = (
        f" This is so for {row} runs in a row."
        if row > 1
        else " The run before passed."
        if len(mine) > 1
        else ""
    )
    details = {
        k: v for k, v in run["details"].items() if k not in ("reason", "filters", "help") and _small(v)
    }
    verb = "could not be decided" if run["status"] == "ERROR" else "does not hold"
    what = f"Rule `{run['config_id']}` (version {run['version']}, {run['validation_type']}) {verb}"
    return f"{what}: {run['details'].get('reason', '')}.{since} Details: {json.dumps(details, ensure_ascii=False)}"


def report(request: ModelRequest) -> Message | None:
    """What came of a change."""
    talk = listen(request)
    if not talk.answers:
        return None
    last = talk.answers[-1]
    verb = "was not done" if last.failed else "was done"
    return _say(f"`{last.tool}` {verb}: {json.dumps(last.content, ensure_ascii=False)[:600]}", OFFLINE)


def lost(request: ModelRequest) -> Message:
    """Say what this is and what it understands."""
    return _say(
        f"I could not match this to anything I have rules for. {OFFLINE}",
        "I understand `why did rule R of table T fail`, `set PARAMETER to VALUE in rule R`, `activate version N of R`, "
        "`quarantine partition P of T` and `rerun the load of T`. Configure a model to have free text understood.",
    )


INVESTIGATOR_RULES: Sequence[Rule] = (act, look_up, explain, report, lost)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return next((group for group in found.groups() if group), "") if found else ""


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _small(value: Any) -> bool:
    return len(json.dumps(value, default=str)) <= 300


def _call(name: str, given: dict[str, Any]) -> Message:
    block = {"type": "tool_use", "id": f"rules_{name}", "name": name, "input": given}
    return convert({"role": "assistant", "blocks": [block]}, Message)


def _say(*sentences: str) -> Message:
    return convert({"role": "assistant", "blocks": [{"type": "text", "text": "\n".join(sentences)}]}, Message)
