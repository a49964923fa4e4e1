"""What a test step's predictions file says, checked and in arrays: what every function of this package starts from.

Imported by the modules of `evaluation`, and by `engine`'s worker code inside functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Task
from signoff.evaluation.slicing import Slicing

__all__ = ["Predictions", "Slicing", "read_predictions"]


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """Every row of a test set: what was true, what the candidate and the champion said, and what is known of the row.

    `labels` are the class names, sorted; of two, the second is the positive class; none for regression.
    `y_true`, `y_pred`, `champion_pred`: int64 codes into `labels` (n,), or float64 (n,) for regression.
    `scores`, `champion_scores`: float64, the positive class's score (n,), or (n, k) with a column per class.
    `weight`: float64 (n,), at least 0. `group`: int64 codes (n,); rows of one group are one cluster.
    `slices`: every other column, in the file's order. `digest` names the test set whatever was predicted: a SHA-256 of
    y_true, group and slices in row order. `notes`: what a reader should know of the file, in sentences.
    """

    task: Task
    labels: tuple[str, ...]
    y_true: NDArray[Any]
    y_pred: NDArray[Any]
    scores: NDArray[np.float64] | None
    champion_pred: NDArray[Any] | None
    champion_scores: NDArray[np.float64] | None
    weight: NDArray[np.float64] | None
    group: NDArray[np.int64] | None
    latency_ms: NDArray[np.float64] | None
    slices: Mapping[str, Slicing]
    source: str
    digest: str
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """How many rows."""
        return len(self.y_true)


def read_predictions(path: Path, *, task: Task | None = None) -> Predictions:
    """The predictions in a ``.csv`` or ``.parquet`` file; raises `PredictionsError` naming file, column and row."""
    raise NotImplementedError
