"""The sandbox of a deployment is one that held when it was examined, or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from remit.adapters.sandbox.choosing import Bounded, FirstThatHolds
from remit.adapters.sandbox.selftest import examine
from remit.bootstrap.sandboxes import open_sandbox
from remit.core.errors import ConfigError, ToolError
from remit.ports.sandbox import Outcome, Sandbox, SandboxFile, SandboxLimits
from remit.settings import SandboxSettings, Settings


class Stub:
    """A sandbox that answers what it is told to, and counts."""

    def __init__(self, name: str, *answers: Outcome | Exception) -> None:
        self.name = name
        self.answers = answers
        self.codes: list[str] = []
        self.limits = SandboxLimits()

    async def run(
        self, code: str, *, files: Sequence[SandboxFile] = (), limits: SandboxLimits = SandboxLimits()
    ) -> Outcome:
        """The answer for this kind of code."""
        self.codes.append(code)
        self.limits = limits
        answer = self.answers[min(len(self.codes), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


HELD = Outcome("ok", "held\n")
HOLDS = (
    HELD,
    HELD,
    Outcome("timeout", "held\n"),
    Outcome("memory", "held\n"),
    Outcome("stopped", "held\n"),
    HELD,
)


def missing() -> Sandbox:
    """One that is not installed."""
    raise ConfigError("it is not here", code="E910", help="install it")


async def test_the_first_that_holds_is_kept() -> None:
    """It is examined once, before anything else runs in it."""
    good = Stub("good", *HOLDS)
    bad = Stub("bad", Outcome("ok", "a file,a port\n"))
    chosen = FirstThatHolds(missing, lambda: bad, lambda: good)
    await chosen.run("my code")
    await chosen.run("my code")
    assert chosen.name == "good"
    assert (good.codes[-2:], len(good.codes)) == (["my code"] * 2, 8)
    assert "my code" not in bad.codes


async def test_where_none_holds_nothing_runs() -> None:
    """And the error says of each what is wrong, and what would help."""
    bad = Stub("bad", HELD, Outcome("ok", "a secret\n"))
    with pytest.raises(ConfigError) as raised:
        await FirstThatHolds(missing, lambda: bad).run("my code")
    assert raised.value.code == "E910"
    assert "it is not here" in raised.value.message
    assert "bad does not hold here" in raised.value.message
    assert raised.value.help == "install it"
    assert "my code" not in bad.codes


@pytest.mark.parametrize(
    "answers",
    [
        (HELD,),  # a loop must not end well
        (Outcome("ok", ""),),
        (*HOLDS[:4], Outcome("stopped", "held\n" + "x" * 10_000), HELD),
        (*HOLDS[:5], Outcome("ok", "held\n", files=(SandboxFile("f", bytes(2 << 20)),))),
        (ToolError("it cannot be started"),),
    ],
    ids=["no limits", "silence", "much output", "large files", "no start"],
)
async def test_a_sandbox_that_fails_a_probe_does_not_hold(answers: tuple[Outcome | Exception, ...]) -> None:
    """Whichever of them it is."""
    assert not (await examine(Stub("bad", *answers))).holds


async def test_a_call_may_lower_limits_and_not_raise_them() -> None:
    """Without any, those of the deployment hold."""
    inner = Stub("inner", HELD)
    bounded = Bounded(inner, SandboxLimits(wall_s=5.0, memory_bytes=100))
    await bounded.run("1")
    assert (inner.limits.wall_s, inner.limits.memory_bytes) == (5.0, 100)
    await bounded.run("1", limits=SandboxLimits(wall_s=1.0, memory_bytes=1_000))
    assert (inner.limits.wall_s, inner.limits.memory_bytes) == (1.0, 100)


def test_a_deployment_may_have_none(tmp_path: Path) -> None:
    """The error names the setting."""
    settings = Settings(home=tmp_path, store="memory:", sandbox=SandboxSettings(provider="none"))
    with pytest.raises(ConfigError) as raised:
        open_sandbox(settings, secrets=None)  # type: ignore[arg-type]
    assert raised.value.code == "E880"
    assert "sandbox.provider" in raised.value.help
