"""An archive in S3, on an emulator over real sockets; `eval "$(scripts/ci/ministack.sh)"` starts it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.adapters.emulator import clients

from remit.adapters.archive.s3 import S3Archive
from remit.adapters.aws.session import Session
from remit.core.errors import ConfigError, StoreError
from remit.ports.archive import Archive
from remit.testing.clock import START_MS, FakeClock
from remit.testing.contracts.archive import RUN, ArchiveContract, entries

__all__ = ["clients"]

pytestmark = pytest.mark.service
KEY = f"audit/runs/acme/{RUN}/0000000000-0000000002.jsonl"


@pytest.fixture
def bucket(clients: Session) -> str:
    name = f"remit-{secrets.token_hex(6)}"
    clients("s3").create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def archive_in(clients: Session, bucket: str) -> S3Archive:
    return S3Archive(clients, FakeClock(), bucket, "audit", lock="COMPLIANCE", days=10)


class TestS3Archive(ArchiveContract):
    """The contract on S3."""

    @pytest.fixture
    def archive(self, clients: Session, bucket: str) -> Archive:
        return archive_in(clients, bucket)

    @pytest.fixture
    def forge(self, clients: Session, bucket: str) -> Callable[[str, bytes], None]:
        def write(name: str, data: bytes) -> None:
            clients("s3").put_object(Bucket=bucket, Key=f"audit/{name}", Body=data)

        return write


async def test_what_is_kept_is_locked(clients: Session, bucket: str) -> None:
    """Nobody can remove it before its time, by the clock of whoever wrote it."""
    await archive_in(clients, bucket).put("acme", RUN, entries(3))
    s3 = clients("s3")
    head = s3.head_object(Bucket=bucket, Key=KEY)
    assert head["ObjectLockMode"] == "COMPLIANCE"
    kept_for = head["ObjectLockRetainUntilDate"] - datetime.fromtimestamp(START_MS / 1000, UTC)
    assert kept_for.days == 10
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key=KEY, VersionId=head["VersionId"])
    assert await archive_in(clients, bucket).read("acme", RUN) == entries(3)


async def test_a_deletion_hides_nothing(clients: Session, bucket: str) -> None:
    """A mark of deletion leaves the versions, and they are read."""
    archive = archive_in(clients, bucket)
    await archive.put("acme", RUN, entries(3))
    clients("s3").delete_object(Bucket=bucket, Key=KEY)
    assert await archive.read("acme", RUN) == entries(3)
    await archive.put("acme", RUN, entries(3))
    assert await archive.read("acme", RUN) == entries(3)


async def test_a_later_version_hides_nothing(clients: Session, bucket: str) -> None:
    """Somebody who writes over an object adds to what is read, and changes none of it."""
    archive = archive_in(clients, bucket)
    await archive.put("acme", RUN, entries(3))
    await archive_in(clients, bucket).put("acme", "forged", entries(3, text="changed"))
    forged = clients("s3").get_object(Bucket=bucket, Key=KEY.replace(RUN, "forged"))["Body"].read()
    clients("s3").put_object(Bucket=bucket, Key=KEY, Body=forged)
    assert [e.seq for e in await archive.read("acme", RUN)] == [0, 0, 1, 1, 2, 2]
    with pytest.raises(StoreError):
        await archive.put("acme", RUN, entries(3))


async def test_many_objects_are_read(clients: Session, bucket: str) -> None:
    """More than one page of them."""
    archive = archive_in(clients, bucket)
    s3 = clients("s3")
    for seq in range(3):
        await archive.put("acme", RUN, entries(3)[seq : seq + 1])

    class SmallPages:
        """The client, with pages of one object."""

        def list_object_versions(self, **given: object) -> object:
            return s3.list_object_versions(MaxKeys=1, **given)

        get_object = s3.get_object

    paged = S3Archive(lambda _: SmallPages(), FakeClock(), bucket, "audit")
    assert await paged.read("acme", RUN) == entries(3)


async def test_a_bucket_that_is_not_there_is_named(clients: Session) -> None:
    """The bucket and what makes it."""
    archive = S3Archive(clients, FakeClock(), "remit-no-such-bucket")
    for verb in (archive.put("acme", RUN, entries(1)), archive.read("acme", RUN)):
        with pytest.raises(ConfigError, match="`remit-no-such-bucket` does not exist") as raised:
            await verb
        assert raised.value.code == "E656"
