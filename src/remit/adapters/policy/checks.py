"""What is wrong with a policy text, all of it, with line numbers."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from cedarpy import PolicySet, Schema, validate_policies

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|//[^\n]*+|;|\S')
_ID = re.compile(r'@id\s*\(\s*"((?:[^"\\]|\\.)*+)"\s*\)')
_POSITION = re.compile(r"^for policy `[^`]*`, ")
_WHERE = re.compile(r' (?:in context )?for Action::"[^"]*"| on entity type `[^`]*`')
_NAMED = re.compile(r"(?:attribute|action|entity type) `([^`]*)`")


class Problem(NamedTuple):
    """One mistake: the line it is on (from 1) and a sentence."""

    line: int
    text: str


class _Statement(NamedTuple):
    line: int
    text: str
    id: str


@cache
def schema() -> Schema:
    """The packaged Cedar schema, parsed once."""
    return Schema.from_str((files("remit") / "data/policy/remit.cedarschema").read_text("utf-8"))


def check(text: str) -> tuple[list[Problem], tuple[str, ...]]:
    """Everything wrong with a policy text, and the `@id`s in it. No problems means that Cedar can be asked."""
    statements = _statements(text)
    problems = [problem for statement in statements for problem in _alone(statement)]
    seen: set[str] = set()
    for statement in statements:
        if statement.id and statement.id in seen:
            problems.append(Problem(statement.line, f"`@id({statement.id})` is used twice"))
        seen.add(statement.id)
    if not problems:
        problems = _together(text, statements)
    return sorted(set(problems)), tuple(statement.id for statement in statements if statement.id)


def _alone(statement: _Statement) -> list[Problem]:
    try:
        parsed = PolicySet.from_str(statement.text)
    except ValueError as error:
        return [Problem(statement.line, f"the policy that starts here cannot be read: {error}")]
    problems = []
    if not statement.id:
        problems.append(
            Problem(statement.line, 'the policy has no `@id("...")`, so decisions could not name it')
        )
    if parsed.templates():
        problems.append(
            Problem(statement.line, "a template with `?principal` or `?resource` decides nothing")
        )
    return problems


def _together(text: str, statements: list[_Statement]) -> list[Problem]:
    problems = []
    for error in validate_policies(text, schema()).errors:
        number = error.policy_id.removeprefix("policy")
        if not number.isdigit() or int(number) >= len(statements):
            problems.append(Problem(1, error.error))
            continue
        statement = statements[int(number)]
        sentence = _WHERE.sub("", _POSITION.sub("", error.error))
        problems.append(Problem(_line_of(statement, sentence), f"`{statement.id}`: {sentence}"))
    return problems


def _line_of(statement: _Statement, sentence: str) -> int:
    """The line of the name that the sentence complains about, or of the statement."""
    named = _NAMED.search(sentence)
    if named:
        for offset, line in enumerate(statement.text.splitlines()):
            if named.group(1) in line:
                return statement.line + offset
    return statement.line


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
    return _Statement(text.count("\n", 0, start) + 1, body, found.group(1) if found else "")
