"""How the two sides of a column are compared: the common type, or why there is none."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from remit_packs.validation.canonical import ROUNDED, Kind

_TIMES = ("date", "timestamp")
_NUMBERS = ("number", "float")


class Agreement(Struct, frozen=True):
    """How each side is stored, and the type both are brought to."""

    source: Kind
    target: Kind
    common: Kind


def agree(source: Kind, target: Kind, decimals: int | None = None) -> Agreement | str:
    """The agreement, or one sentence that says why these types cannot be compared exactly."""
    for kind in (source, target):
        if kind.family == "other":
            return f"type `{kind.name}` is not covered by colhash/1"
    source, target = _as_number(source, target), _as_number(target, source)
    common = _common(source, target, decimals)
    if isinstance(common, str):
        return common
    return Agreement(_stored(source, common), _stored(target, common), common)


def _as_number(kind: Kind, other: Kind) -> Kind:
    """A `tinyint(1)` of MySQL is a truth value, unless it stands against a number."""
    if kind.name.startswith("tinyint(1)") and other.family == "number":
        return replace(kind, family="number")
    return kind


def _common(source: Kind, target: Kind, decimals: int | None) -> Kind | str:
    """A side that is text (CSV, JSON) takes the type of the other side; two typed sides must be of one family."""
    families = {source.family, target.family}
    if "float" in families and (families <= set(_NUMBERS) or "float" in _typed(source, target)):
        return _rounded(source, target, decimals)
    if source.text and target.text:
        return _two_texts(source, target)
    if source.text or target.text:
        text, typed = (source, target) if source.text else (target, source)
        return _text_and_typed(text, typed)
    if len(families) > 1:
        return f"source is `{source.name}` and target is `{target.name}`"
    digits = (
        min(source.digits, target.digits)
        if source.family == "timestamp"
        else max(source.digits, target.digits)
    )
    return Kind(source.family, digits)


def _typed(source: Kind, target: Kind) -> set[str]:
    """The family of the side that has a type, where the other is text: text may look like a number and be none (`1e60` in hex)."""
    return (
        {kind.family for kind in (source, target) if not kind.text} if source.text != target.text else set()
    )


def _rounded(source: Kind, target: Kind, decimals: int | None) -> Kind | str:
    if decimals is None:
        name = source.name if source.family == "float" else target.name
        return f"`{name}` is floating point, which differs between engines: declare `decimals` to compare it rounded"
    return Kind("number", decimals, name=ROUNDED)


def _two_texts(source: Kind, target: Kind) -> Kind:
    families = {source.family, target.family}
    if families == {"number"}:
        return Kind("number", max(source.digits, target.digits))
    if "timestamp" in families and families <= set(_TIMES):
        return Kind("timestamp", 6)
    return Kind(source.family if len(families) == 1 else "string")


def _text_and_typed(text: Kind, typed: Kind) -> Kind:
    if typed.family == "number":
        return Kind("number", max(text.digits, typed.digits))
    if typed.family == "date" and text.family == "timestamp":
        return Kind("timestamp", 6)  # a time of day in the text must not be cut off
    return Kind(typed.family, typed.digits)


def _stored(kind: Kind, common: Kind) -> Kind:
    """How to read this side: CSV dates and times by DuckDB's detection, all else in CSV as text."""
    if not kind.text:
        return kind
    if kind.family in _TIMES and common.family in _TIMES:
        return replace(kind, text=False)
    return Kind("string", text=True, name=kind.name)
