"""The page of one run: its steps in time, one step opened, live, replayed, forked, compared; and runs that are very long or hostile."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from benchmarks.console.world import LONG_RUN, app_in, long_run
from playwright.async_api import Browser, Locator, Page, expect
from tests.console.kit import Console, console_of, settings
from tests.console.talking import Speaker, said, talking

from remit import Agent, Pack, open_app, tool
from remit.core.errors import ToolError
from remit.core.message import Message, Text, Thinking, ToolUse
from remit.core.naming import LOCAL
from remit.core.task import Actor, Task
from remit.core.view import EventView
from remit.engine.models import Route
from remit.sdk import ToolContext
from remit.settings import Settings
from remit.testing import BOSS, ScriptedModel, call

pytestmark = [pytest.mark.service, pytest.mark.asyncio(loop_scope="module")]

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>[click](javascript:alert(3))"


class World:
    """A console over agents whose model says what the test puts into `model`."""

    def __init__(self, console: Console, model: ScriptedModel, gate: asyncio.Event) -> None:
        self.console = console
        self.model = model
        self.gate = gate

    async def run(self, task_id: str, agent: str = "clerk", *, wait: bool = True, **fields: object) -> str:
        """Submit a task of `alice`; its run, ended or waiting unless told otherwise."""
        given = {"objective": "Settle order 17", "actor_context": Actor("alice"), **fields}
        run_id = await self.console.app.runs.submit(Task(task_id, agent, **given))  # type: ignore[arg-type]
        async for event in self.console.app.runs.follow(run_id, LOCAL):
            if not wait or event.type == "RunFinished" or (event.type == "RunParked" and not below(event)):
                break
        return run_id

    def say(self, *replies: object) -> None:
        """What the model says next."""
        self.model._replies.extend(replies)  # type: ignore[arg-type]


@pytest_asyncio.fixture(loop_scope="module")
async def world(browser: Browser, tmp_path: Path) -> AsyncIterator[World]:
    """A clerk who looks up, fails and pays, and a chief who asks a helper."""
    gate = asyncio.Event()

    @tool(effect="read")
    def lookup_order(order_id: int) -> dict[str, Any]:
        """Look an order up."""
        return {"order_id": order_id, "note": HOSTILE}

    @tool
    def fail() -> int:
        """Never work."""
        raise ToolError("the warehouse does not answer")

    @tool(risk="L3", effect="keyed")
    def pay(amount: int) -> str:
        """Pay."""
        return f"paid {amount}"

    @tool(effect="read", timeout_s=60)
    async def slow() -> str:
        """Take as long as the test wants."""
        await gate.wait()
        return "done at last"

    @tool
    def chart(context: ToolContext) -> str:
        """Draw."""
        context.keep(
            "chart.html",
            b"<h1 id=c>chart</h1><script>document.title='x';c.textContent='drawn'</script>",
            "text/html",
        )
        context.keep("note.txt", HOSTILE.encode(), "text/plain")
        return "drawn"

    tools = [lookup_order, fail, pay, slow, chart]
    agents = [
        Agent("clerk", instructions="Work.", tools=tools),
        Agent("helper", instructions="Help.", tools=[fail], max_iterations=1),
        Agent("chief", instructions="Lead.", delegates=["helper"]),
        Agent("support", instructions="Work.", tools=[lookup_order]),
    ]
    model = ScriptedModel([])
    app = open_app(
        Settings(**settings(tmp_path)),
        packs=[Pack("desk", agents=agents)],
        models={"scripted": model},
        routes={"default": Route("scripted", "scripted")},
    )
    async with console_of(app, browser) as console:
        yield World(console, model, gate)
        gate.set()


def below(event: EventView) -> bool:
    """Whether a run waits for another one."""
    return any(name.startswith("child:") for name in event.data["waiting_on"])


async def opened(world: World, run_id: str, route: str = "") -> Page:
    """The page of a run."""
    return await world.console.go(f"/runs/{run_id}{route}")


def step_of(page: Page) -> Locator:
    """What is shown of the chosen step."""
    return page.get_by_role("complementary", name="Step")


async def test_a_failed_run_opens_on_what_failed_and_the_way_to_it(world: World) -> None:
    """Without a click: the step of the child that failed, why, and what policy said; unfolded in the waterfall."""
    world.say(
        call("delegate_to_helper", objective="ask the warehouse"), call("fail"), "I could not reach it."
    )
    run_id = await world.run("t1", "chief")
    page = await opened(world, run_id)
    await expect(page).to_have_title(re.compile(rf"chief {run_id[-8:]} \[SUCCESS\]"))
    await expect(step_of(page).get_by_role("heading", name="fail")).to_be_visible()
    await expect(step_of(page).get_by_text("the warehouse does not answer")).to_be_visible()
    await expect(page.get_by_role("button", name="fail m0.0 tool failed")).to_be_visible()
    await world.console.axe()
    await world.console.shot("run-family")
    await page.get_by_role("button", name="delegate_to_helper m0.0").click()
    await page.get_by_role("link", name="Open the run of helper").click()
    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("E510")
    await expect(page.get_by_role("heading", level=1)).to_have_text("ask the warehouse")
    await world.console.shot("run-failed")


async def test_every_side_of_a_run(world: World) -> None:
    """Messages, tool calls, costs, artifacts and the audit; nothing that a tool or model says is more than text."""
    said = Message(
        "assistant",
        (
            Thinking("Let me see."),
            Text(f"I **look** it up. {HOSTILE}"),
            ToolUse("c", "lookup_order", {"order_id": 17}),
        ),
    )
    world.say(said, call("chart"), f"Order 17 is *settled*. {HOSTILE}")
    run_id = await world.run("t2", input={"note": HOSTILE}, objective=f"Settle order 17 {HOSTILE}")
    page = await opened(world, run_id)
    await page.get_by_role("button", name="lookup_order m0.0 tool done").click()
    await expect(step_of(page).get_by_text("allow", exact=True)).to_be_visible()
    await expect(step_of(page)).to_contain_text("order_id")
    assert "step=m0.0" in page.url
    await page.keyboard.press("j")
    await expect(step_of(page).get_by_text("model m1")).to_be_visible()
    await world.console.shot("run")
    await page.get_by_role("tab", name="Messages").click()
    await expect(page.get_by_role("region", name="Messages")).to_contain_text("Order 17 is settled")
    await world.console.axe()
    await world.console.shot("run-messages")
    await page.get_by_role("tab", name="Tool calls").click()
    await expect(page.get_by_role("table", name="tool calls")).to_contain_text("lookup_order")
    await world.console.shot("run-calls")
    await page.get_by_role("tab", name="Budget and cost").click()
    await expect(page.get_by_role("table", name="Cost by agent")).to_contain_text("clerk")
    await world.console.shot("run-cost")
    await page.get_by_role("tab", name="Artifacts").click()
    await page.get_by_role("button", name="Show").first.click()
    frame = page.frame_locator("iframe[title='chart.html']")
    await expect(frame.get_by_role("heading", name="drawn")).to_be_visible()
    await page.get_by_role("button", name="Show").last.click()
    await expect(page.get_by_text(HOSTILE).last).to_be_visible()
    await world.console.shot("run-artifacts")
    await page.get_by_role("tab", name="Audit").click()
    await page.get_by_role("button", name="Verify the chain").click()
    await expect(page.get_by_role("status")).to_contain_text("are as they were written")
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="Export").click()
    assert b"remit-audit/1" in (await asyncio.to_thread((await (await saved.value).path()).read_bytes))
    await world.console.axe()
    await world.console.shot("run-audit")


async def test_a_run_is_watched_while_it_goes_on(world: World) -> None:
    """Steps come and end by themselves, and the tab says how it stands; a wait for a person is said, with the way there."""
    world.say(call("slow"), call("pay", amount=5), "paid")
    run_id = await world.run("t3", wait=False)
    page = await opened(world, run_id)
    await expect(page.get_by_role("button", name="slow m0.0 tool intended")).to_be_visible()
    await expect(page).to_have_title(re.compile(r"\[RUNNING\]"))
    world.gate.set()
    await expect(page.get_by_role("button", name="slow m0.0 tool done")).to_be_visible()
    await expect(page.get_by_role("link", name="a person’s decision")).to_be_visible()
    await expect(page).to_have_title(re.compile(r"\[WAITING\]"))
    await world.console.axe()
    await world.console.shot("run-waiting")
    row = (await world.console.app.reading.summaries.approvals(run_id))[0]
    await world.console.app.approvals.decide(row.approval_id, LOCAL, BOSS, "approve", rationale="fine")
    await expect(page).to_have_title(re.compile(r"\[SUCCESS\]"))
    await expect(page.get_by_role("button", name="default m2 model done")).to_be_visible()
    await page.get_by_role("tab", name="Approvals").click()
    await expect(page.get_by_role("table", name="approvals")).to_contain_text("boss: approve")


async def test_what_the_model_says_grows_while_it_says_it(browser: Browser, tmp_path: Path) -> None:
    """A word is there once the next one begins; all of it goes once the whole answer stands in its step."""
    speaker = Speaker()
    speaker.paced, speaker.replies = True, [said("The kettle is **descaled** with vinegar.")]
    async with console_of(talking(tmp_path, speaker), browser) as console:
        run_id = await console.app.runs.submit(
            Task("t9", "guide", "Say how", actor_context=Actor("alice")),
        )
        async with console.page.expect_response(re.compile("/events.*deltas=true")):
            page = await console.go(f"/runs/{run_id}")
        saying = page.get_by_role("region", name="The model is answering").locator(".run-said")
        speaker.let_say(3)
        await expect(saying).to_have_text("The kettle")
        speaker.let_say(2)
        await expect(saying).to_have_text("The kettle is descaled")
        await expect(saying.locator("strong")).to_have_text("descaled")
        await expect(page).to_have_title(re.compile(r"\[RUNNING\]"))
        await console.shot("run-streaming")
        speaker.let_say(1)
        await expect(page).to_have_title(re.compile(r"\[SUCCESS\]"))
        await expect(saying).to_have_count(0)
        await expect(step_of(page)).to_contain_text("The kettle is descaled with vinegar.")


async def test_a_run_that_waits_is_cancelled(world: World) -> None:
    world.say(call("pay", amount=5))
    run_id = await world.run("t4")
    page = await opened(world, run_id)
    await page.get_by_role("button", name="Cancel").click()
    await page.get_by_role("textbox", name="Reason").fill("no longer wanted")
    await page.get_by_role("button", name="Cancel the run").click()
    await expect(page).to_have_title(re.compile(r"\[FAILURE\]"))
    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("no longer wanted")


async def test_a_run_is_forked_with_another_input_and_compared(world: World) -> None:
    """A call is made again with arguments edited in a form of its tool's schema, or as JSON; the two runs are put beside each other."""
    world.say(call("lookup_order", order_id=17), "seventeen", "eighteen")
    run_id = await world.run("t5")
    page = await opened(world, run_id, "/steps/m0.0")
    await page.get_by_role("button", name="Fork from here").click()
    await page.get_by_role("switch", name="Edit what goes in").check()
    await page.get_by_role("group", name="Arguments").get_by_label("order_id").fill("19")
    await expect(page.get_by_role("group", name="differences")).to_contain_text('"order_id": 19')
    await world.console.axe()
    await world.console.shot("run-fork")
    await page.get_by_text("JSON", exact=True).click()
    written = page.get_by_role("textbox", name="Arguments")
    await expect(written).to_have_value('{\n  "order_id": 19\n}')
    await written.fill("{")
    await expect(page.get_by_text("This is no JSON")).to_be_visible()
    await expect(page.get_by_role("button", name="Fork", exact=True)).to_be_disabled()
    await written.fill('{"order_id": 18}')
    await world.console.shot("run-fork-json")
    await page.get_by_role("button", name="Fork", exact=True).click()
    await page.get_by_role("link", name=re.compile("forked from")).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Compare two runs")
    await expect(page.get_by_role("status")).to_have_text("3 of 3 steps differ")
    await page.get_by_role("button", name=re.compile("lookup_order")).click()
    await expect(page.get_by_text("order_id").first).to_be_visible()
    made = (await world.console.app.runs.list(LOCAL)).items[0]["run_id"]
    call_again = await world.console.app.reading.details.show(made, LOCAL, "m0.0")
    assert (made != run_id, call_again.input) == (True, {"order_id": 18})
    await world.console.axe()
    await world.console.shot("compare")


