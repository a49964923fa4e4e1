"""The ROC curve: how many it catches for how many false alarms."""

from __future__ import annotations

import numpy as np

from signoff.evaluation import readings
from signoff.evaluation.pictures.look import Names, by_model, diagonal, make, mark, quantity, tips
from signoff.evaluation.pictures.picture import Column, Picture, Row, rows_of
from signoff.evaluation.pictures.ranking import Ranking
from signoff.evaluation.pictures.thinning import evenly_along
from signoff.evaluation.wording import class_rows

_COLUMNS = (
    Column("model", "Model", "text"),
    Column("alarms", "False alarms", "share"),
    Column("catches", "Caught", "share"),
    Column("threshold", "Threshold"),
)

_MOST = 500
"""Vertices of one curve: nowhere off by more than 0.4 points of a per cent, less than a pixel."""


def roc(candidate: Ranking, champion: Ranking | None, positive: str, names: Names) -> Picture:
    """Both curves (Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006)."""
    rows = _curve(candidate, names.candidate)
    if champion is not None:
        rows += _curve(champion, names.champion)
    at_alarms = 0.05 if candidate.negatives >= 20 else 0.0  # noqa: PLR2004 - as the reading's words
    reading = readings.roc(
        candidate.recall_at_alarms(at_alarms),
        None if champion is None else champion.recall_at_alarms(at_alarms),
        candidate.positives,
        candidate.negatives,
    )
    x = quantity("alarms", "False alarms (share of the others flagged)", share=True, domain=(0, 1))
    y = quantity("catches", f"Caught (share of the {class_rows(positive)})", share=True, domain=(0, 1))
    curve = {
        "mark": mark("line", interpolate="linear"),
        "encoding": {
            "x": x,
            "y": y,
            "order": {"field": "order", "type": "quantitative"},
            **by_model(names, has_champion=champion is not None),
            "tooltip": tips(_COLUMNS),
        },
    }
    return make(
        "roc",
        title="Catching against false alarms",
        subtitle="Higher and further left is better; the dashed line is guessing",
        reading=reading,
        columns=_COLUMNS,
        rows=rows,
        layers=[diagonal(), curve],
    )


def _curve(ranking: Ranking, model: str) -> list[Row]:
    """The curve from (0, 0), where nothing is flagged, to (1, 1)."""
    x = np.concatenate(([0.0], ranking.fallout))
    y = np.concatenate(([0.0], ranking.recall))
    thresholds = np.concatenate(([np.nan], ranking.thresholds))
    kept = evenly_along(x, y, _MOST)
    rows = rows_of(_COLUMNS, [model] * len(kept), x[kept], y[kept], thresholds[kept])
    return [{**row, "order": place} for place, row in enumerate(rows)]
