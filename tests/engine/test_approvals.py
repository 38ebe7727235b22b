"""No privileged call happens without a decision by somebody who may decide about exactly that call (invariant 3)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from remit import Agent, Pack, agent, tool
from remit.bootstrap import App
from remit.core.approval import Approval, Vote
from remit.core.codec import decode, encode
from remit.core.errors import ConfigError, ConflictError, DeniedError, InputError, NotFoundError
from remit.core.signal import VoteCast
from remit.core.task import Actor, Result
from remit.engine.records import count_waiting
from remit.ports.agents import Found, ToolContext
from remit.ports.store import Put, Signal
from remit.testing import BOSS, FakeClock, ScriptedModel, app_for_tests, call, calls, task

ANN = Actor("ann", ("approver",))
WIPED: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def _ledger() -> None:
    WIPED.clear()


@tool(risk="L3")
def wipe(disk: str, passes: int = 1) -> str:
    """Wipe a disk: privileged, so it always needs a person."""
    WIPED.append({"disk": disk, "passes": passes})
    return f"wiped {disk}"


@tool
def look(disk: str) -> str:
    """Look at a disk."""
    return "full"


@tool(risk="L2")
def pay(cents: int) -> str:
    """Pay; above 100 cents it is over the limit."""
    WIPED.append({"cents": cents})
    return "paid"


@pay.facts
def _pay_facts(cents: int) -> dict[str, Any]:
    return {"over_limit": cents > 100}


cleaner = Agent("cleaner", instructions="Clean.", tools=[wipe, look, pay])
foreman = Agent("foreman", instructions="Lead.", delegates=[cleaner])
chief = Agent("chief", instructions="Command.", delegates=[foreman])


def profile(directory: Path, text: str = "", cedar: str = "") -> str:
    """A profile directory `house` that extends the default one."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "profile.toml").write_text(f'name = "house"\nextends = "default"\n{text}\n')
    (directory / "policy.cedar").write_text(cedar)
    return str(directory)


async def pending(app: App) -> list[Approval]:
    """Every approval that waits."""
    page = await app.approvals.list("local")
    return [decode(encode(item), Approval) for item in page.items]


async def parked(app: App, **fields: Any) -> tuple[Result, Approval]:
    """A run that waits for a person, and what that person is asked."""
    result = await app.run(task(cleaner, **fields))
    (approval,) = await pending(app)
    return result, approval


async def decided(
    app: App, approval: Approval, kind: Any = "approve", actor: Actor = BOSS, **more: Any
) -> None:
    """Decide, and let whoever is woken go on."""
    await app.approvals.decide(approval.approval_id, "local", actor, kind, **more)
    await app.worker.run_until_idle()


def one_wipe(*after: Any) -> list[Any]:
    """A model that wants to wipe one disk."""
    return [call("wipe", disk="sda"), *(after or ("ok",))]


async def test_a_privileged_call_waits_and_runs_once_after_approval() -> None:
    """An L3 call does nothing before a person approved it, and happens once afterwards."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        result, approval = await parked(app)
        assert (result.status, WIPED) == ("needs_approval", [])
        assert approval.arguments == {"disk": "sda"}
        await decided(app, approval)
        assert WIPED == [{"disk": "sda", "passes": 1}]
        assert (await app.runs.view(result.run_id, "local")).status == "success"


async def test_what_waits_is_counted_for_all_tenants() -> None:
    """An approval counts until somebody has settled it."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        assert await count_waiting(app.store) == 0
        _, approval = await parked(app)
        assert await count_waiting(app.store) == 1
        await decided(app, approval)
        assert await count_waiting(app.store) == 0


async def test_a_rejection_is_told_to_the_model_and_nothing_happens() -> None:
    """After a rejection the model hears E302 and the reason."""
    model = ScriptedModel(one_wipe())
    async with app_for_tests(cleaner, model=model) as app:
        _, approval = await parked(app)
        await decided(app, approval, "reject", rationale="not today")
        assert WIPED == []
        told = model.requests[-1].messages[-1].blocks[0]
        assert "E302" in told.content
        assert "not today" in told.content


# ways around


