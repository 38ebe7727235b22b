"""A guardrail as data: which texts to and from models are blocked, masked or let through."""

from __future__ import annotations

import re
import tomllib
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from remit.core.errors import ConfigError

Action = Literal["block", "mask"]
Strength = Literal["none", "low", "medium", "high"]
"""How sure a filter must be to act: `low` acts on strong signs only, `high` on weak ones too. Source: Bedrock Guardrails."""

Side = Literal["both", "input", "output"]
Kind = Literal["email", "phone", "card", "ssn", "iban"]
Unit = Annotated[float, Meta(ge=0, le=1)]


class Filter(Struct, frozen=True, forbid_unknown_fields=True):
    """How one kind of content is filtered."""

    strength: Strength = "medium"
    action: Action = "block"
    on: Side = "both"


class Content(Struct, frozen=True, forbid_unknown_fields=True):
    """The content filters; one that is absent filters nothing."""

    hate: Filter | None = None
    insults: Filter | None = None
    sexual: Filter | None = None
    violence: Filter | None = None
    misconduct: Filter | None = None
    prompt_attack: Filter | None = None


class Topic(Struct, frozen=True, forbid_unknown_fields=True):
    """A topic that is not talked about: a text is about it in which a phrase or pattern is found, or a sentence like an example.

    `similarity` is how like, as the cosine of embeddings; what is much or little depends on their model.
    """

    name: Annotated[str, Meta(min_length=1)]
    phrases: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    similarity: Unit = 0.75
    on: Side = "both"


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of one's own, and a small list of profanities."""

    custom: tuple[str, ...] = ()
    profanity: bool = False
    action: Action = "block"
    on: Side = "both"


class Personal(Struct, frozen=True, forbid_unknown_fields=True):
    """Kinds of personal data by what is done with them."""

    block: tuple[Kind, ...] = ()
    mask: tuple[Kind, ...] = ()
    on: Side = "both"


class Pattern(Struct, frozen=True, forbid_unknown_fields=True):
    """A regular expression."""

    name: Annotated[str, Meta(min_length=1)]
    regex: str
    action: Action = "mask"
    on: Side = "both"


class Grounding(Struct, frozen=True, forbid_unknown_fields=True):
    """How much of an answer must stand in its sources, and how much of the question in the answer; 0 asks for nothing."""

    threshold: Unit = 0.0
    relevance: Unit = 0.0


class GuardrailSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """A guardrails file."""

    blocked_input: str = "I cannot help with that."
    blocked_output: str = "I cannot give that answer."
    content: Content = Content()
    topics: tuple[Topic, ...] = ()
    words: Words = Words()
    personal: Personal = Personal()
    patterns: tuple[Pattern, ...] = ()
    grounding: Grounding = Grounding()


def parse_guardrail(text: str, name: str) -> GuardrailSpec:
    """The guardrail of a TOML text. Raises ConfigError E973 that names the file and what is wrong with it."""
    try:
        spec = msgspec.convert(tomllib.loads(text), GuardrailSpec)
        for regex in [p.regex for p in spec.patterns] + [r for t in spec.topics for r in t.patterns]:
            re.compile(regex)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, re.error) as error:
        raise ConfigError(
            f"`{name}` is no guardrails file: {error}",
            code="E973",
            help="docs/howto/guardrails.md has one to start from",
        ) from error
    return spec
