"""`remit doctor`: does everything here work, and if not, what to do."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import typer

from remit.cli import options as o
from remit.cli.console import document, paint, say, show
from remit.cli.session import run_async, settings_for
from remit.cli.text import plural

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.settings import Settings

Verdict = Literal["ok", "note", "bad"]
MARKS = {"ok": ("✓", "good"), "note": ("·", "warn"), "bad": ("✗", "bad")}
KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
EXTRAS = {"bedrock": "boto3", "anthropic": "anthropic", "postgres": "psycopg", "otel": "opentelemetry.sdk"}
CONFIG = 3


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and the command that mends it."""

    check: str
    verdict: Verdict
    result: str
    fix: str = ""


def doctor(
    app: o.AppFile = "",
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Check this installation.

    Each line says what was checked, how it is, and what to do. Exit 3 when something is broken.
    Nothing leaves this machine, and no model is called.
    """
    findings = run_async(_examine(app, home))
    if as_json:
        document(findings)
    else:
        width = max(len(f.check) for f in findings)
        for f in findings:
            mark, style = MARKS[f.verdict]
            show(f"{paint(mark, style)} {f.check.ljust(width)}  {f.result}")
            if f.fix:
                show(f"  {' ' * width}  {paint('fix', 'name')}: {f.fix}")
    broken = sum(f.verdict == "bad" for f in findings)
    if broken:
        say(f"{plural(broken, 'problem')}")
        raise typer.Exit(CONFIG)


async def _examine(app: str, home: str) -> list[Finding]:
    from remit.core.errors import RemitError

    found = [_python()]
    try:
        settings = settings_for(home=home, app=app)
    except RemitError as error:
        return [*found, _bad("settings", error)]
    found += [_home(settings), _port(settings), *_extras(settings)]
    try:
        from remit.bootstrap import open_app

        program = open_app(settings)
    except RemitError as error:
        return [*found, _bad("agents, tools, policy", error)]
    found += [_agents(program), _policy(program), *_routes(settings), *_connections(settings)]
    found.append(await _guarded("store", program, _store))
    found.append(await _sandbox(settings))
    return found


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Finding("python", "ok" if good else "bad", version, "" if good else "install Python 3.11 or newer")


def _home(settings: Settings) -> Finding:
    """Whether data can be written; nothing is left behind."""
    import tempfile

    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.home):
            pass
    except OSError as error:
        return Finding(
            "data folder",
            "bad",
            f"{settings.home}: {error.strerror}",
            "REMIT_HOME=DIR with a folder you may write",
        )
    return Finding("data folder", "ok", f"{settings.home} can be written")


def _port(settings: Settings) -> Finding:
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex((settings.host, settings.port)) == 0
    where = f"{settings.host}:{settings.port}"
    if taken:
        return Finding("port", "note", f"{where} is in use; perhaps by `remit up`", "remit up --port 8701")
    return Finding("port", "ok", f"{where} is free for `remit up`")


def _extras(settings: Settings) -> Iterator[Finding]:
    from importlib.util import find_spec

    wanted = {r.provider for r in settings.models.values()} | {settings.model.partition(":")[0]}
    if settings.store.startswith("postgres"):
        wanted.add("postgres")
    if settings.otel:
        wanted.add("otel")
    for extra in sorted(wanted & EXTRAS.keys()):
        try:
            there = find_spec(EXTRAS[extra]) is not None
        except ModuleNotFoundError:
            there = False
        fix = "" if there else f"pip install 'remit[{extra}]'"
        yield Finding(
            f"extra {extra}",
            "ok" if there else "bad",
            "installed" if there else f"`{EXTRAS[extra]}` is missing",
            fix,
        )


def _agents(app: App) -> Finding:
    names = ", ".join(sorted(app.catalogue.agents))
    if not names:
        return Finding("agents", "note", "none found", "remit init my-agents && cd my-agents")
    return Finding("agents", "ok", f"{names}; {plural(len(app.catalogue.tools), 'tool')}")


def _policy(app: App) -> Finding:
    return Finding("policy", "ok", f"profiles {', '.join(sorted(app.policy.profiles()))} are valid")


def _routes(settings: Settings) -> Iterator[Finding]:
    """Model routes and whether their credentials are set; no model is called."""
    routes = {name: (r.provider, r.model) for name, r in settings.models.items()}
    if settings.model:
        provider, _, model = settings.model.partition(":")
        routes["default"] = (provider, model)
    if "default" not in routes:
        yield Finding(
            "model default",
            "note",
            "offline rules, no language model",
            "REMIT_MODEL=anthropic:MODEL-ID, or [models.default] in remit.toml",
        )
    for name, (provider, model) in sorted(routes.items()):
        key = KEYS.get(provider, "")
        there = {
            "ANTHROPIC_API_KEY": settings.anthropic_api_key,
            "OPENAI_API_KEY": settings.openai_api_key,
        }.get(key, "set")
        if there:
            yield Finding(f"model {name}", "ok", f"{provider} {model}".strip())
        else:
            yield Finding(f"model {name}", "bad", f"{provider} {model} has no key", f"export {key}=...")


def _connections(settings: Settings) -> Iterator[Finding]:
    """How platforms are connected; nothing is asked of them."""
    from remit.bootstrap.connections import place_of
    from remit.core.errors import ConfigError
    from remit.core.naming import LOCAL

    for name in sorted(settings.connections):
        tenant, mark, platform = name.rpartition("__")
        try:
            where = place_of(settings.connections, tenant if mark else LOCAL, platform)
        except ConfigError as error:
            yield _bad(f"connection {name}", error)
            continue
        if where.auth == "token":
            fix = f"use `auth` of `connections.{name}` with a credential that ends: docs/howto/platforms.md"
            yield Finding(f"connection {name}", "note", f"{where.url} with a token that does not end", fix)
        else:
            yield Finding(f"connection {name}", "ok", f"{where.url} by {where.auth}")


async def _store(app: App) -> Finding:
    async with app:
        await app.store.ping()
        sizes = await app.store.sizes()
        waiting = await app.approvals.list(o.TENANT, limit=1)
    megabytes = sizes.get("file", sum(sizes.values())) / 1_000_000
    asked = "; approvals wait: remit approvals list" if waiting.items else ""
    return Finding(
        "store", "ok", f"{_without_password(app.settings.store)} accepts writes, {megabytes:.1f} MB{asked}"
    )


async def _sandbox(settings: Settings) -> Finding:
    """Which sandbox holds here: hostile code is run in it."""
    from remit.bootstrap.sandboxes import local_sandbox
    from remit.core.errors import ConfigError

    provider = settings.sandbox.provider
    if provider not in ("auto", "bubblewrap", "monty"):
        return Finding("sandbox", "note" if provider == "none" else "ok", provider)
    try:
        chosen = local_sandbox(settings.sandbox)
        await chosen.choose()
    except ConfigError as error:
        return Finding("sandbox", "note", error.message, error.help)
    count = chosen.report.probes if chosen.report else 0
    return Finding("sandbox", "ok", f"{chosen.name} held {plural(count, 'hostile probe')}")


async def _guarded(check: str, app: App, look: Callable[[App], Awaitable[Finding]]) -> Finding:
    from remit.core.errors import RemitError

    try:
        return await look(app)
    except RemitError as error:
        return _bad(check, error)
    except Exception as error:
        return Finding(check, "bad", f"{type(error).__name__}: {error}", "check REMIT_STORE")


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url


def _bad(check: str, error: Exception) -> Finding:
    return Finding(check, "bad", getattr(error, "message", str(error)), getattr(error, "help", ""))
