"""What the failures of AWS mean."""

from __future__ import annotations

import pytest

from remit.core.aws import Kind, code_of, failure, kind_of
from remit.core.errors import ConfigError, StoreError


class Answered(Exception):
    """A failure as boto3 raises it when AWS has answered."""

    def __init__(self, code: str, status: int) -> None:
        super().__init__(f"said of arn:aws:secret: {code}")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


def client_error(name: str) -> Exception:
    """A failure of boto3 itself, which are told apart by their names."""
    return type(name, (Exception,), {})("arn:aws:secret")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (Answered("NoSuchBucket", 404), "missing"),
        (Answered("ResourceNotFoundException", 400), "missing"),
        (Answered("AccessDeniedException", 400), "denied"),
        (Answered("SignatureDoesNotMatch", 403), "denied"),
        (client_error("NoCredentialsError"), "denied"),
        (Answered("ThrottlingException", 400), "throttled"),
        (Answered("SlowDown", 503), "throttled"),
        (Answered("ValidationException", 400), "refused"),
        (client_error("ParamValidationError"), "refused"),
        (client_error("EndpointConnectionError"), "unreached"),
        (client_error("ConnectTimeoutError"), "unreached"),
        (client_error("ReadTimeoutError"), "unknown"),
        (Answered("InternalError", 500), "unknown"),
        (Answered("SomethingNew", 503), "unknown"),
        (OSError("reset"), "unknown"),
    ],
    ids=lambda value: code_of(value) if isinstance(value, Exception) else value,
)
def test_a_failure_means_one_thing(error: Exception, kind: Kind) -> None:
    """Whether it was done is known, unless the kind is `unknown`; the error of ours says nothing that AWS said."""
    assert kind_of(error) == kind
    made = failure(error, "s3:PutObject", "bucket `b`")
    assert isinstance(made, ConfigError if kind in ("missing", "denied") else StoreError)
    assert "bucket `b`" in made.message
    assert "arn:aws:secret" not in str(made)
