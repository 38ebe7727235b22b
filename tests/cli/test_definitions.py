"""Definitions from a terminal: apply, look, roll back, export; what files say is what is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROMPT = """\
kind: prompt
name: greeting
comment: how we greet
spec:
  text: |
    Greet the guest.
    Be brief.
"""
AGENT = """\
kind: agent
name: greeter
spec:
  description: Greets.
  instructions: {prompt: greeting}
"""


@pytest.fixture
def files(project: Path) -> Path:
    """A folder with an agent and the prompt it refers to, in the wrong order."""
    folder = project / "definitions"
    folder.mkdir()
    (folder / "a-agent.yaml").write_text(AGENT)
    (folder / "b-prompt.yml").write_text(f"{PROMPT}---\n")
    return folder


def changes(answer: Any) -> int:
    assert answer.code == 0, answer.err
    return int(answer.document["changes"])


def test_applying_twice_changes_nothing_the_second_time(remit: Callable[..., Any], files: Path) -> None:
    """What is referred to comes first; the second time nothing is written."""
    first = remit("apply", "-f", "definitions", "--json")
    assert [(s["kind"], s["verdict"]) for s in first.document["items"]] == [
        ("prompt", "create"),
        ("agent", "create"),
    ]
    assert changes(remit("apply", "-f", "definitions", "--json")) == 0
    (files / "b-prompt.yml").write_text(PROMPT.replace("brief", "warm"))
    assert changes(remit("apply", "-f", "definitions", "--json", "--why", "warmer")) == 1
    history = remit("history", "prompt/greeting", "--json").document["items"]
    assert [(d["version"], d["status"], d["change_reason"]) for d in history] == [
        (2, "active", "warmer"),
        (1, "archived", "applied from files"),
    ]


def test_a_dry_run_prints_the_diff_and_changes_nothing(remit: Callable[..., Any], files: Path) -> None:
    """Exit 0, a unified diff of what would change, and no version."""
    dry = remit("apply", "-f", "definitions", "--dry-run")
    assert dry.code == 0
    assert "+ create prompt/greeting" in dry.out
    assert "2 definitions would change" in dry.err
    assert remit("get", "prompt", "--json").document["items"] == []
    remit("apply", "-f", "definitions")
    (files / "b-prompt.yml").write_text(PROMPT.replace("brief", "warm"))
    dry = remit("apply", "-f", "definitions", "--dry-run")
    assert "-  Be brief." in dry.out
    assert "+  Be warm." in dry.out
    assert "agent/greeter" not in dry.out
    assert remit("get", "prompt/greeting", "--json").document["version"] == 1


def test_every_mistake_is_told_at_once_with_file_and_line(remit: Callable[..., Any], files: Path) -> None:
    """Nothing is applied when one document is wrong, wherever it stands."""
    (files / "c.yaml").write_text(
        PROMPT
        + "---\nkind: prompt\nname: a b\nspec: {text: x}\n"
        + "---\nkind: prompt\nname: empty\nspec: {}\n"
        + "---\nkind: nothing\nname: x\nspec: {}\n"
        + "---\nkind: agent\nname: bad\nspec: {instructions: hi, tools: [no_such_tool]}\n"
    )
    answer = remit("apply", "-f", "definitions")
    assert answer.code == 2
    for said in (
        "c.yaml:1: prompt `greeting` is already in definitions/b-prompt.yml:1",
        "c.yaml:9: `a b` is no name for a definition",
        "c.yaml:13: not a valid `PromptBody`",
        "c.yaml:17: there is no kind `nothing`",
        "c.yaml:21: there is no tool `no_such_tool`",
    ):
        assert said in answer.err, answer.err
    assert remit("get", "prompt", "--json").document["items"] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: prompt\nname: x\nspec: {text: a}\nmore: 1\n", "c.yaml:1:"),
        ("kind: prompt\nkind: prompt\nname: x\nspec: {}\n", "`kind` occurs twice"),
        ("kind: prompt\nname: [\n", "not YAML"),
        ("- kind: prompt\n", "c.yaml:1:"),
        ("kind: agent\nname: x\nspec: {instructions: {prompt: nowhere}}\n", "refers to prompt `nowhere`"),
    ],
)
def test_a_file_that_is_wrong_is_refused(
    remit: Callable[..., Any], files: Path, text: str, said: str
) -> None:
    """The mistake is named with its place, and nothing is applied."""
    (files / "c.yaml").write_text(text)
    answer = remit("apply", "-f", "definitions")
    assert answer.code == 2
    assert said in answer.err
    assert remit("get", "prompt", "--json").document["items"] == []


def test_pruning_archives_only_what_came_from_files(remit: Callable[..., Any], files: Path) -> None:
    """Of the kinds the files speak of; what somebody made otherwise stays."""
    remit("apply", "-f", "definitions")
    (files / "extra.json").write_text(
        json.dumps([{"kind": "prompt", "name": n, "spec": {"text": n}} for n in ("one", "two")])
    )
    remit("apply", "-f", "definitions")
    (files / "drafted.yaml").write_text("kind: prompt\nname: byhand\nspec: {text: hand}\n")
    assert remit("draft", "-f", "definitions/drafted.yaml", "--why", "try").code == 0
    assert remit("promote", "prompt/byhand", "1", "--why", "good").code == 0
    assert remit("draft", "-f", "definitions/drafted.yaml", "--why", "again").code == 0
    refused = remit("refuse", "prompt/byhand", "2", "--why", "no better")
    assert "version 2 is archived" in refused.err
    (files / "drafted.yaml").unlink()
    (files / "extra.json").unlink()
    assert changes(remit("apply", "-f", "definitions", "--json")) == 0
    dry = remit("apply", "-f", "definitions", "--prune", "--dry-run", "--json").document
    assert [(s["name"], s["verdict"]) for s in dry["items"] if s["verdict"] != "unchanged"] == [
        ("one", "archive"),
        ("two", "archive"),
    ]
    assert changes(remit("apply", "-f", "definitions", "--prune", "--json")) == 2
    assert changes(remit("apply", "-f", "definitions", "--prune", "--json")) == 0
    active = [h["name"] for h in remit("get", "prompt", "--json").document["items"] if h["active"]["version"]]
    assert active == ["byhand", "greeting"]


def test_what_is_exported_applies_back_to_no_change(
    remit: Callable[..., Any], files: Path, project: Path
) -> None:
    """Text of several lines, unicode, odd scalars and switches survive the way out and back."""
    odd = {"text": 'a: "b"\n\n  c # not a comment\ttab \u00fc \u2028 yes\n'}
    (files / "odd.json").write_text(json.dumps({"kind": "prompt", "name": "odd", "spec": odd}))
    (files / "off.yaml").write_text("kind: prompt\nname: off\nenabled: false\nspec: {text: 2026-07-01}\n")
    remit("apply", "-f", "definitions")
    assert remit("export", "-o", "out").code == 0
    assert (project / "out" / "prompt" / "off.yaml").read_text().startswith("kind: prompt\nname: 'off'\n")
    assert changes(remit("apply", "-f", "out", "--json")) == 0
    only = remit("export", "-o", "-", "--kind", "agent")
    assert "greeter" in only.out
    assert "greeting\n" not in only.out.replace("prompt: greeting\n", "")
    fresh = project / "fresh.yaml"
    fresh.write_text(remit("export", "-o", "-").out)
    assert changes(remit("apply", "-f", "fresh.yaml", "--json")) == 0
    assert changes(remit("apply", "-f", "fresh.yaml", "--json", "--tenant", "acme")) == 4
    assert remit("get", "prompt/off", "--json", "--tenant", "acme").document["enabled"] is False


def test_aliases_are_exported_and_applied_again(
    remit: Callable[..., Any], files: Path, project: Path
) -> None:
    """By what they stand for: another tenant, whose versions have other numbers, gets the same; a dry run shows them."""
    remit("apply", "-f", "definitions")
    (files / "b-prompt.yml").write_text("kind: prompt\nname: greeting\nspec: {text: Second.}\n")
    remit("apply", "-f", "definitions")
    assert remit("alias", "prompt/greeting", "stable", "1", "--why", "proved").code == 0
    assert remit("alias", "prompt/greeting", "active", "2", "--canary", "1:10", "--why", "back?").code == 0
    (project / "all.yaml").write_text(remit("export", "-o", "-").out)
    assert changes(remit("apply", "-f", "all.yaml", "--json")) == 0
    assert changes(remit("apply", "-f", "all.yaml", "--json", "--tenant", "acme")) == 2
    assert changes(remit("apply", "-f", "all.yaml", "--json", "--tenant", "acme")) == 0
    first = remit("get", "prompt/greeting", "--version", "1", "--json").document["body"]
    there = remit("get", "prompt/greeting", "--alias", "stable", "--json", "--tenant", "acme").document
    assert (there["body"], there["version"]) == (first, 2)
    head = next(h for h in remit("get", "prompt", "--json", "--tenant", "acme").document["items"])
    assert (head["active"]["version"], head["active"]["canary"], head["active"]["canary_percent"]) == (
        1,
        2,
        10,
    )
    assert remit("alias", "prompt/greeting", "stable", "0", "--why", "no").code == 0
    dry = remit("apply", "-f", "all.yaml", "--dry-run")
    assert "~ alias prompt/greeting" in dry.out
    assert "+  stable:" in dry.out


def test_a_switch_in_a_file_makes_no_version(remit: Callable[..., Any], files: Path) -> None:
    """`enabled` alone switches; a file that says nothing leaves the switch alone."""
    remit("apply", "-f", "definitions")
    assert remit("disable", "prompt/greeting", "--why", "stop").code == 0
    assert changes(remit("apply", "-f", "definitions", "--json")) == 0
    (files / "b-prompt.yml").write_text(f"enabled: true\n{PROMPT}")
    items = remit("apply", "-f", "definitions", "--json").document["items"]
    assert [s["verdict"] for s in items] == ["enable", "unchanged"]
    assert remit("get", "prompt/greeting", "--json").document["version"] == 1


def test_looking_at_a_definition(remit: Callable[..., Any], files: Path) -> None:
    """get, history, diff, alias, archive, rollback, enable: what each says."""
    remit("apply", "-f", "definitions")
    (files / "b-prompt.yml").write_text(PROMPT.replace("brief", "warm"))
    remit("apply", "-f", "definitions", "--as", "ana")
    shown = remit("get", "prompt/greeting")
    assert "version 2, active" in shown.out
    assert "Be warm." in shown.out
    assert "Be brief." in remit("get", "prompt/greeting", "--version", "1").out
    assert "-  Be brief." in remit("diff", "prompt/greeting", "1", "2").out
    differing = remit("diff", "prompt/greeting", "1", "2", "--json").document["items"]
    assert [(d["path"], d["op"]) for d in differing] == [("/text", "changed")]
    assert remit("rollback", "prompt/greeting", "1", "--why", "worse", "--expect", "1").code == 1
    lost = remit("rollback", "prompt/greeting", "1", "--why", "worse", "--expect", "1")
    assert "was changed by `ana`: edit of version 2" in lost.err
    assert remit("rollback", "prompt/greeting", "1", "--why", "worse", "--expect", "2").code == 0
    assert remit("alias", "prompt/greeting", "active", "1", "--canary", "2:25", "--why", "try").code == 0
    assert remit("alias", "prompt/greeting", "next", "2", "--why", "name").code == 0
    assert "version 2" in remit("get", "prompt/greeting", "--alias", "next").out
    assert "active=1 (25 % 2)" in remit("get", "prompt").out
    trail = remit("history", "prompt/greeting", "--changes", "--json").document["items"]
    assert [c["action"] for c in trail] == ["alias", "alias", "rollback", "edit", "create"]
    assert remit("get", "prompt/greeting", "--at", "2100-01-01").code == 0
    assert remit("get", "prompt/greeting", "--at", "2000-01-01").code == 2
    assert remit("archive", "prompt/greeting", "--why", "gone").code == 0
    assert remit("get", "prompt/greeting").code == 2
    assert "archived" in remit("get", "prompt").out
    assert remit("enable", "prompt/greeting", "--why", "on").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "nokind"),
        ("get", "prompt/none"),
        ("get", "prompt/greeting", "--version", "1", "--alias", "x"),
        ("get", "prompt/greeting", "--at", "someday"),
        ("history", "prompt"),
        ("rollback", "prompt/greeting", "1", "--why", "active already"),
        ("promote", "prompt/greeting", "1", "--why", "no draft"),
        ("rollback", "prompt/greeting", "1", "--why", " "),
        ("alias", "prompt/greeting", "x", "1", "--canary", "two", "--why", "w"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(
    remit: Callable[..., Any], files: Path, arguments: tuple[str, ...]
) -> None:
    """Exit 2 with a sentence, never a traceback."""
    remit("apply", "-f", "definitions")
    answer = remit(*arguments)
    assert answer.code == 2, answer.err
    assert "error[" in answer.err


def test_an_agent_of_code_is_where_an_edit_starts(remit: Callable[..., Any], project: Path) -> None:
    """What code says of an agent, as a document: edited and applied, the next run goes by it and says so."""
    shown = remit("get", "agent/hello", "--code")
    assert shown.code == 0, shown.err
    (project / "hello.yaml").write_text(shown.out)
    assert changes(remit("apply", "-f", "hello.yaml", "--json")) == 1
    done = remit("run", "hello", "Ann", "--json")
    assert done.code == 0, done.err
    assert "agent/hello version 1" in remit("runs", "show", done.document["run_id"]).out
    assert remit("get", "agent/nobody", "--code").code == 2


def test_a_policy_says_when_it_is_in_force(remit: Callable[..., Any], project: Path) -> None:
    """Whoever applies one learns that runs under way go by it too."""
    (project / "p.yaml").write_text("kind: policy_profile\nname: p\nspec: {cedar: ''}\n")
    assert "note: policy_profile: in force for new runs at once" in remit("apply", "-f", "p.yaml").err


def test_a_folder_without_files_is_refused(remit: Callable[..., Any], project: Path) -> None:
    """Pruning everything because a folder was mistyped would be a disaster."""
    answer = remit("apply", "-f", "nowhere", "--prune")
    assert (answer.code, "there is no file or folder `nowhere`" in answer.err) == (2, True)
    (project / "empty").mkdir()
    answer = remit("apply", "-f", "empty", "--prune")
    assert (answer.code, "holds no YAML or JSON file" in answer.err) == (3, True)
