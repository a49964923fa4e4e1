"""What a comparison says as a sentence with its numbers. Imported by `expression` only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from signoff.domain.evidence import Metric
from signoff.domain.expression_parse import Comparison, Constant, Operation, Origin, Reference, Term
from signoff.domain.expression_range import Range, Truth, exact, percent, shorten
from signoff.domain.expression_scope import Scope, metric_of

_WORDS = {
    "<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "equal to", "!=": "different from"
}  # fmt: skip
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def reason_of(comparison: Comparison, left: Range | str, right: Range | str, truth: Truth, scope: Scope) -> str:
    """The comparison as a sentence with its numbers; a constant is put last.

    Where it is not sure, it says about how many rows would be, if somebody worked that out.
    """
    sides, sign = [(comparison.left, left), (comparison.right, right)], comparison.sign
    if isinstance(comparison.left, Constant) and not isinstance(comparison.right, Constant):
        sides, sign = sides[::-1], _MIRRORED[sign]
    shown = _shown(sides, scope)
    (subject, spread), (other, other_spread) = (_phrase(term, value, scope, shown) for term, value in sides)
    relation = f"{_WORDS[sign]} {other}{other_spread and f', {other_spread}'}"
    if truth is Truth.UNCERTAIN:
        enough = _enough(sides, scope)
        return f"{subject}{spread and f', {spread}'}: not sure that it is {relation}{enough}"
    return f"{subject}{spread and f', {spread},'} is {'' if truth else 'not '}{relation}"


def _shown(sides: Iterable[tuple[Term, Range | str]], scope: Scope) -> dict[Decimal, str]:
    """Every number that the sentence needs, as short as keeps their order."""
    numbers: list[Decimal] = []
    constants: list[Decimal] = []
    for term, value in sides:
        if isinstance(value, Range):
            ends = (value.low,) if value.looks_exact else (value.low, value.high)
            (constants if isinstance(term, Constant) else numbers).extend(ends)
            metric = metric_of(term, scope) if isinstance(term, Reference) else None
            numbers.extend([exact(metric.value)] if metric is not None else [])
    return shorten(numbers, beside=constants)


def _phrase(term: Term, value: Range | str, scope: Scope, shown: Mapping[Decimal, str]) -> tuple[str, str]:
    """`term` with its value, and the range that it may be in (empty where it is one number)."""
    if isinstance(term, Constant):
        return term.text, ""
    name = term.label if isinstance(term, Reference) else term.text
    if isinstance(value, str):
        return f'{name} "{value}"', ""
    spread = "" if value.looks_exact else f"between {shown[value.low]} and {shown[value.high]}"
    if isinstance(term, Operation):
        return (name, spread) if spread else (f"{name} ({shown[value.low]})", "")
    metric = metric_of(term, scope)
    number = f"{name} {shown[exact(metric.value) if metric is not None else value.low]}"
    return number, _sureness(term, metric, spread, scope) if spread and metric is not None else spread


def _sureness(reference: Reference, metric: Metric, spread: str, scope: Scope) -> str:
    """The range that a metric may be in, how sure that is, and what it rests on."""
    interval = metric.at(scope.level)
    level = percent(interval.level if interval is not None else scope.level)
    paired = "paired, " if reference.origin is Origin.DELTA else ""
    return f"{paired}{level} {spread}" + (f", {_counted(metric.n)}" if metric.n is not None else "")


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"


def _enough(sides: Iterable[tuple[Term, Range | str]], scope: Scope) -> str:
    """About how many rows would settle it, where one metric is held against a number."""
    (subject, _), (other, limit) = sides
    if not (isinstance(subject, Reference) and isinstance(other, Constant) and isinstance(limit, Range)):
        return ""
    metric = metric_of(subject, scope)
    rows = metric.rows_for(float(limit.low), scope.level) if metric is not None else None
    return f"; about {_rounded(rows):,} rows would be" if rows is not None else ""


def _rounded(rows: int) -> int:
    """`rows` to two digits, upwards: more would pretend to know."""
    unit: int = 10 ** max(0, len(str(rows)) - 2)
    return -(-rows // unit) * unit
