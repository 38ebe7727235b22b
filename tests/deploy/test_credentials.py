"""Whoever has no credentials, or those of another account, is told at once: before anything is built, and nothing is changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from remit.cli.main import execute

ALL = (
    ("apply", "--yes"),
    ("plan",),
    ("destroy", "--name", "shop-dev"),
    ("promote", "--to", "stage", "--yes"),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project on a machine that has no credentials; building anything of it would be told as another error."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "REMIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / "remit.toml").write_text(
        'app = "missing.py"\n[deploy]\nproject = "shop"\naccount = "123456789012"\nregion = "us-east-1"\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """How a command ends, and what it says on stderr."""
    code = execute(["deploy", *words])
    said = capsys.readouterr()
    assert said.out == ""
    return code, said.err


@pytest.mark.parametrize("words", ALL, ids=lambda words: words[0])
def test_without_credentials_nothing_is_built(
    project: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """The error says what to do; the bundle and the template are not begun."""
    code, said = told(capsys, *words)
    assert code == 3
    assert "error[E864]: could not ask AWS who you are: there are no AWS credentials" in said
    assert "aws sso login" in said
    assert not (project / ".remit").exists()


@pytest.mark.service
@pytest.mark.parametrize("words", ALL, ids=lambda words: words[0])
def test_the_account_of_somebody_else_is_refused(
    endpoint: str,
    project: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
) -> None:
    """Credentials that work, for another account than the configured one: nothing is built, and both are named."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    code, said = told(capsys, *words)
    assert code == 3
    assert "error[E864]: these are credentials of account `000000000000`" in said
    assert "belongs into `123456789012`" in said
    assert not (project / ".remit").exists()


def test_a_plan_for_no_account_asks_nobody(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--offline` goes straight to building, and stumbles over what is missing there."""
    code, said = told(capsys, "plan", "--offline")
    assert code == 3
    assert "E864" not in said
    assert "missing.py" in said
