"""Where in a policy a mistake is: Cedar's Python binding says what is wrong, and not where."""

from __future__ import annotations

import re
from bisect import bisect_left

from cedarpy import PolicySet

UNFINISHED = "unexpected end of input"

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|//[^\n]*+|\w++|::|==|!=|<=|>=|&&|\|\||\S')
_NAMED = re.compile(r'`([^`]+)`|: ([\w:"]+)$')


def place_of(policy: str, message: str) -> int:
    """The offset in a policy's text at which what Cedar says of it holds: of the token that it cannot read, or of what it names."""
    named = _NAMED.search(message)
    if named and not message.startswith("unexpected token"):
        found = policy.find(named[1] or named[2])
        return max(found, 0)
    tokens = [t for t in _TOKEN.finditer(policy) if not t.group().startswith("//")]
    if not tokens:
        return 0
    if message == UNFINISHED:
        return tokens[-1].end()
    # Cedar reads from left to right: up to the token before the one that is wrong, there is only more to come.
    # It notices some only at the token after, and names the right one all the same.
    found = bisect_left(tokens, 1, key=lambda token: int(_says(policy[: token.end()]) != UNFINISHED))
    wrong = min(found, len(tokens) - 1)
    if named and wrong and tokens[wrong].group() != named[1] == tokens[wrong - 1].group():
        wrong -= 1
    return tokens[wrong].start()


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """The line and the column, both from 1, of an offset in a text. Columns are in characters."""
    line = text.count("\n", 0, offset)
    return line + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


def _says(policy: str) -> str:
    try:
        PolicySet.from_str(policy)
    except ValueError as error:
        return str(error)
    return ""
