"""Workflow documents in files, and names of workflows on the command line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from remit.cli.console import paint, say, show, table
from remit.cli.session import with_app
from remit.cli.text import brief, clean, plural
from remit.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.bootstrap import App
    from remit.core.states.imported import Linked
    from remit.core.states.report import Problem
    from remit.core.states.text import Text
    from remit.engine.workflows.catalog import Checked

_PLACE = re.compile(r"line (\d+), column (\d+): ")
USAGE = 2
SUFFIXES = (".json", ".yaml", ".yml")


def is_file(text: str) -> bool:
    """Whether a command's argument means a file: no name of a workflow has a slash or ends like one."""
    return "/" in text or text.endswith(SUFFIXES)


def text_of(path: Path) -> str:
    """What a file holds. Raises ConfigError E254 for one that cannot be read as text."""
    try:
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigError(
            f"`{path}` cannot be read: {reason}", code="E254", help="give a workflow as a JSON or YAML file"
        ) from error


def read(path: Path) -> Text:
    """The document of a file, also of one that `remit apply` reads. Raises ConfigError E254, InputError E630 with the place."""
    from remit.workflow.reading import read as read_text

    try:
        found = read_text(text_of(path))
    except InputError as error:
        raise InputError(f"{path}: {error.message}", code=error.code, help=error.help) from error
    return _inner(found) if found.document.get("kind") == "workflow" else found


async def of(app: App, tenant: str, name: str) -> tuple[str, dict[str, Any]]:
    """The name and the document that an argument means: a workflow's, or a file's, which is checked. Exits when it is wrong."""
    if not is_file(name):
        return name, (await app.workflows.get(tenant, name)).document
    path = Path(name)
    text = read(path)
    await checked_or_exit(app, tenant, path, text, names=False)
    return path.name.split(".")[0], text.document


async def checked_or_exit(app: App, tenant: str, path: Path, text: Text, *, names: bool) -> None:
    """Say what is wrong with a file's document, and end with the exit code of wrong usage, if something is."""
    checked = await app.workflows.check(tenant, text.document, text.positions, names=names)
    if not checked.ok:
        print_checked(path, checked)
        summed_up([checked])
        raise typer.Exit(USAGE)


def _inner(found: Text) -> Text:
    """What stands under `spec` of a file for `remit apply`."""
    from remit.core.states.text import Text

    spec = found.document.get("spec")
    if not isinstance(spec, dict):
        return found
    places = {p.removeprefix("/spec"): at for p, at in found.positions.items() if p.startswith("/spec")}
    return Text(spec, places)


def unreadable(error: InputError) -> Checked:
    """Text that holds no document, as the one problem that it is; its message begins with the place."""
    from remit.core.states.report import Problem
    from remit.engine.workflows.catalog import Checked

    found = _PLACE.search(error.message)
    line, column = (int(found[1]), int(found[2])) if found else (1, 1)
    said = error.message[found.end() :] if found else error.message
    return Checked(False, (Problem("", said, error.help, line, column),))


def print_checked(path: Path, checked: Checked) -> None:
    """What is wrong with a file's document, each with its place and what to do."""
    for problem in checked.problems:
        _print_problem(path, problem, paint("error", "bad"))
    for warning in checked.warnings:
        _print_problem(path, warning, paint("warning", "warn"))


def _print_problem(path: Path, problem: Problem, word: str) -> None:
    at = f"{problem.line}:{problem.column}" if problem.line else clean(problem.pointer or "/")
    show(f"{path}:{at}: {word}: {clean(problem.message)}")
    if problem.help:
        show(f"  {paint('help', 'name')}: {clean(problem.help)}")


def summed_up(checked: list[Checked]) -> None:
    """How many problems there are in how many files."""
    count = sum(len(c.problems) for c in checked)
    say(f"{plural(count, 'problem')} in {plural(len(checked), 'file')}")


def placed(path: Path, problem: Problem) -> dict[str, Any]:
    """A problem for programs."""
    from remit.core.codec import plain

    return {"file": str(path), **plain(problem)}


def print_links(links: Sequence[Linked]) -> None:
    """What the Tasks of a document lead to here."""
    rows: dict[tuple[str, str], list[str]] = {}
    for link in links:
        bound = clean(f"{link.kind} {link.name}".rstrip()) if link.found else paint("nothing here", "bad")
        state = link.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        rows.setdefault((clean(link.resource), bound), []).append(state)
    if rows:
        show()
        table(["resource", "leads to", "in"], [[*at, brief(", ".join(s), 50)] for at, s in rows.items()])


def print_missing(links: Sequence[Linked]) -> None:
    """What a document names and is not there, and what to do about it."""
    notes = dict.fromkeys((link.resource, link.note) for link in links if not link.found)
    for resource, note in notes:
        say(f"{paint('missing', 'warn')}: {clean(resource)}: {clean(note)}")


def names(context: typer.Context, incomplete: str) -> list[str]:
    """Completion: the workflows there are, and files. Nothing at all when they cannot be known."""
    options = {k: str(context.params.get(k) or "") for k in ("home", "app_file")}
    tenant = str(context.params.get("tenant") or "local")

    async def known(program: Any) -> list[str]:
        page = await program.workflows.list(tenant, limit=200)
        return [flow.name for flow in page.items]

    try:
        found = with_app(known, home=options["home"], app=options["app_file"])
    except Exception:
        found = []
    folder, _, begun = incomplete.rpartition("/")
    below = sorted(Path(folder or ".").glob(f"{begun}*"))
    files = [f"{p}/" if p.is_dir() else str(p) for p in below if p.is_dir() or p.suffix in SUFFIXES]
    return [n for n in found if n.startswith(incomplete)] + files
