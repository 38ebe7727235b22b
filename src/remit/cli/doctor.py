"""`remit doctor`: does everything here work, and if not, what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from remit.cli import options as o
from remit.cli.console import document, paint, say, show
from remit.cli.session import run_async, settings_for
from remit.cli.text import plural

if TYPE_CHECKING:
    from remit.core.finding import Finding

MARKS = {"ok": ("✓", "good"), "note": ("·", "warn"), "bad": ("✗", "bad")}
CONFIG = 3


def doctor(
    app: o.AppFile = "",
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Check this installation.

    Each line says what was checked, how it is, and what to do. Exit 3 when something is broken.
    Nothing leaves this machine, and no model is called.
    """
    findings = run_async(_examine(app, home))
    if as_json:
        document({"items": findings})
    else:
        width = max(len(f.check) for f in findings)
        for f in findings:
            mark, style = MARKS[f.verdict]
            show(f"{paint(mark, style)} {f.check.ljust(width)}  {f.result}")
            if f.fix:
                show(f"  {' ' * width}  {paint('fix', 'name')}: {f.fix}")
    broken = sum(f.verdict == "bad" for f in findings)
    if broken:
        say(f"{plural(broken, 'problem')}")
        raise typer.Exit(CONFIG)


async def _examine(app: str, home: str) -> list[Finding]:
    from remit.bootstrap.doctor import broken, examine, python
    from remit.core.errors import RemitError

    try:
        settings = settings_for(home=home, app=app)
    except RemitError as error:
        return [python(), broken("settings", error)]
    return await examine(settings)
