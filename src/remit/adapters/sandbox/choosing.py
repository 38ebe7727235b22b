"""The sandbox of a deployment: the first of some that holds where this process runs, and never none at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from remit.adapters.sandbox.selftest import Report, examine
from remit.core.errors import ConfigError
from remit.ports.sandbox import Outcome, Sandbox, SandboxFile, SandboxLimits


class FirstThatHolds:
    """`ports.sandbox.Sandbox`: examines sandboxes in order when code is first to run, and keeps to the first one that holds."""

    def __init__(self, *makers: Callable[[], Sandbox]) -> None:
        """`makers` open one each, or raise ConfigError where it cannot be had."""
        self._makers = makers
        self._chosen: Sandbox | None = None
        self.report: Report | None = None

    @property
    def name(self) -> str:
        """The one chosen; before that, that none is."""
        return self._chosen.name if self._chosen else "not chosen yet"

    async def run(
        self, code: str, *, files: Sequence[SandboxFile] = (), limits: SandboxLimits = SandboxLimits()
    ) -> Outcome:
        """Run Python in the one that holds. Raises ConfigError E910 when none does: then nothing is run anywhere."""
        return await (await self.choose()).run(code, files=files, limits=limits)

    async def choose(self) -> Sandbox:
        """The one that holds. Raises ConfigError E910 with what is wrong with each, and what to install."""
        if self._chosen is None:
            self._chosen, self.report = await self._first()
        return self._chosen

    async def _first(self) -> tuple[Sandbox, Report]:
        wrong, helps = [], []
        for make in self._makers:
            try:
                sandbox = make()
            except ConfigError as error:
                wrong.append(error.message)
                helps.append(error.help)
                continue
            report = await examine(sandbox)
            if report.holds:
                return sandbox, report
            wrong.append(f"{sandbox.name} does not hold here ({report.failures[0]})")
        raise ConfigError(
            f"no code can be run safely here: {'; '.join(wrong)}",
            code="E910",
            help=" or ".join(dict.fromkeys(filter(None, helps)))
            or "set `sandbox.provider` to `e2b` or `agentcore`",
        )


class Bounded:
    """`ports.sandbox.Sandbox` with the limits of a deployment, which a call may lower and not raise."""

    def __init__(self, sandbox: Sandbox, most: SandboxLimits) -> None:
        self._sandbox = sandbox
        self._most = most

    @property
    def name(self) -> str:
        """The one behind."""
        return self._sandbox.name

    async def run(
        self, code: str, *, files: Sequence[SandboxFile] = (), limits: SandboxLimits | None = None
    ) -> Outcome:
        """Run Python within both limits."""
        asked = limits or self._most
        lower = {
            name: min(getattr(asked, name), getattr(self._most, name)) for name in asked.__struct_fields__
        }
        return await self._sandbox.run(code, files=files, limits=replace(asked, **lower))
