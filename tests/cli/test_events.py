"""Events and rules from a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SHOP = '''
from remit import agent

@agent(subscribes=["order.placed"], publishes=["order.packed"])
async def packer(event, memory, context):
    """Packs."""
    return await context.publish("order.packed", {"n": event["data"]["n"]}, key="k")

@agent
async def shipper(given):
    """Ships."""
    return {"shipped": given}
'''


LOST = {"pattern": {"type": ["lost"]}, "target": "nobody", "retry": {"attempts": 1}}
"""A rule for an agent that is not there yet, which files may hold and `remit rules add` refuses."""


@pytest.fixture
def shop(project: Path) -> Path:
    """A project whose agents listen to each other."""
    (project / "app.py").write_text(SHOP)
    (project / "remit.toml").write_text('app = "app.py"\n')
    return project


def test_from_an_event_to_the_last_run(shop: Path, remit) -> None:
    """A published event starts an agent, whose event starts another one by a rule."""
    pattern, given = (
        '{"type": ["order.packed"]}',
        '{"paths": {"n": "$.data.n"}, "template": {"number": "<n>"}}',
    )
    added = remit("rules", "add", "ship", "--pattern", pattern, "--target", "shipper", "--input", given)
    assert added.code == 0, added.err
    listed = remit("rules", "list")
    assert "agent:packer" in listed.out
    assert "rule:ship" in listed.out
    published = remit("events", "publish", "order.placed", "--data", '{"n": 7}', "--id", "o7", "--json")
    assert published.document["fresh"] is True
    again = remit("events", "publish", "order.placed", "--data", '{"n": 7}', "--id", "o7")
    assert "published before" in again.err
    assert remit("worker", "--until-idle").code == 0
    runs = remit("runs", "list", "--json").document["items"]
    assert sorted((r["agent_id"], r["status"]) for r in runs) == [
        ("packer", "success"),
        ("shipper", "success"),
    ]
    events = remit("events", "list", "--json").document["items"]
    assert [e["event"]["type"] for e in events] == ["order.packed", "order.placed"]
    assert "order.packed" in remit("events", "list", "--type", "order.packed").out
    assert "order.placed" not in remit("events", "list", "--type", "order.packed").out


def test_rules_are_shown_tried_and_taken_out_of_use(shop: Path, remit, tmp_path: Path) -> None:
    """A trial says which rules match and what they would start with, and does nothing."""
    remit(
        "rules", "add", "big", "--pattern", '{"data": {"n": [{"numeric": [">", 5]}]}}', "--target", "shipper"
    )
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"type": "order.placed", "data": {"n": 6}}))
    found = remit("rules", "test", "-e", str(file), "--json").document["items"]
    assert {t["name"]: t["matches"] for t in found} == {"agent:packer": True, "rule:big": True}
    assert "matches" in remit("rules", "test", "big", "-e", str(file)).out
    assert remit("rules", "show", "big", "--json").document["target"] == "shipper"
    assert "8, resting" in remit("rules", "show", "big").out
    changed = remit("rules", "add", "big", "--pattern", '{"type": ["x"]}', "--target", "shipper", "--ordered")
    assert "version 2" in changed.err
    assert "one run after the other" in remit("rules", "show", "big").out
    assert remit("rules", "remove", "big").code == 0
    assert remit("rules", "show", "big").code == 2
    assert remit("runs", "list", "--json").document["items"] == []


def test_rules_are_applied_from_files(shop: Path, remit, tmp_path: Path) -> None:
    """Like any other definition, checked with all the rest before anything is written."""
    file = tmp_path / "rule.yaml"
    text = "kind: rule\nname: ship\nspec:\n  pattern: {type: [order.packed]}\n  target: shipper\n"
    file.write_text(text)
    assert remit("apply", "-f", str(file)).code == 0
    assert remit("rules", "show", "ship", "--json").document["enabled"] is True
    file.write_text(text.replace("[order.packed]", "[]"))
    refused = remit("apply", "-f", str(file))
    assert refused.code == 2
    assert "empty list" in refused.err


def test_dead_letters_are_listed_shown_sent_again_and_forgotten(shop: Path, remit) -> None:
    """One by one, or all of a rule."""
    (shop / "lost.json").write_text(json.dumps({"kind": "rule", "name": "lost", "spec": LOST}))
    assert remit("apply", "-f", "lost.json").code == 0
    for n in range(3):
        remit("events", "publish", "lost", "--id", f"l{n}", "--key", "k")
    assert remit("worker", "--until-idle").code == 0
    dead = remit("events", "dead-letters", "list", "--json").document["items"]
    assert [d["event"]["id"] for d in dead] == ["l2", "l1", "l0"]
    shown = remit("events", "dead-letters", "show", dead[0]["dead_letter_id"])
    assert "there is no agent" in shown.out
    assert remit("events", "dead-letters", "discard", dead[0]["dead_letter_id"]).code == 0
    again = remit("events", "dead-letters", "redrive", "--rule", "rule:lost")
    assert "2 on their way" in again.err
    assert remit("events", "dead-letters", "list", "--json").document["items"] == []
    remit("worker", "--until-idle")
    assert "2 forgotten" in remit("events", "dead-letters", "discard", "--rule", "rule:lost").err
    assert "rule:lost" not in remit("events", "dead-letters", "list").out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("events", "publish", "x", "--data", "{"), "E623"),
        (("events", "publish", "remit.run.failed"), "E670"),
        (("events", "publish", ""), "E660"),
        (("events", "dead-letters", "show", "nobody"), "E104"),
        (("events", "dead-letters", "redrive"), "E671"),
        (("rules", "add", "r", "--pattern", '{"type": []}', "--target", "a"), "E667"),
        (("rules", "show", "nobody"), "E104"),
        (("rules", "test", "-e", "nowhere.json"), "E1111"),
    ],
)
def test_mistakes_are_sentences(shop: Path, remit, arguments: tuple[str, ...], code: str) -> None:
    """With their code, and exit code 2."""
    said = remit(*arguments)
    assert (said.code, code in said.err) == (2, True), said.err
