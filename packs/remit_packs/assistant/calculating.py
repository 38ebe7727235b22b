"""Arithmetic, evaluated over a parsed expression: numbers, operators and a few functions, and nothing else that Python has.

Every bound is checked before the work that it bounds, so that no expression costs much.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from remit.sdk import ArgumentsError, tool

MOST_CHARS = 500
MOST_NODES = 200
MOST_BITS = 2_048
"""Bits of a whole number on the way to a result: about 600 digits."""

Number = int | float

Expression = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MOST_CHARS,
        description="Numbers, + - * / // % **, parentheses, pi, e, and sqrt, abs, round, min, max, floor, ceil, exp, log, log2, "
        "log10, sin, cos, tan, asin, acos, atan, degrees, radians, factorial, gcd; e.g. `(3 + 4) * 2.5 ** 2`.",
    ),
]


class Calculation(Struct, frozen=True):
    """An expression and its value, as text: whole numbers exactly, others to 15 digits."""

    expression: str
    result: str


@tool(sensitivity="public")
def calculate(expression: Expression) -> Calculation:
    """The value of an arithmetic expression."""
    return Calculation(expression, shown(value_of(expression)))


def value_of(expression: str) -> Number:
    """The value. Raises ArgumentsError E846 for what is no arithmetic, has no value, or would be too large."""
    if len(expression) > MOST_CHARS:
        raise _cannot(f"it is longer than {MOST_CHARS} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _cannot("it is no arithmetic expression") from error
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
        raise _cannot("it has too many parts")
    try:
        value = _value(tree.body)
    except ZeroDivisionError as error:
        raise _cannot("it divides by zero") from error
    except (OverflowError, ValueError, TypeError, RecursionError) as error:
        raise _cannot("it has no value that is a real number of a sensible size") from error
    if isinstance(value, float) and not math.isfinite(value):
        raise _cannot("its value is not finite")
    return value


def shown(value: Number) -> str:
    """A number as people write it: no `.0`, and no digits that binary arithmetic made up."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    return str(value) if isinstance(value, int) else f"{value:.15g}"


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _bounded(value)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _SIGNS:
            return _real(_SIGNS[type(op)](_value(operand)))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _real(_OPERATORS[type(op)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _real(_FUNCTIONS[name](*[_value(arg) for arg in args]))
        case ast.BinOp(op=ast.BitXor()):
            raise _cannot("`^` is no power here; write `**`")
        case ast.Name(id=name):
            raise _cannot(f"`{name[:40]}` is not known")
        case ast.Call():
            raise _cannot("a function in it is not known")
    raise _cannot("something in it is no arithmetic")


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        _check_bits(max(1, base.bit_length()) * exponent)
    result: Any = base**exponent
    return _real(result)


def _times(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
    return left * right


def _factorial(number: Number) -> int:
    if not float(number).is_integer() or not 0 <= number <= 200:
        raise _cannot("`factorial` takes whole numbers from 0 to 200")
    return math.factorial(int(number))


def _round(number: Number, digits: Number = 0) -> Number:
    if not isinstance(digits, int) or abs(digits) > 15:
        raise _cannot("`round` takes up to 15 digits")
    return round(number, digits)


def _gcd(left: Number, right: Number) -> int:
    if not (isinstance(left, int) and isinstance(right, int)):
        raise _cannot("`gcd` takes whole numbers")
    return math.gcd(left, right)


def _real(value: Any) -> Number:
    """The value, if it is a real number of a size that may go on."""
    if type(value) not in (int, float):
        raise _cannot("its value is no real number")
    return _bounded(value)


def _bounded(value: Number) -> Number:
    if isinstance(value, int):
        _check_bits(value.bit_length())
    return value


def _check_bits(bits: int) -> None:
    if bits > MOST_BITS:
        raise _cannot("a number in it would have more than 600 digits")


def _cannot(why: str) -> ArgumentsError:
    return ArgumentsError(
        f"this cannot be calculated: {why}",
        code="E846",
        help="write it with numbers, + - * / ** and parentheses",
    )


_CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e, "tau": math.tau}
_SIGNS: Mapping[type, Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _times,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "round": _round,
    "min": min,
    "max": max,
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "degrees": math.degrees,
    "radians": math.radians,
    "factorial": _factorial,
    "gcd": _gcd,
}
