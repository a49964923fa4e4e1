"""What a test step's predictions file says, checked and in arrays: what every function of this package starts from.

Imported by the modules of `evaluation`, and by `engine`'s worker code inside functions.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from signoff.domain.errors import PredictionsError
from signoff.domain.evidence import Task
from signoff.evaluation.columns import MOST_CLASSES_IN_NUMBERS, Column, codes_among
from signoff.evaluation.slicing import LONGEST_VALUE, Slicing, slicing_of
from signoff.evaluation.table import Limits, read_table

__all__ = ["Limits", "Predictions", "Slicing", "read_predictions"]

MOST_CLASSES = 1000

_OWN = frozenset(
    {"y_true", "y_pred", "y_score", "champion_pred", "champion_score", "weight", "group", "latency_ms", "id"}
)


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

    @property
    def has_champion(self) -> bool:
        """Whether the champion's answers to the same rows are there."""
        return self.champion_pred is not None


def read_predictions(path: Path, *, task: Task | None = None, limits: Limits | None = None) -> Predictions:
    """The predictions in a ``.csv`` or ``.parquet`` file; raises `PredictionsError` naming file, column and row.

    The task, unless it is said: text, true and false, and whole numbers of which y_true and y_pred together have at
    most 20, are classes (two: binary; more: multiclass); other numbers are a regression. Of two classes the
    second in order is the positive one (1, true, yes, spam). Rows are counted from 1, after the header.
    """
    table = read_table(path, limits or Limits())
    columns = {name: Column(path.name, name, table.column(name)) for name in table.column_names}
    return _Reader(path.name, columns, task).read()


