"""The checks of a test step, judged: each at its confidence, for each slice where it says so, corrected where asked.

A correction keeps the chance that *any* answer of a step is wrong below what one answer alone would have: by Holm's
step-down method over the checks (S. Holm, "A simple sequentially rejective multiple test procedure", *Scandinavian
Journal of Statistics* 6, 1979), and by spending only a share of the allowed doubt at each look at the same rows (alpha
spending: K. Lan and D. DeMets, *Biometrika* 70, 1983). The L-th look may spend 1 / (L (L + 1)): a half, a sixth, a
twelfth and so on, which adds up to the whole however often one looks. Everybody may import this file.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from signoff.domain.evidence import (
    Champion,
    CheckResult,
    CheckStatus,
    Evidence,
    Metric,
    Provenance,
    Severity,
    SliceResult,
)
from signoff.domain.expression import Expression, Origin, Scope, judge_check, parse
from signoff.domain.pipeline import Check, OnUncertain
from signoff.domain.version import ModelVersion

CONFIDENCE = 0.95
"""How sure an answer is where nobody says otherwise; that of `auto_approve_if`."""

_FEW = 12


def share_of(look: int) -> float:
    """How much of the allowed doubt the `look`-th look (from 1) at the same rows may spend."""
    return 1 / (look * (look + 1))


def level_of(confidence: float, *, share: float = 1.0, among: int = 1) -> float:
    """The confidence that one of `among` answers needs, so that all of them together have `confidence`."""
    return 1 - (1 - confidence) * share / among


def levels_of(checks: Iterable[Check], *, slices: Mapping[str, int], correct: bool, looks: int) -> tuple[float, ...]:
    """Every confidence at which intervals are wanted to judge `checks` and ``auto_approve_if``.

    `slices` says how many values each column has. Many checks are corrected on a ladder of levels that is coarser than
    Holm's: each answer is then judged at the next surer one.
    """
    checks = tuple(checks)
    found = {CONFIDENCE, *(check.confidence for check in checks)}
    if correct:
        share = share_of(looks)
        count = sum(slices.get(check.for_each, 1) if check.for_each is not None else 1 for check in checks)
        found |= {level_of(confidence, share=share) for confidence in found}
        found |= {level_of(c.confidence, share=share, among=among) for c in checks for among in _ladder(count)}
    return tuple(sorted(found))


def _ladder(count: int) -> list[int]:
    """1 to `count`, thinned out beyond a few."""
    steps = list(range(1, min(count, _FEW) + 1))
    while steps and steps[-1] < count:
        steps.append(min(count, steps[-1] * 3 // 2))
    return steps


@dataclass(frozen=True, slots=True)
class _Question:
    """One answer that is owed: a check, about everything or about one slice."""

    check: Check
    expression: Expression
    scope: Scope
    name: str
    slice: str | None = None
    lacks: str = ""
    unsure: str = ""

    def answer(self, level: float) -> CheckResult:
        """The check's answer at `level`, before what is to become of uncertain ones."""
        check = self.check
        if self.lacks or self.unsure:
            status = CheckStatus.FAILED if self.lacks else CheckStatus.UNCERTAIN
            found = CheckResult(self.name, check.that, status, check.severity, self.lacks or self.unsure)
        else:
            scope = self.scope if self.scope.level == level else replace(self.scope, level=level)
            found = judge_check(self.name, self.expression, scope, check.severity, check.without_champion)
        reason = found.reason if self.slice is None else f"{self.slice}: {found.reason}"
        return replace(found, reason=reason, slice=self.slice, level=level)


def judge_checks(
    checks: Iterable[Check], scope: Scope, slices: Sequence[SliceResult] = (), *, correct: bool = False, looks: int = 1
) -> tuple[CheckResult, ...]:
    """What each check says, in order; one that is made for each slice says it once per slice, worst first.

    `correct`: the answers are corrected for one another and for being the `looks`-th look at these rows.
    """
    questions = [question for check in checks for question in _questions(check, scope, slices)]
    answers = _corrected(questions, share_of(looks)) if correct else [q.answer(q.check.confidence) for q in questions]
    return tuple(_settled(question.check, found) for question, found in zip(questions, answers, strict=True))


def scope_among(
    version: ModelVersion,
    attempt: int,
    found: Iterable[Evidence],
    champion: Champion | None,
    corrected: Collection[str] = (),
) -> Scope:
    """What expressions may read: claimed metrics, over them what was measured; of one name the latest.

    Differences to the champion count where they are to this one. `corrected` are the steps whose answers are corrected:
    by them the scope's level is that of ``auto_approve_if``, which looks at the same rows.
    """
    metrics = {metric.name: metric for metric in claimed_metrics(version)}
    by_step: dict[str, dict[str, Metric]] = {}
    delta: dict[str, Metric] = {}
    compared: dict[str, Metric] = {}
    share = 1.0
    for item in found:
        own = {metric.name: metric for metric in item.metrics}
        metrics |= own
        by_step[item.step] = own
        if item.step in corrected:
            share = min(share, share_of(looks_of(item)))
        if champion is None or item.champion is None or item.champion.digest != champion.digest:
            continue
        for comparison in item.comparisons:
            name = comparison.metric
            conflict = own[name].conflict if name in own else ""
            delta[name] = replace(comparison.difference, step=item.step, conflict=conflict)
            if name in item.champion.metrics:
                compared[name] = item.champion.metrics[name]
    if champion is not None and compared:
        champion = replace(champion, metrics={**champion.metrics, **compared})
    level = level_of(CONFIDENCE, share=share)
    return Scope(metrics, by_step, champion, version.version, version.tags, attempt, delta, level)


