"""`remit demo`: a minute that shows what Remit promises, on this machine, without a key or a service."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.console import paint, say
from remit.cli.session import run_async
from remit.cli.text import brief, lines, plural

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.cli.deciding import Decider
    from remit.core.task import Result
    from remit.settings import Settings

PACKS = ("support", "validation")
FAULT = "after:effect:issue_refund"
LEASE_S = 2
TIMEOUT_S = 30.0
TENANT = o.TENANT


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End afterwards instead of leaving the server up.")
    ] = False,
    approve: Annotated[bool, typer.Option("--approve", help="Approve what is asked (for scripts).")] = False,
    home: Annotated[
        Path, typer.Option("--home", metavar="DIR", help="Where the demo keeps its data.")
    ] = Path(".remit/demo"),
) -> None:
    """Show everything in a minute.

    Three customers of a shop, a refund that a person must approve, a worker killed in the middle of another refund,
    the proof in the audit chain, a comparison of two files, and tables that are held to rules. Offline; safe to repeat.
    """
    from remit.cli.run import choose_decider

    home = home.resolve()
    decider = choose_decider(approve=approve, no_wait=False, approver=o.APPROVER, roles=[o.APPROVER_ROLE])
    shown = Shown()
    with _alone(home):
        try:
            run_async(_tour(home, decider, once, shown))
        except KeyboardInterrupt:
            if not shown.up:
                raise
    raise typer.Exit(0 if shown.good else 1)


@dataclass
class Shown:
    """What was shown so far: `good` until something is not as it should be; `up` once the server runs."""

    good: bool = True
    up: bool = False


async def _tour(home: Path, decider: Decider, once: bool, shown: Shown) -> None:
    from remit.bootstrap import open_app
    from remit.cli.demo_validation import validation

    settings = _settings(home)
    say(
        paint("Remit in a minute", "bold")
        + paint("  offline: rules stand in for a language model, and say so", "dim")
    )
    say(paint(f"  making a shop with 50,000 orders in {home} ...", "dim"))
    async with open_app(settings) as app:
        tour = Tour(app, home, decider, shown)
        await tour.customers()
        await tour.crash()
        await tour.proof()
        await tour.files()
        await validation(tour)
        if once:
            tour.heading("That was it", "`remit demo` without --once leaves the API up.")
        else:
            await tour.serve()


class Tour:
    """The sections, in order."""

    def __init__(self, app: App, home: Path, decider: Decider, shown: Shown) -> None:
        from remit_packs.support import open_shop
        from remit_packs.support.demo import stories

        self.app = app
        self.home = home
        self.decider = decider
        self.shown = shown
        self.parcel, self.broken, self.twice = stories(open_shop(home))
        self.runs: list[str] = []
        self._number = 0

    def heading(self, title: str, why: str) -> None:
        """A section: what happens, and why it matters."""
        self._number += 1
        say()
        say(paint(f"━━ {self._number}  {title} ".ljust(88, "━"), "bold"))
        say(paint(f"   {why}", "dim"))

    def closer(self, command: str) -> None:
        """The exact command to look closer."""
        say(f"   {paint('look closer', 'dim')}  {paint(f'{command} --home {_short(self.home)}', 'name')}")

    def expect(self, good: bool, text: str) -> None:
        """What was shown, checked rather than claimed."""
        self.shown.good = self.shown.good and good
        say(f"   {paint('✓', 'good') if good else paint('✗', 'bad')} {text}")

    async def customers(self) -> None:
        """Two customers: one is answered, one needs a person."""
        self.heading(
            "Customers write to the shop",
            "A supervisor delegates to specialists. Every call goes through policy, is budgeted and journaled.",
        )
        await self._customer(self.parcel)
        say()
        say(
            paint(
                "   The next one wants money. Above $100 policy wants a person, whatever a model was talked into.",
                "dim",
            )
        )
        await self._customer(self.broken)

    async def _customer(self, story: Any) -> None:
        from remit.cli.driving import drive
        from remit.cli.live import screen

        self._said("customer", "name", f"“{story.message}”")
        run_id = await self._submit(story)
        result, _ = await drive(self.app, run_id, TENANT, self.decider, screen())
        self._answer(result)
        self.closer(f"remit runs show {run_id}")

    def _said(self, who: str, style: str, text: Any) -> None:
        """What somebody said, wrapped to the terminal."""
        import shutil
        import textwrap

        width = min(shutil.get_terminal_size((120, 24)).columns, 120) - len(who) - 6
        wrapped = [part for line in lines(text) for part in textwrap.wrap(line, width) or [""]]
        say()
        for number, line in enumerate(wrapped):
            say(f"   {paint(who, style) if number == 0 else ' ' * len(who)}  {line}")
        say()

    async def _submit(self, story: Any) -> str:
        from remit.cli.run import new_task

        run_id = await self.app.runs.submit(new_task(self.app, "supervisor", story.message, None, TENANT))
        self.runs.append(run_id)
        return run_id

    def _answer(self, result: Result) -> None:
        if result.status == "success":
            self._said("answer", "good", result.result_payload)
        elif result.status == "failure":
            problem = result.problem
            self.expect(False, f"failed: [{problem.code}] {problem.message}" if problem else "failed")
        else:
            say(
                paint(
                    "   It waits, without a thread, for as long as it takes: nobody here can decide (try --approve).",
                    "warn",
                )
            )
            self.closer("remit approvals list")

    async def crash(self) -> None:
        """A third customer: the worker dies between the refund and its record."""
        from remit.cli.live import Watch, screen

        self.heading(
            "A worker dies in the middle of a refund",
            "kill -9 right after the money moved and before that was written down: the worst moment there is.",
        )
        self._said("customer", "name", f"“{self.twice.message}”")
        run_id = await self._submit(self.twice)
        watch = Watch(self.app, run_id, TENANT, screen())
        await self._until_killed(run_id, watch)
        paid, asked = self._refunds(self.twice.order_id)
        self.expect(
            (paid, asked) == (1, 1),
            f"the shop's ledger: {plural(paid, 'refund')} of order {self.twice.order_id}; the journal knows only the intent",
        )
        say(paint(f"   A second worker takes over when the lease of {LEASE_S} s has run out ...\n", "dim"))
        await self._until_done(run_id, watch)
        paid, asked = self._refunds(self.twice.order_id)
        self.expect(
            (paid, asked) == (1, 1),
            f"the shop's ledger: still {plural(paid, 'refund')}, under one idempotency key",
        )
        self.closer(f"remit runs events {run_id}")

    async def _until_killed(self, run_id: str, watch: Any) -> None:
        from remit.cli.driving import look_on

        worker = _worker(self.home, "--fault", FAULT)
        limit = self.app.clock.monotonic() + TIMEOUT_S
        await look_on(
            self.app, run_id, TENANT, watch,
            until=lambda: worker.poll() is not None or self.app.clock.monotonic() > limit,
        )  # fmt: skip
        code = worker.poll()
        _end(worker)
        say()
        self.expect(code == -signal.SIGKILL, f"worker {worker.pid} was killed (SIGKILL) at `{FAULT}`")

    async def _until_done(self, run_id: str, watch: Any) -> None:
        from remit.cli.driving import look_on

        worker = _worker(self.home)
        limit = self.app.clock.monotonic() + TIMEOUT_S
        try:
            result = await look_on(
                self.app, run_id, TENANT, watch, until=lambda: self.app.clock.monotonic() > limit
            )
        finally:
            _end(worker)
        if result is None:
            self.expect(False, f"the run did not end within {TIMEOUT_S:.0f} s")
        else:
            self._answer(result)

    def _refunds(self, order_id: int) -> tuple[int, int]:
        """Refunds of an order in the shop, and entries of its append-only ledger."""
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(f"file:{self.home / 'shop.db'}?mode=ro", uri=True)) as shop:
            (paid,) = shop.execute("SELECT count(*) FROM refunds WHERE order_id = ?", (order_id,)).fetchone()
            (asked,) = shop.execute(
                "SELECT count(*) FROM effects WHERE tool = 'issue_refund' AND json_extract(payload, '$.order_id') = ?",
                (order_id,),
            ).fetchone()
        return paid, asked

    async def proof(self) -> None:
        """The audit chain of everything so far, and a file that proves itself."""
        from remit.core.codec import encode

        self.heading(
            "The proof",
            "Each event carries the hash of the one before it: a change, a gap or a swap shows, and where.",
        )
        events, runs = 0, await self._tree()
        reports = [await self.app.audit.verify(run_id, TENANT) for run_id in runs]
        events = sum(r.events for r in reports)
        self.expect(
            all(r.ok for r in reports), f"{plural(events, 'event')} of {plural(len(runs), 'run')} verified"
        )
        path = self.home / "audit.json"
        exported = encode(await self.app.audit.export(self.runs[-1], TENANT))
        path.write_bytes(exported)
        code, said = _verify(path)
        self.expect(code == 0, f"exported, and verified by a script without Remit: {said.split(',')[0]}")
        forged = self.home / "audit-forged.json"
        forged.write_bytes(exported.replace(str(self.twice.order_id).encode(), b"100001", 1))
        code, said = _verify(forged)
        self.expect(code == 1, f"one number changed in the file: {said.split(':')[1].strip()}")
        say(f"   {paint('look closer', 'dim')}  {paint(f'python {_script()} {_short(path)}', 'name')}")

    async def _tree(self) -> list[str]:
        """Every run so far, children included."""
        found: list[str] = []
        todo = list(self.runs)
        while todo:
            run_id = todo.pop()
            found.append(run_id)
            todo += (await self.app.runs.view(run_id, TENANT)).children
        return found

    async def files(self) -> None:
        """Two files compared: the agent is plain Python, its reads are governed like any other."""
        from remit.cli.driving import drive
        from remit.cli.live import screen
        from remit.cli.run import new_task
        from remit_packs.validation import demo_files

        self.heading(
            "Your own data",
            "A Parquet file and a CSV file that should agree, compared by count and by a hash of every column.",
        )
        say()
        source, target = demo_files(self.home / "data")
        given = {"source": _short(source), "target": _short(target), "key": "order_id"}
        run_id = await self.app.runs.submit(new_task(self.app, "compare", "", given, TENANT))
        result, _ = await drive(self.app, run_id, TENANT, self.decider, screen())
        await self._compared(result)
        self.closer(f"remit runs show {run_id}")
        say(paint("   With your own CSV or Parquet files:", "dim"))
        say(f"   {paint('try', 'dim')}  {paint(f'remit run compare --input {_quoted(given)}', 'name')}")

    async def _compared(self, result: Result) -> None:
        """What the comparison found; it must find the column that differs."""
        from remit_packs.validation.checks.differing import rows_of

        found = result.result_payload if isinstance(result.result_payload, dict) else {}
        differing = [c["column"] for c in found.get("columns", ()) if c["match"] is False]
        say()
        self.expect(
            found.get("status") == "FAILED" and differing == ["amount"],
            f"the files differ in {', '.join(differing) or 'nothing'}; everything else is the same",
        )
        for digest in (found.get("differences") or {}).get("artifacts", ())[:1]:
            for row in rows_of(await self.app.blobs.get(digest), 3):
                say(f"     order {row.key['order_id']}: {brief(row.columns, 90)}")

    async def serve(self) -> None:
        """Leave the API up."""
        from remit.server.local import ensure_local_key
        from remit.server.serving import serve

        await ensure_local_key(self.app, self.home)
        host, port = self.app.settings.host, _free_port(self.app.settings.host, self.app.settings.port)
        self.heading(
            "Yours", "API and worker stay up until Ctrl-C; what is interrupted goes on at the next start."
        )
        key = _short(self.home / "local.key")
        say(f"   API  {paint(f'http://{host}:{port}', 'name')}   description at /openapi.json")
        say(f'   try  curl -H "Authorization: Bearer $(cat {key})" http://{host}:{port}/api/v1/runs')
        say(paint('   next remit init my-agents && cd my-agents && remit run hello "Ada"', "dim"))
        self.shown.up = True
        await serve(self.app, host, port)


def _settings(home: Path) -> Settings:
    """Settings of the demo alone: its own folder, its packs, the offline rules. Raises ConfigError E252."""
    from msgspec.structs import replace

    from remit.core.errors import ConfigError
    from remit.settings import load

    settings = load(directory=home, home=str(home))
    named = {
        "REMIT_STORE": settings.store != f"sqlite:///{home / 'remit.db'}",
        "REMIT_MODEL": bool(settings.model),
        "REMIT_APP": bool(settings.app),
        "REMIT_FAULT": bool(settings.fault),
    }
    for name, is_set in named.items():
        if is_set:
            raise ConfigError(
                f"`{name}` is set, and the demo brings its own", code="E252", help=f"env -u {name} remit demo"
            )
    return replace(settings, packs=PACKS)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """A fresh folder for this demo, which no other demo uses meanwhile. Raises ConfigError E253."""
    import fcntl
    import shutil

    from remit.core.errors import ConfigError

    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(home.name + ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"another demo is using `{home}`", code="E253", help="end it with Ctrl-C, or give --home DIR"
            ) from error
        marker = home / "remit-demo"
        if home.exists() and any(home.iterdir()) and not marker.exists():
            raise ConfigError(
                f"`{home}` holds something else than a demo",
                code="E253",
                help="give --home DIR with a new folder",
            )
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        marker.write_text("This folder belongs to `remit demo`, which empties it each time.\n")
        yield


def _worker(home: Path, *more: str) -> subprocess.Popen[bytes]:
    """A worker in a process of its own, on the demo's data."""
    packs = [word for pack in PACKS for word in ("--pack", pack)]
    command = [
        "-c",
        "from remit.cli.main import main; main()",
        "worker",
        "--home",
        str(home),
        "--lease",
        str(LEASE_S),
    ]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, *command, *packs, *more], cwd=home, stdin=quiet, stdout=quiet, stderr=quiet
    )


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(timeout=10)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


def _verify(path: Path) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(_script()), str(path)], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.splitlines()[0] if done.stdout else done.stderr


def _script() -> Path:
    from remit.cli.runs import verifier

    return verifier()


def _short(path: Path) -> str:
    """The path from here, when it is under here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _quoted(value: Any) -> str:
    return "'" + json.dumps(value) + "'"


def _free_port(host: str, wanted: int) -> int:
    import socket

    for port in range(wanted, wanted + 20):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    return wanted
