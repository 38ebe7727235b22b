"""Every error a user can meet.

    RemitError                      code, message, help
    ├── InputError        E1xx      something given to Remit is wrong; nothing was changed
    ├── ConfigError       E2xx      settings, files or installed extras do not allow what was asked
    ├── DeniedError       E3xx      policy, approval or tenancy refuses
    ├── ConflictError     E4xx      somebody else was first: stale lease, seq or condition
    ├── BudgetError       E5xx      a budget envelope would be exceeded
    ├── ModelError        E6xx      a model provider failed
    ├── ToolError         E7xx      a tool failed, or its outcome is not known
    └── StoreError        E8xx      the store cannot be read or written; nothing was done

A message is one lower-case sentence that names the input in backticks; `help` names the next action.
The code outlives the text: scripts may match it.
"""

from __future__ import annotations

import re

_CODE = re.compile(r"E\d{3,4}\Z")


def is_code(code: str) -> bool:
    """Whether a code is one of Remit's, and no name that an author gave to a failure."""
    return _CODE.match(code) is not None


class RemitError(Exception):
    """Base of all errors raised by Remit on purpose.

    `code` is stable (for example `E101`), `message` one plain sentence, `help` what to do next.
    """

    default_code = "E000"

    def __init__(self, message: str, *, code: str | None = None, help: str = "") -> None:
        super().__init__(message)
        self.code = code or self.default_code
        self.message = message
        self.help = help

    def __str__(self) -> str:
        tail = f"\n  help: {self.help}" if self.help else ""
        return f"[{self.code}] {self.message}{tail}"


class InputError(RemitError):
    """Something given to Remit is wrong; nothing was changed."""

    default_code = "E100"


class NotFoundError(InputError):
    """The named thing does not exist for this tenant."""

    default_code = "E104"


class ConfigError(RemitError):
    """Settings, files or installed extras do not allow what was asked."""

    default_code = "E200"


class DeniedError(RemitError):
    """Policy, approval or tenancy refuses."""

    default_code = "E300"


class ConflictError(RemitError):
    """Somebody else was first: read again and decide again."""

    default_code = "E400"


class FencedError(ConflictError):
    """This worker no longer holds the run: its lease epoch or expected seq is stale, and nothing was written."""

    default_code = "E401"


class ConditionError(ConflictError):
    """A conditional write found another value than it expected, and nothing was written."""

    default_code = "E402"


class RunExistsError(ConflictError):
    """A run with this id exists already."""

    default_code = "E403"


class BudgetError(RemitError):
    """The call would exceed a budget envelope, and was not made."""

    default_code = "E500"


class ModelError(RemitError):
    """A model provider failed.

    `retryable` says whether the same call may succeed later, `retry_after_s` what the provider asked for.
    """

    default_code = "E600"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        help: str = "",
        retryable: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code, help=help)
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class ToolError(RemitError):
    """A tool says that it failed and that its effect did **not** happen.

    Raise it from a tool: the model is told, and the step is settled. Any other exception from a tool with
    effects leaves the outcome unknown. `retryable` asks for another attempt within the tool's retry budget.
    """

    default_code = "E700"

    def __init__(
        self, message: str, *, code: str | None = None, help: str = "", retryable: bool = False
    ) -> None:
        super().__init__(message, code=code, help=help)
        self.retryable = retryable


class ArgumentsError(ToolError):
    """A tool says that the arguments of a call are at fault, and not the tool: nothing happened, and the caller may mend them.

    Unlike any other failure it says nothing of the tool's health, so it opens no circuit breaker.
    """

    default_code = "E715"


class StoreError(RemitError):
    """The store cannot be read or written; what was asked has not been done."""

    default_code = "E800"


class CommitUnknownError(StoreError):
    """The connection died during a commit: the write may or may not be there. Read again before acting."""

    default_code = "E801"
