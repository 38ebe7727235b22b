"""E-mail: what arrives, and what is known when it does not."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.adapters.notify.messages import notification
from tests.adapters.notify.servers import PASSWORD, Mailbox, free_port, mail_server

from remit.adapters.notify.smtp import SmtpChannel, html_of
from remit.adapters.notify.smtp import mail_server as server_of
from remit.core.errors import ConfigError, ToolError

SENDER = "remit@shop.example"
TO = "ops@shop.example, dana@shop.example"


def channel(
    port: int, *, user: str = "", password: str = PASSWORD, query: str = "", **more: object
) -> SmtpChannel:
    url = f"smtp://{user + '@' if user else ''}127.0.0.1:{port}?from={SENDER}{query}"
    return SmtpChannel(server_of(url), lambda: password, timeout_s=2, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for 127.0.0.1, and a client's that trusts it."""
    home: Path = tmp_path_factory.mktemp("tls")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*command.split(), "-keyout", "key.pem", "-out", "cert.pem"],
        cwd=home,
        check=True,
        capture_output=True,
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(home / "cert.pem", home / "key.pem")
    return server, ssl.create_default_context(cafile=home / "cert.pem")


async def test_a_message_arrives_whole() -> None:
    """Every address gets one message in text and HTML, whose Message-ID and date are the notification's own."""
    mailbox = Mailbox()
    with mail_server(mailbox) as port:
        receipt = await channel(port).send(notification(), TO)
        await channel(port).send(notification(), TO)
    assert receipt == "250 queued as 42"
    first, second = mailbox.messages
    assert mailbox.envelopes[0].mail_from == SENDER
    assert mailbox.envelopes[0].rcpt_tos == ["ops@shop.example", "dana@shop.example"]
    assert first["Subject"] == "[FAILED] orders: 1 rule failed, 1 rule recovered"
    assert first["Message-ID"] == second["Message-ID"] == "<ntf_0123456789@shop.example>"
    assert first["Date"] == second["Date"]
    assert first["Auto-Submitted"] == "auto-generated"
    text = first.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "FAILED    orders-count v3 (record_count_match)" in text
    assert "expected_count 1,000, diff_pct 4.2" in text
    assert "run vr_1" in text
    assert "RECOVERED orders-ids" in text
    assert "orders-count" in first.get_body(("html",)).get_content()  # type: ignore[union-attr]


async def test_what_a_name_holds_is_neither_markup_nor_a_header() -> None:
    """Markup in names is escaped in HTML, line ends in a subject are no new header, leading dots and umlauts survive."""
    mailbox = Mailbox()
    line = replace(notification().lines[0], config_id="<script>x</script>", validation_type=".dot\n.dot\n")
    evil = notification(subject="a\r\nBcc: evil@x.example ümlaut", lines=(line,), agent_run="<b>")
    with mail_server(mailbox) as port:
        await channel(port).send(evil, TO)
    (message,) = mailbox.messages
    assert message["Bcc"] is None
    assert message["Subject"] == "a  Bcc: evil@x.example ümlaut"
    assert "<script>" not in html_of(evil)
    plain = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert ".dot\n.dot\n" in plain.replace("\r\n", "\n")


async def test_starttls_and_login(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """Where the server offers encryption it is used, and the password goes over it."""
    server, client = certificate
    mailbox = Mailbox()
    with mail_server(mailbox, tls=server, login=True) as port:
        await channel(port, user="remit", context=client, query="&tls=required").send(notification(), TO)
    assert mailbox.encrypted == [True]


@pytest.mark.parametrize(
    ("answers", "code", "retryable"),
    [
        ({"RCPT": "451 greylisted, come back"}, "E626", True),
        ({"RCPT": "550 no such user"}, "E626", False),
        ({"MAIL": "421 too busy"}, "E626", True),
        ({"MAIL": "553 not you"}, "E626", False),
        ({"DATA": "452 disk full"}, "E626", True),
        ({"DATA": "554 spam"}, "E626", False),
    ],
)
async def test_a_refusal_means_not_sent(answers: dict[str, str], code: str, retryable: bool) -> None:
    """What the server refuses, at whatever step, was surely not sent; for a refusal of the moment it says so."""
    mailbox = Mailbox(answers)
    with mail_server(mailbox) as port, pytest.raises(ToolError) as refused:
        await channel(port).send(notification(), TO)
    assert (refused.value.code, refused.value.retryable) == (code, retryable)
    assert mailbox.messages == []


async def test_one_refused_address_does_not_keep_the_others_from_being_told() -> None:
    """The message goes to the addresses that are taken, and the receipt names the other."""
    mailbox = Mailbox({"ops@shop.example": "550 no such user"})
    with mail_server(mailbox) as port:
        receipt = await channel(port).send(notification(), TO)
    assert mailbox.envelopes[0].rcpt_tos == ["dana@shop.example"]
    assert receipt.endswith("refused: ops@shop.example")


async def test_a_wrong_password_means_not_sent_and_is_not_said() -> None:
    """A refused login is an error that names neither user nor password."""
    mailbox = Mailbox()
    with (
        mail_server(mailbox, login=True) as port,
        pytest.raises(ToolError, match="refuses the login") as refused,
    ):
        await channel(port, user="remit", password="wrong-password-here").send(notification(), TO)
    assert "wrong-password" not in str(refused.value)
    assert not refused.value.retryable


async def test_no_server_means_not_sent() -> None:
    """A refused connection is tried again."""
    with pytest.raises(ToolError) as refused:
        await channel(free_port()).send(notification(), TO)
    assert (refused.value.code, refused.value.retryable) == ("E627", True)


async def test_an_untrusted_or_missing_encryption_means_not_sent(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    """With `tls=required` nothing is said to a server that offers none, or whose certificate nobody vouches for."""
    mailbox = Mailbox()
    with mail_server(mailbox) as port, pytest.raises(ToolError) as none:
        await channel(port, query="&tls=required").send(notification(), TO)
    with mail_server(mailbox, tls=certificate[0]) as port, pytest.raises(ToolError) as untrusted:
        await channel(port).send(notification(), TO)
    assert none.value.code == untrusted.value.code == "E625"
    assert mailbox.messages == []


async def test_a_connection_that_breaks_after_the_message_leaves_it_open() -> None:
    """When the server hangs up after it was given the message nobody knows, and that is not called a failure."""
    mailbox = Mailbox(cut=True)
    with mail_server(mailbox) as port, pytest.raises((OSError, EOFError)) as broken:
        await channel(port).send(notification(), TO)
    assert not isinstance(broken.value, ToolError)
    assert len(mailbox.messages) == 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://mail.example.com?from=a@b.example",
        "smtp://mail.example.com",
        "smtp://user:password@mail.example.com?from=a@b.example",
        "smtp://mail.example.com:99999?from=a@b.example",
        "smtp://mail.example.com?from=a@b.example&tls=maybe",
    ],
)
def test_a_url_that_names_no_mail_server(url: str) -> None:
    """A URL without server or sender, or with a password in it, is refused with the form it should have."""
    with pytest.raises(ConfigError) as refused:
        server_of(url)
    assert refused.value.code == "E629"
    assert "user:password" not in str(refused.value)


def test_encryption_is_required_of_other_machines() -> None:
    """Unless the URL says otherwise, mail leaves this machine encrypted."""
    assert server_of("smtp://mail.example.com?from=a@b.example").tls == "required"
    assert server_of("smtp://localhost?from=a@b.example").tls == "auto"
    implicit = server_of("smtps://u@mail.example.com?from=a@b.example")
    assert (implicit.implicit, implicit.port, implicit.user) == (True, 465, "u")
