"""How often the interval of a paired difference holds the truth, and how often a difference that is there is found.

    python benchmarks/paired_coverage.py [--rounds 200] [--sizes 60 300 2000] [--only NAME]

Draws test sets that two models answered, from scenes whose true differences are known (from 2 million rows), and
counts: how often the 95 % interval holds the true difference, how often it lies above and below it, how often the
p-value is below 0.05 where there is no difference, and, with the difference called detectable, how often it is found.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a process per core already

import numpy as np
from machine import about, report
from numpy.typing import NDArray

from signoff.domain.evidence import Task
from signoff.evaluation.fairness import fairness_gaps
from signoff.evaluation.paired import compare
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.slicing import Slicing

LEVEL = 0.95
CORES = 2
ROWS_OF_TRUTH = 1_000_000
PARTS_OF_TRUTH = 2
FEWEST = 0.93

Draw = Callable[[np.random.Generator, int], Predictions]


@dataclass(frozen=True)
class Row:
    """One metric of one scene at one size, in parts of the rounds."""

    scene: str
    metric: str
    n: int
    method: str
    held: float
    too_high: float
    too_low: float
    found: float
    width: float


def two_classes(
    rng: np.random.Generator, n: int, *, positives: float, lift: float, alike: float, together: int = 0
) -> Predictions:
    """A candidate that separates the classes by `lift` more than the champion; `alike`: how much their errors are.

    `together`: rows per cluster, which are hard or easy together.
    """
    y_true = (rng.random(n) < positives).astype(np.int64)
    shared = rng.normal(size=n)
    group = None
    if together:
        group = np.arange(n, dtype=np.int64) // together
        shared = 0.7 * shared + 0.7 * rng.normal(size=int(group.max()) + 1)[group]
    scores = [
        1 / (1 + np.exp(-((2.0 + better) * (y_true - 0.5) + alike**0.5 * shared + (1 - alike) ** 0.5 * noise)))
        for better, noise in ((lift, rng.normal(size=n)), (0.0, rng.normal(size=n)))
    ]
    answers = [(score > 0.5).astype(np.int64) for score in scores]  # noqa: PLR2004
    columns = {"site": Slicing("site", ("a", "b", "c"), rng.choice(3, n, p=[0.6, 0.3, 0.1]).astype(np.int32))}
    return _predictions(Task.BINARY, ("no", "yes"), y_true, answers, scores, group, columns)


def errors(rng: np.random.Generator, n: int, *, lift: float) -> Predictions:
    """Two regressions with skewed errors that go together."""
    y_true, shared = rng.gamma(4.0, 2.0, n), rng.gamma(1.5, 1.0, n) - 1.5
    answers = [y_true + size * shared + 0.4 * rng.normal(size=n) for size in (1.0 - lift, 1.0)]
    return _predictions(Task.REGRESSION, (), y_true, answers, [None, None], None, {})


def _predictions(
    task: Task,
    labels: tuple[str, ...],
    y_true: NDArray[np.float64] | NDArray[np.int64],
    answers: Sequence[NDArray[np.float64]] | Sequence[NDArray[np.int64]],
    scores: Sequence[NDArray[np.float64]] | Sequence[None],
    group: NDArray[np.int64] | None,
    columns: dict[str, Slicing],
) -> Predictions:
    return Predictions(
        task, labels, y_true, answers[0], scores[0], answers[1], scores[1], None, group, None, columns, "drawn", ""
    )


SCENES: dict[str, Draw] = {
    "balanced, better": lambda rng, n: two_classes(rng, n, positives=0.5, lift=0.5, alike=0.7),
    "rare positives, better": lambda rng, n: two_classes(rng, n, positives=0.08, lift=0.5, alike=0.7),
    "no difference": lambda rng, n: two_classes(rng, n, positives=0.3, lift=0.0, alike=0.7),
    "nearly the same answers": lambda rng, n: two_classes(rng, n, positives=0.3, lift=0.1, alike=0.97),
    "clusters of 10 rows": lambda rng, n: two_classes(rng, n, positives=0.3, lift=0.5, alike=0.5, together=10),
    "regression, skewed": lambda rng, n: errors(rng, n, lift=0.1),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--sizes", type=int, nargs="+", default=[60, 300, 2000])
    options.add_argument("--only", help="scenes whose name has this in it")
    chosen = options.parse_args()
    begin = time.perf_counter()
    known = about("numpy", "scipy")
    print(known)
    names = [name for name in SCENES if chosen.only is None or chosen.only in name]
    with ProcessPoolExecutor(CORES) as pool:
        truths = dict(zip(names, pool.map(truth_of, names), strict=True))
        tasks = [(name, n, rounds_for(n, chosen.rounds), truths[name]) for name in names for n in chosen.sizes]
        rows = [row for some in pool.map(simulate, *zip(*tasks, strict=True)) for row in some]
    print(f"{'scene':26}{'metric':24}{'rows':>7}  {'method':20}   held  above  below  found    width")
    for row in rows:
        flag = "  <-" if row.held < FEWEST else ""
        print(
            f"{row.scene:26}{row.metric:24}{row.n:>7}  {row.method:20}{row.held:>7.3f}{row.too_high:>7.3f}"
            f"{row.too_low:>7.3f}{row.found:>7.3f}{row.width:>9.4f}{flag}"
        )
    held = [row.held for row in rows]
    print(f"held in {np.mean(held):.3f} of all, least {min(held):.3f}; {time.perf_counter() - begin:.0f} s")
    report("paired_coverage", known, {"mean": round(float(np.mean(held)), 4), "least": min(held), "cells": len(rows)})


def rounds_for(n: int, rounds: int) -> int:
    """Fewer rounds of large sizes, so that all of it ends in minutes."""
    return rounds if n <= 5000 else max(rounds // 4, 50)  # noqa: PLR2004


def truth_of(name: str) -> dict[str, float]:
    """The true difference of each metric, and the true gaps."""
    parts: dict[str, list[float]] = defaultdict(list)
    for part in range(PARTS_OF_TRUTH):
        drawn = SCENES[name](np.random.default_rng([99, part]), ROWS_OF_TRUTH)
        for comparison in compare(drawn):
            parts[comparison.metric].append(comparison.difference.value)
    return {metric: float(np.mean(values)) for metric, values in parts.items()} | {
        "demographic_parity": 0.0,
        "equalised_odds": 0.0,
    }


def simulate(name: str, n: int, rounds: int, truth: dict[str, float]) -> list[Row]:
    """So many test sets of one scene and size."""
    ends: dict[str, list[tuple[float, float, bool, str]]] = defaultdict(list)
    for turn in range(rounds):
        drawn = SCENES[name](np.random.default_rng([n, turn]), n)
        for comparison in compare(drawn, levels=(LEVEL,), seed=turn):
            interval, p_value = comparison.difference.interval, comparison.p_value
            if interval is not None and p_value is not None:
                ends[comparison.metric].append((interval.low, interval.high, p_value < 1 - LEVEL, comparison.method))
        for gap in fairness_gaps(drawn, list(drawn.slices), level=LEVEL)[0]:
            if gap.interval is not None:
                ends[gap.definition].append(
                    (gap.interval.low, gap.interval.high, gap.interval.low > 0, "newcombe-tukey")
                )
    rows = []
    for metric, seen in ends.items():
        low, high = (np.array([each[place] for each in seen], dtype=float) for place in (0, 1))
        above, below = float(np.mean(low > truth[metric])), float(np.mean(high < truth[metric]))
        rows.append(
            Row(
                name,
                metric,
                n,
                seen[0][3],
                1 - above - below,
                above,
                below,
                float(np.mean([each[2] for each in seen])),
                float(np.median(high - low)),
            )
        )
    return rows


if __name__ == "__main__":
    main()
