"""The agents as a program runs them: rules in, run log out, and people asked where something would be changed."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from checking import ANA, app_at, ask, parquet, registered, ruled, tool_context
from msgspec import Struct

from remit.bootstrap import App
from remit.core.task import Actor
from remit.sdk import Pack
from remit_packs.validation import Data, Outcome, passed, validation_type
from remit_packs.validation.agents.recording import run_id_of
from remit_packs.validation.agents.rules import tables_of

BOSS = Actor("boss", roles=("approver",))


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """A program with the pack and a table of ten rows."""
    parquet(tmp_path / "t.parquet", "SELECT i AS id, if(i = 3, NULL, 'x') AS note FROM range(10) r(i)")
    async with app_at(tmp_path / "home", secrets={"rerun_load_url": "http://127.0.0.1:1/"}) as program:
        await registered(program, "t", tmp_path / "t.parquet", owner="data")
        yield program


async def validated(app: App, **given: Any) -> dict[str, Any]:
    """The answer of `validate`."""
    result = await ask(app, "validate", given)
    assert isinstance(result.result_payload, dict), result.problem
    return {**result.result_payload, "agent_run": result.run_id}


async def test_a_run_of_a_rule_is_in_the_log_with_its_evidence(app: App) -> None:
    """What was checked, which version, what came of it, who asked, and by which run."""
    await ruled(app, "t-id", "t", "null_rate", column="id")
    await ruled(app, "t-note", "t", "null_rate", column="note")
    found = await validated(app, table_id="t", triggered_by="event")
    assert (found["status"], found["counts"]) == ("FAILED", {"passed": 1, "failed": 1, "errors": 0})
    page = await app.validation_runs.list("local", table_id="t")
    log = {run.config_id: run for run in page.items}
    run = log["t-note"]
    assert (run.status, run.version, run.triggered_by, run.agent_run) == (
        "FAILED",
        1,
        "event",
        found["agent_run"],
    )
    assert run.details["offending_count"] == 1
    assert "no `note`" in run.details["reason"]
    assert run.run_id == run_id_of(found["agent_run"], "t-note")


async def test_the_same_task_again_changes_nothing(app: App) -> None:
    """One run log however often it is asked for."""
    await ruled(app, "t-id", "t", "null_rate", column="id")
    for _ in range(2):
        await ask(app, "validate", {"table_id": "t"}, task_id="slot-1")
    assert len((await app.validation_runs.list("local", table_id="t")).items) == 1


async def test_disabled_rules_and_inactive_tables_are_left_out_and_named(app: App, tmp_path: Path) -> None:
    """They are not run, and nobody has to guess why."""
    await ruled(app, "t-id", "t", "null_rate", column="id")
    await ruled(app, "t-note", "t", "null_rate", column="note")
    await app.validations.disable("local", "t-note", actor=ANA, reason="the test")
    await registered(app, "old", tmp_path / "t.parquet")
    await ruled(app, "old-id", "old", "null_rate", column="id")
    await registered(app, "old", tmp_path / "t.parquet", active=False)
    found = await validated(app, configs=["t-id", "t-note", "old-id"])
    assert [run["config_id"] for run in found["runs"]] == ["t-id"]
    assert found["skipped"] == [
        {"config_id": "t-note", "reason": "it is disabled"},
        {"config_id": "old-id", "reason": "table `old` is not active"},
    ]
    every = await validated(app, every=True)
    assert [run["config_id"] for run in every["runs"]] == ["t-id"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"table_id": "t"}, "E596"),
        ({"table_id": "nope"}, "E104"),
        ({"config_id": "nope"}, "E104"),
        ({"every": True}, "E596"),
    ],
)
async def test_nothing_to_check_is_not_a_pass(app: App, given: dict[str, Any], code: str) -> None:
    """Without a rule, or without the table, the answer is ERROR."""
    found = await validated(app, **given)
    assert (found["status"], found["code"]) == ("ERROR", code)


async def test_a_schedule_whose_rules_are_gone_has_nothing_to_report(app: App) -> None:
    """Its last slot ends well, and says that there was nothing."""
    found = await validated(app, table_id="t", schedule="daily", triggered_by="scheduler", slot=1)
    assert (found["status"], found["runs"]) == ("PASSED", [])


async def test_a_schedule_runs_only_its_rules(app: App, tmp_path: Path) -> None:
    """A rule without a schedule has its table's."""
    from remit.engine.validations import Rule

    await registered(app, "t", tmp_path / "t.parquet", schedule="daily")
    for name, schedule in (("a", ""), ("b", "daily"), ("c", "hourly")):
        rule = Rule("t", "null_rate", {"column": "id"}, schedule)
        await app.validations.create("local", f"t-{name}", rule, actor=ANA, reason="the test")
    daily = await validated(app, table_id="t", schedule="daily", triggered_by="scheduler", slot=1)
    assert [run["config_id"] for run in daily["runs"]] == ["t-a", "t-b"]
    hourly = await validated(app, table_id="t", schedule="hourly", triggered_by="scheduler", slot=1)
    assert [run["config_id"] for run in hourly["runs"]] == ["t-c"]


