"""The threshold curve: what would be caught, and how much of the alarms would be right, at every threshold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signoff.evaluation import readings
from signoff.evaluation.pictures.look import Names, by_model, make, mark, quantity, rule, tips
from signoff.evaluation.pictures.picture import MOST_POINTS, Column, Picture, Row, rows_of
from signoff.evaluation.pictures.ranking import Ranking
from signoff.evaluation.pictures.thinning import Floats, by_column

_MOST_DIGITS = 7
CAUGHT, RIGHT = "caught", "right alarms"
_COLUMNS = (
    Column("model", "Model", "text"),
    Column("measure", "Measure", "text"),
    Column("threshold", "Threshold"),
    Column("share", "Share", "share"),
)


def chosen_threshold(is_flagged: NDArray[np.bool_], scores: NDArray[Any]) -> float | None:
    """The roundest number that parts the rows that were flagged from all others, by their scores.

    Between the highest score that was not flagged and the lowest that was, any number gives the same answers; 0.5 is
    likelier to have been meant than 0.5073. None where nothing was flagged, or no one number parts them.
    """
    if not is_flagged.any():
        return None
    high = float(scores[is_flagged].min())
    if is_flagged.all():
        return high
    low = float(scores[~is_flagged].max())
    if low >= high:
        return None
    for digits in range(_MOST_DIGITS):
        unit = float(10**digits)
        rounded = math.floor(high * unit) / unit
        if low < rounded <= high:
            return rounded
    return high


def threshold(
    candidate: Ranking,
    champion: Ranking | None,
    names: Names,
    *,
    chosen: float | None,
    at_chosen: tuple[float, float],
    champion_at: tuple[float, float] | None,
) -> Picture:
    """Recall and precision over the threshold. `at_chosen`, `champion_at`: both at what each model's answers were."""
    most = MOST_POINTS // (2 if champion is None else 4)
    rows = _curves(candidate, names.candidate, most)
    if champion is not None:
        rows += _curves(champion, names.champion, most)
    reading = readings.threshold(chosen, *at_chosen, champion_at, candidate.positives)
    measures = {
        "field": "measure",
        "type": "nominal",
        "title": None,
        "legend": {"orient": "top", "symbolType": "stroke"},
    }
    line = {
        "mark": mark("line"),
        "encoding": {
            "x": quantity("threshold", "Threshold of the score"),
            "y": quantity("share", "Share", share=True, domain=(0, 1)),
            "color": by_model(names, has_champion=champion is not None)["color"],
            "strokeDash": {**measures, "scale": {"domain": [CAUGHT, RIGHT], "range": [[1, 0], [3, 3]]}},
            "tooltip": tips(_COLUMNS),
        },
    }
    return make(
        "threshold",
        title="What another threshold would do",
        subtitle="Solid: caught; dotted: share of the alarms that is right"
        + ("" if chosen is None else "; the upright line is the chosen threshold"),
        reading=reading,
        columns=_COLUMNS,
        rows=rows,
        layers=[line] if chosen is None else [line, rule(chosen, "x")],
    )


def _curves(ranking: Ranking, model: str, most: int) -> list[Row]:
    x = ranking.thresholds[::-1]
    rows = _curve(x, ranking.recall[::-1], model, CAUGHT, most)
    return rows + _curve(x, ranking.precision[::-1], model, RIGHT, most)


def _curve(x: Floats, y: Floats, model: str, measure: str, most: int) -> list[Row]:
    known = np.isfinite(y)
    x, y = x[known], y[known]
    kept = by_column(x, y, most)
    return rows_of(_COLUMNS, [model] * len(kept), [measure] * len(kept), x[kept], y[kept])
