"""Which of the user's files run in the cloud: `remit.toml`, the app file, what it imports from beside it, and policies."""

from __future__ import annotations

import ast
import json
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct

from remit.core.errors import ConfigError

CARRIED = ("packs", "app", "policies", "models", "durability", "workflow")
"""What of `remit.toml` goes along: where data is kept, and how to deploy, is said by the deployment."""

_SKIPPED = {"__pycache__", "node_modules"}


class Project(Struct, frozen=True):
    """A project on disk. `files` are paths in it, `imports` what its Python files need at their top, by file."""

    root: Path
    settings: Mapping[str, Any]
    files: tuple[PurePosixPath, ...]
    imports: Mapping[str, frozenset[str]]

    @property
    def packs(self) -> tuple[str, ...]:
        """The packs that it names."""
        return tuple(self.settings.get("packs", ()))

    def settings_text(self) -> str:
        """The `remit.toml` that goes along."""
        return "".join(f"{key} = {toml(value)}\n" for key, value in self.settings.items())


def read(root: Path, *, app: str = "", include: tuple[str, ...] = ()) -> Project:
    """The project in a directory; `app` stands for the app file that its `remit.toml` names. Raises ConfigError E861.

    `include` are patterns of further files, such as `prompts/**`.
    """
    file = root / "remit.toml"
    given = tomllib.loads(file.read_text()) if file.exists() else {}
    settings = {key: given[key] for key in CARRIED if key in given}
    if app:
        settings["app"] = app
    found: dict[Path, None] = {}
    imports: dict[str, frozenset[str]] = {}
    for path in _roots(root, settings):
        _follow(root, path, found, imports)
    for pattern in include:
        below = f"{pattern}/*" if pattern.endswith("**") else pattern  # files, as newer Pythons have it
        matches = [p for p in sorted(root.glob(below)) if p.is_file()]
        if not matches:
            raise ConfigError(
                f"`include` names `{pattern}`, and no file in `{root}` is called so",
                code="E861",
                help="correct it in `[deploy.packages]`",
            )
        found.update(dict.fromkeys(matches))
    files = tuple(PurePosixPath(p.relative_to(root).as_posix()) for p in sorted(found))
    return Project(root, settings, files, imports)


def _roots(root: Path, settings: dict[str, Any]) -> Iterator[Path]:
    """The app file and the policies, each made a path inside the project."""
    if settings.get("app"):
        settings["app"] = _inside(root, settings["app"], "app")
        yield root / settings["app"]
    if settings.get("policies"):
        settings["policies"] = [_inside(root, where, "policies") for where in settings["policies"]]
        for where in settings["policies"]:
            yield root / where
    for pack in settings.get("packs", ()):
        yield from _module(root, pack.partition(":")[0])


def _inside(root: Path, where: str, key: str) -> str:
    path = (root / where).resolve()
    if not path.exists() or not path.is_relative_to(root.resolve()):
        raise ConfigError(
            f"`{key}` is `{where}`, which is no file or folder inside `{root}`",
            code="E861",
            help="deploy from the folder that holds remit.toml and what it names",
        )
    return path.relative_to(root.resolve()).as_posix()


def _follow(root: Path, path: Path, found: dict[Path, None], imports: dict[str, frozenset[str]]) -> None:
    """Add a file or folder, and whatever of the project its Python files import."""
    for each in _files(path):
        if each in found:
            continue
        found[each] = None
        if each.suffix == ".py":
            imports[each.relative_to(root).as_posix()] = _needed(each)
            for name in sorted(_imported(each)):
                for module in _module(root, name):
                    _follow(root, module, found, imports)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for each in sorted(path.rglob("*")):
        inside = each.relative_to(path).parts
        hidden = any(
            part.startswith(".") for part in inside
        )  # `.env` is of this machine, unless `include` names it
        if each.is_file() and not hidden and _SKIPPED.isdisjoint(inside) and each.suffix != ".pyc":
            yield each


def _module(root: Path, name: str) -> Iterator[Path]:
    """Where a top-level module of the project is: `name.py`, or the package `name`, whole."""
    top = name.partition(".")[0]
    if (root / f"{top}.py").is_file():
        yield root / f"{top}.py"
    elif (root / top / "__init__.py").is_file():
        yield root / top


def _imported(path: Path) -> set[str]:
    """All modules that a file imports, wherever in it."""
    return {name for node in ast.walk(_tree(path)) for name in _names(node)}


def _needed(path: Path) -> frozenset[str]:
    """The top-level modules that a file cannot be loaded without."""
    return frozenset(name.partition(".")[0] for node in _tree(path).body for name in _names(node))


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise ConfigError(
            f"`{path}` is no valid Python: {error.msg} in line {error.lineno}", code="E861", help="correct it"
        ) from error


def toml(value: Any) -> str:
    """A value as TOML has it on one line; its strings, numbers and booleans are written as JSON's."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return json.dumps(value)
