"""Who is told what, when, and once."""

from __future__ import annotations

import os
import secrets as random_names
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.adapters.notify.servers import Mailbox, Web, mail_server, web_server

from remit.adapters.store.memory import MemoryStore
from remit.adapters.store.sqlite import SqliteStore
from remit.bootstrap import App
from remit.core.errors import InputError, NotFoundError, StoreError, ToolError
from remit.core.notification import Incident, Notification, NotifierConfig, judge
from remit.core.task import Actor
from remit.core.validation import ValidationRun
from remit.engine.applying import Document
from remit.engine.notifications import INCIDENT
from remit.testing import FakeClock, app_for_tests

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
STORES = ["memory", "sqlite", pytest.param("postgres", marks=[pytest.mark.service])]
HOUR_S, DAY_S = 3600, 86_400
SLACK = NotifierConfig("team", "slack", "${secret:slack_url}")


def open_store(kind: str, home: Path, clock: Any) -> Any:
    if kind == "memory":
        return MemoryStore(clock)
    if kind == "sqlite":
        return SqliteStore(home / "remit.db", clock)
    if not DSN:
        pytest.skip("REMIT_TEST_POSTGRES names no PostgreSQL to test with")
    from remit.adapters.store.postgres import PostgresStore

    return PostgresStore(DSN, clock, schema=f"notify_{random_names.token_hex(5)}")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def web() -> Any:
    with web_server() as made:
        yield made


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture(params=STORES)
async def app(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock, web: Web, mailbox: Mailbox
) -> AsyncIterator[App]:
    """An app over each store, with a mail server and a Slack webhook."""
    with mail_server(mailbox) as port:
        async with app_for_tests(
            store=open_store(request.param, tmp_path, clock),
            clock=clock,
            home=tmp_path,
            smtp_url=f"smtp://127.0.0.1:{port}?from=remit@shop.example",
            secrets={"slack_url": web.url + "/slack", "hook_key": "a-key-for-signing"},
        ) as made:
            yield made


@pytest.fixture
async def plain(tmp_path: Path, clock: FakeClock, web: Web) -> AsyncIterator[App]:
    """An app in memory, with a Slack webhook."""
    async with app_for_tests(clock=clock, home=tmp_path, secrets={"slack_url": web.url + "/slack"}) as made:
        yield made


async def ran(
    app: App, *statuses: str, table: str = "orders", tenant: str = "local", **fields: Any
) -> list[str]:
    """Record a run of rule `TABLE-0`, `TABLE-1`, ... for each status (`-`: none); the ids."""
    ids = []
    for i, status in enumerate(statuses):
        if status == "-":
            continue
        run = ValidationRun(
            run_id=app.clock.new_id("vr"),
            table_id=table,
            config_id=f"{table}-{i}",
            version=1,
            validation_type="record_count_match",
            status=status,  # type: ignore[arg-type]
            details=fields.get(
                "details", {"expected_count": 10, "reason": "row 7 has `Ada Lovelace`", "newest": "1815"}
            ),
            triggered_by="scheduler",
            timestamp=fields.get("timestamp", app.clock.now()),
            agent_run="run_1",
        )
        await app.validation_runs.record(tenant, run)
        ids.append(run.run_id)
    return ids


async def told(app: App, ids: Sequence[str], tenant: str = "local") -> list[str]:
    """Plan and send; the subjects."""
    planned = await app.notifications.plan(tenant, list(ids))
    for one in planned:
        assert (await app.notifications.send(tenant, one["notification_id"]))["status"] == "sent"
    return [one["subject"] for one in planned]


