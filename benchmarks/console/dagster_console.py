"""Dagster's own page of a run of very many steps, in the same browser."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Error, Locator, Page

from benchmarks.console.browsing import Measured, browser, look, medians

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / ".bench" / "dagster" / "bin"
VERSION = "1.13.27"


def installed() -> bool:
    """Whether Dagster's environment is there (see the page for how to make it)."""
    return (BENCH / "dagster-webserver").exists()


def measure(folder: Path, steps: int, looks: int) -> Measured | str:
    """The page of the run, or why there is nothing to measure."""
    run_id = _written(folder, steps)
    made = []
    for _ in range(looks):
        with serving(folder) as url, browser(lambda context: None) as page:
            try:
                made.append(look(page(), f"{url}/runs/{run_id}", lambda shown: _first(shown, steps)))
            except Error as error:
                return f"nothing within two minutes: {error.message.splitlines()[0]}"
    return medians(made)


def _first(page: Page, steps: int) -> Locator:
    """All steps told as succeeded, as Dagster says when its page has read the run."""
    return page.get_by_text(re.compile(rf"Succeeded \({steps}\)"))


def _written(folder: Path, steps: int) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "run.txt"
    if not known.exists() or not known.read_text().strip():
        (folder / "dagster.yaml").touch()
        script = Path(__file__).with_name("dagster_world.py")
        command = [str(BENCH / "python"), str(script), str(steps)]
        done = subprocess.run(command, env=_environment(folder), capture_output=True, text=True, check=True)
        known.write_text(done.stdout)
    return known.read_text().split()[-1]


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "DAGSTER_HOME": str(folder.resolve()), "DAGSTER_DISABLE_TELEMETRY": "1"}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Dagster's web server over a folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(BENCH / "dagster-webserver"), "-p", str(port), "--empty-workspace"]
    process = subprocess.Popen(
        command, env=_environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 90
        while True:
            try:
                with urlopen(f"{url}/server_info", timeout=5):
                    break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)