async def test_a_nested_child_asks_too_and_its_approval_wakes_the_whole_chain() -> None:
    """A delegate's delegate needs the same approval; when it is given, every ancestor goes on."""
    replies = [
        call("delegate_to_foreman", objective="clean"),
        call("delegate_to_cleaner", objective="clean"),
        *one_wipe("clean"),
        "foreman done",
        "chief done",
    ]
    async with app_for_tests(chief, foreman, cleaner, replies=replies) as app:
        result = await app.run(task(chief))
        assert (result.status, WIPED) == ("needs_approval", [])
        (approval,) = await pending(app)
        assert approval.run_id != result.run_id
        await decided(app, approval)
        view = await app.runs.view(result.run_id, "local")
        assert (view.status, view.result.result_payload, len(WIPED)) == ("success", "chief done", 1)


async def test_a_requester_cannot_approve_through_a_delegate() -> None:
    """The requester of a child's approval is the person who started the root run, not the parent agent."""
    replies = [call("delegate_to_cleaner", objective="clean"), *one_wipe()]
    async with app_for_tests(foreman, cleaner, replies=replies) as app:
        await app.run(task(foreman))
        (approval,) = await pending(app)
        with pytest.raises(DeniedError, match="nobody approves their own"):
            await decided(app, approval, actor=Actor("alice", ("approver",)))
        assert WIPED == []


async def test_code_agents_go_through_the_same_door() -> None:
    """An agent written in Python that calls the tool by the gateway waits as well, and cannot catch the wait."""

    @agent(tools=[wipe])
    async def sly(input: Any, memory: Any, context: Any) -> Any:
        try:
            return await context.call("wipe", disk="sda")
        except Exception:
            return "caught"

    async with app_for_tests(sly) as app:
        result = await app.run(task(sly))
        assert (result.status, WIPED) == ("needs_approval", [])
        (approval,) = await pending(app)
        await decided(app, approval)
        assert (await app.runs.view(result.run_id, "local")).result.result_payload == "wiped sda"


async def test_parallel_calls_wait_each_for_its_own_approval() -> None:
    """Two calls in one turn are two approvals; approving one lets only that one happen."""
    turn = calls(("wipe", {"disk": "a"}), ("wipe", {"disk": "b"}), ("look", {"disk": "a"}))
    async with app_for_tests(cleaner, replies=[turn, "done"]) as app:
        await app.run(task(cleaner))
        by_disk = {a.arguments["disk"]: a for a in await pending(app)}
        await decided(app, by_disk["b"], decision_id="d1")
        assert WIPED == [{"disk": "b", "passes": 1}]
        await decided(app, by_disk["a"], decision_id="d1")
        assert [w["disk"] for w in WIPED] == ["b", "a"]


async def test_calls_with_one_id_are_kept_apart() -> None:
    """A model that repeats a call id cannot have one call decided and the other one's arguments executed."""
    turn = calls(
        ("pay", {"cents": 5000}), ("pay", {"cents": 1}), ("look", {"disk": "x"}), ids=["c", "c", "c"]
    )
    async with app_for_tests(cleaner, replies=[turn, "done"]) as app:
        await app.run(task(cleaner))
        (approval,) = await pending(app)
        assert approval.arguments == {"cents": 5000}
        await decided(app, approval, "reject")
        assert WIPED == [{"cents": 1}]


async def test_calling_again_after_a_rejection_asks_again() -> None:
    """A refused call that the model repeats is a new request."""
    async with app_for_tests(
        cleaner, replies=[call("wipe", disk="a"), call("wipe", disk="a"), "done"]
    ) as app:
        _, first = await parked(app)
        await decided(app, first, "reject")
        (second,) = await pending(app)
        assert second.approval_id != first.approval_id
        assert WIPED == []


async def test_an_approval_does_not_cover_the_next_call() -> None:
    """An approved call that the model repeats needs another approval."""
    async with app_for_tests(
        cleaner, replies=[call("wipe", disk="a"), call("wipe", disk="a"), "done"]
    ) as app:
        _, first = await parked(app)
        await decided(app, first)
        assert len(WIPED) == 1
        assert len(await pending(app)) == 1


async def test_a_retry_of_a_failing_tool_needs_no_second_approval_and_no_second_person() -> None:
    """Attempts within one approved call share its approval and its idempotency key."""
    keys: list[str] = []

    @tool(risk="L3", effect="keyed")
    async def flaky(context: ToolContext) -> str:
        keys.append(context.idempotency_key)
        if len(keys) < 3:
            raise RuntimeError("no answer")
        return "done"

    flaky_agent = Agent("flaky_agent", instructions="", tools=[flaky])
    async with app_for_tests(flaky_agent, replies=[call("flaky"), "ok"]) as app:
        await app.run(task(flaky_agent))
        (approval,) = await pending(app)
        await decided(app, approval)
        assert len(keys) == 3
        assert len(set(keys)) == 1


