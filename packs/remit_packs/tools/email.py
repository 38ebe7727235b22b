"""Drafts of e-mails: a file that a mail program opens, for a person to send. Nothing is sent here."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.headerregistry import Address, Group
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Annotated

from msgspec import Meta, Struct

from remit.sdk import ArgumentsError, ToolContext, tool

MOST_RECIPIENTS = 50

_MAILBOX = re.compile(r"(?:(?P<name>[^<>@]*)<(?P<within>[^<>]+)>|(?P<alone>[^<>\s]+@[^<>\s]+))\Z")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]\Z"
)
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Ends of lines, control characters, and those that turn text around: a name must read as what it is."""

Recipients = Annotated[
    list[str],
    Meta(
        max_length=MOST_RECIPIENTS,
        description="Each `name@example.com`, `Name <name@example.com>`, or only a name: a person fills its address in.",
    ),
]
Subject = Annotated[str, Meta(min_length=1, max_length=300)]
Body = Annotated[str, Meta(min_length=1, max_length=100_000, description="Plain text.")]


class Draft(Struct, frozen=True):
    """A draft that was kept as an artifact. `to_fill_in` are the people whose address is not in it yet."""

    name: str
    artifact: str
    to: list[str]
    subject: str
    to_fill_in: list[str]
    sent: bool = False


@tool
def draft_email(
    context: ToolContext,
    to: Annotated[Recipients, Meta(min_length=1)],
    subject: Subject,
    body: Body,
    cc: Recipients = [],  # noqa: B006  (never changed)
    sender: Annotated[str, Meta(max_length=320)] = "",
) -> Draft:
    """Write an e-mail for a person to look at and send. It is kept as an `.eml` file; nothing is sent."""
    if len(to) + len(cc) > MOST_RECIPIENTS:
        raise _wrong(f"it has more than {MOST_RECIPIENTS} recipients", "write to fewer people")
    message = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    message["From"] = _sender(sender or context.actor.actor_id)
    message["To"] = [_recipient(text) for text in to]
    if cc:
        message["Cc"] = [_recipient(text) for text in cc]
    message["Subject"] = _line(subject, "the subject")
    message["Date"] = format_datetime(datetime.fromtimestamp(context.clock.now() // 1000, UTC))
    message["X-Unsent"] = "1"  # mail programs open it as a draft
    message.set_content(body)
    name = "draft-" + (re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")[:40] or "email") + ".eml"
    digest = context.keep(name, message.as_bytes(), "message/rfc822")
    return Draft(name, digest, to, subject, [text for text in (*to, *cc) if not _MAILBOX.match(text.strip())])


def _recipient(text: str) -> Address | Group:
    """A mailbox; a name alone is a group without members, which is how RFC 5322 writes a recipient without an address."""
    line = _line(text, "a recipient").strip()
    found = _MAILBOX.match(line)
    if found is None:
        if not line or re.search("[@<>,;]", line):
            raise _wrong(
                f"`{line[:80]}` is no address",
                "write `name@example.com`, `Name <name@example.com>` or a name",
            )
        return Group(line)
    local, at, domain = (found["within"] or found["alone"]).strip().rpartition("@")
    if not at or len(local) > 64 or not _LOCAL.match(local) or not _DOMAIN.match(domain):
        raise _wrong(f"`{line[:80]}` is no address", "write e.g. `Name <name@example.com>`")
    return Address((found["name"] or "").strip().strip('"'), local, domain)


def _sender(text: str) -> Address:
    """Who will send it. One without an address is given one that no mail reaches, since RFC 5322 demands a sender."""
    given = _recipient(text)
    return given if isinstance(given, Address) else Address(text.strip(), "sender", "address.invalid")


def _line(text: str, what: str) -> str:
    """A text that stays on its line: a header must not begin another one."""
    if _BREAKS.search(text):
        raise _wrong(f"{what} has a line break or control character", "write it on one line")
    return text


def _wrong(what: str, help: str) -> ArgumentsError:
    return ArgumentsError(f"this e-mail cannot be drafted: {what}", code="E929", help=help)
