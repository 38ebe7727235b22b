"""What is asked of many runs and approvals at once, and the ways to find those that are meant."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from remit.bootstrap import open_app
from remit.core.task import Actor, Task
from remit.settings import load

if TYPE_CHECKING:
    from conftest import Remit

MORE = ("--app", "more.py")


def submit(*agents: str, begin: int = 0, **fields: object) -> list[str]:
    """A run of each of these agents of `more.py`, as far as it goes; their ids."""

    async def go() -> list[str]:
        async with open_app(load(app="more.py")) as app:
            tasks = [
                Task(f"t{n}", name, f"task {n}", actor_context=Actor("local"), **fields)  # type: ignore[arg-type]
                for n, name in enumerate(agents, begin)
            ]
            return [(await app.run(task)).run_id for task in tasks]

    return asyncio.run(go())


def outcomes(document: dict[str, Sequence[dict[str, str]]]) -> list[tuple[str, str]]:
    """What became of each."""
    return [(item["run_id"], item["outcome"]) for item in document["items"]]


def test_many_runs_are_cancelled_and_what_is_refused_is_told(
    remit: Remit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that have ended are left alone; one that is not there makes the exit code 1, and harms no other."""
    first, second, ended = submit("wiper", "wiper", "broken")
    answer = remit("runs", "cancel", first, ended, "run_none", first, "--json")
    assert outcomes(answer.document) == [(first, "done"), (ended, "nothing"), ("run_none", "refused")]
    assert answer.code == 1
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{second}\n{ended}\n"))
    answer = remit("runs", "cancel", "-")
    assert (answer.code, second in answer.out) == (0, True)
    remit("worker", "--until-idle", *MORE)
    assert remit("runs", "list", "--status", "failure", "--ids").out.split() == [ended, second, first]
    monkeypatch.setattr("sys.stdin", io.StringIO(" \n"))
    answer = remit("runs", "cancel", "-")
    assert (answer.code, "E1080" in answer.err) == (2, True)


def test_many_runs_are_done_again(remit: Remit) -> None:
    """Each failed run gets a new one; the same id again gives the same runs, and one that waits is refused."""
    one, other, waits = submit("broken", "broken", "wiper")
    again = remit("runs", "retry", one, other, waits, "--fork-id", "again", "--json", *MORE)
    made = {item["made"] for item in again.document["items"] if item["made"]}
    assert outcomes(again.document) == [(one, "done"), (other, "done"), (waits, "refused")]
    assert (again.code, len(made), made & {one, other}) == (1, 2, set())
    same = remit("runs", "retry", one, other, "--fork-id", "again", "--json", *MORE)
    assert (same.code, {item["made"] for item in same.document["items"]}) == (0, made)


def test_runs_are_found_by_filters_and_by_a_saved_view(remit: Remit) -> None:
    """What is given goes before the view; a view of another page is none of runs."""
    failed, _ = submit("broken", "wiper")
    listed = ("runs", "list", "--ids")
    assert remit(*listed, "--since", "1h", "--status", "failure").out.split() == [failed]
    assert remit(*listed, "--until", "2001-01-01").out == ""
    assert remit(*listed, "--since", "soon").code == 2
    below = submit("boss", begin=2)[0]
    assert len(remit(*listed).out.split()) == 4
    assert len(remit(*listed, "--top").out.split()) == 3
    assert below in remit(*listed, "--top", "--agent", "boss").out

    pairs = ("--filter", "status=failure", "--filter", "period=24h", "--filter", "top=1")
    assert remit("views", "save", "broken today", *pairs).code == 0
    assert remit(*listed, "--view", "broken today").out.split() == [failed]
    assert failed not in remit(*listed, "--view", "broken today", "--status", "waiting").out
    (view,) = remit("views", "list", "--json").document["items"]
    assert (view["page"], view["query"]) == ("runs", {"status": "failure", "period": "24h", "top": "1"})
    assert "status=failure" in remit("views", "show", "broken today").out
    assert remit("views", "list", "--as", "eve", "--json").document["items"] == []
    assert remit("views", "save", "costs", "--page", "costs").code == 0
    assert "E1081" in remit(*listed, "--view", "costs").err
    assert "E1082" in remit("views", "save", "x", "--filter", "failure").err
    remit("views", "remove", "costs")
    assert remit("views", "show", "costs").code == 2


def test_a_step_and_the_runs_below_a_run_are_shown(remit: Remit) -> None:
    """What went in, what policy said, and who was asked; the child of a run, and what each agent cost."""
    (run_id,) = submit("boss")
    (child,) = remit("runs", "family", run_id, "--json").document["items"]
    assert (child["agent"], child["status"]) == ("wiper", "waiting")
    answer = remit("runs", "family", run_id)
    assert (child["run_id"] in answer.out, "boss: 1 run" in answer.err) == (True, True)
    (step,) = remit("runs", "steps", child["run_id"], "--kind", "tool", "--json").document["items"]
    shown = remit("runs", "step", child["run_id"], step["step"])
    assert ("wipe" in shown.out, '"what": "disk"' in shown.out, "approvals show" in shown.out) == (True,) * 3
    detail = remit("runs", "step", child["run_id"], step["step"], "--json").document
    assert detail["row"]["name"] == "wipe"
    assert remit("runs", "step", run_id, "none").code == 2


def test_identical_approvals_are_decided_together(remit: Remit) -> None:
    """Of exactly the same call; each is decided by itself, so one that was decided before is told."""
    submit("wiper", "wiper")
    ids = [item["approval_id"] for item in remit("approvals", "list", "--json").document["items"]]
    answer = remit("approvals", "approve", *ids, "--why", "known", "--as", "eve", "--json")
    assert answer.code == 0
    assert {item["approval"]["status"] for item in answer.document["items"]} == {"approved"}
    again = remit("approvals", "reject", *ids, "--as", "eve")
    assert (again.code, again.out.count("[E")) == (1, 2)


def test_conversations_are_searched_and_named(remit: Remit) -> None:
    """By title or by what was said; a user's own."""
    submit("broken", session_id="tea")
    assert remit("conversations", "rename", "tea", "  About   kettles ").code == 0
    found = remit("conversations", "search", "kettles").out
    assert ("tea" in found, "About kettles" in found) == (True, True)
    (said,) = remit("conversations", "search", "TASK 0", "--json").document["items"]
    assert (said["conversation"]["session_id"], said["excerpt"]) == ("tea", "task 0")
    assert remit("conversations", "search", "kettles", "--user", "eve", "--json").document["items"] == []
    assert "E1083" in remit("conversations", "rename", "tea", " ").err
    assert remit("conversations", "rename", "none", "x").code == 2


def test_all_changes_of_definitions_are_listed(
    remit: Remit, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Newest first, with what each was about; versions are of one definition."""
    folder = tmp_path_factory.mktemp("definitions")
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(f"kind: prompt\nname: {name}\nspec: {{text: Be brief.}}\n")
    assert remit("apply", "-f", str(folder), "--why", "first").code == 0
    listed = remit("history", "--changes").out
    assert ("prompt/a" in listed, "prompt/b" in listed) == (True, True)
    assert len(remit("history", "--changes", "--json").document["items"]) == 2
    assert remit("history").code == 2
