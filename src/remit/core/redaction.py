"""Keeping secrets and personal data out of journals, logs, traces and prompts.

What is found becomes `[REDACTED:email:ab12]`: the kind, and a short keyed hash so that equal values stay equal.
Cost is linear in the text, whatever it holds: cheap searches find where something could be, and the patterns
that look closer there are possessive (`++`) or bounded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

MIN_SECRET = 6
"""Known secrets shorter than this are not looked for: they would blot out ordinary words."""

MAX_DEPTH = 200
"""What is nested deeper than this is redacted whole."""

_ROUNDS = 8
_CLEAN_KEYS = 4096
_BIG = 10**11
_KINDS = (
    "credential",
    "aws_key",
    "provider_key",
    "jwt",
    "pem",
    "email",
    "phone",
    "card",
    "ssn",
    "iban",
    "text",
    "deep",
)
_MARKER = re.compile(rf"\[REDACTED:(?:{'|'.join(_KINDS)}):[0-9a-f]{{4}}\]")
_PLACEHOLDERS = r"(?:\$\{secret:[A-Za-z][A-Za-z0-9_]*\})+(?![^\s@\"'&,;#/\\)\]}>`])"
_NAMED = re.compile(r"(?i:(?:bearer|basic|token) )?(?:\$\{secret:[A-Za-z][A-Za-z0-9_]*\})+")
"""A credential that is only named, as a header has it."""
_TASK_TOKEN = re.compile(r"task_[0-9a-z]{52}(?![0-9A-Za-z])")
"""The token with which a workflow's task is answered: it is there to be handed on, under whatever name."""
_NOT_MARKER = rf"(?!{_MARKER.pattern}|{_PLACEHOLDERS}|{_TASK_TOKEN.pattern})"
"""Neither what is redacted already, nor a task's token, nor `${secret:NAME}` alone, which only says where a secret is to be found."""


_SENSITIVE_KEYS = frozenset(
    """
    password passwd pwd passphrase secret secretkey clientsecret apikey xapikey accesskey privatekey signingkey
    encryptionkey token authtoken accesstoken refreshtoken idtoken sessiontoken bearertoken apitoken
    authorization proxyauthorization cookie setcookie awssecretaccesskey awssessiontoken connectionstring
    credential credentials
    """.split()  # noqa: SIM905  (a list of forty literals would be forty lines)
)
_TO_LOWER = {upper: upper + 32 for upper in range(65, 91)}
_DROP_SEPARATORS = str.maketrans("", "", "_- .")

_AWS_ID = re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])")
_AWS_SECRET = re.compile(r"(?<![A-Za-z0-9/+=])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_PROVIDER_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_-]{16,}+|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}+"
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+|xox[abeoprs]-[A-Za-z0-9-]{10,}+)"
)
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}+\.[A-Za-z0-9_-]{5,}+\.[A-Za-z0-9_-]*+")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----")
_PEM_END = re.compile(r"-----END [A-Z0-9 ]{1,40}-----")
_AUTHORIZATION = re.compile(rf"(?i:bearer|basic)[ \t]{{1,4}}{_NOT_MARKER}([A-Za-z0-9._~+/=-]{{12,}}+)")
_URL_PASSWORD = re.compile(rf"://[^\s/:@]{{0,256}}:{_NOT_MARKER}([^\s/@]{{1,1024}}+)@")
_ASSIGNED = re.compile(
    r"(?<!\$\{)(?i:passw(?:or)?d|passphrase|pwd|secret(?:[_-]?access)?(?:[_-]?key)?|key|token)"
    r"(?:\\?[\"'])?\s{0,4}[=:]\s{0,4}"
    rf"(?:\"{_NOT_MARKER}([^\"\n]++)\"|'{_NOT_MARKER}([^'\n]++)'"
    rf"|(?:\\?[\"'])?{_NOT_MARKER}([^\s\"'&,;\\]{{3,}}+))"
)
_NAMES = ("passw", "passphrase", "pwd", "secret", "key", "token")
_NEED_PREFIX = frozenset({"key", "token"})
_PREFIXES = ("api", "access", "private", "signing", "secret", "auth", "refresh", "session", "bearer", "id")

