"""The table that a reviewer reads: each metric of the candidate and the champion, the change, the limit, the result.

Pure: evidence in, rows out. The review page shows it, `verdict` puts it into a sentence. Everybody may import it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from signoff.domain.digits import number
from signoff.domain.evidence import (
    CheckResult,
    CheckStatus,
    Comparison,
    Evidence,
    Interval,
    Metric,
    Severity,
    SliceResult,
)
from signoff.domain.expression import Expression, ExpressionError, Origin, Reference, limits_of, parse
from signoff.domain.expression_parse import Comparison as Compared
from signoff.domain.expression_parse import Constant
from signoff.domain.feedback import LOWER_IS_BETTER

Better = Literal["higher", "lower", "zero"]

_SIGNS = {"<": "<", "<=": "\u2264", ">": ">", ">=": "\u2265", "==": "=", "!=": "\u2260"}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OWN = frozenset({Origin.METRIC, Origin.STEP})
_SETTLES = frozenset({"latency_p50_ms", "latency_p95_ms", "latency_p99_ms"})

MEANINGS: Mapping[str, str] = {
    "accuracy": "how many answers are right",
    "balanced_accuracy": "right answers, each class counting the same",
    "auc": "how well it ranks",
    "average_precision": "how well it ranks the rare ones",
    "recall": "how many of those sought it finds",
    "precision": "how many of its alarms are right",
    "specificity": "how many of the others it leaves alone",
    "f1": "recall and precision in one number",
    "macro_f1": "recall and precision, each class counting the same",
    "brier": "how honest its percentages are; lower is better",
    "log_loss": "how much its percentages surprise; lower is better",
    "ece": "how far its percentages are off; lower is better",
    "mae": "how far it is off on average; lower is better",
    "rmse": "how far it is off, large errors weighing more; lower is better",
    "median_absolute_error": "how far it is off in the middle case; lower is better",
    "mape": "how far it is off in per cent; lower is better",
    "r2": "how much of the differences it explains",
    "bias": "whether it is too high or too low on average; zero is best",
}
"""What well-known metrics say, in words for somebody who has not met them."""


class Tone(StrEnum):
    """How a change reads: surely better or worse, the same as far as the rows can tell, or not compared row by row."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric. `change` is candidate minus champion; `spread` is the paired interval of it, where there is one.

    `limits` are what the checks hold it against, in words; `result` is the worst of their answers, and `is_warning`
    says that a no of that kind only warns.
    """

    name: str
    meaning: str
    better: Better
    candidate: Metric
    champion: Metric | None = None
    change: float | None = None
    spread: Interval | None = None
    tone: Tone = Tone.UNKNOWN
    limits: tuple[str, ...] = ()
    result: CheckStatus | None = None
    is_warning: bool = False


def rows_of(found: Sequence[Evidence]) -> tuple[MetricRow, ...]:
    """A row for each metric; those that a check reads first, in the order of the checks.

    Where two steps report one name the later one counts, as in the checks.
    """
    metrics: dict[str, Metric] = {}
    champion: dict[str, Metric] = {}
    compared: dict[str, Comparison] = {}
    for item in found:
        metrics |= {metric.name: metric for metric in item.metrics}
        champion |= item.champion.metrics if item.champion is not None else {}
        compared |= {one.metric: one for one in item.comparisons}
    checks = [check for item in found for check in item.checks if check.slice is None]
    read = {name: [check for check in checks if name in _read_by(check)] for name in metrics}
    first = {name: checks.index(asked[0]) for name, asked in read.items() if asked}
    order = sorted(metrics, key=lambda name: first.get(name, len(checks)))
    return tuple(_row(metrics[name], champion.get(name), compared.get(name), read[name]) for name in order)


def _row(
    metric: Metric, champion: Metric | None, compared: Comparison | None, asked: Sequence[CheckResult]
) -> MetricRow:
    better = compared.better if compared is not None else direction(metric.name)
    change = spread = None
    if compared is not None:
        change, spread = compared.difference.value, compared.difference.interval
    elif champion is not None and champion.is_usable and metric.is_usable:
        change = metric.value - champion.value
    worst = max(asked, key=_gravity, default=None)
    return MetricRow(
        name=metric.name,
        meaning=MEANINGS.get(metric.name, "lower is better" if better == "lower" else ""),
        better=better,
        candidate=metric,
        champion=champion,
        change=change,
        spread=spread,
        tone=tone_of(compared) if compared is not None else Tone.UNKNOWN,
        limits=tuple(dict.fromkeys(_limit(check, metric.name, better) for check in asked)),
        result=worst.status if worst is not None else None,
        is_warning=worst is not None and worst.severity is Severity.WARN,
    )


def direction(name: str) -> Better:
    """Which way a metric of this name is better, where no comparison says so."""
    if name == "bias":
        return "zero"
    return "lower" if name in LOWER_IS_BETTER or name in _SETTLES or name.startswith("latency") else "higher"


def tone_of(compared: Comparison) -> Tone:
    """What a paired comparison surely says: only an interval that leaves zero out on one side is sure."""
    spread = compared.difference.interval
    if spread is None or compared.better == "zero" or not compared.difference.is_usable:
        return Tone.UNKNOWN
    if spread.low <= 0 <= spread.high:
        return Tone.SAME
    return Tone.BETTER if (spread.low > 0) == (compared.better == "higher") else Tone.WORSE


def worst_first(found: Iterable[SliceResult]) -> tuple[SliceResult, ...]:
    """The slices as a reviewer wants them: the largest loss against the champion first, then the worst by themselves.

    What too few rows say comes last, however bad it looks.
    """
    ranks = {"worse": 0, "fine": 1, "unsure": 2}
    return tuple(sorted(found, key=lambda one: (ranks[one.status], _gain(one), -_loss(one))))


def lost(one: SliceResult) -> bool:
    """Whether the slice is surely worse than with the champion, on the same rows."""
    change = one.to_champion
    if change is None or change.interval is None:
        return False
    better = direction(one.metric)
    return change.interval.high < 0 if better == "higher" else better == "lower" and change.interval.low > 0


def _gain(one: SliceResult) -> float:
    change = one.to_champion.value if one.to_champion is not None else 0.0
    if not math.isfinite(change):
        return 0.0
    return -change if direction(one.metric) == "lower" else change


def _loss(one: SliceResult) -> float:
    value = one.to_rest if one.to_rest is not None and math.isfinite(one.to_rest) else 0.0
    return value if direction(one.metric) == "lower" else -value


def _gravity(check: CheckResult) -> int:
    is_no = {CheckStatus.PASSED: 0, CheckStatus.UNCERTAIN: 2, CheckStatus.FAILED: 3}[check.status]
    return is_no + (is_no > 0 and check.severity is Severity.FAIL) * 2


def _expression(check: CheckResult) -> Expression | None:
    try:
        return parse(check.expression)
    except ExpressionError:
        return None


def _read_by(check: CheckResult) -> frozenset[str]:
    """The metrics that a check is about: its own ones, or the champion's where it only names a difference."""
    expression = _expression(check)
    if expression is None:
        return frozenset()
    return frozenset(r.name for r in expression.references if r.origin in {*_OWN, Origin.DELTA})


def _limit(check: CheckResult, name: str, better: Better) -> str:
    """What the check holds the metric against, as short as it can be said."""
    expression = _expression(check)
    if expression is None:
        return check.expression
    found = expression.condition
    if isinstance(found, Compared):
        for subject, other, sign in (
            (found.left, found.right, found.sign),
            (found.right, found.left, _MIRRORED[found.sign]),
        ):
            is_it = isinstance(subject, Reference) and subject.origin in _OWN and subject.name == name
            if is_it and isinstance(other, Constant):
                return f"{_SIGNS[sign]} {other.text}"
    limits = limits_of(expression).get(f"delta.{name}", ())
    if len(limits) == 1 and isinstance(found, Compared):
        return _of_difference(limits[0], better)
    return check.expression


def _of_difference(limit: float, better: Better) -> str:
    worse = -limit if better == "higher" else limit
    if better == "zero":
        return "near the champion's"
    if worse == 0:
        return "no worse"
    return f"at most {number(worse)} worse" if worse > 0 else f"{number(-worse)} better"
