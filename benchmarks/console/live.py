"""The live list of runs while much happens: does it stay smooth, and how late is it?

A store of 50,000 runs; a process of its own that writes 50 changes a second to it; Chromium before the list. Said are: the time to
the first rows, from a change to its row on the page, tasks of the page over 50 ms, and the longest time without a frame; beside
the same page while nothing changes, since other work on the machine shows in both; and the CPU time of the longest task, in which it
does not.

    python -m benchmarks.console.live [FOLDER] [--runs 50000] [--rate 50] [--seconds 15]
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct
from playwright.async_api import CDPSession, Page, async_playwright

from benchmarks.console.world import AGENTS, app_in, many_runs
from remit.bootstrap import App
from remit.core.naming import LOCAL
from remit.ports.store import Put
from remit.server.serving import serve

PORT = 8766
MARK = "changed at "

WATCH = """
window.seen = {long: [], gap: 0, gaps: 0, late: []};
new PerformanceObserver((list) => { for (const entry of list.getEntries()) seen.long.push(entry.duration); })
  .observe({type: "longtask"});
let before = performance.now();
const frame = (now) => {
  const gap = now - before;
  before = now;
  if (gap > seen.gap) seen.gap = gap;
  if (gap > 50) seen.gaps += 1;
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
const told = new Set();
new MutationObserver(() => {
  for (const row of document.querySelectorAll("tbody a[title^='changed at ']")) {
    if (told.has(row.title)) continue;
    told.add(row.title);
    seen.late.push(Date.now() - Number(row.title.slice("changed at ".length).split(" ")[0]));
  }
}).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ["title"]});
"""
FORGET = "() => { seen.long = []; seen.gap = 0; seen.gaps = 0; seen.late = []; }"
ROWS = "() => Number(document.querySelector('table').getAttribute('aria-rowcount'))"
HEAP = "() => performance.memory.usedJSHeapSize"


class Measured(Struct, frozen=True):
    """What the page did for some seconds; times in milliseconds.

    `busy`: per cent of one core that its main thread used. `longest_cpu`: the most CPU time of one task, whatever else ran beside it.
    """

    what: str
    changes: int
    busy: float
    long_tasks: int
    longest_task: float
    longest_cpu: float
    longest_gap: float
    gaps: int
    late_median: float
    late_most: float
    heap_mb: float


async def write(folder: Path, rate: int, seconds: float) -> None:
    """Begin and end runs, `rate` changes a second in all, at even times."""
    async with app_in(folder) as app:
        print("begun", flush=True)
        began, started = time.monotonic(), time.time_ns() // 1_000_000
        for number in range(round(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            await app.store.transact([Put("agent_run", _row(number, started))])


def _row(number: int, writer: int) -> dict[str, Any]:
    """A run that begins, or that of the change before, which ends."""
    now = time.time_ns() // 1_000_000
    ends = number % 2 == 1
    started = now - 20 if ends else now
    return {
        "run_id": f"run_{writer}_{number // 2:06}",
        "tenant_id": LOCAL,
        "workflow_id": "",
        "agent_id": AGENTS[(number // 2) % len(AGENTS)],
        "status": "success" if ends else "running",
        "start_ts": started,
        "end_ts": now if ends else None,
        "cost": "0.0012",
        "trace_id": "t",
        "objective": f"{MARK}{now} by change {number}",
        "changed_ts": now,
    }


async def measure(page: Page, what: str, seconds: float, changes: int, scrolls: bool = False) -> Measured:
    """Watch the page for some seconds, perhaps while somebody scrolls."""
    await page.evaluate(FORGET)
    meter = await page.context.new_cdp_session(page)
    await meter.send("Performance.enable", {"timeDomain": "threadTicks"})
    used = await _used(meter)
    trace: list[dict[str, Any]] = []
    traced = asyncio.Event()
    meter.on("Tracing.dataCollected", lambda part: trace.extend(part["value"]))
    meter.on("Tracing.tracingComplete", lambda _: traced.set())
    await meter.send("Tracing.start", {"categories": "toplevel,__metadata", "transferMode": "ReportEvents"})
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if scrolls:
            await page.mouse.wheel(0, 300)
        await asyncio.sleep(0.05)
    await meter.send("Tracing.end")
    await traced.wait()
    seen = await page.evaluate("() => seen")
    late = sorted(seen["late"]) or [0.0]
    return Measured(
        what,
        changes,
        (await _used(meter) - used) / seconds * 100,
        len(seen["long"]),
        max(seen["long"], default=0.0),
        _longest(trace),
        seen["gap"],
        seen["gaps"],
        late[len(late) // 2],
        late[-1],
        await page.evaluate(HEAP) / 1e6,
    )


def _longest(trace: list[dict[str, Any]]) -> float:
    """The most CPU time of one task of a page's main thread."""
    names = {(e["pid"], e["tid"]): e["args"]["name"] for e in trace if e.get("name") == "thread_name"}
    tasks = (e for e in trace if e.get("name", "").endswith("RunTask") and "tdur" in e)
    mine = (e["tdur"] / 1000 for e in tasks if names.get((e["pid"], e["tid"])) == "CrRendererMain")
    return max(mine, default=0.0)


