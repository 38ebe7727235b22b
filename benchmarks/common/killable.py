"""The engine's side of the kill test: a process that forks a fresh child for each attempt at a run.

The engine is imported once, before any thread exists; each attempt is then a fork, so that a real SIGKILL of a real
process costs milliseconds and not the seconds of an import. An engine script defines `attempt(job)`, which starts the
run or resumes it by the engine's own recovery, and calls `serve(attempt)`.

Protocol, JSON lines: in, a `Job`; out, `{"pid": N}` when the child is there and `{"exit": N}` when it ended (negative:
the signal). The child's own exit codes are FINISHED, IN_DOUBT (it stopped and told a person) and FAILED.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

FINISHED = 0
FAILED = 1
IN_DOUBT = 75

KILL_POINT = "KILL_POINT"
POINTS = ("before_effect", "after_effect", "after_record")


@dataclass(frozen=True)
class Job:
    """One attempt: which run, on which database file, at which bank, how many effects, where to die ("" nowhere)."""

    run: str
    database: str
    bank: str
    effects: int
    kill_point: str = ""


def kill_point(name: str, index: int) -> None:
    """Die by SIGKILL if the environment variable KILL_POINT names this point of this effect, `after_effect:3`."""
    if os.environ.get(KILL_POINT) == f"{name}:{index}":
        os.kill(os.getpid(), signal.SIGKILL)


def reference(run: str, index: int) -> str:
    """The name by which the bank's ledger knows the effect."""
    return f"{run}:{index}"


def serve(attempt: Callable[[Job], int]) -> None:
    """Answer one job after another until standard input ends."""
    for line in sys.stdin:
        pid = _fork(attempt, Job(**json.loads(line)))
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"exit": os.waitstatus_to_exitcode(status)}), flush=True)


def _fork(attempt: Callable[[Job], int], job: Job) -> int:
    """Start the attempt in a child of its own; its pid."""
    pid = os.fork()
    if pid == 0:
        _child(attempt, job)
    return pid


def _child(attempt: Callable[[Job], int], job: Job) -> None:
    """Make the attempt and leave at once, with nothing flushed or joined on behalf of the parent."""
    os.dup2(2, 1)
    os.environ[KILL_POINT] = job.kill_point
    code = FAILED
    try:
        code = attempt(job)
    except BaseException:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(code)
