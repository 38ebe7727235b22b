"""`--json`: every command that shows or changes something has it, and then stdout is one JSON document and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.adapters.notify.servers import web_server

from remit.cli.commands import FURTHER, PANELS
from remit.cli.main import command

if TYPE_CHECKING:
    from conftest import Remit

MORE = ("--app", "more.py")

WITHOUT = {
    "chat": "a conversation, line by line",
    "up": "serves until Ctrl-C",
    "worker": "works until Ctrl-C",
    "agentcore": "serves until Ctrl-C",
    "activities work": "works until Ctrl-C",
    "mcp serve": "speaks a protocol of its own on stdout",
    "demo": "a story for people",
    "workflow input": "prints a JSON Schema anyway",
    "deploy emulator env": "prints what a shell evaluates",
}
"""Commands that have no `--json`, each with the reason."""


def leaves(found: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command of the tree by its whole name."""
    inner = getattr(found, "commands", None)
    if inner is None:
        yield name, found
        return
    for own, below in inner.items():
        yield from leaves(below, f"{name} {own}".strip())


EVERY = dict(leaves(command()))


def test_every_command_has_it_or_a_reason() -> None:
    """Spelt and explained alike everywhere."""
    lacking = {name for name, c in EVERY.items() if not any("--json" in p.opts for p in c.params)}
    assert lacking == set(WITHOUT)


def test_everything_has_help_in_plain_words() -> None:
    """A sentence for each command and option, a name in capitals for each value, and no word of Python's."""
    for name, found in EVERY.items():
        context = found.make_context(name, [], resilient_parsing=True, terminal_width=100, color=False)
        text = found.get_help(context)
        assert found.help, name
        assert all(p.help for p in found.params), (name, [p.name for p in found.params if not p.help])
        assert not re.search(r"<(int|str|list|float|path|bool)|<=x|x[<>]=|^Usage: .*[{]", text), text


def test_the_help_has_a_panel_for_what_people_do(remit: Remit) -> None:
    """Each command stands in one of them, once; `runs` and the others have what further modules add."""
    said = remit("--help").out
    for title, names in PANELS.items():
        panel = said.partition(f"\n{title}:\n")[2].partition("\n\n")[0]
        assert [line.split()[0] for line in panel.splitlines()] == list(names), panel
    names = [name for panel in PANELS.values() for name in panel]
    assert len(names) == len(set(names))
    assert names == list(command().commands)
    assert {noun for noun in FURTHER if len(command().commands[noun].commands) > 5} == set(FURTHER)


def done(remit: Remit, line: str, *more: str, code: int = 0) -> Any:
    """The document that a command prints with `--json`; talk stays on stderr."""
    answer = remit(*line.split(), *more, "--json")
    assert answer.code == code, answer.err
    return json.loads(answer.out)


