"""One emulator of a project: started in the background, found again, stopped, and nothing of it left."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import msgspec
from msgspec import Struct

from remit.core.errors import ConfigError
from remit_deploy import tools
from remit_deploy.emulator import installing, launcher

PORT = 4577
START_S = 60.0
STOP_S = 2.0


class Options(Struct, frozen=True):
    """How it runs. `iam`: roles are enforced. `models`: an OpenAI-compatible server that stands behind Bedrock.

    `wait_scale` shortens the waits of Step Functions: 1 is real time, 0 none at all.
    """

    port: int = PORT
    iam: bool = True
    models: str = ""
    wait_scale: float = 1.0


class Running(Struct, frozen=True):
    """An emulator that has been started: its process, and how."""

    pid: int
    options: Options

    @property
    def endpoint(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.options.port}"


class Emulator:
    """The emulator of a project; `home` holds its process id, log and data."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._state = home / "emulator.json"
        self.log = home / "log"

    def status(self) -> Running | None:
        """The emulator if it runs and answers, else None."""
        running = self._known()
        return running if running and _is_launcher(running.pid) and answers(running.endpoint) else None

    def start(self, options: Options) -> Running:
        """Start it, or take the one that runs if it was started alike. Raises ConfigError E869 or E870."""
        running = self.status()
        if running is not None:
            if running.options != options:
                raise ConfigError(
                    f"the emulator runs with other options on port {running.options.port}",
                    code="E870",
                    help="stop it first: `remit deploy emulator stop` (what is deployed there is lost)",
                )
            return running
        if _taken(options.port):
            raise ConfigError(
                f"port `{options.port}` of this machine is in use by something else",
                code="E870",
                help="choose another: `--port 4599`",
            )
        return self._launch(options)

    def stop(self) -> bool:
        """Stop it and remove its data; whether there was one."""
        running = self._known()
        alive = running is not None and _is_launcher(running.pid)
        if running is not None and alive:
            _end(running.pid)
        shutil.rmtree(self._home, ignore_errors=True)
        return alive

    def _known(self) -> Running | None:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=Running)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _launch(self, options: Options) -> Running:
        where = installing.install()
        shutil.rmtree(self._home, ignore_errors=True)
        for name in ("tmp", "state", "s3"):
            (self._home / name).mkdir(parents=True)
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [str(installing.python(where)), launcher.__file__],
                cwd=self._home,
                env=environment(self._home, options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        running = Running(process.pid, options)
        self._state.write_bytes(msgspec.json.encode(running))
        self._wait_for(process, running)
        return running

    def _wait_for(self, process: subprocess.Popen[bytes], running: Running) -> None:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            if answers(running.endpoint):
                return
            if process.poll() is not None:
                break
            time.sleep(0.05)
        said = " / ".join(self.log.read_text(errors="replace").strip().splitlines()[-3:])
        if process.poll() is None:
            _end(process.pid)
        raise ConfigError(
            f"the emulator did not start: {said or 'it said nothing'}",
            code="E869",
            help=f"its log is {self.log}",
        )


def environment(home: Path, options: Options) -> dict[str, str]:
    """All that the emulator sees of this machine's environment: its Lambda functions inherit it, so no secret is in it."""
    variables = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TMPDIR": str(home / "tmp"),
        "GATEWAY_PORT": str(options.port),
        "BIND_HOST": "127.0.0.1",
        "STATE_DIR": str(home / "state"),
        "S3_DATA_DIR": str(home / "s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "AUTH": "true" if options.iam else "false",
        "SFN_WAIT_SCALE": f"{options.wait_scale:g}",
    }
    if options.models:
        variables["MINISTACK_BEDROCK_PROXY_URL"] = options.models
    return variables


def answers(endpoint: str) -> bool:
    """Whether an emulator answers there."""
    try:
        with urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_launcher(pid: int) -> bool:
    """Whether the process is ours still: ids are used again."""
    done = tools.run(
        ["ps", "-ww", "-p", str(pid), "-o", "command="]
    )  # not cut at the width that COLUMNS says
    return launcher.__file__ in done.stdout


def _end(pid: int) -> None:
    """End the process and the functions that it started, which share its session."""
    until = time.monotonic() + STOP_S
    for name in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(pid, name)
        except ProcessLookupError:
            return
        while time.monotonic() < until and _is_launcher(pid):
            time.sleep(0.05)
        until = time.monotonic() + STOP_S
