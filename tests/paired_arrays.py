"""Predictions of two models on the same rows, in arrays, for tests that compare them or look at slices of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from signoff.domain.evidence import Task
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.slicing import Slicing


def two_binary(
    rng: np.random.Generator,
    n: int = 400,
    *,
    lift: float = 0.1,
    weight: bool = False,
    groups: int = 0,
    positives: float = 0.3,
    slices: tuple[int, ...] = (),
) -> Predictions:
    """Two models that mostly agree; the candidate separates the classes by `lift` more. `slices`: values per column.

    With `groups`, rows of one group are hard or easy together, for both models.
    """
    group = rng.integers(0, groups, n) if groups else None
    y_true = (rng.random(n) < positives).astype(np.int64)
    shared = rng.normal(size=n) * 0.8
    if group is not None:
        shared = shared * 0.6 + rng.normal(size=groups)[group] * 0.8
    scores = [
        1 / (1 + np.exp(-((2 + better) * y_true - 1 + shared + 0.6 * rng.normal(size=n)))) for better in (lift, 0.0)
    ]
    return Predictions(
        Task.BINARY,
        ("no", "yes"),
        y_true,
        (scores[0] > 0.5).astype(np.int64),
        scores[0],
        (scores[1] > 0.5).astype(np.int64),
        scores[1],
        rng.uniform(0.5, 2.0, n) if weight else None,
        group,
        None,
        columns(rng, n, slices),
        "predictions.csv",
        "sha256:0",
    )


def two_multiclass(rng: np.random.Generator, n: int = 400, classes: int = 3) -> Predictions:
    """Two models of as many classes, with a probability for each."""
    y_true = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), y_true] += 1.5
    both = [np.exp(part) for part in (logits, logits + 0.5 * rng.normal(size=(n, classes)))]
    ours, theirs = (part / part.sum(axis=1, keepdims=True) for part in both)
    return Predictions(
        Task.MULTICLASS,
        tuple("abcdefgh"[:classes]),
        y_true,
        ours.argmax(axis=1),
        ours,
        theirs.argmax(axis=1),
        theirs,
        None,
        None,
        None,
        {},
        "predictions.csv",
        "sha256:0",
    )


def two_regressions(
    rng: np.random.Generator, n: int = 400, *, slices: tuple[int, ...] = (), weight: bool = False, groups: int = 0
) -> Predictions:
    """Two models whose errors go together; the candidate's are a tenth smaller."""
    y_true, shared = rng.normal(10.0, 2.0, n), rng.normal(size=n)
    ours, theirs = (y_true + size * shared + 0.3 * rng.normal(size=n) for size in (0.9, 1.0))
    return Predictions(
        Task.REGRESSION,
        (),
        y_true,
        ours,
        None,
        theirs,
        None,
        rng.uniform(0.5, 2.0, n) if weight else None,
        rng.integers(0, groups, n) if groups else None,
        None,
        columns(rng, n, slices),
        "predictions.csv",
        "sha256:0",
    )


def columns(rng: np.random.Generator, n: int, sizes: tuple[int, ...]) -> dict[str, Slicing]:
    """Columns `c0`, `c1`, ... with so many values each, by chance; in the second, some rows are empty."""
    return {
        f"c{number}": Slicing(
            f"c{number}",
            tuple(f"v{value}" for value in range(size)),
            rng.integers(-1 if number == 1 else 0, size, n).astype(np.int32),
        )
        for number, size in enumerate(sizes)
    }


def rows_where(predictions: Predictions, **values: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The rows in which each column has that code."""
    inside = np.ones(predictions.n, dtype=bool)
    for column, code in values.items():
        inside &= predictions.slices[column].codes == code
    return inside
