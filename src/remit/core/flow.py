"""Information flow: where the values of a call came from.

A run that has read untrusted content may have been talked into anything, so what counts is no longer what its model says but
where each value stands: in something trusted (a person said it, a trusted tool found it), only in something untrusted, or
nowhere, which means that the model made it up. Source of the idea: Debenedetti et al., "Defeating Prompt Injections by
Design" (CaMeL, 2025); this is its coarser form, for agents whose calls are not planned beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any

from msgspec import Struct

from remit.core.origins import Origins, Schemas, Source, Standing, Text
from remit.core.roles import Argument, texts_of, with_roles
from remit.core.run import Run
from remit.core.tracing import LONG_NAME, LOOSE, addresses, appears, bare, decoded, named, numbers, plain

MOST_VOUCHED = 200
MOST_PARTS = 5000
"""Parts of what is handed on that are looked at; nobody vouches for what is beyond them."""

MOST_TOLD = 5
MOST_LINKS = 5
"""Links from untrusted content that are followed with private data about: which of many are followed can spell that data out."""

_DIGITS = 1000
_TOLD: tuple[Standing, ...] = ("untrusted", "composed")
_MARKER = r"\[REDACTED:\w+:[0-9a-f]{4}\]"
_WORD = re.compile(rf"{_MARKER}|[^\s,;\"'`()<>]++")
_POINT = re.compile(r"[\d@/._#:]")
_QUOTED = re.compile(r"\"([^\"\n]{2,200})\"|`([^`\n]{2,200})`")


class Finding(Struct, frozen=True):
    """Where one argument came from. `source` is the one to distrust, as people read it, for `untrusted`."""

    argument: Argument
    standing: Standing
    source: str = ""

    @property
    def sentence(self) -> str:
        """The path that the value took, for people."""
        value = str(self.argument.value)
        start = f"`{self.argument.where}` = `{value if len(value) <= 80 else value[:77] + '...'}`"
        if self.standing == "untrusted":
            return f"{start} came from {self.source}, which is untrusted; nobody trusted named it"
        return f"{start} stands in nothing that the run has read, and some of that is untrusted; the model composed it"


class Flow(Struct, frozen=True):
    """What is known of a call in a run that has read untrusted content: its arguments that nobody trusted named.

    `carried` names where the private content is from that the arguments hold.
    """

    findings: tuple[Finding, ...] = ()
    carried: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What policy is told: the roles of those arguments, and whether anything private would leave."""
        roles: dict[str, Any] = {
            s: sorted({f.argument.role for f in self.findings if f.standing == s}) for s in _TOLD
        }
        return {**roles, "private": bool(self.carried)}

    @property
    def sentences(self) -> list[str]:
        """The path that each of them took."""
        said = [f.sentence for f in self.findings[:MOST_TOLD]]
        if len(self.findings) > MOST_TOLD:
            said.append(f"and so are {len(self.findings) - MOST_TOLD} more values")
        if self.carried:
            said.append(f"the arguments hold something private from {', '.join(self.carried[:3])}")
        return said


class Trace:
    """Traces the calls of one run. Make one for each taking up of a run: what it has looked through it does not read again."""

    def __init__(self, run: Run, schemas: Schemas) -> None:
        self._run = run
        self._schemas = schemas
        self._origins = Origins(run, schemas)
        # A value that stands nowhere was made up by the model, or worked out by an author's code, where there is any.
        self._nowhere: Standing = "composed" if run.agent.kind == "llm" else "trusted"

    def flow(self, schema: Mapping[str, Any], arguments: Mapping[str, Any], *, leaving: bool) -> Flow:
        """Where the arguments of a call came from; with `leaving`, also whether they hold anything private."""
        sources = self._origins.all()
        found = [_finding(a, sources, self._nowhere) for a in with_roles(schema, arguments)]
        if not leaving:
            return Flow(tuple(f for f in found if f.standing != "trusted"))
        # A link that somebody wrote as it is says nothing that its author did not know.
        links = {f.argument.value: f for f in found if f.argument.role == "url" and f.standing != "composed"}
        carried = _carried([t for t in texts_of(arguments) if t not in links], sources)
        if any(f.standing == "untrusted" for f in links.values()) and self._followed() >= MOST_LINKS:
            carried += ("the choice of the links that it follows",)
        return Flow(tuple(f for f in found if f.standing != "trusted"), carried)

    def vouched(self, handed: Any) -> tuple[str, ...]:
        """The parts of what is handed on that stand in something trusted: texts, lines, quotations, words with a point in them."""
        sources = self._origins.all()
        trusted = [source.text for source in sources if source.standing == "trusted"]
        parts = dict.fromkeys(part for text in texts_of(handed) for part in parts_of(text))
        values = (Argument("", _role_of(part), part) for part in islice(parts, MOST_PARTS))
        known = (
            str(value.value)
            for value in values
            # Cheap first: most parts of a large result stand in nothing trusted.
            if any(_named(value, text) for text in trusted)
            and _standing(value, sources, "composed").standing == "trusted"
        )
        return tuple(islice(known, MOST_VOUCHED))

    def _followed(self) -> int:
        """How many different URLs the run has asked for."""
        calls = ((s.name, s.arguments) for s in self._run.steps.values() if isinstance(s.arguments, Mapping))
        urls = {
            a.value
            for name, given in calls
            for a in with_roles(self._schemas(name), given)
            if a.role == "url"
        }
        return len(urls)

    def legs(self) -> list[str]:
        """Where the run has untrusted content from, and where private, a sentence each."""
        sources = self._origins.all()
        told = []
        for kind, some in (
            ("untrusted", [s for s in sources if s.standing == "untrusted"]),
            ("private", [s for s in sources if s.private]),
        ):
            if some:
                told.append(
                    f"the run has read {kind} content: {', '.join(dict.fromkeys(s.shown for s in some[:3]))}"
                )
        return told