async def test_a_source_that_is_gone_is_an_error_of_every_rule_that_reads_it(
    app: App, tmp_path: Path
) -> None:
    """It is asked once; the rules of other tables are run all the same."""
    await registered(app, "gone", tmp_path / "gone.parquet")
    await ruled(app, "gone-a", "gone", "null_rate", column="id")
    await ruled(app, "gone-b", "gone", "uniqueness", columns=["id"])
    await ruled(app, "t-count", "t", "record_count_match", source_table="gone")
    await ruled(app, "t-id", "t", "null_rate", column="id")
    found = await validated(app, every=True)
    status = {run["config_id"]: (run["status"], run["details"].get("code", "")) for run in found["runs"]}
    assert status == {
        "gone-a": ("ERROR", "E564"),
        "gone-b": ("ERROR", "E564"),
        "t-count": ("ERROR", "E564"),
        "t-id": ("PASSED", ""),
    }
    assert found["status"] == "ERROR"


class Empty(Struct, frozen=True, forbid_unknown_fields=True):
    """No parameters."""


@validation_type("mine")
async def mine(parameters: Empty, data: Data) -> Outcome:
    """Always holds."""
    return passed("it holds", rows=await data.count())


async def test_a_type_whose_agent_is_not_loaded_is_an_error(tmp_path: Path) -> None:
    """The rule stays, and says what is missing here; the others run."""

    store = f"sqlite:///{tmp_path / 'r.db'}"
    parquet(tmp_path / "t.parquet", "SELECT 1 AS id")
    async with app_at(tmp_path / "home", store, packs=[Pack("mine", agents=[mine])]) as app:
        await registered(app, "t", tmp_path / "t.parquet")
        await ruled(app, "t-mine", "t", "mine")
        await ruled(app, "t-id", "t", "null_rate", column="id")
        assert (await validated(app, table_id="t"))["status"] == "PASSED"
    async with app_at(tmp_path / "home", store) as app:
        found = await validated(app, table_id="t")
    status = {run["config_id"]: run["status"] for run in found["runs"]}
    assert status == {"t-mine": "ERROR", "t-id": "PASSED"}
    (run,) = [r for r in found["runs"] if r["status"] == "ERROR"]
    assert "`mine` cannot be run" in run["reason"]


async def test_a_wide_table_does_not_burst_the_log(app: App, tmp_path: Path) -> None:
    """Details that the run log could not hold are left out by name; the sentence stays."""
    columns = ", ".join(f"{i} AS column_{i:04}_{'x' * 60}" for i in range(1500))
    parquet(tmp_path / "wide.parquet", f"SELECT {columns}")
    await registered(app, "wide", tmp_path / "wide.parquet")
    await ruled(app, "wide-schema", "wide", "schema_match", columns=[{"name": "id"}])
    (run,) = (await validated(app, table_id="wide"))["runs"]
    assert (run["status"], run["details"]["missing"]) == ("FAILED", ["id"])
    assert "actual_columns" in run["details"]["left_out"]
    logged = await app.validation_runs.get("local", run["run_id"])
    assert "`id`" in logged.details["reason"]


