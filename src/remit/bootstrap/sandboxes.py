"""Opening the sandbox that settings name."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from remit.core.errors import ConfigError
from remit.ports.sandbox import Sandbox, SandboxLimits
from remit.ports.secrets import Secrets
from remit.settings import SandboxSettings, Settings

if TYPE_CHECKING:
    from remit.adapters.sandbox.choosing import FirstThatHolds

E2B_KEY = "E2B_API_KEY"


def open_sandbox(settings: Settings, secrets: Secrets) -> Sandbox:
    """The sandbox, within the limits of the deployment. Raises ConfigError E880 where there is to be none."""
    from remit.adapters.sandbox.choosing import Bounded

    wanted = settings.sandbox
    return Bounded(_remote(settings, secrets) or local_sandbox(wanted), limits_of(wanted))


@functools.cache
def local_sandbox(wanted: SandboxSettings) -> FirstThatHolds:
    """The sandbox on this machine, which is examined once in a process, before anything runs in it. Raises ConfigError E880."""
    from remit.adapters.sandbox.choosing import FirstThatHolds

    def bubblewrap() -> Sandbox:
        from remit.adapters.sandbox.bubblewrap import Bubblewrap

        return Bubblewrap(packages=wanted.packages)

    def monty() -> Sandbox:
        from remit.adapters.sandbox.monty import Monty

        return Monty()

    makers = {"auto": (bubblewrap, monty), "bubblewrap": (bubblewrap,), "monty": (monty,)}
    if wanted.provider not in makers:
        raise ConfigError(
            "this deployment has no sandbox for tools",
            code="E880",
            help="set `sandbox.provider` in remit.toml",
        )
    return FirstThatHolds(*makers[wanted.provider])


def limits_of(wanted: SandboxSettings) -> SandboxLimits:
    """The most that one run of code may take."""
    return SandboxLimits(wall_s=wanted.wall_s, cpu_s=wanted.cpu_s, memory_bytes=wanted.memory_mb << 20)


def _remote(settings: Settings, secrets: Secrets) -> Sandbox | None:
    """The sandbox of a service, if one is named."""
    wanted = settings.sandbox
    if wanted.provider == "e2b":
        from remit.adapters.sandbox.e2b import E2B

        template = {"template": wanted.template} if wanted.template else {}
        return E2B(lambda: secrets.get(E2B_KEY), url=wanted.url, **template)
    if wanted.provider == "agentcore":
        from remit.adapters.sandbox.agentcore import AgentCore
        from remit.bootstrap.adapters import open_session

        identifier = {"identifier": wanted.template} if wanted.template else {}
        return AgentCore(open_session(settings), **identifier)
    return None
