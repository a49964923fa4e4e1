"""The expression language of checks and ``auto_approve_if``: what is asked, what is known, and the answer.

An answer is true, false or *uncertain*. Numbers are ranges where metrics carry intervals (see `expression_range`), a
comparison is true if it holds for all their numbers and false if for none, and answers are joined by Kleene's strong
three-valued logic (S. C. Kleene, *Introduction to Metamathematics*, 1952, section 64): what is not known spoils an
answer only where the answer depends on it. Each comparison is weighed by itself, so ``a > b or a <= b`` of an uncertain
``a`` is uncertain. A metric is compared with the champion's by the paired difference wherever that is known (see
`expression_pair`). Everybody may import this file, and takes the names in `__all__` from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from signoff.domain.evidence import CheckResult, CheckStatus, Provenance, Severity
from signoff.domain.expression_pair import limits_of, paired
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
from signoff.domain.expression_range import NoValueError, Range, Truth, compare, operate
from signoff.domain.expression_reason import reason_of
from signoff.domain.expression_scope import Scope, lack_of, metric_of, seen_of, text_of
from signoff.domain.expression_words import ExpressionError

__all__ = [
    "NO_CHAMPION", "Answer", "Expression", "ExpressionError", "Origin", "Reference", "Scope", "Truth",
    "evaluate", "judge_check", "limits_of", "may_auto_approve", "parse",
]  # fmt: skip

NO_CHAMPION = "no champion to compare with"
NO_PAIRED_COMPARISON = "no paired comparison yet"


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
    read: tuple[Reference, ...] = ()


def _answer(expression: Expression, scope: Scope, without_champion: Truth) -> Answer:
    finding = _weigh(expression.condition, scope, without_champion)
    read = tuple(dict.fromkeys((*expression.references, *finding.read)))
    metrics = [metric for reference in read if (metric := metric_of(reference, scope)) is not None]
    return Answer(
        truth=finding.truth,
        reason="; ".join(finding.reasons),
        seen={} if scope.is_terse else {reference.label: seen_of(reference, scope) for reference in read},
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
        return replace(inner, truth=inner.truth.negated)
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
        read=tuple(reference for finding in findings for reference in finding.read),
    )


def _compare(comparison: Comparison, scope: Scope, without_champion: Truth) -> _Finding:
    """What one comparison says. What the candidate lacks counts before what the champion lacks."""
    comparison = paired(comparison, scope)
    read = references(comparison)
    lacking = [
        words for r in read if not (r.needs_champion and scope.champion is None) and (words := lack_of(r, scope))
    ]
    if lacking:
        return _Finding(Truth.UNCERTAIN, tuple(dict.fromkeys(lacking)), is_missing=True, read=read)
    if scope.champion is None and any(reference.needs_champion for reference in read):
        return _Finding(without_champion, (NO_CHAMPION,), is_without_champion=True)
    if any(reference.origin is Origin.DELTA and metric_of(reference, scope) is None for reference in read):
        return _Finding(Truth.UNCERTAIN, (NO_PAIRED_COMPARISON,))
    try:
        left, right = _value(comparison.left, scope), _value(comparison.right, scope)
    except NoValueError as error:
        return _Finding(Truth.UNCERTAIN, (str(error),), read=read)
    if isinstance(left, Range) and isinstance(right, Range):
        truth = compare(comparison.sign, left, right)
    else:
        truth = Truth.TRUE if (left == right) is (comparison.sign == "==") else Truth.FALSE
    reasons = () if scope.is_terse else (reason_of(comparison, left, right, truth, scope),)
    return _Finding(truth, reasons, read=read)


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
            metric = metric_of(term, scope)
            return Range.of(metric, scope.level) if metric is not None else text_of(term, scope) or ""
