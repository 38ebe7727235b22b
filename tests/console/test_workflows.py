"""Workflows in the browser: seen as pictures and as text, imported while one types, run from a form, and compared."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.console.kit import Console, console_of
from tests.console.talking import Speaker, talking

from remit.core.naming import LOCAL
from remit.core.task import Actor, Task
from remit.engine.kinds import WORKFLOW

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

END = {"End": True}
ECHO = {"Type": "Task", "Resource": "remit:agent:echo"}
ORDERS: dict[str, Any] = {
    "Comment": "Checks an order, looks at each of its lines, and tells two teams",
    "QueryLanguage": "JSONata",
    "StartAt": "Large?",
    "States": {
        "Large?": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.total > 100 %}", "Next": "Lines"}],
            "Default": "Small",
        },
        "Small": {"Type": "Succeed", "Output": {"note": "{% $states.input.note %}"}},
        "Lines": {
            "Type": "Map",
            "Items": "{% $states.input.lines %}",
            "ItemProcessor": {"StartAt": "Look", "States": {"Look": {**ECHO, **END}}},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Broken"}],
            "Next": "Tell",
        },
        "Tell": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": f"Tell {team}", "States": {f"Tell {team}": {**ECHO, **END}}}
                for team in ("shop", "bank")
            ],
            **END,
        },
        "Broken": {"Type": "Fail", "Error": "Broken"},
    },
}


def chain(length: int) -> dict[str, Any]:
    """A document of so many states, one after the other, each tenth with a Map of three."""
    states: dict[str, Any] = {}
    for n in range(length):
        last = {"Next": f"State {n + 1}"} if n < length - 1 else END
        states[f"State {n}"] = {"Type": "Pass", **last}
        if n % 10 == 5:
            names = [f"Inner {n}.{at}" for at in range(3)]
            inner = {
                name: {"Type": "Pass", **({"Next": names[at + 1]} if at < 2 else END)}
                for at, name in enumerate(names)
            }
            processor = {"StartAt": names[0], "States": inner}
            states[f"State {n}"] = {"Type": "Map", "ItemProcessor": processor, **last}
    return {"QueryLanguage": "JSONata", "StartAt": "State 0", "States": states}


async def registered(console: Console, name: str, *documents: dict[str, Any]) -> None:
    """Register versions of a workflow."""
    at, why = (LOCAL, WORKFLOW, name), {"actor": Actor("bea"), "reason": "the shop asked for it"}
    await console.app.registry.create(*at, documents[0], **why)
    for document in documents[1:]:
        await console.app.registry.edit(*at, document, **why)


@pytest_asyncio.fixture(loop_scope="module")
async def flows(browser: Browser, tmp_path: Path) -> AsyncIterator[Console]:
    """The console of an app that has an agent for workflows to call."""
    async with console_of(talking(tmp_path, Speaker()), browser) as made:
        yield made


async def test_a_workflow_is_seen_as_picture_list_and_document(flows: Console) -> None:
    """Boxes are reached by keyboard, their inside is shown, and the list says the same in words."""
    await registered(flows, "orders", ORDERS, {**ORDERS, "Comment": "Now with a second version"})
    page = await flows.go("/workflows")
    await expect(page.get_by_role("link", name="orders")).to_be_visible()
    await flows.shot("workflows")
    await page.get_by_role("link", name="orders").click()
    picture = page.get_by_role("group", name="orders")
    first = picture.get_by_role("button", name="Large?")
    await expect(first).to_be_visible()
    await expect(picture.get_by_text("for each item")).to_be_visible()
    await first.focus()
    await page.keyboard.press("ArrowDown")
    beside = page.get_by_role("region", name="The state that was chosen")
    await expect(beside.get_by_role("heading")).to_have_text("Lines")
    await expect(picture.get_by_role("button", name="Lines", exact=False).first).to_be_focused()
    await flows.axe()
    await flows.shot("workflow-picture")
    await page.get_by_text("List", exact=True).click()
    states = page.get_by_role("list", name="orders", exact=True)
    await expect(states).to_contain_text("if total > 100 → Lines; otherwise → Small")
    await expect(states).to_contain_text("Tell bank")
    await flows.shot("workflow-list")
    await page.get_by_role("tab", name="Document").click()
    await expect(page.get_by_role("region", name="document")).to_contain_text("StartAt: Large?")
    await page.get_by_role("tab", name="Versions").click()
    await expect(page.get_by_role("group", name="differences")).to_contain_text("Now with a second version")
    await flows.axe()
    await flows.shot("workflow-versions")


async def test_a_run_starts_from_a_form_of_what_states_read_and_colours_the_picture(flows: Console) -> None:
    """Fields have their kinds; the same input is there for the next run; states of the run show how far it came."""
    await registered(flows, "orders", ORDERS)
    page = await flows.go("/workflows/orders?tab=run")
    await page.get_by_role("textbox", name="total").fill("250")
    await page.get_by_role("textbox", name="lines").fill('[{"sku": 1}, {"sku": 2}]')
    await page.get_by_role("textbox", name="note").fill("gift")
    await flows.axe()
    await flows.shot("workflow-run-form")
    await page.get_by_role("button", name="Run it").click()
    await expect(page).to_have_url(re.compile(r"#/runs/run_\w+"))
    (run,) = (await flows.app.runs.list(LOCAL, agent="orders")).items
    assert (await flows.app.runs.view(run["run_id"], LOCAL)).task.input == {
        "total": 250,
        "lines": [{"sku": 1}, {"sku": 2}],
        "note": "gift",
    }
    await page.get_by_text("Graph", exact=True).click()
    await expect(
        page.get_by_role("group", name="orders").get_by_role("button", name="Large?")
    ).to_be_visible()
    await page.get_by_text("List", exact=True).click()
    came = page.get_by_role("list", name="orders").get_by_role("listitem").filter(has_text="Large?").first
    await expect(came).to_contain_text("succeeded")
    await flows.shot("workflow-run-graph")
    # the same fields, filled with what went in, to go another way from there
    await came.get_by_role("button").first.click()
    await page.get_by_role("button", name="Fork from here").click()
    await page.get_by_role("switch", name="Edit what goes in").check()
    fields = page.get_by_role("group", name="Input of the state")
    await expect(fields.get_by_label("note")).to_have_value("gift")
    await fields.get_by_label("total").fill("50")
    await flows.shot("workflow-fork")
    await page.get_by_role("button", name="Fork", exact=True).click()
    await expect(page).not_to_have_url(re.compile(run["run_id"]))
    await expect(page.get_by_role("link", name=re.compile("forked from"))).to_be_visible()
    await expect(page).to_have_title(re.compile(r"\[SUCCESS\]"))
    forked = page.url.split("#/runs/")[1].split("?")[0]
    assert (await flows.app.runs.result(forked, LOCAL)).result_payload == {"note": "gift"}
    await flows.go("/workflows/orders?tab=run")
    await page.get_by_role("button", name="Take the last run's input").click()
    await expect(page.get_by_role("textbox", name="note")).to_have_value("gift")
    await page.get_by_role("tab", name="Runs").click()
    await expect(page.get_by_role("table", name="runs").get_by_text("success")).to_have_count(2)


COLOURS = {
    "Both": "blue",
    "Sleep": "yellow",
    "Begin": "green",
    "Try": "orange",
    "Break": "red",
    "Recover": "green",
    "Never": "gray",
}
"""The colour of each state of `HALF_WAY` once it sleeps."""

HALF_WAY: dict[str, Any] = {
    "QueryLanguage": "JSONata",
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "Sleep", "States": {"Sleep": {"Type": "Wait", "Seconds": 3600, **END}}},
                {
                    "StartAt": "Begin",
                    "States": {
                        "Begin": {"Type": "Pass", "Next": "Try"},
                        "Try": {
                            "Type": "Parallel",
                            "Branches": [
                                {"StartAt": "Break", "States": {"Break": {"Type": "Fail", "Error": "No"}}}
                            ],
                            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Recover"}],
                            "Next": "Never",
                        },
                        "Recover": {"Type": "Succeed"},
                        "Never": {"Type": "Succeed"},
                    },
                },
            ],
            **END,
        }
    },
}

PAINTED = """() => {
  const colour = (value) => {
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = value;
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  };
  const names = ['green', 'red', 'blue', 'yellow', 'orange'];
  const named = Object.fromEntries(names.map((name) => [colour(`var(--mantine-color-${name}-filled)`), name]));
  named[colour('var(--mantine-color-gray-5)')] = 'gray';
  const boxes = [...document.querySelectorAll('.remit-node')].map((box) => {
    const style = getComputedStyle(box);
    return [box.querySelector('.name').lastChild.textContent, {
      edge: named[style.borderLeftColor] ?? style.borderLeftColor,
      shade: box.dataset.open ? null : style.backgroundColor,
    }];
  });
  return {body: colour('var(--mantine-color-body)'), boxes: Object.fromEntries(boxes)};
}"""


async def test_a_picture_of_a_run_has_the_colours_of_its_states(flows: Console) -> None:
    """As the browser paints them, in light and in dark: each phase its own, on a ground that is tinted with it."""
    await registered(flows, "half-way", HALF_WAY)
    task = Task("h1", "half-way", "Go half of the way", actor_context=Actor("bea"))
    run_id = await flows.app.runs.submit(task)
    page = await flows.go(f"/runs/{run_id}?view=graph")
    picture = page.get_by_role("group", name="half-way")
    await expect(picture.get_by_role("button", name="Sleep")).to_contain_text("waiting")
    await expect(picture.get_by_role("button", name="Recover")).to_contain_text("succeeded")
    grounds = {}
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        await expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", scheme)
        painted = await page.evaluate(PAINTED)
        assert {name: box["edge"] for name, box in painted["boxes"].items()} == COLOURS
        shades = {name: box["shade"] for name, box in painted["boxes"].items() if box["shade"]}
        assert shades["Never"] == painted["body"]
        assert len({shades[name] for name in ("Never", "Sleep", "Begin", "Break")}) == 4
        assert shades["Begin"] == shades["Recover"]
        grounds[scheme] = painted["body"]
    assert grounds["light"] != grounds["dark"]
    await flows.axe()
    await flows.shot("workflow-run-colours")


async def test_a_document_is_checked_while_one_types_and_saved(flows: Console) -> None:
    """Each problem leads to its place; a picture is drawn once nothing is wrong; what is saved is there."""
    page = await flows.go("/workflows")
    await page.get_by_role("button", name="Import", exact=True).click()
    found = page.get_by_role("region", name="What was found")
    editor = page.get_by_role("textbox", name="Document")
    await editor.fill("StartAt: A\nStates:\n  A:\n    Type: Succed\n")
    problems = found.get_by_role("list", name="Problems")
    await problems.get_by_role("button", name="4:5").click()
    await expect(editor).to_be_focused()
    assert await editor.evaluate("box => box.selectionStart") == 28
    await flows.axe()
    await flows.shot("workflow-import-wrong")
    machine = {"name": "from-aws", "definition": json.dumps({**ORDERS, "Comment": "of ${TEAM}"})}
    await editor.fill(json.dumps(machine))
    await page.get_by_role("textbox", name="${TEAM}").fill("the shop")
    await expect(found.get_by_text("nothing is wrong")).to_be_visible()
    await expect(found.get_by_role("button", name="Large?")).to_be_visible()
    await expect(found.get_by_role("textbox", name="Name")).to_have_value("from-aws")
    await found.get_by_role("textbox", name="Reason").fill("taken over")
    await flows.axe()
    await flows.shot("workflow-import")
    await found.get_by_role("button", name="Save it").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("from-aws")
    saved = await flows.app.registry.get(LOCAL, WORKFLOW, "from-aws")
    assert saved.body == {**ORDERS, "Comment": "of the shop"}
    assert saved.change_reason == "taken over"
    # whoever takes a name that is there is told, and goes on only on purpose
    flows.expected.append("409")
    await flows.go("/workflows?import=1")
    await editor.fill(json.dumps({**ORDERS, "Comment": "anew"}))
    await found.get_by_role("textbox", name="Name").fill("from-aws")
    await found.get_by_role("textbox", name="Reason").fill("once more")
    await found.get_by_role("button", name="Save it").click()
    await expect(found.get_by_role("alert")).to_contain_text("is there already, in version 1")
    await found.get_by_role("button", name="Save as the next version").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("version 2")


async def test_who_may_only_look_cannot_save_or_run(flows: Console) -> None:
    """The buttons are off, and say why."""
    await registered(flows, "orders", ORDERS)
    await flows.sign_in(roles=["viewer"], actor_id="vera")
    page = await flows.go("/workflows/orders?tab=run")
    button = page.get_by_role("button", name="Run it")
    await expect(button).to_have_attribute("data-disabled", "true")
    await button.hover()
    await expect(page.get_by_role("tooltip")).to_have_text("None of your roles may run.")
    await button.click(force=True)
    assert (await flows.app.runs.list(LOCAL)).items == []
    await flows.go("/workflows/nothing-there")
    flows.expected.append("404")
    await expect(page.get_by_role("alert")).to_contain_text("nothing-there")


async def test_hundreds_of_states_are_drawn_without_a_hang(flows: Console) -> None:
    """No task of the page's thread takes longer than a person would call a hang; what is inside is folded at first."""
    await registered(flows, "long", chain(250))
    page = await flows.go("/workflows")
    await page.evaluate(
        """() => {
          window.longest = 0;
          new PerformanceObserver((list) => {
            for (const task of list.getEntries()) window.longest = Math.max(window.longest, task.duration);
          }).observe({ type: 'longtask', buffered: false });
        }"""
    )
    await page.get_by_role("link", name="long").click()
    await expect(
        page.get_by_role("group", name="long").get_by_role("button", name="State 0", exact=False).first
    ).to_be_visible()
    longest = await page.evaluate("window.longest")
    assert longest < 2_000, f"{longest} ms"
    await flows.shot("workflow-long")
