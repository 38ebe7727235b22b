"""The offline `rules` model of this pack: plain Python that plays each agent from what the tools answer, and says what it is.

It tells three kinds of question apart by their words. It is no language model, and says so where it is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from remit.sdk import Message, ModelRequest, Rule, Text, ToolResult, ToolUse, assistant

OFFLINE = "I am Remit's offline rules model: fixed rules, not a language model."

ZONES: Mapping[str, str] = {
    "amsterdam": "Europe/Amsterdam", "beijing": "Asia/Shanghai", "berlin": "Europe/Berlin", "chicago": "America/Chicago",
    "delhi": "Asia/Kolkata", "dubai": "Asia/Dubai", "hong kong": "Asia/Hong_Kong", "london": "Europe/London",
    "los angeles": "America/Los_Angeles", "madrid": "Europe/Madrid", "mumbai": "Asia/Kolkata", "new york": "America/New_York",
    "paris": "Europe/Paris", "rome": "Europe/Rome", "san francisco": "America/Los_Angeles", "sao paulo": "America/Sao_Paulo",
    "seattle": "America/Los_Angeles", "shanghai": "Asia/Shanghai", "singapore": "Asia/Singapore", "sydney": "Australia/Sydney",
    "tokyo": "Asia/Tokyo", "toronto": "America/Toronto", "zurich": "Europe/Zurich",
}  # fmt: skip

_TIME = re.compile(r"\b(?:what time|the time|time is it|what day|today|date|current time|o'clock)\b", re.I)
_ZONE = re.compile(r"\b(?:UTC|[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+)\b")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*(?:%|percent)\s+of\s+(\d+(?:\.\d+)?)", re.I)
_FUNCTION = r"\b(?:abs|sqrt|round|min|max|floor|ceil|exp|log10|log2|log|sin|cos|tan|factorial|gcd)\s*\("
_SUM = re.compile(rf"(?:{_FUNCTION}|\bpi\b|[\d.+\-*/%(),\s])+", re.IGNORECASE)
_IS_SUM = re.compile(rf"{_FUNCTION}|[\d)]\s*(?:\*\*|//|[-+*/%])\s*[\d(.\-a-z]", re.IGNORECASE)
_RECALL = re.compile(r"\b(?:what did i (?:ask|say)|my (?:last|previous|first) (?:question|message))\b", re.I)
_WORDY = (
    (r"\bplus\b", "+"),
    (r"\bminus\b", "-"),
    (r"\btimes\b", "*"),
    (r"\bdivided by\b", "/"),
    ("×", "*"),
    (r"\^", "**"),
)


class Step(NamedTuple):
    """A tool's answer since the last words."""

    tool: str
    output: Any
    failed: bool


class Talk(NamedTuple):
    """The last words, what the user said before them, and what tools answered since."""

    said: str
    before: tuple[str, ...]
    steps: tuple[Step, ...]


def listen(request: ModelRequest) -> Talk:
    """A request as rules read it."""
    said: list[str] = []
    steps: list[Step] = []
    names: dict[str, str] = {}
    for message in request.messages:
        answers = [block for block in message.blocks if isinstance(block, ToolResult)]
        names |= {block.id: block.name for block in message.blocks if isinstance(block, ToolUse)}
        if message.role == "user" and message.text.strip() and not answers:
            said, steps = [*said, message.text.strip()], []
        steps += [Step(names.get(a.tool_use_id, ""), a.content, a.is_error) for a in answers]
    return Talk(said[-1] if said else "", tuple(said[:-1]), tuple(steps))


# the assistant


def tell_failure(request: ModelRequest) -> Message | None:
    """A tool refused or failed: say so."""
    failed = [step for step in listen(request).steps if step.failed]
    return assistant(f"That did not work: {_words(failed[0].output)}") if failed else None


def tell_time(request: ModelRequest) -> Message | None:
    """Ask the clock, then say what it shows."""
    talk = listen(request)
    for step in talk.steps:
        if step.tool == "get_current_time":
            shown = step.output
            return assistant(f"It is {shown['weekday']}, {shown['time']} in {shown['zone']}.")
    if not _TIME.search(talk.said):
        return None
    named = _ZONE.search(talk.said)
    city = next((zone for city, zone in ZONES.items() if city in talk.said.lower()), "UTC")
    return _call(talk, "get_current_time", {"zone": named[0] if named else city})


def do_sums(request: ModelRequest) -> Message | None:
    """Have it calculated, then say what came out."""
    talk = listen(request)
    for step in talk.steps:
        if step.tool == "calculate":
            return assistant(f"{step.output['expression']} = {step.output['result']}")
    wanted = expression_in(talk.said)
    return _call(talk, "calculate", {"expression": wanted}) if wanted else None


