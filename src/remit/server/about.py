"""What this Remit is made of: its version, the adapters in use, packs and extras. Addresses and passwords are no part of it."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, metadata, version

from fastapi import APIRouter
from fastapi.responses import Response
from msgspec import Struct

from remit import __version__
from remit.bootstrap import App
from remit.server.auth import READ, TheApp
from remit.server.schemas import operation, reply

router = APIRouter(prefix="/api/v1/about", tags=["settings"])


class Extra(Struct, frozen=True):
    """An extra of the package, and what of it is not installed."""

    name: str
    missing: list[str]


class About(Struct, frozen=True):
    """What runs here. `adapters` says by port which one is in use; `models` says the provider of each route."""

    version: str
    python: str
    adapters: dict[str, str]
    models: dict[str, str]
    packs: list[str]
    extras: list[Extra]


COMPONENTS = (About,)
"""Types that OpenAPI names."""


@router.get(
    "",
    operation_id="about",
    summary="What runs here",
    **operation(READ, {200: (About, "Version, adapters, packs and extras.")}),
)
async def about(app: TheApp) -> Response:
    """What this Remit is made of."""
    return reply(
        About(
            version=__version__,
            python=platform.python_version(),
            adapters=_adapters(app),
            models=_models(app),
            packs=sorted(pack.name for pack in app.packs),
            extras=list(_extras()),
        )
    )


def _adapters(app: App) -> dict[str, str]:
    settings = app.settings
    return {
        "store": _scheme(settings.store),
        "blobs": _scheme(settings.blobs) or "files",
        "archive": _scheme(settings.archive) or "files",
        "bus": settings.bus,
        "engine": settings.engine,
        "secrets": settings.secrets_from,
        "policy": "cedar",
        "vectors": _scheme(settings.documents.vectors),
        "embeddings": _scheme(settings.documents.embeddings),
        "sandbox": settings.sandbox.provider,
        "web": settings.web.search,
        "telemetry": ", ".join(
            ["prometheus", *(["otel"] if settings.otel else []), *(["emf"] if settings.emf else [])]
        ),
        "sign-in": "key, oidc" if app.provider else "key",
    }


def _models(app: App) -> dict[str, str]:
    settings = app.settings
    routes = {name: f"{route.provider} {route.model}".strip() for name, route in settings.models.items()}
    return {"default": settings.model.replace(":", " ", 1) or "rules", **routes}


def _scheme(url: str) -> str:
    """What kind of adapter a URL names, and nothing of where it is."""
    return url.partition(":")[0]


def _extras() -> Iterable[Extra]:
    """Each extra of the installed package; none of a source tree that was never installed."""
    try:
        described = metadata("remit")
    except PackageNotFoundError:
        return
    for name in sorted(described.get_all("Provides-Extra") or ()):
        wanted = [
            _name(line)
            for line in described.get_all("Requires-Dist") or ()
            if f"extra == '{name}'" in line.replace('"', "'")
        ]
        yield Extra(name, sorted({each for each in wanted if each != "remit" and not _is_there(each)}))


def _name(requirement: str) -> str:
    head = requirement.partition(";")[0].partition("[")[0]
    for mark in "<>=!~ (":
        head = head.partition(mark)[0]
    return head.strip()


def _is_there(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
