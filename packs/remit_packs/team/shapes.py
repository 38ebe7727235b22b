"""What the members of the team hand to each other."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Words = Annotated[str, Meta(min_length=1, max_length=4000)]


class Finding(Struct, frozen=True):
    """A claim with the very words that it rests on. `source` is the address of the page, or the citation of the passage."""

    claim: Words
    quote: Annotated[
        str, Meta(min_length=10, max_length=2000, description="Copied from the source, word by word.")
    ]
    source: Annotated[str, Meta(min_length=4, max_length=2048)]


class Research(Struct, frozen=True):
    """What the researcher found."""

    findings: Annotated[list[Finding], Meta(max_length=40)]


class Analysis(Struct, frozen=True):
    """What the analyst makes of it: an answer with its sources, and what the coder is to count or calculate for it."""

    answer: Words
    requirement: Words


class Work(Struct, frozen=True):
    """What the coder hands in: a program that sets `table`, and what it does in a sentence."""

    code: Annotated[str, Meta(min_length=1, max_length=20_000)]
    note: Annotated[str, Meta(max_length=1000)] = ""


class Verdict(Struct, frozen=True):
    """What the reviewer decides. Each fix is one thing that the coder has to change."""

    approved: bool
    reasons: list[str]
    fixes: list[str] = []