async def test_an_approval_survives_a_restart(tmp_path: Path) -> None:
    """A process asks, another one decides, a third one acts; the model is not asked again."""
    url = f"sqlite:///{tmp_path}/r.db"
    async with app_for_tests(cleaner, replies=[call("wipe", disk="sda")], home=tmp_path, store=url) as app:
        result, approval = await parked(app)
    async with app_for_tests(cleaner, home=tmp_path, store=url) as app:
        await app.approvals.decide(approval.approval_id, "local", BOSS, "approve")
    async with app_for_tests(cleaner, replies=["after"], home=tmp_path, store=url) as app:
        await app.worker.run_until_idle()
        assert (await app.runs.view(result.run_id, "local")).result.result_payload == "after"
        assert len(WIPED) == 1
        await app.worker.run_until_idle()
        assert len(WIPED) == 1


# what was approved


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"disk": "harmless"}},
        {"requested_by": "mallory"},
        {"approver_roles": ("intern",)},
        {"expires_ts": 2**52},
        {"policy_version": "other"},
        {"risk_level": "L0"},
    ],
    ids=lambda c: next(iter(c)),
)
async def test_a_changed_record_cannot_be_decided(change: dict[str, Any]) -> None:
    """A person never approves what is not what the run asked: a changed record is refused, and nothing happens."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        _, approval = await parked(app)
        item = await app.store.get("approval_event", (approval.approval_id,))
        forged = encode(replace(approval, **change)).decode()
        await app.store.transact([Put("approval_event", {**item, "approval": forged})])
        with pytest.raises((ConflictError, DeniedError)):
            await decided(app, approval, actor=Actor("eve", ("approver", "intern")))
        await app.worker.run_until_idle()
        assert WIPED == []


async def test_a_record_that_says_approved_approves_nothing() -> None:
    """The journal decides: a record set to `approved` in the store, and a nudge, change nothing."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        result, approval = await parked(app)
        item = await app.store.get("approval_event", (approval.approval_id,))
        forged = encode(replace(approval, status="approved")).decode()
        await app.store.transact([Put("approval_event", {**item, "status": "approved", "approval": forged})])
        await app.runs.resume(result.run_id, "local", BOSS)
        await app.worker.run_until_idle()
        assert WIPED == []


async def test_a_plain_approval_cannot_smuggle_other_arguments_in() -> None:
    """Arguments given with `approve` are not used: only `constrain` edits a call."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        _, approval = await parked(app)
        await decided(app, approval, arguments={"disk": "sdb"})
        assert WIPED == [{"disk": "sda", "passes": 1}]


async def test_after_a_policy_change_a_person_is_asked_again(tmp_path: Path) -> None:
    """An approval given under another policy version does not count; the new one does."""
    url, where = f"sqlite:///{tmp_path}/r.db", tmp_path / "house"

    def app(*replies: Any) -> App:
        return app_for_tests(cleaner, replies=replies, home=tmp_path, store=url, policies=(str(where),))

    profile(where)
    async with app(call("wipe", disk="sda")) as before:
        _, approval = await parked(before, policy_profile="house")
    profile(where, "quorum = 2")
    async with app("done") as after:
        await decided(after, approval)
        assert WIPED == []
        (again,) = await pending(after)
        assert (again.approval_id != approval.approval_id, again.quorum) == (True, 2)
        await decided(after, again)
        assert WIPED == []
        await decided(after, again, actor=ANN)
        assert len(WIPED) == 1


async def test_a_policy_that_now_forbids_wins_over_an_approval(tmp_path: Path) -> None:
    """An approved call that policy forbids by now is refused."""
    url, where = f"sqlite:///{tmp_path}/r.db", tmp_path / "house"
    profile(where)
    async with app_for_tests(
        cleaner, replies=[call("wipe", disk="sda")], home=tmp_path, store=url, policies=(str(where),)
    ) as app:
        _, approval = await parked(app, policy_profile="house")
    profile(
        where,
        cedar='@id("no-wiping")\nforbid (principal, action == Action::"call_tool", resource == Tool::"wipe");',
    )
    async with app_for_tests(
        cleaner, replies=["sorry"], home=tmp_path, store=url, policies=(str(where),)
    ) as app:
        await decided(app, approval)
        view = await app.runs.view(approval.run_id, "local")
        assert (WIPED, view.status) == ([], "success")
        assert "E301" in next(s.problem for s in view.steps if s.name == "wipe")


def test_two_things_of_one_name_are_refused_at_load() -> None:
    """A second agent or tool of the same name cannot borrow the first one's permissions."""
    twin = Agent("cleaner", instructions="Not the same.")
    with pytest.raises(ConfigError, match="two agents are named `cleaner`"):
        app_for_tests(cleaner, twin)

    @tool(name="wipe")
    def harmless(disk: str) -> str:
        """Looks like wipe, risk L0."""
        return "?"

    with pytest.raises(ConfigError, match="two tools are named `wipe`"):
        app_for_tests(cleaner, packs=[Pack("other", tools=[harmless])])


