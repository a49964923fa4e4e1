"""Arithmetic and comparison of ranges of numbers, so that a metric's interval is carried to the answer.

A range stands for every number between its ends; a result holds every result that the operands' numbers can give (R. E.
Moore, *Interval Analysis*, 1966). Ends are decimals, read from the digits that people see (0.1 is a tenth), and an end
that fifty digits cannot hold is rounded outwards: no answer is owed to rounding. A name that appears twice counts as
two independent numbers, so ``x - x`` is wider than zero (Moore's dependency problem): wider can only mean *uncertain*
more often, never a wrong answer. Imported by `expression` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    InvalidOperation,
    Overflow,
)
from enum import StrEnum
from itertools import pairwise, product

from signoff.domain.evidence import Metric

_TRAPS = [InvalidOperation, DivisionByZero, Overflow]


def _rounding(direction: str) -> Context:
    """Fifty digits and every double's exponent; what does not fit raises instead of turning into an infinity."""
    return Context(prec=50, rounding=direction, Emin=-400, Emax=400, traps=_TRAPS)


_DIGITS_SHOWN = (4, 6, 9, 17)
_PLAIN_EXPONENTS = range(-6, 16)


class NoValueError(ArithmeticError):
    """The result is not known to be a finite range; the message says why."""


class Truth(StrEnum):
    """Kleene's three values. Truthy only when exactly true."""

    TRUE = "true"
    FALSE = "false"
    UNCERTAIN = "uncertain"

    def __bool__(self) -> bool:
        return self is Truth.TRUE

    @property
    def negated(self) -> Truth:
        """``not``: uncertain stays uncertain."""
        return {Truth.TRUE: Truth.FALSE, Truth.FALSE: Truth.TRUE}.get(self, Truth.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Range:
    """Every number from `low` to `high`, ends included."""

    low: Decimal
    high: Decimal

    @classmethod
    def of(cls, metric: Metric, level: float = 0.95) -> Range:
        """The metric's interval at `level`, widened to hold its value; the value alone where there is no interval.

        Raises:
            NoValueError: its intervals are all less sure than `level`.
        """
        value = exact(metric.value)
        if metric.interval is None:
            return cls(value, value)
        interval = metric.at(level)
        if interval is None:
            words = f"{percent(metric.interval.level)}, and {percent(level)} is asked for"
            raise NoValueError(f"{metric.name} has its interval at {words}")
        return cls(min(value, exact(interval.low)), max(value, exact(interval.high)))

    @property
    def looks_exact(self) -> bool:
        """Whether the ends differ by no more than rounding."""
        return _shortened(self.low, max(_DIGITS_SHOWN)) == _shortened(self.high, max(_DIGITS_SHOWN))


def percent(level: float) -> str:
    """A level of confidence as people write it: ``95 %``."""
    return f"{level * 100:.4g} %"


def exact(value: float) -> Decimal:
    """The decimal that `value` is written as: 0.1 is a tenth, not the double nearest to it."""
    return Decimal(repr(float(value)))


def operate(sign: str, operands: Sequence[Range]) -> Range:
    """The range of every result of `sign` (``+ - * / negate abs min max``) on numbers of `operands`.

    Raises:
        NoValueError: a divisor may be zero, or a result is too large or undefined.
    """
    try:
        return _OPERATIONS[sign](*operands)
    except Overflow as error:
        raise NoValueError("the result is too large") from error
    except InvalidOperation as error:
        raise NoValueError("the result is not a number") from error


def _add(left: Range, right: Range) -> Range:
    down, up = _rounding(ROUND_FLOOR), _rounding(ROUND_CEILING)
    return Range(down.add(left.low, right.low), up.add(left.high, right.high))


def _multiply(left: Range, right: Range) -> Range:
    corners = list(product((left.low, left.high), (right.low, right.high)))
    down, up = _rounding(ROUND_FLOOR), _rounding(ROUND_CEILING)
    return Range(min(down.multiply(a, b) for a, b in corners), max(up.multiply(a, b) for a, b in corners))


def _divide(left: Range, right: Range) -> Range:
    if right.low <= 0 <= right.high:
        raise NoValueError("it divides by zero" if right.low == right.high else "it may divide by zero")
    corners = list(product((left.low, left.high), (right.low, right.high)))
    down, up = _rounding(ROUND_FLOOR), _rounding(ROUND_CEILING)
    return Range(min(down.divide(a, b) for a, b in corners), max(up.divide(a, b) for a, b in corners))


def _negate(value: Range) -> Range:
    return Range(value.high.copy_negate(), value.low.copy_negate())


def _absolute(value: Range) -> Range:
    ends = value.low.copy_abs(), value.high.copy_abs()
    return Range(Decimal(0) if value.low < 0 < value.high else min(ends), max(ends))


_OPERATIONS: dict[str, Callable[..., Range]] = {
    "+": _add,
    "-": lambda left, right: _add(left, _negate(right)),
    "*": _multiply,
    "/": _divide,
    "negate": _negate,
    "abs": _absolute,
    "min": lambda *values: Range(min(v.low for v in values), min(v.high for v in values)),
    "max": lambda *values: Range(max(v.low for v in values), max(v.high for v in values)),
}


def compare(sign: str, left: Range, right: Range) -> Truth:
    """True if `sign` (``< <= > >= == !=``) holds for every pair of numbers, false if for none, else uncertain."""
    match sign:
        case "<":
            return _decided(always=left.high < right.low, never=left.low >= right.high)
        case "<=":
            return _decided(always=left.high <= right.low, never=left.low > right.high)
        case ">" | ">=":
            return compare({">": "<", ">=": "<="}[sign], right, left)
        case "==":
            is_one = left.low == left.high == right.low == right.high
            return _decided(always=is_one, never=left.high < right.low or right.high < left.low)
        case _:
            return compare("==", left, right).negated


def _decided(*, always: bool, never: bool) -> Truth:
    if always:
        return Truth.TRUE
    return Truth.FALSE if never else Truth.UNCERTAIN


def shorten(values: Iterable[Decimal], beside: Iterable[Decimal] = ()) -> dict[Decimal, str]:
    """Each of `values` as text with the fewest digits, four at least, that keep their order among all and `beside`.

    0.90004 is shown as such beside 0.90002, because "0.9 is above 0.90002" would be nonsense.
    """
    shown, fixed = tuple(values), {value: value for value in beside}
    rounded: dict[Decimal, Decimal] = {}
    for digits in _DIGITS_SHOWN:
        rounded = {value: _shortened(value, digits) for value in shown}
        whole = rounded | fixed
        if all(whole[a] < whole[b] for a, b in pairwise(sorted(whole))):
            break
    return {value: _text(short) for value, short in rounded.items()}


def _shortened(value: Decimal, digits: int) -> Decimal:
    """`value` with `digits` significant digits, or all those before the point if they are more."""
    if not value.is_finite():
        return value
    return Context(prec=max(digits, min(value.adjusted() + 1, 50)), rounding=ROUND_HALF_EVEN).plus(value).normalize()


def _text(value: Decimal) -> str:
    if not value.is_finite():
        return "infinity" if value > 0 else "minus infinity"
    if not value:
        return "0"
    return format(value, "f") if value.adjusted() in _PLAIN_EXPONENTS else str(value).lower()