async def test_a_failure_is_told_once_and_its_recovery_once(app: App, web: Web, clock: FakeClock) -> None:
    """The first failure is told, the next ones are not, the recovery is, and then nothing."""
    await app.notifiers.put("local", SLACK)
    assert await told(app, await ran(app, "PASSED")) == []
    assert await told(app, await ran(app, "FAILED")) == ["[FAILED] orders: 1 rule failed"]
    clock.advance(HOUR_S)
    assert await told(app, await ran(app, "FAILED")) == []
    assert await told(app, await ran(app, "PASSED")) == ["[RECOVERED] orders: 1 rule recovered"]
    clock.advance(HOUR_S)
    assert await told(app, await ran(app, "PASSED")) == []
    assert await told(app, await ran(app, "ERROR")) == ["[ERROR] orders: 1 rule could not be decided"]
    assert len(web.requests) == 3


async def test_a_run_of_a_table_is_one_message(app: App, mailbox: Mailbox) -> None:
    """What failed and recovered in one run of a table is one message; another table is another."""
    await app.notifiers.put("local", NotifierConfig("mail", "email", "ops@shop.example"))
    await told(app, await ran(app, "FAILED", "PASSED", "PASSED"))
    ids = [*await ran(app, "PASSED", "FAILED", "ERROR"), *await ran(app, "FAILED", table="items")]
    assert sorted(await told(app, ids)) == [
        "[FAILED] items: 1 rule failed",
        "[FAILED] orders: 1 rule failed, 1 rule could not be decided, 1 rule recovered",
    ]
    assert len(mailbox.messages) == 3


async def test_no_message_holds_a_value_of_a_row(app: App, web: Web, mailbox: Mailbox) -> None:
    """Counts, percentages and hashes are told; sentences and values of a run's details are not."""
    await app.notifiers.put("local", SLACK)
    await app.notifiers.put("local", NotifierConfig("mail", "email", "ops@shop.example"))
    await told(app, await ran(app, "FAILED"))
    for text in (web.requests[0].body.decode(), mailbox.messages[0].as_string()):
        assert "expected" in text
        assert "Ada" not in text
        assert "1815" not in text


async def test_planning_again_gives_the_same(app: App, web: Web) -> None:
    """The same runs make the same notification, before and after it was sent; sending it again sends nothing."""
    await app.notifiers.put("local", SLACK)
    ids = await ran(app, "FAILED", "PASSED")
    first = await app.notifications.plan("local", ids)
    assert await app.notifications.plan("local", [*ids[::-1], ids[0]]) == first
    sent = await app.notifications.send("local", first[0]["notification_id"])
    assert await app.notifications.send("local", first[0]["notification_id"]) == sent
    assert await app.notifications.plan("local", ids) == first
    assert len(web.requests) == 1
    assert set(first[0]) == {"notification_id", "channel", "notifier", "subject"}


async def test_a_rule_that_goes_on_failing_is_told_again_after_a_while(app: App, clock: FakeClock) -> None:
    """After `mute_for_s` a failure that is still there is told again; with 0 at every run."""
    await app.notifiers.put("local", replace(SLACK, mute_for_s=2 * HOUR_S))
    await app.notifiers.put("local", replace(SLACK, notifier_id="chatty", mute_for_s=0))
    counts = []
    for _ in range(5):
        counts.append(len(await told(app, await ran(app, "FAILED"))))
        clock.advance(HOUR_S)
    assert counts == [2, 1, 2, 1, 2]


async def test_what_was_not_sent_is_not_told(plain: App, web: Web, clock: FakeClock) -> None:
    """A failure whose message was refused is told at the next run; without that its recovery is not."""
    await plain.notifiers.put("local", SLACK)
    web.answers[:] = [500, 500, 500, 200]
    (planned,) = await plain.notifications.plan("local", await ran(plain, "FAILED"))
    with pytest.raises(ToolError) as refused:
        await plain.notifications.send("local", planned["notification_id"])
    assert refused.value.retryable
    shown = await plain.notifications.get("local", planned["notification_id"])
    assert (shown.status, shown.problem[:6]) == ("failed", "[E626]")
    assert await told_or_not(plain, await ran(plain, "PASSED")) == []
    (again,) = await plain.notifications.plan("local", await ran(plain, "FAILED"))
    with pytest.raises(ToolError):
        await plain.notifications.send("local", again["notification_id"])
    (third,) = await plain.notifications.plan("local", await ran(plain, "FAILED"))
    with pytest.raises(ToolError):
        await plain.notifications.send("local", third["notification_id"])
    await plain.notifications.send("local", third["notification_id"])
    assert await plain.notifications.plan("local", await ran(plain, "FAILED")) == []
    assert len(await plain.notifications.plan("local", await ran(plain, "PASSED"))) == 1


