"""`remit runs step` and `remit runs family`: one step of a run in full, and the runs below a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.answers import listed
from remit.cli.console import document, paint, say, show, status
from remit.cli.session import with_app
from remit.cli.text import brief, clean, duration, lines, moment, money

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.families import FamilyPage
    from remit.engine.step_details import StepDetail


def register(runs: typer.Typer) -> None:
    """Add the commands to `remit runs`."""
    runs.command("step")(step)
    runs.command("family")(family)


def step(
    run_id: o.RunId,
    name: Annotated[str, typer.Argument(metavar="STEP", help="A step, as `remit runs steps` lists it.")],
    seq: Annotated[
        int | None,
        typer.Option(
            "--event", min=0, help="The event it begins with; saves looking for it.", show_default=False
        ),
    ] = None,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Show one step: what went in and came out, what policy and people said, and how often it was tried."""

    async def work(program: App) -> None:
        detail = await program.reading.details.show(run_id, tenant, name, seq=seq)
        if as_json:
            document(detail)
        else:
            _print_step(detail)

    with_app(work, home=home)


def _print_step(detail: StepDetail) -> None:
    row = detail.row
    show(
        f"{paint(clean(row.name), 'bold')}  {row.kind}  {status(row.state)}  {clean(row.step)} of {detail.run_id}"
    )
    took = "" if row.ended_ts is None else f", took {duration(row.ended_ts - row.started_ts)}"
    show(f"  began      {moment(row.started_ts)}{took}")
    if row.cost_usd or row.tokens:
        show(f"  used       {row.tokens:,} tokens, {money(row.cost_usd)}")
    if detail.decision is not None:
        by = f" by {', '.join(detail.decision.policies)}" if detail.decision.policies else ""
        show(f"  policy     {detail.decision.verdict.replace('_', ' ')}{by}")
    if detail.approval is not None:
        show(
            f"  asked      remit approvals show {detail.approval.approval_id}: {status(detail.approval.status)}"
        )
    if row.child_run:
        show(f"  child      remit runs show {row.child_run}")
    if len(detail.attempts) > 1:
        show(f"  attempts   {len(detail.attempts)}")
    if detail.label is not None:
        show(f"  came from  {clean(detail.label.source)}, {detail.label.trust}, {detail.label.sensitivity}")
    if detail.problem is not None:
        show(f"  problem    {paint(f'[{detail.problem.code}] {clean(detail.problem.message)}', 'bad')}")
    for title, value in (("in", detail.input), ("out", detail.output)):
        if value is not None:
            show()
            show(paint(title, "dim"))
            for line in lines(value):
                show(line)


def family(
    run_id: o.RunId,
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the runs that a run handed tasks to, and what each agent of the whole family cost."""

    async def work(program: App) -> None:
        page = await program.reading.families.show(run_id, tenant, limit=limit, cursor=cursor or None)
        if as_json:
            document(page)
            return
        _print_family(page)

    with_app(work, home=home)


def _print_family(page: FamilyPage) -> None:
    listed(
        page,
        False,
        ["run", "status", "agent", "step", "cost", "objective"],
        lambda r: [
            r.run_id,
            status(r.status),
            clean(r.agent),
            clean(r.step),
            money(r.cost_usd),
            brief(r.objective, 48),
        ],
    )
    for share in page.shares:
        say(
            f"{clean(share.agent)}: {share.runs} run{'' if share.runs == 1 else 's'}, {money(share.cost_usd)}"
        )
    if not page.shares_complete:
        say(f"the cost of the first {page.shared_runs} runs; there are more")
