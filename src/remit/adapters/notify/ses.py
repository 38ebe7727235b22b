"""E-mail through Amazon SES, the same message as over SMTP; credentials are those of the process, and no password is needed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.policy import SMTP
from typing import Any
from urllib.parse import parse_qs, urlsplit

from remit.adapters.notify.aws import not_sent
from remit.adapters.notify.smtp import composed
from remit.core.errors import ConfigError
from remit.core.notification import Notification, addresses


def ses_sender(url: str) -> str:
    """The sender that `ses://?from=address` names. Raises ConfigError E629."""
    sender = parse_qs(urlsplit(url).query).get("from", [""])[0]
    if "@" not in sender:
        raise ConfigError(
            "`REMIT_SMTP_URL` names no sender for SES",
            code="E629",
            help="set it to e.g. `ses://?from=remit@example.com`, an address or domain that SES has verified",
        )
    return sender


class SesChannel:
    """Hands a message to SES, once. `clients(service, attempts=1)` is a boto3 client that never sends again by itself."""

    def __init__(self, clients: Callable[..., Any], sender: str) -> None:
        self._clients = clients
        self._sender = sender

    async def send(self, notification: Notification, target: str, *, signing_key: str = "") -> str:
        """Send it; the receipt is SES's id of the message."""
        to = addresses(target)
        message = composed(notification, self._sender, to).as_bytes(policy=SMTP)
        whom = f"the mail of notifier `{notification.notifier_id}`"
        return await asyncio.to_thread(self._send, message, to, whom)

    def _send(self, message: bytes, to: list[str], whom: str) -> str:
        try:
            answer = self._clients("sesv2", attempts=1).send_email(
                FromEmailAddress=self._sender,
                Destination={"ToAddresses": to},
                Content={"Raw": {"Data": message}},
            )
        except Exception as error:
            raise not_sent(error, "ses:SendRawEmail", whom) from None
        return f"SES {answer['MessageId']}"
