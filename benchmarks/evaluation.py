"""Everything that predictions say, of 1,000,000 rows with 10 slice columns and of 10,000, and where the time goes.

    python benchmarks/evaluation.py [--rows 10000 1000000] [--profile]

The floor is plain scikit-learn: the same metrics' points of both models, without intervals, slices or pictures. Each
size runs in a process of its own, so that `memory` is its own peak (ru_maxrss, imports and the file included).
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from machine import about, report
from sklearn import metrics as field

from signoff.evaluation.fairness import fairness_gaps
from signoff.evaluation.intervals import estimate_both
from signoff.evaluation.metrics import METRICS
from signoff.evaluation.paired import compare
from signoff.evaluation.pictures.album import draw
from signoff.evaluation.predictions import Predictions, read_predictions
from signoff.evaluation.report import Wanted, evaluate
from signoff.evaluation.slice_search import worst_slices
from signoff.evaluation.slices import slice_table

SLICES = 10
BUDGETS = {10_000: (2.0, 2048), 1_000_000: (20.0, 2048)}


def write(path: Path, rows: int) -> None:
    """A classifier and its champion with ten slice columns of 3 to 30 values, one of them numbers."""
    rng = np.random.default_rng(22)
    columns = {f"slice_{number}": rng.integers(0, 3 * (number + 1), rows).astype(str) for number in range(SLICES - 1)}
    columns["age"] = rng.integers(18, 90, rows)
    truth = rng.random(rows) < 0.3  # noqa: PLR2004
    hard = rng.normal(size=rows) - 0.3 * (columns["slice_2"] == "4")
    parts = {}
    for name, signal in (("y", 1.6), ("champion", 1.5)):
        odds = signal * (truth * 2 - 1) * (0.6 + 0.1 * hard) + 0.9 * hard + 0.7 * rng.normal(size=rows) - 0.8
        parts[f"{name}_score"] = 1 / (1 + np.exp(-odds))
        parts[f"{name}_pred"] = (odds > 0).astype(int)
    pd.DataFrame({"y_true": truth.astype(int), **parts, **columns}).to_parquet(path)


def floor(predictions: Predictions) -> None:
    """The points of every metric of both models, by scikit-learn."""
    truth = predictions.y_true
    for answer, scores in (
        (predictions.y_pred, predictions.scores),
        (predictions.champion_pred, predictions.champion_scores),
    ):
        for of_answers in (
            field.accuracy_score,
            field.balanced_accuracy_score,
            field.precision_score,
            field.recall_score,
            field.f1_score,
            field.matthews_corrcoef,
        ):
            of_answers(truth, answer)
        field.recall_score(truth, answer, pos_label=0)
        for of_scores in (field.roc_auc_score, field.average_precision_score, field.log_loss, field.brier_score_loss):
            of_scores(truth, scores)


def seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return round(time.perf_counter() - began, 3)


def measure(rows: int, *, is_profiled: bool) -> dict[str, float]:
    """One size, in this process."""
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as room:
        path = Path(room) / "predictions.parquet"
        write(path, rows)
        figures = {"read": seconds(lambda: read_predictions(path))}
        predictions = read_predictions(path)
        wanted = Wanted(
            levels=(0.95, 0.99),
            slices=(("slice_1", "slice_2"),),
            sensitive=("slice_0",),
            seed=1,
            limits={"accuracy": (0.8,), "delta.auc": (0.0,)},
        )
        profile = cProfile.Profile()
        if is_profiled:
            profile.enable()
        figures["all"] = seconds(lambda: evaluate(predictions, wanted, Path(room) / "plots"))
        profile.disable()
        figures["memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        if is_profiled:
            pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
        figures["all again"] = seconds(lambda: evaluate(predictions, wanted, Path(room) / "again"))
        figures["scikit-learn points"] = seconds(lambda: floor(predictions))
        spec = METRICS[predictions.task]["accuracy"]
        figures["metrics and intervals"] = seconds(lambda: estimate_both(predictions, seed=1))
        figures["paired comparison"] = seconds(lambda: compare(predictions, seed=1))
        columns = [*((name,) for name in predictions.slices), ("slice_1", "slice_2")]
        figures["slices"] = seconds(lambda: slice_table(predictions, spec, columns=columns))
        figures["search for the worst slice"] = seconds(lambda: worst_slices(predictions, spec))
        figures["fairness"] = seconds(lambda: fairness_gaps(predictions, ("slice_0",)))
        figures["pictures"] = seconds(lambda: draw(predictions))
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        print(json.dumps(measure(arguments.alone, is_profiled=arguments.profile)))
        return
    known = about("numpy", "pandas", "scipy", "scikit-learn", "pyarrow")
    print(known)
    figures: dict[str, object] = {}
    for rows in arguments.rows:
        command = [sys.executable, __file__, "--alone", str(rows)] + ["--profile"] * arguments.profile
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        measured = json.loads(done.stdout)
        for name, value in measured.items():
            figures[f"{rows:,} rows: {name}"] = value
        figures[f"{rows:,} rows: times scikit-learn's points"] = round(
            measured["all again"] / measured["scikit-learn points"], 1
        )
        if rows in BUDGETS:
            most, memory = BUDGETS[rows]
            is_met = measured["all"] < most and measured["memory_mb"] < memory
            figures[f"{rows:,} rows: budget {most:g} s, {memory} MB"] = "met" if is_met else "missed"
    report("evaluation", known, figures)


if __name__ == "__main__":
    main()
