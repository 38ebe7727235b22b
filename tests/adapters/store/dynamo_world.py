"""The DynamoDBs to test with: the AWS emulator and DynamoDB Local, each under a table prefix of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from remit.adapters.aws.session import Session
from remit.adapters.store.dynamodb import DynamoStore
from remit.ports.blobs import Blobs
from remit.ports.clock import Clock

URLS = {
    "ministack": os.environ.get("REMIT_TEST_MINISTACK", ""),
    "local": os.environ.get("REMIT_TEST_DYNAMODB", ""),
}
HOW = {
    "ministack": 'no AWS emulator: eval "$(scripts/ci/ministack.sh)"',
    "local": 'no DynamoDB Local: eval "$(scripts/ci/dynamodb_local.sh)"',
}
BOTH = [pytest.param(name, marks=pytest.mark.service) for name in URLS]


def url_of(name: str) -> str:
    """The address of a DynamoDB; the test is skipped where it is not started, and fails in CI."""
    if not URLS[name]:
        if os.environ.get("CI") == "true":
            pytest.fail(HOW[name])
        pytest.skip(HOW[name])
    pytest.importorskip("boto3")
    return URLS[name]


@functools.cache
def session(url: str) -> Session:
    """Clients of the DynamoDB at this address."""
    made = Session(region="us-east-1", endpoint_url=url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "000000000000")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        made("dynamodb")  # looks for credentials once, and keeps them
    return made


def drop(clients: Session, prefix: str) -> None:
    """Remove the tables of a deployment."""
    client = clients("dynamodb")
    for page in client.get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            if name.startswith(f"{prefix}-"):
                client.delete_table(TableName=name)


@contextlib.asynccontextmanager
async def opened(
    clock: Clock, url: str, *, blobs: Blobs | None = None, **more: Any
) -> AsyncIterator[DynamoStore]:
    """An open store in tables of its own, which are gone afterwards."""
    prefix = f"t{secrets.token_hex(6)}"
    clients = session(url)
    store = DynamoStore(clock, clients, prefix=prefix, blobs=blobs, **more)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
        drop(clients, prefix)
