"""Expressions of DynamoDB: conditions, updates and projections.

Source: Amazon DynamoDB developer guide, "Condition and filter expressions, operators, and functions", "Update expressions",
"Projection expressions" and "Expression attribute names (aliases)".
"""

from __future__ import annotations

import copy
import operator
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from remit.adapters.services.items.paths import Path, check_apart, find, put, remove
from remit.adapters.services.items.reserved import WORDS
from remit.adapters.services.items.values import (
    EXACT,
    Invalid,
    Item,
    Value,
    checked,
    comparable,
    equal,
    kind_of,
    number_text,
    size_of,
)

Condition = Callable[[Item], bool]
Operand = Callable[[Item], Value | None]
Update = Callable[[Item], None]

_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*|\#[A-Za-z0-9_]+)|(?P<value>:[A-Za-z0-9_]+)|(?P<number>\d+)"
    r"|(?P<sign><>|<=|>=|[=<>()\[\],.+-]))"
)
_ORDER = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")
_WORDS = frozenset({*_CLAUSES, "AND", "OR", "NOT", "BETWEEN", "IN"})
MAX_DEPTH = 100


class Names:
    """What the placeholders of one request stand for; each that is given must be used."""

    def __init__(self, names: Mapping[str, str], values: Mapping[str, Any]) -> None:
        self._names = names
        self._values = {name: checked(value) for name, value in values.items()}
        self._unused = {*names, *values}

    def name(self, placeholder: str) -> str:
        """The attribute behind `#n`. Raises Invalid."""
        if placeholder not in self._names:
            raise Invalid(
                f"An expression attribute name used in the document path is not defined; attribute name: {placeholder}"
            )
        self._unused.discard(placeholder)
        return self._names[placeholder]

    def value(self, placeholder: str) -> Value:
        """The value behind `:v`. Raises Invalid."""
        if placeholder not in self._values:
            raise Invalid(
                f"An expression attribute value used in expression is not defined; attribute value: {placeholder}"
            )
        self._unused.discard(placeholder)
        return self._values[placeholder]

    def check_used(self) -> None:
        """Raise Invalid for a placeholder that no expression used."""
        if self._unused:
            raise Invalid(
                f"Value provided in expression attributes unused in expressions: keys: {sorted(self._unused)}"
            )


def condition(text: str, names: Names) -> Condition:
    """What a ConditionExpression asks of an item. Raises Invalid."""
    parser = _Parser(text, names)
    made = parser.either(0)
    parser.end()
    return made


def projection(text: str, names: Names) -> list[Path]:
    """The paths of a ProjectionExpression. Raises Invalid."""
    parser = _Parser(text, names)
    paths = parser.listed(parser.path)
    parser.end()
    check_apart(paths)
    return paths


def update(text: str, names: Names) -> tuple[Update, list[Path]]:
    """What an UpdateExpression does to an item, and the paths that it changes. Raises Invalid."""
    parser = _Parser(text, names)
    clauses: dict[str, list[Any]] = {}
    while not parser.done:
        word = parser.take().upper()
        if word not in _CLAUSES or word in clauses:
            raise parser.wrong()
        clauses[word] = parser.listed(getattr(parser, f"clause_{word.lower()}"))
    if not clauses:
        raise Invalid("Invalid UpdateExpression: The expression can not be empty")
    removed = clauses.get("REMOVE", [])
    changes = [change for word in ("SET", "ADD", "DELETE") for change in clauses.get(word, [])]
    paths = [*removed, *(path for path, _ in changes)]
    check_apart(paths)

    def apply(item: Item) -> None:
        before = copy.deepcopy(item)  # every value is computed from the item as it was
        made = [(path, compute(before)) for path, compute in changes]
        for path, value in made:
            if value is None:
                remove(item, [path] if find(item, path) is not None else [])
            else:
                put(item, path, copy.deepcopy(value))
        remove(item, removed)

    return apply, paths


