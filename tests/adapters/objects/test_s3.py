"""Objects in S3, on an emulator over real sockets.

Start the emulator with `eval "$(scripts/ci/ministack.sh)"`.
"""

from __future__ import annotations

import os
import secrets
from typing import Any

import pytest

from remit.adapters.objects.s3 import S3ObjectStore
from remit.core.errors import DeniedError, StoreError
from remit.ports.objects import Objects
from remit.testing.contracts.objects import ObjectsContract

URL = os.environ.get("REMIT_TEST_MINISTACK", "")
service = pytest.mark.service


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the emulator, in an account of its own."""
    if not URL:
        reason = 'no AWS emulator: eval "$(scripts/ci/ministack.sh)"'
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    boto3 = pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"{secrets.randbelow(10**12):012d}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    return boto3.Session().client("s3", endpoint_url=URL, region_name="us-east-1")


@service
class TestS3Objects(ObjectsContract):
    """The contract on S3."""

    @pytest.fixture
    def objects(self, client: Any) -> Objects:
        del client
        return S3ObjectStore(region="us-east-1", endpoint_url=URL, tenants=frozenset({"local"})).of("local")

    @pytest.fixture
    def bucket(self, client: Any) -> str:
        name = f"remit-{secrets.token_hex(6)}"
        client.create_bucket(Bucket=name)
        return name


async def test_a_tenant_needs_leave_for_the_account() -> None:
    """Any other than those that are named is refused by every verb, before anything is sent."""
    objects = S3ObjectStore(
        region="us-east-1", endpoint_url="http://127.0.0.1:9", tenants=frozenset({"acme"})
    ).of("other")
    for verb in (objects.get("a-bucket", "k"), objects.put("a-bucket", "k", b""), objects.list("a-bucket")):
        with pytest.raises(DeniedError, match="`other`") as raised:
            await verb
        assert raised.value.code == "E692"
    with pytest.raises(DeniedError):
        _ = [piece async for piece in objects.stream("a-bucket", "k")]
    with pytest.raises(DeniedError):
        await objects.rows("a-bucket", "k")


async def test_an_s3_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that nobody takes is a failure of the store, E693."""
    pytest.importorskip("boto3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    store = S3ObjectStore(region="us-east-1", endpoint_url="http://127.0.0.1:9", tenants=frozenset({"local"}))
    with pytest.raises(StoreError) as raised:
        await store.of("local").get("a-bucket", "k")
    assert raised.value.code == "E693"