def gone(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """What every command answers that takes something away."""
    return {"kind": kind, "id": name, "gone": True, **more}


def test_definitions_are_answered_as_the_api_gives_them(remit: Remit, project: Path) -> None:
    """The version that a change is about, or the head where an alias is."""
    file = project / "p.yaml"
    file.write_text("kind: prompt\nname: p\ncomment: first\nspec: {text: One.}\n")
    assert done(remit, "apply -f p.yaml")["changes"] == 1
    file.write_text("kind: prompt\nname: p\nspec: {text: Two.}\n")
    (made,) = done(remit, "draft -f p.yaml --why try")["items"]
    assert (made["version"], made["status"]) == (2, "draft")
    assert done(remit, "promote prompt/p 2 --why good")["status"] == "active"
    assert done(remit, "rollback prompt/p 1 --why worse")["version"] == 1
    assert done(remit, "alias prompt/p next 2 --why name")["aliases"] == {
        "next": {"version": 2, "canary": 0, "canary_percent": 0}
    }
    assert done(remit, "disable prompt/p --why stop")["enabled"] is False
    assert done(remit, "enable prompt/p --why go")["enabled"] is True
    (exported,) = done(remit, "export --out -")["items"]
    assert (exported["name"], exported["spec"]["text"], "where" in exported) == ("p", "One.", False)
    (project / "again.json").write_text(json.dumps([exported]))
    assert done(remit, "apply -f again.json")["changes"] == 0
    assert done(remit, "export --out out")["items"] == [
        {"kind": "prompt", "name": "p", "file": "out/prompt/p.yaml"}
    ]
    assert len(done(remit, "diff prompt/p 1 2")["items"]) == 1
    done(remit, "draft -f p.yaml --why again")
    assert done(remit, "refuse prompt/p 3 --why no")["status"] == "archived"
    assert done(remit, "archive prompt/p --why gone")["version"] == 1


def test_what_is_forgotten_says_what_it_was(remit: Remit, project: Path) -> None:
    """One shape for all that is gone."""
    (project / "notes.txt").write_text("The shop opens at nine.")
    (added,) = done(remit, "documents add notes.txt")["items"]
    assert done(remit, "documents reindex") == {"documents": 1}
    name = added["document_id"]
    assert done(remit, f"documents delete {name}") == gone("document", name)
    done(remit, "views save mine --filter status=failure")
    assert done(remit, "views remove mine") == gone("view", "mine")
    done(remit, "tables add t data/t.parquet")
    assert done(remit, "tables remove t") == gone("table", "t")
    done(remit, "rules add r --target hello --pattern", '{"type":["a"]}')
    assert done(remit, "rules remove r") == gone("rule", "r")
    key = done(remit, "keys create --actor ana --role viewer")["key_id"]
    assert done(remit, f"keys revoke {key}") == gone("key", key)
    fact = done(remit, "memories add customer:42", "likes tea")
    assert (fact["subject"], fact["text"]) == ("customer:42", "likes tea")
    assert done(remit, "memories forget customer:42") == {"forgotten": 1}


def test_schedules_and_notifiers_are_answered_as_they_are_now(remit: Remit, project: Path) -> None:
    """After each change of them."""
    done(remit, "schedules add s daily hello")
    assert done(remit, "schedules pause s")["state"] == "paused"
    assert done(remit, "schedules resume s")["state"] == "enabled"
    assert done(remit, "schedules fire s")["run_id"].startswith("run_")
    assert done(remit, "schedules remove s") == gone("schedule", "s")
    with web_server() as web:
        done(remit, "notifiers add n webhook", web.url)
        assert done(remit, "notifiers mute n --for 1h")["muted_until"] > 0
        assert done(remit, "notifiers unmute n")["muted_until"] == 0
        assert done(remit, "notifiers test n")["receipt"]
        assert len(web.requests) == 1
    assert done(remit, "notifiers remove n") == gone("notifier", "n")


def test_runs_and_conversations_are_answered(remit: Remit, project: Path) -> None:
    """Whole, as the API gives them."""
    run = done(remit, "run hello Ada")["run_id"]
    kept = done(remit, f"runs export {run} --out a.json")
    assert (kept["file"], sorted(kept["head"])) == ("a.json", ["hash", "size"])
    assert json.loads((project / "a.json").read_text())["public_key"] == kept["public_key"]
    assert done(remit, f"runs export {run} --out -")["run_id"] == run
    assert done(remit, "doctor")["items"]
    assert done(remit, "policy test policies/cases.toml")["items"]
    assert done(remit, "policy tools")["items"]
    assert done(remit, "connections list")["items"] == []
    assert done(remit, "version")["version"]
    made = done(remit, "init other")
    assert (made["folder"], "other/agents.py" in made["files"]) == ("other", True)
    waiting = done(remit, "run hello Ada --profile house", code=5)["run_id"]
    assert done(remit, f"runs cancel {waiting}")["items"][0]["outcome"] == "done"


def test_a_dead_letter_and_a_callback_are_answered(remit: Remit, project: Path) -> None:
    """The ids of those that were sent again or forgotten; how a task was answered."""
    lost = {"pattern": {"type": ["lost"]}, "target": "nobody", "retry": {"attempts": 1}}
    (project / "lost.json").write_text(json.dumps([{"kind": "rule", "name": "lost", "spec": lost}]))
    done(remit, "apply -f lost.json")
    done(remit, "events publish lost")
    assert remit("worker", "--until-idle").code == 0
    (dead,) = done(remit, "events dead-letters list")["items"]
    name = dead["dead_letter_id"]
    assert done(remit, f"events dead-letters redrive {name}") == {"items": [name]}
    assert remit("worker", "--until-idle").code == 0
    (dead,) = done(remit, "events dead-letters list")["items"]
    found = done(remit, "events dead-letters discard --rule rule:lost")
    assert found == {"items": [dead["dead_letter_id"]]}
    flow = {"QueryLanguage": "JSONata", "StartAt": "Ask", "States": {"Ask": {"Type": "Task", "End": True}}}
    flow["States"]["Ask"]["Resource"] = "remit:activity:measure"  # type: ignore[index]
    (project / "flow.json").write_text(json.dumps(flow))
    run = done(remit, "workflow run flow.json --detach")["run_id"]
    assert remit("worker", "--until-idle").code == 0
    token = done(remit, "activities take measure --wait 0")["token"]
    assert done(remit, f"callbacks heartbeat {token}") == {"answer": "heartbeat"}
    assert done(remit, f"callbacks succeed {token} --output 7") == {"answer": "success"}
    assert remit("worker", "--until-idle").code == 0
    assert done(remit, f"runs show {run}")["status"] == "success"


def test_nobody_approves_a_tool_unseen(remit: Remit, project: Path) -> None:
    """`--json` prints nothing to read before the question, so it takes `--yes`."""
    said = remit("mcp", "approve", "s", "--json")
    assert (said.code, "error[E1140]" in said.err, "remit mcp inspect s" in said.err) == (2, True, True)


def test_a_conversation_is_cut_and_forgotten(remit: Remit) -> None:
    """With how many messages."""
    assert remit("chat", "hello", "--session", "s1", typed="Ada\nEve\n").code == 0
    assert done(remit, "conversations prune s1 --keep 1") == {"session_id": "s1", "deleted": 7}
    assert done(remit, "conversations forget s1") == gone("conversation", "s1", messages=1)
