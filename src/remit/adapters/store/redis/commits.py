"""Group commit: the requests of the moment go out together, each a script of its own, and share one fsync of Redis.

A request is decided here, on the documents that this process knows, and done there if those are still the ones;
else the answer brings the present ones, and it is decided again. So no lock is held, and of many writers one goes on.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis import exceptions
from redis.asyncio.connection import Connection

from remit.adapters.store import items
from remit.adapters.store.redis import failures, scripts
from remit.adapters.store.redis.declarations import REVISION, Declarations
from remit.adapters.store.redis.places import place
from remit.adapters.store.redis.server import Server, ask
from remit.adapters.store.requests import Asked, drain
from remit.core.errors import FencedError, InputError, RemitError, RunExistsError, StoreError
from remit.ports.store import Entry, Signal

LARGEST_BATCH = 200
REMEMBERED_BYTES = 8 * 1024 * 1024
RESTED_S = 0.1
"""After this long without a word the connection is asked whether it still is one, before a commit goes over it."""

Slot = tuple[str, bytes]
"""A collection, and the key of an item in it as it is stored."""


@dataclass(eq=False)
class Request(Asked):
    """A request, with what is thought to be there and what it is to become."""

    guesses: dict[Slot, bytes] = field(default_factory=dict)
    wishes: dict[Slot, bytes] = field(default_factory=dict)
    refusal: RemitError | None = None
    deadline: float = 0.0

    def settle(self, result: int) -> None:
        """It was done."""
        if not self.future.done():
            self.future.set_result(result)

    def fail(self, error: RemitError) -> None:
        """It was not, or nobody knows. Each caller gets an error of its own."""
        if not self.future.done():
            self.future.set_exception(type(error)(error.message, code=error.code, help=error.help))


class Remembered:
    """The documents this process saw last, under their revisions; b"" where there was none. Any of them may be outdated."""

    def __init__(self) -> None:
        self._values: OrderedDict[Slot, bytes] = OrderedDict()
        self._bytes = 0

    def get(self, slot: Slot) -> bytes:
        """What was seen; what was never seen is taken to be not there."""
        return self._values.get(slot, b"")

    def put(self, slot: Slot, value: bytes) -> None:
        """Remember."""
        self.drop(slot)
        self._values[slot] = value
        self._bytes += _size(slot, value)

    def drop(self, slot: Slot) -> None:
        """Forget."""
        value = self._values.pop(slot, None)
        if value is not None:
            self._bytes -= _size(slot, value)

    def trim(self) -> None:
        """Forget what was seen longest ago, beyond `REMEMBERED_BYTES`."""
        while self._bytes > REMEMBERED_BYTES:
            self.drop(next(iter(self._values)))

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._bytes = 0


class GroupCommit:
    """The only writer of this process, over one connection that it opens again after it was lost."""

    def __init__(
        self,
        server: Server,
        connection: Connection,
        declarations: Declarations,
        *,
        prefix: str,
        timeout_s: float,
        wake: Callable[[Iterable[str]], None],
    ) -> None:
        self._server = server
        self._connection: Connection | None = connection
        self._declarations = declarations
        self._prefix = prefix
        self._timeout_s = timeout_s
        self._wake = wake
        self._me = secrets.token_bytes(REVISION - 8)
        self._count = 0
        self._used = time.monotonic()
        self._remembered = Remembered()
        self._closed = False
        self._queue: asyncio.Queue[Request | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._serve(), name="remit-redis-writer")

    def submit(self, request: Request) -> asyncio.Future[int]:
        """Have the request committed."""
        if self._closed:
            raise StoreError("the store is closed", code="E806")
        self._queue.put_nowait(request)
        return request.future

    async def close(self) -> None:
        """Finish what was asked and stop."""
        self._closed = True
        self._queue.put_nowait(None)
        await self._task
        await self._disconnect()

    async def _serve(self) -> None:
        more = True
        while more:
            requests, more = await drain(self._queue, LARGEST_BATCH)
            for request in requests:
                request.deadline = time.monotonic() + self._timeout_s
            while requests:
                requests = await self._attempt(requests)
            self._remembered.trim()

    async def _attempt(self, requests: Sequence[Request]) -> list[Request]:
        """Decide and send every request; those that must be decided again."""
        try:
            connection = await self._connected()
        except Exception as error:
            for request in requests:
                request.fail(error if isinstance(error, RemitError) else failures.remit_error(error))
            return []
        sent, commands = [], []
        for request in requests:
            try:
                commands.append(scripts.call("commit", self._prefix, self._asked(request)))
                sent.append(request)
            except ValueError as error:  # half a surrogate pair is no text
                self._forget(request)
                request.fail(InputError(f"a value cannot be stored: {error}", code="E105"))
        return await self._exchange(connection, sent, commands)

    async def _connected(self) -> Connection:
        """A connection over which a commit may go."""
        connection = self._connection
        if connection is not None and time.monotonic() - self._used > RESTED_S:
            try:
                await ask(connection, "PING")
            except failures.FAILURES:
                await self._disconnect()
                connection = None
        if connection is None or not connection.is_connected:
            await self._disconnect()
            connection = self._connection = await self._server.connect()
        return connection

    async def _exchange(
        self, connection: Connection, requests: Sequence[Request], commands: Sequence[tuple[Any, ...]]
    ) -> list[Request]:
        again: list[Request] = []
        reload = False
        answered = 0
        try:
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            for request in requests:
                try:
                    answer = await connection.read_response()
                except exceptions.NoScriptError:
                    answer = [b"unloaded"]
                except exceptions.ResponseError as error:
                    answer = [b"refused", failures.remit_error(error)]
                answered += 1
                if not self._take(request, answer):
                    again.append(request)
                    reload = reload or answer[0] in (b"redeclared", b"unloaded")
        except exceptions.BusyLoadingError as error:
            await self._lost(requests[answered:], failures.remit_error(error))
        except Exception:
            # Whatever it was, Redis may have what was sent.
            await self._lost(requests[answered:], failures.unknown())
        self._used = time.monotonic()
        return await self._prepared(again, reload)

    async def _lost(self, unanswered: Sequence[Request], error: RemitError) -> None:
        self._remembered.clear()
        for request in unanswered:
            request.fail(error)
        await self._disconnect()

    async def _prepared(self, again: list[Request], reload: bool) -> list[Request]:
        """Those of the requests that have time left, with declarations and scripts loaded anew where that was the trouble."""
        if not reload or not again:
            return again
        try:
            connection = await self._connected()
            for source in scripts.SOURCES.values():
                await ask(connection, "SCRIPT", "LOAD", source)
            await self._declarations.load(lambda *command: ask(connection, *command))
        except Exception as error:
            await self._disconnect()
            for request in again:
                request.fail(error if isinstance(error, RemitError) else failures.remit_error(error))
            return []
        return again

    def _asked(self, request: Request) -> dict[str, Any]:
        """What the script is asked: the request, as decided on what this process knows."""
        self._decide(request)
        guesses = request.guesses.items()
        asked: dict[str, Any] = {
            "version": self._declarations.version,
            "commit": request.refusal is None,
            "slots": [[*slot, guess[:REVISION], request.wishes.get(slot, b"")] for slot, guess in guesses],
        }
        if request.run_id:
            asked |= {"run": request.run_id, "seq": str(request.seq), "epoch": str(request.epoch)}
        if request.who is not None:
            tenant, root, agent = request.who
            asked["new"] = {"tenant": tenant, "root": root, "agent": agent, "created": str(request.now)}
        if request.refusal is not None:
            return asked
        out, into = self._moves(request)
        signals = [each for each in request.writes if isinstance(each, Signal)]
        asked |= {
            "out": out,
            "into": into,
            "contents": [[row.digest, b"%d" % row.packed + row.body] for row in request.contents],
            "entries": [_packed(entry) for entry in request.entries],
            "consumed": list(request.consumed),
            "signals": [[each.run_id, each.signal_id, b"+" + bytes(each.body)] for each in signals],
        }
        if request.entries:
            asked |= {"last": str(request.entries[-1].seq), "hash": request.entries[-1].hash}
        if request.status is not None:
            wake = "" if request.wake_ts is None else str(request.wake_ts)
            asked |= {"status": request.status, "wake": wake}
        return asked

    def _decide(self, request: Request) -> None:
        """What the writes make of the documents, or why they are refused: `guesses`, `wishes` and `refusal`."""
        request.guesses, request.wishes, request.refusal = {}, {}, None
        staged: dict[Slot, bytes | None] = {}
        try:
            for position, write in enumerate(request.writes):
                if isinstance(write, Signal):
                    continue
                table = self._declarations.tables.get(write.collection)
                if table is None:
                    raise items.undeclared(write.collection)
                key = items.key_for(table.collection, write)
                slot = (write.collection, place(key))
                guess = request.guesses.setdefault(slot, self._remembered.get(slot))
                there = staged[slot] if slot in staged else _document(guess)
                staged[slot] = items.outcome(table.collection, position, key, write, there)
        except RemitError as error:
            request.refusal = error
            return
        self._count += 1
        revision = self._me + self._count.to_bytes(8)
        for slot, document in staged.items():
            value = b"" if document is None else revision + document
            request.wishes[slot] = value
            # The requests after it in the batch are decided as if it was done.
            self._remembered.put(slot, value)

    def _moves(self, request: Request) -> tuple[list[list[Any]], list[list[Any]]]:
        """Which places the items leave in the indexes, and which they take."""
        out, into = [], []
        for slot, value in request.wishes.items():
            table = self._declarations.tables[slot[0]]
            old = table.places_of(_document(request.guesses[slot]))
            new = table.places_of(_document(value))
            out += [[name, where] for name, where in old.items() if new.get(name) != where]
            into += [[name, where] for name, where in new.items() if old.get(name) != where]
        return out, into

    def _take(self, request: Request, answer: Sequence[Any]) -> bool:
        """Whether this answer settles the request."""
        word = answer[0]
        if word == b"done":
            if request.entries:
                self._wake([request.run_id])
            request.settle(int(answer[1]))
            return True
        self._forget(request)
        if word == b"stale":
            slots = list(request.guesses)
            for number, value in zip(answer[1::2], answer[2::2], strict=True):
                self._remembered.put(slots[number - 1], value)
        if word in (b"stale", b"redeclared", b"unloaded"):
            if time.monotonic() < request.deadline:
                return False
            request.fail(StoreError("others kept changing the same records", code="E804"))
            return True
        request.fail(self._failure(request, word, answer))
        return True

    def _forget(self, request: Request) -> None:
        """What the request would have written is not there: what was there before is, as far as anybody knows."""
        for slot, value in request.wishes.items():
            if self._remembered.get(slot) == value:
                self._remembered.put(slot, request.guesses[slot])

    def _failure(self, request: Request, word: bytes, answer: Sequence[Any]) -> RemitError:
        if word == b"same" and request.refusal is not None:
            return request.refusal
        if word == b"exists":
            return RunExistsError(f"run `{request.run_id}` exists already")
        if word == b"fenced":
            return FencedError(
                f"run `{request.run_id}` is no longer at seq {request.seq} under epoch {request.epoch}"
            )
        if word == b"refused":
            refused: RemitError = answer[1]
            return refused
        return failures.damaged(f"the journal of run `{request.run_id}`")

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)


def _size(slot: Slot, value: bytes) -> int:
    return len(slot[1]) + len(value) + 200


def _document(value: bytes) -> bytes | None:
    return value[REVISION:] if value else None


def _packed(entry: Entry) -> bytes:
    """An entry as it is stored: the length of its hash, the hash, the body."""
    return bytes([len(entry.hash)]) + entry.hash + entry.body


def unpacked(seq: int, stored: bytes) -> Entry:
    """The entry of what is stored."""
    end = 1 + stored[0]
    return Entry(seq=seq, body=stored[end:], hash=stored[1:end])
