"""How long answers took, as metrics: the median and the 95th percentile of `latency_ms`, each with its interval.

Imported by `report`. These are of the rows as they are, whatever their weight.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from signoff.domain.evidence import Interval, Metric, Provenance
from signoff.evaluation import closed_forms
from signoff.evaluation.predictions import Predictions

PARTS = {"latency_p50_ms": 0.5, "latency_p95_ms": 0.95}


def metrics_of(predictions: Predictions, levels: Sequence[float]) -> tuple[Metric, ...]:
    """Both, in milliseconds; none where the file does not say. Intervals by order statistics (Woodruff 1952)."""
    values = predictions.latency_ms
    if values is None:
        return ()
    weight, n = np.ones(len(values)), len(values)
    metrics = []
    for name, part in PARTS.items():
        value = float(np.quantile(values, part, method="averaged_inverted_cdf"))
        effective, freedom = float(n), None
        if predictions.group is not None:
            clusters = np.unique(predictions.group, return_inverse=True)[1]
            units = np.bincount(clusters, np.where(values <= value, 1 - part, -part))
            freedom = len(units) - 1.0
            spread = float((units**2).sum()) * len(units) / max(freedom, 1.0)
            effective = min(effective, part * (1 - part) * n**2 / spread) if spread > 0 else float(len(units))
        method = "order statistics" if freedom is None else "cluster order statistics"
        intervals = []
        for level in levels if n > 1 else ():
            z = closed_forms.quantile(level, freedom)
            low, high = closed_forms.order_statistics(values, weight, effective, z, part)
            intervals.append(Interval(min(low, value), max(high, value), level, method))
        usual = intervals[0] if intervals else None
        metrics.append(Metric(name, value, Provenance.MEASURED, usual, n, None, tuple(intervals[1:])))
    return tuple(metrics)
