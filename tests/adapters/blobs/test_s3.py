"""Blobs in S3, on an emulator over real sockets; `eval "$(scripts/ci/ministack.sh)"` starts it."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from tests.adapters.emulator import REGION, FailingAws, clients, credentials

from remit.adapters.aws.session import Session
from remit.adapters.blobs.s3 import S3Blobs
from remit.core.errors import ConfigError, RemitError, StoreError
from remit.ports.blobs import Blobs
from remit.testing.contracts.blobs import ABSENT, BlobsContract

__all__ = ["clients"]

service = pytest.mark.service


@pytest.fixture
def bucket(clients: Session) -> str:
    name = f"remit-{secrets.token_hex(6)}"
    clients("s3").create_bucket(Bucket=name)
    return name


@service
class TestS3Blobs(BlobsContract):
    """The contract on S3."""

    @pytest.fixture
    def blobs(self, clients: Session, bucket: str) -> Blobs:
        return S3Blobs(clients, bucket, "blobs/")

    @pytest.fixture
    def overwrite(self, clients: Session, bucket: str) -> Callable[[str, bytes], None]:
        def change(name: str, data: bytes) -> None:
            name = name.removeprefix("sha256:")
            clients("s3").put_object(Bucket=bucket, Key=f"blobs/{name[:2]}/{name}", Body=data)

        return change


@service
async def test_a_blob_is_encrypted(clients: Session, bucket: str) -> None:
    """As is the default of the bucket, or with the KMS key that was given."""
    clients("s3").put_bucket_encryption(
        Bucket=bucket,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    )
    await S3Blobs(clients, bucket).put(b"plain")
    key = clients("kms").create_key()["KeyMetadata"]["KeyId"]
    await S3Blobs(clients, bucket, "k", kms_key=key).put(b"keyed")
    s3 = clients("s3")
    heads = [
        s3.head_object(Bucket=bucket, Key=found["Key"])
        for found in s3.list_objects_v2(Bucket=bucket)["Contents"]
    ]
    assert {head["ServerSideEncryption"] for head in heads} == {"AES256", "aws:kms"}
    assert {head.get("SSEKMSKeyId", key) for head in heads} == {key}


@service
async def test_a_bucket_that_is_not_there_is_named(clients: Session) -> None:
    """The bucket and what makes it, not a missing blob."""
    blobs = S3Blobs(clients, "remit-no-such-bucket")
    for verb in (blobs.put(b"x"), blobs.get(ABSENT)):
        with pytest.raises(ConfigError, match="`remit-no-such-bucket` does not exist") as raised:
            await verb
        assert raised.value.code == "E656"
        assert "remit deploy apply" in raised.value.help


@pytest.mark.parametrize(
    ("answer", "kind", "code", "said"),
    [
        (
            (403, "AccessDenied"),
            ConfigError,
            "E657",
            r"refuses `s3:PutObject` on bucket `b-one` \(AccessDenied\)",
        ),
        ((503, "SlowDown"), StoreError, "E658", "limits the rate"),
        ((500, "InternalError"), StoreError, "E658", "failed"),
        ((409, "ConditionalRequestConflict"), StoreError, "E658", "failed"),
        ("hang up", StoreError, "E658", "failed"),
    ],
)
async def test_what_s3_refuses_is_told(
    monkeypatch: pytest.MonkeyPatch,
    answer: tuple[int, str] | str,
    kind: type[RemitError],
    code: str,
    said: str,
) -> None:
    """By the action, the bucket and S3's own code; a blob is never said to be stored when it may not be."""
    pytest.importorskip("boto3")
    credentials(monkeypatch)
    with FailingAws(answer) as server:
        session = Session(region=REGION, endpoint_url=server.url)
        with pytest.raises(kind, match=said) as raised:
            await S3Blobs(lambda service: session(service, attempts=1), "b-one").put(b"x")
    assert raised.value.code == code


async def test_somebody_else_who_puts_the_same_blob_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A conflict with another writer is put again, until the blob is there."""
    pytest.importorskip("boto3")
    credentials(monkeypatch)
    with FailingAws(
        (409, "ConditionalRequestConflict"), (409, "ConditionalRequestConflict"), (412, "PreconditionFailed")
    ) as server:
        await S3Blobs(Session(region=REGION, endpoint_url=server.url), "b-one").put(b"x")
        assert len(server.requests) == 3
