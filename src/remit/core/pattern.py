"""Event patterns: which events a rule is about, in the language of Amazon EventBridge.

Source: Amazon EventBridge User Guide, "Creating Amazon EventBridge event patterns" and "Comparison operators". A pattern is
a JSON object with the structure of the events that it matches: every field named must match, and a field's list says which
values do. `compiled` checks everything and turns the pattern into functions once; `matches` then reads no pattern again.

As in EventBridge: numbers are equal only when written alike (300 is not 300.0); a list in an event matches when one of its
values does; objects in a list match when one of them does, whole; `exists` is about values, not objects.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Any

from remit.core.errors import InputError

MOST_DEPTH = 20
MOST_NUMBER = 5_000_000_000

Test = Callable[[Any], bool]
"""Of one value that is no list and no object: does it match?"""

Fits = Callable[[Any], bool]
"""Of what stands in one place of an event (`ABSENT`: nothing): does it match?"""

ABSENT = object()

_OPERATORS = (
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "numeric",
    "exists",
    "anything-but",
    "cidr",
)
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, bound: value == bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
}
_SCALARS = (str, int, float, bool, type(None))


class Pattern:
    """A compiled pattern."""

    def __init__(self, source: dict[str, Any], fits: Fits) -> None:
        self.source = source
        self._fits = fits

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether an event, as a JSON object, matches."""
        return self._fits(event)


def compiled(pattern: Any) -> Pattern:
    """The pattern, ready to match. Raises InputError E662 that lists every mistake by its place."""
    made = _Compiler()
    fits = made.object(pattern, "")
    if made.problems:
        raise InputError(
            "the event pattern cannot be used: " + "; ".join(made.problems),
            code="E662",
            help='write it as in EventBridge, e.g. {"type": ["order.placed"], "data": {"total": [{"numeric": [">", 100]}]}}',
        )
    return Pattern(pattern, fits)


def problems_of(pattern: Any) -> list[str]:
    """Everything that is wrong with a pattern, a sentence each."""
    made = _Compiler()
    made.object(pattern, "")
    return made.problems


def of_types(declared: tuple[str | dict[str, Any], ...] | list[str | dict[str, Any]]) -> list[dict[str, Any]]:
    """Patterns for a list of event types and patterns: an agent's `subscribes`. A type may end in `*`."""
    return [_of_type(one) if isinstance(one, str) else one for one in declared]


def _of_type(text: str) -> dict[str, Any]:
    return {"type": [{"wildcard": text} if "*" in text else text]}


def _never(value: Any) -> bool:
    return False


