"""Bytes of values: canonical JSON, digests, the hash chain of a journal."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar, cast

import msgspec

from remit.core.errors import InputError

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_canonical = msgspec.json.Encoder(order="deterministic")

encode = _encoder.encode


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces: equal values give equal bytes. Raises InputError for what JSON cannot hold."""
    try:
        return _canonical.encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the value cannot be written as JSON: {error}", code="E101") from error


def decode(data: bytes | str, type: type[T]) -> T:
    """A typed value from JSON. Raises InputError that names the path of the first mistake."""
    try:
        if type is object:  # as JSON has it: ten times as fast as with a type
            return cast(T, msgspec.json.decode(data))
        return msgspec.json.decode(data, type=type)
    except (msgspec.ValidationError, msgspec.DecodeError, RecursionError) as error:
        raise _unfit(type, error) from error


def convert(value: Any, type: type[T]) -> T:
    """A typed value from plain dicts and lists (JSON rules). Raises InputError that names the path."""
    try:
        return msgspec.convert(value, type=type, strict=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _unfit(type, error) from error


def _unfit(type: Any, error: Exception) -> InputError:
    from remit.core.mending import how_to_mend

    name = getattr(type, "__name__", type)
    return InputError(f"not a valid `{name}`: {error}", code="E102", help=how_to_mend(type, str(error)))


def plain(value: Any) -> Any:
    """The value as plain dicts, lists, strings and numbers, as JSON would hold it."""
    return msgspec.to_builtins(value)


def digest(data: bytes) -> str:
    """The content digest of bytes: `sha256:` and 64 hex digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """The digest of a value's canonical JSON."""
    return digest(canonical(value))


def genesis(run_id: str) -> bytes:
    """The hash before the first event of a run: it binds the chain to the run's id."""
    return hashlib.sha256(b"remit-journal/1\n" + run_id.encode()).digest()


def link(previous: bytes, body: bytes) -> bytes:
    """The hash of an event: SHA-256 over the hash before it and the event's exact stored bytes."""
    return hashlib.sha256(previous + body).digest()


def idempotency_key(run_id: str, step: str, tool: str, arguments: Any) -> str:
    """The key handed to a tool: SHA-256 over run, step, tool and canonical arguments, 40 hex digits.

    The same call after a crash has the same key; any other call has another.
    """
    text = b"\x00".join((run_id.encode(), step.encode(), tool.encode(), canonical(arguments)))
    return hashlib.sha256(text).hexdigest()[:40]
