"""API keys at rest and in use, and the key of a local user."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from remit.core.access import APPROVALS, DECIDE, OTHER_ROLE, ROLE_SCOPES
from remit.core.errors import ConfigError, DeniedError, InputError, NotFoundError
from remit.core.task import Actor
from remit.engine.keys import API_KEY, COLLECTION
from remit.server.local import ensure_local_key
from remit.server.scopes import scopes
from remit.testing.apps import app_for_tests
from remit.testing.clock import FakeClock


async def test_a_key_proves_who_calls():
    """Tenant, actor and roles come back from the key alone."""
    async with app_for_tests() as app:
        key = await app.keys.create("acme", "ana", ["operator", "operator"], custom_roles=["finance"])
        found = await app.keys.authenticate(key.secret)
        assert (found.tenant_id, found.actor.actor_id, found.actor.roles, found.actor.via) == (
            "acme",
            "ana",
            ("operator", "finance"),
            "api_key",
        )
        assert key.secret.startswith(f"remit_{key.key_id}_")
        assert len(key.secret) == len("remit_") + 16 + 1 + 43


async def test_the_secret_is_kept_nowhere():
    """The record holds a salted hash, and the list not even that."""
    async with app_for_tests() as app:
        first, second = [await app.keys.create("acme", "ana", ["viewer"]) for _ in range(2)]
        records = [await app.store.get(COLLECTION, (key.key_id,)) for key in (first, second)]
        for key in (first, second):
            assert key.secret.split("_", 2)[2] not in str(records)
        assert records[0]["salt"] != records[1]["salt"]
        assert not hasattr((await app.keys.list("acme"))[0], "hash")


def change(text: str, place: int) -> str:
    """The text with another character at `place`."""
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


async def test_every_wrong_key_is_refused_alike():
    """Malformed, unknown, altered anywhere, of another key, revoked, expired: one answer, E310."""
    clock = FakeClock()
    async with app_for_tests(clock=clock) as app:
        good = await app.keys.create("acme", "ana", ["viewer"])
        other = await app.keys.create("acme", "bob", ["viewer"])
        revoked = await app.keys.create("acme", "eve", ["viewer"])
        await app.keys.revoke(revoked.key_id)
        expired = await app.keys.create("acme", "tim", ["viewer"], ttl_s=60)
        await app.keys.authenticate(expired.secret)
        clock.advance(60)
        wrong = [change(good.secret, place) for place in range(len(good.secret))]
        wrong += ["", "remit_", good.secret + "A", good.secret[:-1], " " + good.secret, good.secret + "\n"]
        wrong += [f"remit_{good.key_id}_{other.secret.split('_', 2)[2]}", revoked.secret, expired.secret]
        said = set()
        for secret in wrong:
            with pytest.raises(DeniedError) as refused:
                await app.keys.authenticate(secret)
            said.add(str(refused.value))
        assert len(said) == 1
        assert "E310" in said.pop()
        await app.keys.authenticate(good.secret)


async def test_revoking_twice_is_harmless_and_an_unknown_key_is_told():
    """The first revocation's time stays."""
    async with app_for_tests() as app:
        key = await app.keys.create("acme", "ana", ["viewer"])
        await app.keys.revoke(key.key_id)
        first = (await app.keys.list("acme"))[0].revoked_ts
        await app.keys.revoke(key.key_id)
        assert (await app.keys.list("acme"))[0].revoked_ts == first is not None
        with pytest.raises(NotFoundError):
            await app.keys.revoke("0" * 16)


async def test_keys_are_listed_by_tenant():
    """All of one tenant's, none of another's."""
    async with app_for_tests() as app:
        mine = {(await app.keys.create("acme", f"a{n}", ["viewer"])).key_id for n in range(5)}
        await app.keys.create("zeta", "zoe", ["viewer"])
        assert {key.key_id for key in await app.keys.list("acme")} == mine


@pytest.mark.parametrize(("tenant", "actor", "roles"), [("", "a", ["x"]), ("t", "", ["x"]), ("t", "a", [])])
async def test_a_key_needs_names_and_a_role(tenant, actor, roles):
    """A key that could do nothing, or belongs to nobody, is a mistake."""
    async with app_for_tests() as app:
        with pytest.raises(InputError):
            await app.keys.create(tenant, actor, roles)


async def test_a_role_that_nobody_knows_makes_no_key():
    """E1090 with the nearest; a role that a profile lets approve is known to the tenants that go by it; others are said to be custom."""
    async with app_for_tests() as app:
        for role in ("visiter", "quality"):
            with pytest.raises(InputError) as told:
                await app.keys.create("acme", "page", ["viewer", role])
            assert (told.value.code, f"`{role}`" in told.value.message) == ("E1090", True)
            assert ("did you mean `visitor`?" in told.value.help) == (role == "visiter")
        assert await app.keys.list("acme") == []
        body = {"profile": {"extends": "default", "approver_roles": ["quality"]}, "cedar": ""}
        await app.registry.create("acme", "policy_profile", "careful", body, actor=Actor("ada"), reason="x")
        await app.keys.create("acme", "quinn", ["quality"])
        await app.keys.create("zeta", "zoe", [], custom_roles=["quality"])
        with pytest.raises(InputError, match="E1090"):
            await app.keys.create("zeta", "zoe", ["quality"])


async def test_a_role_that_is_not_built_in_opens_approvals_and_nothing_else():
    """What somebody needs who does nothing but decide, and only if it is the role of a key."""
    assert scopes(Actor("quinn", ("quality",), API_KEY)) == {APPROVALS, DECIDE}
    assert scopes(Actor("quinn", ("quality",), "oidc")) == frozenset()


def test_the_page_of_roles_says_what_each_may_do():
    """Its table is that of the program."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "roles.md").read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if "`" in line[:3]
    ]
    said = {cells[0].strip("`"): {word.strip("`") for word in cells[1].split(", ")} for cells in rows}
    assert said == {**ROLE_SCOPES, "…": OTHER_ROLE}


async def test_the_local_key_is_made_once_and_private(tmp_path):
    """The same key every time, readable by its owner only; made anew when it no longer works."""
    async with app_for_tests() as app:
        first = await ensure_local_key(app, tmp_path)
        path = tmp_path / "local.key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().strip() == first == await ensure_local_key(app, tmp_path)
        found = await app.keys.authenticate(first)
        assert (found.tenant_id, found.actor.actor_id) == ("local", "local")
        await app.keys.revoke((await app.keys.list("local"))[0].key_id)
        second = await ensure_local_key(app, tmp_path)
        assert second != first
        reviewer = await ensure_local_key(app, tmp_path, actor_id="reviewer")
        assert (await app.keys.authenticate(reviewer)).actor.actor_id == "reviewer"


async def test_a_local_key_that_others_can_read_is_refused(tmp_path):
    """It is a mistake that a person has to correct."""
    async with app_for_tests() as app:
        await ensure_local_key(app, tmp_path)
        (tmp_path / "local.key").chmod(0o644)
        with pytest.raises(ConfigError, match="E261"):
            await ensure_local_key(app, tmp_path)
