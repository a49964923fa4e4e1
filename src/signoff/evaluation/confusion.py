"""Metrics of classes, from the margins of confusion matrices, for many matrices at once.

Imported by `metrics`. *Margins* (..., 3, k) are, for each class, the weight of its rows that were answered rightly, of
its rows, and of the rows for which it was answered: sums over rows, of which every metric here is a function.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def margins_by(
    y_true: NDArray[Any], y_pred: NDArray[Any], weight: Floats, codes: NDArray[Any], size: int, classes: int
) -> Floats:
    """The margins (size, 3, classes) of the rows of each code; rows whose code is negative count nowhere."""
    keep = codes >= 0
    if not keep.all():
        y_true, y_pred, weight, codes = y_true[keep], y_pred[keep], weight[keep], codes[keep]
    offset = codes.astype(np.int64) * classes
    length = size * classes
    right = np.where(y_true == y_pred, weight, 0.0)
    parts = [
        np.bincount(offset + y_true, right, length),
        np.bincount(offset + y_true, weight, length),
        np.bincount(offset + y_pred, weight, length),
    ]
    return np.stack([part.reshape(size, classes) for part in parts], axis=1)


def margins_of_cells(cells: Floats) -> Floats:
    """The margins (..., 3, k) of confusion matrices (..., k, k), true by predicted."""
    return np.stack([np.diagonal(cells, axis1=-2, axis2=-1), cells.sum(-1), cells.sum(-2)], axis=-2)


def ratio(above: Floats, below: Floats, otherwise: float = np.nan) -> Floats:
    """`above / below`, and `otherwise` where that is undefined."""
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    answer = np.full(above.shape, otherwise)
    np.divide(above, below, out=answer, where=below > 0)
    return answer


def _split(margins: Floats) -> tuple[Floats, Floats, Floats]:
    return margins[..., 0, :], margins[..., 1, :], margins[..., 2, :]


def accuracy(margins: Floats) -> Floats:
    """The part of the rows that was answered rightly."""
    right, true, _ = _split(margins)
    return ratio(right.sum(-1), true.sum(-1))


def balanced_accuracy(margins: Floats) -> Floats:
    """The mean recall of the classes that occur."""
    right, true, _ = _split(margins)
    occurs = (true > 0).sum(-1)
    return ratio(ratio(right, true, 0.0).sum(-1), occurs)


def precision(margins: Floats) -> Floats:
    """The part of the alarms that was right; nan when there was none."""
    return ratio(margins[..., 0, 1], margins[..., 2, 1])


def recall(margins: Floats) -> Floats:
    """The part of the positive rows that was found; nan when there is none."""
    return ratio(margins[..., 0, 1], margins[..., 1, 1])


def specificity(margins: Floats) -> Floats:
    """The part of the negative rows that was left alone; nan when there is none."""
    return ratio(margins[..., 0, 0], margins[..., 1, 0])


def f1(margins: Floats) -> Floats:
    """The harmonic mean of precision and recall; nan when no row is, or is called, positive."""
    return ratio(2 * margins[..., 0, 1], margins[..., 1, 1] + margins[..., 2, 1])


def macro_precision(margins: Floats) -> Floats:
    """The mean precision of the classes seen; a class that was never answered counts 0, as in scikit-learn."""
    right, true, answered = _split(margins)
    return ratio(ratio(right, answered, 0.0).sum(-1), (true + answered > 0).sum(-1))


def macro_recall(margins: Floats) -> Floats:
    """The mean recall of the classes seen; a class that is answered but never true counts 0, as in scikit-learn."""
    right, true, answered = _split(margins)
    return ratio(ratio(right, true, 0.0).sum(-1), (true + answered > 0).sum(-1))


def macro_f1(margins: Floats) -> Floats:
    """The mean F1 of the classes seen."""
    right, true, answered = _split(margins)
    return ratio(ratio(2 * right, true + answered, 0.0).sum(-1), (true + answered > 0).sum(-1))


def mcc(margins: Floats) -> Floats:
    """Matthews's correlation (Gorodkin 2004 for k classes); nan when all rows or all answers are one class."""
    right, true, answered = _split(margins)
    total = true.sum(-1)
    both = right.sum(-1) * total - (true * answered).sum(-1)
    spread = (total**2 - (true**2).sum(-1)) * (total**2 - (answered**2).sum(-1))
    tiny = np.finfo(float).eps * np.asarray(total, float) ** 4
    return ratio(both, np.sqrt(np.where(spread > tiny, spread, 0.0)))
