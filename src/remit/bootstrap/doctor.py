"""Does everything here work, and if not, what to do: for `remit doctor` and for the server's page of settings.

Nothing leaves this machine, and no model is called.
"""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.util import find_spec

from remit.bootstrap import App, open_app
from remit.bootstrap.catalogue import unknown_delegates
from remit.bootstrap.extensions import extensions
from remit.core.errors import ConfigError, DeniedError, NotFoundError, RemitError
from remit.core.extras import how_to_install
from remit.core.finding import Finding
from remit.core.naming import LOCAL
from remit.core.redaction import Redactor
from remit.engine.kinds import ROUTE
from remit.engine.resolving import is_defined, resolve
from remit.settings import Settings

KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}
OPENAI = "//api.openai.com/"
EXTRAS = {
    "bedrock": "boto3",
    "anthropic": "anthropic",
    "postgres": "psycopg",
    "redis": "redis",
    "kafka": "aiokafka",
    "otel": "opentelemetry.sdk",
}


async def examine(settings: Settings) -> list[Finding]:
    """What is found before anything runs: the program is opened, looked at and closed again."""
    found = [python(), _home(settings), _port(settings), *_extras(settings), *extensions(settings)]
    try:
        app = open_app(settings)
    except RemitError as error:
        return [*found, broken("agents, tools, policy", error)]
    found += [_agents(app), _policy(app), *_routes(settings), *_connections(settings)]
    try:
        async with app:
            found += [*await _delegates(app), await _store(app)]
    except Exception as error:
        found.append(broken("store", error))
    found.append(await _sandbox(settings))
    return found


async def examine_running(app: App) -> list[Finding]:
    """What is found of a program that runs. Whatever is secret is left out of it."""
    settings = app.settings
    found = [python(), _home(settings), *_extras(settings), *extensions(settings)]
    found += [_agents(app), _policy(app)]
    found += [*_routes(settings), *_connections(settings)]
    try:
        found += [*await _delegates(app), await _store(app)]
    except Exception as error:
        found.append(broken("store", error))
    found.append(await _sandbox(settings))
    clean = Redactor(app.known_secrets(), ()).text
    return [Finding(f.check, f.verdict, clean(f.result), clean(f.fix)) for f in found]


def python() -> Finding:
    """Which Python this is."""
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Finding("python", "ok" if good else "bad", version, "" if good else "install Python 3.11 or newer")


def _home(settings: Settings) -> Finding:
    """Whether data can be written; nothing is left behind."""
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
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex((settings.host, settings.port)) == 0
    where = f"{settings.host}:{settings.port}"
    if taken:
        return Finding("port", "note", f"{where} is in use; perhaps by `remit up`", "remit up --port 8701")
    return Finding("port", "ok", f"{where} is free for `remit up`")


def _extras(settings: Settings) -> Iterator[Finding]:
    wanted = {r.provider for r in settings.models.values()} | {settings.model.partition(":")[0]}
    if settings.store.startswith("postgres"):
        wanted.add("postgres")
    if settings.store.startswith(("redis:", "rediss:")):
        wanted.add("redis")
    if settings.bus.startswith("kafka:"):
        wanted.add("kafka")
    if settings.otel:
        wanted.add("otel")
    for extra in sorted(wanted & EXTRAS.keys()):
        try:
            there = find_spec(EXTRAS[extra]) is not None
        except ModuleNotFoundError:
            there = False
        fix = "" if there else how_to_install(extra)
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
    return Finding("agents", "ok", f"{names}; {_plural(len(app.catalogue.tools), 'tool')}")


async def _delegates(app: App) -> list[Finding]:
    """Agents that are delegated to and that neither the code nor the registry has. Another tenant than `local` may have them."""
    found = []
    for name, agents in unknown_delegates(app.catalogue).items():
        if not await is_defined(app.registry, LOCAL, name):
            close = get_close_matches(name, app.catalogue.agents, n=1)
            said = f"`{name}`, to whom {', '.join(f'`{a}`' for a in agents)} may delegate, is not there"
            fix = (
                f"did you mean `{close[0]}`?" if close else "correct `delegates`, or define it: `remit apply`"
            )
            found.append(Finding("delegates", "note", said, fix))
    return found


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
        key = missing_key(settings, provider)
        if not key:
            yield Finding(f"model {name}", "ok", f"{provider} {model}".strip())
        else:
            yield Finding(f"model {name}", "bad", f"{provider} {model} has no key", f"export {key}=...")