async def test_a_rule_named_twice_is_run_once(app: App) -> None:
    """By its id, by its table, and by both."""
    await ruled(app, "t-id", "t", "null_rate", column="id")
    found = await validated(app, table_id="t", config_id="t-id", configs=["t-id", "t-id"], every=True)
    assert len(found["runs"]) == 1


async def test_many_rules_run_within_the_budget_of_the_profile(app: App) -> None:
    """More rules than one validator is handed, each with an agent of its own."""
    for number in range(120):
        await ruled(app, f"t-{number}", "t", "null_rate", column="id")
    found = await validated(app, table_id="t")
    assert found["counts"] == {"passed": 120, "failed": 0, "errors": 0}
    assert len({run["run_id"] for run in found["runs"]}) == 120


async def test_the_scorecard_agent_says_what_the_scorecard_says(app: App) -> None:
    """Three agents come to the same numbers as the door does."""
    await ruled(app, "t-id", "t", "null_rate", column="id")
    await ruled(app, "t-note", "t", "null_rate", column="note")
    await validated(app, table_id="t")
    result = await ask(app, "scorecard", {"days": 7})
    (table,), (owner,) = result.result_payload["tables"], result.result_payload["owners"]
    assert (table["subject"], table["pass_rate"], table["failing"]) == ("t", 50.0, ["t-note"])
    assert (owner["subject"], owner["runs"]) == ("data", 2)
    fresh = await ask(app, "scorecard", {"days": 7, "fresh": True})
    assert fresh.result_payload["tables"][0]["runs"] == 4
    card = await app.scorecards.all("local", days=7)
    assert json.loads(json.dumps(fresh.result_payload["tables"][0]["pass_rate"])) == card.tables[0].pass_rate


async def test_suggested_rules_hold_and_are_only_drafts(app: App, tmp_path: Path) -> None:
    """What is proposed passes on the data it was taken from, and is not active before a person says so."""
    parquet(
        tmp_path / "t.parquet",
        "SELECT i AS id, ['a', 'b'][1 + i % 2] AS kind, (i % 5) * 1.5::decimal(9,2) AS price, if(i % 9 = 0, NULL, i) AS seen FROM range(80) r(i)",
    )
    result = await ask(app, "suggester", {"table": "t", "write": True})
    proposed = {rule["config_id"]: rule for rule in result.result_payload["rules"]}
    assert {"t-schema", "t-uniqueness-id", "t-set-kind", "t-range-price"} <= set(proposed)
    assert proposed["t-set-kind"]["parameters"]["values"] == ["a", "b"]
    assert proposed["t-null-rate-seen"]["parameters"]["max_percent"] == 17
    assert [draft.get("status") for draft in result.result_payload["drafts"]] == ["draft"] * len(proposed)
    assert (await validated(app, table_id="t"))["code"] == "E596"
    assert result.result_payload["left_out"] == []
    for config_id in proposed:
        await app.validations.promote("local", config_id, 1, actor=ANA, reason="the test")
    assert (await validated(app, table_id="t"))["counts"] == {
        "passed": len(proposed),
        "failed": 0,
        "errors": 0,
    }


