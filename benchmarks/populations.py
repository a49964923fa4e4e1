"""Populations to draw test sets from, whose true metrics are known: shared by the benchmarks of evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Task
from signoff.evaluation.answers import answers_of
from signoff.evaluation.metrics import available, value_of
from signoff.evaluation.predictions import Predictions

ROWS_OF_TRUTH = 2_000_000


@dataclass(frozen=True)
class Population:
    """Where test sets come from. `draw(rng, n)` gives one of about n rows."""

    name: str
    about: str
    draw: Callable[[np.random.Generator, int], Predictions]

    def truth(self) -> dict[str, float]:
        """Every metric's value in a very large draw."""
        whole = self.draw(np.random.default_rng(20_261_122), ROWS_OF_TRUTH)
        answers = answers_of(replace(whole, group=None))
        if answers is None:
            raise ValueError("no answers")
        return {spec.name: value_of(spec, answers) for spec in available(whole)}


def made_of(task: Task, y_true: NDArray[Any], y_pred: NDArray[Any], classes: int = 0, **columns: Any) -> Predictions:
    """Predictions with just these columns."""
    every: dict[str, Any] = dict.fromkeys(
        ("scores", "champion_pred", "champion_scores", "weight", "group", "latency_ms")
    )
    return Predictions(
        task=task,
        labels=tuple(str(label) for label in range(classes)),
        y_true=y_true,
        y_pred=y_pred,
        slices={},
        source="simulated",
        digest="",
        **(every | columns),
    )


def _binary(
    positive: float, signal: float, within: float = 0.0, *, weighted: bool = False
) -> Callable[..., Predictions]:
    """Two classes with normal scores `signal` apart, as calibrated probabilities; `within`: shared by a cluster."""

    def draw(rng: np.random.Generator, n: int) -> Predictions:
        group = _groups(rng, n) if within else None
        shared = 0.0 if group is None else rng.normal(size=n)[group]
        noise = np.sqrt(1 - within) * rng.normal(size=n) + np.sqrt(within) * shared
        chance = np.full(n, positive)
        if group is not None:
            chance = np.where(rng.random(n)[group] < 0.5, positive / 2, positive * 1.5)  # noqa: PLR2004
        truth = (rng.random(n) < chance).astype(np.int64)
        odds = signal * (noise + signal * (truth - 0.5)) + np.log(positive / (1 - positive))
        scores = 1 / (1 + np.exp(-odds))
        weight = rng.gamma(2, 0.5, n) * np.where(truth == 1, 2.0, 1.0) * np.exp(0.3 * noise) if weighted else None
        answer = (odds > 0).astype(np.int64)
        return made_of(Task.BINARY, truth, answer, 2, scores=scores, group=group, weight=weight)

    return draw


def _multiclass(rng: np.random.Generator, n: int) -> Predictions:
    parts = np.array([0.4, 0.3, 0.2, 0.1])
    truth = rng.choice(4, n, p=parts)
    odds = rng.normal(size=(n, 4)) + 2.0 * (truth[:, None] == np.arange(4)) + np.log(parts)
    scores = np.exp(odds) / np.exp(odds).sum(1, keepdims=True)
    return made_of(Task.MULTICLASS, truth, scores.argmax(1), 4, scores=scores)


def _regression(within: float = 0.0) -> Callable[..., Predictions]:
    """Right-skewed errors that grow with the true value."""

    def draw(rng: np.random.Generator, n: int) -> Predictions:
        group = _groups(rng, n) if within else None
        truth = rng.gamma(4, 1, n) + 1
        error = (rng.gamma(2, 0.5, n) - 0.9) * (0.5 + truth / 10)
        if group is not None:
            error = error + within * rng.normal(size=n)[group]
        return made_of(Task.REGRESSION, truth, truth + error, group=group)

    return draw


def _groups(rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    """Clusters of 1 to 9 rows."""
    sizes = rng.integers(1, 10, n)
    many = int(np.searchsorted(np.cumsum(sizes), n)) + 1
    return np.repeat(np.arange(many), sizes[:many])[:n]


POPULATIONS = (
    Population("binary", "two classes, 40 % positive, scores overlap much", _binary(0.4, 1.2)),
    Population("strong", "two classes, 40 % positive, a very good model", _binary(0.4, 3.5)),
    Population("rare", "two classes, 5 % positive", _binary(0.05, 2.0)),
    Population("weighted", "two classes, weights that go with truth and score", _binary(0.4, 1.6, weighted=True)),
    Population("clustered", "two classes, clusters of 1 to 9 rows that are alike", _binary(0.4, 1.6, 0.5)),
    Population("multiclass", "four classes, 40 to 10 %", _multiclass),
    Population("regression", "skewed errors that grow with the true value", _regression()),
    Population("regression, clustered", "the same, in clusters of 1 to 9 rows", _regression(0.6)),
)
