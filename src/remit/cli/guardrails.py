"""`remit guardrails`: try a guardrails file on a text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.console import document, paint, say, show
from remit.cli.session import run_async
from remit.core.errors import ConfigError

if TYPE_CHECKING:
    from remit.ports.guardrail import Verdict

app = typer.Typer(no_args_is_help=True, help="Try a guardrails file.", rich_markup_mode=None)

BLOCKED = 1
_TONES = {"passed": "good", "masked": "warn", "blocked": "bad"}


@app.callback()
def root() -> None:
    """Try a guardrails file."""


@app.command("test")
def try_text(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A guardrails file (TOML).")],
    text: Annotated[
        str, typer.Option("--text", metavar="TEXT", help="What to judge; `-` reads it from standard input.")
    ],
    output: Annotated[
        bool, typer.Option("--output", help="Judge it as an answer, not as something to read.")
    ] = False,
    source: Annotated[
        list[Path] | None,
        typer.Option(
            "--source",
            metavar="FILE",
            help="What the answer should stand in; may be repeated.",
            show_default=False,
        ),
    ] = None,
    query: Annotated[
        str, typer.Option("--query", metavar="TEXT", help="What was asked.", show_default=False)
    ] = "",
    as_json: o.Json = False,
) -> None:
    """Judge one text, and show what goes on in its place. Exit 1 when it is blocked."""
    from remit.adapters.guardrail.local import LocalGuardrail
    from remit.core.guardrail import parse_guardrail
    from remit.ports.guardrail import About

    guardrail = LocalGuardrail(parse_guardrail(_read(file), file.name))
    about = About(tuple(_read(path) for path in source or ()), query)
    given = sys.stdin.read() if text == "-" else text
    verdict = run_async(guardrail.check(given, "output" if output or source else "input", about))
    _show(verdict, as_json=as_json)
    if verdict.outcome == "blocked":
        raise typer.Exit(BLOCKED)


def _show(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        document({"outcome": verdict.outcome, "text": verdict.text, "why": verdict.why})
        return
    say(
        paint(verdict.outcome, _TONES[verdict.outcome])
        + (f": {', '.join(verdict.why)}" if verdict.why else "")
    )
    show(verdict.text)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"`{path}` cannot be read ({type(error).__name__})", code="E974", help="name a text file"
        ) from error
