"""One AWS account and region as this machine reaches it, and what its refusals mean for whoever deploys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from msgspec import Struct

from remit.core.aws import code_of
from remit.core.errors import ConfigError, DeniedError, RemitError, StoreError

EMULATOR_REGION = "us-east-1"
_DENIED = re.compile(
    r"User: (?P<who>\S+) is not authorized to perform: (?P<action>\S+)(?: on resource: (?P<resource>\S+))?"
)
_DENIED_CODES = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AccessDeniedFault")
_EXPIRED_CODES = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
)


class Place(Struct, frozen=True):
    """Where a deployment goes: a region of the account that `profile` leads to, or the emulator at `endpoint`."""

    region: str
    profile: str = ""
    endpoint: str = ""

    @property
    def is_emulator(self) -> bool:
        """Whether this is no real AWS."""
        return bool(self.endpoint)

    def __str__(self) -> str:
        if self.is_emulator:
            return f"the emulator at {self.endpoint}"
        return f"{self.region} (profile {self.profile})" if self.profile else self.region


class Account:
    """The clients of a place. Each is made once; they are used by one thread, but for `logs`, which makes its own."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._made: dict[str, Any] = {}

    @cached_property
    def _session(self) -> Any:
        import boto3

        if self.place.is_emulator:  # never this machine's own keys: an emulator has no business with them
            return boto3.session.Session(
                aws_access_key_id="test", aws_secret_access_key="test", region_name=self.place.region
            )
        with refused("find the profile"):
            return boto3.session.Session(
                profile_name=self.place.profile or None, region_name=self.place.region
            )

    def client(self, service: str) -> Any:
        """The client of a service."""
        if service not in self._made:
            from botocore.config import Config

            config = Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"mode": "standard", "total_max_attempts": 8},
                s3={"addressing_style": "path"} if self.place.is_emulator else {},
            )
            self._made[service] = self._session.client(
                service, endpoint_url=self.place.endpoint or None, config=config
            )
        return self._made[service]

    def adapters(self, service: str, *, attempts: int = 3, read_s: float = 20.0) -> Any:
        """A client as Remit's own adapters ask for it, which say themselves how often a request is sent."""
        from botocore.config import Config

        retries = {"mode": "standard", "total_max_attempts": attempts}
        config = Config(connect_timeout=5, read_timeout=read_s, retries=retries, max_pool_connections=64)
        return self._session.client(service, endpoint_url=self.place.endpoint or None, config=config)

    @cached_property
    def id(self) -> str:
        """The account's id: also the first call to AWS, which shows whether credentials work."""
        with refused("ask AWS who you are", action="sts:GetCallerIdentity"):
            return str(self.client("sts").get_caller_identity()["Account"])


@contextmanager
def refused(doing: str, *, action: str = "") -> Iterator[None]:
    """Turn a refusal of AWS while `doing` something into an error that says what to do."""
    import botocore.exceptions as aws

    try:
        yield
    except aws.ClientError as error:
        raise _explained(error, doing, action) from error
    except aws.ProfileNotFound as error:
        raise ConfigError(
            f"{error}",
            code="E864",
            help="name one of `aws configure list-profiles` as `profile` in `[deploy]`",
        ) from error
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.CredentialRetrievalError) as error:
        raise ConfigError(
            f"could not {doing}: there are no AWS credentials",
            code="E864",
            help="run `aws sso login` or `aws configure`, or try it without an account: `--target emulator`",
        ) from error
    except (aws.EndpointConnectionError, aws.ConnectionError, aws.HTTPClientError) as error:
        raise StoreError(
            f"could not {doing}: {error}",
            code="E876",
            help="check the network, then run it again: it goes on",
        ) from error


def _explained(error: Any, doing: str, action: str) -> RemitError:
    code, message = code_of(error), str(error.response.get("Error", {}).get("Message", error))
    if code in _DENIED_CODES:
        found = _DENIED.search(message)
        missing = found["action"] if found else action or "the action"
        where = f" on `{found['resource']}`" if found and found["resource"] else ""
        return DeniedError(
            f"could not {doing}: AWS refuses `{missing}`{where}",
            code="E865",
            help="deploy with a role that may do it; docs/howto/deploy-to-aws.md lists what deploying needs",
        )
    if code in _EXPIRED_CODES:
        return ConfigError(
            f"could not {doing}: the AWS credentials are expired or not valid",
            code="E864",
            help="run `aws sso login`, or set new keys",
        )
    return StoreError(f"could not {doing}: {message} ({code})", code="E876", help="run it again: it goes on")