async def test_what_an_active_rule_speaks_of_is_not_suggested_again(app: App, tmp_path: Path) -> None:
    """Also where it is switched off, or has other bounds; a rule about some rows only says nothing of the others."""
    parquet(tmp_path / "t.parquet", "SELECT i AS id, i % 7 AS many, 1 AS more FROM range(80) r(i)")
    await ruled(app, "ours", "t", "uniqueness", columns=["id"])
    await ruled(app, "wide", "t", "null_rate", column="many", max_percent=90)
    await ruled(app, "off", "t", "value_range", column="many", min=-5)
    await app.validations.disable("local", "off", actor=ANA, reason="not meant")
    some = [{"column": "id", "op": ">", "value": 1}]
    await ruled(app, "part", "t", "null_rate", column="more", filters=some)
    answer = (await ask(app, "suggester", {"table": "t"})).result_payload
    assert {said["config_id"] for said in answer["left_out"]} == {"ours", "wide", "off"}
    assert {rule["config_id"] for rule in answer["rules"]} == {
        "t-schema",
        "t-null-rate-id",
        "t-null-rate-more",
        "t-range-more",
    }


# the investigator, without a model


async def test_the_offline_investigator_reads_the_log_and_says_what_it_is(app: App) -> None:
    """The newest run in words, from its details only."""
    await ruled(app, "t-note", "t", "null_rate", column="note")
    await validated(app, table_id="t")
    await validated(app, table_id="t")
    result = await ask(app, "investigator", "Why did rule t-note of table t fail?")
    assert "1 of 10 rows have no `note`" in result.result_payload
    assert "2 runs in a row" in result.result_payload
    assert "not a language model" in result.result_payload


async def test_a_proposed_change_is_a_draft_until_a_person_agrees(app: App) -> None:
    """Proposing runs by itself; activating waits, and nobody's own request is enough."""
    await ruled(app, "t-note", "t", "null_rate", column="note")
    await ask(app, "investigator", "set max_percent to 20 in rule t-note")
    assert (await app.validations.get("local", "t-note")).version == 1
    draft = await app.validations.get("local", "t-note", 2)
    assert (draft.status, draft.parameters["max_percent"]) == ("draft", 20)
    assert "investigator" in draft.change_author
    waiting = await ask(app, "investigator", "activate version 2 of t-note")
    assert waiting.status == "needs_approval"
    assert (await app.validations.get("local", "t-note")).version == 1
    await _approve(app)
    await app.worker.run_until_idle(waiting.run_id)
    assert (await app.validations.get("local", "t-note")).version == 2
    assert (await validated(app, table_id="t"))["status"] == "PASSED"


# remediation


@pytest.mark.parametrize("profile", ["default", "strict", "validation"])
async def test_a_partition_is_quarantined_only_after_a_person_agreed(
    app: App, tmp_path: Path, profile: str
) -> None:
    """Its folder moves beside the table, once, and the table no longer has it."""
    for day in ("2026-11-19", "2026-11-20"):
        (tmp_path / "events" / f"day={day}").mkdir(parents=True)
        parquet(tmp_path / "events" / f"day={day}" / "part.parquet", "SELECT 1 AS id")
    await registered(app, "events", tmp_path / "events", format="parquet", partition_key="day")
    waiting = await ask(app, "investigator", "quarantine partition 2026-11-20 of events", profile=profile)
    assert waiting.status == "needs_approval"
    assert (tmp_path / "events" / "day=2026-11-20").exists()
    await _approve(app)
    await app.worker.run_until_idle(waiting.run_id)
    assert not (tmp_path / "events" / "day=2026-11-20").exists()
    assert (tmp_path / "events.quarantine" / "day=2026-11-20" / "part.parquet").exists()
    assert (tmp_path / "events" / "day=2026-11-19" / "part.parquet").exists()