_MADE = re.compile(
    r"(?<![A-Za-z0-9])(?:[a-z]{1,12}_[0-9a-z]{26}|(?=[0-9]*[a-f])[0-9a-f]{32}(?:[0-9a-f]{8}|[0-9a-f]{32})?)(?![A-Za-z0-9])"
)
"""An id as Remit makes them, or a digest: fourteen digits in a row happen there, and are nobody's card."""

_DOMAIN = re.compile(r"[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++")
_DIGIT_RUN = re.compile(r"\d(?:[ ().\-/]{0,2}\d){7,}+")
_CARD_RUN = re.compile(r"(?<!\d)(?<!\d\.)\d++(?:[ -]\d++)*+")
_GROUP = re.compile(r"\d++")
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\d-])")
_PHONE = re.compile(
    r"(?<![\w+])\+\d(?:[ ().-]{0,2}\d){7,14}(?!\d)"
    r"|(?<![\w.-])(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"
    r"|(?<![\w.-])0\d{1,4}[ /-]\d{2,4}(?:[ -]?\d{2,4}){1,3}(?![\w-])"
)
_IBAN_HEAD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}")
_IBAN_COUNTRIES = {
    15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_IBAN_LENGTHS = {country: length for length, row in _IBAN_COUNTRIES.items() for country in row.split()}


class _Span(NamedTuple):
    """A found piece of text. Its hash is made of `identity`, so that two spellings of one value agree."""

    start: int
    end: int
    kind: str
    identity: str


class Redactor:
    """Replaces secrets and personal data in texts and JSON-like values.

    `secrets` are exact values, or ask for those known by now, so that a secret is found from the moment it is handed out;
    their base64, URL-encoded, hex and JSON-escaped forms are found as well, whatever the `kinds`. `kinds` chooses what else is looked for: `secrets` (shapes of keys, tokens and passwords) and `pii`
    (email, phone, payment card, US SSN, IBAN). Redacting twice changes nothing more.
    """

    def __init__(
        self,
        secrets: tuple[str, ...] | Callable[[], tuple[str, ...]] = (),
        kinds: tuple[str, ...] = ("secrets", "pii"),
        *,
        salt: bytes = b"",
    ) -> None:
        """`salt` keys the hashes: under another salt the same value gets another suffix.

        `secrets` that is asked should give the same object while nothing is new: it is asked for every value.
        """
        self._secrets = secrets if callable(secrets) else lambda: secrets
        self._known: tuple[str, ...] = ()
        self._forms: list[tuple[str, str]] = []
        self._digits = False
        self._shapes = "secrets" in kinds
        self._pii = "pii" in kinds
        self._salt = hashlib.blake2b(salt).digest()
        self._clean_keys: set[Any] = set()
        self._learn()

    def value(self, obj: Any) -> Any:
        """The value with every text in it redacted, dict keys too; the same object when nothing had to change."""
        self._learn()
        return self._walk(obj, MAX_DEPTH)

    def text(self, text: str) -> str:
        """The text redacted; the same object when nothing had to change."""
        self._learn()
        return self._text(text)

    def _learn(self) -> None:
        """Look for the secrets that are known by now."""
        known = self._secrets()
        if known is self._known:
            return
        if known != self._known:
            forms = {form: secret for secret in known for form in _forms(secret)}
            self._forms = sorted(forms.items(), key=lambda item: len(item[0]))
            self._digits = any(form.isdigit() for form in forms)
            self._clean_keys = set()
        self._known = known

    def _text(self, text: str) -> str:
        if not text.isascii():
            text = _whole(text)
        for _ in range(_ROUNDS):
            spans = self._find(text)
            if not spans:
                return text
            text = self._replace(text, spans)
        # Only a hostile text keeps uncovering more: keep none of it.
        return self._marker("text", text)

    def _walk(self, obj: Any, depth: int) -> Any:
        kind = type(obj)
        if kind is str:
            if not obj.isascii():
                obj = _whole(obj)
            return self._text(obj) if len(obj) >= MIN_SECRET else obj
        if kind is dict:
            return self._dict(obj, depth)
        if obj is None or kind is bool:
            return obj
        if kind is int and -_BIG < obj < _BIG and not self._digits:
            return obj
        if isinstance(obj, int | float):
            return self._number(obj)
        if isinstance(obj, list | tuple):
            return self._sequence(obj, depth, hide=False)
        if isinstance(obj, dict):
            return self._dict(obj, depth)
        return self._text(obj) if isinstance(obj, str) else obj

    def _dict(self, obj: dict[Any, Any], depth: int) -> Any:
        if depth <= 0 and obj:
            return self._marker("deep", "")
        changed: dict[Any, Any] | None = None
        for index, (key, old) in enumerate(obj.items()):
            if key in self._clean_keys:
                new_key, new = key, self._walk(old, depth - 1)
            else:
                new_key, new = self._pair(key, old, depth - 1)
            if changed is None:
                if new is old and new_key is key:
                    continue
                changed = dict(islice(obj.items(), index))
            while new_key in changed:
                new_key = f"{new_key}#"
            changed[new_key] = new
        return obj if changed is None else changed

    def _pair(self, key: Any, old: Any, depth: int) -> tuple[Any, Any]:
        """A key not met before, and its value, which is hidden whole when the key says that it is a secret."""
        new_key = self._walk(key, 1)
        if self._shapes and isinstance(key, str) and _sensitive(key):
            return new_key, self._hide(old, depth)
        if new_key is key and len(self._clean_keys) < _CLEAN_KEYS:
            self._clean_keys.add(key)
        return new_key, self._walk(old, depth)

    def _hide(self, old: Any, depth: int) -> Any:
        if isinstance(old, list | tuple):
            return self._sequence(old, depth, hide=True)
        if isinstance(old, dict):
            return self._dict(old, depth)
        if old is None or isinstance(old, bool) or old == "":
            return old
        text = old if isinstance(old, str) else _digits_of(old)
        kept = _MARKER.fullmatch(text) or _TASK_TOKEN.fullmatch(text) or _NAMED.fullmatch(text)
        return old if kept else self._marker("credential", text)

    def _sequence(self, obj: Any, depth: int, *, hide: bool) -> Any:
        if depth <= 0 and obj:
            return self._marker("deep", "")
        changed: list[Any] | None = None
        for index, old in enumerate(obj):
            new = self._hide(old, depth - 1) if hide else self._walk(old, depth - 1)
            if changed is None:
                if new is old:
                    continue
                changed = list(obj[:index])
            changed.append(new)
        if changed is None:
            return obj
        return tuple(changed) if isinstance(obj, tuple) else changed

    def _number(self, obj: Any) -> Any:
        """A number that spells a known secret or a payment card becomes text."""
        if not self._digits and not (self._pii and abs(obj) >= _BIG):
            return obj
        text = _digits_of(obj)
        new = self._text(text)
        return obj if new is text else new

    def _find(self, text: str) -> list[_Span]:
        size = len(text)
        spans: list[_Span] = []
        for form, secret in self._forms:
            if len(form) > size:
                break
            if form in text:
                spans += [_Span(at, at + len(form), "credential", secret) for at in _places(text, form)]
        if size < 13 and (text.isalnum() or text.isidentifier()):  # a word or a name
            return spans
        if self._shapes:
            spans += _shapes(text)
        if self._pii:
            spans += _personal(text)
        return spans

    def _replace(self, text: str, spans: list[_Span]) -> str:
        spans.sort(key=lambda span: (span.start, -span.end))
        pieces, at, current = [], 0, spans[0]
        for span in spans[1:]:
            if span.start >= current.end:
                pieces += [text[at : current.start], self._marker(current.kind, current.identity)]
                at, current = current.end, span
            elif span.end > current.end:
                current = _Span(current.start, span.end, current.kind, text[current.start : span.end])
        pieces += [
            text[at : current.start],
            self._marker(current.kind, current.identity),
            text[current.end :],
        ]
        return "".join(pieces)

    def _marker(self, kind: str, identity: str) -> str:
        data = identity.encode("utf-8", "surrogatepass")
        return f"[REDACTED:{kind}:{hashlib.blake2b(data, digest_size=2, key=self._salt).hexdigest()}]"


def personal(text: str) -> list[tuple[int, int, str]]:
    """Where personal data is in a text, and of which kind (`email`, `phone`, `card`, `ssn`, `iban`), first things first, none inside another."""
    found: list[tuple[int, int, str]] = []
    for span in sorted(_personal(text), key=lambda s: (s.start, -s.end)):
        if not found or span.start >= found[-1][1]:
            found.append((span.start, span.end, span.kind))
    return found


def _whole(text: str) -> str:
    """The text without halves of characters (a lone surrogate), which no journal could hold: each becomes `?`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _shapes(text: str) -> Iterator[_Span]:
    """Texts that look like keys, tokens and passwords."""
    if "AKIA" in text or "ASIA" in text:
        found = list(_AWS_ID.finditer(text))
        if found:
            found += _AWS_SECRET.finditer(text)
        yield from (_Span(m.start(), m.end(), "aws_key", m.group()) for m in found)
    if "sk-" in text or "gh" in text or "xox" in text or "k_" in text:
        yield from (
            _Span(m.start(), m.end(), "provider_key", m.group()) for m in _PROVIDER_KEY.finditer(text)
        )
    if "eyJ" in text:
        yield from (_Span(m.start(), m.end(), "jwt", m.group()) for m in _JWT.finditer(text))
    if "-----BEGIN " in text:
        yield from _pem(text)
    if "=" in text or ":" in text:
        lower = text.lower()
        if len(lower) != len(text):
            lower = text.translate(_TO_LOWER)
        yield from _assigned(text, lower)
        if "://" in text:
            yield from _groups(text, _URL_PASSWORD, _places(text, "://"))
        if "basic" in lower and "authorization" in lower:
            yield from _groups(text, _AUTHORIZATION, _places(lower, "basic"))
    if "earer" in text or "EARER" in text:
        yield from _groups(
            text, _AUTHORIZATION, (at - 1 for at in _places(text.translate(_TO_LOWER), "earer") if at)
        )


def _assigned(text: str, lower: str) -> Iterator[_Span]:
    """The values in `password=...`, `"api_key": "..."` and the like."""
    for name in _NAMES:
        if name in lower:
            places = _places(lower, name)
            if name in _NEED_PREFIX:
                places = (at for at in places if lower[max(0, at - 9) : at].rstrip("_-").endswith(_PREFIXES))
            yield from _groups(text, _ASSIGNED, places)


def _groups(text: str, pattern: re.Pattern[str], places: Iterator[int]) -> Iterator[_Span]:
    """What the pattern's group holds, wherever it matches at one of the places."""
    done = 0
    for at in places:
        found = pattern.match(text, at) if at >= done else None
        if found and found.lastindex:
            start, end = found.span(found.lastindex)
            done = end
            yield _Span(start, end, "credential", text[start:end])


def _pem(text: str) -> Iterator[_Span]:
    at = 0
    while begin := _PEM.search(text, at):
        end = _PEM_END.search(text, begin.end())
        at = end.end() if end else len(text)
        yield _Span(begin.start(), at, "pem", text[begin.start() : at])


def _personal(text: str) -> Iterator[_Span]:
    """Email addresses, phone numbers, payment cards, US social security numbers and IBANs."""
    if "@" in text:
        yield from _emails(text)
    if _DIGIT_RUN.search(text) is None:
        return
    made = _made(text)
    for run in _DIGIT_RUN.finditer(text):
        start, end = run.span()
        if made(start, end):
            continue
        if end - start <= 10 and len(_alnum(run.group())) == 8 and text[start - 1 : start] != "+":
            continue  # a date: eight digits make a phone number only after a `+`
        beyond = end + 1
        for found in _SSN.finditer(text, start, beyond):
            yield _Span(found.start(), found.end(), "ssn", _alnum(found.group()))
        for found in _PHONE.finditer(text, max(0, start - 1), beyond):
            digits = _alnum(found.group())
            if found.group().startswith("+") or 9 <= len(digits) <= 12:
                yield _Span(found.start(), found.end(), "phone", digits)
        if end - start >= 13:
            yield from _cards(text, start, end)
        for head in _IBAN_HEAD.finditer(text, max(0, start - 14), start + 4):
            yield from _iban(text, head.start())


def _made(text: str) -> Callable[[int, int], bool]:
    """Whether a span lies in an id or a digest; to be asked for spans in their order."""
    found = _MADE.finditer(text) if len(text) >= 28 else iter(())
    current = next(found, None)

    def inside(start: int, end: int) -> bool:
        nonlocal current
        while current is not None and current.end() < end:
            current = next(found, None)
        return current is not None and current.start() <= start

    return inside


def _emails(text: str) -> Iterator[_Span]:
    low = 0
    for at in _places(text, "@"):
        start = at
        while start > low and (text[start - 1].isalnum() or text[start - 1] in "._%+'-"):
            start -= 1
        domain = _DOMAIN.match(text, at + 1)
        # the login of a URL, `postgresql://ana@db.example.com/shop`, is no address
        if domain and start < at and not text.endswith("://", 0, start):
            yield _Span(start, domain.end(), "email", text[start : domain.end()].lower())
        low = at + 1


def _cards(text: str, start: int, end: int) -> Iterator[_Span]:
    """Runs of whole digit groups that make a card number: 13 to 19 digits, a card network's first digit, Luhn."""
    for run in _CARD_RUN.finditer(text, start, end):
        groups = [m.span() for m in _GROUP.finditer(text, *run.span())]
        done = 0
        for first, (begin, _) in enumerate(groups):
            digits = ""
            for from_, to in groups[first : first + 19] if begin >= done and text[begin] in "23456" else ():
                digits += text[from_:to] if to - from_ <= 19 else "0" * 20
                if len(digits) > 19:
                    break
                if len(digits) >= 13 and _luhn(digits):
                    yield _Span(begin, to, "card", digits)
                    done = to
                    break


def _iban(text: str, start: int) -> Iterator[_Span]:
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper(), 0)
    letters, at = "", start
    while len(letters) < length and at < len(text):
        c = text[at]
        if c.isascii() and c.isalnum():
            letters += c
        elif c != " " or text[at - 1] == " ":
            return
        at += 1
    if length and len(letters) == length and not text[at : at + 1].isalnum():
        turned = letters[4:] + letters[:4]
        if int("".join(str(int(c, 36)) for c in turned)) % 97 == 1:
            yield _Span(start, at, "iban", letters.upper())


