"""A guardrail in this process: words and patterns. It knows what it was told to look for, and nothing of what a text means."""

from __future__ import annotations

import re
import tomllib
from collections import OrderedDict
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from operator import mul
from typing import NamedTuple

import msgspec

from remit.core.codec import digest
from remit.core.errors import ConfigError
from remit.core.grounding import grounded, relevant
from remit.core.guardrail import Action, Filter, GuardrailSpec, Side, Strength
from remit.core.redaction import personal
from remit.core.tracing import plain
from remit.ports.embeddings import Embeddings
from remit.ports.guardrail import About, Source, Verdict

KEPT = 4096
"""Verdicts that are remembered: a conversation shows the model its tool results again and again."""

_WEIGHTS = {"strong": 1.0, "medium": 0.6, "weak": 0.25}
_NEEDED: dict[Strength, float] = {"low": 0.9, "medium": 0.55, "high": 0.2}
_SENTENCE = re.compile(r"[^.!?\n]{0,2000}[.!?\n]*")


class Hit(NamedTuple):
    """A rule that took effect, and where; `start` -1 for one that is about the text as a whole."""

    rule: str
    action: Action
    start: int = -1
    end: int = -1


class _Terms(NamedTuple):
    strong: re.Pattern[str] | None
    medium: re.Pattern[str] | None
    weak: re.Pattern[str] | None


class LocalGuardrail:
    """`ports.guardrail.Guardrail` by words and patterns of a guardrails file."""

    def __init__(self, spec: GuardrailSpec, embeddings: Embeddings | None = None) -> None:
        """`embeddings` are for topics by example. Raises ConfigError E975 for such topics without them."""
        if embeddings is None and any(topic.examples for topic in spec.topics):
            raise ConfigError(
                "topics by `examples` need a model of embeddings",
                code="E975",
                help="use `phrases` and `patterns`, or give the guardrail `embeddings`",
            )
        self._spec = spec
        self._embeddings = embeddings
        self._examples: dict[str, list[list[float]]] = {}
        self._topics = [
            (t, _phrases(t.phrases), [re.compile(p, re.I) for p in t.patterns]) for t in spec.topics
        ]
        self._words = _phrases(spec.words.custom)
        self._patterns = [(p, re.compile(p.regex)) for p in spec.patterns]
        self._verdicts: OrderedDict[tuple[str, Source], Verdict] = OrderedDict()

    async def check(self, text: str, source: Source, about: About | None = None) -> Verdict:
        """Judge a text. Raises ModelError when a topic by example cannot be compared."""
        key = (digest(text.encode("utf-8", "surrogatepass")), source)
        verdict = self._verdicts.get(key)
        if verdict is None:
            hits = [*self._hits(text, source), *await self._alike(text, source)]
            verdict = self._verdicts[key] = self._verdict(text, source, hits)
            if len(self._verdicts) > KEPT:
                self._verdicts.popitem(last=False)
        if about is None or source == "input" or verdict.outcome == "blocked":
            return verdict
        failed = list(self._about(text, about))
        return self._verdict(text, source, failed) if failed else verdict

    def _verdict(self, text: str, source: Source, hits: list[Hit]) -> Verdict:
        why = tuple(dict.fromkeys(hit.rule for hit in hits))
        if any(hit.action == "block" for hit in hits):
            message = self._spec.blocked_input if source == "input" else self._spec.blocked_output
            return Verdict(
                "blocked", message, tuple(dict.fromkeys(h.rule for h in hits if h.action == "block"))
            )
        return Verdict("masked", _masked(text, hits), why) if hits else Verdict("passed", text)

    def _hits(self, text: str, source: Source) -> Iterator[Hit]:
        """Every rule that takes effect."""
        yield from self._content(text, source)
        for topic, phrases, patterns in self._topics:
            if _on(topic.on, source) and any(p.search(text) for p in (phrases, *patterns) if p is not None):
                yield Hit(f"topic {topic.name}", "block")
        words = self._spec.words
        if _on(words.on, source):
            yield from _found("word", words.action, self._words, text)
            if words.profanity:
                yield from _found("words profanity", words.action, terms()["profanity"].strong, text)
        known = self._spec.personal
        if _on(known.on, source) and (known.block or known.mask):
            for start, end, kind in personal(text):
                if kind in known.block or kind in known.mask:
                    yield Hit(f"personal data {kind}", "block" if kind in known.block else "mask", start, end)
        for pattern, regex in self._patterns:
            if _on(pattern.on, source):
                yield from _found(f"pattern {pattern.name}", pattern.action, regex, text)

    async def _alike(self, text: str, source: Source) -> list[Hit]:
        """The topics of which a sentence is like an example."""
        topics = [t for t in self._spec.topics if t.examples and _on(t.on, source)]
        sentences = [s for s in map(str.strip, _SENTENCE.findall(text)) if s]
        if self._embeddings is None or not topics or not sentences:
            return []
        said = await self._embeddings.embed(sentences, "query")
        hits = []
        for topic in topics:
            known = self._examples.get(topic.name)
            if known is None:
                known = self._examples[topic.name] = await self._embeddings.embed(topic.examples, "document")
            if max(sum(map(mul, a, b)) for a in said for b in known) >= topic.similarity:
                hits.append(Hit(f"topic {topic.name}", "block"))
        return hits

    def _content(self, text: str, source: Source) -> Iterator[Hit]:
        """The content filters, sentence for sentence: what is masked is the sentence."""
        for kind in msgspec.structs.fields(self._spec.content):
            chosen: Filter | None = getattr(self._spec.content, kind.name)
            if chosen is None or chosen.strength == "none" or not _on(chosen.on, source):
                continue
            needed, looked_for = _NEEDED[chosen.strength], terms()[kind.name]
            for found in _SENTENCE.finditer(text):
                if found[0].strip() and score(looked_for, found[0]) >= needed:
                    yield Hit(
                        f"content {kind.name}",
                        chosen.action,
                        found.start(),
                        found.start() + len(found[0].rstrip()),
                    )

    def _about(self, text: str, about: About) -> Iterator[Hit]:
        limits = self._spec.grounding
        if limits.threshold and about.sources and grounded(text, about.sources) < limits.threshold:
            yield Hit("grounding", "block")
        if limits.relevance and about.query and relevant(text, about.query) < limits.relevance:
            yield Hit("relevance", "block")


