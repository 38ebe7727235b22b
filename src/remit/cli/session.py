"""Opening the program for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.task import Actor
    from remit.settings import Settings

T = TypeVar("T")


def settings_for(
    *, home: str = "", app: str = "", packs: Sequence[str] = (), fault: str = "", lease_s: float = 0
) -> Settings:
    """The settings of the environment and `remit.toml`, with what was given on the command line on top."""
    from msgspec.structs import replace

    from remit.settings import load

    settings = load(home=home, app=app)
    return replace(
        settings,
        packs=tuple(packs) or settings.packs,
        fault=fault or settings.fault,
        lease_ttl_s=lease_s or settings.lease_ttl_s,
    )


@asynccontextmanager
async def opened(*, home: str = "", app: str = "", packs: Sequence[str] = ()) -> AsyncIterator[App]:
    """The program, opened and closed again."""
    async with started(settings_for(home=home, app=app, packs=packs)) as program:
        yield program


@asynccontextmanager
async def started(settings: Settings) -> AsyncIterator[App]:
    """The program that the settings describe, opened and closed again, with its logs on."""
    from remit.bootstrap import open_app

    logging_on(settings)
    program = open_app(settings)
    logging_on(settings, program.known_secrets)
    async with program:
        yield program


def run_async(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run one command's work."""
    import asyncio

    return asyncio.run(coroutine)


def with_app(
    work: Callable[[App], Coroutine[Any, Any, T]], *, home: str = "", app: str = "", packs: Sequence[str] = ()
) -> T:
    """Open the program, do `work` with it, close it."""

    async def go() -> T:
        async with opened(home=home, app=app, packs=packs) as program:
            return await work(program)

    return run_async(go())


def person(name: str, roles: Sequence[str]) -> Actor:
    """Somebody at this terminal."""
    from remit.core.task import Actor

    return Actor(name, tuple(roles), "cli")


def logging_on(settings: Settings, known: Callable[[], Sequence[str]] | None = None) -> None:
    """Log to stderr: JSON lines when REMIT_LOG_JSON=1, secrets always left out: those in the settings, or all `known`."""
    from remit.adapters.telemetry import logs

    own = tuple(settings.secrets.values())
    logs.configure(settings.log_level, as_json=settings.log_json, known=known or (lambda: own))