def _finding(argument: Argument, sources: list[Source], nowhere: Standing) -> Finding:
    """The worst of the values in an argument: of several recipients, the one least to be trusted."""
    worst = Finding(argument, "trusted")
    for value in _values(argument):
        found = _standing(value, sources, nowhere)
        if found.standing == "untrusted":
            return Finding(argument, "untrusted", found.source)
        if found.standing == "composed":
            worst = Finding(argument, "composed")
    return worst


def _standing(value: Argument, sources: list[Source], nowhere: Standing) -> Finding:
    """How one value stands: trusted if any trusted source says it, `nowhere` if no source has it at all."""
    handed, standing, suspect = False, nowhere, None
    for source in sources:
        # What a call was given is no word of its answer's own: an echo makes nothing trusted.
        handed = handed or _within(value, source.given)
        if source.standing == "trusted":
            if _named(value, source.text) and not (handed and source.called):
                return Finding(value, "trusted")
        elif _within(value, source.text):
            if source.standing == "untrusted":
                suspect = suspect or source
            else:
                standing = "composed"
    return Finding(value, "untrusted", suspect.shown) if suspect else Finding(value, standing)


def _values(argument: Argument) -> Iterator[Argument]:
    """The values that are looked for: each address of a list, each number of an amount, else the text."""
    if argument.role == "amount":
        found = numbers(str(argument.value)) if isinstance(argument.value, str) else ()
        for number in found or (argument.value,):
            yield Argument(argument.where, "amount", str(number), argument.cents)
    elif argument.role == "recipient":
        for address in addresses(str(argument.value)):
            yield Argument(argument.where, "recipient", address)
    else:
        yield Argument(argument.where, argument.role, str(argument.value))


def _named(value: Argument, text: Text) -> bool:
    """Whether a text says just this: word for word, and a URL letter for letter."""
    wanted = str(value.value)
    if value.role == "url":
        return named(wanted.strip(), text.raw)
    number = _number(value)
    if number is None:
        return named(plain(wanted), text.plain)
    return number in text.numbers or (value.cents and number / 100 in text.numbers)


def _within(value: Argument, text: Text) -> bool:
    """Whether a text has this in any spelling. A URL is only what it is: whoever adds to one sends what was added."""
    wanted = str(value.value)
    number = _number(value)
    if number is not None:
        return bool({number, number / 100, number * 100} & text.numbers)
    if value.role == "url" and len(wanted) > LONG_NAME:
        return wanted.strip() in text.raw
    if value.role == "url" or len(bare(wanted)) < LOOSE:
        return _named(value, text)
    return appears(wanted, text.bare)


def _number(value: Argument) -> Decimal | None:
    """The amount, if it is one that can be calculated with."""
    if value.role != "amount":
        return None
    try:
        number = Decimal(str(value.value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number.adjusted()) < _DIGITS else None


def _carried(texts: list[str], sources: list[Source]) -> tuple[str, ...]:
    """The private sources of which texts hold something that nothing public and trusted says."""
    private = [s for s in sources if s.private]
    if not private:
        return ()
    probes = Text([*texts, *(d for t in texts for d in decoded(t)), *(t[::-1] for t in texts)]).probes
    public = frozenset[str]().union(
        *(s.text.marks | s.text.probes for s in sources if s.standing == "trusted" and not s.private)
    )
    told = probes - public
    return tuple(dict.fromkeys(s.shown for s in private if not told.isdisjoint(s.text.marks)))


def parts_of(text: str) -> Iterator[str]:
    """What of a text may be vouched for by itself: the whole, its lines, its quotations, and words with a digit or a sign in them."""
    yield text
    lines = text.splitlines()
    if len(lines) > 1:
        yield from lines
    for quoted in _QUOTED.findall(text):
        yield from filter(None, quoted)
    for word in _WORD.findall(text):
        if _POINT.search(word):
            yield word.rstrip(".:!?")


def _role_of(part: str) -> str:
    """How a part is looked for: a number as a number, a URL letter for letter."""
    if "://" in part and " " not in part:
        return "url"
    found = numbers(part)
    return "amount" if found and not any(c.isalpha() for c in part) else ""
