"""E-mail over SMTP: plain text with an HTML alternative, under a Message-ID that a repetition shares."""

from __future__ import annotations

import asyncio
import contextlib
import re
import smtplib
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from html import escape
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from remit.core.errors import ConfigError, ToolError
from remit.core.notification import Notification, RuleLine, addresses, facts_text

TIMEOUT_S = 15.0
HELP = "set REMIT_SMTP_URL, e.g. `smtp://user@mail.example.com:587?from=remit@example.com`"
TLS = ("auto", "required", "off")


class MailServer(Struct, frozen=True):
    """Where mail is handed in. `tls`: `required`, `auto` (when the server offers it) or `off`; `implicit` from the start."""

    host: str
    port: int
    user: str
    sender: str
    tls: str
    implicit: bool


def mail_server(url: str) -> MailServer:
    """The server that a URL names. Raises ConfigError E629.

    `smtp://` uses STARTTLS, which must succeed unless the server is this machine or the URL says `tls=auto` or
    `tls=off`; `smtps://` is encrypted from the start. The password is the secret `smtp_password`.
    """
    try:
        parts = urlsplit(url)
        host, port, query = parts.hostname or "", parts.port, parse_qs(parts.query)
    except ValueError:
        host, port, query, parts = "", None, {}, urlsplit("")
    sender, tls = query.get("from", [""])[0], query.get("tls", [""])[0]
    implicit = parts.scheme == "smtps"
    if parts.scheme not in ("smtp", "smtps") or not host or parts.password or "@" not in sender:
        raise ConfigError(
            "`REMIT_SMTP_URL` names no mail server with a sender, or holds a password", code="E629", help=HELP
        )
    tls = tls or ("auto" if _is_local(host) else "required")
    if tls not in TLS:
        raise ConfigError(
            f"`tls={tls[:40]}` in `REMIT_SMTP_URL` is not one of {', '.join(TLS)}", code="E629", help=HELP
        )
    return MailServer(
        host, port or (465 if implicit else 587), unquote(parts.username or ""), sender, tls, implicit
    )


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class SmtpChannel:
    """Hands a message to a mail server. `password` is asked for at the last moment."""

    def __init__(
        self,
        server: MailServer,
        password: Callable[[], str],
        *,
        timeout_s: float = TIMEOUT_S,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._server = server
        self._password = password
        self._timeout_s = timeout_s
        self._context = context or ssl.create_default_context()

    async def send(self, notification: Notification, target: str, *, signing_key: str = "") -> str:
        """Send it; the receipt is the server's last answer. An address that is refused is named in it."""
        message = composed(notification, self._server.sender, addresses(target))
        return await asyncio.to_thread(self._deliver, message, addresses(target))

    def _deliver(self, message: EmailMessage, to: Sequence[str]) -> str:
        smtp = self._connected()
        try:
            refused = self._announced(smtp, to)
            return self._transmitted(smtp, message.as_bytes(policy=SMTP_POLICY)) + refused
        finally:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                smtp.quit()
            smtp.close()

    def _connected(self) -> smtplib.SMTP:
        """A connection that is encrypted and logged in as the configuration asks. Nothing is sent yet."""
        server = self._server
        smtp: smtplib.SMTP | None = None
        try:
            if server.implicit:
                smtp = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=self._timeout_s, context=self._context
                )
            else:
                smtp = smtplib.SMTP(server.host, server.port, timeout=self._timeout_s)
            smtp.ehlo_or_helo_if_needed()
            self._secured(smtp)
            if server.user:
                smtp.login(server.user, self._password())
            return smtp
        except (smtplib.SMTPException, OSError) as error:
            if smtp is not None:
                smtp.close()
            raise _not_sent(error) from error
        except BaseException:
            if smtp is not None:
                smtp.close()
            raise

    def _secured(self, smtp: smtplib.SMTP) -> None:
        server = self._server
        encrypted = server.implicit
        if not encrypted and server.tls != "off" and (server.tls == "required" or smtp.has_extn("starttls")):
            smtp.starttls(context=self._context)
            smtp.ehlo()
            encrypted = True
        if server.user and not encrypted and not _is_local(server.host):
            raise ToolError(
                "the mail server offers no encryption, and a password would be readable on the way",
                code="E625",
                help="use `smtps://` or a server with STARTTLS",
            )

    def _announced(self, smtp: smtplib.SMTP, to: Sequence[str]) -> str:
        """Name sender and recipients and ask to send; which recipients were refused, as text."""
        try:
            _expect(smtp.mail(self._server.sender), (250,))
            answers = {address: smtp.rcpt(address) for address in to}
            refused = [a for a, (code, _) in answers.items() if code not in (250, 251)]
            if len(refused) == len(answers):
                _expect(answers[refused[0]], (250, 251))
            _expect(smtp.docmd("DATA"), (354,))
        except (smtplib.SMTPException, OSError) as error:
            raise _not_sent(error) from error
        return f"; refused: {', '.join(refused)}" if refused else ""

    def _transmitted(self, smtp: smtplib.SMTP, body: bytes) -> str:
        """Send the message itself. From here on a broken connection leaves open whether the server has taken it."""
        smtp.send(re.sub(rb"(?m)^\.", b"..", body) + (b".\r\n" if body.endswith(b"\r\n") else b"\r\n.\r\n"))
        code, said = smtp.getreply()
        if code == -1:
            raise ConnectionError("the mail server hung up after it was given the message")
        try:
            _expect((code, said), (250,))
        except smtplib.SMTPException as error:
            raise _not_sent(error) from error
        return f"{code} {said.decode('utf-8', 'replace')[:200]}"


