"""`remit costs` and `remit budgets`: what runs have cost, and what a tenant's runs may spend together."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from remit.cli import options as o
from remit.cli.answers import Items, listed, told
from remit.cli.console import document, paint, say, table
from remit.cli.session import with_app
from remit.cli.text import brief

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.cost_reports import CostLine, CostReport
    from remit.engine.envelopes import Envelope

budgets = typer.Typer(
    no_args_is_help=True, help="See and set what a tenant's runs may spend together.", rich_markup_mode=None
)

BY = ("agent", "model", "workflow", "day", "tenant")


def costs(
    by: Annotated[str, typer.Option("--by", help=f"What a line is of: {', '.join(BY)}.")] = "agent",
    since: Annotated[
        str, typer.Option("--since", metavar="DAY", help="First day, YYYY-MM-DD.", show_default=False)
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="DAY", help="Last day; default: today.", show_default=False)
    ] = "",
    zone: Annotated[str, typer.Option("--zone", help="Whose days.")] = "UTC",
    recount: Annotated[
        bool, typer.Option("--recount", help="First look through all runs for any that were not counted.")
    ] = False,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """What runs that ended have cost: the last 30 days, by agent."""
    if by not in BY:
        raise typer.BadParameter(f"one of {', '.join(BY)}", param_hint="--by")
    what = cast("Literal['agent', 'model', 'workflow', 'day', 'tenant']", by)

    async def work(program: App) -> CostReport:
        if recount:
            await program.costs.recount(tenant)
            while await program.costs.fill_for(tenant):
                pass
        return await program.cost_reports.report(tenant, what, since=since, until=until, zone=zone)

    report = with_app(work, home=home)
    if as_json:
        document(report)
        return
    header = [by, "cost", "runs", "failed", "tokens", "model calls", "tool calls"]
    rows = [_row(line) for line in report.lines if line.runs]
    table(header, [*rows, _row(report.total, whole=True)])
    if report.left_out:
        say(f"{report.left_out} more lines are in the total only")
    if report.waiting or report.filling:
        say("some runs are not counted yet; a running worker adds them")


def _row(line: CostLine, *, whole: bool = False) -> list[str]:
    tokens = line.input_tokens + line.output_tokens + line.cache_read_tokens + line.cache_write_tokens
    return [
        paint("total", "bold") if whole else brief(line.name),
        _money(line.cost_usd),
        str(line.runs),
        str(line.failed),
        f"{tokens:,}",
        str(line.model_calls),
        str(line.tool_calls),
    ]


@budgets.command("list")
def list_(
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """The budgets of tenants, with what is reserved by runs under way, used, and left."""

    async def work(program: App) -> tuple[list[Envelope], str | None]:
        return await program.envelopes.list(limit=limit, cursor=cursor or None)

    page = Items(*with_app(work, home=home))
    if not (as_json or page.items):
        say("no tenant has a budget; set one: `remit budgets set --usd AMOUNT`")
        return
    listed(page, as_json, ["tenant", "limit", "reserved", "used", "left", "tokens left", ""], _budget)


@budgets.command("set")
def set_(
    usd: Annotated[str, typer.Option("--usd", metavar="AMOUNT", help="US dollars.", show_default=False)] = "",
    tokens: Annotated[int | None, typer.Option("--tokens", min=0, help="Tokens.", show_default=False)] = None,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Give a tenant's runs a budget together, or replace it: what was used before does not count against the new one."""
    from remit.engine.envelopes import set_limit

    amount = _amount(usd)
    if amount is None and tokens is None:
        raise typer.BadParameter("name `--usd`, `--tokens` or both")

    async def work(program: App) -> Envelope | None:
        await set_limit(program.kit, tenant, max_cost_usd=amount, max_tokens=tokens)
        return await program.envelopes.get(tenant)

    made = with_app(work, home=home)
    told(made, as_json, paint(f"the budget of {tenant} is set", "good"))


def _amount(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not (amount.is_finite() and 0 <= amount < 10**9):
        raise typer.BadParameter(f"`{text[:40]}` is no amount of dollars", param_hint="--usd")
    return amount


def _budget(each: Envelope) -> list[str]:
    return [
        brief(each.tenant_id),
        *(_money(money) for money in (each.limit_usd, each.reserved_usd, each.used_usd, each.left_usd)),
        "-" if each.left_tokens is None else f"{each.left_tokens:,}",
        paint("near its limit", "warn") if each.near_limit else "",
    ]


def _money(amount: Decimal | None) -> str:
    return "-" if amount is None else f"${amount:.4f}"
