"""The offline `rules` model of this pack: plain Python that plays each agent from what the tools answer, and says what it is.

It tells a few kinds of question apart by their words. It is no language model, and says so where it is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from remit.sdk import Message, ModelRequest, Rule, assistant
from remit_packs.assistant.sales import ask_sales
from remit_packs.listening import OFFLINE, handed_over, listen

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
_REMEMBER = re.compile(r"(?:please )?remember (?:that )?(.+)", re.IGNORECASE | re.DOTALL)
_REMEMBERED = re.compile(r"\bwhat do you (?:remember|know about me)\b|\bwhat did i tell you\b", re.IGNORECASE)
_WEB = re.compile(
    r"\b(?:search the web|look on the web|what does the web say)\s+(?:for|on|about)?\s*(.+)", re.IGNORECASE
)
_DOCUMENTS = re.compile(
    r"\b(?:search|look in) (?:my|our|the) documents\s+(?:for|on|about)?\s*(.+)", re.IGNORECASE
)
_PYTHON = re.compile(r"run (?:this )?python:?\s+(.+)", re.IGNORECASE | re.DOTALL)
_WORDY = (
    (r"\bplus\b", "+"),
    (r"\bminus\b", "-"),
    (r"\btimes\b", "*"),
    (r"\bdivided by\b", "/"),
    ("×", "*"),
    (r"\^", "**"),
)


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
    return talk.call("I look that up.", "get_current_time", {"zone": named[0] if named else city})


def do_sums(request: ModelRequest) -> Message | None:
    """Have it calculated, then say what came out."""
    talk = listen(request)
    for step in talk.steps:
        if step.tool == "calculate":
            return assistant(f"{step.output['expression']} = {step.output['result']}")
    wanted = expression_in(talk.said)
    return talk.call("I look that up.", "calculate", {"expression": wanted}) if wanted else None


def recall(request: ModelRequest) -> Message | None:
    """Say what was asked before, which the conversation holds."""
    talk = listen(request)
    if not _RECALL.search(talk.said):
        return None
    if not talk.before:
        return assistant("You have not asked anything before.")
    which = talk.before[0] if "first" in talk.said.lower() else talk.before[-1]
    return assistant(f"You asked: {which}")


def keep_in_mind(request: ModelRequest) -> Message | None:
    """Remember what one is asked to, and say what is known when one is asked that."""
    talk = listen(request)
    for step in talk.steps:
        if step.tool == "remember":
            return assistant(f"I will remember that ({step.output['citation']}).")
        if step.tool == "recall":
            notes = [f"- {note['text']} ({note['citation']})" for note in step.output["notes"]]
            return assistant(
                "\n".join(["This is what I was told to remember:", *notes])
                if notes
                else "I was told nothing yet."
            )
    wanted = _REMEMBER.match(talk.said)
    if wanted:
        told = {"subject": "user", "text": wanted[1].strip(), "tag": "preference", "scope": "user"}
        return talk.call("I keep that beyond this conversation.", "remember", told)
    if _REMEMBERED.search(talk.said):
        return talk.call(
            "I look what I was told.", "recall", {"subject": "user", "scope": "user", "limit": 20}
        )
    return None


def search_elsewhere(request: ModelRequest) -> Message | None:
    """Search the web or the documents at hand, when one is asked to, and quote what was found with where it is from."""
    talk = listen(request)
    for step in talk.steps:
        if step.tool == "web_search":
            hits = [f"- {hit['title']}: {hit['snippet']} [{hit['url']}]" for hit in step.output["hits"]]
            return assistant(
                "\n".join(["The web has this:", *hits]) if hits else "The web has nothing on it."
            )
        if step.tool == "search_documents":
            found = [
                f"- {part['title']}: {part['text'][:300]} [{part['citation']}]"
                for part in step.output["passages"]
            ]
            return assistant(
                "\n".join(["The documents have this:", *found])
                if found
                else "The documents have nothing on it."
            )
    for pattern, tool in ((_WEB, "web_search"), (_DOCUMENTS, "search_documents")):
        wanted = pattern.search(talk.said)
        if wanted:
            return talk.call(
                "I was asked to search.", tool, {"query": wanted[1].strip(" ?.")[:300], "limit": 3}
            )
    return None


def run_code(request: ModelRequest) -> Message | None:
    """Run Python that one is given, and say what it answered."""
    talk = listen(request)
    for step in talk.steps:
        if step.tool == "run_python":
            ran = step.output
            said = "\n".join(
                part for part in (ran["stdout"].strip(), ran["value"], ran["stderr"].strip()) if part
            )
            return assistant(said or f"It ended: {ran['ending']}.")
    wanted = _PYTHON.match(talk.said)
    return (
        talk.call("I run it in the sandbox.", "run_python", {"code": wanted[1].strip("` \n")})
        if wanted
        else None
    )


def look_up(request: ModelRequest) -> Message | None:
    """Search the database, products and then articles, and say what was found."""
    talk = listen(request)
    if not talk.said:
        return None
    searched = [step.output for step in talk.steps if step.tool == "search_database"]
    if not searched:
        return talk.call("I look that up.", "search_database", {"query": _query(talk.said), "limit": 3})
    if len(searched) == 1:
        return talk.call(
            "I look that up.",
            "search_database",
            {"query": _query(talk.said), "table": "articles", "limit": 2},
        )
    lines = [line for found in searched for line in _lines(found)]
    if not lines:
        return assistant(
            f"I found nothing on that. {OFFLINE} I can tell the time in a zone, calculate, say what sold, remember, run Python, and"
            " search products, articles, documents and the web."
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
        return talk.call("I look that up.", "search_database", wanted)
    lines = [line for found in searched for line in _lines(found)]
    return assistant("\n".join(lines) or f"The database has nothing on {topic}.")


def analysis(request: ModelRequest) -> Message | None:
    """Count the findings and say what they cost, which rules can do."""
    given = handed_over(request)
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
    given = handed_over(request)
    lines = [line[2:] for line in str(given.get("findings", "")).splitlines() if line.startswith("- ")]
    first = "; ".join(line.partition(": ")[0] for line in lines[:5]) or "nothing"
    return assistant(
        f"On {given.get('topic', 'the topic')} there is: {first}. {given.get('analysis', '')} {OFFLINE}"
    )


RULES: Mapping[str, Sequence[Rule]] = {
    "assistant": (
        tell_failure,
        recall,
        keep_in_mind,
        run_code,
        search_elsewhere,
        ask_sales,
        tell_time,
        do_sums,
        look_up,
    ),
    "research": (research,),
    "analysis": (analysis,),
    "summary": (summary,),
}


def _query(text: str) -> str:
    return re.sub(r"[^\w\s-]", " ", text)[:200]


def _lines(found: Any) -> list[str]:
    return [_line(row) for row in found.get("rows", ())] if isinstance(found, dict) else []


def _line(row: Mapping[str, Any]) -> str:
    if "title" in row:
        return f"- article {row['id']}, {row['title']}: {row['body']}"
    stock = f"{row['stock']} in stock" if row["stock"] else "out of stock"
    return f"- product {row['id']}, {row['name']}: ${row['price_usd']:.2f}, {stock}. {row['description']}"


def _words(output: Any) -> str:
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
