"""Building the bundle, and what it is known by: the hash of all that it is made of."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from msgspec import Struct

from remit.core.errors import ConfigError
from remit_deploy import tools
from remit_deploy.packaging.project import Project

NEEDED = (
    "msgspec", "jsonschema-rs", "cedarpy", "pyyaml", "cronsim", "python-jsonpath", "jsonata-python", "tzdata",
    "cryptography", "httpx", "fastapi",
)  # fmt: skip
"""Of what Remit depends on, all that its functions use; the rest serves the command line. boto3 is in Lambda."""

PACK_NEEDS = {"validation": ("duckdb",)}
PROVIDED = frozenset({"boto3", "botocore", "remit", "remit_packs"})
LEFT_OUT = frozenset({"cli", "console", "testing"})
"""Of Remit itself. The console is files for browsers: behind API Gateway nothing serves them."""

UNUSED = ("__pycache__", "tests", "bin", "licenses", "sboms")
LIMIT_MB = 250
"""AWS Lambda: a function's code, unzipped."""

RUNTIMES = ("3.12", "3.13", "3.14")
"""Those of Lambda that stand on Amazon Linux 2023: older ones have too old a C library for some wheels."""

MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
GLIBC = (34, 31, 28, 17)
"""Minor versions of glibc 2 that wheels are built for and Amazon Linux 2023 runs, the newest first."""


class Target(Struct, frozen=True):
    """What the bundle runs on. `here` is this machine's own Python, which is what the emulator runs."""

    python: str = "3.13"
    architecture: str = "arm64"
    here: bool = False


class Bundle(Struct, frozen=True):
    """A built bundle. `id` is the hash of its content, but for compiled files, which depend on the compiler alone."""

    id: str
    directory: str
    python: str
    architecture: str
    files: int
    size: int
    compiled: bool


def here() -> Target:
    """This machine's own Python, for the emulator."""
    machine = {"aarch64": "arm64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    return Target(f"{sys.version_info.major}.{sys.version_info.minor}", machine, here=True)


def build(project: Project, where: Path, target: Target, requirements: Sequence[str] = ()) -> Bundle:
    """Make the bundle in `where`, which is emptied first. Raises ConfigError E861 or E862."""
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    _install(where, target, [*_needed(project), *requirements])
    _copy_remit(where)
    for file in project.files:
        _copy(project.root / file, where / file)
    (where / "remit.toml").write_text(project.settings_text())
    _check_imports(project, where)
    made = content_hash(where)
    is_compiled = compiled(where, target)
    size = sum(p.stat().st_size for p in _all(where))
    if size > LIMIT_MB * 2**20:
        raise ConfigError(
            f"the bundle is {size / 2**20:.0f} MB, and Lambda takes {LIMIT_MB}: {_largest(where)}",
            code="E862",
            help="leave out what the functions do not use: `[deploy.packages]`",
        )
    return Bundle(
        made, str(where), target.python, target.architecture, len(list(_all(where))), size, is_compiled
    )


def content_hash(where: Path) -> str:
    """The SHA-256 of a directory's paths and bytes, compiled files left out."""
    total = hashlib.sha256()
    for path in _all(where):
        if path.suffix != ".pyc":
            name = path.relative_to(where).as_posix()
            total.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


# packages


def _needed(project: Project) -> list[str]:
    packs = project.packs or (() if project.settings.get("app") else ("validation",))
    return [*NEEDED, *(need for pack in packs for need in PACK_NEEDS.get(pack, ()))]


def _install(where: Path, target: Target, requirements: list[str]) -> None:
    """Install packages, in the versions that run here where they do: what was tested is what runs in the cloud."""
    pins = where.with_name(f"{where.name}.constraints")
    pins.write_text("".join(f"{line}\n" for line in _versions_here()))
    done = tools.run(_installer(where, target, pins) + requirements)
    pins.unlink()
    if done.returncode:
        raise ConfigError(
            f"the packages of the functions could not be installed: {tools.last_lines(done)}",
            code="E861",
            help=f"each needs a wheel for Python {target.python} on {target.architecture} (Linux)",
        )
    for path in [p for name in UNUSED for p in where.rglob(name) if p.is_dir()]:
        shutil.rmtree(path, ignore_errors=True)
    for path in [
        p for p in _all(where) if p.suffix in (".pyi", ".pyx", ".pxd") or p.name in ("RECORD", ".lock")
    ]:
        path.unlink()


def _versions_here() -> Iterator[str]:
    for found in importlib.metadata.distributions():
        name = found.metadata["Name"]
        if name and "+" not in found.version and name not in ("remit",):
            yield f"{name}=={found.version}"


def _installer(where: Path, target: Target, pins: Path) -> list[str]:
    uv = tools.uv()
    wanted = ["--target", str(where), "--only-binary", ":all:", "--constraint", str(pins)]
    if uv and target.here:
        return [
            uv,
            "pip",
            "install",
            "--quiet",
            "--no-installer-metadata",
            "--python",
            sys.executable,
            *wanted,
        ]
    if uv:
        platform_ = f"{MACHINES[target.architecture]}-manylinux_2_{GLIBC[0]}"
        built_for = ["--python-platform", platform_, "--python-version", target.python]
        return [uv, "pip", "install", "--quiet", "--no-installer-metadata", *built_for, *wanted]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", *wanted]
    built_for = ["--python-version", target.python, "--implementation", "cp"]
    for minor in GLIBC:
        built_for += ["--platform", f"manylinux_2_{minor}_{MACHINES[target.architecture]}"]
    return pip if target.here else [*pip, *built_for]


# Remit and the project


def _copy_remit(where: Path) -> None:
    for package in ("remit", "remit_packs"):
        spec = find_spec(package)
        assert spec is not None
        for place in map(Path, spec.submodule_search_locations or ()):
            for path in _all(place):
                inside = path.relative_to(place)
                if path.suffix != ".pyc" and not (package == "remit" and inside.parts[0] in LEFT_OUT):
                    _copy(path, where / package / inside)


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, to)


