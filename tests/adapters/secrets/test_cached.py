"""Secrets of a deployment: names, time to live, rotation, and what is known for redaction. The vault is a dictionary."""

from __future__ import annotations

import logging
import threading

import pytest

from remit.adapters.secrets.cached import RETRY_S, STALE_S, TTL_S, CachedSecrets, Value
from remit.core.errors import ConfigError, StoreError
from remit.core.redaction import Redactor
from remit.engine.tenant_secrets import TenantSecrets
from remit.testing.clock import FakeClock


class Vault:
    """A vault in memory that can be out of reach, and counts how often it is read."""

    def __init__(self, **texts: str) -> None:
        self.texts = {f"local/{name}": [text] for name, text in texts.items()}
        self.failure: Exception | None = None
        self.reads: list[str] = []

    def place(self, tenant_id: str, name: str) -> str:
        return f"{tenant_id}/{name}"

    def read(self, place: str, known: str) -> Value | None:
        self.reads.append(place)
        if self.failure is not None:
            raise self.failure
        texts = self.texts.get(place)
        if texts is None:
            return None
        before = texts[-2] if len(texts) > 1 else ""
        return Value(texts[-1], str(len(texts)), before)

    def advice(self, place: str) -> str:
        return f"put {place}"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_value_is_read_once_and_again_after_its_time(clock: FakeClock) -> None:
    """A new version is used when the time is up, by the clock."""
    vault = Vault(token="first-value")
    secrets = CachedSecrets(vault, clock)
    assert [secrets.get("token") for _ in range(3)] == ["first-value"] * 3
    vault.texts["local/token"].append("second-value")
    clock.advance(TTL_S - 1)
    assert secrets.get("TOKEN") == "first-value"
    assert len(vault.reads) == 1
    clock.advance(1)
    assert secrets.get("token") == "second-value"
    assert len(vault.reads) == 2


def test_every_value_is_known_before_it_is_handed_out(clock: FakeClock) -> None:
    """The one before too, in a process that never saw it, and the old one after a rotation."""
    vault = Vault(token="first-value")
    vault.texts["local/token"].append("second-value")
    secrets = CachedSecrets(vault, clock)
    assert secrets.known() == ()
    secrets.get("token")
    assert set(secrets.known()) == {"first-value", "second-value"}
    assert secrets.known() is secrets.known()
    vault.texts["local/token"].append("third-value")
    clock.advance(TTL_S)
    secrets.get("token")
    assert set(secrets.known()) == {"first-value", "second-value", "third-value"}


def test_what_is_known_does_not_grow_for_ever(clock: FakeClock) -> None:
    """A secret that is rotated every hour leaves its last few values."""
    vault = Vault(token="value-00000")
    secrets = CachedSecrets(vault, clock)
    for number in range(1, 50):
        vault.texts["local/token"].append(f"value-{number:05}")
        clock.advance(TTL_S)
        secrets.get("token")
    assert secrets.known() == ("value-00046", "value-00047", "value-00048", "value-00049")


def test_a_redactor_finds_what_was_handed_out_after_it_was_made(clock: FakeClock) -> None:
    """In whatever spelling, under keys it has looked at before, and in numbers."""
    vault = Vault(token="hush-hush-42", pin="73649182")
    secrets = CachedSecrets(vault, clock)
    redactor = Redactor(secrets.known, ())
    said = {"hush-hush-42": "a hush-hush-42 b", "n": 73649182}
    assert redactor.value(said) is said
    secrets.get("token")
    assert "hush" not in str(redactor.value(said))
    assert redactor.value(said)["n"] == 73649182
    secrets.get("pin")
    assert "73649182" not in str(redactor.value(said))
    assert "aHVzaC1odXNoLTQy" not in redactor.text("aHVzaC1odXNoLTQy")


