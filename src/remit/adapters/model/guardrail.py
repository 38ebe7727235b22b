"""Amazon Bedrock Guardrails: what a guardrail did to a text or an exchange, and asking one about a text."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from remit.core.codec import digest
from remit.core.errors import ConfigError
from remit.ports.guardrail import About, Source, Verdict

PIECE = 20_000
"""Characters that are judged at once: Bedrock takes 25 units of a thousand a second."""

KEPT = 2048
"""Verdicts that are remembered: a conversation shows the model its tool results again and again."""

Apply = Callable[[dict[str, Any]], Awaitable[Mapping[str, Any]]]
"""Calls `ApplyGuardrail` with arguments of boto3. Raises ModelError."""


class BedrockGuardrail:
    """`ports.guardrail.Guardrail` by a guardrail of Bedrock, named as Converse's `guardrailConfig` names it."""

    def __init__(self, apply: Apply, config: Mapping[str, Any]) -> None:
        self._apply = apply
        self._named = {name: config[name] for name in ("guardrailIdentifier", "guardrailVersion")}
        self._verdicts: OrderedDict[tuple[str, Source], Verdict] = OrderedDict()

    async def check(self, text: str, source: Source, about: About | None = None) -> Verdict:
        """Judge a text, piece by piece if it is long. Raises ModelError."""
        if about is not None and about.sources and source == "output":
            # Grounding is judged in one request with its sources, so it is not remembered, and not cut.
            return verdict_of(text, await self._apply(self._grounding(text, about)))
        key = (digest(text.encode("utf-8", "surrogatepass")), source)
        verdict = self._verdicts.get(key)
        if verdict is None:
            verdict = self._verdicts[key] = await self._judged(text, source)
            if len(self._verdicts) > KEPT:
                self._verdicts.popitem(last=False)
        return verdict

    async def _judged(self, text: str, source: Source) -> Verdict:
        passed: list[Verdict] = []
        for piece in pieces(text):
            verdict = verdict_of(piece, await self._apply(self._asked(piece, source)))
            if verdict.outcome == "blocked":
                return verdict
            passed.append(verdict)
        why = tuple(dict.fromkeys(rule for verdict in passed for rule in verdict.why))
        masked = any(verdict.outcome == "masked" for verdict in passed)
        return Verdict("masked" if masked else "passed", "".join(v.text for v in passed), why)

    def _grounding(self, text: str, about: About) -> dict[str, Any]:
        parts = [
            *((source, "grounding_source") for source in about.sources),
            *([(about.query, "query")] if about.query else []),
            (text, "guard_content"),
        ]
        content = [{"text": {"text": said, "qualifiers": [role]}} for said, role in parts]
        return {**self._named, "source": "OUTPUT", "content": content}

    def _asked(self, piece: str, source: Source) -> dict[str, Any]:
        return {**self._named, "source": source.upper(), "content": [{"text": {"text": piece}}]}


def pieces(text: str, size: int = PIECE) -> Iterator[str]:
    """The text in pieces of at most `size` characters, cut at white space where there is some."""
    while len(text) > size:
        cut = max(text.rfind(space, size // 2, size) for space in " \n\t") + 1 or size
        yield text[:cut]
        text = text[cut:]
    if text.strip():
        yield text


def verdict_of(text: str, answer: Mapping[str, Any]) -> Verdict:
    """What an answer of `ApplyGuardrail` says of a text."""
    if answer.get("action") != "GUARDRAIL_INTERVENED":
        return Verdict("passed", text)
    said = "".join(part.get("text", "") for part in answer.get("outputs", ()))
    outcome, why = judged(answer.get("assessments", ()))
    return Verdict(outcome, said, why)


def judged(assessments: Any) -> tuple[Literal["masked", "blocked"], tuple[str, ...]]:
    """How a guardrail intervened, and by which rules. Whatever does not only mask has blocked."""
    found = [(name, action) for assessment in assessments for name, action in _rules(assessment)]
    only_masked = bool(found) and all(action == "ANONYMIZED" for _, action in found)
    return "masked" if only_masked else "blocked", tuple(dict.fromkeys(name for name, _ in found))


def note_of(outcome: str, why: Sequence[str], what: str) -> str:
    """What the journal keeps of an intervention."""
    return f"guardrail {outcome} {what}: {', '.join(why) or 'it does not say why'}"


def assessments_in(trace: Mapping[str, Any]) -> list[Any]:
    """The assessments in the `trace.guardrail` of Converse: of what went in and of what came out."""
    told = trace.get("guardrail", {})
    into = list(told.get("inputAssessment", {}).values())
    out = [one for many in told.get("outputAssessments", {}).values() for one in many]
    return into + out


def _rules(assessment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The rules that took effect, each with what it did; matched text, which may be a secret, is left out."""
    for policy, kind, name in _POLICIES:
        for rule in assessment.get(policy, {}).get(kind, ()):
            action = rule.get("action", "BLOCKED")
            if action != "NONE":
                yield f"{_WORDS[kind]} {rule.get(name, '')}".strip(), action


_POLICIES = (
    ("topicPolicy", "topics", "name"),
    ("contentPolicy", "filters", "type"),
    ("wordPolicy", "customWords", ""),
    ("wordPolicy", "managedWordLists", "type"),
    ("sensitiveInformationPolicy", "piiEntities", "type"),
    ("sensitiveInformationPolicy", "regexes", "name"),
    ("contextualGroundingPolicy", "filters", "type"),
)
_WORDS = {
    "topics": "topic", "filters": "content", "customWords": "word", "managedWordLists": "words",
    "piiEntities": "personal data", "regexes": "pattern",
}  # fmt: skip


def guardrail_config(text: str) -> dict[str, Any]:
    """Converse's `guardrailConfig` for `id:version` (an id or an ARN). Raises ConfigError E689."""
    name, _, version = text.rpartition(":")
    if not name or not (version == "DRAFT" or version.isdigit()):
        raise ConfigError(
            f"`{text}` names no version of a guardrail",
            code="E689",
            help="set REMIT_GUARDRAIL to ID:VERSION, e.g. `gr-0123456789ab:3`; DRAFT is the version being edited",
        )
    return {"guardrailIdentifier": name, "guardrailVersion": version}
