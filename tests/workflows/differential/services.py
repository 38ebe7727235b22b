"""Where the other engines are: skipped on a user's machine that has none, required in CI."""

from __future__ import annotations

import os

import pytest


def emulator_url() -> str:
    return _found("REMIT_TEST_MINISTACK", 'no AWS emulator: eval "$(scripts/ci/ministack.sh)"')


def moto_python() -> str:
    """The Python of the venv that has moto."""
    return _found("REMIT_TEST_MOTO", 'no moto: eval "$(scripts/ci/moto.sh)"')


def _found(name: str, reason: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return value
