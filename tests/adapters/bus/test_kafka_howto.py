"""docs/howto/kafka.md, as it stands: its app under `remit worker`, its client beside it.

Start a broker with `eval "$(scripts/ci/kafka.sh)"`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.adapters.bus.broker import SESSION_S, cluster, new_prefix, required
from tests.test_docs import SAYS

from remit.settings import read_file

PAGE = Path(__file__).resolve().parents[3] / "docs" / "howto" / "kafka.md"
TOML = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```py\n# (\S+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.service
@pytest.mark.slow
async def test_the_example(tmp_path: Path) -> None:
    """The worker takes the client's task, and the client prints what the comments say."""
    servers, prefix, text = required(), new_prefix(), PAGE.read_text()
    files = {
        name: code.replace("localhost:9092", servers).replace('"agent.', f'"{prefix}agent.')
        for name, code in PYTHON.findall(text)
    }
    for name, code in files.items():
        (tmp_path / name).write_text(code)
    settings = TOML.findall(text)[0].replace("localhost:9092", servers)
    more = f'[kafka]\nprefix = "{prefix}"\nsession_s = {SESSION_S}\n'
    (tmp_path / "remit.toml").write_text(settings + more)
    async with cluster() as kafka:
        kafka.want(f"{prefix}agent.clerk", f"{prefix}agent.clerk.replies")
        await kafka.ready()
    command = [sys.executable, "-c", "from remit.cli.main import main; main()", "worker", "--app", "app.py"]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=log)
    try:
        done = subprocess.run(
            [sys.executable, "client.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
    finally:
        worker.kill()
        worker.wait()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == SAYS.findall(files["client.py"])


@pytest.mark.parametrize("number", range(len(TOML.findall(PAGE.read_text()))))
def test_settings_in_the_page_are_settings(number: int, tmp_path: Path) -> None:
    """Every block of settings can be read as it stands."""
    (tmp_path / "remit.toml").write_text(TOML.findall(PAGE.read_text())[number])
    assert read_file(tmp_path / "remit.toml") != read_file(tmp_path / "nothing.toml")
