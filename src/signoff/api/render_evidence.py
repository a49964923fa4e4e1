"""Evidence as bodies."""

from __future__ import annotations

from signoff.domain.evidence import (
    CheckResult,
    Comparison,
    Evidence,
    FairnessGap,
    Interval,
    Metric,
    SliceResult,
    to_plain,
)
from signoff.wire import evidence


def evidence_body(digest: str, found: Evidence) -> evidence.EvidenceBody:
    """What one step found out."""
    return evidence.EvidenceBody(
        digest=digest,
        metrics=[_metric(metric) for metric in found.metrics],
        checks=[_check(check) for check in found.checks],
        champion_version=found.champion.version if found.champion else None,
        champion_metrics=[_metric(m) for m in found.champion.metrics.values()] if found.champion else [],
        files=[evidence.FileBody.model_validate(file) for file in found.files],
        notes=list(found.notes),
        task=found.task.value if found.task else None,
        comparisons=[_comparison(comparison) for comparison in found.comparisons],
        slices=[_slice(one) for one in found.slices],
        fairness=[_fairness(gap) for gap in found.fairness],
        test_set=evidence.TestSetBody.model_validate(found.test_set) if found.test_set else None,
        pictures=[evidence.PictureBody.model_validate(picture) for picture in found.pictures],
    )


def _metric(metric: Metric) -> evidence.MetricBody:
    interval = metric.interval
    return evidence.MetricBody(
        name=metric.name,
        value=to_plain(metric.value),
        provenance=metric.provenance.value,
        low=to_plain(interval.low) if interval else None,
        high=to_plain(interval.high) if interval else None,
        level=interval.level if interval else None,
        method=interval.method if interval else "",
        n=metric.n,
        step=metric.step,
        further=[_interval(further) for further in metric.further],
        seed=metric.seed,
        needed=[evidence.RowsNeededBody.model_validate(needed) for needed in metric.needed],
    )


def _interval(interval: Interval) -> evidence.IntervalBody:
    return evidence.IntervalBody.model_validate(to_plain(interval))


def _check(check: CheckResult) -> evidence.CheckBody:
    return evidence.CheckBody(
        name=check.name,
        expression=check.expression,
        status=check.status.value,
        severity=check.severity.value,
        reason=check.reason,
        seen=to_plain(check.seen),
        is_measured=check.is_measured,
        slice=check.slice,
        level=check.level,
    )


def _comparison(found: Comparison) -> evidence.ComparisonBody:
    return evidence.ComparisonBody(
        metric=found.metric,
        difference=_metric(found.difference),
        p_value=to_plain(found.p_value),
        method=found.method,
        n=found.n,
        detectable=to_plain(found.detectable),
        better=found.better,
    )


def _slice(found: SliceResult) -> evidence.SliceBody:
    return evidence.SliceBody(
        columns=list(found.columns),
        values=list(found.values),
        n=found.n,
        metric=found.metric,
        value=to_plain(found.value),
        interval=_interval(found.interval) if found.interval else None,
        to_rest=to_plain(found.to_rest),
        to_champion=_metric(found.to_champion) if found.to_champion else None,
        status=found.status,
        p_adjusted=to_plain(found.p_adjusted),
    )


def _fairness(found: FairnessGap) -> evidence.FairnessBody:
    return evidence.FairnessBody(
        column=found.column,
        definition=found.definition,
        value=to_plain(found.value),
        interval=_interval(found.interval) if found.interval else None,
        groups=to_plain(found.groups),
    )
