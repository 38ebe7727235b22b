"""What is asked of many runs at once, and what became of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.console import document, status, table
from remit.cli.session import person, with_app
from remit.cli.text import brief
from remit.core.errors import InputError

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.many_runs import RunOutcomes

RunIds = Annotated[list[str], typer.Argument(metavar="RUN", help="Runs' ids; `-` reads them from stdin.")]

REFUSED = 1

Ask = Callable[["App", Sequence[str]], Awaitable["RunOutcomes"]]


def ids_of(given: Sequence[str]) -> list[str]:
    """The runs that were named, each once; `-` stands for those on stdin, with blanks or line ends between them. Raises InputError."""
    import sys

    named = [run_id for each in given for run_id in (sys.stdin.read().split() if each == "-" else [each])]
    if not named:
        raise InputError(
            "stdin names no run", code="E1080", help="one id a line, as `remit runs list --ids` prints them"
        )
    return list(dict.fromkeys(named))


def cancel_many(run_ids: Sequence[str], reason: str, as_json: bool, tenant: str, home: str) -> None:
    """Ask each to end; exit 1 if one of them was refused."""

    async def ask(program: App, some: Sequence[str]) -> RunOutcomes:
        return await program.many_runs.cancel(some, tenant, person(o.REQUESTER, ()), reason)

    _each(run_ids, ask, as_json, home)


def retry_many(
    run_ids: Sequence[str], retry_id: str, as_json: bool, tenant: str, home: str, app_file: str
) -> None:
    """Make a new run for each that failed, for a worker to drive; exit 1 if one of them was refused."""

    async def ask(program: App, some: Sequence[str]) -> RunOutcomes:
        return await program.many_runs.retry(some, tenant, person(o.REQUESTER, ()), retry_id=retry_id)

    _each(run_ids, ask, as_json, home, app_file)


def _each(run_ids: Sequence[str], ask: Ask, as_json: bool, home: str, app_file: str = "") -> None:
    async def work(program: App) -> RunOutcomes:
        from remit.engine.many_runs import MOST, RunOutcomes

        parts = [run_ids[i : i + MOST] for i in range(0, len(run_ids), MOST)]
        return RunOutcomes([outcome for part in parts for outcome in (await ask(program, part)).items])

    found = with_app(work, home=home, app=app_file)
    if as_json:
        document(found)
    else:
        _print(found)
    if any(one.outcome == "refused" for one in found.items):
        raise typer.Exit(REFUSED)


def _print(found: RunOutcomes) -> None:
    rows = [
        [
            one.run_id,
            status(one.outcome),
            one.made or "-",
            brief(f"[{one.problem.code}] {one.problem.message}", 100) if one.problem else "",
        ]
        for one in found.items
    ]
    table(["run", "outcome", "new run", ""], rows)
