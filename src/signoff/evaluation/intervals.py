"""How sure each metric is: its value with intervals at the levels asked for.

Imported by `report`, `paired`, `slices` and the benchmarks. Which method a metric gets is decided in `sample`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from signoff.evaluation.answers import answers_of
from signoff.evaluation.metrics import MetricSpec, available
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.sample import Estimate, Sample, share

__all__ = ["Estimate", "estimate", "estimate_all", "estimate_both"]


def estimate_all(
    predictions: Predictions, *, levels: Sequence[float] = (0.95,), seed: int = 0, champion: bool = False
) -> Mapping[str, Estimate]:
    """Every metric that the columns can give, by name, in the usual order."""
    answers = answers_of(predictions, champion=champion)
    if answers is None:
        return {}
    sample = Sample(answers, predictions.group, seed)
    specs = available(predictions, champion=champion)
    share([(sample, specs)])
    return {spec.name: sample.estimate(spec, levels) for spec in specs}


def estimate_both(
    predictions: Predictions, *, levels: Sequence[float] = (0.95,), seed: int = 0
) -> tuple[Mapping[str, Estimate], Mapping[str, Estimate]]:
    """As `estimate_all`, of the candidate and the champion, whose resamples are drawn once."""
    pairs = []
    for champion in (False, True):
        answers = answers_of(predictions, champion=champion)
        if answers is not None:
            sample = Sample(answers, predictions.group, seed)
            pairs.append((sample, available(predictions, champion=champion)))
    share(pairs)
    both = [{spec.name: sample.estimate(spec, levels) for spec in specs} for sample, specs in pairs]
    return both[0], both[1] if len(both) > 1 else {}


def estimate(
    spec: MetricSpec,
    predictions: Predictions,
    *,
    levels: Sequence[float] = (0.95,),
    seed: int = 0,
    champion: bool = False,
    rows: NDArray[Any] | None = None,
) -> Estimate | None:
    """One metric, of all rows or of `rows`; None where the file does not have that model's answers."""
    answers = answers_of(predictions, champion=champion, rows=rows)
    if answers is None:
        return None
    group = predictions.group
    return Sample(answers, group if group is None or rows is None else group[rows], seed).estimate(spec, levels)