def claimed_metrics(version: ModelVersion) -> tuple[Metric, ...]:
    """The metrics that came with the version: claimed."""
    return tuple(Metric(name, value, Provenance.CLAIMED) for name, value in sorted(version.metrics.items()))


def looks_of(found: Evidence) -> int:
    """How often these rows were looked at; 1 where nobody knows the rows."""
    return found.test_set.looks if found.test_set is not None else 1


def _corrected(questions: Sequence[_Question], share: float) -> list[CheckResult]:
    """Holm's method: who is sure at the strictest level leaves, and the others need to be a little less sure."""
    answers: dict[int, CheckResult] = {}
    left = list(range(len(questions)))
    while left:
        for index in left:
            level = level_of(questions[index].check.confidence, share=share, among=len(left))
            answers[index] = questions[index].answer(level)
        unsure = [index for index in left if answers[index].status is CheckStatus.UNCERTAIN]
        if len(unsure) == len(left):
            break
        left = unsure
    return [answers[index] for index in range(len(questions))]


def _settled(check: Check, found: CheckResult) -> CheckResult:
    """`found` after what the check wants to become of an uncertain answer."""
    if found.status is not CheckStatus.UNCERTAIN or check.on_uncertain is OnUncertain.PEOPLE:
        return found
    if check.on_uncertain is OnUncertain.FAIL:
        return replace(found, status=CheckStatus.FAILED, reason=f"{found.reason}; the check wants to be sure")
    return replace(found, status=CheckStatus.PASSED, reason=f"{found.reason}; the check lets that pass")


_parse = lru_cache(maxsize=512)(parse)
"""What the checks of a pipeline say is read once, however many versions they judge."""


def _questions(check: Check, scope: Scope, slices: Sequence[SliceResult]) -> list[_Question]:
    expression = _parse(check.that)
    if check.for_each is None:
        return [_Question(check, expression, scope, check.name)]
    found: dict[str, list[SliceResult]] = {}
    for one in slices:
        if one.columns == (check.for_each,):
            found.setdefault(one.values[0], []).append(one)
    if not found:
        lacks = f"there are no slices by {check.for_each}: no predictions were left with a column of that name"
        return [_Question(check, expression, scope, check.name, lacks=lacks)]
    return [
        _Question(
            check,
            expression,
            _scope_of(scope, results),
            f"{check.name}: {value}",
            results[0].label,
            unsure=_unsure(expression, scope, results),
        )
        for value, results in found.items()
    ]


def _unsure(expression: Expression, scope: Scope, results: Sequence[SliceResult]) -> str:
    """Why the rows of a slice are too few to answer at all, in words; empty where they can try."""
    read = {r.name: r for r in expression.references if r.origin in {Origin.METRIC, Origin.STEP}}
    compared = {r.name for r in expression.references if r.needs_champion and scope.champion is not None}
    for one in results:
        rows = "1 row" if one.n == 1 else f"{one.n:,} rows"
        if one.metric in read and (one.interval is None or not math.isfinite(one.value)):
            return f"{read[one.metric].label} cannot be told from {rows}"
        if one.metric in compared and one.to_champion is None:
            return f"{one.metric} cannot be compared with the champion's on {rows}"
    return ""


def _scope_of(scope: Scope, results: Sequence[SliceResult]) -> Scope:
    """`scope` within one slice: its metrics, and the paired differences there, and nothing of the whole."""
    metrics = {one.metric: slice_metric(one) for one in results}
    delta = {one.metric: _stepless(one.to_champion) for one in results if one.to_champion is not None}
    champion = scope.champion and replace(scope.champion, metrics={})
    by_step = dict.fromkeys(scope.by_step, metrics)
    return replace(scope, metrics=metrics, by_step=by_step, delta=delta, champion=champion)


def _stepless(difference: Metric) -> Metric:
    return difference if difference.step is None else replace(difference, step=None)


def slice_metric(one: SliceResult) -> Metric:
    """A slice's number as a metric of its rows."""
    return Metric(one.metric, one.value, Provenance.MEASURED, one.interval, one.n, further=one.further)


def no_answers(checks: Iterable[CheckResult], *, people_follow: bool) -> list[CheckResult]:
    """The checks that make a step fail: a plain no; and *uncertain* where nobody follows who could decide."""
    return [
        check
        for check in checks
        if check.severity is Severity.FAIL
        and (check.status is CheckStatus.FAILED or (check.status is CheckStatus.UNCERTAIN and not people_follow))
    ]
