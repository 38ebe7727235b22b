"""Puts the fault library and the shared fake bank on the path, and says which stores are tested."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.bootstrap.adapters import shared_session

HERE = Path(__file__).resolve().parent
for place in (HERE, HERE.parents[1]):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

POSTGRES = os.environ.get("REMIT_TEST_POSTGRES", "")
DYNAMODB = os.environ.get("REMIT_TEST_MINISTACK", "")
REDIS = os.environ.get("REMIT_TEST_REDIS", "")
FEW = ("dynamodb", "redis")
LONG = ("random", "transition")
MANY = (*LONG, "every_named_point", "stopped_past_its_lease", "race_for_one_run")
LONG_ON = {"redis": ("test_bus.py",), "dynamodb": ("test_bus.py",)}
NIGHT_S = 3600
"""The limit of a test by night. Its long size on an emulator, on a machine that is busy, is no test that hangs."""
ACCOUNT = f"{secrets.randbelow(10**12):012d}"
"""An account of the emulator for this process and those that it kills."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On stores of `FEW` one case of each test runs on every commit, and all by night: what is killed is the same everywhere.

    Cases of `MANY` tests are shared out among SQLite and PostgreSQL, each on one of them.
    """
    ours = [item for item in items if HERE in item.path.parents]
    if config.getoption("--nightly"):
        for item in ours:
            item.add_marker(pytest.mark.timeout(NIGHT_S))
        return
    _share_out([item for item in ours if any(word in item.nodeid for word in MANY)])
    cases: dict[tuple[str, str], list[pytest.Item]] = {}
    for item in ours:
        if _store(item) in FEW:
            cases.setdefault((_store(item), item.nodeid.partition("[")[0]), []).append(item)
    for some in cases.values():
        chosen = some[len(some) // 2]
        for item in some:
            long = any(word in item.nodeid for word in (*LONG, *LONG_ON.get(_store(item), ())))
            if item is not chosen or long:
                item.add_marker(pytest.mark.skip(reason="long; run it with --nightly"))


def _share_out(items: list[pytest.Item]) -> None:
    """By turns, and the other way round on PostgreSQL; a test of one case runs on both."""
    cases: dict[tuple[str, str], list[pytest.Item]] = {}
    for item in items:
        if _store(item) in ("sqlite", "postgres"):
            cases.setdefault((_store(item), item.nodeid.partition("[")[0]), []).append(item)
    for (store, _), some in cases.items():
        for item in some[store == "sqlite" :: 2] if len(some) > 1 else ():
            item.add_marker(pytest.mark.skip(reason="it runs on the other store; on both with --nightly"))


def _store(item: pytest.Item) -> str:
    params = getattr(getattr(item, "callspec", None), "params", {})
    return str(params.get("store_url", ""))


def _make_tables() -> None:
    """The tables that a deployment would bring."""

    from faultlib.program import opened

    async def make() -> None:
        async with opened("dynamodb://faults", "http://127.0.0.1:9"):
            pass

    asyncio.run(make())


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param(
            "postgres",
            marks=[
                pytest.mark.service,
                pytest.mark.skipif(
                    not POSTGRES, reason="REMIT_TEST_POSTGRES names no PostgreSQL to test with"
                ),
            ],
        ),
        pytest.param(
            "dynamodb",
            marks=[
                pytest.mark.service,
                pytest.mark.skipif(not DYNAMODB, reason="REMIT_TEST_MINISTACK names no AWS to test with"),
            ],
        ),
        pytest.param(
            "redis",
            marks=[
                pytest.mark.service,
                pytest.mark.skipif(not REDIS, reason="REMIT_TEST_REDIS names no Redis to test with"),
            ],
        ),
    ],
)
def store_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a store that is tested."""
    if request.param == "postgres":
        yield POSTGRES
    elif request.param == "dynamodb":
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", ACCOUNT)
            patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
            patch.setenv("AWS_ENDPOINT_URL", DYNAMODB)
            shared_session.cache_clear()  # other tests of this process have other credentials
            _make_tables()
            yield "dynamodb://faults?create=no"
    elif request.param == "redis":
        yield f"{REDIS}?prefix=faults-{secrets.token_hex(5)}"
    else:
        yield f"sqlite:///{tmp_path_factory.mktemp('store')}/remit.db"