def recall(request: ModelRequest) -> Message | None:
    """Say what was asked before, which the conversation holds."""
    talk = listen(request)
    if not _RECALL.search(talk.said):
        return None
    if not talk.before:
        return assistant("You have not asked anything before.")
    which = talk.before[0] if "first" in talk.said.lower() else talk.before[-1]
    return assistant(f"You asked: {which}")


def look_up(request: ModelRequest) -> Message | None:
    """Search the database, products and then articles, and say what was found."""
    talk = listen(request)
    if not talk.said:
        return None
    searched = [step.output for step in talk.steps if step.tool == "search_database"]
    if not searched:
        return _call(talk, "search_database", {"query": _query(talk.said), "limit": 3})
    if len(searched) == 1:
        return _call(talk, "search_database", {"query": _query(talk.said), "table": "articles", "limit": 2})
    lines = [line for found in searched for line in _lines(found)]
    if not lines:
        return assistant(
            f"I found nothing on that. {OFFLINE} I can tell the time in a zone, calculate, and search products and articles."
        )
    return assistant("\n".join(["This is what the database has on it:", *lines]))


def expression_in(text: str) -> str:
    """The arithmetic in a question; empty if there is none."""
    share = _PERCENT.search(text)
    if share:
        return f"{share[1]} / 100 * {share[2]}"
    plain = text.lower()
    for word, sign in _WORDY:
        plain = re.sub(word, sign, plain)
    found = (match.strip(" ,.\n") for match in _SUM.findall(plain))
    return next((each for each in found if _IS_SUM.search(each)), "")


# the research workflow


def research(request: ModelRequest) -> Message | None:
    """Search both tables for the topic and list what was found."""
    talk = listen(request)
    topic = talk.said.partition(":")[2].strip() or talk.said
    searched = [step.output for step in talk.steps if step.tool == "search_database" and not step.failed]
    tables = ("products", "articles")
    if len(talk.steps) < len(tables):
        wanted = {"query": topic[:200], "table": tables[len(talk.steps)], "limit": 10}
        return _call(talk, "search_database", wanted)
    lines = [line for found in searched for line in _lines(found)]
    return assistant("\n".join(lines) or f"The database has nothing on {topic}.")


def analysis(request: ModelRequest) -> Message | None:
    """Count the findings and say what they cost, which rules can do."""
    given = _given(request)
    lines = [line for line in str(given.get("findings", "")).splitlines() if line.startswith("- ")]
    prices = [float(price) for line in lines for price in re.findall(r"\$(\d+(?:\.\d+)?)", line[:120])]
    told = [f"{len(lines)} findings on {given.get('topic', 'the topic')}."]
    if prices:
        told.append(f"{len(prices)} are products, from ${min(prices):.2f} to ${max(prices):.2f}.")
    gone = [line for line in lines if "out of stock" in line]
    if gone:
        told.append(f"{len(gone)} of them are out of stock.")
    told.append("What they mean beyond that takes a language model.")
    return assistant(" ".join(told))


def summary(request: ModelRequest) -> Message | None:
    """Put the first findings and the analysis together."""
    given = _given(request)
    lines = [line[2:] for line in str(given.get("findings", "")).splitlines() if line.startswith("- ")]
    first = "; ".join(line.partition(": ")[0] for line in lines[:5]) or "nothing"
    return assistant(
        f"On {given.get('topic', 'the topic')} there is: {first}. {given.get('analysis', '')} {OFFLINE}"
    )


RULES: Mapping[str, Sequence[Rule]] = {
    "assistant": (tell_failure, recall, tell_time, do_sums, look_up),
    "research": (research,),
    "analysis": (analysis,),
    "summary": (summary,),
}


def _call(talk: Talk, tool: str, given: dict[str, Any]) -> Message:
    made = f"rules_{len(talk.before)}_{len(talk.steps)}"
    return Message("assistant", (Text("I look that up."), ToolUse(made, tool, given)))


def _query(text: str) -> str:
    return re.sub(r"[^\w\s-]", " ", text)[:200]


def _given(request: ModelRequest) -> dict[str, Any]:
    """The input that a workflow handed over: JSON behind `Input:`."""
    try:
        given = json.loads(listen(request).said.partition("Input:\n")[2])
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}


def _lines(found: Any) -> list[str]:
    return [_line(row) for row in found.get("rows", ())] if isinstance(found, dict) else []


def _line(row: Mapping[str, Any]) -> str:
    if "title" in row:
        return f"- article {row['id']}, {row['title']}: {row['body']}"
    stock = f"{row['stock']} in stock" if row["stock"] else "out of stock"
    return f"- product {row['id']}, {row['name']}: ${row['price_usd']:.2f}, {stock}. {row['description']}"


def _words(output: Any) -> str:
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