async def _used(meter: CDPSession) -> float:
    """CPU seconds of the page's main thread."""
    found = await meter.send("Performance.getMetrics")
    return next(float(each["value"]) for each in found["metrics"] if each["name"] == "TaskDuration")


async def live(folder: Path, runs: int, rate: int, seconds: float) -> list[Measured]:
    """Fill the store, open the list, and measure it at rest, while it moves, and while it moves and somebody scrolls."""
    async with app_in(folder) as app:
        print(f"writing {runs:,} runs", file=sys.stderr)
        await many_runs(app, runs)
        key = (await app.keys.create(LOCAL, "ada", ("admin",))).secret
        async with _served(app), _chromium() as page:
            url = f"http://127.0.0.1:{PORT}"
            await page.context.request.post(
                f"{url}/api/v1/session", data={"key": key}, headers={"Origin": url}
            )
            began = time.monotonic()
            await page.goto(f"{url}/#/runs")
            await page.get_by_role("table", name="runs", exact=True).wait_for()
            print(f"first rows after {(time.monotonic() - began) * 1000:.0f} ms", file=sys.stderr)
            found = [await measure(page, "at rest", seconds / 3, 0)]
            async with _writing(folder, rate, seconds):
                found.append(await measure(page, "live", seconds, round(rate * seconds)))
            for _ in range(9):
                before = await page.evaluate(ROWS)
                await page.get_by_role("button", name="Load more").click()
                while await page.evaluate(ROWS) == before:
                    await asyncio.sleep(0.05)
            await page.get_by_role("region", name="runs").hover()
            found.append(await measure(page, "scrolled, at rest", seconds / 3, 0, scrolls=True))
            await page.get_by_role("region", name="runs").evaluate("box => box.scrollTo(0, 0)")
            async with _writing(folder, rate, seconds):
                found.append(
                    await measure(page, "scrolled, live", seconds, round(rate * seconds), scrolls=True)
                )
            return found


@asynccontextmanager
async def _served(app: App) -> AsyncIterator[None]:
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(app, port=PORT, stop=stop, grace_s=1.0))
    await asyncio.sleep(1.0)
    yield
    stop.set()
    await serving


@asynccontextmanager
async def _chromium() -> AsyncIterator[Page]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-precise-memory-info"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium") or "chromium", args=arguments
        )
        page = await browser.new_page(viewport={"width": 1360, "height": 860})
        await page.add_init_script(WATCH)
        yield page
        await browser.close()


@asynccontextmanager
async def _writing(folder: Path, rate: int, seconds: float) -> AsyncIterator[None]:
    """Another process that changes runs; it is waited for."""
    command = ["-m", "benchmarks.console.live", str(folder), "--write", "--rate", str(rate)]
    writer = await asyncio.create_subprocess_exec(
        sys.executable, *command, "--seconds", str(seconds), stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    await writer.stdout.readline()  # it begins
    yield
    assert await writer.wait() == 0, "the writer failed"


def table(found: list[Measured]) -> str:
    """The figures as Markdown."""
    lines = [
        "| list of runs | changes | main thread | from change to row, median / most | tasks over 50 ms (longest) | most CPU of a task | longest without a frame | gaps over 50 ms | heap |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for each in found:
        late = f"{each.late_median:.0f} / {each.late_most:.0f} ms" if each.what == "live" else "–"
        lines.append(
            f"| {each.what} | {each.changes} | {each.busy:.0f} % | {late} | {each.long_tasks} ({each.longest_task:.0f} ms) "
            f"| {each.longest_cpu:.0f} ms "
            f"| {each.longest_gap:.0f} ms | {each.gaps} | {each.heap_mb:.0f} MB |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=50_000)
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--write", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:
        asyncio.run(write(asked.folder, asked.rate, asked.seconds))
        return
    with tempfile.TemporaryDirectory(prefix="remit-live-") as made:
        print(table(asyncio.run(live(asked.folder or Path(made), asked.runs, asked.rate, asked.seconds))))


if __name__ == "__main__":
    main()
