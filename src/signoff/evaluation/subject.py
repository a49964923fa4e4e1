"""One metric of one file, ready for many cuts: the values of their slices, and each row's pull on its slice's value.

Imported by `slice_measures`. What is made of sums is computed for all slices of a cut together; what depends on the
ranking, slice by slice, on rows that were sorted once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signoff.evaluation.answers import Answers, answers_of
from signoff.evaluation.cut import Cut, rows_of
from signoff.evaluation.metrics import MetricSpec, gradient, influence_of, sums_by
from signoff.evaluation.paired import Both
from signoff.evaluation.predictions import Predictions

Floats = NDArray[np.float64]
Codes = NDArray[Any]


@dataclass(eq=False)
class Subject:
    """One metric of one file: what every cut needs of it, computed once."""

    spec: MetricSpec
    predictions: Predictions
    levels: Sequence[float]
    seed: int

    @cached_property
    def answers(self) -> Answers:
        """The candidate's answers."""
        answers = answers_of(self.predictions)
        if answers is None:
            raise TypeError("no predictions")
        return answers

    @cached_property
    def champion(self) -> Answers | None:
        """The champion's, where the file has what the metric needs of them."""
        champion = answers_of(self.predictions, champion=True)
        if champion is None or not self.spec.needs_scores:
            return champion
        lacks = champion.scores is None or (self.spec.needs_probability and not champion.has_probabilities)
        return None if lacks else champion

    @cached_property
    def both(self) -> Both | None:
        """Both, where there are two."""
        return None if self.champion is None else Both(self.answers, self.champion, self.predictions.group)

    @cached_property
    def columns(self) -> tuple[Floats | None, Floats | None]:
        """What is summed for the candidate and for the champion; None where it is the confusion matrix's margins."""
        of_rows = self.spec.columns
        if of_rows is None:
            return None, None
        return of_rows(self.answers), None if self.champion is None else of_rows(self.champion)

    @cached_property
    def pull(self) -> Floats:
        """Each row's pull on the candidate's value over all rows."""
        return influence_of(self.spec, self.answers)

    @cached_property
    def whole(self) -> Floats:
        """What the metric of all rows is a function of."""
        sums: Floats = self.sums(Cut((), ((),), np.zeros(len(self.answers.y_true), dtype=np.int64)))[0]
        return sums

    @cached_property
    def ranked(self) -> tuple[Codes, Answers, Answers | None, Codes]:
        """The order of the rows by each model's score, highest first, and the answers in it (candidate, champion).

        Where slices of rows are ranked, their rows come sorted already. Without one score per row: the file's order.
        """
        mine = _order(self.answers)
        if self.champion is None:
            return mine, taken(self.answers, mine), None, np.empty(0, dtype=np.int64)
        theirs = _order(self.champion)
        return mine, taken(self.answers, mine), taken(self.champion, theirs), theirs

    def values_and_pulls(self, cut: Cut, *, champion: bool = False) -> tuple[Floats, Floats]:
        """Per slice the value, and each row's pull (n,) on its slice's value; 0 for rows in no slice."""
        if self.spec.of_ranking is not None:
            return self._by_ranking(cut, champion=champion)
        sums = self.sums(cut, champion=champion)
        answers = self._answers(champion=champion)
        columns = self.columns[champion]
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.stack([gradient(self.spec, part) for part in sums])
        if columns is None:
            flat, k = slope.reshape(-1), answers.classes
            start = cut.codes * (3 * k)
            pull = flat[start + k + answers.y_true] + flat[start + 2 * k + answers.y_pred]
            pull += np.where(answers.y_true == answers.y_pred, flat[start + answers.y_true], 0.0)
        else:
            pull = np.zeros(len(cut.codes))
            for number, column in enumerate(columns.T):
                pull += column * slope[cut.codes, number]
        return self.function(sums), np.where(cut.codes >= 0, pull * answers.weight, 0.0)

    def sums(self, cut: Cut, *, champion: bool = False) -> Floats:
        """Per slice what the metric is a function of."""
        answers, columns = self._answers(champion=champion), self.columns[champion]
        if columns is None:
            return sums_by(self.spec, answers, cut.codes, len(cut.names))
        inside = slice(None) if cut.is_whole else cut.codes >= 0
        codes, weight = cut.codes[inside], answers.weight[inside]
        return np.stack([np.bincount(codes, column[inside] * weight, len(cut.names)) for column in columns.T], axis=-1)

    @property
    def function(self) -> Callable[[Floats], Floats]:
        """The metric from its sums."""
        if self.spec.of_sums is None:
            raise TypeError(f"{self.spec.name} is not a function of sums")
        return self.spec.of_sums

    def rank(self, answers: Answers) -> tuple[float, Floats]:
        """A metric of the ranking and the pulls on it; undefined on no rows."""
        if self.spec.of_ranking is None:
            raise TypeError(f"{self.spec.name} is no metric of the ranking")
        return self.spec.of_ranking(answers) if len(answers.y_true) else (float("nan"), np.empty(0))

    def _answers(self, *, champion: bool) -> Answers:
        answers = self.champion if champion else self.answers
        if answers is None:
            raise TypeError("no champion")
        return answers

    def _by_ranking(self, cut: Cut, *, champion: bool) -> tuple[Floats, Floats]:
        mine, ours, theirs, other = self.ranked
        order, answers = (other, theirs) if champion else (mine, ours)
        if answers is None:
            raise TypeError("no champion")
        value, ordered = np.full(len(cut.names), np.nan), np.zeros(len(order))
        for number, rows in enumerate(rows_of(cut, cut.codes[order])):
            value[number], ordered[rows] = self.rank(taken(answers, rows))
        pull = np.empty(len(order))
        pull[order] = ordered
        return value, pull


def taken(answers: Answers, rows: Codes) -> Answers:
    """The answers to some rows, in their order."""
    return Answers(
        answers.task,
        answers.classes,
        answers.y_true[rows],
        answers.y_pred[rows],
        None if answers.scores is None else answers.scores[rows],
        answers.weight[rows],
        answers.is_weighted,
    )


def _order(answers: Answers) -> Codes:
    if answers.scores is None or answers.scores.ndim > 1:
        return np.arange(len(answers.y_true))
    return np.argsort(-answers.scores, kind="stable")
