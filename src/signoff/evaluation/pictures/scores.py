"""The distribution of scores: how far apart the model keeps the two classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from signoff.evaluation import readings
from signoff.evaluation.pictures.look import Names, by_model, make, mark, quantity, tips
from signoff.evaluation.pictures.picture import Column, Picture, Row, rows_of
from signoff.evaluation.pictures.thinning import Floats

BINS = 40
_COLUMNS = (
    Column("model", "Model", "text"),
    Column("class", "Class", "text"),
    Column("low", "Score from"),
    Column("high", "Score to"),
    Column("share", "Share of the class", "share"),
    Column("rows", "Rows", "count"),
)


def scores(
    is_positive: NDArray[np.bool_], candidate: Floats, champion: Floats | None, positive: str, names: Names
) -> Picture | None:
    """A histogram of forty bins of equal width, per class and model; counts rows, whatever they weigh.

    None where a class has no rows.
    """
    positives = int(np.count_nonzero(is_positive))
    if positives in {0, len(is_positive)}:
        return None
    both = [candidate] if champion is None else [candidate, champion]
    low, high = min(float(s.min()) for s in both), max(float(s.max()) for s in both)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    others = "all others"
    rows: list[Row] = []
    for model, values in zip((names.candidate, names.champion), both, strict=False):
        for name, mask in ((positive, is_positive), (others, ~is_positive)):
            rows += _histogram(model, name, values[mask], edges)
    middle = _middle(candidate, is_positive)
    reading = readings.scores(
        positive,
        middle,
        None if champion is None else _middle(champion, is_positive),
        (positives, len(is_positive) - positives),
    )
    by = by_model(names, has_champion=champion is not None)
    classes = {"field": "class", "type": "nominal", "title": None, "legend": {"orient": "top", "symbolType": "stroke"}}
    line = {
        "mark": mark("line", interpolate="step"),
        "encoding": {
            "x": quantity("middle", "Score", domain=(low, high)),
            "y": quantity("share", "Share of the class", share=True, zero=True),
            "color": by["color"],
            "strokeDash": {**classes, "scale": {"domain": [positive, others], "range": [[1, 0], [3, 3]]}},
            "tooltip": tips(_COLUMNS),
        },
    }
    return make(
        "scores",
        title="How it scores the two classes",
        subtitle="The further apart the lines of the two classes, the better it tells them apart",
        reading=reading,
        columns=_COLUMNS,
        rows=rows,
        layers=[line],
    )


def _histogram(model: str, name: str, values: Floats, edges: Floats) -> list[Row]:
    counts = np.histogram(values, edges)[0]
    bins = len(counts)
    rows = rows_of(_COLUMNS, [model] * bins, [name] * bins, edges[:-1], edges[1:], counts / len(values), counts)
    return [{**row, "middle": float(f"{m:.6g}")} for row, m in zip(rows, (edges[:-1] + edges[1:]) / 2, strict=True)]


def _middle(values: Floats, is_positive: NDArray[np.bool_]) -> tuple[float, float]:
    return float(np.median(values[is_positive])), float(np.median(values[~is_positive]))
