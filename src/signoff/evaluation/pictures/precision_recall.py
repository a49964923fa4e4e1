"""The precision-recall curve: how many of its alarms are right, for how many it catches."""

from __future__ import annotations

import numpy as np

from signoff.evaluation import readings
from signoff.evaluation.pictures.look import Names, by_model, make, mark, quantity, rule, tips
from signoff.evaluation.pictures.picture import MOST_POINTS, Column, Picture, Row, rows_of
from signoff.evaluation.pictures.ranking import Ranking
from signoff.evaluation.pictures.thinning import by_column
from signoff.evaluation.wording import class_rows

_COLUMNS = (
    Column("model", "Model", "text"),
    Column("catches", "Caught", "share"),
    Column("right", "Alarms that are right", "share"),
    Column("threshold", "Threshold"),
)
_AT_RECALL = 0.8


def precision_recall(candidate: Ranking, champion: Ranking | None, positive: str, names: Names) -> Picture:
    """Both curves, which tell more than ROC where positives are rare (Saito and Rehmsmeier, PLOS ONE 10, 2015)."""
    most = MOST_POINTS // (1 if champion is None else 2)
    rows = _curve(candidate, names.candidate, most)
    if champion is not None:
        rows += _curve(champion, names.champion, most)
    base = float(candidate.hits[-1] / (candidate.hits[-1] + candidate.alarms[-1]))
    reading = readings.precision_recall(
        candidate.precision_at_recall(_AT_RECALL),
        None if champion is None else champion.precision_at_recall(_AT_RECALL),
        base,
        candidate.positives,
        _AT_RECALL,
    )
    curve = {
        "mark": mark("line", interpolate="step-before"),
        "encoding": {
            "x": quantity("catches", f"Caught (share of the {class_rows(positive)})", share=True, domain=(0, 1)),
            "y": quantity("right", "Alarms that are right", share=True, domain=(0, 1)),
            "order": {"field": "order", "type": "quantitative"},
            **by_model(names, has_champion=champion is not None),
            "tooltip": tips(_COLUMNS),
        },
    }
    return make(
        "precision-recall",
        title="How many alarms are right",
        subtitle="Higher and further right is better; the dashed line is flagging everything",
        reading=reading,
        columns=_COLUMNS,
        rows=rows,
        layers=[rule(base, "y", "reference"), curve],
    )


def _curve(ranking: Ranking, model: str, most: int) -> list[Row]:
    precision = ranking.precision
    known = np.flatnonzero(np.isfinite(precision))
    x, y = ranking.recall[known], precision[known]
    kept = by_column(x, y, most)
    rows = rows_of(_COLUMNS, [model] * len(kept), x[kept], y[kept], ranking.thresholds[known][kept])
    return [{**row, "order": place} for place, row in enumerate(rows)]