async def test_rows_of_a_database_are_copied_and_stay(app: App, tmp_path: Path) -> None:
    """The copy holds exactly the partition, however often it is made; a partition without rows changes nothing."""
    from remit.core.errors import ToolError
    from remit_packs.validation.agents.remedies import quarantine_partition

    database = tmp_path / "shop.db"
    with closing(sqlite3.connect(database)) as shop, shop:
        shop.execute('CREATE TABLE "odd ""orders" (id INTEGER, "the % day" TEXT)')
        shop.executemany('INSERT INTO "odd ""orders" VALUES (?, ?)', [(1, "a"), (2, "a"), (3, "b")])
    await registered(app, "shop", f'{database}::odd "orders', source="sqlite", partition_key="the % day")
    given = {"table_id": "shop", "partition": "a", "reason": "x"}
    for _ in range(2):
        answer = await quarantine_partition.call(given, tool_context(app))
        assert (answer["copied_to"], answer["rows"]) == ('odd "orders__quarantine', 2)
    with pytest.raises(ToolError, match="no row"):
        await quarantine_partition.call({**given, "partition": "z"}, tool_context(app))
    with closing(sqlite3.connect(database)) as shop:
        assert shop.execute('SELECT id FROM "odd ""orders__quarantine"').fetchall() == [(1,), (2,)]
        assert shop.execute('SELECT count(*) FROM "odd ""orders"').fetchone() == (3,)


@pytest.mark.parametrize("partition", ["../../etc", "a/b", "..", ".hidden", ""])
async def test_a_partition_cannot_name_a_place_elsewhere(app: App, tmp_path: Path, partition: str) -> None:
    """Only a plain value is taken, whoever asked and whoever approved."""
    from remit.core.errors import ToolError
    from remit_packs.validation.agents.remedies import quarantine_partition

    await registered(app, "t", tmp_path / "t.parquet", partition_key="id")
    with pytest.raises(ToolError, match="cannot name a partition"):
        await quarantine_partition.call(
            {"table_id": "t", "partition": partition, "reason": "x"}, tool_context(app)
        )


async def test_a_load_is_asked_for_once_under_one_key(tmp_path: Path) -> None:
    """After approval the pipeline gets one POST with an idempotency key; a 5xx is sent again under the same one."""
    with _pipeline([503, 202]) as (url, heard):
        async with app_at(tmp_path / "home", secrets={"rerun_load_url": url}) as app:
            parquet(tmp_path / "t.parquet", "SELECT 1 AS id")
            await registered(app, "t", tmp_path / "t.parquet")
            waiting = await ask(app, "investigator", "rerun the load of t for partition 2026-11-20")
            assert (waiting.status, heard) == ("needs_approval", [])
            await _approve(app)
            await app.worker.run_until_idle(waiting.run_id)
            result = await app.runs.result(waiting.run_id, "local")
    assert result is not None
    assert result.status == "success"
    assert [body for _, body in heard] == [
        {
            "table_id": "t",
            "partition": "2026-11-20",
            "reason": "asked for: rerun the load of t for partition 2026-11-20",
        }
    ] * 2
    assert len({key for key, _ in heard}) == 1
    assert url not in json.dumps([e.data for e in await _events(app, waiting.run_id)], default=str)


def test_tables_are_found_by_their_mark() -> None:
    """A parameter that may be absent is marked inside its alternatives."""
    schema = {
        "properties": {
            "source_table": {"type": "string", "format": "table"},
            "other": {"anyOf": [{"type": "null"}, {"type": "string", "format": "table"}]},
            "column": {"type": "string"},
        }
    }
    assert tables_of(schema, {"source_table": "a", "other": "b", "column": "c"}) == ["a", "b"]
    assert tables_of(schema, {"source_table": "", "other": None}) == []


async def _approve(app: App) -> None:
    (waiting,) = (await app.approvals.list("local")).items
    await app.approvals.decide(waiting["approval_id"], "local", BOSS, "approve", rationale="yes")


async def _events(app: App, run_id: str) -> list[Any]:
    async with app:
        return await app.runs.events(run_id, "local")


class _pipeline:
    """A pipeline's HTTP door that answers with these codes in turn."""

    def __init__(self, answers: list[int]) -> None:
        self.heard: list[tuple[str, Any]] = []
        heard, left = self.heard, iter(answers)

        class Door(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                heard.append((self.headers["Idempotency-Key"], body))
                self.send_response(next(left))
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Door)

    def __enter__(self) -> tuple[str, list[tuple[str, Any]]]:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.server_port}/load", self.heard

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