async def test_a_run_is_replayed_and_kept_as_a_golden_case(world: World) -> None:
    world.say(call("lookup_order", order_id=17), "seventeen")
    run_id = await world.run("t6")
    page = await opened(world, run_id)
    await page.get_by_role("button", name="Replay").click()
    await expect(page.get_by_role("group", name="Replay").get_by_role("status")).to_contain_text(
        "step 1 of 3"
    )
    await expect(page.get_by_role("button", name="tool lookup_order")).to_have_count(0)
    await page.get_by_role("button", name="One step on").click()
    await expect(page.get_by_role("button", name="lookup_order m0.0 tool done")).to_be_visible()
    await expect(step_of(page).get_by_role("heading", name="lookup_order")).to_be_visible()
    await world.console.shot("run-replay")
    await page.get_by_role("button", name="End replay").click()
    await page.get_by_role("button", name="More to do with this run").click()
    await page.get_by_role("menuitem", name="Save as golden case").click()
    await expect(page).to_have_url(re.compile(r"#/registry/golden_case/clerk-"))
    kept = await world.console.app.registry.get(LOCAL, "golden_case", f"clerk-{run_id[-8:]}", 1)
    assert (kept.status, kept.body["expected"]["payload"]) == ("draft", "seventeen")


async def test_what_one_may_not_do_is_off_and_refused(world: World) -> None:
    """Somebody who may only look sees all of it, and the buttons say why they are off; a run that is not there says so."""
    world.say(call("pay", amount=5))
    run_id = await world.run("t7")
    await world.console.sign_in(roles=["viewer"], actor_id="vera")
    page = await opened(world, run_id)
    await expect(page.get_by_role("button", name="Cancel")).to_have_attribute("aria-disabled", "true")
    await expect(page.get_by_role("button", name="Fork from here")).to_have_attribute("aria-disabled", "true")
    world.console.expected.append("404")
    await opened(world, "run_none")
    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("there is no run")


async def test_a_run_of_very_many_steps(browser: Browser, tmp_path: Path) -> None:
    """Groups of like steps are one line, failed ones stand alone; the end is reached without what is between."""
    async with app_in(tmp_path) as app:
        await long_run(app, 10_000)
    async with console_of(app_in(tmp_path), browser) as console:
        page = await console.go(f"/runs/{LONG_RUN}")
        await expect(page.get_by_text("10,000 steps, 5 went wrong")).to_be_visible(timeout=60_000)
        await console.shot("run-long")
        asked: list[str] = []
        page.on("request", lambda request: "/steps?" in request.url and asked.append(request.url))
        steps = page.get_by_role("region", name="Steps in time")
        await steps.focus()
        await page.keyboard.press("G")
        await expect(page.get_by_role("button", name="lookup_order m4999.0 tool done")).to_be_visible()
        assert len(asked) <= 8  # five stand alone and may still be on their way; all would be twenty
        assert await steps.get_by_role("listitem").count() < 100