async def told_or_not(app: App, ids: Sequence[str]) -> list[str]:
    return [p["subject"] for p in await app.notifications.plan("local", list(ids))]


async def test_a_message_whose_fate_is_unknown_counts_as_told_for_a_while(
    plain: App, web: Web, clock: FakeClock
) -> None:
    """The connection broke: nothing is told again at once, the next run after a quarter of an hour tells, a recovery is told."""
    await plain.notifiers.put("local", SLACK)
    web.answers[:] = ["cut", 200]
    (planned,) = await plain.notifications.plan("local", await ran(plain, "FAILED", "FAILED"))
    with pytest.raises(ConnectionError):
        await plain.notifications.send("local", planned["notification_id"])
    assert (await plain.notifications.get("local", planned["notification_id"])).status == "unknown"
    clock.advance(60)
    assert await told_or_not(plain, await ran(plain, "FAILED", "PASSED")) == [
        "[RECOVERED] orders: 1 rule recovered"
    ]
    clock.advance(HOUR_S)
    assert await told_or_not(plain, await ran(plain, "FAILED")) == ["[FAILED] orders: 1 rule failed"]


async def test_a_plan_that_was_never_sent_does_not_silence_for_long(plain: App, clock: FakeClock) -> None:
    """A message that was planned by a run that then died counts for a quarter of an hour."""
    await plain.notifiers.put("local", SLACK)
    assert len(await told_or_not(plain, await ran(plain, "FAILED"))) == 1
    clock.advance(60)
    assert await told_or_not(plain, await ran(plain, "FAILED")) == []
    clock.advance(HOUR_S)
    assert len(await told_or_not(plain, await ran(plain, "FAILED"))) == 1
    clock.advance(HOUR_S)
    assert await told_or_not(plain, await ran(plain, "PASSED")) == []


async def test_who_wants_to_hear_of_what(app: App) -> None:
    """A notifier hears of its tables and rules only, and on its occasions only."""
    await app.notifiers.put("local", replace(SLACK, notifier_id="tables", tables=("orders",)))
    await app.notifiers.put("local", replace(SLACK, notifier_id="rules", configs=("items-0",)))
    await app.notifiers.put("local", replace(SLACK, notifier_id="errors", on=("error",)))
    ids = [*await ran(app, "FAILED"), *await ran(app, "FAILED", "ERROR", table="items")]
    planned = await app.notifications.plan("local", ids)
    assert {(p["notifier"], p["subject"]) for p in planned} == {
        ("tables", "[FAILED] orders: 1 rule failed"),
        ("rules", "[FAILED] items: 1 rule failed"),
        ("errors", "[ERROR] items: 1 rule could not be decided"),
    }


async def test_a_muted_notifier_is_told_later_what_still_fails(app: App, clock: FakeClock) -> None:
    """While muted nothing is sent; afterwards the next run tells what still fails, and not what came and went."""
    await app.notifiers.put("local", SLACK)
    await app.notifiers.mute("local", "team", clock.now() + 2 * HOUR_S * 1000)
    assert await told(app, await ran(app, "FAILED", "FAILED")) == []
    clock.advance(HOUR_S)
    assert await told(app, await ran(app, "FAILED", "PASSED")) == []
    clock.advance(HOUR_S)
    assert await told(app, await ran(app, "FAILED", "PASSED")) == ["[FAILED] orders: 1 rule failed"]
    await app.notifiers.put("local", replace(SLACK, enabled=False))
    assert await told(app, await ran(app, "PASSED")) == []


