"""The same files on a plain file server, in a folder of it, with the API elsewhere; and how much a browser loads at first."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hatch_build import how_npm_runs
from playwright.async_api import Browser, expect
from tests.console.kit import ROOT, console_of, settings

from remit.bootstrap import open_app
from remit.core.task import Task
from remit.server.console import folder_of
from remit.settings import Settings

pytestmark = pytest.mark.service

FOLDER = "tools/remit"


class Quiet(SimpleHTTPRequestHandler):
    """A file server that says nothing, knows no rewrite rule and sends no header of ours."""

    def log_message(self, *_: Any) -> None:
        """Tests say what they want to say themselves."""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The origin of a plain file server, and the folder in it that holds the console."""
    root = tmp_path / "www"
    console = root / FOLDER
    built = folder_of(
        Settings(home=tmp_path, store="memory:", console_dir=os.environ.get("REMIT_CONSOLE_DIR", ""))
    )
    shutil.copytree(built, console)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", console
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_static_host_and_a_remote_api(
    browser: Browser, tmp_path: Path, host: tuple[str, Path]
) -> None:
    """Sign in with a key, see runs as they come, follow a deep link; no cookie, and nothing is asked of anybody else."""
    origin, folder = host
    app = open_app(Settings(**{**settings(tmp_path), "console_origins": (origin,)}))
    async with console_of(app, browser, apart=True) as console:
        await console.context.clear_cookies()
        console.expected.append("left the origin")
        asked: set[str] = set()
        console.page.on("request", lambda request: asked.add(request.url.split("/", 3)[2]))
        (folder / "config.js").write_text(f'window.REMIT = {{ api: "{console.url}" }};')
        key = await app.keys.create("local", "remote", ("admin", "approver"))
        page = console.page
        await page.goto(f"{origin}/{FOLDER}/index.html#/settings?tab=about")
        await page.get_by_label("API key").fill(key.secret)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("remote in tenant local")).to_be_visible()
        await expect(page.get_by_text(console.url)).to_be_visible()
        assert await console.context.cookies() == []
        await page.goto(f"{origin}/{FOLDER}/index.html#/runs")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        run_id = await app.runs.submit(Task("static-1", "supervisor", "a question from afar"))
        await expect(page.get_by_text("a question from afar").first).to_be_visible()
        await page.goto(f"{origin}/{FOLDER}/index.html#/runs/{run_id}")
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert asked == {origin.removeprefix("http://"), console.url.removeprefix("http://")}


@pytest.mark.asyncio(loop_scope="module")
async def test_a_page_of_another_origin_gets_nothing(
    browser: Browser, tmp_path: Path, host: tuple[str, Path]
) -> None:
    """The same files where the settings do not name their origin: the browser shows them no answer."""
    origin, folder = host
    async with console_of(open_app(Settings(**settings(tmp_path))), browser, apart=True) as console:
        console.expected += ["left the origin", "CORS policy", "Failed to load resource"]
        (folder / "config.js").write_text(f'window.REMIT = {{ api: "{console.url}" }};')
        key = await console.app.keys.create("local", "remote", ("admin",))
        page = console.page
        await page.goto(f"{origin}/{FOLDER}/index.html")
        await page.get_by_label("API key").fill(key.secret)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_contain_text("does not answer")


def test_the_start_is_small() -> None:
    """Scripts and styles of the first page are at most 200 KB, compressed."""
    built = [os.environ["REMIT_CONSOLE_DIR"]] if "REMIT_CONSOLE_DIR" in os.environ else []
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "console_size.py", *built],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_component_has_its_style(tmp_path: Path) -> None:
    """console/src/mantine.css leaves out only what no page uses."""
    classes = re.compile(r"\bm_[0-9a-f]{6,8}\b")
    assets = folder_of(Settings(**settings(tmp_path))) / "assets"
    all_styles = ROOT / "console" / "node_modules" / "@mantine" / "core" / "styles.css"
    used = {name for file in assets.glob("*.js") for name in classes.findall(file.read_text())}
    styled = {name for file in assets.glob("*.css") for name in classes.findall(file.read_text())}
    assert used & styled
    assert used & set(classes.findall(all_styles.read_text())) <= styled


def test_the_types_are_those_of_the_api() -> None:
    """console/src/api/schema.ts is generated, and says what contracts/openapi.json says."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "console_types.py"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_the_source_type_checks() -> None:
    """TypeScript, strict."""
    npm, env = how_npm_runs()
    done = subprocess.run(
        [*npm, "run", "check", "--silent"],
        cwd=ROOT / "console",
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
