"""`remit run`: give an agent a task, watch it, and decide what it asks."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.console import document, is_interactive, paint, problem, say, show, status
from remit.cli.session import person, with_app
from remit.cli.text import duration, lines

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.cli.deciding import Decider
    from remit.cli.live import Screen, Watch
    from remit.core.task import Result, Task

CELL = re.compile(r"\[\[r\d+\.[^\[\]\n]{1,100}\]\]")
"""A mark behind a number: the result of a query, and its column."""

EXIT = {"success": 0, "failure": 1, "needs_approval": 5, "needs_info": 5}
DENIED = 4


def run(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.")],
    objective: Annotated[
        str, typer.Argument(metavar="OBJECTIVE", help="What it should achieve.", show_default=False)
    ] = "",
    input: Annotated[
        str,
        typer.Option(
            "--input", metavar="JSON|@FILE", help="Input as JSON; `@-` reads stdin.", show_default=False
        ),
    ] = "",
    task_id: o.TaskId = "",
    profile: o.Profile = "default",
    as_json: o.Json = False,
    detach: o.Detach = False,
    approve: o.Approve = False,
    no_wait: o.NoWait = False,
    approver: o.As = o.APPROVER,
    role: o.Roles = [o.APPROVER_ROLE],  # noqa: B006 - typer copies it
    app: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Give an agent a task and watch it.

    When policy wants a person, you are asked here (as `--as`, never as the requester). Without a terminal, or with
    --no-wait, the command ends with exit code 5 and the run waits.
    """
    given = parse_input(input)
    decider = choose_decider(approve=approve, no_wait=no_wait, approver=approver, roles=role)

    async def work(program: App) -> int:
        from remit.bootstrap.doctor import check_model

        await check_model(program, tenant, agent)
        if not (objective or input):
            await _must_need_nothing(program, tenant, agent)
        task = new_task(program, agent, objective, given, tenant, task_id=task_id, profile=profile)
        run_id = await program.runs.submit(task)
        if detach:
            submitted(run_id, as_json)
            return 0
        return await watched(program, run_id, tenant, decider, as_json)

    raise typer.Exit(with_app(work, home=home, app=app))


async def _must_need_nothing(app: App, tenant: str, agent: str) -> None:
    """Raise InputError E1143 for an agent that a model drives: told nothing, it can only guess, and that may cost."""
    from remit.core.errors import InputError
    from remit.engine.resolving import resolve

    found = await resolve(app.registry, app.catalogue, tenant, agent, "")
    if found.spec.kind == "llm":
        raise InputError(
            f"agent `{agent[:100]}` is told nothing to do",
            code="E1143",
            help=f'say it: `remit run {agent[:100]} "..."`, or give `--input`',
        )


async def watched(
    app: App, run_id: str, tenant: str, decider: Decider, as_json: bool, on: Screen | None = None
) -> int:
    """Drive and show a run to its end or to where it is left waiting; returns the exit code."""
    from remit.cli.driving import drive
    from remit.cli.live import screen

    try:
        result, watch = await drive(app, run_id, tenant, decider, on or screen())
    except BaseException:
        say(
            paint(
                f"the run is kept: `remit runs show {run_id}`, and `remit runs resume {run_id}` goes on",
                "dim",
            )
        )
        raise
    if as_json:
        document(result)
    else:
        conclude(result, watch)
    return exit_code(result)


def new_task(
    app: App,
    agent: str,
    objective: str,
    given: Any,
    tenant: str,
    *,
    task_id: str = "",
    profile: str = "default",
    session: str = "",
) -> Task:
    """A task from this terminal."""
    from remit.core.task import Task

    return Task(
        task_id=task_id or app.clock.new_id("task"),
        agent=agent,
        objective=objective,
        input=given,
        tenant_id=tenant,
        actor_context=person(o.REQUESTER, ()),
        policy_profile=profile,
        session_id=session,
    )


def parse_input(text: str) -> Any:
    """The value of `--input`: JSON, or `@file` with JSON in it. Raises BadParameter."""
    if not text:
        return None
    try:
        if text == "@-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise typer.BadParameter(
            f"cannot read `{text[1:]}`: {error.strerror}", param_hint="--input"
        ) from error
    except ValueError as error:
        raise typer.BadParameter(
            f"not JSON: {error}. Text needs quotes of its own, e.g. --input '\"hello\"'", param_hint="--input"
        ) from error


def choose_decider(*, approve: bool, no_wait: bool, approver: str, roles: Sequence[str]) -> Decider:
    """Who decides here."""
    from remit.cli.deciding import AtTerminal, Nobody, Script

    if approve and no_wait:
        raise typer.BadParameter("`--approve` and `--no-wait` exclude each other", param_hint="--approve")
    if approve:
        return Script(approver, roles)
    if no_wait or not is_interactive():
        return Nobody()
    return AtTerminal(approver, roles)


def exit_code(result: Result) -> int:
    """The exit code of a result: 4 when policy refused the run itself."""
    if result.status == "failure" and result.problem is not None and result.problem.code.startswith("E3"):
        return DENIED
    return EXIT[result.status]


def conclude(result: Result, watch: Watch) -> None:
    """The answer on stdout; what it took, and where to look closer, on stderr."""
    if result.status == "success" or result.result_payload is not None:
        answer(result.result_payload)
    if result.problem is not None:
        problem(result.problem.code, result.problem.message, result.problem.help)
    usage = result.cost_usage
    took = duration(usage.wall_s * 1000) if usage.wall_s else ""
    say(
        f"{status(result.status)}{paint(' · ' + watch.narrator.totals.text() + (' · ' + took if took else ''), 'dim')}"
    )
    if result.status == "needs_approval":
        say("it waits for a person: `remit approvals list` shows what, `remit approvals approve ID` decides")
    say(paint(f"remit runs show {result.run_id}", "dim"))


def answer(payload: Any) -> None:
    """An answer on stdout as it is; on stderr what its marks mean, where it has some."""
    for line in lines(payload):
        show(line)
    if isinstance(payload, str) and (mark := CELL.search(payload)):
        say(
            paint(
                f"{mark[0]} is the cell of a query's result that the number before it was taken from", "dim"
            )
        )


def submitted(run_id: str, as_json: bool) -> None:
    """Say which run it is that somebody else drives."""
    if as_json:
        document({"run_id": run_id})
    else:
        show(run_id)
        say(f"submitted: `remit worker` or `remit up` drives it, `remit runs show {run_id}` shows it")
