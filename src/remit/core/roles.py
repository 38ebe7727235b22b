"""What the arguments of a tool's call decide: where something goes, how much, which file, which statement.

A tool declares the role of a parameter in its schema (`"x-remit-role": "recipient"`, or `"none"`); without that it is
inferred from the parameter's name, its schema's `format` and the value itself, rather once too often than not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

DECLARED = "x-remit-role"
ROLES = ("recipient", "amount", "path", "sql", "url", "code")
COMPUTES = frozenset({"sql", "code"})
"""Roles of what a tool computes with: its answer is made of them."""

_NAMES = {
    "recipient": """to cc bcc recipient recipients email emails mail address addresses phone mobile channel channels account iban
    payee beneficiary assignee assignees invitee invitees attendee attendees participant participants destination room""",
    "amount": "amount amounts sum total price fee refund payment deposit cents pence balance credit discount",
    "path": "path paths file files filename filenames folder directory dir",
    "sql": "sql statement",
    "url": "url urls uri uris link href endpoint webhook callback host hostname domain origin",
    "code": "code script command cmd shell program expression formula python bash javascript",
}
_BY_NAME = {name: role for role, names in _NAMES.items() for name in names.split()}
_WHOLE = {
    "send_to": "recipient",
    "share_with": "recipient",
    "account_number": "recipient",
    "email_address": "recipient",
    "phone_number": "recipient",
    "file_name": "path",
    "sql_query": "sql",
}
_NEVER = frozenset({"country_code", "currency_code", "postal_code", "zip_code", "language_code", "error_code", "status_code"})  # fmt: skip
_BY_FORMAT = {"email": "recipient", "idn-email": "recipient", "uri": "url", "iri": "url", "hostname": "url", "uri-reference": "url"}  # fmt: skip
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_DEEP = 80
"""Levels of arguments that are looked through: more than contracts let through (64)."""


class Argument(Struct, frozen=True):
    """One value inside the arguments of a call: where it is (`to`, `items[0].path`), what it is for and what it is.

    `cents` says that an amount is in hundredths.
    """

    where: str
    role: str
    value: str | int | float
    cents: bool = False


def with_roles(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> list[Argument]:
    """The values that have a role. One that the schema names itself (`enum`, `const`, `default`) is its author's, and left out."""
    return [a for a in _walk(schema, schema, arguments, "", "", _DEEP) if a.role]


def texts_of(value: Any, depth: int = 256, *, names: bool = True) -> Iterator[str]:
    """Every text in a JSON-like value: strings, the names of fields unless left out, and numbers as they are written.

    Nothing is deeper than `depth`: what a journal keeps is cut at 200 levels.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, bool) or value is None or depth <= 0:
        return
    elif isinstance(value, int | float | Decimal):
        yield str(value)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if names:
                yield str(key)
            yield from texts_of(inner, depth - 1, names=names)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_of(inner, depth - 1, names=names)


def _walk(
    root: Mapping[str, Any], schema: Mapping[str, Any], value: Any, where: str, role: str, depth: int
) -> Iterator[Argument]:
    if value is None or isinstance(value, bool) or value == "":
        return
    if isinstance(value, Mapping) and depth > 0:
        for key, inner in value.items():
            part = _property(root, schema, str(key))
            inner_role = _declared(root, part) or _inferred(str(key), _formats(root, part)) or role
            at = f"{where}.{key}" if where else str(key)
            if _shaped(key):
                yield Argument(at, _shaped(key), str(key))
            yield from _walk(root, part, inner, at, inner_role, depth - 1)
    elif isinstance(value, list | tuple) and depth > 0:
        for index, inner in enumerate(value):
            yield from _walk(root, _items(root, schema), inner, f"{where}[{index}]", role, depth - 1)
    elif isinstance(value, str | int | float) and not _own(root, schema, value):
        role = role or _shaped(value)
        yield Argument(where, "" if role == "none" else role, value, _cents(where))


def _own(root: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> bool:
    """Whether a value is one of those that the schema names."""
    for part in _parts(root, schema):
        listed = part.get("enum", ())
        if isinstance(listed, list | tuple) and value in listed:
            return True
        if any(name in part and part[name] == value for name in ("const", "default")):
            return True
    return False


def _declared(root: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    for part in _parts(root, schema):
        found = part.get(DECLARED)
        if found in ROLES or found == "none":
            return str(found)
    return ""


def _formats(root: Mapping[str, Any], schema: Mapping[str, Any]) -> set[str]:
    return {str(part["format"]) for part in _parts(root, schema) if "format" in part}


def _inferred(name: str, formats: set[str]) -> str:
    for known in formats & set(_BY_FORMAT):
        return _BY_FORMAT[known]
    words = [w.lower() for w in _CAMEL.split(name) if w]
    whole = "_".join(words)
    if not words or whole in _NEVER:
        return ""
    return _WHOLE.get(whole) or _BY_NAME.get(words[-1], "")


def _shaped(value: Any) -> str:
    """The role of a value that is nothing but an address or a URL, whatever its parameter is called."""
    if not isinstance(value, str) or len(value) > 2048:
        return ""
    text = value.strip()
    if _URL.fullmatch(text):
        return "url"
    return "recipient" if _ADDRESS.fullmatch(text) else ""


def _cents(where: str) -> bool:
    name = where.rpartition(".")[2].lower()
    return any(word in name for word in ("cents", "pence", "minor"))


def _property(root: Mapping[str, Any], schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    for part in _parts(root, schema):
        named = part.get("properties")
        if isinstance(named, Mapping) and isinstance(named.get(key), Mapping):
            found: Mapping[str, Any] = named[key]
            return found
    for part in _parts(root, schema):
        rest = part.get("additionalProperties")
        if isinstance(rest, Mapping):
            return rest
    return {}


def _items(root: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    for part in _parts(root, schema):
        items = part.get("items")
        if isinstance(items, Mapping):
            return items
    return {}


def _parts(root: Mapping[str, Any], schema: Mapping[str, Any], depth: int = 8) -> Iterator[Mapping[str, Any]]:
    """A schema, what it refers to, and its alternatives."""
    if depth <= 0 or not isinstance(schema, Mapping):
        return
    yield schema
    ref = schema.get("$ref")
    if isinstance(ref, str) and ref.startswith("#/"):
        target: Any = root
        for step in ref[2:].split("/"):
            target = (
                target.get(step.replace("~1", "/").replace("~0", "~"))
                if isinstance(target, Mapping)
                else None
            )
        if isinstance(target, Mapping):
            yield from _parts(root, target, depth - 1)
    for several in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(several) or ():
            yield from _parts(root, one, depth - 1)