def test_tenants_have_their_own(clock: FakeClock) -> None:
    """`acme__token` is tenant acme's, and no name of one tenant's reaches another's."""
    vault = Vault(token="mine-mine")
    vault.texts |= {"acme/token": ["theirs-theirs"], "local/a": ['{"b__token": "mine-too"}']}
    secrets = CachedSecrets(vault, clock)
    assert TenantSecrets(secrets, "acme").get("token") == "theirs-theirs"
    assert TenantSecrets(secrets, "local").get("token") == "mine-mine"
    for tenant, name in (("acme", "../local/token"), ("a/b", "token"), ("a.b", "token"), ("..", "token")):
        with pytest.raises(ConfigError) as raised:
            TenantSecrets(secrets, tenant).get(name)
        assert raised.value.code == "E250"
    assert set(vault.reads) <= {"acme/token", "local/token", "a.b/token"}


@pytest.mark.parametrize("name", ["", "a/b", "a b", "-a", "ä", "a:1", "x" * 200 + "/"])
def test_what_is_no_name_is_never_asked_for(clock: FakeClock, name: str) -> None:
    """Nothing but plain names reaches the vault."""
    vault = Vault()
    with pytest.raises(ConfigError):
        CachedSecrets(vault, clock).get(name)
    assert vault.reads == []


def test_a_field_of_a_json_secret(clock: FakeClock) -> None:
    """`db.password` is a field; the whole text and every field but names of places are known for redaction."""
    whole = '{"username": "shop_app", "password": "pass-word-1", "port": 5432, "host": "db.internal"}'
    secrets = CachedSecrets(Vault(db=whole, plain="no json"), clock)
    assert (secrets.get("db.password"), secrets.get("db.port")) == ("pass-word-1", "5432")
    assert secrets.get("db") == whole
    assert set(secrets.known()) == {whole, "pass-word-1"}
    for name in ("db.nothing", "plain.password"):
        with pytest.raises(ConfigError, match="field"):
            secrets.get(name)


def test_a_secret_that_is_not_set_says_how_to_set_it(clock: FakeClock) -> None:
    """And is found as soon as it is there."""
    vault = Vault()
    secrets = CachedSecrets(vault, clock)
    with pytest.raises(ConfigError, match="`token` is not set") as raised:
        secrets.get("token")
    assert raised.value.code == "E250"
    assert "put local/token" in raised.value.help
    vault.texts["local/token"] = ["now-it-is"]
    assert secrets.get("token") == "now-it-is"


def test_while_the_vault_is_out_of_reach_the_last_value_is_used(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """For an hour, asking again every half minute; a log says so without the value."""
    vault = Vault(token="first-value")
    secrets = CachedSecrets(vault, clock)
    secrets.get("token")
    vault.failure = StoreError("AWS limits the rate", code="E658")
    clock.advance(TTL_S)
    with caplog.at_level(logging.WARNING, "remit.secrets"):
        assert [secrets.get("token") for _ in range(5)] == ["first-value"] * 5
    assert len(vault.reads) == 2
    assert "`token`" in caplog.text
    assert "first-value" not in caplog.text
    clock.advance(RETRY_S)
    secrets.get("token")
    assert len(vault.reads) == 3
    clock.advance(STALE_S)
    with pytest.raises(StoreError):
        secrets.get("token")


def test_a_right_that_was_taken_away_ends_the_use_at_once(clock: FakeClock) -> None:
    """When AWS refuses, or the secret is gone, no old value is used on."""
    vault = Vault(token="first-value")
    secrets = CachedSecrets(vault, clock)
    secrets.get("token")
    vault.failure = ConfigError("AWS refuses", code="E657")
    clock.advance(TTL_S)
    for _ in range(2):
        with pytest.raises(ConfigError, match="refuses"):
            secrets.get("token")
    vault.failure = None
    del vault.texts["local/token"]
    for _ in range(2):
        with pytest.raises(ConfigError, match="not set"):
            secrets.get("token")
    assert secrets.known() == ("first-value",)


def test_threads_share_one_view(clock: FakeClock) -> None:
    """Tools run in threads: each gets the value, and every value handed out is known."""
    vault = Vault(**{f"s{number}": f"value-of-{number}" for number in range(20)})
    secrets = CachedSecrets(vault, clock, ttl_s=0)
    unknown: list[str] = []

    def work() -> None:
        names = (f"s{number}" for number in range(20))
        unknown.extend(name for name in names if secrets.get(name) not in secrets.known())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert unknown == []
    assert len(secrets.known()) == 20
