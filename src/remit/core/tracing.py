"""Whether a value occurs in a text: word for word, or in another spelling.

Two questions with opposite errors. `named` decides what may be trusted, so it wants the whole value, between boundaries: a
text with `xann@acme.example` does not name `ann@acme.example`. `appears` finds what to distrust, so it sees through case,
white space, punctuation, look-alike forms of Unicode, and cheap encodings.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from urllib.parse import unquote_plus

LONG = 2000
"""Characters of a value beyond which it is looked for as it is only."""

LONG_NAME = 200
"""Characters of a value beyond which its occurrences are not looked for where they overlap."""

LOOSE = 5
"""Letters and digits that a value needs, for finding it in another spelling to mean anything."""

_SPACE = re.compile(r"\s+")
_BARE = re.compile(r"[\W_]+")
_CODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[ :]?){4,}")
_NUMBER = re.compile(r"(?<![\w.,])[-+]?\d(?:[\d.,'’ ]*\d)?(?:\s?[kKmM](?!\w))?(?![\w])")
_CURRENCY = re.compile(r"\b(?:EUR|USD|GBP|CHF|JPY)(?=\d)|(?<=\d)(?:EUR|USD|GBP|CHF|JPY)\b")
_ADDRESS = re.compile(
    r"(?<![^\s<>,;:\"'()\[\]])[^\s<>,;:\"'()\[\]@]++@[^\s<>,;:\"'()\[\]]+|\[REDACTED:\w+:[0-9a-f]{4}\]"
)
_GOES_ON = re.compile(r"[\w@%~]|[./?#&=:+\-][\w%~./@]")
_LIST = re.compile(r"[,;\n]")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_ROT13 = str.maketrans(
    _LETTERS + _LETTERS.upper(),
    _LETTERS[13:] + _LETTERS[:13] + _LETTERS[13:].upper() + _LETTERS[:13].upper(),
)


def plain(text: str) -> str:
    """The text in one case and one form of Unicode, without invisible characters, white space as single spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return _SPACE.sub(" ", text.casefold()).strip()


def bare(text: str) -> str:
    """Only letters and digits, in one case."""
    return _BARE.sub("", plain(text))


def addresses(value: str) -> list[str]:
    """The recipients in a list of them: of each its address, or whatever else names it.

    A number beside an address may be an account or a telephone: it is one more.
    """
    parts = [part.strip() for part in _LIST.split(value) if part.strip()]
    return [found for part in parts for found in _named_in(part)] or [value]


def _named_in(part: str) -> list[str]:
    found: list[str] = _ADDRESS.findall(part)
    if not found:
        return [part]
    beside = (word.strip("<>()[]\"'.:") for word in _ADDRESS.sub(" ", part).split())
    return [*found, *(word for word in beside if any(c.isdigit() for c in word))]


def named(value: str, text: str) -> bool:
    """Whether a plain text has the plain value, whole."""
    wanted = value.rstrip("/ ") or value
    # A long value is not looked for inside itself: that would take the product of both lengths.
    step = 1 if len(wanted) <= LONG_NAME else len(wanted)
    start = text.find(wanted) if wanted else -1
    while start >= 0:
        end = start + len(wanted)
        goes_on = _GOES_ON.match(
            text, end + (text[end : end + 1] == "/" and not text[end + 1 : end + 2].isalnum())
        )
        if goes_on is None and not (_inside(wanted[0]) and start and _before(text[start - 1])):
            return True
        start = text.find(wanted, start + step)
    return False


def _inside(character: str) -> bool:
    return character.isalnum() or character == "_"


def _before(character: str) -> bool:
    """Whether what follows this is only the rest of something longer."""
    return _inside(character) or character in "@+-/.%~"


def appears(value: str, text: str) -> bool:
    """Whether a bare text has the value in any spelling. What is too short to tell is never found."""
    return any(spelling in text for spelling in spellings(value))


@lru_cache(maxsize=512)
def spellings(value: str) -> frozenset[str]:
    """The bare forms under which a value may stand in a bare text: as it is, backwards, rotated, escaped, in base64 or hex."""
    if len(value) > LONG:
        return frozenset({bare(value)})
    data = value.strip().encode("utf-8", "surrogatepass")
    several = {value, value[::-1], value.translate(_ROT13), data.hex(), *_escaped(value), *decoded(value)}
    for shift in range(3):
        # What base64 makes of it wherever it starts in a longer text, without the letters it shares.
        letters = base64.b64encode(b"\0" * shift + data).decode()
        several.add(letters[(shift * 8 + 5) // 6 : (shift + len(data)) * 8 // 6])
    return frozenset(form for form in map(bare, several) if len(form) >= LOOSE)


def _escaped(value: str) -> Iterator[str]:
    yield value.replace("@", " at ").replace(".", " dot ")
    yield "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in value)
    yield "".join(c if c.isalnum() else f"&#{ord(c)};" for c in value)


def decoded(text: str) -> Iterator[str]:
    """What a text says to who undoes percent signs, entities, base64 or hex in it."""
    if "%" in text or "+" in text:
        yield unquote_plus(text)
    if "&" in text:
        yield html.unescape(text)
    for found in _CODED.findall(text)[:200]:
        yield from _from_base64(found)
    for found in _HEX.findall(text)[:200]:
        yield from _readable(bytes.fromhex(re.sub(r"[ :]", "", found)))


def _from_base64(text: str) -> Iterator[str]:
    body = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        yield from _readable(base64.b64decode(body + "=" * (-len(body) % 4), validate=True))
    except (binascii.Error, ValueError):
        return


def _readable(data: bytes) -> Iterator[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    if len(text) >= LOOSE and text.isprintable():
        yield text


def numbers(text: str) -> frozenset[Decimal]:
    """The numbers in a text, each in every way of reading its points and commas; `2k` and `two hundred` as well."""
    return frozenset(_spelled(text)).union(*figures(text))


def figures(text: str) -> list[frozenset[Decimal]]:
    """For each number in figures, the ways of reading it."""
    found = []
    for token in _NUMBER.findall(_CURRENCY.sub(" ", text)):
        # With spaces it is a number in groups, or several numbers.
        parts = [token, *token.split()] if " " in token else [token]
        found.append(frozenset(reading for part in parts for reading in _readings(part)))
    return found


def _readings(token: str) -> Iterator[Decimal]:
    factor = {"k": 1000, "m": 1_000_000}.get(token[-1].lower(), 1)
    digits = re.sub(r"[kKmM'’\s]", "", token)
    spellings = {digits, digits.replace(",", ""), digits.replace(".", "").replace(",", ".")}
    if digits.count(",") == 1:
        spellings.add(digits.replace(",", "."))
    for spelling in spellings:
        try:
            yield Decimal(spelling) * factor
        except ArithmeticError:
            continue


_SMALL = {
    word: number
    for number, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
        eighteen nineteen""".split()  # noqa: SIM905
    )
} | {
    word: 10 * (number + 2)
    for number, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split())  # noqa: SIM905
}
_LARGE = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
_WORD = re.compile(r"[a-z]+")


def _spelled(text: str) -> Iterator[Decimal]:
    """Numbers that are written out in English."""
    whole = part = 0
    inside = False
    for word in [*_WORD.findall(text.lower()), "."]:
        if word in _SMALL:
            part, inside = part + _SMALL[word], True
        elif word in _LARGE and inside:
            factor = _LARGE[word]
            if factor == 100:
                part *= 100
            else:
                whole, part = whole + part * factor, 0
        elif word == "and" and inside:
            continue
        elif inside:
            yield Decimal(whole + part)
            whole = part = 0
            inside = False
