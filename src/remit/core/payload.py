"""Values inside events: small ones inline, large ones by content digest, so that history grows linearly."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, TypeVar

from msgspec import Raw, Struct

from remit.core.codec import decode, digest, encode
from remit.core.errors import StoreError

T = TypeVar("T")

INLINE_BYTES = 1024
"""Values up to this many bytes of JSON stay in the event; longer ones are stored once under their digest."""


class Payload(Struct, frozen=True, omit_defaults=True):
    """JSON of a value: `inline`, or `ref` (its content digest) and `size` in bytes."""

    inline: Raw = Raw(b"")
    ref: str = ""
    size: int = 0


NOTHING = Payload(inline=Raw(b"null"))


def pack(value: Any, contents: MutableMapping[str, bytes]) -> Payload:
    """The payload of a value. A large one is put into `contents` under its digest."""
    data = encode(value)
    if len(data) <= INLINE_BYTES:
        return Payload(inline=Raw(data))
    ref = digest(data)
    contents[ref] = data
    return Payload(ref=ref, size=len(data))


def unpack(payload: Payload, contents: Mapping[str, bytes], type: type[T]) -> T:
    """The value of a payload. Raises StoreError when its content was not loaded or does not match its digest."""
    if not payload.ref:
        return decode(bytes(payload.inline), type)
    data = contents.get(payload.ref)
    if data is None:
        raise StoreError(
            f"content `{payload.ref}` is missing from the store",
            code="E803",
            help="run `remit runs verify RUN` to see what else is missing",
        )
    return decode(data, type)


def load(payload: Payload, contents: Mapping[str, bytes]) -> Any:
    """The value of a payload as plain JSON data."""
    return unpack(payload, contents, object)


def refs(event: Any) -> list[str]:
    """The content digests that an event's data points to."""
    values = (getattr(event, name) for name in event.__struct_fields__)
    return [v.ref for v in values if isinstance(v, Payload) and v.ref]
