"""Calibration: whether what it calls 80 % happens 80 % of the time, with how many rows each point stands for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from signoff.evaluation import readings
from signoff.evaluation.paired_proportions import wilson
from signoff.evaluation.pictures.look import Names, by_model, diagonal, make, mark, quantity, tips
from signoff.evaluation.pictures.picture import Column, Picture, Row, rows_of
from signoff.evaluation.pictures.thinning import Floats

BINS = 10
_COLUMNS = (
    Column("model", "Model", "text"),
    Column("said", "Said on average", "share"),
    Column("happened", "Happened", "share"),
    Column("low", "95 % from", "share"),
    Column("high", "95 % to", "share"),
    Column("rows", "Rows", "count"),
)


@dataclass(frozen=True, slots=True, eq=False)
class _Bins:
    """The bins that hold rows. `gap`: expected calibration error; `chance`: what perfect percentages would show."""

    said: Floats
    happened: Floats
    low: Floats
    high: Floats
    rows: NDArray[np.int64]
    gap: float
    chance: float

    @property
    def worst(self) -> tuple[float, float, int]:
        """Where most rows are most off: what was said, what happened, on how many rows."""
        bin_ = int(np.argmax(np.abs(self.said - self.happened) * self.rows))
        return float(self.said[bin_]), float(self.happened[bin_]), int(self.rows[bin_])


def calibration(
    happened: NDArray[np.bool_],
    said: Floats,
    champion_said: Floats | None,
    names: Names,
    *,
    champion_happened: NDArray[np.bool_] | None = None,
    weight: Floats | None = None,
    what: str = "it happens",
) -> Picture | None:
    """Ten equal bins, whose gaps weighed by rows are the expected calibration error (Naeini et al., AAAI 2015).

    `champion_happened` where that is not the same for both: for the top class of several (Guo et al., ICML 2017).
    None where the scores are not probabilities. Intervals are Wilson's, and left out where rows have weights.
    """
    if len(said) == 0 or not _are_probabilities(said):
        return None
    if champion_said is not None and not _are_probabilities(champion_said):
        champion_said = None
    own = _bin(happened, said, weight)
    rows = [{**row, "bar": row["rows"]} for row in _rows(own, names.candidate)]
    theirs = None
    if champion_said is not None:
        theirs = _bin(happened if champion_happened is None else champion_happened, champion_said, weight)
        rows += _rows(theirs, names.champion)
    reading = readings.calibration(own.gap, None if theirs is None else theirs.gap, own.chance, own.worst)
    x = quantity("said", f"Predicted chance that {what}", share=True, domain=(0, 1))
    y = quantity("happened", "How often it was so", share=True, domain=(0, 1))
    model = by_model(names, has_champion=theirs is not None, kind="point")
    tallest = max(int(own.rows.max()), 1)
    counts = {
        "mark": mark("bar", "counts", width=14),
        "encoding": {
            "x": x,
            "y": {
                "field": "bar",
                "type": "quantitative",
                "axis": None,
                "scale": {"domain": [0, 4 * tallest], "nice": False},
            },
            "tooltip": tips(_COLUMNS),
        },
    }
    shared = {"x": x, "y": y, "color": model["color"]}
    points = {
        "layer": [
            diagonal(),
            {
                "mark": mark("rule", strokeWidth=1),
                "encoding": {**shared, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
            },
            {"mark": mark("line", strokeWidth=1.5), "encoding": shared},
            {"mark": mark("point", filled=True, size=50), "encoding": {**shared, **model, "tooltip": tips(_COLUMNS)}},
        ]
    }
    return make(
        "calibration",
        title="Are its percentages honest?",
        subtitle=f"On the dashed line is perfect; bars show how many rows of {names.candidate} each point stands for",
        reading=reading,
        columns=_COLUMNS,
        rows=rows,
        layers=[counts, points],
        resolve={"scale": {"y": "independent"}},
    )


def _are_probabilities(values: Floats) -> bool:
    return bool(np.all((values >= 0) & (values <= 1)))


def _bin(happened: NDArray[np.bool_], said: Floats, weight: Floats | None) -> _Bins:
    bins = np.minimum((said * BINS).astype(np.int64), BINS - 1)
    rows = np.bincount(bins, minlength=BINS)
    weights = np.ones(len(said)) if weight is None else weight
    mass = np.bincount(bins, weights, minlength=BINS)
    used = mass > 0
    mass, rows = mass[used], rows[used]
    mean = np.bincount(bins, weights * said, minlength=BINS)[used] / mass
    share = np.bincount(bins, weights * happened, minlength=BINS)[used] / mass
    part = mass / mass.sum()
    gap = float(np.sum(part * np.abs(mean - share)))
    chance = float(np.sum(part * np.sqrt(2 / np.pi * mean * (1 - mean) / rows)))  # mean of a half-normal
    if weight is None:
        low, high = wilson(share * rows, rows)
    else:
        low = high = np.full(len(share), np.nan)
    return _Bins(mean, share, low, high, rows, gap, chance)


def _rows(bins: _Bins, model: str) -> list[Row]:
    return rows_of(_COLUMNS, [model] * len(bins.rows), bins.said, bins.happened, bins.low, bins.high, bins.rows)
