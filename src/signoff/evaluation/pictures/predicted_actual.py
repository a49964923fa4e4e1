"""Predicted against actual values: on the line is right."""

from __future__ import annotations

import numpy as np

from signoff.evaluation import readings
from signoff.evaluation.pictures.look import Names, by_model, diagonal, make, mark, quantity, tips
from signoff.evaluation.pictures.picture import MOST_POINTS, Column, Picture, rows_of
from signoff.evaluation.pictures.thinning import Floats, sample, sampled_words

_COLUMNS = (Column("model", "Model", "text"), Column("actual", "Actual"), Column("predicted", "Predicted"))


def predicted_actual(
    actual: Floats, predicted: Floats, champion: Floats | None, names: Names, *, weight: Floats | None = None, seed: int
) -> Picture | None:
    """A point per row, or per drawn row, the same for both models. None without rows."""
    n = len(actual)
    if n == 0:
        return None
    both = [(names.candidate, predicted)]
    if champion is not None:
        both.insert(0, (names.champion, champion))  # drawn first, so that the candidate is not hidden
    most = MOST_POINTS // len(both)
    drawn = sample(n, most, seed)
    rows = [
        row for model, values in both for row in rows_of(_COLUMNS, [model] * len(drawn), actual[drawn], values[drawn])
    ]
    shown = np.concatenate([actual[drawn], *(values[drawn] for _, values in both)])
    low, high = float(f"{shown.min():.6g}"), float(f"{shown.max():.6g}")
    reading = readings.predicted_actual(
        _explained(actual, predicted, weight), None if champion is None else _explained(actual, champion, weight), n
    )
    points = {
        "mark": mark("point", filled=True, size=14, opacity=0.5),
        "encoding": {
            "x": quantity("actual", "Actual"),
            "y": quantity("predicted", "Predicted"),
            **by_model(names, has_champion=champion is not None, kind="point"),
            "tooltip": tips(_COLUMNS),
        },
    }
    words = sampled_words(n, most, seed)
    return make(
        "predicted-actual",
        title="Predicted and actual",
        subtitle="On the dashed line is right" + (f"; {words}" if words else ""),
        reading=reading,
        columns=_COLUMNS,
        rows=rows,
        layers=[diagonal(low, high), points],
    )


def _explained(actual: Floats, predicted: Floats, weight: Floats | None) -> float:
    """R squared; nan where the actual values do not differ."""
    weights = np.ones(len(actual)) if weight is None else weight
    spread = float(np.sum(weights * (actual - np.average(actual, weights=weights)) ** 2))
    return 1 - float(np.sum(weights * (actual - predicted) ** 2)) / spread if spread > 0 else float("nan")
