"""Residuals: how far each prediction is off, and whether that depends on what is predicted."""

from __future__ import annotations

import numpy as np

from signoff.evaluation import readings
from signoff.evaluation.pictures.look import Names, by_model, make, mark, quantity, rule, tips
from signoff.evaluation.pictures.picture import MOST_POINTS, Column, Picture, rows_of
from signoff.evaluation.pictures.thinning import Floats, sample, sampled_words

_COLUMNS = (
    Column("model", "Model", "text"),
    Column("predicted", "Predicted"),
    Column("off", "Predicted minus actual"),
)
_SHARE = 0.9


def residuals(
    actual: Floats, predicted: Floats, champion: Floats | None, names: Names, *, weight: Floats | None = None, seed: int
) -> Picture | None:
    """Predicted minus actual, so that above the line is too high; the same rows are drawn for both models.

    The shares of the reading count rows, its average weighs them. None without rows.
    """
    n = len(actual)
    if n == 0:
        return None
    both = [(names.candidate, predicted)]
    if champion is not None:
        both.insert(0, (names.champion, champion))  # drawn first, so that the candidate is not hidden
    most = MOST_POINTS // len(both)
    drawn = sample(n, most, seed)
    rows = [
        row
        for model, values in both
        for row in rows_of(_COLUMNS, [model] * len(drawn), values[drawn], (values - actual)[drawn])
    ]
    reading = readings.residuals(
        *_within(predicted - actual),
        None if champion is None else _within(champion - actual),
        float(np.average(predicted - actual, weights=weight)),
        n,
        _SHARE,
    )
    points = {
        "mark": mark("point", filled=True, size=14, opacity=0.5),
        "encoding": {
            "x": quantity("predicted", "Predicted"),
            "y": quantity("off", "Predicted minus actual", zero=True),
            **by_model(names, has_champion=champion is not None, kind="point"),
            "tooltip": tips(_COLUMNS),
        },
    }
    words = sampled_words(n, most, seed)
    return make(
        "residuals",
        title="How far it is off",
        subtitle="Above the line is too high" + (f"; {words}" if words else ""),
        reading=reading,
        columns=_COLUMNS,
        rows=rows,
        layers=[points, rule(0, "y", "reference")],
    )


def _within(off: Floats) -> tuple[float, float]:
    half, most = np.quantile(np.abs(off), (0.5, _SHARE), method="inverted_cdf")
    return float(half), float(most)
