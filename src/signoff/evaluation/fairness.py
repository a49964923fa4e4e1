"""How far the groups of a sensitive column are apart, with an interval: demographic parity and equalised odds.

Imported by the modules of `evaluation`, and by `engine`'s worker code inside functions. A gap is the largest rate of
any group minus the smallest, so chance alone makes it larger than 0; its interval is made of the intervals of all
differences between two groups at once, and is therefore never too narrow, however many groups there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from signoff.domain.evidence import FairnessGap, Interval, Task
from signoff.evaluation.paired_proportions import wilson
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.rates import Rates, rates_of
from signoff.evaluation.slicing import EMPTY, Slicing

Floats = NDArray[np.float64]

MOST_GROUPS = 100
FEW_ROWS = 30
METHOD = "newcombe-tukey"


def fairness_gaps(
    predictions: Predictions, sensitive: Sequence[str], *, level: float = 0.95
) -> tuple[tuple[FairnessGap, ...], tuple[str, ...]]:
    """The gaps of each sensitive column by both definitions, and in sentences what could not be said, and why.

    *Demographic parity* (Dwork et al., "Fairness through awareness", 2012; Calders and Verwer 2010): the share of
    positive predictions is the same in every group. *Equalised odds* (Hardt, Price and Srebro, "Equality of opportunity
    in supervised learning", 2016): so is the true positive rate, and so is the false positive rate; the gap is the
    larger of the two. Values equal `fairlearn.metrics`.
    """
    if sensitive and predictions.task is not Task.BINARY:
        kind = "a regression" if predictions.task is Task.REGRESSION else "more than two classes"
        said = (
            f"No fairness gaps: demographic parity and equalised odds are defined for a yes-or-no answer, and this is "
            f"{kind}. The slices of {', '.join(sensitive)} show how the metrics differ."
        )
        return (), (said,)
    gaps: list[FairnessGap] = []
    notes: list[str] = []
    for column in sensitive:
        slicing = predictions.slices.get(column)
        if slicing is None:
            notes.append(f"No fairness gaps for {column}: {predictions.source} has no such column.")
        elif len(slicing.values) > MOST_GROUPS:
            notes.append(
                f"No fairness gaps for {column}: it has {len(slicing.values):,} values, and at most {MOST_GROUPS} "
                f"groups are compared."
            )
        else:
            found, doubts = _gaps_of(predictions, slicing, level)
            gaps += found
            notes += doubts
    return tuple(gaps), tuple(notes)


def gap_interval(rates: Rates, *, level: float = 0.95) -> tuple[float, float]:
    """The interval (low, high) of the largest rate minus the smallest, over groups that have rows.

    Newcombe's square-and-add interval for two independent shares (Statistics in Medicine 17 (1998) 873-890, method 10)
    for every two groups at once, by the critical value of Tukey and Kramer (Kramer 1956): with two groups the usual
    interval; with more, the largest difference lies between the largest low end and the largest high end.
    """
    known = rates.rows > 0
    rate, rows = rates.rate[known], rates.rows[known]
    z = tukey_z(len(rate), level)
    low, high = wilson(rate * rows, rows, float(2.0 * stats.norm.cdf(z) - 1.0))
    below, above = rate - low, high - rate
    apart = rate[:, None] - rate[None, :]
    lowest = apart - np.hypot(below[:, None], above[None, :])
    highest = apart + np.hypot(above[:, None], below[None, :])
    np.fill_diagonal(lowest, 0.0)
    np.fill_diagonal(highest, 0.0)
    return max(float(lowest.max()), 0.0), min(float(highest.max()), 1.0)


def tukey_z(groups: int, level: float) -> float:
    """By how many standard errors of a difference no two of `groups` equal groups are apart, with that confidence."""
    if groups <= 2:  # noqa: PLR2004
        return float(stats.norm.ppf(0.5 + level / 2.0))
    return float(stats.studentized_range.ppf(level, groups, np.inf) / np.sqrt(2.0))


def _gaps_of(predictions: Predictions, slicing: Slicing, level: float) -> tuple[list[FairnessGap], list[str]]:
    names = [*slicing.values, EMPTY]
    codes = np.where(slicing.codes < 0, len(slicing.values), slicing.codes).astype(np.int64)
    chosen, true = predictions.y_pred == 1, predictions.y_true == 1

    def rates(rows: NDArray[np.bool_]) -> Rates:
        weight = None if predictions.weight is None else predictions.weight[rows]
        cluster = None if predictions.group is None else predictions.group[rows]
        return rates_of(chosen[rows], codes[rows], len(names), weight, cluster)

    selected, caught, alarmed = rates(np.ones(len(codes), dtype=bool)), rates(true), rates(~true)
    present = [index for index in range(len(names)) if selected.rows[index] > 0]
    column = slicing.column
    if len(present) < 2:  # noqa: PLR2004
        return [], [f"No fairness gaps for {column}: all rows have the same value."]
    notes = []
    small = [names[index] for index in present if selected.rows[index] < FEW_ROWS]
    if small:
        notes.append(f"Fairness of {column}: few rows in {', '.join(small)}, so the gaps are not sure.")
    gaps = [
        FairnessGap(
            column,
            "demographic_parity",
            _gap(selected),
            Interval(*gap_interval(selected, level=level), level, METHOD),
            {names[index]: float(selected.rate[index]) for index in present},
        )
    ]
    for rows, label in ((caught, "positive"), (alarmed, "negative")):
        without = [names[index] for index in present if rows.rows[index] <= 0]
        if without:
            notes.append(
                f"Equalised odds of {column}: {', '.join(without)} has no truly {label} rows and is left out there."
            )
    comparable = [part for part in (caught, alarmed) if int((part.rows > 0).sum()) >= 2]  # noqa: PLR2004
    if comparable:
        # Two intervals that must hold at once: each gets half of the chance of error (Bonferroni).
        ends = [gap_interval(part, level=1.0 - (1.0 - level) / len(comparable)) for part in comparable]
        shown = {
            f"{names[index]}: {kind}": float(part.rate[index])
            for (part, kind), index in itertools.product(
                ((caught, "true positive rate"), (alarmed, "false positive rate")), present
            )
            if part.rows[index] > 0
        }
        interval = Interval(max(low for low, _ in ends), max(high for _, high in ends), level, METHOD)
        gaps.append(FairnessGap(column, "equalised_odds", max(map(_gap, comparable)), interval, shown))
    else:
        notes.append(f"No equalised odds for {column}: no two groups have rows of the same true class.")
    return gaps, notes


def _gap(rates: Rates) -> float:
    known = rates.rate[rates.rows > 0]
    return float(known.max() - known.min())