def test_two_delegates_that_a_model_could_not_tell_apart_are_refused_at_load() -> None:
    """`night-shift` and `night_shift` would be one tool to a model."""
    with pytest.raises(ConfigError, match="night"):
        app_for_tests(Agent("night-shift", instructions=""), Agent("night_shift", instructions=""))


# who may decide


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        (Actor("alice", ("approver",)), "E311"),
        (Actor("bob"), "E312"),
        (Actor("bob", ("operator", "admin")), "E312"),
        (Actor("", ("approver",)), "E312"),
    ],
    ids=["requester", "no role", "other roles", "nobody"],
)
async def test_whoever_may_not_approve_is_refused(actor: Actor, code: str) -> None:
    """Requesters, people without the role and nameless actors cannot decide."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        _, approval = await parked(app)
        for kind, more in (("approve", {}), ("constrain", {"arguments": {"disk": "x"}})):
            with pytest.raises(DeniedError) as refused:
                await decided(app, approval, kind, actor, **more)
            assert refused.value.code == code
        assert WIPED == []
        assert (await pending(app)) == [approval]


async def test_other_tenants_and_made_up_ids_are_equally_unknown() -> None:
    """Deciding about an unknown approval and about another tenant's is the same E104."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        _, approval = await parked(app)
        texts = set()
        for approval_id, tenant in ((approval.approval_id, "rival"), ("apr_forged", "local")):
            with pytest.raises(NotFoundError) as unknown:
                await app.approvals.decide(approval_id, tenant, BOSS, "approve")
            texts.add(str(unknown.value).replace(approval_id, "ID"))
        assert len(texts) == 1
        assert WIPED == []


async def test_a_forged_vote_for_an_unknown_approval_is_ignored() -> None:
    """A signal that votes on an approval the run never asked for changes nothing."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        result, _ = await parked(app)
        vote = Vote("d", "boss", "approve", "", 0)
        await app.store.transact([Signal(result.run_id, "vote:x", encode(VoteCast("apr_forged", vote)))])
        await app.worker.run_until_idle()
        assert WIPED == []


async def test_a_forged_vote_of_the_requester_is_ignored() -> None:
    """Even a vote put straight into the inbox does not let people approve their own request."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        result, approval = await parked(app)
        vote = Vote("d", "alice", "approve", "", 0)
        body = encode(VoteCast(approval.approval_id, vote))
        await app.store.transact([Signal(result.run_id, "vote:x", body)])
        await app.worker.run_until_idle()
        assert WIPED == []


async def test_profiles_name_their_own_approvers(tmp_path: Path) -> None:
    """Under a profile with approver role `treasurer` a treasurer decides, and a default approver does not."""
    house = profile(tmp_path / "house", 'approver_roles = ["treasurer"]')
    async with app_for_tests(cleaner, replies=one_wipe(), policies=(house,)) as app:
        _, approval = await parked(app, policy_profile="house")
        with pytest.raises(DeniedError):
            await decided(app, approval)
        await decided(app, approval, actor=Actor("tess", ("treasurer",)))
        assert len(WIPED) == 1


# deciding twice, late, and in company


async def test_the_same_decision_twice_is_one_decision() -> None:
    """Sending a decision id again gives the same answer and one effect."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        _, approval = await parked(app)
        for _ in range(2):
            await decided(app, approval, decision_id="d1")
        assert len(WIPED) == 1


async def test_a_second_decision_conflicts() -> None:
    """Another decision id, another kind or another person under the same id is a conflict, and changes nothing."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        _, approval = await parked(app)
        await app.approvals.decide(approval.approval_id, "local", BOSS, "reject", decision_id="d1")
        for actor, kind, decision_id, code in (
            (ANN, "approve", "d2", "E405"),
            (BOSS, "approve", "d1", "E407"),
            (ANN, "reject", "d1", "E407"),
        ):
            with pytest.raises(ConflictError) as conflict:
                await app.approvals.decide(
                    approval.approval_id, "local", actor, kind, decision_id=decision_id
                )
            assert conflict.value.code == code
        await app.worker.run_until_idle()
        assert WIPED == []


