"""Ranges hold every result that their numbers can give, and are shown as short as keeps their order."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.domain.expression_range import NoValueError, Range, Truth, compare, operate, shorten

EXACTLY: dict[str, Callable[..., Fraction]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "negate": lambda a, _: -a,
    "abs": lambda a, _: abs(a),
    "min": min,
    "max": max,
}

decimals = st.integers(-50, 50).map(lambda n: Decimal(n) / 8) | st.decimals(-100, 100, places=30)
triples = st.tuples(decimals, decimals, decimals).map(sorted)


def between(low: str, high: str) -> Range:
    return Range(Decimal(low), Decimal(high))


@pytest.mark.parametrize("sign", EXACTLY)
@settings(max_examples=100, deadline=None)
@given(triples, triples)
def test_a_result_holds_what_the_numbers_give_exactly(sign: str, left: list[Decimal], right: list[Decimal]) -> None:
    operands = [Range(left[0], left[2]), Range(right[0], right[2])][: 1 if sign in {"abs", "negate"} else 2]
    if sign == "/" and right[0] <= 0 <= right[2]:
        with pytest.raises(NoValueError, match="by zero"):
            operate(sign, operands)
        return
    result = operate(sign, operands)
    for a in left:
        for b in right:
            assert Fraction(result.low) <= EXACTLY[sign](Fraction(a), Fraction(b)) <= Fraction(result.high)


@pytest.mark.parametrize(
    ("sign", "operands", "expected"),
    [
        ("+", [between("1", "2"), between("-1", "5")], between("0", "7")),
        ("-", [between("1", "2"), between("-1", "5")], between("-4", "3")),
        ("*", [between("-2", "1"), between("-3", "4")], between("-8", "6")),
        ("/", [between("-2", "1"), between("-4", "-2")], between("-0.5", "1")),
        ("negate", [between("-2", "1")], between("-1", "2")),
        ("abs", [between("-2", "1")], between("0", "2")),
        ("abs", [between("-2", "-1")], between("1", "2")),
        ("min", [between("1", "5"), between("2", "3"), between("0", "9")], between("0", "3")),
        ("max", [between("1", "5"), between("2", "3"), between("0", "9")], between("2", "9")),
    ],
)
def test_a_result_is_no_wider_than_it_must_be(sign: str, operands: list[Range], expected: Range) -> None:
    assert operate(sign, operands) == expected


def test_a_third_is_held_between_its_neighbours() -> None:
    third = operate("/", [between("1", "1"), between("3", "3")])
    assert Fraction(third.low) < Fraction(1, 3) < Fraction(third.high)
    assert third.looks_exact


@pytest.mark.parametrize(
    ("left", "sign", "right", "truth"),
    [
        (between("1", "2"), "<", between("2", "3"), Truth.UNCERTAIN),
        (between("1", "2"), "<=", between("2", "3"), Truth.TRUE),
        (between("2", "3"), "<", between("1", "2"), Truth.FALSE),
        (between("2", "3"), "<=", between("1", "2"), Truth.UNCERTAIN),
        (between("2", "3"), ">=", between("1", "2"), Truth.TRUE),
        (between("2", "3"), ">", between("1", "2"), Truth.UNCERTAIN),
        (between("1", "2"), "==", between("1", "2"), Truth.UNCERTAIN),
        (between("2", "2"), "==", between("2", "2.0"), Truth.TRUE),
        (between("1", "2"), "==", between("3", "4"), Truth.FALSE),
        (between("1", "2"), "!=", between("3", "4"), Truth.TRUE),
        (between("1", "2"), "!=", between("2", "2"), Truth.UNCERTAIN),
        (between("1", "Infinity"), ">", between("0", "0"), Truth.TRUE),
    ],
)
def test_a_comparison_is_sure_only_where_every_pair_agrees(left: Range, sign: str, right: Range, truth: Truth) -> None:
    assert compare(sign, left, right) is truth


@pytest.mark.parametrize(
    ("values", "beside", "shown"),
    [
        (["0.903"], [], ["0.903"]),
        (["0.90312345"], [], ["0.9031"]),
        (["0.90312345", "0.90312346"], [], ["0.90312345", "0.90312346"]),
        (["0.90004"], ["0.9"], ["0.90004"]),
        (["123456.789"], [], ["123457"]),
        (["1200"], [], ["1200"]),
        (["-0.0"], [], ["0"]),
        (["1e20", "1e-9"], [], ["1e+20", "1e-9"]),
        (["-Infinity", "Infinity"], [], ["minus infinity", "infinity"]),
    ],
)
def test_numbers_are_shown_as_short_as_keeps_their_order(
    values: list[str], beside: list[str], shown: list[str]
) -> None:
    short = shorten(map(Decimal, values), beside=map(Decimal, beside))
    assert [short[Decimal(value)] for value in values] == shown
