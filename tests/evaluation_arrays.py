"""Predictions made of arrays, for the tests of evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np

from signoff.domain.evidence import Task
from signoff.evaluation.predictions import Predictions


def predictions_of(task: Task, y_true: Any, y_pred: Any, **columns: Any) -> Predictions:
    """Predictions with just these columns; classes are codes from 0."""
    parts: dict[str, Any] = dict.fromkeys(
        ("scores", "champion_pred", "champion_scores", "weight", "group", "latency_ms")
    )
    parts.update(columns)
    labels: tuple[str, ...] = ()
    if task is not Task.REGRESSION:
        classes = max(2, int(max(np.max(y_true), np.max(y_pred))) + 1)
        labels = tuple(str(label) for label in range(classes))
    parts.setdefault("slices", {})
    return Predictions(
        task=task,
        labels=labels,
        y_true=np.asarray(y_true),
        y_pred=np.asarray(y_pred),
        source="memory",
        digest="",
        **parts,
    )


def binary(n: int, *, seed: int = 1, positive: float = 0.4, signal: float = 1.2, **columns: Any) -> Predictions:
    """A classifier of two classes whose scores overlap; some scores are equal."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random(n) < positive).astype(np.int64)
    scores = np.round(1 / (1 + np.exp(-(rng.normal(size=n) + signal * (y_true - 0.5)))), 3)
    return predictions_of(Task.BINARY, y_true, (scores > 0.5).astype(np.int64), scores=scores, **columns)


def multiclass(n: int, *, seed: int = 1, classes: int = 4, signal: float = 1.5, **columns: Any) -> Predictions:
    """A classifier of several classes, one of them rare."""
    rng = np.random.default_rng(seed)
    parts = np.ones(classes)
    parts[-1] = 0.3
    y_true = rng.choice(classes, n, p=parts / parts.sum())
    logits = rng.normal(size=(n, classes)) + signal * (y_true[:, None] == np.arange(classes))
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return predictions_of(Task.MULTICLASS, y_true, scores.argmax(1), scores=scores, **columns)


def regression(n: int, *, seed: int = 1, **columns: Any) -> Predictions:
    """A regression with skewed errors."""
    rng = np.random.default_rng(seed)
    y_true = rng.normal(5, 2, n)
    return predictions_of(Task.REGRESSION, y_true, y_true + rng.gamma(2, 0.5, n) - 0.8, **columns)