def score(looked_for: _Terms, text: str) -> float:
    """How much a text has of a kind of content, 0 to 1: independent signs add up as probabilities do."""
    flat = plain(text)
    missing = 1.0
    for name, weight in _WEIGHTS.items():
        pattern: re.Pattern[str] | None = getattr(looked_for, name)
        if pattern is not None:
            missing *= (1 - weight) ** len(set(pattern.findall(flat)))
    return 1 - missing


@cache
def terms() -> dict[str, _Terms]:
    """What the content filters look for, by kind."""
    data = tomllib.loads(files("remit").joinpath("data", "guardrail", "terms.toml").read_text("utf-8"))
    return {kind: _Terms(*(_any(by.get(name, ())) for name in _WEIGHTS)) for kind, by in data.items()}


def _any(patterns: list[str]) -> re.Pattern[str] | None:
    return (
        re.compile(rf"(?<!\w)(?:{'|'.join(f'(?:{p})' for p in patterns)})(?!\w)", re.I) if patterns else None
    )


def _phrases(phrases: tuple[str, ...]) -> re.Pattern[str] | None:
    """Whole words, any white space between them."""
    return _any([r"\s+".join(map(re.escape, phrase.split())) for phrase in phrases if phrase.strip()])


def _found(rule: str, action: Action, pattern: re.Pattern[str] | None, text: str) -> Iterator[Hit]:
    if pattern is not None:
        yield from (
            Hit(rule, action, m.start(), m.end()) for m in pattern.finditer(text) if m.end() > m.start()
        )


def _masked(text: str, hits: list[Hit]) -> str:
    """The text with `{EMAIL}`, `{WORD}` in the place of what was found, as Bedrock writes it."""
    pieces, at = [], 0
    for hit in sorted(hits, key=lambda h: (h.start, -h.end)):
        if hit.start < at:
            at = max(at, hit.end)
            continue
        pieces += [text[at : hit.start], "{" + hit.rule.rpartition(" ")[2].upper() + "}"]
        at = hit.end
    return "".join([*pieces, text[at:]])


def _on(side: Side, source: Source) -> bool:
    return side in ("both", source)
