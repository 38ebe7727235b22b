"""Secrets that are read when they are first needed reach no journal, log or answer either.

On an emulator over real sockets; `eval "$(scripts/ci/ministack.sh)"` starts it.
"""

from __future__ import annotations

import io
import logging
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.adapters.emulator import REGION, URL, clients

from remit.adapters.aws.session import Session
from remit.adapters.secrets.cached import TTL_S
from remit.adapters.telemetry import logs
from remit.bootstrap import App
from remit.core.message import assistant
from remit.sdk import Agent, ToolContext, tool
from remit.testing.apps import app_for_tests, call, task
from remit.testing.clock import FakeClock

__all__ = ["clients"]

pytestmark = pytest.mark.service


@tool(risk="L0")
def reveal(context: ToolContext) -> str:
    """Hand out what must not be handed out."""
    return f"the key is {context.secrets.get('key')}"


@pytest.fixture
async def app(clients: Session, tmp_path: Path) -> AsyncIterator[App]:
    """A deployment's process whose secrets are in Secrets Manager."""
    name = f"remit-{secrets.token_hex(4)}"
    manager = clients("secretsmanager")
    manager.create_secret(Name=f"{name}/deployment/redaction_salt", SecretString=secrets.token_hex(16))
    manager.create_secret(Name=f"{name}/local/key", SecretString="hush-hush-one")
    async with app_for_tests(
        Agent("teller", instructions="Tell.", tools=[reveal]),
        replies=[call("reveal"), assistant("it is hush-hush-one, and soon hush-hush-two")],
        cycle=True,
        home=tmp_path,
        clock=FakeClock(),
        deployment=name,
        secrets_from="secretsmanager",
        region=REGION,
        aws_endpoint=URL,
    ) as program:
        yield program


async def test_a_secret_is_redacted_from_the_moment_it_is_read(app: App, clients: Session) -> None:
    """In results, answers and logs; after a rotation, the old value and the new one."""
    out = io.StringIO()
    log = logging.Logger("late")
    log.addHandler(logs.handler(as_json=True, known=app.known_secrets, stream=out))
    run_id = (await app.run(task("teller", "t1"))).run_id
    log.error("it is %s", "hush-hush-one")
    journal = b"".join(entry.body for entry in await app.store.read(run_id))
    assert b"the key is [REDACTED:credential:" in journal
    assert b"hush-hush-one" not in journal
    assert b"hush-hush-two" in journal  # nobody knows yet that this is one
    assert "hush-hush" not in out.getvalue()

    clients("secretsmanager").put_secret_value(
        SecretId=f"{app.settings.deployment}/local/key", SecretString="hush-hush-two"
    )
    app.clock.advance(TTL_S)  # type: ignore[attr-defined]
    run_id = (await app.run(task("teller", "t2"))).run_id
    journal = b"".join(entry.body for entry in await app.store.read(run_id))
    assert b"hush-hush" not in journal
    log.error("it was %s and is %s", "hush-hush-one", "hush-hush-two")
    assert "hush-hush" not in out.getvalue()
