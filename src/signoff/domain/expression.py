"""The expression language of checks and ``auto_approve_if``: what is asked, what is known, and the answer.

An answer is true, false or *uncertain*. Numbers are ranges where metrics carry intervals (see `expression_range`), a
comparison is true if it holds for all their numbers and false if for none, and answers are joined by Kleene's strong
three-valued logic (S. C. Kleene, *Introduction to Metamathematics*, 1952, section 64): what is not known spoils an
answer only where the answer depends on it. Each comparison is weighed by itself, so ``a > b or a <= b`` of an uncertain
``a`` is uncertain. Everybody may import this file, and takes the names in `__all__` from it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from signoff.domain.evidence import Champion, CheckResult, CheckStatus, Metric, Provenance, Severity
from signoff.domain.expression_parse import (
    Comparison,
    Condition,
    Constant,
    Expression,
    Operation,
    Origin,
    Reference,
    Term,
    parse,
    references,
)
from signoff.domain.expression_range import NoValueError, Range, Truth, compare, exact, operate, shorten
from signoff.domain.expression_words import ExpressionError

__all__ = [
    "NO_CHAMPION", "Answer", "Expression", "ExpressionError", "Origin", "Reference", "Scope", "Truth",
    "evaluate", "judge_check", "may_auto_approve", "parse",
]  # fmt: skip

NO_CHAMPION = "no champion to compare with"
NO_PAIRED_COMPARISON = "no paired comparison yet"

_WORDS = {
    "<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "equal to", "!=": "different from"
}  # fmt: skip
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything an expression may read: the candidate's metrics, by name and by step, the champion, and the version.

    Where two steps report one name, `metrics` holds the later step's. `delta` holds paired differences to the champion.
    """

    metrics: Mapping[str, Metric]
    by_step: Mapping[str, Mapping[str, Metric]]
    champion: Champion | None
    model_version: str
    tags: Mapping[str, str]
    attempt: int
    delta: Mapping[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an expression says about a scope, and why in words. Truthy only when exactly true.

    `seen` is what each name stood for: a value, None where there was none, a word (``nan``) where it was not finite.
    `is_missing`: uncertain for want of a metric or tag. `is_without_champion`: another answer were possible with a
    champion. `is_measured`: no metric that it read was merely claimed.
    """

    truth: Truth
    reason: str
    seen: Mapping[str, float | str | None] = field(default_factory=dict)
    is_missing: bool = False
    is_without_champion: bool = False
    is_measured: bool = True

    def __bool__(self) -> bool:
        return self.truth is Truth.TRUE


def evaluate(expression: Expression, scope: Scope) -> Answer:
    """The answer of `expression` in `scope`; a comparison with a champion that does not exist is uncertain."""
    return _answer(expression, scope, Truth.UNCERTAIN)


def may_auto_approve(expression: Expression, scope: Scope) -> Answer:
    """Whether policy approves: only if the answer is exactly true. Never raises; an error means that people decide."""
    try:
        return evaluate(expression, scope)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the values, it must not approve or stop the run
        return Answer(Truth.UNCERTAIN, f"it could not be evaluated: {error or type(error).__name__}", is_measured=False)


def judge_check(
    name: str,
    expression: Expression,
    scope: Scope,
    severity: Severity,
    without_champion: Literal["pass", "fail"] = "pass",
) -> CheckResult:
    """The result of a check. A missing metric or NaN fails; what the numbers cannot tell is uncertain.

    Where there is no champion, each comparison with it counts in the check's favour, or against it if
    `without_champion` is ``fail``; beneath a ``not`` that is the comparison's opposite.
    """
    answer = _answer(expression, scope, Truth.FALSE if without_champion == "fail" else Truth.TRUE)
    status = {Truth.TRUE: CheckStatus.PASSED, Truth.FALSE: CheckStatus.FAILED}.get(
        answer.truth, CheckStatus.FAILED if answer.is_missing else CheckStatus.UNCERTAIN
    )
    return CheckResult(
        name=name,
        expression=expression.text,
        status=status,
        severity=severity,
        reason=answer.reason,
        seen=answer.seen,
        uses_champion=expression.uses_champion,
        is_measured=answer.is_measured,
    )


@dataclass(frozen=True, slots=True)
class _Finding:
    """What one part of an expression says."""

    truth: Truth
    reasons: tuple[str, ...]
    is_missing: bool = False
    is_without_champion: bool = False


def _answer(expression: Expression, scope: Scope, without_champion: Truth) -> Answer:
    finding = _weigh(expression.condition, scope, without_champion)
    metrics = [metric for r in expression.references if (metric := _metric(r, scope)) is not None]
    return Answer(
        truth=finding.truth,
        reason="; ".join(finding.reasons),
        seen={reference.label: _seen(reference, scope) for reference in expression.references},
        is_missing=finding.is_missing,
        is_without_champion=finding.is_without_champion,
        is_measured=all(metric.provenance is Provenance.MEASURED for metric in metrics),
    )


def _weigh(condition: Condition, scope: Scope, without_champion: Truth) -> _Finding:
    """What `condition` says, if a comparison with a champion that does not exist is `without_champion`."""
    if isinstance(condition, Comparison):
        return _compare(condition, scope, without_champion)
    if condition.word == "not":
        inner = _weigh(condition.operands[0], scope, without_champion.negated)
        return _Finding(inner.truth.negated, inner.reasons, inner.is_missing, inner.is_without_champion)
    return _join(condition.word, [_weigh(operand, scope, without_champion) for operand in condition.operands])


def _join(word: str, findings: list[_Finding]) -> _Finding:
    """Kleene's ``and`` or ``or``, with the reasons of those parts only that decide it."""
    decisive = Truth.FALSE if word == "and" else Truth.TRUE
    truths = {finding.truth for finding in findings}
    truth = next(t for t in (decisive, Truth.UNCERTAIN, decisive.negated) if t in truths)
    deciding = [finding for finding in findings if finding.truth is truth]
    if truth is decisive:
        deciding = [finding for finding in deciding if not finding.is_without_champion] or deciding
    return _Finding(
        truth,
        tuple(dict.fromkeys(reason for finding in deciding for reason in finding.reasons)),
        is_missing=any(finding.is_missing for finding in deciding),
        is_without_champion=any(finding.is_without_champion for finding in deciding),
    )


def _compare(comparison: Comparison, scope: Scope, without_champion: Truth) -> _Finding:
    """What one comparison says. What the candidate lacks counts before what the champion lacks."""
    read = references(comparison)
    lacking = [words for r in read if not (r.needs_champion and scope.champion is None) and (words := _lack(r, scope))]
    if lacking:
        return _Finding(Truth.UNCERTAIN, tuple(dict.fromkeys(lacking)), is_missing=True)
    if scope.champion is None and any(reference.needs_champion for reference in read):
        return _Finding(without_champion, (NO_CHAMPION,), is_without_champion=True)
    if any(reference.origin is Origin.DELTA and _metric(reference, scope) is None for reference in read):
        return _Finding(Truth.UNCERTAIN, (NO_PAIRED_COMPARISON,))
    try:
        left, right = _value(comparison.left, scope), _value(comparison.right, scope)
    except NoValueError as error:
        return _Finding(Truth.UNCERTAIN, (str(error),))
    if isinstance(left, Range) and isinstance(right, Range):
        truth = compare(comparison.sign, left, right)
    else:
        truth = Truth.TRUE if (left == right) is (comparison.sign == "==") else Truth.FALSE
    return _Finding(truth, (_reason(comparison, left, right, truth, scope),))


def _value(term: Term, scope: Scope) -> Range | str:
    """The value of a term whose names all have one."""
    match term:
        case Constant():
            return term.value if isinstance(term.value, str) else Range(term.value, term.value)
        case Operation():
            operands = [value for operand in term.operands if isinstance(value := _value(operand, scope), Range)]
            try:
                return operate(term.sign, operands)
            except NoValueError as error:
                raise NoValueError(f"{term.text} cannot be computed: {error}") from error
        case Reference(origin=Origin.ATTEMPT):
            return Range(Decimal(scope.attempt), Decimal(scope.attempt))
        case Reference():
            metric = _metric(term, scope)
            return Range.of(metric) if metric is not None else _text(term, scope) or ""


def _metric(reference: Reference, scope: Scope) -> Metric | None:
    """The metric that `reference` names, if it names one that is there."""
    places: dict[Origin, Mapping[str, Metric]] = {
        Origin.METRIC: scope.metrics,
        Origin.STEP: scope.by_step.get(reference.step, {}),
        Origin.CHAMPION: scope.champion.metrics if scope.champion is not None else {},
        Origin.DELTA: scope.delta,
    }
    return places.get(reference.origin, {}).get(reference.name)


def _text(reference: Reference, scope: Scope) -> str | None:
    """The string that `reference` names, if it names one that is there."""
    return scope.model_version if reference.origin is Origin.VERSION else scope.tags.get(reference.name)


def _lack(reference: Reference, scope: Scope) -> str | None:
    """Why `reference` has no usable value, in words; None where it has one, or is a paired comparison not made yet."""
    if reference.origin is Origin.ATTEMPT:
        return None
    if reference.is_text:
        return f"{reference.label} is not set" if _text(reference, scope) is None else None
    metric = _metric(reference, scope)
    if metric is None:
        return None if reference.origin is Origin.DELTA else f"{reference.label} was not reported"
    if metric.is_usable:
        return None
    return f"{reference.label} is {'NaN' if math.isnan(metric.value) else 'infinite'}"


def _seen(reference: Reference, scope: Scope) -> float | str | None:
    """The value behind `reference` as it is kept in records: JSON has no NaN, so that is a word."""
    if reference.origin is Origin.ATTEMPT:
        return scope.attempt
    if reference.is_text:
        return _text(reference, scope)
    metric = _metric(reference, scope)
    if metric is None:
        return None
    return float(metric.value) if metric.is_usable else str(float(metric.value))


def _reason(comparison: Comparison, left: Range | str, right: Range | str, truth: Truth, scope: Scope) -> str:
    """The comparison as a sentence with its numbers; a constant is put last."""
    sides, sign = [(comparison.left, left), (comparison.right, right)], comparison.sign
    if isinstance(comparison.left, Constant) and not isinstance(comparison.right, Constant):
        sides, sign = sides[::-1], _MIRRORED[sign]
    shown = _shown(sides, scope)
    (subject, spread), (other, other_spread) = (_phrase(term, value, scope, shown) for term, value in sides)
    relation = f"{_WORDS[sign]} {other}{other_spread and f', {other_spread}'}"
    if truth is Truth.UNCERTAIN:
        return f"{subject}{spread and f', {spread}'}: not sure that it is {relation}"
    return f"{subject}{spread and f', {spread},'} is {'' if truth else 'not '}{relation}"


def _shown(sides: Iterable[tuple[Term, Range | str]], scope: Scope) -> dict[Decimal, str]:
    """Every number that the sentence needs, as short as keeps their order."""
    numbers: list[Decimal] = []
    constants: list[Decimal] = []
    for term, value in sides:
        if isinstance(value, Range):
            ends = (value.low,) if value.looks_exact else (value.low, value.high)
            (constants if isinstance(term, Constant) else numbers).extend(ends)
            metric = _metric(term, scope) if isinstance(term, Reference) else None
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
    metric = _metric(term, scope)
    return f"{name} {shown[exact(metric.value) if metric is not None else value.low]}", spread and f"95 % {spread}"
