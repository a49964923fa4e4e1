"""How often each interval holds the truth: simulated, for every method, at several sizes and populations.

    python benchmarks/coverage.py [--rounds 1000] [--sizes 50 200 1000 25000] [--write] [--only NAME]

Draws test sets from populations whose metrics are known, and counts. An honest 95 % interval holds the truth in 95 % of
them, and misses it as often above as below. `--write` puts the table into docs/reference/interval-coverage.md.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a process per core already

import numpy as np
from machine import about, report
from populations import POPULATIONS, ROWS_OF_TRUTH

from signoff.evaluation.intervals import estimate_all

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "interval-coverage.md"
LEVEL = 0.95
CORES = 2


@dataclass(frozen=True)
class Row:
    """One metric of one population at one size: parts of the rounds, and the middle width."""

    population: str
    metric: str
    n: int
    method: str
    rounds: int
    held: float
    too_high: float
    too_low: float
    none: float
    width: float

    @property
    def is_missed(self) -> bool:
        """Whether it holds the truth in fewer rounds than chance allows an honest interval."""
        return bool(self.held < LEVEL - 0.02 - 2 * np.sqrt(LEVEL * (1 - LEVEL) / max(self.rounds, 1)))


def simulate(number: int, n: int, rounds: int, truth: dict[str, float]) -> list[Row]:
    """So many test sets of one population and size."""
    population = POPULATIONS[number]
    ends: dict[str, list[tuple[float, float]]] = defaultdict(list)
    methods: dict[str, Counter[str]] = defaultdict(Counter)
    for turn in range(rounds):
        drawn = population.draw(np.random.default_rng([number, n, turn]), n)
        if drawn.labels and len(np.unique(drawn.y_true)) < 2:  # noqa: PLR2004
            continue
        for name, estimate in estimate_all(drawn, levels=(LEVEL,), seed=turn).items():
            interval = estimate.at(LEVEL)
            methods[name][estimate.method] += 1
            ends[name].append((np.nan, np.nan) if interval is None else (interval.low, interval.high))
    rows = []
    for name, pairs in ends.items():
        low, high = np.array(pairs).T
        known = np.isfinite(low)
        if not known.any() or not np.isfinite(truth[name]):
            continue
        low, high = low[known], high[known]
        above, below = np.mean(low > truth[name]), np.mean(high < truth[name])
        rows.append(
            Row(
                population.name,
                name,
                n,
                max((name for name in methods[name] if name), key=methods[name].__getitem__),
                int(known.sum()),
                float(1 - above - below),
                float(above),
                float(below),
                float(1 - known.mean()),
                float(np.median(high - low)),
            )
        )
    return rows


def table(rows: list[Row]) -> str:
    """Markdown; what misses is marked."""
    lines = [
        "| population | metric | rows | method | holds the truth | all too high | all too low | middle width | |",
        "|---|---|--:|---|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        words = "**misses**" if row.is_missed else ""
        if row.none > 0.005:  # noqa: PLR2004
            words = f"{words} none in {100 * row.none:.0f} % of the rounds".strip()
        lines.append(
            f"| {row.population} | {row.metric} | {row.n:,} | {row.method} | {100 * row.held:.1f} % "
            f"| {100 * row.too_high:.1f} % | {100 * row.too_low:.1f} % | {row.width:.3g} | {words} |"
        )
    return "\n".join(lines)


def page(rows: list[Row], rounds: int) -> str:
    """The generated part of the documentation's page."""
    missed = [row for row in rows if row.is_missed]
    populations = "\n".join(f"- **{item.name}**: {item.about}" for item in POPULATIONS)
    worst = sorted(missed, key=lambda row: row.held)
    lines = "\n".join(
        f"- {row.metric} ({row.population}, {row.n:,} rows, {row.method}): {100 * row.held:.1f} %" for row in worst
    )
    error = 100 * np.sqrt(LEVEL * (1 - LEVEL) / rounds)
    return (
        f"{len(rows)} combinations, {rounds:,} test sets each (half of that from 10,000 rows), intervals of "
        f"{100 * LEVEL:.0f} %. The simulation's own error is about {error:.1f} points. The truth is the metric in "
        f"{ROWS_OF_TRUTH:,} rows. A combination is said to *miss* when it holds the truth in fewer than 93 % of the "
        f"test sets, by more than twice that error.\n\n{populations}\n\n"
        f"## What misses\n\n{len(missed)} of {len(rows)}:\n\n{lines or '- nothing'}\n\n## Everything\n\n{table(rows)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 200, 1000, 25_000])
    parser.add_argument("--only", nargs="+", default=[item.name for item in POPULATIONS])
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    known = about("numpy", "scipy")
    print(known)
    began = time.perf_counter()
    numbers = [number for number, item in enumerate(POPULATIONS) if item.name in arguments.only]
    with ProcessPoolExecutor(CORES) as pool:
        truths = dict(zip(numbers, pool.map(truth_of, numbers), strict=True))
        jobs = [
            pool.submit(simulate, number, n, arguments.rounds // (2 if n >= 10_000 else 1), truths[number])  # noqa: PLR2004
            for number in numbers
            for n in arguments.sizes
        ]
        rows = [row for job in jobs for row in job.result()]
    rows.sort(key=lambda row: (numbers.index(_number(row.population)), row.metric, row.n))
    print(table(rows))
    if arguments.write:
        before = PAGE.read_text(encoding="utf-8")
        filled = re.sub(
            r"(<!-- generated: coverage -->\n).*(<!-- end -->)",
            lambda found: found[1] + "\n" + page(rows, arguments.rounds) + "\n" + found[2],
            before,
            flags=re.DOTALL,
        )
        PAGE.write_text(filled, encoding="utf-8")
    figures: dict[str, object] = {
        "rounds": arguments.rounds,
        "combinations": len(rows),
        "missed": len([row for row in rows if row.is_missed]),
        "lowest": round(min(row.held for row in rows), 3),
        "middle": round(float(np.median([row.held for row in rows])), 3),
        "seconds": round(time.perf_counter() - began, 1),
    }
    report("coverage", known, figures)


def truth_of(number: int) -> dict[str, float]:
    return POPULATIONS[number].truth()


def _number(name: str) -> int:
    return next(number for number, item in enumerate(POPULATIONS) if item.name == name)


if __name__ == "__main__":
    main()
