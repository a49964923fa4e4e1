"""Comparisons of a metric with the champion's, rewritten so that the paired difference answers them.

``auc >= champion.auc - 0.005`` asks about two numbers that were measured on the same rows. Each has its own interval,
but rows that are hard for one are hard for both, so that two intervals subtracted from each other say far less than
the rows do. Where the paired difference is known, the comparison becomes ``delta.auc >= -0.005``. That is done by
algebra and nothing else: both sides are brought to a sum of names with exact factors, of ``a * auc + b * champion.auc``
with opposite signs what they share becomes ``delta.auc``, and what cannot be brought to such a sum is left as it is.
Imported by `expression` only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import lcm

from signoff.domain.evidence import Champion, Metric, Provenance
from signoff.domain.expression_parse import (
    Comparison,
    Condition,
    Constant,
    Expression,
    Operation,
    Origin,
    Reference,
    Term,
    references,
)
from signoff.domain.expression_scope import Scope, metric_of

_LARGEST = 10**30
_OWN = frozenset({Origin.METRIC, Origin.STEP})
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class _Sum:
    """Names with their factors, and a number: ``2 * auc - champion.auc + 0.1``."""

    factors: Mapping[Reference, Fraction]
    number: Fraction

    def plus(self, other: _Sum, times: Fraction = Fraction(1)) -> _Sum:
        """This and `times` the other; what cancels out is gone."""
        names = {*self.factors, *other.factors}
        zero = Fraction()
        factors = {n: self.factors.get(n, zero) + times * other.factors.get(n, zero) for n in names}
        return _Sum({name: f for name, f in factors.items() if f}, self.number + times * other.number)

    def times(self, factor: Fraction) -> _Sum:
        """So many times this."""
        return _Sum({}, Fraction()).plus(self, factor)

    @property
    def is_large(self) -> bool:
        """Whether a factor is beyond what anybody means."""
        return any(max(abs(f.numerator), f.denominator) > _LARGEST for f in (*self.factors.values(), self.number))


def paired(comparison: Comparison, scope: Scope) -> Comparison:
    """`comparison`, asked of paired differences as far as they are known and algebra allows; else as it is."""
    if not scope.delta or scope.champion is None:
        return comparison
    read = references(comparison)
    compared = frozenset(name for name in read if name.origin in _OWN and _is_compared(name, scope))
    if not compared:
        return comparison
    return _rewritten(comparison, compared, frozenset(name for name in read if _is_positive(name, scope)))


@lru_cache(maxsize=1024)
def _rewritten(comparison: Comparison, compared: frozenset[Reference], positive: frozenset[Reference]) -> Comparison:
    """`comparison` with the differences of `compared`; the names in `positive` are surely above zero."""
    left, right = _undivided(comparison, positive)
    difference = None if left is None or right is None else left.plus(right, Fraction(-1))
    found = None if difference is None else _with_deltas(difference, compared)
    if found is not None:
        return _compared(found, comparison.sign)
    inside = replace(comparison, left=_term(comparison.left, compared), right=_term(comparison.right, compared))
    return inside if inside != comparison else comparison


def limits_of(expression: Expression) -> dict[str, tuple[float, ...]]:
    """The numbers that metrics are held against, by name; a paired difference is called ``delta.auc``."""
    known = {r.name: Metric(r.name, 1.0, Provenance.MEASURED) for r in expression.references if not r.is_text}
    steps = {reference.step for reference in expression.references}
    scope = Scope(known, dict.fromkeys(steps, known), Champion("", "", known), "", {}, 1, known)
    found: dict[str, tuple[float, ...]] = {}
    for comparison in _comparisons(expression.condition):
        rewritten = paired(comparison, scope)
        for subject, other in ((rewritten.left, rewritten.right), (rewritten.right, rewritten.left)):
            limit = other.value if isinstance(other, Constant) else None
            if not isinstance(subject, Reference) or not isinstance(limit, Decimal):
                continue
            if subject.origin in {Origin.METRIC, Origin.STEP, Origin.DELTA}:
                name = subject.label if subject.origin is Origin.DELTA else subject.name
                found[name] = tuple(dict.fromkeys((*found.get(name, ()), float(limit))))
    return found


def _comparisons(condition: Condition) -> Iterator[Comparison]:
    if isinstance(condition, Comparison):
        yield condition
        return
    for operand in condition.operands:
        yield from _comparisons(operand)


def _undivided(comparison: Comparison, positive: frozenset[Reference]) -> tuple[_Sum | None, _Sum | None]:
    """Both sides as sums; a ratio such as ``auc / champion.auc >= 0.99`` is multiplied out over a positive divisor."""
    for one, other, is_left in ((comparison.left, comparison.right, True), (comparison.right, comparison.left, False)):
        limit = _sum(other)
        if not (isinstance(one, Operation) and one.sign == "/" and limit is not None and not limit.factors):
            continue
        over, under = _sum(one.operands[0]), one.operands[1]
        if over is None or not isinstance(under, Reference) or under not in positive:
            continue
        multiplied = _Sum({under: Fraction(1)}, Fraction()).times(limit.number)
        return (over, multiplied) if is_left else (multiplied, over)
    return _sum(comparison.left), _sum(comparison.right)


def _is_positive(reference: Reference, scope: Scope) -> bool:
    """Whether its value and all of its interval, at the scope's own level, lie above zero."""
    metric = metric_of(reference, scope)
    if metric is None or not metric.is_usable or metric.value <= 0:
        return False
    if metric.interval is None:
        return True
    interval = metric.at(scope.level)
    return interval is not None and interval.low > 0


