"""The second half of `remit demo`: tables, rules, a failing diff, a changed rule, a notification and a scorecard."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from remit.cli.console import paint, say
from remit.cli.text import brief

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.cli.demo import Tour
    from remit.core.task import Actor

TENANT = "local"
PROFILE = "validation"
KNOWN = ["placed", "packed", "shipped", "delivered"]


async def validation(tour: Tour) -> None:
    """Show what rules about tables do, on a Parquet file and a SQLite table."""
    with _sink() as (address, heard):
        section = Section(tour)
        await section.register(address)
        await section.check()
        section.told(heard)
        await section.change()
        await section.again()
        section.told(heard)
        await section.scores()


class Section:
    """The steps, in order."""

    def __init__(self, tour: Tour) -> None:
        from remit.cli.session import person

        self._tour = tour
        self._app: App = tour.app
        self._actor: Actor = person("local", ())
        self._told = 0

    async def register(self, address: str) -> None:
        """Two tables in two engines, three rules, and who is to be told."""
        from remit.core.notification import NotifierConfig
        from remit.core.validation import Table
        from remit.engine.validations import Rule
        from remit_packs.validation.demo_tables import demo_tables

        self._tour.heading(
            "What must hold of your tables",
            "A shop's orders in Parquet, and the warehouse in SQLite that loads them. Three rules; each version is kept.",
        )
        self._parquet, self._database = demo_tables(self._tour.home / "data")
        tables = [
            Table("shop_orders", "file", str(self._parquet), "parquet", owner="shop"),
            Table("orders", "sqlite", f"{self._database}::orders", "table", owner="data"),
        ]
        for one in tables:
            await self._app.tables.put(TENANT, one, actor=self._actor, reason="to be looked after")
        rules = {
            "orders-count": Rule(
                "orders", "record_count_match", {"source_table": "shop_orders", "threshold_percent": 1}
            ),
            "orders-rows": Rule(
                "orders",
                "row_diff",
                {"source_table": "shop_orders", "key": ["order_id"], "ignore": ["status"]},
            ),
            "orders-status": Rule("orders", "value_set", {"column": "status", "values": KNOWN}),
        }
        for config_id, rule in rules.items():
            await self._app.validations.create(TENANT, config_id, rule, actor=self._actor, reason="the demo")
        await self._app.notifiers.put(TENANT, NotifierConfig("desk", "webhook", address))
        say(f"   {paint('tables', 'dim')}  shop_orders (Parquet), orders (SQLite)")
        say(f"   {paint('rules', 'dim')}   {', '.join(rules)}")
        say()

    async def check(self) -> None:
        """The rules are checked: two do not hold, and the diff names the rows."""
        found = await self._run()
        self._show(found)
        status = {run["config_id"]: run["status"] for run in found["runs"]}
        self._tour.expect(
            status == {"orders-count": "PASSED", "orders-rows": "FAILED", "orders-status": "FAILED"},
            "of three rules one holds; counts alone would have said that all is well",
        )
        await self._rows(found)
        self._tour.closer("remit validate report " + found["agent_run"])

    async def _rows(self, found: dict[str, Any]) -> None:
        from remit_packs.validation.checks.differing import rows_of

        (digest, *_) = next(run["artifacts"] for run in found["runs"] if run["config_id"] == "orders-rows")
        for row in rows_of(await self._app.blobs.get(digest), 5):
            (key,) = row.key.values()
            what = (
                "only in the shop"
                if row.change == "missing"
                else brief({n: list(v) for n, v in row.columns.items()}, 80)
            )
            say(f"     order {key}: {what}")

    def told(self, heard: list[dict[str, Any]]) -> None:
        """What arrived at the webhook since it was last looked at."""
        new, self._told = heard[self._told :], len(heard)
        self._tour.expect(
            len(new) == 1, "one notification went to the webhook of `desk`, with counts and no rows"
        )
        for body in new:
            say(f"     {paint(brief(_subject(body), 110), 'dim')}")

    async def change(self) -> None:
        """`returned` is a status after all: the next version of the rule; and the load is run again."""
        from remit.engine.validations import Rule
        from remit_packs.validation.demo_tables import repair

        say()
        say(
            paint(
                "   `returned` is a status after all: the rule gets a next version. And the load is run again.",
                "dim",
            )
        )
        rule = Rule("orders", "value_set", {"column": "status", "values": [*KNOWN, "returned"]})
        made = await self._app.validations.edit(
            TENANT, "orders-status", rule, actor=self._actor, reason="orders may be returned since November"
        )
        self._tour.expect(
            made.version == 2, "orders-status version 2 is active, version 1 is kept; who, when and why too"
        )
        self._tour.closer("remit validations diff orders-status 1 2")
        repair(self._database)
        say()

    async def again(self) -> None:
        """Now all hold."""
        found = await self._run()
        self._show(found)
        self._tour.expect(found["status"] == "PASSED", found["reason"])

    async def scores(self) -> None:
        """The scorecard of what was run."""
        card = await self._app.scorecards.table(TENANT, "orders")
        (score,) = card.tables
        self._tour.expect(
            (score.runs, score.failing) == (6, ()),
            f"scorecard of orders: {score.passed} of {score.runs} runs passed ({score.pass_rate} %), nothing is failing now",
        )
        self._tour.closer("remit scorecard")
        say(paint("   With your own tables, in whatever engines they live:", "dim"))
        say(
            f"   {paint('try', 'dim')}  {paint('remit validate diff orders.parquet postgresql://ana@db/shop/orders --key id', 'name')}"
        )

    async def _run(self) -> dict[str, Any]:
        from remit.cli.deciding import Nobody
        from remit.cli.driving import drive
        from remit.cli.live import screen
        from remit.cli.run import new_task

        given = {"table_id": "orders", "triggered_by": "cli"}
        task = new_task(self._app, "validate", "", given, TENANT, profile=PROFILE)
        run_id = await self._app.runs.submit(task)
        result, _ = await drive(self._app, run_id, TENANT, Nobody(), screen(quiet=True))
        payload = result.result_payload if isinstance(result.result_payload, dict) else {}
        return {"status": "ERROR", "reason": "no answer", "runs": [], **payload, "agent_run": run_id}

    def _show(self, found: dict[str, Any]) -> None:
        style = {"PASSED": "good", "FAILED": "bad", "ERROR": "warn"}
        for run in found["runs"]:
            mark = paint(run["status"].ljust(6), style[run["status"]])
            say(f"     {mark}  {run['config_id'].ljust(14)} v{run['version']}  {brief(run['reason'], 84)}")


def _subject(body: dict[str, Any]) -> Any:
    data = body.get("data")
    return (data.get("subject") or data.get("text") or data) if isinstance(data, dict) else body


@contextmanager
def _sink() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook on this machine, and what it was sent."""
    heard: list[dict[str, Any]] = []

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            heard.append(json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", heard
    finally:
        server.shutdown()
        server.server_close()