async def test_nobody_deciding_in_time_means_reject(tmp_path: Path) -> None:
    """An approval that expired cannot be given any more; the run goes on with E304."""
    clock, house = FakeClock(), profile(tmp_path / "house", "approval_expires_s = 60")
    async with app_for_tests(cleaner, replies=one_wipe("no"), clock=clock, policies=(house,)) as app:
        result, approval = await parked(app, policy_profile="house")
        clock.advance((approval.expires_ts - clock.now()) / 1000)
        with pytest.raises(ConflictError, match="expired"):
            await app.approvals.decide(approval.approval_id, "local", BOSS, "approve")
        await app.worker.run_until_idle()
        view = await app.runs.view(result.run_id, "local")
        assert (WIPED, await pending(app)) == ([], [])
        assert ["E304" in s.problem for s in view.steps if s.name == "wipe"] == [True]


async def test_an_edit_is_validated_and_executed_exactly() -> None:
    """`constrain` runs exactly the edited arguments; edits that do not fit the schema are refused at once."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        _, approval = await parked(app)
        for wrong in ({"disk": 7}, {}, {"disk": "a", "extra": 1}):
            with pytest.raises(InputError, match="do not fit"):
                await decided(app, approval, "constrain", arguments=wrong)
        await decided(app, approval, "constrain", arguments={"disk": "sdb", "passes": 3})
        assert WIPED == [{"disk": "sdb", "passes": 3}]


async def test_an_edited_call_has_an_idempotency_key_of_its_own() -> None:
    """The key belongs to the arguments that run: an edit is another call."""
    keys: list[str] = []

    @tool(risk="L3", effect="keyed")
    def ship(item: str, context: ToolContext) -> str:
        keys.append(context.idempotency_key)
        return item

    shipper = Agent("shipper", instructions="", tools=[ship])
    async with app_for_tests(shipper, replies=[call("ship", item="a"), "ok"]) as app:
        await app.run(task(shipper))
        (approval,) = await pending(app)
        await decided(app, approval, "constrain", arguments={"item": "b"})
        assert len(keys) == 1
        assert keys != [approval.idempotency_key]


async def test_an_edit_that_is_not_what_was_agreed_to_is_refused() -> None:
    """Arguments whose digest is not the agreed one do not run (E303), however they came into the journal."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        result, approval = await parked(app)
        vote = Vote("d", "boss", "constrain", "", 0, {"disk": "of jane.doe@example.com"})
        await app.store.transact([Signal(result.run_id, "v", encode(VoteCast(approval.approval_id, vote)))])
        await app.worker.run_until_idle()
        view = await app.runs.view(result.run_id, "local")
        assert ["E303" in s.problem for s in view.steps if s.name == "wipe"] == [True]
        assert WIPED == []


async def test_an_edit_is_put_to_policy_again(tmp_path: Path) -> None:
    """Edited arguments that policy forbids even with an approval do not run."""
    cedar = '@id("cap")\nforbid (principal, action == Action::"call_tool", resource == Tool::"pay2") when { context.args has amount && context.args.amount > 1000 };'
    house = profile(tmp_path / "house", cedar=cedar)

    @tool(risk="L3")
    def pay2(cents: int) -> str:
        WIPED.append({"cents": cents})
        return "paid"

    @pay2.facts
    def _facts(cents: int) -> dict[str, Any]:
        return {"amount": cents}

    payer = Agent("payer", instructions="", tools=[pay2])
    async with app_for_tests(payer, replies=[call("pay2", cents=10), "ok"], policies=(house,)) as app:
        await app.run(task(payer, policy_profile="house"))
        (approval,) = await pending(app)
        await decided(app, approval, "constrain", arguments={"cents": 5000})
        assert WIPED == []