def missing_key(settings: Settings, provider: str) -> str:
    """The variable that holds a provider's key and is not set; empty where nothing is missing."""
    given = {"anthropic": settings.anthropic_api_key, "openai": settings.openai_api_key}.get(provider, "set")
    return "" if given else KEYS[provider]


async def check_model(app: App, tenant_id: str, agent: str) -> None:
    """Raise ConfigError E1100 for an agent of a model whose key is not set: before a run of it begins.

    Nothing is said where somebody else may answer or hold the key: a fallback, a store of secrets, a server of one's own.
    """
    settings = app.settings
    try:
        found = await resolve(app.registry, app.catalogue, tenant_id, agent, "")
    except (NotFoundError, DeniedError):
        return  # whoever submits the task is told
    route = settings.models.get(found.spec.model)
    provider = route.provider if route else ""
    if found.spec.model == "default" and settings.model:
        route, provider = None, settings.model.partition(":")[0]
    own = settings.anthropic_base_url if provider == "anthropic" else OPENAI not in settings.openai_base_url
    elsewhere = settings.secrets_from != "env" or own or (route is not None and route.fallbacks)
    defined = any(used.kind == ROUTE for used in found.used)
    key = missing_key(settings, provider)
    if found.spec.kind == "llm" and key and not (elsewhere or defined):
        raise ConfigError(
            f"the model of agent `{found.spec.name}` has no key: {key} is not set",
            code="E1100",
            help=f"export {key}=..., or choose another model by REMIT_MODEL or in remit.toml; `remit doctor` shows all",
        )


def _connections(settings: Settings) -> Iterator[Finding]:
    """How platforms are connected; nothing is asked of them."""
    from remit.bootstrap.connections import (
        place_of,
    )  # brings cryptography, which a function of the API does without

    for name in sorted(settings.connections):
        tenant, mark, platform = name.rpartition("__")
        try:
            where = place_of(settings.connections, tenant if mark else LOCAL, platform)
        except ConfigError as error:
            yield broken(f"connection {name}", error)
            continue
        if where.auth == "token":
            fix = f"use `auth` of `connections.{name}` with a credential that ends: docs/howto/platforms.md"
            yield Finding(f"connection {name}", "note", f"{where.url} with a token that does not end", fix)
        else:
            yield Finding(f"connection {name}", "ok", f"{where.url} by {where.auth}")


async def _store(app: App) -> Finding:
    await app.store.ping()
    sizes = await app.store.sizes()
    waiting = await app.approvals.list(LOCAL, limit=1)
    megabytes = sizes.get("file", sum(sizes.values())) / 1_000_000
    asked = "; approvals wait: remit approvals list" if waiting.items else ""
    return Finding(
        "store", "ok", f"{_without_password(app.settings.store)} accepts writes, {megabytes:.1f} MB{asked}"
    )


async def _sandbox(settings: Settings) -> Finding:
    """Which sandbox holds here: hostile code is run in it."""
    from remit.bootstrap.sandboxes import local_sandbox

    provider = settings.sandbox.provider
    if provider not in ("auto", "bubblewrap", "monty"):
        return Finding("sandbox", "note" if provider == "none" else "ok", provider)
    try:
        chosen = local_sandbox(settings.sandbox)
        await chosen.choose()
    except ConfigError as error:
        return Finding("sandbox", "note", error.message, error.help)
    count = chosen.report.probes if chosen.report else 0
    return Finding("sandbox", "ok", f"{chosen.name} held {_plural(count, 'hostile probe')}")


def broken(check: str, error: Exception) -> Finding:
    """What an error says, as a finding."""
    if isinstance(error, RemitError):
        return Finding(check, "bad", error.message, error.help)
    return Finding(check, "bad", f"{type(error).__name__}: {error}", f"check the settings of the {check}")


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://…@{rest.rpartition('@')[2]}" if "@" in rest else url


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
