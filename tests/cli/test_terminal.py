"""How it looks: colour, streams, what a model may not do to a terminal, completion, and the person at the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from remit.cli import text

if TYPE_CHECKING:
    from conftest import Remit, Terminal

ESC = "\x1b["


def test_a_pipe_gets_no_colour(run_program: Remit) -> None:
    """Not a terminal: plain lines."""
    answer = run_program("run", "hello", "Ada")
    assert ESC not in answer.out + answer.err


def test_a_terminal_gets_colour_unless_no_color(at_terminal: Terminal, on_screen: Terminal) -> None:
    """NO_COLOR takes colour, bold and dim away from lines, errors and tables alike; on a real terminal first."""
    run = ["run", "hello", "Ada"]
    for shown, plain in (
        (at_terminal(run), at_terminal(run, NO_COLOR="1")),
        *(
            (on_screen(*arguments), on_screen(*arguments, NO_COLOR="1"))
            for arguments in (run, ["runs", "list"], ["runs", "show", "nope"])
        ),
    ):
        assert ESC in shown[1]
        assert not [n for n in (1, 2, 31, 32, 33, 36) if f"\x1b[{n}m" in plain[1]], plain[1]


def test_the_person_at_the_terminal_decides(at_terminal: Terminal) -> None:
    """The prompt says who decides, and that it is not the requester; the decision is theirs."""
    code, seen = at_terminal(
        ["run", "hello", "Ada", "--profile", "house", "--as", "eve"],
        {"[a]pprove": "a", "Why (for the record)": "she is known"},
    )
    assert (code, "Hello, Ada!" in seen) == (0, True), seen
    assert "You decide as `eve` (approver). The requester is `local`" in text.seen(seen)
    assert "approve by eve: “she is known”" in text.seen(seen)


def test_leaving_it_waiting_ends_with_5(at_terminal: Terminal) -> None:
    """Nothing is decided; the run waits."""
    code, seen = at_terminal(["run", "hello", "Ada", "--profile", "house"], {"[a]pprove": "l"})
    assert (code, "needs_approval" in seen) == (5, True), seen


def test_a_requester_at_the_prompt_is_refused_and_asked_again(at_terminal: Terminal) -> None:
    """`--as local` may not decide about its own request."""
    typed = {"[a]pprove": "a", "Why (for the record)": "me", "E311": "l"}
    code, seen = at_terminal(["run", "hello", "Ada", "--profile", "house", "--as", "local"], typed)
    assert (code, "nobody approves their own request" in seen) == (5, True), seen


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there(remit: Remit, run_program: Remit, shell: str) -> None:
    """The shell gets a script, and the script gets the nouns."""
    assert "_REMIT_COMPLETE" in remit(_REMIT_COMPLETE=f"source_{shell}").out
    asked = {"COMP_WORDS": "remit runs ", "COMP_CWORD": "2", "_TYPER_COMPLETE_ARGS": "remit runs "}
    asked["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    call = run_program if shell == "bash" else remit
    answer = call(_REMIT_COMPLETE=f"complete_{shell}", **asked)
    for noun in ("list", "show", "events", "verify", "archive", "export", "cancel", "resume"):
        assert noun in answer.out


def test_what_a_model_wrote_cannot_drive_the_terminal() -> None:
    """Control characters never get through."""
    nasty = "\x1b]0;owned\x07\x1b[2Jhi\r\nthere\u202e"
    for shown in (text.brief(nasty), *text.lines(nasty)):
        assert shown.isprintable()


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (text.money("0E-9"), "$0"),
        (text.money("0.0123"), "$0.0123"),
        (text.money(12.5), "$12.50"),
        (text.duration(4), "4 ms"),
        (text.duration(2500), "2.5 s"),
        (text.duration(600_000), "10 min"),
        (text.duration(7_200_000), "2.0 h"),
        (text.plural(1, "event"), "1 event"),
        (text.plural(1200, "event"), "1,200 events"),
        (text.moment(None), "-"),
        (text.brief({"a": "ä" * 99}, 20), '{"a": "' + "ä" * 12 + "…"),
    ],
)
def test_values_for_people(made: str, shown: str) -> None:
    """Short, and without noise."""
    assert made == shown
