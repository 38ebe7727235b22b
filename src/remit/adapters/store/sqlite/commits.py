"""Group commit: whatever is asked for at the same time shares one SQLite transaction.

Requests made in one turn of an event loop are gathered. A small batch that needs no fsync is executed at the end
of that turn on the loop itself (20 µs: less than waking a thread costs), and so is a request that is alone, as long as
fsyncs here are quick. Any other batch goes to the one writer thread. While that thread waits for the disk, new requests
pile up and become its next batch.

A task that writes alone, and needs no fsync, does not wait for the end of the turn either: what it asks for is done there
and then, and it goes on without a detour over the event loop. After some milliseconds it makes room for others all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

from remit.adapters.store.sqlite import failures
from remit.adapters.store.sqlite.schema import retry_busy
from remit.core.errors import RemitError, StoreError

T = TypeVar("T")

INLINE_JOBS = 16
INLINE_BYTES = 64 * 1024
QUICK_FSYNC_S = 0.001
"""An fsync that takes longer than this is not waited for on an event loop."""
LONGEST_TURN_S = 0.005
"""For how long a task that writes alone may keep the event loop from turning."""
CHECKPOINT_PAGES = 1000
LARGEST_BATCH = 500


class Job:
    """One request: what to do in a transaction, and who waits for it."""

    __slots__ = ("durable", "error", "future", "result", "risky", "run", "size", "wakes")

    def __init__(
        self,
        run: Callable[[sqlite3.Connection], Any],
        future: asyncio.Future[Any],
        *,
        durable: bool,
        risky: bool,
        size: int,
        wakes: str,
    ) -> None:
        self.run = run
        self.future = future
        self.durable = durable
        self.risky = risky
        self.size = size
        self.wakes = wakes
        self.result: Any = None
        self.error: BaseException | None = None


class GroupCommit:
    """The only writer of this process. `checkpoint` is called (on any thread) after about a thousand pages."""

    def __init__(
        self,
        db: sqlite3.Connection,
        path: str,
        *,
        full: bool,
        busy_timeout_s: float,
        wake: Callable[[Iterable[str]], None],
        checkpoint: Callable[[], None],
    ) -> None:
        self._db = db
        self._path = path
        self._full = full
        self._busy_timeout_s = busy_timeout_s
        self._wake = wake
        self._checkpoint = checkpoint
        self._synchronous = "NORMAL"
        self._pages = 0
        self._fsync_s = QUICK_FSYNC_S
        self._closed = False
        self._alone: asyncio.Task[Any] | None = None
        self._turn_ends = 0.0
        self._crowded = False
        self._lock = threading.Lock()
        self._handing = threading.Lock()
        self._gathering: dict[asyncio.AbstractEventLoop, list[Job]] = {}
        self._queue: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="remit-sqlite-writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        run: Callable[[sqlite3.Connection], T],
        *,
        durable: bool = False,
        risky: bool = False,
        size: int = 0,
        wakes: str = "",
    ) -> asyncio.Future[T]:
        """Have `run` executed in a transaction. The future is done when that is committed.

        `risky`: it may raise after its first change, so it gets a savepoint. `wakes`: the run that goes on by it.
        """
        if self._closed:
            raise StoreError(f"the store at `{self._path}` is closed", code="E806")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        job = Job(run, future, durable=durable or self._full, risky=risky, size=size, wakes=wakes)
        gathered = self._gathering.get(loop)
        if gathered is not None:
            gathered.append(job)
        elif job.durable or not (self._is_alone(loop) and self._at_once([job])):
            self._gathering[loop] = [job]
            loop.call_soon(self._flush, loop)
        return future

    def _is_alone(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether only the task at work has written since the loop last turned, nobody joined it before, and not for too long."""
        task = asyncio.current_task(loop)
        if self._alone is None:
            self._alone, self._turn_ends = task, time.perf_counter() + LONGEST_TURN_S
            loop.call_soon(self._turned)
        elif self._alone is not task:
            return False
        return not self._crowded and time.perf_counter() < self._turn_ends

    def _turned(self) -> None:
        self._alone = None

    def close(self) -> None:
        """Finish what was asked and stop. Blocks."""
        with self._handing:
            self._closed = True
            self._queue.put(None)
        self._thread.join()

    def _hand_over(self, jobs: list[Job]) -> None:
        """Queue the jobs for the writer thread; once it was told to stop, nobody would ever answer them."""
        with self._handing:
            if not self._closed:
                self._queue.put(jobs)
                return
        _fail(jobs, StoreError(f"the store at `{self._path}` is closed", code="E806"))
        _settle_each(jobs)

    def restart_log(self) -> None:
        """Let the writer thread empty the write-ahead log while nobody writes, so that it is written from its start again."""
        self._queue.put([])

    def foreign_version(self) -> int | None:
        """A number that changes when another process commits; None when the writer is busy."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return cast(int, self._db.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return None
        finally:
            self._lock.release()

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        jobs = self._gathering.pop(loop)
        self._crowded = len(jobs) > 1
        if not self._at_once(jobs):
            self._hand_over(jobs)

    def _at_once(self, jobs: list[Job]) -> bool:
        """Execute the jobs on the event loop if they are quick and nobody is before them."""
        if not self._is_small(jobs) or not self._queue.empty() or not self._lock.acquire(blocking=False):
            return False
        try:
            done = self._execute(jobs, wait=False)
        finally:
            self._lock.release()
        if done:
            self._tell(jobs)
            _settle_each(jobs)
        return done

    def _is_small(self, jobs: Sequence[Job]) -> bool:
        if len(jobs) > INLINE_JOBS:
            return False
        if any(job.durable for job in jobs) and (len(jobs) > 1 or self._fsync_s >= QUICK_FSYNC_S):
            return False
        return sum([job.size for job in jobs]) <= INLINE_BYTES

    def _serve(self) -> None:
        """The writer thread: everything queued is one batch."""
        more = True
        while more:
            jobs, more, restart = self._drain()
            if jobs:
                with self._lock:
                    self._execute(jobs, wait=True)
                self._tell(jobs)
                _settle_all(jobs)
            if restart:
                with self._lock, contextlib.suppress(sqlite3.Error):
                    # The log keeps its size: an fsync of a file that does not grow takes half as long.
                    self._db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()

    def _drain(self) -> tuple[list[Job], bool, bool]:
        """Everything queued (at least one thing), whether to go on afterwards, and whether to empty the log."""
        jobs: list[Job] = []
        restart = False
        batch = self._queue.get()
        while batch is not None:
            restart = restart or not batch
            jobs += batch
            if len(jobs) >= LARGEST_BATCH:
                return jobs, True, restart
            try:
                batch = self._queue.get_nowait()
            except queue.Empty:
                return jobs, True, restart
        return jobs, False, restart

    def _tell(self, jobs: Sequence[Job]) -> None:
        """What follows from a commit: waiters, and now and then a checkpoint."""
        self._wake([job.wakes for job in jobs if job.wakes and job.error is None])
        self._pages += 3 + sum([job.size for job in jobs]) // 4096
        if self._pages >= CHECKPOINT_PAGES:
            self._pages = 0
            self._checkpoint()

    def _execute(self, jobs: Sequence[Job], *, wait: bool) -> bool:
        """Run the jobs in one transaction. False: another process holds the lock, and nothing was done."""
        try:
            self._begin(any(job.durable for job in jobs), wait)
        except sqlite3.Error as error:
            if not wait and failures.is_busy(error):
                return False
            _fail(jobs, failures.store_error(error, self._path))
            return True
        try:
            for job in jobs:
                self._run(job, guarded=job.risky and len(jobs) > 1)
        except Exception as error:
            self._rollback()
            self._retry_or_fail(jobs, error, wait)
            return True
        self._end(jobs, wait)
        return True

    def _begin(self, durable: bool, wait: bool) -> None:
        level = "FULL" if durable else "NORMAL"
        if level != self._synchronous:
            self._db.execute(f"PRAGMA synchronous={level}")
            self._synchronous = level
        if wait:
            retry_busy(self._db, "BEGIN IMMEDIATE", self._busy_timeout_s)
        else:
            self._db.execute("BEGIN IMMEDIATE")

    def _run(self, job: Job, *, guarded: bool) -> None:
        """One job. A refusal is its own; anything unexpected is raised and undoes the batch."""
        if guarded:
            self._db.execute("SAVEPOINT job")
        try:
            job.result = job.run(self._db)
        except RemitError as error:
            job.error = error
            if guarded:
                self._db.execute("ROLLBACK TO job")
        if guarded:
            self._db.execute("RELEASE job")

    def _end(self, jobs: Sequence[Job], wait: bool) -> None:
        # Without a savepoint only a job that is alone can have changed something before it was refused.
        if all(job.error is not None for job in jobs):
            self._rollback()
            return
        try:
            began = time.perf_counter()
            self._db.execute("COMMIT")
            if self._synchronous == "FULL":
                # The slow ones weigh more: after a stall it takes some quick fsyncs on the thread to come back.
                self._fsync_s = max(time.perf_counter() - began, self._fsync_s * 0.9)
        except sqlite3.Error as error:
            self._rollback()
            failure = failures.commit_error(error, self._path)
            if type(failure) is StoreError:
                self._retry_or_fail(jobs, error, wait)
            else:
                _fail(jobs, failure)

    def _rollback(self) -> None:
        # Some errors (a full disk) have rolled back already.
        if self._db.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")

    def _retry_or_fail(self, jobs: Sequence[Job], error: Exception, wait: bool) -> None:
        """Nothing of the batch is there: give each of its jobs a transaction of its own, so one cannot fail others."""
        if len(jobs) == 1:
            known = failures.store_error(error, self._path) if isinstance(error, sqlite3.Error) else error
            jobs[0].error = known
            return
        for job in jobs:
            job.error = None
            if not self._execute([job], wait=wait):
                job.error = StoreError(f"`{self._path}` is locked by another process", code="E804")


def _fail(jobs: Iterable[Job], error: StoreError) -> None:
    for job in jobs:
        job.error = type(error)(error.message, code=error.code, help=error.help)


def _settle_all(jobs: Iterable[Job]) -> None:
    """Tell the waiting tasks, with one wake-up per event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.future.get_loop(), []).append(job)
    for loop, own in by_loop.items():
        # A loop that was closed meanwhile has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_each, own)


def _settle_each(jobs: Iterable[Job]) -> None:
    for job in jobs:
        _settle(job)


def _settle(job: Job) -> None:
    if job.future.done():
        return
    if job.error is not None:
        job.future.set_exception(job.error)
    else:
        job.future.set_result(job.result)
