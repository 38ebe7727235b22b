#!/usr/bin/env python3
"""Verify an exported Remit audit file. Needs Python 3.9 or newer and nothing else: copy it anywhere, read it first.

    python verify_export.py run.audit.json [--public-key HEX] [--head SIZE:HASH]

It proves that the events form one unbroken chain, that every content matches its digest, and that the signature
is right. Give it the public key, and a head kept earlier, that you know **from elsewhere**: a file can only prove
that it agrees with itself. Exit 0: all good. Exit 1: not, and the first bad event is named.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import sys
from typing import Any

FORMAT = "remit-audit/1"
SIGNED = ("artifacts", "exported_ts", "format", "head", "run_id", "tenant_id")

# Ed25519 (RFC 8032, section 5.1), verification only: points are (X, Y, Z, T) with x = X/Z, y = Y/Z, T = XY/Z.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]


class Bad(Exception):
    """What is wrong."""


def add(a: Point, b: Point) -> Point:
    """The sum of two points."""
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(n: int, point: Point) -> Point:
    """The point added to itself `n` times."""
    total = (0, 1, 1, 0)
    while n > 0:
        if n & 1:
            total = add(total, point)
        point, n = add(point, point), n >> 1
    return total


def decompress(data: bytes) -> Point:
    """The point that 32 bytes stand for. Raises Bad."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        raise Bad("the signature or the public key is no point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signature_ok(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` over `message` was made with the private half of `key`."""
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r, s = decompress(key), decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = multiply(s, BASE), add(r, multiply(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (
        left[1] * right[2] - right[1] * left[2]
    ) % P == 0


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys occur once: two readers must never see two values."""
    if len({k for k, _ in pairs}) != len(pairs):
        raise Bad("an object of the file has the same key twice")
    return dict(pairs)


def check_statement(doc: dict[str, Any], public_key: str) -> None:
    """The signed statement is genuine, and the file says the same things."""
    if doc.get("format") != FORMAT:
        raise Bad(f"format is {doc.get('format')!r} and not {FORMAT!r}")
    statement = doc["statement"].encode()
    said = json.loads(statement, object_pairs_hook=once)
    if sorted(said) != sorted(SIGNED) or any(said[k] != doc.get(k) for k in SIGNED):
        raise Bad("the file does not say what was signed")
    if public_key and public_key.lower() != doc["public_key"].lower():
        raise Bad(f"it was signed with key {doc['public_key']}, not with the one you gave")
    if not signature_ok(bytes.fromhex(doc["public_key"]), statement, base64.b64decode(doc["signature"])):
        raise Bad("the signature is wrong")


def check_event(
    doc: dict[str, Any], seq: int, event: dict[str, Any], before: bytes
) -> tuple[bytes, list[str]]:
    """The event at `seq` is linked to the one before it, and its contents are there; returns its hash and contents."""
    if event["seq"] != seq:
        raise Bad(f"event {seq} is missing; the next one is {event['seq']!r}")
    after = hashlib.sha256(before + event["body"].encode()).digest()
    if after.hex() != event["hash"]:
        raise Bad(f"event {seq} does not match its hash: its text, its hash or its place was changed")
    body = json.loads(event["body"])
    if body["seq"] != seq:
        raise Bad(f"event {seq} says that it is event {body['seq']!r}")
    refs = [v["ref"] for v in body["data"].values() if isinstance(v, dict) and v.get("ref") and "size" in v]
    for ref in refs:
        if ref not in doc["contents"]:
            raise Bad(f"content {ref} of event {seq} is missing")
        check_content(ref, doc["contents"][ref], seq)
    return after, refs


def check_content(ref: str, content: dict[str, str], seq: int) -> None:
    """The content is what its digest says."""
    data = content["text"].encode() if "text" in content else base64.b64decode(content["base64"])
    if ref != "sha256:" + hashlib.sha256(data).hexdigest():
        raise Bad(f"content {ref} of event {seq} was changed")


def check_chain(doc: dict[str, Any], head: tuple[int, str] | None) -> None:
    """Every event in turn, then the head, and the head kept elsewhere if there is one."""
    at = hashlib.sha256(b"remit-journal/1\n" + doc["run_id"].encode()).digest()
    used: set[str] = set()
    for seq, event in enumerate(doc["events"]):
        at, refs = check_event(doc, seq, event, at)
        used.update(refs)
        if head and head[0] == seq + 1 and head[1] != at.hex():
            raise Bad(
                f"event {seq} or one before it is not what the head you kept covers: history was rewritten"
            )
    size = len(doc["events"])
    if doc["head"]["size"] != size:
        raise Bad(f"event {size} is missing: {doc['head']['size']} were signed, {size} are here")
    if doc["head"]["hash"] != at.hex():
        raise Bad(f"event {size - 1}: the last hash is not the signed one")
    if head and head[0] > size:
        raise Bad(f"event {size} is missing: the head you kept has {head[0]} events")
    if set(doc["contents"]) - used:
        raise Bad(f"content {min(set(doc['contents']) - used)} belongs to no event")


def main() -> int:
    """Verify the file named on the command line."""
    parser = argparse.ArgumentParser(description="Verify an exported Remit audit file.")
    parser.add_argument("file")
    parser.add_argument(
        "--public-key", default="", help="the exporter's public key (hex), known from elsewhere"
    )
    parser.add_argument("--head", default="", metavar="SIZE:HASH", help="a head you kept earlier")
    args = parser.parse_args()
    size, _, digest = args.head.partition(":")
    if args.head and not (size.isdigit() and len(digest) == 64):
        parser.error("--head wants SIZE:HASH")
    try:
        with open(args.file, encoding="utf-8") as file:
            doc = json.load(file, object_pairs_hook=once)
        check_chain(doc, (int(size), digest.lower()) if args.head else None)
        check_statement(doc, args.public_key)
    except Bad as bad:
        print(f"BAD: {bad}")
        return 1
    except OSError as error:
        print(f"BAD: {args.file!r} cannot be read: {error.strerror}")
        return 1
    except KeyError as error:
        print(f"BAD: not a whole audit file: {error} is missing")
        return 1
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        print(f"BAD: not a whole audit file: {type(error).__name__}: {error}")
        return 1
    print(f"GOOD: run {doc['run_id']}, {doc['head']['size']} events, head {doc['head']['hash']}")
    if not args.public_key:
        print(f"note: signed by {doc['public_key']}; compare it with the exporter's, or give --public-key")
    return 0


if __name__ == "__main__":
    sys.exit(main())