def _check_imports(project: Project, where: Path) -> None:
    """Say now, and not in the cloud, what the project's files import and the bundle lacks."""
    inside = {p.name.partition(".")[0] for p in where.iterdir()} | PROVIDED | sys.stdlib_module_names
    for file, names in project.imports.items():
        if missing := sorted(names - inside):
            raise ConfigError(
                f"`{file}` imports `{missing[0]}`, which is not in the bundle",
                code="E862",
                help='name its package: `requirements = ["..."]` in `[deploy.packages]` of remit.toml',
            )


# compiling


def compiled(where: Path, target: Target) -> bool:
    """Compile all Python files, as far as a Python of that version is here: a function starts faster for it."""
    python = _python(target)
    if not python:
        return False
    command = [
        python, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", "-s", str(where), "-p", "/var/task",
        str(where),
    ]  # fmt: skip
    done = tools.run(command, extra={"PYTHONHASHSEED": "0"})
    if done.returncode:
        raise ConfigError(
            f"the bundle could not be compiled: {tools.last_lines(done)}",
            code="E861",
            help="correct the file",
        )
    return True


def _python(target: Target) -> str:
    if target.python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    if uv := tools.uv():
        done = tools.run([uv, "python", "find", "--no-python-downloads", "--no-project", target.python])
        return done.stdout.strip() if done.returncode == 0 else ""
    return shutil.which(f"python{target.python}") or ""


def _all(where: Path) -> list[Path]:
    return sorted(Path(folder) / name for folder, _, names in os.walk(where) for name in names)


def _largest(where: Path, count: int = 3) -> str:
    sizes = {p.name: sum(f.stat().st_size for f in _all(p)) for p in where.iterdir() if p.is_dir()}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:count]
    return ", ".join(f"`{name}` {size / 2**20:.0f} MB" for name, size in largest)