async def test_changing_a_notifier_keeps_its_mute(app: App, clock: FakeClock) -> None:
    """Only muting and unmuting change the mute, and only they."""
    made = await app.notifiers.put("local", SLACK)
    await app.notifiers.mute("local", "team", 5)
    changed = await app.notifiers.put("local", replace(SLACK, tables=("orders",)))
    assert (changed.muted_until, changed.created_at) == (5, made.created_at)
    assert (await app.notifiers.mute("local", "team", 0)).tables == ("orders",)
    with pytest.raises(NotFoundError):
        await app.notifiers.mute("local", "nobody", 0)


async def test_an_old_run_that_comes_late_says_nothing(plain: App, clock: FakeClock) -> None:
    """A run that is older than one already looked at neither closes nor opens anything."""
    await plain.notifiers.put("local", SLACK)
    early = clock.now()
    clock.advance(HOUR_S)
    await told(plain, await ran(plain, "FAILED"))
    assert await told(plain, await ran(plain, "PASSED", timestamp=early)) == []
    assert await told(plain, await ran(plain, "PASSED")) == ["[RECOVERED] orders: 1 rule recovered"]


async def test_plans_at_once_tell_once(app: App) -> None:
    """Many that plan the same runs at once make one notification; different runs of one rule tell one failure."""
    import asyncio

    await app.notifiers.put("local", SLACK)
    ids = await ran(app, "FAILED", "FAILED")
    plans = await asyncio.gather(*(app.notifications.plan("local", ids) for _ in range(5)))
    assert all(plan == plans[0] for plan in plans)
    others = [await ran(app, "FAILED", "FAILED") for _ in range(5)]
    more = await asyncio.gather(*(app.notifications.plan("local", ids) for ids in others))
    assert sum(map(len, more)) == 0
    assert len((await app.notifications.list("local")).items) == 1


class Overtaken(MemoryStore):
    """A store in which somebody else does something just before an incident is read for the first time."""

    meanwhile: Callable[[], Awaitable[object]] | None = None

    async def get(self, collection: str, key: tuple[Any, ...]) -> dict[str, Any] | None:
        if collection == INCIDENT and self.meanwhile is not None:
            first, self.meanwhile = self.meanwhile, None
            await first()
        return await super().get(collection, key)


async def test_a_plan_that_was_overtaken_names_what_the_other_planned(
    tmp_path: Path, clock: FakeClock
) -> None:
    """Whoever looks for the message before another writes it, and at the incidents after, answers with the other's message."""
    store = Overtaken(clock)
    async with app_for_tests(store=store, clock=clock, home=tmp_path) as app:
        await app.notifiers.put("local", SLACK)
        ids = await ran(app, "FAILED", "FAILED")
        store.meanwhile = lambda: app.notifications.plan("local", ids)
        assert [p["notifier"] for p in await app.notifications.plan("local", ids)] == ["team"]
        assert len((await app.notifications.list("local")).items) == 1


async def test_tenants_are_apart(app: App) -> None:
    """A tenant's runs reach its own notifiers, and nobody sends or sees another's notification."""
    await app.notifiers.put("acme", SLACK)
    assert await app.notifications.plan("local", await ran(app, "FAILED")) == []
    (planned,) = await app.notifications.plan("acme", await ran(app, "FAILED", tenant="acme"))
    with pytest.raises(ToolError) as refused:
        await app.notifications.send("local", planned["notification_id"])
    assert refused.value.code == "E618"
    with pytest.raises(NotFoundError):
        await app.notifications.get("local", planned["notification_id"])
    assert [n.notifier_id for n in (await app.notifiers.list("acme")).items] == ["team"]
    assert (await app.notifiers.list("local")).items == []


