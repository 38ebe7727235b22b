"""What SQLite lacks, as Python functions: exact decimals, canonical texts, hashes, exact sums.

SQLite stores what it is given, whatever a column declares. The declared type decides how a value is read; a value that
is something else raises ValueError with one sentence.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any
from uuid import UUID

from remit_packs.validation.canonical import LANE_DIGITS

_WIDE = Context(prec=100)
_NUMBER = re.compile(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)\s*", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[-+][0-9]{2}:?[0-9]{2})?)?",
    re.ASCII,
)
_MASK = (1 << 60) - 1


def decimal(value: Any) -> Decimal:
    """A number exactly as it was meant: a REAL holds 15 decimal digits."""
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        text = format(value, ".15g")
    elif isinstance(value, str) and _NUMBER.fullmatch(value):
        text = value.strip()
    else:
        raise _no(value, "is no plain number")
    number = Decimal(text)
    if not number.is_finite():
        raise _no(value, "is no plain number")
    return number


def number(value: Any, digits: int) -> str | None:
    """The canonical text of a decimal that has at most so many decimals."""
    if value is None:
        return None
    exact = decimal(value)
    found = exact.quantize(Decimal(1).scaleb(-digits), context=_WIDE)
    if found != exact:
        raise _no(value, f"is no plain number with at most {digits} decimals")
    return _fixed(found)


def numeric(value: Any) -> int | float:
    """A text in a column of numbers as the number that it spells."""
    found = decimal(value)
    return int(found) if found == found.to_integral_value() and abs(found) < 2**63 else float(found)


def rounded(value: Any, digits: int) -> str | None:
    """A float from its shortest text, rounded half away from zero."""
    if value is None:
        return None
    exact = Decimal(repr(value)) if isinstance(value, float) else decimal(value)
    if not exact.is_finite():
        raise _no(value, "is no finite number")
    return _fixed(exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _WIDE))


def _fixed(value: Decimal) -> str:
    return format(abs(value) if value == 0 else value, "f")


def boolean(value: Any) -> str | None:
    """`1` or `0`."""
    if value is None:
        return None
    found = {"1": "1", "true": "1", "t": "1", "0": "0", "false": "0", "f": "0"}.get(str(value).lower())
    if found is None or isinstance(value, bytes | float):
        raise _no(value, "is neither true nor false")
    return found


def date(value: Any) -> str | None:
    """`YYYY-MM-DD`."""
    if value is None:
        return None
    if not (isinstance(value, str) and _DATE.fullmatch(value)):
        raise _no(value, "is no date like 2026-11-20")
    return dt.date.fromisoformat(value).isoformat()


def timestamp(value: Any, digits: int) -> str | None:
    """`YYYY-MM-DDTHH:MM:SS` with so many digits of the second; in UTC if the text names a zone."""
    if value is None:
        return None
    if not (isinstance(value, str) and _TIME.fullmatch(value)):
        raise _no(value, "is no timestamp like 2026-11-20 08:30:00")
    moment = dt.datetime.fromisoformat(value)
    if moment.tzinfo is not None:
        moment = moment.astimezone(dt.UTC)
    text = moment.replace(microsecond=0, tzinfo=None).isoformat()
    return f"{text}.{moment.microsecond:06d}"[: len(text) + 1 + digits] if digits else text


def uuid(value: Any) -> str | None:
    """Lower-case with hyphens, from text or 16 bytes."""
    if value is None:
        return None
    return str(UUID(bytes=value) if isinstance(value, bytes) else UUID(str(value)))


def binary(value: Any) -> str | None:
    """Lower-case hex."""
    if value is None:
        return None
    if not isinstance(value, bytes):
        raise _no(value, "is no BLOB")
    return value.hex()


def string(value: Any) -> str | None:
    """As it is."""
    if isinstance(value, bytes):
        raise _no(value, "is no text")
    return None if value is None else str(value)


def length(text: str | None) -> str | None:
    """The number of characters as text, those after a NUL too."""
    return None if text is None else str(len(text))


def matches(value: Any, pattern: str) -> int | None:
    """Whether a whole value matches a regular expression."""
    return None if value is None else int(re.fullmatch(pattern, str(value)) is not None)


def lane(text: str | None, algorithm: str, which: int) -> int | None:
    """One lane of the hash of a text."""
    if text is None:
        return None
    return int(hashlib.new(algorithm, text.encode()).hexdigest()[which * LANE_DIGITS :][:LANE_DIGITS], 16)


def lanes(text: str, algorithm: str) -> list[int]:
    """All lanes of the hash of a text."""
    hashed = hashlib.new(algorithm, text.encode()).digest()
    whole = int.from_bytes(hashed[:15], "big")
    found = [whole >> 60, whole & _MASK]
    if algorithm == "sha256":
        rest = int.from_bytes(hashed[15:30], "big")
        found += [rest >> 60, rest & _MASK]
    return found


class Total:
    """`remit_total`: an exact sum, as text. Sums of 60-bit lanes do not fit into SQLite's integers."""

    def __init__(self) -> None:
        self.sum: Decimal | None = None

    def step(self, value: Any) -> None:
        """Add one."""
        if value is not None:
            self.sum = _WIDE.add(self.sum or Decimal(0), decimal(value))

    def finalize(self) -> str | None:
        """The sum, NULL of nothing."""
        return None if self.sum is None else format(self.sum, "f")


class Content:
    """`remit_content`: which types a column really holds, and the most decimals of its numbers: `integer,real;2`."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.digits = 0

    def step(self, value: Any) -> None:
        """Look at one."""
        if value is None:
            return
        self.types.add(type(value).__name__)
        if isinstance(value, float) and abs(value) < float("inf"):
            exponent = decimal(value).normalize().as_tuple().exponent
            self.digits = max(self.digits, -int(exponent))

    def finalize(self) -> str:
        """What was seen."""
        return f"{','.join(sorted(self.types))};{self.digits}"


def _no(value: Any, complaint: str) -> ValueError:
    return ValueError(f"`{str(value)[:40]}` {complaint}")
