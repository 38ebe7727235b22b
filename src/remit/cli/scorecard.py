"""`remit scorecard`: how well tables and owners keep what was promised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.console import document, paint, say, table
from remit.cli.session import with_app
from remit.cli.text import brief, plural, printable

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.validation import Score
    from remit.engine.scorecards import Scorecard

BARS = "▁▂▃▄▅▆▇█"
NONE = "·"
WIDEST = 60
GOOD, FAIR = 100.0, 90.0


def scorecard(
    table_id: Annotated[
        str, typer.Argument(metavar="[TABLE]", help="Only this table.", show_default=False)
    ] = "",
    owner: Annotated[
        str, typer.Option("--owner", metavar="NAME", help="Only this owner's tables.", show_default=False)
    ] = "",
    days: Annotated[int, typer.Option("--days", min=1, max=366, help="Over so many days up to now.")] = 30,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Pass rate, trend and history of every table and owner. A bar is a day, a dot a day without a run."""
    from remit.core.errors import InputError

    if table_id and owner:
        raise InputError(
            "a scorecard is of a table or of an owner, not of both", code="E546", help="leave one out"
        )

    async def work(program: App) -> Scorecard:
        if table_id:
            return await program.scorecards.table(tenant, table_id, days=days)
        if owner:
            return await program.scorecards.owner(tenant, owner, days=days)
        return await program.scorecards.all(tenant, days=days)

    card = with_app(work, home=home)
    if as_json:
        document(card)
        return
    shown = [*card.tables, *card.owners]
    if not shown:
        say("there is no active table; register one: `remit tables add`")
        return
    window = days_until(card.until, min(days, WIDEST))
    header = [
        "subject",
        "passed",
        "trend",
        "runs",
        "failed",
        "errors",
        f"last {plural(len(window), 'day')}",
        "failing now",
    ]
    table(header, [_row(score, window) for score in shown])


def days_until(until: int, count: int) -> list[str]:
    """The last `count` UTC days up to a time in Unix milliseconds, oldest first."""
    from remit.core.scorecard import DAY_MS, day_of

    return [day_of(until - back * DAY_MS) for back in reversed(range(count))]


def _row(score: Score, window: list[str]) -> list[str]:
    return [
        paint(printable(score.subject), "bold") + (paint(" (owner)", "dim") if score.kind == "owner" else ""),
        "-" if score.pass_rate is None else paint(_percent(score.pass_rate), _style(score.pass_rate)),
        _trend(score.trend),
        str(score.runs),
        str(score.failed),
        str(score.errors),
        sparkline(dict(score.history), window),
        paint(brief(", ".join(score.failing), 60), "bad") if score.failing else "-",
    ]


def sparkline(rates: dict[str, float], window: list[str]) -> str:
    """One mark a day: as high as its pass rate in per cent, a dot where nothing ran."""
    return "".join(
        paint(BARS[int(rates[day] / 100 * (len(BARS) - 1))], _style(rates[day]))
        if day in rates
        else paint(NONE, "dim")
        for day in window
    )


def _style(rate: float) -> str:
    return "good" if rate >= GOOD else "warn" if rate >= FAIR else "bad"


def _percent(rate: float) -> str:
    # 99.99 must not read as 100: only what is whole is shown as whole.
    return f"{int(rate)} %" if rate == int(rate) else f"{int(rate * 10) / 10:.1f} %"


def _trend(points: float | None) -> str:
    if points is None:
        return "-"
    if points == 0:
        return "0"
    return paint(f"{points:+.1f}", "good" if points > 0 else "bad")