async def test_a_webhook_is_signed_with_its_secret(app: App, web: Web) -> None:
    """The key is taken from the secrets when the message is sent, and stands in no record."""
    await app.notifiers.put(
        "local", NotifierConfig("hook", "webhook", web.url, signing_key="${secret:hook_key}")
    )
    await told(app, await ran(app, "FAILED"))
    assert web.requests[0].headers["webhook-signature"].startswith("v1,")
    item = await app.store.get("notifier_config", ("hook",))
    assert "a-key-for-signing" not in str(item)


async def test_what_cannot_be_sent_says_why(plain: App) -> None:
    """Without a mail server, a secret or the notifier, nothing was sent, and the record says why."""
    await plain.notifiers.put("local", NotifierConfig("mail", "email", "ops@shop.example"))
    await plain.notifiers.put("local", replace(SLACK, target="${secret:nowhere}"))
    await plain.notifiers.put("local", replace(SLACK, notifier_id="gone"))
    planned = {
        p["notifier"]: p["notification_id"]
        for p in await plain.notifications.plan("local", await ran(plain, "FAILED"))
    }
    await plain.notifiers.remove("local", "gone")
    for notifier, code in {"mail": "E629", "team": "E250", "gone": "E618"}.items():
        with pytest.raises(ToolError) as refused:
            await plain.notifications.send("local", planned[notifier])
        assert refused.value.code == code
        assert (await plain.notifications.get("local", planned[notifier])).status == "failed"
    assert [n.status for n in (await plain.notifications.list("local", status="failed")).items] == [
        "failed"
    ] * 3


async def test_a_message_that_went_out_is_sent_even_when_that_cannot_be_recorded(
    plain: App, web: Web
) -> None:
    """A store that fails after the message was accepted does not make it a failure that would be tried again."""
    await plain.notifiers.put("local", SLACK)
    (planned,) = await plain.notifications.plan("local", await ran(plain, "FAILED"))
    real, calls = plain.store.transact, []

    async def fail_second(writes: Any) -> None:
        calls.append(writes)
        if len(calls) > 1:
            raise StoreError("the store is away")
        await real(writes)

    plain.store.transact = fail_second  # type: ignore[method-assign]
    answer = await plain.notifications.send("local", planned["notification_id"])
    assert answer["status"] == "sent"
    assert len(web.requests) == 1


async def test_a_test_message_reaches_a_muted_notifier(plain: App, web: Web) -> None:
    """Trying a notifier out says that it is a test, and touches no incident."""
    await plain.notifiers.put("local", SLACK)
    await plain.notifiers.mute("local", "team", plain.clock.now() + 10_000)
    assert (await plain.notifications.test("local", "team"))["receipt"] == "HTTP 200"
    assert "TEST" in web.requests[0].json["text"]
    web.answers[:] = ["cut"]
    with pytest.raises(ToolError, match="may have been accepted"):
        await plain.notifications.test("local", "team")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"channel": "email", "target": "nobody"}, "`nobody` is no e-mail address"),
        ({"channel": "email", "target": "a@b.example,,"}, ""),
        ({"channel": "email", "target": " , "}, "names no e-mail address"),
        ({"channel": "slack", "target": "https://hooks.slack.com/services/T/B/x"}, "is a secret"),
        ({"channel": "webhook", "target": "https://user:pw@x.example/"}, "without a password"),
        ({"channel": "webhook", "target": "file:///etc/passwd"}, "is no http or https URL"),
        ({"channel": "webhook", "target": "https://x.example/${secret:token}"}, ""),
        ({"channel": "webhook", "target": ""}, "`target` must be"),
        ({"on": ()}, "`on` names no occasion"),
        ({"mute_for_s": -1}, "`mute_for_s`"),
        ({"signing_key": "${secret:k}"}, "`signing_key` is for webhooks"),
        (
            {"channel": "webhook", "target": "https://x.example", "signing_key": "abc"},
            "`signing_key` is for webhooks",
        ),
    ],
)
async def test_what_is_no_notifier(plain: App, fields: dict[str, Any], why: str) -> None:
    """A notifier that could reach nobody, or that holds a password, is refused with every mistake."""
    config = replace(SLACK, **fields)
    if not why:
        await plain.notifiers.put("local", config)
        return
    with pytest.raises(InputError, match="cannot be used") as refused:
        await plain.notifiers.put("local", config)
    assert why in refused.value.message


