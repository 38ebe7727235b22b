"""What the failures of AWS mean, so that every adapter says the same of them. Knows names only, and imports no client."""

from __future__ import annotations

from typing import Literal

from remit.core.errors import ConfigError, RemitError, StoreError

Kind = Literal["missing", "denied", "throttled", "refused", "unreached", "unknown"]
"""`missing`, `denied`, `throttled` and `refused` (for any other reason) are answers of AWS, and nothing was done. `unreached`:
nothing was sent. `unknown`: AWS failed, or the connection broke, and nobody knows what was done."""

_MISSING = frozenset(
    """
    404 NotFound NotFoundException ResourceNotFoundException ResourceNotFound NoSuchBucket NoSuchKey NoSuchVersion
    NoSuchEntity ParameterNotFound ParameterVersionNotFound QueueDoesNotExist AWS.SimpleQueueService.NonExistentQueue
    """.split()  # noqa: SIM905  (as a list it would be a dozen lines)
)
_DENIED = frozenset(
    """
    403 AccessDenied AccessDeniedException AllAccessDisabled AuthorizationError AuthorizationErrorException Forbidden
    DecryptionFailure ExpiredToken ExpiredTokenException IncompleteSignature InvalidAccessKeyId InvalidClientTokenId
    InvalidSignatureException KMSAccessDenied KMSAccessDeniedException MissingAuthenticationToken NotAuthorized
    SignatureDoesNotMatch UnauthorizedOperation UnrecognizedClientException
    """.split()  # noqa: SIM905
)
_THROTTLED = frozenset(
    """
    429 BandwidthLimitExceeded KMSThrottling KMSThrottlingException LimitExceededException PriorRequestNotComplete
    ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled RequestThrottledException SlowDown
    Throttled ThrottledException Throttling ThrottlingException TooManyRequests TooManyRequestsException
    """.split()  # noqa: SIM905
)
_NO_CREDENTIALS = (
    "NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError", "TokenRetrievalError",
    "SSOTokenLoadError", "UnauthorizedSSOTokenError", "NoAuthTokenError",
)  # fmt: skip
_UNREACHED = (
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "EndpointResolutionError",
    "ProxyConnectionError",
)
_NOT_SENT = ("ParamValidationError", "NoRegionError", "InvalidRegionError", "UnknownServiceError")


def code_of(error: Exception) -> str:
    """The code that AWS gave the failure, or the name of the client's own exception."""
    response = getattr(error, "response", None)
    told = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return str(told or type(error).__name__)


def kind_of(error: Exception) -> Kind:
    """What a failure of boto3 means."""
    code, response = code_of(error), getattr(error, "response", None)
    if not isinstance(response, dict):
        return _kind_of_client(code)
    if code in _MISSING:
        return "missing"
    if code in _DENIED:
        return "denied"
    if code in _THROTTLED:
        return "throttled"
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    return "unknown" if int(status) >= 500 else "refused"


def _kind_of_client(name: str) -> Kind:
    if name in _NO_CREDENTIALS:
        return "denied"
    if name in _UNREACHED:
        return "unreached"
    return "refused" if name in _NOT_SENT else "unknown"


def failure(error: Exception, action: str, thing: str) -> RemitError:
    """The failure of an IAM `action` on a `thing` (e.g. "bucket `b`") as an error of ours, which holds nothing secret."""
    kind, code = kind_of(error), code_of(error)
    if kind == "missing":
        return ConfigError(
            f"{thing} does not exist in AWS ({code})",
            code="E656",
            help="`remit deploy apply` makes what a deployment needs; are name, account and region right?",
        )
    if kind == "denied":
        return ConfigError(
            f"AWS refuses `{action}` on {thing} ({code})",
            code="E657",
            help=f"allow `{action}` to the role of this process",
        )
    if kind == "throttled":
        return StoreError(
            f"AWS limits the rate of `{action}` on {thing} ({code})", code="E658", help="try again"
        )
    return StoreError(f"`{action}` on {thing} failed ({code})", code="E658", help="try again")
