"""A bank that keeps its own ledger: the outside witness of which effects really happened.

    python benchmarks/common/fake_bank.py --ledger FILE (--keyed | --plain) [--lookup] [--port 0] [--delay-ms 0]

Its own process and its own append-only file, synced to disk before a charge is answered, so neither a killed client
nor a wrong framework can rewrite history. It prints `{"port": N, "url": "http://127.0.0.1:N"}` when it listens.

    POST /charge           {"account", "amount", "ref"}, header Idempotency-Key
                           201 the new entry | 200 the earlier entry (--keyed, same key, same body)
                           409 same key, other body (--keyed) | 400 not a charge
    GET  /charges?ref=R    {"charges": [...]}: every entry made for this reference
    GET  /lookup?key=K     200 the first entry made with this key | 404 none (the path exists with --lookup only)
    GET  /ledger           {"charges": [...]}: every entry, oldest first

--keyed honours Idempotency-Key as payment providers do. --plain charges again whatever the key, as e-mail does; the
key is still written into the entry, so that /lookup can answer. --delay-ms is the time on the wire: half before the
charge is made and half after, so that a client can be killed on either side of it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Charge:
    """What a client asks for; `amount` is in minor units, `ref` names the effect the client means."""

    account: str
    amount: int
    ref: str


@dataclass(frozen=True)
class Entry:
    """A charge made: `seq` counts from 1, `key` is the Idempotency-Key seen ("" for none), `at` is Unix seconds."""

    seq: int
    account: str
    amount: int
    ref: str
    key: str
    at: float

    @property
    def charge(self) -> Charge:
        """What was asked for."""
        return Charge(self.account, self.amount, self.ref)


class KeyReusedError(Exception):
    """The key was used before, for another charge."""


class Ledger:
    """The append-only file and what it says. Thread-safe; opening an existing file carries on from it."""

    def __init__(self, path: Path, keyed: bool) -> None:
        self._keyed = keyed
        self._lock = threading.Lock()
        self._entries = [Entry(**json.loads(line)) for line in _whole_lines(path)]
        self._first_by_key: dict[str, Entry] = {}
        for entry in self._entries:
            self._index(entry)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def charge(self, charge: Charge, key: str) -> tuple[Entry, bool]:
        """The entry for this charge, and whether it is new. One at a time, on disk before it returns."""
        with self._lock:
            earlier = self._first_by_key.get(key) if self._keyed else None
            if earlier is None:
                return self._append(charge, key), True
            if earlier.charge != charge:
                raise KeyReusedError(key)
            return earlier, False

    def all(self) -> list[Entry]:
        """Every entry, oldest first."""
        with self._lock:
            return list(self._entries)

    def by_key(self, key: str) -> Entry | None:
        """The first entry made with this key."""
        with self._lock:
            return self._first_by_key.get(key)

    def _append(self, charge: Charge, key: str) -> Entry:
        entry = Entry(len(self._entries) + 1, charge.account, charge.amount, charge.ref, key, time.time())
        os.write(self._file, json.dumps(asdict(entry)).encode() + b"\n")
        os.fsync(self._file)
        self._entries.append(entry)
        self._index(entry)
        return entry

    def _index(self, entry: Entry) -> None:
        if entry.key:
            self._first_by_key.setdefault(entry.key, entry)


def _whole_lines(path: Path) -> list[str]:
    """The lines of the file; a last line cut short by a crash was never answered, so it is cut away."""
    if not path.exists():
        return []
    whole, _, torn = path.read_bytes().rpartition(b"\n")
    if torn:
        os.truncate(path, len(whole) + 1 if whole else 0)
    return whole.decode().splitlines()


def parse_charge(body: bytes) -> Charge:
    """The charge in a request body; ValueError says what is wrong with it."""
    data = json.loads(body)
    if not isinstance(data, dict) or set(data) != {"account", "amount", "ref"}:
        raise ValueError("a charge has exactly `account`, `amount` and `ref`")
    account, amount, ref = data["account"], data["amount"], data["ref"]
    if not isinstance(account, str) or not isinstance(ref, str):
        raise ValueError("`account` and `ref` are strings")
    if not isinstance(amount, int) or isinstance(amount, bool):
        raise ValueError("`amount` is a whole number of minor units")
    return Charge(account, amount, ref)


class Bank(ThreadingHTTPServer):
    """The server: a ledger, whether /lookup exists, and half the time on the wire in seconds."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, ledger: Ledger, lookup: bool, delay_ms: float) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.ledger = ledger
        self.lookup = lookup
        self.half_delay = delay_ms / 2000

    @property
    def url(self) -> str:
        """Where the bank listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """HTTP in, ledger calls through, JSON out."""

    server: Bank
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.server.half_delay)
        status, answer = self._write(urlsplit(self.path).path, body)
        time.sleep(self.server.half_delay)
        self._answer(status, answer)

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        self._answer(*self._read(target.path, query))

    def _write(self, path: str, body: bytes) -> tuple[HTTPStatus, object]:
        if path != "/charge":
            return HTTPStatus.NOT_FOUND, {"error": "no such path"}
        try:
            entry, new = self.server.ledger.charge(
                parse_charge(body), self.headers.get("Idempotency-Key") or ""
            )
        except KeyReusedError as error:
            return HTTPStatus.CONFLICT, {"error": f"key `{error}` was used for another charge"}
        except ValueError as error:
            return HTTPStatus.BAD_REQUEST, {"error": str(error)}
        return HTTPStatus.CREATED if new else HTTPStatus.OK, asdict(entry)

    def _read(self, path: str, query: dict[str, str]) -> tuple[HTTPStatus, object]:
        if path == "/ledger":
            return HTTPStatus.OK, {"charges": [asdict(each) for each in self.server.ledger.all()]}
        if path == "/charges":
            found = [asdict(each) for each in self.server.ledger.all() if each.ref == query.get("ref", "")]
            return HTTPStatus.OK, {"charges": found}
        if path == "/lookup" and self.server.lookup:
            return self._lookup(query.get("key", ""))
        return HTTPStatus.NOT_FOUND, {"error": "no such path"}

    def _lookup(self, key: str) -> tuple[HTTPStatus, object]:
        entry = self.server.ledger.by_key(key)
        if entry is None:
            return HTTPStatus.NOT_FOUND, {"error": f"no charge was made with key `{key}`"}
        return HTTPStatus.OK, asdict(entry)

    def _answer(self, status: HTTPStatus, answer: object) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request is not news, the ledger is."""


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    keys = parser.add_mutually_exclusive_group(required=True)
    keys.add_argument("--keyed", action="store_true", help="honour Idempotency-Key")
    keys.add_argument("--plain", action="store_true", help="charge again whatever the key")
    parser.add_argument("--ledger", type=Path, required=True, help="append-only file, created if missing")
    parser.add_argument("--lookup", action="store_true", help="offer GET /lookup")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument(
        "--delay-ms", type=float, default=0.0, help="time on the wire, half before the charge"
    )
    return parser.parse_args(arguments)


def main() -> None:
    """Serve until killed."""
    options = parse_arguments(sys.argv[1:])
    bank = Bank(options.port, Ledger(options.ledger, options.keyed), options.lookup, options.delay_ms)
    print(json.dumps({"port": bank.server_address[1], "url": bank.url}), flush=True)
    bank.serve_forever()


if __name__ == "__main__":
    main()
