"""What was deployed, kept beside its code, so that the same can be deployed elsewhere: code and definitions, no environment."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from remit import __version__
from remit.core.errors import ConfigError
from remit_deploy import tools
from remit_deploy.assets import AssetsBucket
from remit_deploy.config import DeployConfig
from remit_deploy.packaging.bundle import Bundle, content_hash

DEFINITIONS = (
    "template",
    "agents",
    "workflows",
    "lambdas",
    "schedules",
    "chat_agent",
    "engine",
    "model",
    "python",
    "architecture",
)
"""What of a configuration travels from one environment to the next."""


class Release(Struct, frozen=True):
    """One version of everything that runs. `id` is the hash of code, definitions and console, `asset` where the code is kept.

    `console` is the hash of the console's files; empty where there is none.
    """

    id: str
    bundle: str
    definitions: dict[str, Any]
    asset: str
    revision: str = ""
    remit: str = __version__
    console: str = ""

    @property
    def key(self) -> str:
        """Where it is noted."""
        return f"releases/{self.id}.json"


def definitions_of(config: DeployConfig) -> dict[str, Any]:
    """The definitions in a configuration, as plain values."""
    plain = msgspec.to_builtins(config)
    return {name: plain[name] for name in DEFINITIONS}


def release_id(bundle: str, definitions: Mapping[str, Any], console: str = "") -> str:
    """What a release is known by."""
    parts = [bundle, definitions, *([console] if console else [])]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def release_of(
    bundle: Bundle, definitions: Mapping[str, Any], asset: str, root: Path, console: str = ""
) -> Release:
    """The release of a bundle that was just built from `root`."""
    made = dict(definitions)
    id = release_id(bundle.id, made, console)
    return Release(id, bundle.id, made, asset, revision(root), console=console)


def revision(root: Path) -> str:
    """The git revision of a directory, with `+` when files differ from it; empty outside of git."""
    found = tools.run(["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"])
    if found.returncode:
        return ""
    changed = tools.run(["git", "-C", str(root), "status", "--porcelain", "--", "."])
    return found.stdout.strip() + ("+" if changed.stdout.strip() else "")


def save(bucket: AssetsBucket, release: Release) -> None:
    """Note a release."""
    bucket.put(release.key, msgspec.json.format(msgspec.json.encode(release), indent=2))


def load(bucket: AssetsBucket, id: str, deployment: str) -> Release:
    """A noted release, whose code and definitions must be those that `id` is the hash of. Raises ConfigError E871."""
    try:
        found = msgspec.json.decode(bucket.get(f"releases/{id}.json"), type=Release)
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"release `{id}` of `{deployment}` cannot be read: {error}",
            code="E871",
            help=f"deploy `{deployment}` again, then promote",
        ) from error
    if release_id(found.bundle, found.definitions, found.console) != id:
        raise ConfigError(
            f"release `{id}` as it is noted is not what was deployed to `{deployment}`",
            code="E871",
            help=f"see who may write to `{bucket.name}`; deploy `{deployment}` again, then promote",
        )
    return found


def unpack(bucket: AssetsBucket, release: Release, where: Path) -> None:
    """Unpack a release's code into an empty directory, checked against its hash. Raises ConfigError E871.

    Compiled files are left out: they are no part of the hash, and would be run instead of the source.
    """
    shutil.rmtree(where, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(bucket.get(release.asset))) as packed:
        kept = [each for each in packed.infolist() if not each.filename.endswith(".pyc")]
        packed.extractall(where, kept)
        for each in kept:  # what could be executed still can, and the same files make the same zip again
            (where / each.filename).chmod(0o755 if each.external_attr >> 16 & stat.S_IXUSR else 0o644)
    if (found := content_hash(where)) != release.bundle:
        raise ConfigError(
            f"the code of release `{release.id}` is not what was deployed: its hash is `{found[:16]}`",
            code="E871",
            help="deploy it again where it comes from, then promote",
        )
