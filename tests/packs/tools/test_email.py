"""Drafts of e-mails: well-formed files, whatever is written into them, and nothing is sent."""

from __future__ import annotations

import email
import socket
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit import agent
from remit.core.errors import ArgumentsError
from remit.core.task import Actor
from remit.ports.agents import ToolContext
from remit.testing import FakeClock, app_for_tests, task
from remit_packs.tools.email import draft_email


def drafted(actor: str = "ana", **fields: Any) -> tuple[EmailMessage, Any]:
    """A draft as a mail program reads it, and what the tool answered."""
    context = ToolContext("run", "m0.0", "local", Actor(actor), "assistant", "key", 1, FakeClock(), None)  # type: ignore[arg-type]
    asked = {"to": ["bob@example.com"], "subject": "Hello", "body": "Text.", **fields}
    answer = draft_email(context, **asked)
    return read(context.kept[0].data), answer


def read(data: bytes) -> EmailMessage:
    """A message of bytes, which must have no defects."""
    made = email.message_from_bytes(data, policy=default)
    assert isinstance(made, EmailMessage)
    assert made.defects == []
    return made


def test_a_draft_is_a_message_that_mail_programs_open() -> None:
    """Sender, recipients, subject in any script, date by the clock of the run, and the mark of a draft."""
    message, answer = drafted(
        actor="ana@example.com",
        to=["Bob B. <bob@example.com>", "carol@example.com"],
        cc=["Zoë <zoe@example.org>"],
        subject="Grüße aus Köln",
        body="Hallo Bob,\n\nschöne Grüße.\n.\nFrom me",
    )
    assert message["from"].addresses == (Address("", "ana", "example.com"),)
    assert [a.addr_spec for a in message["to"].addresses] == ["bob@example.com", "carol@example.com"]
    assert message["to"].addresses[0].display_name == "Bob B."
    assert message["cc"].addresses[0].display_name == "Zoë"
    assert message["subject"] == "Grüße aus Köln"
    assert message["date"] == "Fri, 15 Jan 2027 08:00:00 +0000"
    assert message["x-unsent"] == "1"
    assert message.get_content().replace("\r\n", "\n") == "Hallo Bob,\n\nschöne Grüße.\n.\nFrom me\n"
    assert (answer.name, answer.sent, answer.to_fill_in) == ("draft-gr-e-aus-k-ln.eml", False, [])


def test_a_recipient_may_be_only_a_name() -> None:
    """A person fills the address in; so it is with one that the policy profile has redacted."""
    message, answer = drafted(to=["Bob", "[REDACTED:email:ab12]", "c@example.com"])
    assert answer.to_fill_in == ["Bob", "[REDACTED:email:ab12]"]
    assert [a.addr_spec for a in message["to"].addresses] == ["c@example.com"]
    assert message["from"].addresses[0].domain == "address.invalid"


@pytest.mark.parametrize(
    "recipient",
    [
        "", " ", "@", "a@", "@b.example", "a@b", "a@localhost", "a@b..example", "a@.example", "a@b.example.", "a b@c.example",
        "a@b@c.example", "a@b.example, c@d.example", "a@b.example; c@d.example", "a;b", "Bob <a@b.example", "Bob a@b.example",
        "<>", "Bob <>", "Bob <Bob>", "a@[127.0.0.1]", "a@b.example\r\nBcc: c@d.example", "Bob\nBcc: x <a@b.example>",
        "a@b.example\x00", "a\u2028b", ".a@b.example", "a..b@c.example", '"a b"@c.example', "a" * 65 + "@b.example", "ü@b.example",
    ],
)  # fmt: skip
def test_what_is_no_recipient_is_refused(recipient: str) -> None:
    """Above all what would add a header or another recipient."""
    with pytest.raises(ArgumentsError) as raised:
        drafted(to=[recipient])
    assert raised.value.code == "E929"


@pytest.mark.parametrize(
    "subject", ["a\nBcc: b@c.example", "a\r\n\r\nbody", "a\x00", "a\x0bb", "a\u2028b", "a\x85b", "a\u202eb"]
)
def test_a_subject_stays_on_its_line(subject: str) -> None:
    """It cannot begin another header."""
    with pytest.raises(ArgumentsError, match="line break"):
        drafted(subject=subject)


def test_recipients_are_counted_together() -> None:
    """Fifty at most."""
    many = [f"a{n}@example.com" for n in range(30)]
    with pytest.raises(ArgumentsError, match="more than 50"):
        drafted(to=many, cc=many)


@given(
    st.text(min_size=1, max_size=80),
    st.text(min_size=1, max_size=400),
    st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=3),
)
def test_whatever_is_written_no_header_is_added(subject: str, body: str, to: list[str]) -> None:
    """Either it is refused, or the file has exactly the headers of a draft and the recipients that were named."""
    try:
        message, answer = drafted(subject=subject, body=body, to=to)
    except ArgumentsError:
        return
    assert {name.lower() for name in message.keys()} == {  # noqa: SIM118  (a message is no dict)
        "from", "to", "subject", "date", "x-unsent", "content-type", "content-transfer-encoding", "mime-version",
    }  # fmt: skip
    assert len(message["to"].addresses) == len(to) - len(answer.to_fill_in)


async def test_a_draft_is_an_artifact_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its digest finds the file; no connection was made."""

    @agent(tools=[draft_email])
    async def writer(input: Any, memory: Any, context: Any) -> Any:
        return await context.call("draft_email", to=["Bob"], subject="Hi", body="There")

    monkeypatch.setattr(socket.socket, "connect", None)
    async with app_for_tests(writer) as app:
        result = await app.run(task(writer))
        (kept,) = result.artifacts
        assert (kept.name, kept.media_type) == ("draft-hi.eml", "message/rfc822")
        assert kept.digest == result.result_payload["artifact"]
        assert read(await app.blobs.get(kept.digest))["subject"] == "Hi"