class _Reader:
    """Gives each column of one file its meaning."""

    def __init__(self, source: str, columns: dict[str, Column], task: Task | None) -> None:
        self.source = source
        self.columns = columns
        self.notes: list[str] = []
        self.used = set(_OWN)
        for name in ("y_true", "y_pred"):
            self._need(name)
            columns[name].check_full()
        self.as_number = any(columns[name].whole_values() is not None for name in ("y_true", "y_pred"))
        self.task = task or self._recognised()
        self.labels = () if self.task is Task.REGRESSION else self._labels()
        if self.task is Task.BINARY and len(self.labels) > 2:  # noqa: PLR2004
            raise PredictionsError(
                f"{source}: {len(self.labels)} classes ({_some(self.labels)}) where the task is binary.",
                "Say task: multiclass, or put the classes together to two.",
            )
        if task is None and self.task is not Task.REGRESSION:
            self.task = Task.BINARY if len(self.labels) == 2 else Task.MULTICLASS  # noqa: PLR2004

    def read(self) -> Predictions:
        y_true = self._answers("y_true")
        champion = self._answers("champion_pred") if "champion_pred" in self.columns else None
        scores = self._scores("y_score")
        champion_scores = self._scores("champion_score")
        if champion is None and champion_scores is not None:
            raise PredictionsError(
                f"{self.source} has champion_score and no champion_pred.", "Write the champion's answers too."
            )
        group = self._group()
        slices = self._slices()
        return Predictions(
            task=self.task,
            labels=self.labels,
            y_true=y_true,
            y_pred=self._answers("y_pred"),
            scores=scores,
            champion_pred=champion,
            champion_scores=champion_scores,
            weight=self._weight(),
            group=group,
            latency_ms=self.columns["latency_ms"].floats(least=0) if "latency_ms" in self.columns else None,
            slices=slices,
            source=self.source,
            digest=_digest(self.task, self.labels, y_true, group, slices),
            notes=tuple(self.notes),
        )

    def _need(self, name: str) -> None:
        if name in self.columns:
            return
        names = list(self.columns)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}?" if near else "Every predictions file needs y_true and y_pred."
        if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
            hint = "Separate the values with commas."
        raise PredictionsError(f"{self.source} has no column {name!r} (it has {_some(names)}).", hint)

    def _recognised(self) -> Task:
        true, answer = self.columns["y_true"], self.columns["y_pred"]
        if not (true.is_number and answer.is_number):
            return Task.MULTICLASS
        values = [column.whole_values() for column in (true, answer)]
        if values[0] is not None and values[1] is not None:
            together = np.union1d(values[0], values[1])
            return Task.MULTICLASS if len(together) <= MOST_CLASSES_IN_NUMBERS else Task.REGRESSION
        if values[0] is not None and set(values[0].tolist()) <= {0, 1}:
            numbers = answer.floats()
            if numbers.min() >= 0 and numbers.max() <= 1:
                row = int(np.flatnonzero(np.floor(numbers) != numbers)[0])
                raise answer.refusal(
                    row,
                    f"{numbers[row]:g} where y_true is 0 or 1",
                    "Write probabilities in y_score and the class in y_pred, or say task: regression.",
                )
        return Task.REGRESSION

    def _labels(self) -> tuple[str, ...]:
        seen: set[str] = set()
        for name in ("y_true", "y_pred"):
            column = self.columns[name]
            if column.is_number:
                column.floats()
            seen.update(column.encoded(as_number=self.as_number)[1])
        for pair in ({"0", "1"}, {"false", "true"}):
            if len(seen) == 1 and seen < pair:
                seen = pair
        if len(seen) < 2:  # noqa: PLR2004
            raise PredictionsError(
                f"{self.source}: y_true and y_pred hold one class only ({_some(sorted(seen))}).",
                "A test set needs rows of at least two classes.",
            )
        longest = max(seen, key=len)
        if len(longest) > LONGEST_VALUE:
            raise PredictionsError(
                f"{self.source}: a class's name has {len(longest):,} characters.",
                "Give classes names that people can read.",
            )
        if len(seen) > MOST_CLASSES:
            raise PredictionsError(
                f"{self.source}: {len(seen):,} classes, more than {MOST_CLASSES:,}.",
                "Say task: regression if so it is.",
            )
        return tuple(sorted(seen, key=_natural))

    def _answers(self, name: str) -> NDArray[Any]:
        column = self.columns[name]
        if self.task is Task.REGRESSION:
            return column.floats()
        return codes_among(column, {label: code for code, label in enumerate(self.labels)}, as_number=self.as_number)

    def _scores(self, stem: str) -> NDArray[np.float64] | None:
        """Of the positive class (n,), or of every class (n, k)."""
        each = {label: f"{stem}_{label}" for label in self.labels}
        per_class = {label: name for label, name in each.items() if name in self.columns}
        self.used.update(per_class.values())
        if self.task is Task.REGRESSION:
            if stem in self.columns:
                self.notes.append(f"{stem} is not used: a regression's answer is y_pred.")
            return None
        if self.task is Task.BINARY:
            name = stem if stem in self.columns else per_class.get(self.labels[1])
            if name is None:
                return None
            scores = self.columns[name].floats()
            outside = np.flatnonzero((scores < 0) | (scores > 1))
            if outside.size:
                self.notes.append(
                    f"{name} is {scores[outside[0]]:g} in row {outside[0] + 1}, so it is no probability: "
                    "log_loss, brier and calibration are left out."
                )
            return scores
        if stem in self.columns:
            raise PredictionsError(
                f"{self.source}: one column {stem!r} for {len(self.labels)} classes.",
                f"Write a column per class: {', '.join(list(each.values())[:3])}, ...",
            )
        if not per_class:
            return None
        missing = [name for label, name in each.items() if label not in per_class]
        if missing:
            raise PredictionsError(f"{self.source} has no column {missing[0]!r}.", "Write one for each class.")
        return np.stack([self.columns[name].floats() for name in each.values()], axis=1)

    def _weight(self) -> NDArray[np.float64] | None:
        if "weight" not in self.columns:
            return None
        weight = self.columns["weight"].floats(least=0)
        if not weight.sum() > 0:
            raise PredictionsError(f"{self.source}, column 'weight': every weight is 0.", "Some row has to count.")
        return weight

    def _group(self) -> NDArray[np.int64] | None:
        if "group" not in self.columns:
            return None
        column = self.columns["group"]
        column.check_full()
        codes = column.encoded()[0]
        if int(codes.max()) == 0:
            raise PredictionsError(
                f"{self.source}, column 'group': every row is in one group.", "Name at least two groups, or none."
            )
        return codes

    def _slices(self) -> dict[str, Slicing]:
        slices = {}
        for name, column in self.columns.items():
            if name in self.used:
                continue
            slicing = slicing_of(column)
            if slicing is None:
                different = "" if not column.is_text else f": {len(column.encoded()[1]):,} different values"
                self.notes.append(f"{name} is no slice column{different}.")
            else:
                slices[name] = slicing
        return slices


def _natural(label: str) -> tuple[int, float, str]:
    """Whole numbers by size, before text by its letters."""
    try:
        return 0, float(int(label)), label
    except ValueError:
        return 1, 0.0, label


def _some(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in list(names)[:8]) + (", ..." if len(names) > 8 else "")  # noqa: PLR2004


def _digest(
    task: Task,
    labels: tuple[str, ...],
    y_true: NDArray[Any],
    group: NDArray[np.int64] | None,
    slices: Mapping[str, Slicing],
) -> str:
    """Of what is true of the rows, in order; neither predictions nor the order of the columns matter."""
    whole = hashlib.sha256()

    def take(name: str, values: Sequence[str], codes: NDArray[Any]) -> None:
        whole.update(json.dumps([name, list(values), str(codes.dtype), len(codes)]).encode())
        whole.update(np.ascontiguousarray(codes).data)

    if task is Task.REGRESSION:
        take("y_true", (), y_true)
    else:
        occurring, codes = np.unique(y_true, return_inverse=True)
        take("y_true", [labels[code] for code in occurring], codes.astype(np.int32))
    if group is not None:
        take("group", (), group)
    for name in sorted(slices):
        take(f"slice {name}", slices[name].values, slices[name].codes)
    return f"sha256:{whole.hexdigest()}"
