"""Every picture that predictions alone can give, by the kind of task."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Task
from signoff.evaluation.pictures.calibration import calibration
from signoff.evaluation.pictures.confusion import confusion
from signoff.evaluation.pictures.look import Names
from signoff.evaluation.pictures.picture import Picture
from signoff.evaluation.pictures.precision_recall import precision_recall
from signoff.evaluation.pictures.predicted_actual import predicted_actual
from signoff.evaluation.pictures.ranking import rank
from signoff.evaluation.pictures.residuals import residuals
from signoff.evaluation.pictures.roc import roc
from signoff.evaluation.pictures.scores import scores
from signoff.evaluation.pictures.thinning import Floats, as_floats
from signoff.evaluation.pictures.threshold import chosen_threshold, threshold
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.wording import class_rows


def draw(predictions: Predictions, names: Names | None = None, *, seed: int = 0) -> tuple[Picture, ...]:
    """The pictures of `predictions`, the most telling first; those that so little data cannot give are left out.

    `seed` chooses the rows of a scatter where not all are drawn.
    """
    names = names or Names()
    if predictions.task is Task.REGRESSION:
        pictures = _of_numbers(predictions, names, seed)
    elif predictions.task is Task.BINARY:
        pictures = _of_two(predictions, names)
    else:
        pictures = _of_several(predictions, names)
    return tuple(picture for picture in pictures if picture is not None)


def _of_numbers(p: Predictions, names: Names, seed: int) -> list[Picture | None]:
    actual, predicted = as_floats(p.y_true), as_floats(p.y_pred)
    champion = None if p.champion_pred is None else as_floats(p.champion_pred)
    return [
        predicted_actual(actual, predicted, champion, names, weight=p.weight, seed=seed),
        residuals(actual, predicted, champion, names, weight=p.weight, seed=seed),
    ]


def _of_two(p: Predictions, names: Names) -> list[Picture | None]:
    is_positive = p.y_true == 1
    positive = p.labels[1]
    own = None if p.scores is None else rank(is_positive, p.scores, p.weight)
    theirs = None if p.champion_scores is None else rank(is_positive, p.champion_scores, p.weight)
    matrix = confusion(p.y_true, p.y_pred, p.champion_pred, p.labels)
    if p.scores is None or own is None:
        return [matrix]
    champion_at = None
    if theirs is not None and p.champion_pred is not None:
        champion_at = _caught_and_right(is_positive, p.champion_pred == 1, p.weight)
    return [
        roc(own, theirs, positive, names),
        calibration(
            is_positive,
            p.scores,
            p.champion_scores,
            names,
            weight=p.weight,
            what=f"it is one of the {class_rows(positive)}",
        ),
        matrix,
        precision_recall(own, theirs, positive, names),
        threshold(
            own,
            theirs,
            names,
            chosen=chosen_threshold(p.y_pred == 1, p.scores),
            at_chosen=_caught_and_right(is_positive, p.y_pred == 1, p.weight),
            champion_at=champion_at,
        ),
        scores(is_positive, p.scores, p.champion_scores, positive, names),
    ]


def _of_several(p: Predictions, names: Names) -> list[Picture | None]:
    matrix = confusion(p.y_true, p.y_pred, p.champion_pred, p.labels)
    if p.scores is None or p.n == 0:
        return [matrix]
    right, sure = _top(p.scores, p.y_true)
    their_right, their_sure = (None, None) if p.champion_scores is None else _top(p.champion_scores, p.y_true)
    return [
        matrix,
        calibration(
            right,
            sure,
            their_sure,
            names,
            champion_happened=their_right,
            weight=p.weight,
            what="its first choice is right",
        ),
    ]


def _caught_and_right(
    is_positive: NDArray[np.bool_], is_flagged: NDArray[np.bool_], weight: Floats | None
) -> tuple[float, float]:
    """Recall and precision of answers; nan where there is nothing to divide by."""
    mass = np.ones(len(is_positive)) if weight is None else weight
    hits = float(mass[is_positive & is_flagged].sum())
    positives, flagged = float(mass[is_positive].sum()), float(mass[is_flagged].sum())
    return (hits / positives if positives else float("nan")), (hits / flagged if flagged else float("nan"))


def _top(scores: Floats, y_true: NDArray[Any]) -> tuple[NDArray[np.bool_], Floats]:
    """Whether each row's first choice is right, and its score."""
    top = np.argmax(scores, axis=1)
    return top == y_true, np.take_along_axis(scores, top[:, None], axis=1)[:, 0]
