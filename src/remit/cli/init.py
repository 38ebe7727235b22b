"""`remit init`: a project that runs, to change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.console import document, paint, say, show

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1] / "data" / "init"
IGNORED = ".remit/\n__pycache__/\n"


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to; made if it is not there.")
    ] = Path("."),
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    as_json: o.Json = False,
) -> None:
    """Start a project that runs.

    Settings, one agent with one tool, a policy profile and a test. Nothing is replaced unasked.
    """
    from remit.core.errors import ConfigError

    there = [folder / name for name, _ in _files() if (folder / name).exists()]
    if there and not force:
        raise ConfigError(
            f"`{there[0]}` is there already; nothing was written",
            code="E251",
            help="choose another folder, or --force to replace " + ", ".join(str(p) for p in there),
        )
    written: list[str] = []
    for name, text in _files():
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"`{target}` cannot be written: {(error.strerror or str(error)).lower()}",
                code="E1098",
                help="choose a folder that you may write",
            ) from error
        written.append(str(target))
    if as_json:
        document({"folder": str(folder), "files": written})
        return
    show("\n".join(written))
    _next_steps(folder)


def _files() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    yield ".gitignore", IGNORED


def _next_steps(folder: Path) -> None:
    steps = [
        ('remit run hello "Ada Lovelace"', "runs the agent; no key, no service"),
        ('remit run hello "Ada" --profile house', "the same under a policy of yours: it asks you first"),
        ("remit policy test policies/cases.toml", "proves what the policy decides"),
        ("remit up", "API and worker"),
    ]
    say()
    if folder != Path("."):
        say(f"  cd {folder}")
    for command, why in steps:
        say(f"  {command.ljust(40)} {paint(why, 'dim')}")