_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def _luhn(digits: str) -> bool:
    numbers = [int(c) for c in reversed(digits)]
    return (sum(numbers[::2]) + sum(_DOUBLED[n] for n in numbers[1::2])) % 10 == 0


def _forms(secret: str) -> set[str]:
    """The spellings under which a secret may turn up. Empty for one too short to look for."""
    if len(secret.strip()) < MIN_SECRET:
        return set()
    data = secret.encode("utf-8", "surrogatepass")
    forms = {secret, secret.strip(), data.hex(), data.hex().upper()}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    for url in (quote(data, safe=""), quote(data), quote_plus(data)):
        forms |= {url, re.sub(r"%[0-9A-F]{2}", lambda m: m.group().lower(), url)}
    for shift in range(3):
        # What base64 makes of the secret wherever it starts in a longer text, without the letters it shares.
        letters = base64.b64encode(b"\0" * shift + data).decode()
        core = letters[(shift * 8 + 5) // 6 : (shift + len(data)) * 8 // 6]
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return {
        form
        for form in forms
        if len(form) >= MIN_SECRET and not any(form in f"[REDACTED:{k}:" for k in _KINDS)
    }


def _places(text: str, part: str) -> Iterator[int]:
    """Where `part` is in `text`, without overlaps."""
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))


def _sensitive(key: str) -> bool:
    return key.translate(_DROP_SEPARATORS).lower() in _SENSITIVE_KEYS


def _alnum(text: str) -> str:
    return "".join(c for c in text if c.isalnum())


def _digits_of(number: Any) -> str:
    """A number as text; one too long for that is cut down to a few of its digits' hash."""
    try:
        return str(number)
    except ValueError:
        return hex(number)
