"""`remit runs steps`, `compare` and `golden`: a run step by step, two side by side, and one kept to hold later versions to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.answers import listed, told
from remit.cli.console import document, say, status, table
from remit.cli.session import person, with_app
from remit.cli.text import brief, clean, duration, money

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.steps import StepRow
    from remit.engine.comparing import StepPair


KINDS = ("model", "tool", "delegate", "gate", "state")


def register(runs: typer.Typer) -> None:
    """Add the commands to `remit runs`."""
    runs.command("steps")(steps)
    runs.command("compare")(compare)
    runs.command("golden")(golden)


def steps(
    run_id: o.RunId,
    after: Annotated[int, typer.Option("--after", help="Only steps that begin after this event.")] = -1,
    kind: Annotated[
        str, typer.Option("--kind", help="model, tool, delegate, gate or state.", show_default=False)
    ] = "",
    limit: o.Limit = 100,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List a run's steps in the order in which they began; a page at a time, however long the run is."""
    o.one_of("--kind", kind, KINDS)

    async def work(program: App) -> None:
        page = await program.reading.stepping.page(run_id, tenant, after=after, limit=limit, kind=kind)
        if as_json:
            document(page)
            return
        table(
            ["event", "step", "kind", "name", "by", "state", "took", "cost", ""],
            [_cells(r) for r in page.items],
        )
        if page.cursor:
            more_after(page.cursor)

    with_app(work, home=home)


def compare(
    left: Annotated[str, typer.Argument(metavar="LEFT", help="A run.")],
    right: Annotated[str, typer.Argument(metavar="RIGHT", help="Another one.")],
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Put two runs beside each other: steps that stand for each other, and what differs."""

    async def work(program: App) -> None:
        page = await program.reading.comparing.page(left, right, tenant, cursor=cursor or None)
        words = f"{page.same} of {len(page.items)} steps are the same"
        listed(page, as_json, ["left", "right", "name", "differs"], _pair, words)

    with_app(work, home=home)


def golden(
    run_id: o.RunId,
    name: Annotated[
        str,
        typer.Option(
            "--name", help="What the case is called; the agent and the run by default.", show_default=False
        ),
    ] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why it is kept.", show_default=False)] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the case to this file too.", show_default=False)
    ] = None,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Keep an ended run as a golden case, a draft: its task, what the model said, and what came out."""

    async def work(program: App) -> None:
        made = await program.golden.save(
            run_id, tenant, name=name, actor=person(o.REQUESTER, ()), reason=reason
        )
        if out is not None:
            from remit.core.codec import encode

            out.write_bytes(encode(made.body))
        told(made, as_json, f"golden case `{made.name}`, version {made.version}, is a draft")

    with_app(work, home=home)


def more_after(cursor: str) -> None:
    """Say how to see the steps that follow."""
    say(f"more: --after {cursor}")


def _cells(row: StepRow) -> list[str]:
    took = "" if row.ended_ts is None else duration(row.ended_ts - row.started_ts)
    cost = money(row.cost_usd) if row.cost_usd else ""
    return [
        str(row.seq),
        clean(row.step),
        row.kind,
        clean(row.name),
        clean(row.lane),
        status(row.state),
        took,
        cost,
        brief(row.problem, 60),
    ]


def _pair(pair: StepPair) -> list[str]:
    left, right = pair.left, pair.right
    some = left or right
    only = "only left" if right is None else "only right"
    return [
        clean(left.step) if left else "-",
        clean(right.step) if right else "-",
        clean(some.name) if some else "",
        ", ".join(pair.differs) if left and right else only,
    ]