async def test_a_question_is_answered_and_then_decided() -> None:
    """`request_info` keeps the run waiting with status needs_info; after the answer it is decided."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        result, approval = await parked(app)
        await decided(app, approval, "request_info", rationale="which machine?")
        assert (await app.runs.result(result.run_id, "local")).status == "needs_info"
        await app.approvals.answer(approval.approval_id, "local", Actor("alice"), "the old one")
        with pytest.raises(ConflictError, match="no open question"):
            await app.approvals.answer(approval.approval_id, "local", Actor("alice"), "again")
        await app.worker.run_until_idle()
        (again,) = await pending(app)
        assert (again.question, again.answer) == ("which machine?", "the old one")
        assert WIPED == []
        await decided(app, again)
        assert len(WIPED) == 1


async def test_a_quorum_is_of_different_people(tmp_path: Path) -> None:
    """With quorum 2 one person counts once, however often; the second person settles it."""
    house = profile(tmp_path / "house", "quorum = 2")
    async with app_for_tests(cleaner, replies=one_wipe(), policies=(house,)) as app:
        _, approval = await parked(app, policy_profile="house")
        await decided(app, approval)
        with pytest.raises(ConflictError, match="another person"):
            await decided(app, approval)
        assert WIPED == []
        await decided(app, approval, actor=ANN)
        assert len(WIPED) == 1


async def test_an_edit_starts_the_quorum_again(tmp_path: Path) -> None:
    """Whoever agreed before an edit has not agreed to the edit, and may agree to it now."""
    house = profile(tmp_path / "house", "quorum = 2")
    async with app_for_tests(cleaner, replies=one_wipe(), policies=(house,)) as app:
        _, approval = await parked(app, policy_profile="house")
        await decided(app, approval)
        await decided(app, approval, "constrain", ANN, arguments={"disk": "sdb"})
        assert WIPED == []
        await decided(app, approval, decision_id="second")
        assert WIPED == [{"disk": "sdb", "passes": 1}]


async def test_cancelling_withdraws_what_was_asked() -> None:
    """After a cancelled run its approval is `cancelled`: it is not listed as pending and cannot be given."""
    async with app_for_tests(cleaner, replies=one_wipe()) as app:
        result, approval = await parked(app)
        await app.runs.cancel(result.run_id, "local", Actor("alice"), "changed my mind")
        await app.worker.run_until_idle()
        assert await pending(app) == []
        with pytest.raises(ConflictError):
            await decided(app, approval)
        view = await app.runs.view(result.run_id, "local")
        assert (view.status, view.approvals[0].status, WIPED) == ("failure", "cancelled", [])


async def test_handing_off_can_need_approval_too(tmp_path: Path) -> None:
    """Where policy wants a person for a hand-off, no child run exists before the approval."""
    cedar = '@id("ask-first")\nforbid (principal, action == Action::"hand_off", resource) unless { context.approved };'
    house = profile(tmp_path / "house", cedar=cedar)
    replies = [call("delegate_to_cleaner", objective="clean"), "cleaned", "done"]
    async with app_for_tests(foreman, cleaner, replies=replies, policies=(house,)) as app:
        result = await app.run(task(foreman, policy_profile="house"))
        (approval,) = await pending(app)
        assert (await app.runs.view(result.run_id, "local")).children == ()
        await decided(app, approval)
        view = await app.runs.view(result.run_id, "local")
        assert (view.status, len(view.children)) == ("success", 1)


async def test_an_effect_in_doubt_waits_for_a_person() -> None:
    """A plain tool that breaks without saying whether it happened is not repeated; a person says what is true."""
    tries: list[int] = []

    @tool(risk="L1")
    def send(text: str) -> str:
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("connection lost")
        return "sent"

    sender = Agent("sender", instructions="", tools=[send])
    for kind, expected in (("reject", 1), ("approve", 2)):
        tries.clear()
        async with app_for_tests(sender, replies=[call("send", text="hi"), "ok"]) as app:
            result = await app.run(task(sender))
            (approval,) = await pending(app)
            assert (approval.reason, len(tries)) == ("in_doubt", 1)
            await decided(app, approval, kind)
            assert (len(tries), (await app.runs.view(result.run_id, "local")).status) == (expected, "success")


@pytest.mark.parametrize(("happened", "times"), [(True, 1), (False, 2)])
async def test_a_lookup_tool_is_asked_before_a_person(happened: bool, times: int) -> None:
    """A tool with `reconcile` settles its own doubt: what it found is used, what it did not find is done once more."""
    booked: list[str] = []

    @tool(risk="L1")
    def book(seat: str) -> str:
        booked.append(seat)
        if len(booked) == 1:
            raise RuntimeError("connection lost")
        return "booked"

    @book.reconciler
    def _found(key: str) -> Found:
        return Found(happened, "booked before" if happened else None)

    booker = Agent("booker", instructions="", tools=[book])
    async with app_for_tests(booker, replies=[call("book", seat="1A"), "ok"]) as app:
        result = await app.run(task(booker))
        assert (result.status, len(booked)) == ("success", times)
