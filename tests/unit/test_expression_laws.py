"""The laws of expressions: no sure answer is wrong for any number within the intervals, and Kleene's logic."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signoff.domain.evidence import Interval, Metric, Provenance
from signoff.domain.expression import Scope, Truth, evaluate, parse

NAMES = ("a", "b", "c")

numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 3)) | st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300])
terms = st.recursive(
    st.sampled_from([*NAMES, "0.5", "2", "0", "-1"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda term: f"-{term}")
        | inner.map(lambda term: f"abs({term})")
        | st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})")
    ),
    max_leaves=5,
)
comparisons = st.tuples(terms, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), terms).map(" ".join)
conditions = st.recursive(
    comparisons,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
        | inner.map(lambda condition: f"(not {condition})")
    ),
    max_leaves=3,
)


@st.composite
def boxes(draw: st.DrawFn) -> dict[str, tuple[float, float, float]]:
    """For each name: an interval and a number in it."""
    return {name: tuple(sorted(draw(st.tuples(numbers, numbers, numbers)))) for name in NAMES}  # type: ignore[misc]


def scope(metrics: dict[str, Metric]) -> Scope:
    return Scope(metrics, {}, None, "1", {}, 1)


def wide(box: dict[str, tuple[float, float, float]]) -> Scope:
    return scope({n: Metric(n, v, Provenance.MEASURED, Interval(low, high)) for n, (low, v, high) in box.items()})


def narrow(box: dict[str, tuple[float, float, float]]) -> Scope:
    return scope({n: Metric(n, v, Provenance.MEASURED) for n, (_, v, _) in box.items()})


@settings(max_examples=200, deadline=None)
@given(conditions, boxes())
def test_a_sure_answer_holds_for_every_number_within_the_intervals(
    text: str, box: dict[str, tuple[float, float, float]]
) -> None:
    answer = evaluate(parse(text), wide(box))
    if answer.truth is not Truth.UNCERTAIN:
        assert evaluate(parse(text), narrow(box)).truth is answer.truth


@settings(max_examples=200, deadline=None)
@given(comparisons, boxes())
def test_a_sure_answer_is_the_one_of_exact_arithmetic(text: str, box: dict[str, tuple[float, float, float]]) -> None:
    answer = evaluate(parse(text), wide(box))
    if answer.truth is not Truth.UNCERTAIN:
        exact = {name: Fraction(repr(value)) for name, (_, value, _) in box.items()}
        exactly = re.sub(r"\d+(\.\d+)?", r'Fraction("\g<0>")', text)
        assert eval(exactly, {"Fraction": Fraction}, exact) is bool(answer.truth)  # noqa: S307


@settings(max_examples=100, deadline=None)
@given(conditions, boxes())
def test_the_same_question_has_the_same_answer(text: str, box: dict[str, tuple[float, float, float]]) -> None:
    assert parse(text) == parse(text)
    assert evaluate(parse(text), wide(box)) == evaluate(parse(text), wide(box))


ATOMS = {Truth.TRUE: "two > 1", Truth.FALSE: "two < 1", Truth.UNCERTAIN: "unsure > 1"}
ATOM_SCOPE = scope(
    {
        "two": Metric("two", 2, Provenance.MEASURED),
        "unsure": Metric("unsure", 1, Provenance.MEASURED, Interval(0, 2)),
    }
)
ORDER = [Truth.FALSE, Truth.UNCERTAIN, Truth.TRUE]


def truth_of(text: str) -> Truth:
    return evaluate(parse(text), ATOM_SCOPE).truth


@pytest.mark.parametrize(("left", "right"), list(itertools.product(Truth, Truth)))
def test_and_is_the_lesser_and_or_the_greater_of_kleenes_three_values(left: Truth, right: Truth) -> None:
    p, q = ATOMS[left], ATOMS[right]
    assert truth_of(f"{p} and {q}") is min(left, right, key=ORDER.index)
    assert truth_of(f"{p} or {q}") is max(left, right, key=ORDER.index)
    assert truth_of(f"not ({p} and {q})") is truth_of(f"not {p} or not {q}")
    assert truth_of(f"not ({p} or {q})") is truth_of(f"not {p} and not {q}")


@pytest.mark.parametrize("value", Truth)
def test_not_turns_the_order_around(value: Truth) -> None:
    assert truth_of(f"not {ATOMS[value]}") is ORDER[2 - ORDER.index(value)]
    assert truth_of(f"not not {ATOMS[value]}") is value


@pytest.mark.parametrize(("p", "q", "r"), list(itertools.product(ATOMS.values(), repeat=3)))
def test_and_and_or_distribute(p: str, q: str, r: str) -> None:
    assert truth_of(f"{p} and ({q} or {r})") is truth_of(f"({p} and {q}) or ({p} and {r})")
    assert truth_of(f"{p} or ({q} and {r})") is truth_of(f"({p} or {q}) and ({p} or {r})")