async def test_a_known_secret_in_a_notifier_is_refused(plain: App, web: Web) -> None:
    """A secret's value cannot be written into a target."""
    with pytest.raises(InputError) as refused:
        await plain.notifiers.put("local", NotifierConfig("hook", "webhook", web.url + "/slack"))
    assert refused.value.code == "E619"


async def test_notifiers_are_applied_from_files(app: App) -> None:
    """Applying creates, changes, leaves alone and prunes; a mute and what was added by hand stay."""
    ana = Actor("ana")
    document = Document("notifier", "team", {"channel": "email", "target": "a@b.example"}, where="n.yaml:1")
    await app.notifiers.put("local", replace(SLACK, notifier_id="by-hand"))

    async def applied(*documents: Document) -> list[str]:
        planned = await app.applying.plan("local", documents, prune=True)
        return [step.verdict for step in await app.applying.carry_out("local", planned, actor=ana)]

    assert await applied(document) == ["create"]
    assert await applied(document) == ["unchanged"]
    await app.notifiers.mute("local", "team", 7)
    assert await applied(replace(document, spec={**document.spec, "tables": ["orders"]})) == ["edit"]
    assert (await app.notifiers.get("local", "team")).muted_until == 7
    other = replace(document, name="other", where="n.yaml:9")
    assert sorted(await applied(other)) == ["archive", "create"]
    assert [n.notifier_id for n in await app.notifiers.all("local")] == ["by-hand", "other"]


# what holds whatever happens

steps = st.lists(
    st.tuples(
        st.sampled_from(["PASSED", "FAILED", "ERROR"]),
        st.sampled_from(["sent", "failed", "unknown", "pending"]),
        st.integers(1, 30),
    ),
    max_size=30,
)


@given(
    steps,
    st.sampled_from([0, HOUR_S, DAY_S]),
    st.sets(st.sampled_from(["failure", "error", "recovery"]), min_size=1),
)
def test_a_recovery_is_told_only_after_a_failure_and_failures_keep_their_distance(
    history: list[tuple[str, str, int]], mute_for_s: int, on: set[str]
) -> None:
    """Whatever a rule does and however the sending goes: no recovery of the unsaid, no failure told twice within the mute."""
    config = replace(SLACK, mute_for_s=mute_for_s, on=tuple(on))
    incident: Incident | None = None
    last: Notification | None = None
    now, may_have_heard, sent_at = 0, False, -(10**12)
    for status, fate, hours in history:
        now += hours * HOUR_S * 1000
        run = ValidationRun(f"r{now}", "t", "c", 1, "x", status, {}, "api", now)  # type: ignore[arg-type]
        judged = judge(config, run, incident, last, tenant_id="local", now=now)
        line = judged.line
        if line is not None:
            assert {"FAILED": "failure", "ERROR": "error", "RECOVERED": "recovery"}[line.state] in on
            assert may_have_heard if line.state == "RECOVERED" else now >= sent_at + mute_for_s * 1000
        if status == "PASSED":
            may_have_heard, sent_at = False, -(10**12)
        elif line is not None:
            may_have_heard |= fate in ("sent", "unknown", "pending")
            sent_at = now if fate == "sent" else sent_at
        if judged.incident is not None:
            incident = replace(
                judged.incident, notification_id="n" if line else judged.incident.notification_id
            )
            assert incident.state == ("closed" if status == "PASSED" else "open")
        if line is not None and incident is not None and incident.state == "open":
            last = Notification("n", "local", "team", "slack", "t", "failure", "", (), now, status=fate)  # type: ignore[arg-type]
        elif incident is None or incident.state == "closed":
            last = None
