"""Which files of this machine a sandboxed interpreter sees: the interpreter, its libraries, and the packages named, all read-only.

Bound are the standard library, the folders of the system's shared libraries, and the modules of the packages and of what they need,
one by one: not the rest of `site-packages`, so neither Remit nor what else is installed beside it, and no metadata, which may hold
the address a package was installed from.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

PYTHON = "/opt/python/bin/python3"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LIBRARIES = ("/lib", "/lib64", "/usr/lib64")


class Bind(NamedTuple):
    """A path of this machine and where it lies in the sandbox."""

    source: str
    target: str


def interpreter() -> list[Bind]:
    """The interpreter that runs this program, its standard library, and the shared libraries of it and of the system."""
    home, library = Path(sys.base_prefix), Path(sysconfig.get_path("stdlib"))
    executable = Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()
    return [
        Bind(str(executable), PYTHON),
        *_shared(home),
        Bind(str(library.resolve()), _inside(library)),
        *_system(),
    ]


def hidden() -> list[str]:
    """Folders inside the standard library's that the sandbox must not see: packages installed beside it."""
    library = Path(sysconfig.get_path("stdlib"))
    folders = (library / name for name in ("site-packages", "dist-packages"))
    return [_inside(folder) for folder in folders if folder.is_dir()]


def packages(names: Sequence[str]) -> list[Bind]:
    """The modules of the installed ones of these packages and of all they need, as they lie in `/opt/packages`."""
    found: dict[str, Bind] = {}
    wanted, done = list(names), set[str]()
    while wanted:
        name = wanted.pop().lower().replace("_", "-")
        if name in done:
            continue
        done.add(name)
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for top in _tops(distribution):
            found[top] = Bind(str(Path(str(distribution.locate_file(top))).resolve()), f"/opt/packages/{top}")
        wanted.extend(_needed(distribution))
    return [bind for _, bind in sorted(found.items()) if Path(bind.source).exists()]


def _tops(distribution: metadata.Distribution) -> set[str]:
    """Files and folders of a package directly in `site-packages`, without its metadata and scripts."""
    tops = {file.parts[0] for file in distribution.files or () if file.parts}
    return {
        t
        for t in tops
        if t not in ("..", "__pycache__") and not t.endswith((".dist-info", ".egg-info", ".pth"))
    }


def _needed(distribution: metadata.Distribution) -> Iterator[str]:
    """What it always needs; what an extra needs is installed for somebody else."""
    for line in distribution.requires or ():
        match = _NAME.match(line)
        if match and "extra ==" not in line:
            yield match.group()


def _inside(path: Path) -> str:
    return f"/opt/python/{path.relative_to(sys.base_prefix).as_posix()}"


def _shared(home: Path) -> Iterator[Bind]:
    """The interpreter's own shared libraries: `libpython`, and all of conda's, which shares none with the system."""
    if (home / "conda-meta").is_dir():
        yield Bind(str(home / "lib"), "/opt/python/lib")
    for file in sorted((home / "lib").glob("libpython*.so*")):
        yield Bind(str(file.resolve()), f"/opt/python/lib/{file.name}")


def _system() -> Iterator[Bind]:
    """Folders with the system's shared libraries: those of this architecture, where they are kept apart."""
    triplet = sysconfig.get_config_var("MULTIARCH") or ""
    folders = [*_LIBRARIES, f"/usr/lib/{triplet}"] if triplet else [*_LIBRARIES, "/usr/lib"]
    for folder in folders:
        path = Path(folder)
        if path.is_dir() and not path.is_symlink():
            yield Bind(folder, folder)
    if Path("/etc/ld.so.cache").exists():
        yield Bind("/etc/ld.so.cache", "/etc/ld.so.cache")


def links() -> list[Bind]:
    """Links of the system's root that lead to the folders bound, as `/lib64` is one to `/usr/lib64` on most systems."""
    return [Bind(str(Path(p).readlink()), p) for p in ("/lib", "/lib64") if Path(p).is_symlink()]