class _Parser:
    """Recursive descent over one expression."""

    def __init__(self, text: str, names: Names) -> None:
        self._names = names
        self._tokens = _tokens(text)
        self._at = 0

    # tokens

    @property
    def done(self) -> bool:
        return self._at >= len(self._tokens)

    def peek(self) -> str:
        return "" if self.done else self._tokens[self._at]

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise self.wrong()
        self._at += 1
        return token

    def word(self, *words: str) -> bool:
        """Take the next token if it is one of these words or signs."""
        if self.peek().upper() in words:
            self._at += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        if self.take() != sign:
            self._at -= 1
            raise self.wrong()

    def end(self) -> None:
        if not self.done:
            raise self.wrong()

    def wrong(self) -> Invalid:
        near = " ".join(self._tokens[max(0, self._at - 1) : self._at + 2])
        return Invalid(f'Invalid expression: Syntax error; token: "{self.peek() or "<EOF>"}", near: "{near}"')

    def listed(self, one: Callable[[], Any]) -> list[Any]:
        made = [one()]
        while self.word(","):
            made.append(one())
        return made

    # conditions

    def either(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise Invalid("Invalid expression: the expression is nested too deeply")
        parts = [self._both(depth)]
        while self.word("OR"):
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else lambda item: any(part(item) for part in parts)

    def _both(self, depth: int) -> Condition:
        parts = [self._negated(depth)]
        while self.word("AND"):
            parts.append(self._negated(depth))
        return parts[0] if len(parts) == 1 else lambda item: all(part(item) for part in parts)

    def _negated(self, depth: int) -> Condition:
        times = 0
        while self.word("NOT"):
            times += 1
        inner = self._single(depth)
        return inner if times % 2 == 0 else lambda item: not inner(item)

    def _single(self, depth: int) -> Condition:
        if self.word("("):
            inner = self.either(depth + 1)
            self.expect(")")
            return inner
        name = self.peek().lower()
        if name in _PREDICATES and self._follows("("):
            return self._predicate(name)
        return self._comparison(self._operand())

    def _follows(self, sign: str) -> bool:
        return self._at + 1 < len(self._tokens) and self._tokens[self._at + 1] == sign

    def _predicate(self, name: str) -> Condition:
        self.take()
        self.expect("(")
        path = self.path()
        arguments: list[Operand] = []
        if name not in ("attribute_exists", "attribute_not_exists"):
            self.expect(",")
            arguments.append(self._operand())
        self.expect(")")
        test = _PREDICATES[name]
        return lambda item: test(find(item, path), *(argument(item) for argument in arguments))

    def _comparison(self, left: Operand) -> Condition:
        if self.word("BETWEEN"):
            low = self._operand()
            if not self.word("AND"):
                raise self.wrong()
            high = self._operand()
            return lambda item: (
                _ordered("<=", low(item), left(item)) and _ordered("<=", left(item), high(item))
            )
        if self.word("IN"):
            self.expect("(")
            choices = self.listed(self._operand)
            self.expect(")")
            return lambda item: any(equal(left(item), choice(item)) for choice in choices)
        sign = self.take()
        if sign not in ("=", "<>", *_ORDER):
            self._at -= 1
            raise self.wrong()
        right = self._operand()
        if sign == "=":
            return lambda item: equal(left(item), right(item))
        if sign == "<>":
            return lambda item: not equal(left(item), right(item))
        return lambda item: _ordered(sign, left(item), right(item))

    def _operand(self) -> Operand:
        if self.peek().lower() == "size" and self._follows("("):
            self.take()
            self.expect("(")
            path = self.path()
            self.expect(")")
            return lambda item: _size(find(item, path))
        return self._plain_operand()

    def _plain_operand(self) -> Operand:
        if self.peek().startswith(":"):
            value = self._names.value(self.take())
            return lambda _: value
        path = self.path()
        return lambda item: find(item, path)

    def path(self) -> Path:
        parts: list[str | int] = [self._attribute()]
        while True:
            if self.word("."):
                parts.append(self._attribute())
            elif self.word("["):
                place = self.take()
                if not place.isdigit():
                    raise self.wrong()
                parts.append(int(place))
                self.expect("]")
            else:
                return tuple(parts)

    def _attribute(self) -> str:
        token = self.take()
        if token.startswith("#"):
            return self._names.name(token)
        if not (token[0].isalpha() or token[0] == "_") or token.upper() in _WORDS:
            self._at -= 1
            raise self.wrong()
        if token.upper() in WORDS:
            raise Invalid(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return token

    # updates

    def clause_set(self) -> tuple[Path, Operand]:
        path = self.path()
        self.expect("=")
        left = self._new_value()
        for sign, change in (("+", EXACT.add), ("-", EXACT.subtract)):
            if self.word(sign):
                right = self._new_value()
                return path, _arithmetic(left, right, change)
        return path, lambda item: _present(left(item))

    def _new_value(self) -> Operand:
        name = self.peek().lower()
        if name not in ("if_not_exists", "list_append") or not self._follows("("):
            return self._plain_operand()
        self.take()
        self.expect("(")
        first = self._new_value()
        self.expect(",")
        second = self._new_value()
        self.expect(")")
        if name == "list_append":
            return lambda item: _joined(_present(first(item)), _present(second(item)))
        return lambda item: second(item) if (found := first(item)) is None else found

    def clause_remove(self) -> Path:
        return self.path()

    def clause_add(self) -> tuple[Path, Operand]:
        path, value = self.path(), self._names.value(self.take())
        return path, lambda item: _added(find(item, path), value)

    def clause_delete(self) -> tuple[Path, Operand]:
        path, value = self.path(), self._names.value(self.take())
        return path, lambda item: _without(find(item, path), value)


def _tokens(text: str) -> list[str]:
    made, at = [], 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise Invalid(f'Invalid expression: Syntax error; token: "{stripped[at : at + 1]}"')
        made.append(match[match.lastgroup or 0])
        at = match.end()
    if not made:
        raise Invalid("Invalid expression: The expression can not be empty")
    return made


def _ordered(sign: str, left: Value | None, right: Value | None) -> bool:
    if left is None or right is None or kind_of(left) != kind_of(right) or kind_of(left) not in "SNB":
        return False
    pair = [comparable(v).encode() if kind_of(v) == "S" else comparable(v) for v in (left, right)]
    return bool(_ORDER[sign](*pair))


def _size(value: Value | None) -> Value | None:
    return None if value is None else {"N": str(size_of(value))}


def _begins_with(value: Value | None, start: Value | None) -> bool:
    if value is None or start is None or kind_of(value) != kind_of(start) or kind_of(value) not in "SB":
        return False
    return bool(comparable(value).startswith(comparable(start)))


def _contains(value: Value | None, part: Value | None) -> bool:
    if value is None or part is None:
        return False
    kind = kind_of(value)
    if kind in ("S", "B"):
        return kind_of(part) == kind and comparable(part) in comparable(value)
    if kind in ("SS", "NS", "BS"):
        return kind_of(part) == kind[0] and next(iter(part.values())) in value[kind]
    return kind == "L" and any(equal(each, part) for each in value["L"])


def _is_type(value: Value | None, kind: Value | None) -> bool:
    return value is not None and kind is not None and kind_of(value) == kind.get("S")


_PREDICATES: dict[str, Callable[..., bool]] = {
    "attribute_exists": lambda value: value is not None,
    "attribute_not_exists": lambda value: value is None,
    "attribute_type": _is_type,
    "begins_with": _begins_with,
    "contains": _contains,
}


def _present(value: Value | None) -> Value:
    if value is None:
        raise Invalid("The provided expression refers to an attribute that does not exist in the item")
    return value


def _arithmetic(left: Operand, right: Operand, change: Callable[[Decimal, Decimal], Decimal]) -> Operand:
    def compute(item: Item) -> Value:
        a, b = _present(left(item)), _present(right(item))
        if "N" not in a or "N" not in b:
            raise Invalid("An operand in the update expression has an incorrect data type")
        return {"N": number_text(change(Decimal(a["N"]), Decimal(b["N"])))}

    return compute


def _joined(first: Value, second: Value) -> Value:
    if "L" not in first or "L" not in second:
        raise Invalid("Incorrect operand type for operator or function; operator or function: list_append")
    return {"L": [*first["L"], *second["L"]]}


def _added(value: Value | None, more: Value) -> Value:
    """ADD: a sum, or the union of two sets; what is not there counts as nothing."""
    kind = kind_of(more)
    if kind not in ("N", "SS", "NS", "BS"):
        raise Invalid(f"Incorrect operand type for operator or function; operator: ADD, operand type: {kind}")
    if value is None:
        return more
    if kind_of(value) != kind:
        raise Invalid("An operand in the update expression has an incorrect data type")
    if kind == "N":
        return {"N": number_text(EXACT.add(Decimal(value["N"]), Decimal(more["N"])))}
    return {kind: [*value[kind], *(each for each in more[kind] if each not in value[kind])]}


def _without(value: Value | None, less: Value) -> Value | None:
    """DELETE: a set without these elements; an empty one goes altogether."""
    kind = kind_of(less)
    if kind not in ("SS", "NS", "BS"):
        raise Invalid(
            f"Incorrect operand type for operator or function; operator: DELETE, operand type: {kind}"
        )
    if value is None:
        return None
    if kind_of(value) != kind:
        raise Invalid("An operand in the update expression has an incorrect data type")
    left = [each for each in value[kind] if each not in less[kind]]
    return {kind: left} if left else None
