"""What a browser says of a page: when something is there, how much memory its script holds, how long it was busy at a stretch."""

from __future__ import annotations

import gc
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from msgspec import Struct
from playwright.sync_api import BrowserContext, Locator, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or "chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-precise-memory-info"]
LONGEST_S = 120.0
"""Seconds after which a page is given up."""

LONG_TASKS = """
window.__long = [];
new PerformanceObserver((list) => { for (const one of list.getEntries()) window.__long.push(one.duration); }).observe({ type: "longtask", buffered: true });
"""


class Looked(Struct, frozen=True):
    """One look at a page: seconds to the first view and to the end, megabytes of script heap, the longest task in milliseconds."""

    first_s: float
    end_s: float | None
    heap_mb: float
    longest_ms: float
    requests: int
    received_mb: float


class Measured(Struct, frozen=True):
    """The medians of several looks."""

    looks: int
    first_s: float
    end_s: float | None
    heap_mb: float
    longest_ms: float
    requests: int
    received_mb: float


@contextmanager
def browser(ready: Callable[[BrowserContext], None]) -> Iterator[Callable[[], Page]]:
    """A way to fresh pages of one signed-in context."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = chromium.new_context(viewport={"width": 1360, "height": 860}, reduced_motion="reduce")
        context.add_init_script(LONG_TASKS)
        context.set_default_timeout(LONGEST_S * 1000)
        ready(context)
        yield context.new_page
        chromium.close()


def look(
    page: Page, url: str, first: Callable[[Page], Locator], end: Callable[[Page], Locator] | None = None
) -> Looked:
    """Open a page until `first` is there, then go to its end if it has one."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    seen = {"requests": 0, "bytes": 0.0}
    session.on("Network.requestWillBeSent", lambda _: seen.update(requests=seen["requests"] + 1))
    session.on(
        "Network.loadingFinished", lambda said: seen.update(bytes=seen["bytes"] + said["encodedDataLength"])
    )
    started = time.perf_counter()
    page.goto(url)
    first(page).wait_for(state="visible")
    shown = time.perf_counter() - started
    ended = None
    if end is not None:
        started = time.perf_counter()
        end(page).wait_for(state="visible")
        ended = time.perf_counter() - started
    longest = page.evaluate("Math.max(0, ...window.__long)")
    session.send("HeapProfiler.collectGarbage")
    heap = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
    page.close()
    gc.collect()
    return Looked(shown, ended, heap, longest, int(seen["requests"]), seen["bytes"] / 1e6)


def medians(looks: Sequence[Looked]) -> Measured:
    """The medians of several looks."""
    ends = [one.end_s for one in looks if one.end_s is not None]
    return Measured(
        looks=len(looks),
        first_s=statistics.median(one.first_s for one in looks),
        end_s=statistics.median(ends) if ends else None,
        heap_mb=statistics.median(one.heap_mb for one in looks),
        longest_ms=statistics.median(one.longest_ms for one in looks),
        requests=round(statistics.median(one.requests for one in looks)),
        received_mb=statistics.median(one.received_mb for one in looks),
    )
