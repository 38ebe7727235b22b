"""From a configuration to a template and its assets, by the CDK in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from remit.core.errors import ConfigError
from remit_deploy import tools
from remit_deploy.config import DeployConfig
from remit_deploy.emulator.unenforced import adapted


class Asset(Struct, frozen=True):
    """A file or directory that goes to the assets bucket under `key`; a directory is zipped."""

    source: Path
    key: str


class Assembly(Struct, frozen=True):
    """What is to be deployed: one template, and what it refers to."""

    template: dict[str, Any]
    assets: tuple[Asset, ...]

    @property
    def body(self) -> bytes:
        """The template as it is sent, always the same for the same content."""
        return json.dumps(self.template, sort_keys=True, separators=(",", ":")).encode()


def synthesise(config: DeployConfig, where: Path, outputs: Mapping[str, str]) -> Assembly:
    """Run the CDK in `where`, and add `outputs` to what the stack says of itself. Raises ConfigError E860 or E863."""
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    (where / "config.json").write_bytes(msgspec.json.encode(config))
    out = where / "cdk.out"
    command = [
        sys.executable,
        "-m",
        "remit_deploy.app",
        "--config",
        str(where / "config.json"),
        "--out",
        str(out),
    ]
    done = tools.run(command, cwd=where, extra=_environment())
    if done.returncode:
        raise ConfigError(
            f"the template cannot be made: {tools.last_lines(done, 4)}",
            code="E863",
            help=f"see `[deploy]` in remit.toml; all that the CDK said: {_keep(where, done.stdout + done.stderr)}",
        )
    return _read(config, out, outputs)


def _environment() -> dict[str, str]:
    return {
        "PATH": f"{tools.node_directory()}{os.pathsep}{os.environ.get('PATH', '')}",
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
        "CDK_CONTEXT_JSON": '{"aws:cdk:enable-path-metadata": true}',  # by which a person finds what failed
        "PYTHONPATH": os.pathsep.join(
            p for p in sys.path if p
        ),  # the same remit_deploy, wherever it was imported from
    }


def _keep(where: Path, said: str) -> Path:
    log = where / "synth.log"
    log.write_text(said)
    return log


def _read(config: DeployConfig, out: Path, outputs: Mapping[str, str]) -> Assembly:
    name = config.deployment
    template = json.loads((out / f"{name}.template.json").read_text())
    template.get("Parameters", {}).pop("BootstrapVersion", None)  # nothing is bootstrapped: see `assets.py`
    template.get("Rules", {}).pop("CheckBootstrapVersion", None)
    for section in ("Parameters", "Rules"):
        if not template.get(section):
            template.pop(section, None)
    template.setdefault("Outputs", {}).update({key: {"Value": value} for key, value in outputs.items()})
    if config.for_emulator:
        template = adapted(template)
    manifest = json.loads((out / f"{name}.assets.json").read_text())
    return Assembly(template, tuple(_assets(manifest, out)))


def _assets(manifest: Mapping[str, Any], out: Path) -> list[Asset]:
    found = []
    for asset in manifest.get("files", {}).values():
        source = out / asset["source"]["path"]
        if source.name.endswith(".template.json"):
            continue
        found += [Asset(source, to["objectKey"]) for to in asset["destinations"].values()]
    return found
