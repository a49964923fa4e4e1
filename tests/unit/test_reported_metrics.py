"""What a test command reports itself: metrics.json, its MLflow run, and what becomes of contradictions."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from signoff.domain.errors import MachineryError
from signoff.domain.evidence import Interval, Metric, Provenance
from signoff.engine.reported import agree, merged, read_metrics


def left(folder: Path, text: str) -> tuple[Metric, ...]:
    (folder / "metrics.json").write_text(text)
    return read_metrics(folder, "test_model")


def metric(name: str, value: float) -> Metric:
    return Metric(name, value, Provenance.MEASURED)


def test_a_metric_is_a_number_or_an_interval_with_its_rows(tmp_path: Path) -> None:
    found = left(
        tmp_path,
        '{"f1": 0.8, "auc": {"value": 0.93, "n": 1200, "low": 0.915, "high": 0.943, "level": 0.99},'
        ' "accuracy": {"value": 0.93, "low": 0.915, "high": 0.943}}',
    )
    assert found == (
        Metric("accuracy", 0.93, Provenance.MEASURED, Interval(0.915, 0.943, 0.95, "claimed"), None, "test_model"),
        Metric("auc", 0.93, Provenance.MEASURED, Interval(0.915, 0.943, 0.99, "claimed"), 1200, "test_model"),
        Metric("f1", 0.8, Provenance.MEASURED, step="test_model"),
    )


def test_no_file_is_no_metrics(tmp_path: Path) -> None:
    assert read_metrics(tmp_path, "test_model") == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1', "metrics.json is not JSON"),
        ("[1]", "metrics.json must be an object of metric names and numbers."),
        ('{"a": "0.9"}', "metrics.json: a is '0.9', not a number."),
        ('{"a": true}', "metrics.json: a is True, not a number."),
        ('{"a": {"n": 3}}', "metrics.json: a has no value; say value, n, low, high and level."),
        ('{"a": {"value": 1, "hgih": 3}}', "metrics.json: a has the unknown key 'hgih'"),
        ('{"a": {"value": 1, "value": 2}}', "metrics.json: a says a key twice."),
        ('{"a": {"value": 1, "low": 0}}', "metrics.json: a has one end of an interval; say both low and high."),
        ('{"a": {"value": 1, "level": 0.9}}', "metrics.json: a has a level and no interval; say low and high too."),
        ('{"a": {"value": 3, "low": 0, "high": 2}}', "metrics.json: a is 3.0, outside its own interval 0.0 to 2.0."),
        ('{"a": {"value": 1, "low": 0, "high": 2, "level": 95}}', "metrics.json: a.level is 95; it must be between"),
        ('{"a": {"value": 1, "n": 1.5}}', "metrics.json: a.n is 1.5; it must be a whole number of rows."),
        ('{"a": {"value": {}}}', "metrics.json: a is an object, not a number."),
    ],
)
def test_a_file_that_makes_no_sense_says_where(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(MachineryError) as refused:
        left(tmp_path, text)
    assert words in refused.value.what
    assert not refused.value.is_retryable


def test_a_file_that_is_huge_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(MachineryError, match="larger than 1 MB"):
        left(tmp_path, json.dumps({"a": 1, "b": " " * 1_000_001}))


def test_a_number_too_large_for_a_float_is_infinite_rather_than_an_accident(tmp_path: Path) -> None:
    (found,) = left(tmp_path, '{"a": ' + "9" * 400 + "}")
    assert found.value == math.inf
    assert not found.is_usable


def test_a_metric_that_comes_twice_with_two_values_contradicts_itself(tmp_path: Path) -> None:
    same, other = left(tmp_path, '{"other": 0.9, "same": 0.9, "same": 0.9, "other": 0.95}')[::-1]
    assert (same.conflict, same.is_usable) == ("", True)
    assert (other.conflict, other.is_usable) == ("metrics.json says 0.9 and 0.95", False)


def test_the_surest_source_of_a_metric_counts_and_says_who_contradicts_it() -> None:
    found = merged(
        [
            ("the MLflow run", [metric("accuracy", 0.95), metric("f1", 0.8), metric("loss", 0.1)]),
            ("metrics.json", [metric("f1", 0.80), metric("loss", 0.2)]),
            ("predictions.csv", [metric("accuracy", 0.91)]),
        ]
    )
    assert {name: (m.value, m.conflict) for name, m in found.items()} == {
        "accuracy": (0.91, "the MLflow run says 0.95, predictions.csv says 0.91"),
        "f1": (0.8, ""),
        "loss": (0.2, "the MLflow run says 0.1, metrics.json says 0.2"),
    }


def test_a_contradiction_is_not_forgotten_when_a_third_source_agrees_with_the_second() -> None:
    found = merged([("one", [metric("a", 1)]), ("two", [metric("a", 2)]), ("three", [metric("a", 2)])])
    assert found["a"].conflict == "one says 1, two says 2"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (0.903, 0.9033333, True),
        (0.9033, 0.9033333, True),
        (0.904, 0.9033333, False),
        (0.9, 0.9004, True),
        (0.9, 0.9033333, False),
        (0.9033333333333333, 0.9033333333333334, True),
        (1234.5, 1234.52, True),
        (0.0, 0.0, True),
        (0.0, 0.001, False),
        (-0.12, 0.12, False),
        (math.nan, math.nan, True),
        (math.nan, 0.5, False),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
    ],
)
def test_values_agree_if_one_is_the_other_rounded(one: float, other: float, same: bool) -> None:
    assert agree(one, other) is same
    assert agree(other, one) is same
