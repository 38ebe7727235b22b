"""Versions, aliases and differences as pure functions: whatever is done, one version is active at most."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core import definition as df
from remit.core.definition import Alias, Head, Who
from remit.core.errors import InputError, RemitError

COMMANDS = st.lists(
    st.tuples(
        st.sampled_from(
            ["edit", "draft", "promote", "rollback", "archive", "enable", "disable", "alias", "canary"]
        ),
        st.integers(0, 8),
        st.integers(-5, 20),
    ),
    max_size=25,
)


def follow(head: Head, what: str, n: int, who: Who, statuses: dict[int, str]) -> Head:
    status: Any = statuses.get(n, "archived")
    given: dict[str, Any] = {
        "edit": lambda: df.edited(head, who),
        "draft": lambda: df.drafted(head, "t", "k", "n", who),
        "promote": lambda: df.promoted(head, n, status, who),
        "rollback": lambda: df.rolled_back(head, n, status, who),
        "archive": lambda: df.archived(head, who),
        "enable": lambda: df.switched(head, True, who),
        "disable": lambda: df.switched(head, False, who),
        "alias": lambda: df.aliased(head, "stable", Alias(n), who),
        "canary": lambda: df.aliased(head, "active", Alias(head.active.version, n, 30), who),
    }
    return given[what]()


@given(COMMANDS)
def test_whatever_is_done_at_most_one_version_is_active(commands: list[tuple[str, int, int]]) -> None:
    """The statuses that changes set say what the head says; revisions count up, times never go back."""
    head = df.created("t", "k", "n", Who("a", "r", 100))
    statuses: dict[int, str] = dict(df.moved(None, head))
    for what, n, ts in commands:
        if what in ("promote", "rollback") and n not in statuses:
            continue  # the registry finds no such version
        with contextlib.suppress(RemitError):
            after = follow(head, what, n, Who("a", "r", 100 + ts), statuses)
            assert after.revision == head.revision + 1
            assert after.last.ts >= head.last.ts
            assert after.latest >= head.latest
            assert 1 <= after.last.version <= after.latest
            statuses.update(df.moved(head, after))
            head = after
        active = [v for v, s in statuses.items() if s == "active"]
        assert active == ([head.active.version] if head.active.version else [])
        assert sorted(statuses) == list(range(1, head.latest + 1))
        for alias in (head.active, *head.aliases.values()):
            assert alias.version <= head.latest
            assert alias.canary <= head.latest
            assert alias.canary != alias.version or not alias.canary


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, 2.5])
    | st.text("ab/~", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/~0", max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


def patched(value: Any, found: list[df.Difference]) -> Any:
    """The old value with the differences made in it."""
    holder = {"": copy.deepcopy(value)}
    for d in found:
        at, key, rest = holder, "", d.path.split("/")[1:]
        target: Any = at
        for part in rest:
            target = target[key]
            key = part.replace("~1", "/").replace("~0", "~")
            key = int(key) if isinstance(target, list) else key  # type: ignore[assignment]
        if d.op == "removed":
            target[key] = REMOVED
        elif d.op == "added" and isinstance(target, list):
            target.append(d.new)
        else:
            target[key] = d.new
    return stripped(holder[""])


REMOVED = object()


def stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: stripped(v) for k, v in value.items() if v is not REMOVED}
    return [stripped(v) for v in value if v is not REMOVED] if isinstance(value, list) else value


def typed(value: Any) -> Any:
    """The value with its types, so that 1, 1.0 and true are three."""
    if isinstance(value, dict):
        return {k: typed(v) for k, v in value.items()}
    return [typed(v) for v in value] if isinstance(value, list) else (type(value).__name__, value)


@given(JSON, JSON)
def test_the_differences_lead_from_the_old_to_the_new(old: Any, new: Any) -> None:
    """Made in the old value they give the new one, and equal values have none."""
    assert typed(patched(old, list(df.differences(old, new)))) == typed(new)
    assert list(df.differences(old, copy.deepcopy(old))) == []


@given(st.integers(1, 99), st.text(min_size=1), st.text(min_size=1))
def test_a_canary_is_the_same_for_the_same_key(percent: int, definition: str, key: str) -> None:
    """And a key that is on the canary's side stays there when the share grows."""
    small, large = Alias(1, 2, percent), Alias(1, 2, percent + 1)
    side = df.chosen(small, definition, key)
    assert side == df.chosen(small, definition, key)
    assert side in (1, 2)
    assert side == 1 or df.chosen(large, definition, key) == 2


@pytest.mark.parametrize("name", ["", "-a", ".a", "a/b", "a b", "a\n", "ä", "x" * 129, "a\x00"])
def test_what_cannot_be_a_name(name: str) -> None:
    """Nothing that would need escaping in a key, an address or a file name."""
    with pytest.raises(InputError):
        df.check_names("t", "prompt", name)


@given(
    st.tuples(*[st.text("ab/", min_size=1, max_size=4)] * 2),
    st.sampled_from(["k", "kk"]),
    st.sampled_from("nm"),
)
def test_two_tenants_never_share_a_key(tenants: tuple[str, str], kind: str, name: str) -> None:
    """Whatever a tenant is called, its definition's key is its own."""
    one, other = tenants
    if one != other:
        assert df.definition_id(one, kind, name) != df.definition_id(other, kind, name)
    assert df.definition_id(one, kind, name) != df.definition_id("local", kind, name)
