"""What an expression may read, and what its names stand for there. Imported by the other `expression` files only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from signoff.domain.evidence import Champion, Metric
from signoff.domain.expression_parse import Origin, Reference


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything an expression may read: the candidate's metrics, by name and by step, the champion, and the version.

    Where two steps report one name, `metrics` holds the later step's. `delta` holds paired differences to the champion.
    `level` is how sure an answer has to be: metrics are taken with their intervals at that confidence. `is_terse`:
    answers come without their reasons and values, which take longer than the answers.
    """

    metrics: Mapping[str, Metric]
    by_step: Mapping[str, Mapping[str, Metric]]
    champion: Champion | None
    model_version: str
    tags: Mapping[str, str]
    attempt: int
    delta: Mapping[str, Metric] = field(default_factory=dict)
    level: float = 0.95
    is_terse: bool = False


def metric_of(reference: Reference, scope: Scope) -> Metric | None:
    """The metric that `reference` names, if it names one that is there."""
    places: dict[Origin, Mapping[str, Metric]] = {
        Origin.METRIC: scope.metrics,
        Origin.STEP: scope.by_step.get(reference.step, {}),
        Origin.CHAMPION: scope.champion.metrics if scope.champion is not None else {},
        Origin.DELTA: scope.delta,
    }
    return places.get(reference.origin, {}).get(reference.name)


def text_of(reference: Reference, scope: Scope) -> str | None:
    """The string that `reference` names, if it names one that is there."""
    return scope.model_version if reference.origin is Origin.VERSION else scope.tags.get(reference.name)


def lack_of(reference: Reference, scope: Scope) -> str | None:
    """Why `reference` has no usable value, in words; None where it has one, or is a paired comparison not made yet."""
    if reference.origin is Origin.ATTEMPT:
        return None
    if reference.is_text:
        return f"{reference.label} is not set" if text_of(reference, scope) is None else None
    metric = metric_of(reference, scope)
    if metric is None:
        return None if reference.origin is Origin.DELTA else f"{reference.label} was not reported"
    if metric.conflict:
        return f"{reference.label} contradicts itself: {metric.conflict}"
    if metric.is_usable:
        return None
    return f"{reference.label} is {'NaN' if math.isnan(metric.value) else 'infinite'}"


def seen_of(reference: Reference, scope: Scope) -> float | str | None:
    """The value behind `reference` as it is kept in records: JSON has no NaN, so that is a word."""
    if reference.origin is Origin.ATTEMPT:
        return scope.attempt
    if reference.is_text:
        return text_of(reference, scope)
    metric = metric_of(reference, scope)
    if metric is None:
        return None
    return float(metric.value) if metric.is_usable else str(float(metric.value))
