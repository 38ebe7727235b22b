"""What is wrong with a policy text, all of it, and where."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

from cedarpy import PolicySet, Schema, validate_policies

from remit.adapters.policy.places import line_and_column, place_of
from remit.core.policy import PolicyMistake

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|//[^\n]*+|;|\S')
_ID = re.compile(r'@id\s*\(\s*"((?:[^"\\]|\\.)*+)"\s*\)')
_POSITION = re.compile(r"^for policy `[^`]*`, ")
_WHERE = re.compile(r' (?:in context )?for Action::"[^"]*"| on entity type `[^`]*`')
_NAMED = re.compile(r"(?:attribute|action|entity type) `([^`]*)`")


MOST_MISTAKES = 100


class _Statement(NamedTuple):
    line: int
    column: int
    text: str
    id: str

    def mistake(self, offset: int, text: str) -> PolicyMistake:
        """What is wrong at an offset of it."""
        line, column = line_and_column(self.text, offset)
        return PolicyMistake(self.line + line - 1, column if line > 1 else self.column + column - 1, text)


@cache
def schema() -> Schema:
    """The packaged Cedar schema, parsed once."""
    return Schema.from_str(schema_text())


def schema_text() -> str:
    """The packaged Cedar schema as it is written."""
    return (files("remit") / "data/policy/remit.cedarschema").read_text("utf-8")


@lru_cache(maxsize=32)
def check(text: str) -> tuple[tuple[PolicyMistake, ...], tuple[str, ...]]:
    """Everything wrong with a policy text, and the `@id`s in it. No problems means that Cedar can be asked.

    After `MOST_MISTAKES` policies that cannot be read it is not looked through any further. The same text is looked through
    once: a profile is checked where its file is read, and where it is made ready to be asked.
    """
    statements = _statements(text)
    problems: list[PolicyMistake] = []
    for statement in statements:
        problems += _alone(statement)
        if len(problems) >= MOST_MISTAKES:
            break
    seen: set[str] = set()
    for statement in statements:
        if statement.id and statement.id in seen:
            problems.append(statement.mistake(0, f"`@id({statement.id})` is used twice"))
        seen.add(statement.id)
    if not problems:
        problems = _together(text, statements)
    found = tuple(sorted(set(problems), key=lambda each: (each.line, each.column, each.text)))
    return found, tuple(statement.id for statement in statements if statement.id)


def _alone(statement: _Statement) -> list[PolicyMistake]:
    try:
        parsed = PolicySet.from_str(statement.text)
    except ValueError as error:
        where = place_of(statement.text, str(error))
        return [statement.mistake(where, f"the policy cannot be read from here: {error}")]
    problems = []
    if not statement.id:
        problems.append(
            statement.mistake(0, 'the policy has no `@id("...")`, so decisions could not name it')
        )
    if parsed.templates():
        problems.append(statement.mistake(0, "a template with `?principal` or `?resource` decides nothing"))
    return problems


def _together(text: str, statements: list[_Statement]) -> list[PolicyMistake]:
    problems = []
    for error in validate_policies(text, schema()).errors:
        number = error.policy_id.removeprefix("policy")
        if not number.isdigit() or int(number) >= len(statements):
            problems.append(PolicyMistake(1, 1, error.error))
            continue
        statement = statements[int(number)]
        sentence = _WHERE.sub("", _POSITION.sub("", error.error))
        problems.append(statement.mistake(_where(statement, sentence), f"`{statement.id}`: {sentence}"))
    return problems


def _where(statement: _Statement, sentence: str) -> int:
    """The offset of the name that the sentence complains about, or of the statement."""
    named = _NAMED.search(sentence)
    return max(0, statement.text.find(named.group(1))) if named else 0


def _statements(text: str) -> list[_Statement]:
    """The policies in a text, by their `;`, which strings and comments may hold too."""
    statements, start = [], -1
    for token in _TOKEN.finditer(text):
        if token.group().startswith("//"):
            continue
        if start < 0:
            start = token.start()
        if token.group() == ";":
            statements.append(_statement(text, start, token.end()))
            start = -1
    if start >= 0:
        statements.append(_statement(text, start, len(text)))
    return statements


def _statement(text: str, start: int, end: int) -> _Statement:
    body = text[start:end]
    found = _ID.search(body)
    line, column = line_and_column(text, start)
    return _Statement(line, column, body, found.group(1) if found else "")
