"""The confusion matrix: what was so, and what the model said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from signoff.evaluation import readings
from signoff.evaluation.pictures.look import make, mark, tips
from signoff.evaluation.pictures.picture import Column, Picture, Row, cell

MOST_CLASSES = 20
OTHER = "(all others)"
Counts = NDArray[np.int64]


def confusion(
    y_true: NDArray[np.int64], y_pred: NDArray[np.int64], champion: NDArray[np.int64] | None, labels: Sequence[str]
) -> Picture | None:
    """How many rows of each class were called what; the colour is the share of the row's class.

    The twenty most frequent classes are drawn, the rest as one. Counts rows, whatever they weigh. None without rows.
    """
    if len(y_true) == 0:
        return None
    own = _count(y_true, y_pred, len(labels))
    theirs = None if champion is None else _count(y_true, champion, len(labels))
    reading = _read(own, theirs, labels)
    if len(labels) > MOST_CLASSES:
        kept = np.sort(np.argsort(-own.sum(axis=1), kind="stable")[: MOST_CLASSES - 1])
        own, theirs = _gather(own, kept), None if theirs is None else _gather(theirs, kept)
        labels = [*(labels[i] for i in kept), OTHER]
    columns = [
        Column("true", "What was so", "text"),
        Column("said", "What it said", "text"),
        Column("rows", "Rows", "count"),
        Column("share", "Share of the class", "share"),
    ]
    if theirs is not None:
        columns.append(Column("champion", "The champion", "count"))
    order = list(labels)
    big = len(order) <= 4  # noqa: PLR2004 - room for two lines in a cell
    layers = [
        {
            "mark": mark("rect", cornerRadius=4),
            "encoding": {
                "color": {
                    "field": "share",
                    "type": "quantitative",
                    "scale": {"domain": [0, 1], "range": "heatmap"},
                    "legend": None,
                },
                "tooltip": tips(columns),
            },
        }
    ]
    if big:
        layers.append(
            {
                "mark": mark("text", "cell-text", dy=0 if theirs is None else -7),
                "encoding": {"text": {"field": "rows", "type": "quantitative", "format": ","}},
            }
        )
        if theirs is not None:
            layers.append(
                {"mark": mark("text", "cell-note", dy=11), "encoding": {"text": {"field": "note", "type": "nominal"}}}
            )
    axis = {"sort": None, "type": "nominal"}
    return make(
        "confusion",
        title="Right and wrong answers",
        subtitle=f"{len(y_true):,} rows that it was tested on"
        + ("" if theirs is None or not big else "; below, the champion's"),
        reading=reading,
        columns=columns,
        rows=_rows(own, theirs, order),
        layers=layers,
        encoding={
            "x": {"field": "said", "title": "Model said", "axis": {"labelAngle": 0 if big else -40}, **axis},
            "y": {"field": "true", "title": "What was so", **axis},
        },
        height=230 if big else 40 + 18 * len(order),
    )


def _count(y_true: NDArray[np.int64], y_pred: NDArray[np.int64], classes: int) -> Counts:
    return np.bincount(y_true * classes + y_pred, minlength=classes * classes).reshape(classes, classes)


def _gather(counts: Counts, kept: NDArray[np.intp]) -> Counts:
    """The counts of the classes `kept`, and in a last row and column those of all others."""
    place = np.full(len(counts), len(kept))
    place[kept] = np.arange(len(kept))
    gathered = np.zeros((len(kept) + 1, len(kept) + 1), dtype=np.int64)
    np.add.at(gathered, (place[:, None], place[None, :]), counts)
    return gathered


def _rows(own: Counts, theirs: Counts | None, labels: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for true, of_true in enumerate(labels):
        total = int(own[true].sum())
        for said, of_said in enumerate(labels):
            n = int(own[true, said])
            row: Row = {"true": of_true, "said": of_said, "rows": n, "share": cell(n / total) if total else None}
            if theirs is not None:
                row |= {"champion": int(theirs[true, said]), "note": f"champion {int(theirs[true, said]):,}"}
            rows.append(row)
    return rows


def _read(own: Counts, theirs: Counts | None, labels: Sequence[str]) -> str:
    if len(labels) == 2:  # noqa: PLR2004 - positive and negative
        champion = None if theirs is None else (int(theirs[1, 0]), int(theirs[0, 1]))
        return readings.confusion_of_two(
            labels[1], int(own[1, 0]), int(own[1].sum()), int(own[0, 1]), int(own[0].sum()), champion
        )
    right, total = int(np.trace(own)), int(own.sum())
    mistakes = own - np.diag(np.diag(own))
    times = int(mistakes.max())
    true, said = divmod(int(mistakes.argmax()), len(labels))
    mistake = (labels[true], labels[said], times) if times else None
    tied = int(np.count_nonzero(mistakes == times)) - 1 if times else 0
    return readings.confusion(right, total, mistake, None if theirs is None else int(np.trace(theirs)), tied)
