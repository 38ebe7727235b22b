"""Long-term memory: who may see a fact, under which tag it is kept, and where its words are indexed."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from remit.core.errors import InputError

REMEMBER, FORGET = "remember", "forget"
"""The tools that write to long-term memory. Policy is asked of them as `write_memory`, not as `call_tool`."""

LONGEST_TEXT = 2000
"""Characters of a fact. Longer things are documents."""

LONGEST_NAME = 200
MOST_QUERY_WORDS = 12

_TAG = re.compile(r"[a-z][a-z0-9_-]{0,39}\Z")
_TEAM = re.compile(r"team:[A-Za-z0-9][A-Za-z0-9_.-]{0,99}\Z")
_STORED = re.compile(r"(?:agent|user|team):.+\Z|tenant\Z", re.DOTALL)


def scope_of(name: str, *, agent: str, user: str) -> str:
    """The scope that a run of `agent` for `user` means by `agent`, `user`, `tenant` or `team:NAME`. Raises InputError E940."""
    match name:
        case "" | "agent":
            return f"agent:{agent}"
        case "user":
            return f"user:{user}"
        case "tenant":
            return "tenant"
    if _TEAM.match(name):
        return name
    raise InputError(
        f"`{name[:100]}` is no scope of memory",
        code="E940",
        help="use `agent`, `user`, `tenant` or `team:NAME`",
    )


def check_scope(scope: str) -> str:
    """A scope as it is stored: `agent:NAME`, `user:ID`, `team:NAME` or `tenant`. Raises InputError E940."""
    if _STORED.match(scope) and len(scope) <= LONGEST_NAME + 10 and scope.isprintable():
        return scope
    raise InputError(
        f"`{scope[:100]}` is no scope of memory",
        code="E940",
        help="use `agent:NAME`, `user:ID`, `team:NAME` or `tenant`",
    )


def check_tag(tag: str) -> str:
    """The policy tag of a fact. Raises InputError E941 without one: nothing is remembered that policy cannot speak of."""
    if _TAG.match(tag):
        return tag
    raise InputError(
        f"`{tag[:60]}` is no policy tag",
        code="E941",
        help="say what kind of fact it is, e.g. `preference`, `fact`, `procedure` or `observation`",
    )


def check_subject(subject: str) -> str:
    """A subject in one spelling, so that nothing about it escapes being forgotten. Raises InputError E942."""
    known = " ".join(unicodedata.normalize("NFKC", subject).casefold().split())
    if known and len(known) <= LONGEST_NAME and known.isprintable():
        return known
    raise InputError(
        f"`{subject[:60]!r}` is no subject",
        code="E942",
        help=f"name what the fact is about in up to {LONGEST_NAME} printable characters, e.g. `customer:42`",
    )


def check_text(text: str) -> str:
    """The text of a fact. Raises InputError E942 for none, and for one that is too long."""
    known = text.strip()
    if known and len(known) <= LONGEST_TEXT:
        return known
    raise InputError(
        f"a fact of {len(known):,} characters cannot be remembered",
        code="E942",
        help=f"say one thing in 1 to {LONGEST_TEXT:,} characters; add what is longer as a document",
    )


def memory_question(tool: str, arguments: Mapping[str, Any]) -> tuple[str, list[str]]:
    """What policy is asked about a call of `REMEMBER` or `FORGET`: the scope, as the agent names it, and tags of the write."""
    scope = str(arguments.get("scope") or ("agent" if tool == REMEMBER else "own"))
    if tool == FORGET:
        return scope, ["forget"]
    tags = [str(arguments.get("tag", ""))]
    return scope, [*tags, "supersedes"] if arguments.get("supersedes") else tags


def fact_id(tenant_id: str, key: str, *parts: str) -> str:
    """The id of a fact written under `key`: sent again it is the same fact."""
    return "fact_" + hashlib.sha256("\x00".join((tenant_id, key, *parts)).encode()).hexdigest()[:26]


def place(tenant_id: str, scope: str, word: str) -> str:
    """Where the index keeps a word of a scope. A digest: what is left of a forgotten fact says nothing, whatever is left."""
    return hashlib.sha256("\x00".join((tenant_id, scope, word)).encode()).hexdigest()[:40]