class _Compiler:
    """Turns a pattern into functions, and notes what is wrong on the way."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def wrong(self, place: str, why: str) -> Fits:
        """Note a mistake; the function is never called."""
        self.problems.append(f"`{place or 'the pattern'}` {why}")
        return _never

    def object(self, pattern: Any, place: str) -> Fits:
        """An object: every field must match."""
        if not isinstance(pattern, dict):
            return self.wrong(place, "is no JSON object")
        if not pattern:
            return self.wrong(place, "names no field")
        if place.count(".") >= MOST_DEPTH:
            return self.wrong(place, f"is more than {MOST_DEPTH} levels deep")
        fields: list[tuple[str, Fits]] = []
        choices: list[Fits] = []
        for name, wanted in pattern.items():
            where = f"{place}.{name}" if place else str(name)
            if name == "$or":
                choices.append(self._either(wanted, place, where))
            else:
                fields.append((name, self._field(wanted, where)))
        return _object(fields, choices)

    def _either(self, wanted: Any, place: str, where: str) -> Fits:
        """`$or`: one of the objects must match, at the place where `$or` stands."""
        if not isinstance(wanted, list) or len(wanted) < 2:
            return self.wrong(where, "takes a list of at least two objects")
        inner = [self.object(one, f"{where}[{n}]") for n, one in enumerate(wanted)]
        return lambda node: any(fits(node) for fits in inner)

    def _field(self, wanted: Any, where: str) -> Fits:
        if isinstance(wanted, dict):
            return self.object(wanted, where)
        if not isinstance(wanted, list):
            return self.wrong(where, "takes a list of values, or an object of fields")
        if not wanted:
            return self.wrong(where, "has an empty list, which nothing matches")
        texts, others, tests = set(), [], []
        present = absent = False
        for n, one in enumerate(wanted):
            if isinstance(one, str):
                texts.add(one)
            elif isinstance(one, _SCALARS):
                others.append(one)
            elif isinstance(one, dict) and set(one) == {"exists"}:
                if type(one["exists"]) is not bool:
                    self.wrong(where, "has an `exists` that is neither true nor false")
                present, absent = present or one["exists"] is True, absent or one["exists"] is False
            else:
                tests.append(self._operator(one, f"{where}[{n}]"))
        return _leaf(frozenset(texts), others, tests, present=present, absent=absent)

    def _operator(self, one: Any, where: str) -> Test:
        if not isinstance(one, dict) or len(one) != 1:
            return self.wrong(where, "is neither a value nor an object with one operator")
        ((name, wanted),) = one.items()
        if name == "prefix":
            return self._edge(wanted, where, name, str.startswith)
        if name == "suffix":
            return self._edge(wanted, where, name, str.endswith)
        if name == "equals-ignore-case":
            return self._ignoring_case(wanted, where)
        if name == "wildcard":
            return self._wildcard(wanted, where)
        if name == "numeric":
            return self._numeric(wanted, where)
        if name == "anything-but":
            return self._anything_but(wanted, where)
        if name == "cidr":
            return self._cidr(wanted, where)
        return self.wrong(
            where,
            f"has an unknown operator `{str(name)[:40]}`; known are {', '.join(f'`{o}`' for o in _OPERATORS)}",
        )

    def _edge(self, wanted: Any, where: str, name: str, at: Callable[[str, str], bool]) -> Test:
        """`prefix` and `suffix`, also without regard to case."""
        if isinstance(wanted, dict) and set(wanted) == {"equals-ignore-case"}:
            inner = wanted["equals-ignore-case"]
            if not isinstance(inner, str):
                return self.wrong(where, f"`{name}` takes a text")
            lower = inner.casefold()
            return lambda value: isinstance(value, str) and at(value.casefold(), lower)
        if not isinstance(wanted, str):
            return self.wrong(where, f"`{name}` takes a text")
        return lambda value: isinstance(value, str) and at(value, wanted)

    def _ignoring_case(self, wanted: Any, where: str) -> Test:
        if not isinstance(wanted, str):
            return self.wrong(where, "`equals-ignore-case` takes a text")
        lower = wanted.casefold()
        return lambda value: isinstance(value, str) and value.casefold() == lower

    def _wildcard(self, wanted: Any, where: str) -> Test:
        if not isinstance(wanted, str):
            return self.wrong(where, "`wildcard` takes a text")
        made, why = _expression(wanted)
        if made is None:
            return self.wrong(where, why)
        return lambda value: isinstance(value, str) and made.match(value) is not None

    def _numeric(self, wanted: Any, where: str) -> Test:
        if not isinstance(wanted, list) or len(wanted) not in (2, 4):
            return self.wrong(where, '`numeric` takes one or two comparisons, e.g. [">", 0, "<=", 5]')
        bounds = []
        for sign, bound in zip(wanted[::2], wanted[1::2], strict=True):
            if not isinstance(sign, str) or sign not in _COMPARE:
                return self.wrong(where, f"`numeric` has an unknown sign `{str(sign)[:20]}`")
            if not _is_number(bound) or not -MOST_NUMBER <= bound <= MOST_NUMBER:
                return self.wrong(
                    where, f"`numeric` compares with numbers from -{MOST_NUMBER} to {MOST_NUMBER}"
                )
            bounds.append((sign, _COMPARE[sign], bound))
        if len(bounds) == 2:
            (low, _, least), (high, _, most) = bounds
            if low not in (">", ">=") or high not in ("<", "<="):
                return self.wrong(
                    where, "`numeric` has a range that does not go from a lower to an upper bound"
                )
            if least > most or (least == most and (low, high) != (">=", "<=")):
                return self.wrong(where, "`numeric` has a range that holds no number")
        return lambda value: _is_number(value) and all(holds(value, bound) for _, holds, bound in bounds)

    def _anything_but(self, wanted: Any, where: str) -> Test:
        """Whatever is there, as long as it is none of these."""
        if isinstance(wanted, dict):
            return self._anything_but_like(wanted, where)
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values or not all(isinstance(v, str) or _is_number(v) for v in values):
            return self.wrong(where, "`anything-but` takes texts or numbers")
        if len({isinstance(v, str) for v in values}) > 1:
            return self.wrong(where, "`anything-but` takes only texts or only numbers")
        known = {_key(v) for v in values}
        return lambda value: _key(value) not in known

    def _anything_but_like(self, wanted: dict[str, Any], where: str) -> Test:
        if len(wanted) != 1 or not set(wanted) <= {"prefix", "suffix", "wildcard", "equals-ignore-case"}:
            return self.wrong(
                where, "`anything-but` takes one of `prefix`, `suffix`, `wildcard` and `equals-ignore-case`"
            )
        ((name, given),) = wanted.items()
        if given == []:
            return self.wrong(where, f"`anything-but` with an empty `{name}` excludes nothing")
        tests = [
            self._operator({name: one}, where) for one in (given if isinstance(given, list) else [given])
        ]
        return lambda value: not any(test(value) for test in tests)

    def _cidr(self, wanted: Any, where: str) -> Test:
        try:
            if not isinstance(wanted, str) or "/" not in wanted:
                raise ValueError
            network = ipaddress.ip_network(wanted, strict=False)
        except ValueError:
            return self.wrong(where, "`cidr` takes a block of addresses, e.g. `10.0.0.0/24`")

        def within(value: Any) -> bool:
            try:
                return isinstance(value, str) and ipaddress.ip_address(value) in network
            except ValueError:
                return False

        return within


def _object(fields: list[tuple[str, Fits]], choices: list[Fits]) -> Fits:
    def one(node: dict[str, Any]) -> bool:
        for name, fits in fields:
            if not fits(node.get(name, ABSENT)):
                return False
        return all(choice(node) for choice in choices)

    def fits(node: Any) -> bool:
        if isinstance(node, dict):
            return one(node)
        if isinstance(node, list):
            objects = [each for each in _flat(node) if isinstance(each, dict)]
            if objects:
                return any(one(each) for each in objects)
        return one({})

    return fits


def _leaf(
    texts: frozenset[str], others: list[Any], tests: list[Test], *, present: bool, absent: bool
) -> Fits:
    keys = frozenset(_key(value) for value in others)

    def any_of(value: Any) -> bool:
        if isinstance(value, str):
            if value in texts:
                return True
        elif keys and _key(value) in keys:
            return True
        return any(test(value) for test in tests)

    def fits(node: Any) -> bool:
        if isinstance(node, str):
            return present or any_of(node)
        values = _values(node)
        if not values:
            return absent
        return present or any(any_of(value) for value in values)

    return fits


def _values(node: Any) -> list[Any]:
    if node is ABSENT or isinstance(node, dict):
        return []
    if isinstance(node, list):
        return [each for each in _flat(node) if not isinstance(each, dict)]
    return [node]


def _flat(nodes: list[Any]) -> Iterator[Any]:
    for each in nodes:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each


def _key(value: Any) -> tuple[type, Any]:
    """What tells values apart as JSON does: `1`, `1.0` and `true` are three."""
    return type(value), value


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _expression(text: str) -> tuple[re.Pattern[str] | None, str]:
    """The regular expression of a wildcard, or why there is none. `\\*` and `\\\\` stand for themselves."""
    parts: list[str] = []
    at = 0
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
            if text[at : at + 1] not in ("*", "\\"):
                return None, "`wildcard` has a `\\` that is followed by neither `*` nor `\\`"
            parts.append(re.escape(text[at]))
        elif letter == "*":
            if parts and parts[-1] == _ANY:
                return None, "`wildcard` has two `*` in a row"
            parts.append(_ANY)
        else:
            parts.append(re.escape(letter))
        at += 1
    return _linear(parts), ""


_ANY = ".*"


def _linear(parts: list[str]) -> re.Pattern[str]:
    """An expression that never goes back over a `*`: the first place where the next piece fits is final."""
    pieces = [""]
    for part in parts:
        if part == _ANY:
            pieces.append("")
        else:
            pieces[-1] += part
    first, *rest = pieces
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1])
    last = f".*{rest[-1]}" if rest else ""
    return re.compile(f"{first}{middle}{last}\\Z", re.DOTALL)
