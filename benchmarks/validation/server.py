"""A PostgreSQL for the benchmark: the one that REMIT_BENCH_POSTGRES names, or Debian's, with its data under `.bench`."""

from __future__ import annotations

import glob
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.validation.generate import FOLDER

OPTIONS = "-c listen_addresses=127.0.0.1 -c shared_buffers=1GB -c max_wal_size=8GB -c fsync=off"
"""Besides these, as Debian ships it: for everybody the same."""


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of a database. Empty when there is no server on this machine. What was loaded stays for the next time."""
    given = os.environ.get("REMIT_BENCH_POSTGRES", "")
    programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
    if given or not programs:
        yield given
        return
    data = FOLDER / "postgres"
    if not (data / "PG_VERSION").exists():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        if os.getuid() == 0:
            shutil.chown(data, "postgres")
        _run(f"{programs[-1]}/initdb", "-D", str(data), "-A", "trust", "-U", "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    control = [f"{programs[-1]}/pg_ctl", "-D", str(data), "-w"]
    _run(*control, "-o", f"-p {port} -k {data} {OPTIONS}", "-l", str(data / "log"), "start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
    finally:
        _run(*control, "-m", "fast", "stop")


def _run(*argv: str) -> None:
    """As the user `postgres` where this is root: PostgreSQL refuses to run as root."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    done = subprocess.run([*prefix, *argv], stdout=subprocess.DEVNULL, cwd=Path("/"), check=False)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(argv)}` failed")
