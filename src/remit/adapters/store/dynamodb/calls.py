"""Calls of DynamoDB: in threads, tried again with jitter when it is busy or gone, its errors in Remit's words.

Whatever is written here may be sent twice: it is a whole item under a condition, or a transaction under a token. So a
request whose fate is unknown is sent again, and what its refusal means then is for the caller to find out.
"""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from remit.core.errors import ConfigError, InputError, RemitError, StoreError

THREADS = 32
READ_S = 10.0
ATTEMPTS = 10
UNKNOWN_ATTEMPTS = 4
BASE_S, CAP_S = 0.02, 1.0

_BUSY = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ProvisionedThroughputExceeded",
        "ThrottlingException",
        "ThrottlingError",
        "RequestLimitExceeded",
        "LimitExceededException",
        "TransactionInProgressException",
        "TransactionConflictException",
        "TransactionConflict",
        "ReplicatedWriteConflictException",
        "ContinuousBackupsUnavailableException",
    }
)
"""Nothing was done; later it may be."""

_MISSING = frozenset({"ResourceNotFoundException"})
_REFUSED = frozenset(
    {
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
    }
)
_FAILED = "ConditionalCheckFailed"


class Refused(Exception):
    """A condition failed. `found`: the items that were there. `doubtful`: an earlier try may have been carried out."""

    def __init__(self, found: list[Mapping[str, Any]], *, doubtful: bool) -> None:
        super().__init__("a condition failed")
        self.found = found
        self.doubtful = doubtful


class Unknown(StoreError):
    """No try was answered, and one of them may have been carried out."""


class Calls:
    """DynamoDB, as this store calls it."""

    def __init__(self, clients: Callable[..., Any]) -> None:
        self._clients = clients
        self._client: Any = None
        self._threads: ThreadPoolExecutor | None = None

    def open(self) -> None:
        """Get ready to call. Raises ConfigError E695 without boto3."""
        if self._threads is None:
            self._client = self._clients("dynamodb", attempts=1, read_s=READ_S)
            self._threads = ThreadPoolExecutor(THREADS, "remit-dynamodb")

    def close(self) -> None:
        """Let go; what runs ends by itself."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait=True)

    async def __call__(self, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The answer. Raises Refused, Unknown (from writes that nobody answered), or a RemitError."""
        answer: dict[str, Any] = await self.work(functools.partial(self._tried, operation, given))
        return answer

    async def work(self, job: Callable[[], Any]) -> Any:
        """Run something that blocks in a thread of the store."""
        if self._threads is None:
            raise StoreError("the store is not open", code="E806")
        return await asyncio.get_running_loop().run_in_executor(self._threads, job)

    def _tried(self, operation: str, given: Mapping[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        unknown = 0
        for attempt in range(ATTEMPTS):
            try:
                answer: dict[str, Any] = getattr(self._client, operation)(**given)
                return answer
            except ClientError as error:
                problem: Exception = error
                unknown += _sort(error, operation, given, doubtful=unknown > 0)
            except (BotoCoreError, OSError) as error:
                problem = error
                unknown += _sort_transport(error)
            if unknown >= UNKNOWN_ATTEMPTS:
                break
            # Jitter need not be reproducible, and the wait is this thread's own.
            time.sleep(random.uniform(0, min(CAP_S, BASE_S * 2**attempt)))
        if unknown and operation in _WRITES:
            raise Unknown(f"DynamoDB did not answer `{operation}` ({problem})", code="E651") from problem
        raise StoreError(
            f"DynamoDB does not answer `{operation}` ({problem})",
            code="E651",
            help="try again later; when it is throttled, see docs/reference/dynamodb.md",
        ) from problem


_WRITES = frozenset({"put_item", "delete_item", "transact_write_items"})


def _sort(error: Any, operation: str, given: Mapping[str, Any], *, doubtful: bool) -> int:
    """1 when the request may have been carried out, 0 when not. Raises what another try would not change."""
    answer = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    if code == "TransactionCanceledException":
        return _sort_cancelled(answer.get("CancellationReasons", []), error, doubtful=doubtful)
    if code == "ConditionalCheckFailedException":
        raise Refused([answer["Item"]] if answer.get("Item") else [], doubtful=doubtful) from error
    if code in _BUSY:
        return 0
    if answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) >= 500:
        return 1
    raise _failure(code, error, operation, given) from error


def _sort_cancelled(reasons: list[Mapping[str, Any]], error: Exception, *, doubtful: bool) -> int:
    codes = {reason.get("Code", "None") for reason in reasons} - {"None", None}
    if _FAILED in codes:
        raise Refused([each["Item"] for each in reasons if each.get("Item")], doubtful=doubtful) from error
    if codes and codes <= _BUSY:
        return 0
    said = "; ".join(str(reason.get("Message", "")) for reason in reasons if reason.get("Message"))
    raise InputError(f"DynamoDB cannot hold what was given: {said or error}", code="E105") from error


def _sort_transport(error: Exception) -> int:
    from botocore.exceptions import (
        ConnectTimeoutError,
        EndpointConnectionError,
        HTTPClientError,
        NoCredentialsError,
        PartialCredentialsError,
    )

    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        raise ConfigError(
            "there are no AWS credentials",
            code="E258",
            help="set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from error
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError):
        return 0
    if isinstance(error, HTTPClientError | OSError):
        return 1
    raise StoreError(f"DynamoDB cannot be called: {error}", code="E651") from error


def _failure(code: str, error: Exception, operation: str, given: Mapping[str, Any]) -> RemitError:
    table = _table(given)
    if code in _MISSING:
        return ConfigError(
            f"the DynamoDB table `{table}` or an index of it does not exist",
            code="E257",
            help="remit deploy apply",
        )
    if code in _REFUSED:
        action = "".join(part.capitalize() for part in operation.split("_"))
        return ConfigError(
            f"AWS refuses `dynamodb:{action}` on `{table}` ({code})",
            code="E258",
            help="let the role of this process do that on the deployment's tables",
        )
    if code == "ValidationException":
        return InputError(f"DynamoDB cannot do `{operation}` on `{table}`: {error}", code="E105")
    return StoreError(f"DynamoDB failed at `{operation}` on `{table}`: {error}", code="E651")


def _table(given: Mapping[str, Any]) -> str:
    """The tables that a request names."""
    if "TableName" in given:
        return str(given["TableName"])
    if "RequestItems" in given:
        return "`, `".join(given["RequestItems"])
    named = {action["TableName"] for item in given.get("TransactItems", ()) for action in item.values()}
    return "`, `".join(sorted(named))