def _sum(term: Term) -> _Sum | None:
    """`term` as a sum of names with factors; None where it is not one."""
    match term:
        case Constant(value=Decimal() as value):
            found: _Sum | None = _Sum({}, Fraction(value)) if abs(value.adjusted()) < 30 else None  # noqa: PLR2004
        case Reference() if not term.is_text:
            found = _Sum({term: Fraction(1)}, Fraction())
        case Operation(sign="negate"):
            inner = _sum(term.operands[0])
            found = None if inner is None else inner.times(Fraction(-1))
        case Operation(sign="+" | "-" | "*" | "/"):
            left, right = _sum(term.operands[0]), _sum(term.operands[1])
            found = None if left is None or right is None else _joined(term.sign, left, right)
        case _:
            found = None
    return None if found is None or found.is_large else found


def _joined(sign: str, left: _Sum, right: _Sum) -> _Sum | None:
    if sign in {"+", "-"}:
        return left.plus(right, Fraction(1 if sign == "+" else -1))
    if sign == "/":
        return left.times(1 / right.number) if not right.factors and right.number else None
    if not left.factors:
        return right.times(left.number)
    return left.times(right.number) if not right.factors else None


def _with_deltas(whole: _Sum, compared: frozenset[Reference]) -> _Sum | None:
    """`whole` with differences in the place of a metric and the champion's; None where there is no such pair."""
    factors = dict(whole.factors)
    has_pair = False
    for name, own in whole.factors.items():
        if name not in compared:
            continue
        theirs = Reference(Origin.CHAMPION, name.name)
        other = factors.get(theirs, Fraction())
        if own * other >= 0:
            continue
        has_pair = True
        shared = min(abs(own), abs(other)) * (1 if own > 0 else -1)
        delta = Reference(Origin.DELTA, name.name)
        for reference, change in ((name, -shared), (theirs, shared), (delta, shared)):
            factors[reference] = factors.get(reference, Fraction()) + change
    return _Sum({n: f for n, f in factors.items() if f}, whole.number) if has_pair else None


def _is_compared(reference: Reference, scope: Scope) -> bool:
    """Whether the paired difference of this metric is known, from the very step whose metric it is."""
    own, delta = metric_of(reference, scope), scope.delta.get(reference.name)
    return own is not None and own.is_usable and delta is not None and delta.is_usable and own.step == delta.step


def _term(term: Term, compared: frozenset[Reference]) -> Term:
    """`term` with paired differences wherever a part of it allows: ``abs(auc - champion.auc)``."""
    if not isinstance(term, Operation):
        return term
    whole = _sum(term)
    found = None if whole is None else _with_deltas(whole, compared)
    if found is not None and _least_decimal(found) == 1:
        return _added(found)
    operands = tuple(_term(operand, compared) for operand in term.operands)
    if operands == term.operands:
        return term
    return Operation(term.sign, operands, _written(term.sign, operands))


def _compared(whole: _Sum, sign: str) -> Comparison:
    """``whole SIGN 0`` with the number on the right, divided by the factor of the only name where there is one."""
    if len(whole.factors) == 1:
        (factor,) = whole.factors.values()
        divided = whole.times(1 / abs(factor))
        if factor < 0:
            divided, sign = divided.times(Fraction(-1)), _MIRRORED[sign]
        whole = divided
    whole = whole.times(Fraction(_least_decimal(whole)))
    return Comparison(sign, _added(replace(whole, number=Fraction())), _constant(-whole.number))


def _least_decimal(whole: _Sum) -> int:
    """The least whole number whose product with `whole` has factors that decimals can say."""
    return lcm(*(_rest(f.denominator) for f in (*whole.factors.values(), whole.number)))


def _rest(denominator: int) -> int:
    """`denominator` without its twos and fives: 1 where a decimal can say it."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator


def _added(whole: _Sum) -> Term:
    """A sum whose factors decimals can say, as a term again; differences first."""
    ordered = sorted(whole.factors.items(), key=lambda item: (item[0].origin is not Origin.DELTA, item[0].label))
    terms: list[Term] = []
    for reference, factor in ordered:
        times = _constant(factor)
        is_one = factor == 1
        terms.append(reference if is_one else Operation("*", (times, reference), f"{times.text} * {reference.label}"))
    if whole.number or not terms:
        terms.append(_constant(whole.number))
    found = terms[0]
    for term in terms[1:]:
        found = Operation("+", (found, term), f"{_text(found)} + {_text(term)}")
    return found


def _constant(number: Fraction) -> Constant:
    """`number`, whose decimal ends, as a constant."""
    digits = 0
    while number * 10**digits % 1:
        digits += 1
    value = Decimal(f"{int(number * 10**digits)}e-{digits}")
    return Constant(value, format(value, "f"))


def _text(term: Term) -> str:
    return term.label if isinstance(term, Reference) else term.text


def _written(sign: str, operands: tuple[Term, ...]) -> str:
    texts = [_text(operand) for operand in operands]
    if sign == "negate":
        return f"-({texts[0]})"
    if sign in {"abs", "min", "max"}:
        return f"{sign}({', '.join(texts)})"
    return f" {sign} ".join(f"({text})" if " " in text else text for text in texts)
