"""What the failures of AWS mean for a message: whether it surely was not taken, may be taken later, or nobody knows."""

from __future__ import annotations

from remit.core import aws
from remit.core.errors import ToolError


def not_sent(error: Exception, action: str, whom: str) -> Exception:
    """The failure to send to `whom` by an IAM `action`. Its text never holds what AWS said, which may hold the target."""
    kind, code = aws.kind_of(error), aws.code_of(error)
    if kind == "unknown":
        return ConnectionError(f"{whom} broke off ({code}): it may have the message")
    if kind == "denied":
        return ToolError(
            f"AWS refuses `{action}` to {whom} ({code})",
            code="E685",
            help=f"allow `{action}` to the role of this process",
        )
    if kind in ("throttled", "unreached"):
        return ToolError(
            f"{whom} cannot be reached at the moment ({code})",
            code="E687",
            help="it is tried again",
            retryable=True,
        )
    return ToolError(
        f"{whom} does not take the message ({code})",
        code="E686",
        help="check the target of the notifier and its region, and with SES that the sender is verified",
    )
