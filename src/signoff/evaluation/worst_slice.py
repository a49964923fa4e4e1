"""The search for the worst slice: every value of every column, and every two values of two columns, by their losses.

Imported by the modules of `evaluation`. The search asks one question of each slice, whether its rows have larger
losses than all others, and corrects for how often it asked, so that what it reports is not what chance always offers to
whoever looks long enough. Nothing here knows metrics: `slice_search` puts what is found into words.

The tests need no assumption about the losses but that, in a slice that is like the others, each row is as likely as any
other to have any of them: for losses of 0 and 1 Fisher's exact test (1935), else Wilcoxon's rank sum (1945) in its
normal form, whose tail is too large rather than too small on few rows. The share of false alarms among what is reported
is kept by Benjamini and Yekutieli (2001), which holds however the slices overlap.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from signoff.evaluation.multiplicity import benjamini_yekutieli
from signoff.evaluation.slicing import Slicing

Floats = NDArray[np.float64]
Codes = NDArray[Any]

SMALLEST = 30
"""Rows that a slice, and the rest, must have to be looked at."""
MOST_COLUMNS = 25
"""Of which all pairs are searched, 300 of them."""
MOST_VALUES = 100
"""Per column, the most frequent, that are paired with those of another."""
MOST_ECHOES = 200
"""Of the slices found, how many are asked whether they add anything to the worse ones."""
SURELY = 3.0
"""By how many standard errors they must be worse without the rows of the worse ones."""


@dataclass(frozen=True, slots=True)
class Found:
    """A slice whose rows have surely larger losses. `codes` are into each column's values; -1 is the empty one.

    `excess` is its mean loss less that of all other rows, `surely` the low end of that difference's interval, at a
    level that allows for the search (Benjamini and Yekutieli, "False discovery rate-adjusted multiple confidence
    intervals for selected parameters", JASA 100 (2005)).
    """

    columns: tuple[str, ...]
    codes: tuple[int, ...]
    n: int
    excess: float
    surely: float
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class Search:
    """What was found, worst first, how many slices were looked at, and the level for their intervals."""

    found: tuple[Found, ...]
    looked_at: int
    level: float
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Tally:
    """Per candidate slice: its columns and codes, rows, and the sums of losses, of their squares and of their ranks."""

    columns: Codes
    codes: Codes
    n: Floats
    losses: Floats
    squares: Floats
    ranks: Floats


def search(
    losses: Floats,
    slicings: Sequence[Slicing],
    *,
    group: Codes | None = None,
    false_discoveries: float = 0.05,
    smallest: int = SMALLEST,
    most: int = 10,
) -> Search:
    """The slices of up to two columns whose rows have surely larger losses than the rest, worst first, at most `most`.

    `losses` (n,): larger is worse. `group`: rows of one cluster, which count for less where their losses are alike. A
    slice that is only worse because of rows that a worse one holds is not named again. Weights do not enter. Time:
    about 10 ns per row and pair of columns.
    """
    used, left_out = list(slicings[:MOST_COLUMNS]), []
    if len(slicings) > MOST_COLUMNS:
        left_out.append(f"only the first {MOST_COLUMNS} of {len(slicings)} columns were searched")
    is_binary = bool(((losses == 0) | (losses == 1)).all()) and group is None
    ranks = losses if is_binary else np.asarray(stats.rankdata(losses))
    tally = _tally(used, losses, ranks, smallest, is_binary=is_binary)
    if any(len(slicing.values) > MOST_VALUES for slicing in used) and len(used) > 1:
        left_out.append(f"of columns with many values, the {MOST_VALUES} most frequent were combined with others")
    p_values = _p_values(tally, ranks, _design_effect(ranks, group), is_binary=is_binary)
    adjusted = benjamini_yekutieli(p_values)
    excess = _excess(tally, losses)
    chosen = np.flatnonzero((adjusted <= false_discoveries) & (excess > 0))
    looked_at = len(p_values)
    if not len(chosen):
        return Search((), looked_at, 1.0 - false_discoveries, tuple(left_out))
    harmonic = float(np.sum(1.0 / np.arange(1, looked_at + 1)))
    level = 1.0 - false_discoveries * len(chosen) / (looked_at * harmonic)
    error = _error_of_excess(tally, losses) * _design_effect(losses, group) ** 0.5
    surely = excess - float(stats.norm.isf((1.0 - level) / 2.0)) * error
    order = chosen[np.argsort(-surely[chosen], kind="stable")]
    kept = _that_add(tally, order[:MOST_ECHOES], used, losses, smallest)[:most]
    found = tuple(
        Found(
            tuple(used[column].column for column in tally.columns[index] if column >= 0),
            tuple(
                int(code) for column, code in zip(tally.columns[index], tally.codes[index], strict=True) if column >= 0
            ),
            int(tally.n[index]),
            float(excess[index]),
            float(surely[index]),
            float(adjusted[index]),
        )
        for index in kept
    )
    return Search(found, looked_at, level, tuple(left_out))


def _tally(used: Sequence[Slicing], losses: Floats, ranks: Floats, smallest: int, *, is_binary: bool) -> _Tally:
    """All candidates: one count and up to three sums per column and per pair of columns."""
    summed = [losses] if is_binary else [losses, losses**2, ranks]
    columns, codes, sums = [], [], []

    def add(which: tuple[int, int], joint: Codes, names: tuple[Codes, Codes]) -> None:
        width = len(names[1]) + 1
        size = (len(names[0]) + 1) * width
        rows = np.bincount(joint, minlength=size)
        cells = np.flatnonzero((rows >= smallest) & (len(losses) - rows >= smallest))
        left, right = cells // width, cells % width
        is_named = (left < len(names[0])) & ((right < len(names[1])) | (which[1] < 0))
        cells, left, right = cells[is_named], left[is_named], right[is_named]
        parts = [np.bincount(joint, column, size)[cells] for column in summed]
        columns.append(np.tile(np.array(which), (len(cells), 1)))
        codes.append(np.stack([names[0][left], names[1][right] if which[1] >= 0 else np.full(len(cells), -1)], axis=1))
        sums.append(np.stack([rows[cells].astype(float), *(parts * 3 if is_binary else parts)]))

    nothing = np.empty(0, dtype=np.int64)
    narrowed = []
    for column, slicing in enumerate(used):
        joint, names = _narrowed(slicing, smallest, len(losses))
        add((column, -1), joint, (names, nothing))
        narrowed.append(_narrowed(slicing, smallest, MOST_VALUES) if len(names) > MOST_VALUES else (joint, names))
    for first, second in itertools.combinations(range(len(used)), 2):
        (one, ones), (other, others) = narrowed[first], narrowed[second]
        add((first, second), one * (len(others) + 1) + other, (ones, others))
    if not used:
        empty = np.empty((0, 2), dtype=np.int64)
        return _Tally(empty, empty, *np.empty((4, 0)))
    return _Tally(np.concatenate(columns), np.concatenate(codes), *np.concatenate(sums, axis=1))


def _narrowed(slicing: Slicing, smallest: int, most: int) -> tuple[Codes, Codes]:
    """Each row's place among the `most` frequent values with enough rows (else one past them), and their codes."""
    size = len(slicing.values) + 1
    joint = np.where(slicing.codes < 0, size - 1, slicing.codes).astype(np.int64)
    rows = np.bincount(joint, minlength=size)
    frequent = np.argsort(-rows, kind="stable")[:most]
    frequent = np.sort(frequent[rows[frequent] >= smallest])
    place = np.full(size, len(frequent))
    place[frequent] = np.arange(len(frequent))
    return place[joint], np.where(frequent == size - 1, -1, frequent)


def _p_values(tally: _Tally, ranks: Floats, design: float, *, is_binary: bool) -> Floats:
    """One-sided: that a slice of this size, drawn blindly from all rows, has losses at least this large."""
    total = len(ranks)
    if is_binary:
        return np.asarray(stats.hypergeom.sf(tally.losses - 1, total, ranks.sum(), tally.n))
    variance = ranks.var(ddof=1) if total > 1 else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(design * variance * (1.0 / tally.n - 1.0 / total))
        score = (tally.ranks / tally.n - ranks.mean()) / error
    return np.asarray(stats.norm.sf(score))


def _design_effect(values: Floats, group: Codes | None) -> float:
    """By how much the variance of a mean is larger than with independent rows: 1 + (rows per cluster - 1) * likeness.

    Kish, "Survey Sampling" (1965), with the intraclass correlation from the analysis of variance, and clusters as
    large as the average row's. At least 1.
    """
    if group is None:
        return 1.0
    _, cluster = np.unique(group, return_inverse=True)
    size = np.bincount(cluster).astype(float)
    clusters, rows = len(size), float(size.sum())
    if clusters < 2 or clusters == rows:  # noqa: PLR2004
        return 1.0
    means = np.bincount(cluster, values) / size
    between = float((size * (means - values.mean()) ** 2).sum()) / (clusters - 1)
    within = float(((values - means[cluster]) ** 2).sum()) / (rows - clusters)
    usual = (rows - float((size**2).sum()) / rows) / (clusters - 1)
    spread = between + (usual - 1.0) * within
    likeness = (between - within) / spread if spread > 0 else 0.0
    return max(1.0, 1.0 + (float((size**2).sum()) / rows - 1.0) * likeness)


def _excess(tally: _Tally, losses: Floats) -> Floats:
    excess: Floats = tally.losses / tally.n - (losses.sum() - tally.losses) / (len(losses) - tally.n)
    return excess


def _error_of_excess(tally: _Tally, losses: Floats) -> Floats:
    rest = len(losses) - tally.n
    inside = _variance(tally.n, tally.losses, tally.squares)
    outside = _variance(rest, losses.sum() - tally.losses, (losses**2).sum() - tally.squares)
    return np.asarray(np.sqrt(inside / tally.n + outside / rest))


def _variance(n: Floats, sums: Floats, squares: Floats) -> Floats:
    variance: Floats = np.maximum(squares - sums**2 / n, 0.0) / np.maximum(n - 1.0, 1.0)
    return variance


def _that_add(tally: _Tally, order: Codes, used: Sequence[Slicing], losses: Floats, smallest: int) -> list[int]:
    """Those of `order` that are still worse without the rows of those before them: a story is told once."""
    is_told = np.zeros(len(losses), dtype=bool)
    total, square = float(losses.sum()), float((losses**2).sum())
    kept = []
    for index in order:
        rows = np.ones(len(losses), dtype=bool)
        for column, code in zip(tally.columns[index], tally.codes[index], strict=True):
            if column >= 0:
                rows &= used[column].codes == code
        new = losses[rows & ~is_told]
        n, rest = len(new), len(losses) - int(tally.n[index])
        if n < smallest:
            continue
        others = (total - float(tally.losses[index])) / rest
        spread = (square - float(tally.squares[index])) / rest - others**2
        error = (float(new.var(ddof=1)) / n + max(spread, 0.0) / rest) ** 0.5
        if float(new.mean()) - others > SURELY * error:
            kept.append(int(index))
            is_told |= rows
    return kept