def _expect(answer: tuple[int, bytes], codes: tuple[int, ...]) -> None:
    code, said = answer
    if code == -1:
        raise smtplib.SMTPServerDisconnected("hung up")
    if code not in codes:
        raise smtplib.SMTPResponseException(code, said)


def _not_sent(error: Exception) -> ToolError:
    """The error for a message that the server has surely not taken; its text never holds what a server echoes."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return ToolError(
            f"the mail server refuses the login ({error.smtp_code})",
            code="E625",
            help="check the user in REMIT_SMTP_URL and the secret `smtp_password`",
        )
    if isinstance(error, smtplib.SMTPResponseException):
        return ToolError(
            f"the mail server refuses the message ({error.smtp_code})",
            code="E626",
            help="check sender and addresses",
            retryable=400 <= error.smtp_code < 500,
        )
    if isinstance(error, ssl.SSLError | smtplib.SMTPNotSupportedError):
        return ToolError(
            "the mail server cannot be reached with encryption",
            code="E625",
            help="check its certificate, or the `tls` of REMIT_SMTP_URL",
        )
    return ToolError(
        f"the mail server cannot be reached ({type(error).__name__})",
        code="E627",
        help="check REMIT_SMTP_URL and the network",
        retryable=True,
    )


# what it looks like


def composed(notification: Notification, sender: str, to: Sequence[str]) -> EmailMessage:
    """The message. Its Message-ID and date come from the notification, so that it is the same when sent again."""
    message = EmailMessage()
    message["Subject"] = "".join(c if c.isprintable() else " " for c in notification.subject)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Message-ID"] = f"<{notification.notification_id}@{sender.rpartition('@')[2]}>"
    message["Date"] = format_datetime(datetime.fromtimestamp(notification.planned_ts / 1000, UTC))
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text_of(notification))
    message.add_alternative(html_of(notification), subtype="html")
    return message


def text_of(notification: Notification) -> str:
    """The message as plain text."""
    lines = [notification.subject, ""]
    for line in notification.lines:
        lines += [f"{line.state:<9} {line.config_id} v{line.version} ({line.validation_type})"]
        lines += [f"          {facts_text(line)}"] if line.facts else []
        lines += [f"          since {_utc(line.since)}, run {line.run_id}"]
    lines += [f"... and {notification.more:,} more"] if notification.more else []
    lines += (
        ["", f"Table {notification.table_id}, run {notification.agent_run}"] if notification.agent_run else []
    )
    return "\n".join(lines) + "\n"


def html_of(notification: Notification) -> str:
    """The message as HTML: nothing is loaded from anywhere, and every text is escaped."""
    rows = "".join(_row(line) for line in notification.lines)
    more = f"<p>... and {notification.more:,} more</p>" if notification.more else ""
    run = f"<p style='color:#666'>run {escape(notification.agent_run)}</p>" if notification.agent_run else ""
    return (
        "<html><body style='font-family:sans-serif'>"
        f"<h3>{escape(notification.subject)}</h3><table cellpadding='6' style='border-collapse:collapse'>{rows}</table>"
        f"{more}{run}</body></html>\n"
    )


_COLOURS = {"FAILED": "#b3261e", "ERROR": "#9a6700", "RECOVERED": "#1a7f37"}


def _row(line: RuleLine) -> str:
    cells = (
        f"<b style='color:{_COLOURS[line.state]}'>{line.state}</b>",
        f"<b>{escape(line.config_id)}</b> v{line.version}<br>{escape(line.validation_type)}",
        f"{escape(facts_text(line))}<br><span style='color:#666'>since {_utc(line.since)}, run {escape(line.run_id)}</span>",
    )
    tds = "".join(f"<td style='border-top:1px solid #ddd'>{cell}</td>" for cell in cells)
    return f"<tr>{tds}</tr>"


def _utc(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts / 1000, UTC):%Y-%m-%d %H:%M} UTC"
