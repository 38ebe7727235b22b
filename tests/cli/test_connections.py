"""`remit connections` and the doctor: how platforms are connected, and whether that works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Remit
from tests.packs.platforms.calling import SECRETS, STANDINS, connection
from tests.packs.platforms.standins.base import Standin, serving

NIGHTLY = [pytest.param(name, marks=pytest.mark.nightly) for name in ("jira", "servicenow")]


@pytest.fixture(params=["github", "slack", *NIGHTLY])
def there(
    request: pytest.FixtureRequest, project: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Standin]:
    """A platform that the project is connected to."""
    with serving(STANDINS[request.param]()) as made:
        connect(project, made)
        for name, value in SECRETS.items():
            monkeypatch.setenv(f"REMIT_SECRET_{name.upper()}", value)
        yield made


def connect(project: Path, there: Standin, **more: Any) -> None:
    """Write it into remit.toml."""
    chosen = connection(there, **more)
    names = ("auth", "url", "token_url", "client_id", "installation")
    lines = [f'{name} = "{getattr(chosen, name)}"' for name in names if getattr(chosen, name)]
    text = "\n".join([f"[connections.{there.platform}]", *lines, "private = true", ""])
    file = project / "remit.toml"
    file.write_text(f"{file.read_text()}\n{text}")


def test_a_connection_is_listed_and_tried(remit: Remit, there: Standin) -> None:
    """A credential is got as a tool would, and something small is read; a secret that is wrong is a failure."""
    there.now_s = time.time
    (row,) = remit("connections", "list", "--json").document["items"]
    assert (row["name"], there.asked) == (there.platform, [])
    assert row["auth"] in remit("connections", "list").out
    told = remit("connections", "test", there.platform)
    assert (told.code, told.out.strip()) == (0, f"{there.platform}: works (status 200)")
    there.failures.append((403, {"message": "no"}))
    assert remit("connections", "test", there.platform, "--json").document["works"] is False
    told = remit("connections", "test", there.platform, "--tenant", "acme")
    assert told.code == 3
    assert "REMIT_SECRET_ACME__" in told.err
    assert remit("connections", "test", "nowhere").code == 3


def test_the_doctor_warns_of_tokens_that_do_not_end(remit: Remit, project: Path) -> None:
    """It works, but a credential that ends is better; settings that cannot work are a problem."""
    toml = project / "remit.toml"
    toml.write_text(f'{toml.read_text()}\n[connections.github]\n[connections.jira]\nauth = "token"\n')
    found = {f["check"]: f for f in remit("doctor", "--json").document["items"]}
    assert found["connection github"]["verdict"] == "note"
    assert "does not end" in found["connection github"]["result"]
    assert found["connection jira"]["verdict"] == "bad"
    assert "`url`" in found["connection jira"]["result"]
