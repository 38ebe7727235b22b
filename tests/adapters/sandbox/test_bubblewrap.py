"""Bubblewrap keeps the contract, and is what data work needs."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from pathlib import Path

import msgspec
import pytest

import remit
from remit.adapters.sandbox.bubblewrap import Bubblewrap
from remit.adapters.sandbox.interpreter import packages
from remit.adapters.sandbox.selftest import examine
from remit.core.errors import ConfigError
from remit.ports.sandbox import SandboxFile, SandboxLimits
from remit.testing.contracts.sandbox import SandboxContract

pytestmark = [
    pytest.mark.service,
    pytest.mark.skipif(
        shutil.which("bwrap") is None and os.environ.get("CI") != "true",
        reason="bubblewrap is not installed: apt-get install bubblewrap",
    ),
]
PLENTY = SandboxLimits(wall_s=60.0, cpu_s=40.0)


@pytest.fixture(scope="module")
def sandbox() -> Bubblewrap:
    """The sandbox as it is by default."""
    return Bubblewrap(packages=["numpy", "pandas", "matplotlib", "tzdata", "no-such-package"])


class TestContract(SandboxContract):
    """Over real processes."""

    @pytest.fixture
    def sandbox(self) -> Bubblewrap:
        return Bubblewrap()


async def test_it_holds_here(sandbox: Bubblewrap) -> None:
    """Its own examination finds nothing that it reaches."""
    report = await examine(sandbox)
    assert report.holds, report.failures


async def test_tables_and_pictures_can_be_made(sandbox: Bubblewrap) -> None:
    """pandas, numpy and matplotlib are there, within the ordinary limit of memory; a picture comes out."""
    code = (
        "import pandas as pd\n"
        "import matplotlib.pyplot as plt\n"
        "table = pd.read_csv('sales.csv', parse_dates=['day'])\n"
        "table['day'] = table.day.dt.tz_localize('Europe/Berlin')\n"
        "total = table.groupby('shop').amount.sum()\n"
        "total.plot.bar()\n"
        "plt.savefig('sales.png')\n"
        "total.to_csv('totals.csv')\n"
        "int(total['b'])"
    )
    data = b"day,shop,amount\n2026-01-01,a,2\n2026-01-02,b,3\n2026-01-03,b,4\n"
    outcome = await sandbox.run(code, files=[SandboxFile("sales.csv", data)], limits=PLENTY)
    assert (outcome.ending, outcome.value) == ("ok", "7"), outcome.stderr
    files = {f.name: f.data for f in outcome.files}
    assert files["totals.csv"] == b"shop,amount\na,2\nb,7\n"
    assert files["sales.png"].startswith(b"\x89PNG")


async def test_the_last_value_is_shown_and_the_traceback_is_of_the_code_alone(sandbox: Bubblewrap) -> None:
    """As an interpreter at a prompt does it."""
    assert (await sandbox.run("x = [1]\nx * 2")).value == "[1, 1]"
    assert (await sandbox.run("x = 1")).value == ""
    outcome = await sandbox.run("def half(n):\n    return n / 0\nhalf(4)")
    assert outcome.stderr.splitlines()[1:5] == [
        '  File "<code>", line 3, in <module>',
        "    half(4)",
        '  File "<code>", line 2, in half',
        "    return n / 0",
    ]


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("raise SystemExit", "ok"),
        ("import sys; sys.exit('no')", "error"),
        ("import os; os._exit(0)", "error"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "error"),
        ("raise KeyboardInterrupt", "error"),
        ("import asyncio; asyncio.run(asyncio.sleep(0))", "ok"),
        ("import threading; t = threading.Thread(target=print); t.start(); t.join()", "ok"),
        ("import threading, time; threading.Thread(target=time.sleep, args=(60,)).start()", "ok"),
        ("import atexit, time; atexit.register(time.sleep, 60)", "ok"),
    ],
)
async def test_every_way_to_end_is_told_apart(sandbox: Bubblewrap, code: str, ending: str) -> None:
    """Threads and handlers that linger hold nobody up."""
    assert (await sandbox.run(code)).ending == ending


async def test_computing_time_is_limited_apart_from_waiting(sandbox: Bubblewrap) -> None:
    """A busy loop ends by processor time, whatever it does about signals."""
    limits = SandboxLimits(wall_s=30.0, cpu_s=1.0)
    code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True:\n    pass"
    began = time.monotonic()
    assert (await sandbox.run(code, limits=limits)).ending == "timeout"
    assert time.monotonic() - began < 20


async def test_a_run_that_is_cancelled_leaves_no_process(sandbox: Bubblewrap) -> None:
    """Whoever waits for it may go away at any time."""
    before = set(_children())
    running = asyncio.create_task(sandbox.run("while True: pass", limits=PLENTY))
    while set(_children()) <= before:
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert set(_children()) <= before


def _children() -> list[int]:
    """Processes that this one started and that still are."""
    return [int(p) for p in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]


def test_only_named_packages_and_what_they_need_are_seen() -> None:
    """Never the whole of what is installed, and no metadata."""
    names = {bind.target for bind in packages(["matplotlib"])}
    assert {"/opt/packages/matplotlib", "/opt/packages/numpy", "/opt/packages/PIL"} <= names
    assert not any("remit" in name or name.endswith("-info") or "boto" in name for name in names)


def test_without_bubblewrap_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no plain process in its place."""
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError) as raised:
        Bubblewrap()
    assert (raised.value.code, raised.value.help) == ("E910", "on Linux: apt-get install bubblewrap")


AS_USER = """
import asyncio, sys
sys.path[:0] = sys.argv[1:]
from remit.adapters.sandbox.bubblewrap import Bubblewrap
from remit.adapters.sandbox.selftest import examine
report = asyncio.run(examine(Bubblewrap()))
print(*report.failures or ["held"])
"""


def test_it_holds_for_an_ordinary_user_as_well() -> None:
    """Who has no rights to drop and makes a namespace for users instead; root cannot show it with an interpreter of its own."""
    libraries = [str(Path(module.__file__ or "").parents[1]) for module in (remit, msgspec)]
    python, user = "/usr/bin/python3", 65534 if os.geteuid() == 0 else None
    trial = [python, "-c", "import sys; sys.path[:0] = sys.argv[1:]; import msgspec, remit", *libraries]
    if not Path(python).exists() or subprocess.run(trial, user=user, capture_output=True).returncode:
        pytest.skip("the system's interpreter cannot import Remit for an ordinary user")
    done = subprocess.run(
        [python, "-c", AS_USER, *libraries], user=user, group=user, extra_groups=[] if user else None,
        cwd="/", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "held\n", done.stdout + done.stderr
