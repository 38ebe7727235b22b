"""Runs read step by step: pages, whole views, single steps, families, comparisons; and of runs too long to be read whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from remit import Agent, Pack, tool
from remit.bootstrap import App
from remit.core.codec import encode, plain
from remit.core.errors import ConflictError, InputError, NotFoundError, ToolError
from remit.core.event import RunFinished
from remit.core.pricing import Price
from remit.core.steps import StepRow
from remit.core.task import Result, Task
from remit.engine import comparing, long_runs, stepping
from remit.engine.golden import GOLDEN
from remit.sdk import ToolContext
from remit.testing import BOSS, ScriptedModel, app_for_tests, call, calls, task
from remit.testing.workflows import AnyTool, Named, TaskFailure

PRICE = Price(Decimal(1), Decimal(1))


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@tool
def fail() -> int:
    """Never work."""
    raise ToolError("it is broken")


@tool(risk="L3", effect="keyed")
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


clerk = Agent("clerk", instructions="Work.", tools=[add, fail, pay], max_iterations=400)
helper = Agent("helper", instructions="Help.", tools=[add, fail])
chief = Agent("chief", instructions="Lead.", tools=[add], delegates=["helper"])


@dataclass
class Asked:
    """An app and the run of a task that was driven in it."""

    app: App
    run_id: str
    result: Result

    async def rows(self, **more: Any) -> list[StepRow]:
        """The rows of one page."""
        return (await self.app.reading.stepping.page(self.run_id, "local", **more)).items

    async def all_rows(self, limit: int) -> list[StepRow]:
        """All rows, page by page, each from a stretch of the journal alone."""
        found: list[StepRow] = []
        after: str | None = "-1"
        while after is not None:
            page = await stepping.Stepping(self.app.store, self.app.clock).page(
                self.run_id, "local", after=int(after), limit=limit
            )
            found += page.items
            after = page.cursor
        return found


async def driven(app: App, agent: Agent, **fields: Any) -> Asked:
    """The run of a task."""
    result = await app.run(task(agent, **fields))
    return Asked(app, result.run_id, result)


@pytest.fixture
async def worked() -> AsyncIterator[Asked]:
    """A run that adds twice at once, fails once, and answers."""
    replies = [calls(("add", {"a": 1, "b": 2}), ("add", {"a": 3, "b": 4})), call("fail"), "seven"]
    async with app_for_tests(clerk, replies=replies, price=PRICE) as app:
        yield await driven(app, clerk)


async def test_a_row_says_what_was_called_how_it_went_and_what_it_cost(worked: Asked) -> None:
    rows = await worked.rows()
    assert [(r.step, r.kind, r.state) for r in rows] == [
        ("m0", "model", "done"),
        ("m0.0", "tool", "done"),
        ("m0.1", "tool", "done"),
        ("m1", "model", "done"),
        ("m1.0", "tool", "failed"),
        ("m2", "model", "done"),
    ]
    assert {r.lane for r in rows} == {"clerk"}
    assert rows[1].parent == "m0"
    assert rows[1].verdict == "allow"
    assert rows[4].problem.startswith("[E")
    assert [r.importance for r in rows] == ["normal"] * 4 + ["high", "normal"]
    assert sum(r.cost_usd for r in rows) == worked.result.cost_usage.cost_usd > 0


async def test_pages_from_the_middle_are_the_same_rows_as_the_whole(worked: Asked) -> None:
    _, whole = await worked.app.reading.stepping.whole(worked.run_id, "local", for_s=60)
    for limit in (1, 2, 100):
        assert plain(await worked.all_rows(limit)) == plain(whole.fold.rows)


async def test_pages_are_the_same_whether_the_fold_is_kept_or_not(worked: Asked) -> None:
    cold = await worked.rows(after=3, limit=2)
    await worked.app.reading.timelines.show(worked.run_id, "local")
    assert plain(await worked.rows(after=3, limit=2)) == plain(cold)


async def test_pages_of_one_kind(worked: Asked) -> None:
    assert [r.step for r in await worked.rows(kind="tool", limit=2)] == ["m0.0", "m0.1"]
    await worked.app.reading.timelines.show(worked.run_id, "local")
    page = await worked.app.reading.stepping.page(worked.run_id, "local", kind="tool", limit=2)
    assert ([r.step for r in page.items], page.cursor is not None) == (["m0.0", "m0.1"], True)


async def test_another_tenants_run_is_not_there(worked: Asked) -> None:
    reading = worked.app.reading
    for question in (
        reading.stepping.page(worked.run_id, "other"),
        reading.timelines.show(worked.run_id, "other"),
        reading.details.show(worked.run_id, "other", "m0"),
        reading.summaries.show(worked.run_id, "other"),
        reading.families.show(worked.run_id, "other"),
        reading.comparing.page(worked.run_id, worked.run_id, "other"),
        worked.app.golden.save(worked.run_id, "other", name="", actor=BOSS, reason=""),
    ):
        with pytest.raises(NotFoundError):
            await question


async def test_the_summary_is_the_view_without_its_steps(worked: Asked) -> None:
    view = await worked.app.runs.view(worked.run_id, "local")
    summary = await worked.app.reading.summaries.show(worked.run_id, "local")
    assert (summary.status, summary.payload, summary.ended_ts) == ("success", "seven", view.ended_ts)
    assert summary.cost_usd == view.usage.cost_usd
    assert (summary.task, summary.budget, summary.seq) == (view.task, view.budget, view.seq)


async def test_the_timeline_adds_up(worked: Asked) -> None:
    found = await worked.app.reading.timelines.show(worked.run_id, "local", buckets=10)
    made = found.overview
    view = await worked.app.runs.view(worked.run_id, "local")
    assert (found.complete, found.ended, found.seq) == (True, True, view.seq)
    assert (made.steps, made.bad, made.marks) == (6, 1, (1 if made.marks[0] == 1 else made.marks[0],))
    assert made.first_bad is not None
    assert made.first_bad.step == "m1.0"
    assert sum(b.steps for b in made.buckets) == sum(g.steps for g in made.groups) == made.steps
    assert made.usage.cost_usd == view.usage.cost_usd
    assert [(p.step, p.run_id) for p in found.path] == [("m1.0", worked.run_id)]


async def test_one_step_says_what_the_model_asked_for_and_what_came_back(worked: Asked) -> None:
    details = worked.app.reading.details
    added = await details.show(worked.run_id, "local", "m0.1")
    assert (added.input, added.output) == ({"a": 3, "b": 4}, 7)
    assert added.decision is not None
    assert added.decision.verdict == "allow"
    assert len(added.attempts) == 1
    said = await details.show(worked.run_id, "local", "m1")
    assert [e.type for e in said.before] == ["EffectDone", "EffectDone"]
    assert said.output["blocks"][1]["name"] == "fail"
    first = await details.show(worked.run_id, "local", "m0")
    assert [e.type for e in first.before] == ["RunCreated"]
    failed = await details.show(worked.run_id, "local", "m1.0")
    assert failed.problem is not None
    row = failed.row
    hinted = await details.show(worked.run_id, "local", "m1.0", seq=row.seq)
    assert plain(hinted) == plain(failed)
    with pytest.raises(NotFoundError, match="has no step `m9`") as unknown:
        await details.show(worked.run_id, "local", "m9")
    assert unknown.value.code == "E1010"


async def test_a_step_that_waited_for_a_person_shows_the_approval_and_the_wait() -> None:
    async with app_for_tests(clerk, replies=[call("pay", amount=5), "paid"]) as app:
        asked = await driven(app, clerk)
        assert (await app.reading.summaries.show(asked.run_id, "local")).open_approvals == 1
        row = (await asked.rows())[1]
        assert (row.state, row.verdict, row.begun_ts) == ("awaiting", "needs_approval", None)
        await app.clock.sleep(7200)
        await app.approvals.decide(row.approval_id, "local", BOSS, "approve", rationale="fine")
        await app.worker.run_until_idle(asked.run_id)
        row = (await asked.rows())[1]
        assert (row.state, row.verdict, row.importance) == ("done", "needs_approval", "high")
        assert row.begun_ts is not None
        assert row.begun_ts - row.started_ts >= 7_200_000
        detail = await app.reading.details.show(asked.run_id, "local", row.step)
        assert detail.approval is not None
        assert detail.approval.status == "approved"
        assert [e.type for e in detail.events][:3] == ["ToolDecided", "ApprovalRequested", "ApprovalVoted"]
        made = (await app.reading.timelines.show(asked.run_id, "local")).overview
        assert [(g.why, g.to_ts - g.from_ts >= 7_200_000) for g in made.gaps] == [("approval", True)]
        assert await asked.all_rows(1) == await asked.rows()


async def test_the_way_to_a_failure_leads_into_the_child() -> None:
    replies = [call("delegate_to_helper", objective="help"), call("fail"), "sorry", "done"]
    async with app_for_tests(chief, helper, replies=replies, price=PRICE) as app:
        asked = await driven(app, chief)
        row = (await asked.rows())[1]
        assert (row.kind, row.lane, bool(row.child_run)) == ("delegate", "helper", True)
        family = await app.reading.families.show(asked.run_id, "local")
        assert [(c.agent, c.step, c.status, c.run_id) for c in family.items] == [
            ("helper", "m0.0", "success", row.child_run)
        ]
        assert {s.agent: s.runs for s in family.shares} == {"chief": 1, "helper": 1}
        assert sum(s.cost_usd for s in family.shares) == asked.result.cost_usage.cost_usd
        assert family.shares_complete


async def test_a_child_that_failed_is_a_step_that_went_wrong() -> None:
    replies = [call("delegate_to_helper", objective="help"), *[call("fail")] * 30]
    doomed = Agent("helper", instructions="Help.", tools=[fail], max_iterations=2)
    async with app_for_tests(chief, doomed, replies=[*replies[:3], "done"]) as app:
        asked = await driven(app, chief)
        row = (await asked.rows())[1]
        assert row.state == "failed"
        assert "E510" in row.problem
        found = await app.reading.timelines.show(asked.run_id, "local")
        assert next(p.run_id for p in found.path) == asked.run_id


async def test_two_runs_side_by_side() -> None:
    said = [call("add", a=1, b=2), "three", call("add", a=1, b=5), call("fail"), "three"]
    async with app_for_tests(clerk, replies=said) as app:
        left, right = await driven(app, clerk, task_id="a"), await driven(app, clerk, task_id="b")
        page = await app.reading.comparing.page(left.run_id, right.run_id, "local")
        told = [
            (p.left.step if p.left else "", p.right.step if p.right else "", p.differs) for p in page.items
        ]
        assert page.cursor is None
        assert told[0][:2] == ("m0", "m0")
        assert told[1] == ("m0.0", "m0.0", ("input", "output"))
        assert [t for t in told if not t[0]] != []
        same = await app.reading.comparing.page(left.run_id, left.run_id, "local")
        assert (same.same, len(same.items)) == (len(same.items), 3)
        with pytest.raises(InputError) as none:
            await app.reading.comparing.page(left.run_id, right.run_id, "local", cursor="x")
        assert none.value.code == "E1011"


async def test_long_runs_are_compared_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "WINDOW", 8)
    said = [call("add", a=i, b=i) for i in range(20)]
    async with app_for_tests(
        clerk, replies=[*said, "done", *said[:9], call("fail"), *said[9:], "done"]
    ) as app:
        left, right = await driven(app, clerk, task_id="a"), await driven(app, clerk, task_id="b")
        pairs, cursor = [], None
        for _ in range(20):
            page = await app.reading.comparing.page(left.run_id, right.run_id, "local", cursor=cursor)
            pairs += page.items
            cursor = page.cursor
            if cursor is None:
                break
        assert [p.left.step for p in pairs if p.left] == [r.step for r in await left.rows(limit=1000)]
        assert [p.right.step for p in pairs if p.right] == [r.step for r in await right.rows(limit=1000)]
        assert sum(1 for p in pairs if not (p.left and p.right)) == 2


async def test_a_long_run_is_shown_by_its_newest_steps(
    worked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = await worked.app.runs.view(worked.run_id, "local")
    monkeypatch.setattr(long_runs, "LONG", 5)
    monkeypatch.setattr(long_runs, "SHOWN", 2)
    short = await worked.app.runs.view(worked.run_id, "local")
    assert [s.step for s in short.steps] == ["m1.0", "m2"]
    assert short.left_out == 4
    assert (short.usage.cost_usd, short.labels, short.status) == (
        view.usage.cost_usd,
        view.labels,
        view.status,
    )
    assert short.result.result_payload == "seven"


async def test_the_artifacts_of_a_long_run(monkeypatch: pytest.MonkeyPatch) -> None:
    @tool
    def draw(context: ToolContext) -> str:
        """Draw."""
        context.keep("chart.svg", b"<svg/>", "image/svg+xml")
        return "drawn"

    painter = Agent("painter", instructions="Paint.", tools=[draw])
    async with app_for_tests(painter, replies=[call("draw"), "done"]) as app:
        asked = await driven(app, painter)
        made = await app.runs.artifacts(asked.run_id, "local")
        monkeypatch.setattr(long_runs, "LONG", 1)
        assert await app.runs.artifacts(asked.run_id, "local") == made
        assert [artifact.name for artifact in made] == ["chart.svg"]
        detail = await app.reading.details.show(asked.run_id, "local", "m0.0")
        assert detail.artifacts == made


async def test_a_whole_view_goes_on_where_it_stood(worked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stepping, "BATCH", 3)
    reading = worked.app.reading
    read = []
    kept = worked.app.store.read

    async def counted(run_id: str, *, after: int = -1, limit: int = 1000) -> Any:
        read.append(after)
        return await kept(run_id, after=after, limit=limit)

    monkeypatch.setattr(worked.app.store, "read", counted)
    await reading.stepping.whole(worked.run_id, "local", for_s=60)
    assert read == sorted(set(read))
    before = len(read)
    _, whole = await reading.stepping.whole(worked.run_id, "local", for_s=60)
    assert len(read) == before + 1
    assert len(whole.fold.rows) == 6


async def test_a_fold_used_longest_ago_is_let_go() -> None:
    said = [call("add", a=1, b=2), "three"] * 3
    async with app_for_tests(clerk, replies=said) as app:
        runs = [await driven(app, clerk, task_id=str(i)) for i in range(3)]
        small = stepping.Stepping(app.store, app.clock, most_rows=6)
        for asked in runs:
            await small.whole(asked.run_id, "local", for_s=60)
        assert list(small._kept) == [runs[1].run_id, runs[2].run_id]


async def test_a_golden_case_is_a_draft_that_says_the_run_again(worked: Asked) -> None:
    made = await worked.app.golden.save(worked.run_id, "local", name="", actor=BOSS, reason="it is right")
    assert (made.kind, made.status, made.body["expected"]["payload"]) == (GOLDEN, "draft", "seven")
    assert [c["state"] for c in made.body["calls"]] == ["done", "done", "failed"]
    path = worked.app.settings.home / "script.json"
    path.write_bytes(encode(made.body["script"]))
    async with app_for_tests(clerk, model=ScriptedModel.from_file(path)) as again:
        assert (await again.run(task(clerk))).result_payload == "seven"


async def test_what_is_no_golden_case() -> None:
    async with app_for_tests(clerk, replies=[call("pay", amount=5)]) as app:
        asked = await driven(app, clerk)
        with pytest.raises(ConflictError, match="has not ended") as early:
            await app.golden.save(asked.run_id, "local", name="", actor=BOSS, reason="")
        assert early.value.code == "E1012"


# forks of an agent's steps


async def again(asked: Asked, step: str, **given: Any) -> Result:
    """The result of the run that goes on from a step."""
    made = await asked.app.forks.fork_step(asked.run_id, "local", BOSS, step, **given)
    await asked.app.worker.run_until_idle(made)
    found = await asked.app.runs.result(made, "local")
    assert found is not None
    return found


async def test_a_fork_of_a_call_makes_it_with_other_arguments_and_no_other_call_again() -> None:
    made: list[tuple[int, int]] = []

    @tool(effect="keyed")
    def book(a: int, b: int) -> int:
        """Book."""
        made.append((a, b))
        return a + b

    booker = Agent("booker", instructions="Book.", tools=[book])
    both = calls(("book", {"a": 1, "b": 2}), ("book", {"a": 3, "b": 4}))
    async with app_for_tests(booker, replies=[both, "ten", "a hundred"]) as app:
        asked = await driven(app, booker)
        result = await again(asked, "m0.1", input={"a": 50, "b": 50})
        assert result.result_payload == "a hundred"
        assert sorted(made) == [(1, 2), (3, 4), (50, 50)]
        view = await app.runs.view(result.run_id, "local")
        assert [(s.step, s.output) for s in view.steps if s.kind == "tool"] == [("m0.0", 3), ("m0.1", 100)]
        assert view.forked_from == f"{asked.run_id}#m0.1"
        assert (await app.audit.verify(result.run_id, "local")).ok


async def test_a_fork_of_a_question_asks_the_model_again_with_more_to_read() -> None:
    model = ScriptedModel([call("add", a=1, b=2), "three", "four"])
    async with app_for_tests(clerk, model=model) as app:
        asked = await driven(app, clerk)
        assert (await again(asked, "m1", input="think twice")).result_payload == "four"
        texts = [m.text for m in model.requests[-1].messages]
        assert texts[-1] == "think twice"
        assert len(model.requests) == 3


async def test_a_fork_of_the_first_question_changes_the_tasks_input() -> None:
    model = ScriptedModel(["one", "two"])
    async with app_for_tests(clerk, model=model) as app:
        asked = await driven(app, clerk, input={"n": 1})
        assert (await again(asked, "m0", input={"n": 2})).result_payload == "two"
        assert '{"n":2}' in model.requests[-1].messages[-1].text
        assert (await app.runs.view(asked.run_id, "local")).task.input == {"n": 1}


async def test_a_call_that_a_person_allowed_is_asked_for_again() -> None:
    async with app_for_tests(clerk, replies=[call("pay", amount=5), "paid", "paid"]) as app:
        asked = await driven(app, clerk)
        row = (await asked.rows())[1]
        await app.approvals.decide(row.approval_id, "local", BOSS, "approve", rationale="fine")
        await app.worker.run_until_idle(asked.run_id)
        result = await again(asked, "m0.0", input={"amount": 5000})
        assert result.status == "needs_approval"


@pytest.mark.parametrize(
    ("step", "given", "code"),
    [
        ("m9", {}, "E1010"),
        ("m0.7", {}, "E1010"),
        ("m0.0", {"input": "x"}, "E1015"),
        ("m1", {"input": {}}, "E1015"),
    ],
)
async def test_what_cannot_be_forked(step: str, given: dict[str, Any], code: str) -> None:
    async with app_for_tests(clerk, replies=[call("add", a=1, b=2), "three"]) as app:
        asked = await driven(app, clerk)
        with pytest.raises(InputError) as refused:
            await app.forks.fork_step(asked.run_id, "local", BOSS, step, **given)
        assert refused.value.code == code


async def test_a_failed_run_is_retried_from_what_failed() -> None:
    short = Agent("short", instructions="Work.", tools=[add], max_iterations=2)
    said = [call("add", a=1, b=2), call("add", a=1, b=2), "three"]
    async with app_for_tests(short, replies=said) as app:
        asked = await driven(app, short)
        assert asked.result.problem is not None
        made = await app.forks.retry(asked.run_id, "local", BOSS)
        await app.worker.run_until_idle(made)
        result = await app.runs.result(made, "local")
        assert result is not None
        assert result.result_payload == "three"


async def test_a_journal_is_read_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """One request reads on for a bounded time only: the rest is told by asking again."""
    async with app_for_tests(clerk, replies=[*[call("add", a=1, b=2)] * 30, "done"]) as app:
        asked = await driven(app, clerk)
        slow = stepping.Stepping(app.store, app.clock)
        monkeypatch.setattr(stepping, "BATCH", 10)
        head, whole = await slow.whole(asked.run_id, "local", for_s=0)
        assert whole.fold.seq < head.seq
        _, whole = await slow.whole(asked.run_id, "local", for_s=60)
        assert whole.fold.seq == head.seq
        assert isinstance(whole.fold.finished, RunFinished)


# workflows

WORK = {"Type": "Task", "Resource": "remit:tool:work", "End": True}
SHOP: dict[str, Any] = {
    "QueryLanguage": "JSONata",
    "StartAt": "first",
    "States": {
        "first": {"Type": "Pass", "Next": "each"},
        "each": {
            "Type": "Map",
            "Items": "{% [1, 2, 3] %}",
            "ItemProcessor": {"StartAt": "one", "States": {"one": WORK}},
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "both"}],
            "Next": "both",
        },
        "both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "left", "States": {"left": {**WORK, "Arguments": "left"}}},
                {"StartAt": "long", "States": {"long": {"Type": "Wait", "Seconds": 600, "End": True}}},
            ],
            "End": True,
        },
    },
}


async def shop(broken: set[Any]) -> tuple[App, Any]:
    """The app of a workflow whose work fails for some items."""

    def work(event: Any) -> Any:
        if any(event == one for one in broken):
            raise TaskFailure("Broken", f"no {event}")
        return event

    app = app_for_tests(packs=[Pack("shop", tools=[AnyTool("work", work)], workflows=[Named("shop", SHOP)])])  # type: ignore[list-item]
    return app, work


@pytest.mark.parametrize(
    ("broken", "failed"),
    [(set(), []), ({2}, ["one"]), ({2, "left"}, ["one", "both", "left"])],
    ids=["nothing", "caught", "ended"],
)
async def test_rows_of_states_say_what_the_whole_fold_says(broken: set[Any], failed: list[str]) -> None:
    """Also of branches that ended with the state that had started them."""
    app, _ = await shop(broken)
    async with app:
        run_id = await app.runs.submit(Task("t1", "shop", input=5))
        while (await app.reading.summaries.show(run_id, "local")).ended_ts is None:
            await app.worker.run_until_idle(run_id)
            await app.clock.sleep(700)
        result = await app.runs.result(run_id, "local")
        assert result is not None
        asked = Asked(app, result.run_id, result)
        rows = await asked.rows(limit=1000)
        view = await app.runs.view(result.run_id, "local")
        states = [(s.visit, s.state, s.status, s.entered_ts, s.ended_ts, s.attempts) for s in view.states]
        assert [
            (r.step, r.name, r.state, r.started_ts, r.ended_ts, r.attempts) for r in rows if r.kind == "state"
        ] == states
        steps = [(s.step, s.name, s.state) for s in view.steps]
        assert [(r.step, r.name, r.state) for r in rows if r.kind != "state"] == steps
        assert [r.name for r in rows if r.state == "failed" and r.kind == "state"] == failed
        assert plain(await asked.all_rows(3)) == plain(rows)
        if "both" in failed:
            found = await app.reading.timelines.show(result.run_id, "local")
            assert [place.name for place in found.path] == ["work"]
            broken.clear()
            last = next(r for r in rows if r.name == "left")
            again = await app.forks.fork_step(result.run_id, "local", BOSS, f"{last.step}.0")
            await app.worker.run_until_idle(again)
            assert (await app.runs.view(again, "local")).forked_from == f"{result.run_id}#{last.step}"
