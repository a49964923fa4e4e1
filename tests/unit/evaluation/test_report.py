"""A report holds everything that predictions say, as values of the domain."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluation_arrays import binary, multiclass, regression
from signoff.domain.evidence import Interval, Provenance, Task
from signoff.evaluation.intervals import estimate_all
from signoff.evaluation.pictures.history import Measured
from signoff.evaluation.predictions import Predictions, Slicing
from signoff.evaluation.report import Wanted, evaluate


def with_columns(predictions: Predictions, *, has_champion: bool = True) -> Predictions:
    """The same with two slice columns, and with a champion that answers a little otherwise."""
    n, rng = predictions.n, np.random.default_rng(8)
    slices: Mapping[str, Slicing] = {
        "region": Slicing("region", ("north", "south"), rng.integers(0, 2, n).astype(np.int32)),
        "age": Slicing("age", ("old", "young"), rng.integers(-1, 2, n).astype(np.int32)),
    }
    if not has_champion:
        return replace(predictions, slices=slices)
    moved = rng.random(n) < 0.1
    answers = np.where(moved, np.roll(predictions.y_pred, 1), predictions.y_pred)
    scores = predictions.scores
    theirs = None if scores is None else np.where(moved if scores.ndim == 1 else moved[:, None], scores[::-1], scores)
    return replace(predictions, slices=slices, champion_pred=answers, champion_scores=theirs)


@pytest.mark.parametrize(("make", "main"), [(binary, "accuracy"), (multiclass, "accuracy"), (regression, "mae")])
def test_a_report_holds_everything(make: object, main: str, tmp_path: Path) -> None:
    assert callable(make)
    predictions = with_columns(make(400))
    wanted = Wanted(levels=(0.9, 0.95), slices=(("region", "age"),), sensitive=("region",), seed=4)
    report = evaluate(predictions, wanted, tmp_path / "plots")
    names = [metric.name for metric in report.metrics]
    assert names == list(estimate_all(predictions))
    for metric in report.metrics:
        assert metric.provenance is Provenance.MEASURED
        assert metric.n == 400
        assert metric.interval is not None
        assert metric.interval.level == 0.95
        assert [interval.level for interval in metric.further] == [0.9]
    assert report.champion_metrics is not None
    assert list(report.champion_metrics) == names
    compared = {comparison.metric for comparison in report.comparisons}
    assert compared == set(names) - {"bias"}
    assert {(result.metric, result.columns) for result in report.slices} >= {
        (main, ("region",)),
        (main, ("age",)),
        (main, ("region", "age")),
    }
    assert bool(report.fairness) == (predictions.task is Task.BINARY)
    assert report.pictures
    for picture in report.pictures:
        assert picture.reading
        spec = json.loads((tmp_path / picture.spec).read_bytes())
        assert spec["description"]
        assert picture.table is not None
        assert (tmp_path / picture.table).exists()


def test_without_a_champion_there_is_nothing_of_it() -> None:
    report = evaluate(with_columns(binary(200), has_champion=False), Wanted())
    assert report.champion_metrics is None
    assert report.comparisons == ()
    assert report.pictures == ()


def test_a_straddled_limit_says_how_many_rows_would_settle_it() -> None:
    predictions = with_columns(binary(300))
    value = estimate_all(predictions)["accuracy"].value
    seen = next(
        item.difference.value for item in evaluate(predictions, Wanted()).comparisons if item.metric == "accuracy"
    )
    limits = {"accuracy": (value + 0.02, value - 0.3), "delta.accuracy": (seen - 0.01,)}
    report = evaluate(predictions, Wanted(levels=(0.9,), limits=limits))
    metric = next(metric for metric in report.metrics if metric.name == "accuracy")
    assert {(needed.limit, needed.level) for needed in metric.needed} == {(value + 0.02, 0.95), (value + 0.02, 0.9)}
    at = {needed.level: needed.rows for needed in metric.needed}
    assert 300 < at[0.9] < at[0.95]
    difference = next(item.difference for item in report.comparisons if item.metric == "accuracy")
    assert {needed.limit for needed in difference.needed} == {seen - 0.01}
    assert min(needed.rows for needed in difference.needed) > 300


def test_what_checks_read_of_slices_is_given_for_every_slice() -> None:
    n = 3000
    codes = (np.arange(n) % 80).astype(np.int32)
    predictions = replace(
        binary(n), slices={"town": Slicing("town", tuple(f"town {code:02}" for code in range(80)), codes)}
    )
    shown = evaluate(predictions, Wanted())
    asked = evaluate(predictions, Wanted(slice_metrics=("recall", "accuracy")))
    assert len({result.values for result in shown.slices}) < 80
    for name in ("recall", "accuracy"):
        assert len({result.values for result in asked.slices if result.metric == name}) == 80
    assert any("80" in note for note in shown.notes)


def test_latency_has_its_percentiles_with_intervals() -> None:
    times = np.random.default_rng(2).gamma(3, 4, 500)
    report = evaluate(binary(500, latency_ms=times), Wanted(limits={"latency_p95_ms": (30.0,)}))
    known = {metric.name: metric for metric in report.metrics}
    for name, part in (("latency_p50_ms", 0.5), ("latency_p95_ms", 0.95)):
        metric = known[name]
        assert metric.value == pytest.approx(np.quantile(times, part), rel=0.02)
        assert metric.interval is not None
        held = np.mean(times <= metric.interval.high) - np.mean(times < metric.interval.low)
        assert held == pytest.approx(2 * 1.96 * np.sqrt(part * (1 - part) / 500), rel=0.3)
    clustered = evaluate(binary(500, latency_ms=np.sort(times), group=np.arange(500) // 10), Wanted())
    wide = next(metric.interval for metric in clustered.metrics if metric.name == "latency_p50_ms")
    narrow = known["latency_p50_ms"].interval
    assert wide is not None
    assert narrow is not None
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_pictures_show_the_limit_and_the_history_that_were_asked_for(tmp_path: Path) -> None:
    past = (Measured("1", 0.6, Interval(0.5, 0.7)), Measured("2", 0.7, None, is_champion=True))
    wanted = Wanted(limits={"accuracy": (0.6,), "delta.accuracy": (0.0,)}, history={"accuracy": past})
    report = evaluate(with_columns(binary(300)), wanted, tmp_path / "plots")
    told = " ".join(picture.reading for picture in report.pictures)
    assert "at least 0.6" in told
    assert "accuracy" in report.pictures[0].title
    assert (
        evaluate(with_columns(binary(300)), Wanted(), tmp_path / "more").pictures[0].title != report.pictures[0].title
    )


def test_the_same_predictions_and_seed_give_the_same_report() -> None:
    predictions = with_columns(regression(300))
    assert evaluate(predictions, Wanted(seed=3)) == evaluate(predictions, Wanted(seed=3))
    assert evaluate(predictions, Wanted(seed=3)) != evaluate(predictions, Wanted(seed=4))


def test_an_undefined_metric_stays_in_the_report_and_is_said() -> None:
    predictions = binary(60)
    report = evaluate(replace(predictions, y_pred=np.zeros(60, np.int64)), Wanted())
    precision = next(metric for metric in report.metrics if metric.name == "precision")
    assert not precision.is_usable
    assert precision.interval is None
    assert "precision is undefined on these rows." in report.notes
