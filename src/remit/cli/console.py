"""Words on a terminal. Colour is dropped when the stream is no terminal or NO_COLOR is set (see `main.root`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

COLOURS: dict[str, dict[str, Any]] = {
    "": {},
    "bold": {"bold": True},
    "dim": {"dim": True},
    "good": {"fg": "green"},
    "bad": {"fg": "red"},
    "warn": {"fg": "yellow"},
    "name": {"fg": "cyan"},
}

STATUS = {
    "success": "good",
    "succeeded": "good",
    "caught": "warn",
    "aborted": "dim",
    "retrying": "warn",
    "approved": "good",
    "ok": "good",
    "active": "good",
    "inactive": "dim",
    "disabled": "warn",
    "archived": "dim",
    "draft": "name",
    "done": "good",
    "failure": "bad",
    "failed": "bad",
    "rejected": "bad",
    "refused": "bad",
    "in_doubt": "bad",
    "PASSED": "good",
    "FAILED": "bad",
    "ERROR": "bad",
    "expired": "bad",
    "waiting": "warn",
    "needs_approval": "warn",
    "needs_info": "warn",
    "pending": "warn",
    "awaiting": "warn",
    "info_requested": "warn",
    "constrained": "warn",
}


def paint(text: str, style: str = "") -> str:
    """The text in one of `COLOURS`; `say` and `show` strip it where colour does not belong."""
    return typer.style(text, **COLOURS[style]) if style else text


def status(word: str, width: int = 0) -> str:
    """A status word in its colour, padded to `width`."""
    return paint(word.ljust(width), STATUS.get(word, ""))


def say(text: str = "") -> None:
    """Talk to the person: stderr."""
    typer.echo(text, err=True)


def more(cursor: str | None) -> None:
    """Say how to see the next page of a list, if there is one."""
    if cursor:
        say(paint(f"more: --cursor {cursor}", "dim"))


def show(text: str = "") -> None:
    """Data: stdout."""
    typer.echo(text)


def document(value: Any) -> None:
    """One JSON document on stdout."""
    import msgspec

    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns on stdout; cells may be painted, widths count what is seen."""
    from remit.cli.text import seen

    widths = [max(len(seen(row[i])) for row in (header, *rows)) for i in range(len(header))]
    show(paint("  ".join(h.ljust(w) for h, w in zip(header, widths, strict=True)).rstrip(), "dim"))
    for row in rows:
        cells = (c + " " * (w - len(seen(c))) for c, w in zip(row, widths, strict=True))
        show("  ".join(cells).rstrip())


def terminal() -> Console:
    """The person's terminal for what moves; under NO_COLOR without any style, where Rich still writes bold and dim."""
    from rich.console import Console

    made = Console(stderr=True, highlight=False)
    return Console(stderr=True, highlight=False, color_system=None) if made.no_color else made


def is_interactive() -> bool:
    """Whether a person can answer: stdin and stderr are terminals."""
    import sys

    return sys.stdin.isatty() and sys.stderr.isatty()


def problem(code: str, message: str, help: str = "") -> None:
    """What went wrong and what to do next, on stderr."""
    from remit.cli.text import clean

    say(f"{paint(f'error[{code}]', 'bad')}: {clean(message)}")
    if help:
        say(f"{paint('help', 'name')}: {clean(help)}")
