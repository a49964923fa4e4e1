"""Fairness gaps equal fairlearn's, and their intervals hold the true gap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fairlearn.metrics import (  # type: ignore[import-untyped]
    demographic_parity_difference,
    equalized_odds_difference,
)

from paired_arrays import two_binary, two_multiclass, two_regressions
from signoff.domain.evidence import FairnessGap
from signoff.evaluation.fairness import fairness_gaps, gap_interval, tukey_z
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.rates import Rates, rates_of
from signoff.evaluation.slicing import Slicing


def gaps(predictions: Predictions, column: str = "c0") -> dict[str, FairnessGap]:
    return {gap.definition: gap for gap in fairness_gaps(predictions, [column])[0]}


@pytest.mark.parametrize("weight", [False, True])
def test_gaps_are_fairlearns(weight: bool) -> None:
    for seed in range(10):
        predictions = two_binary(np.random.default_rng(seed), 500, slices=(2 + seed % 4, 3), weight=weight)
        for column in ("c0", "c1"):
            found = gaps(predictions, column)
            options = {"sensitive_features": predictions.slices[column].codes, "sample_weight": predictions.weight}
            for definition, oracle in (
                ("demographic_parity", demographic_parity_difference),
                ("equalised_odds", equalized_odds_difference),
            ):
                assert found[definition].value == pytest.approx(
                    oracle(predictions.y_true, predictions.y_pred, **options)
                )


def test_the_rates_of_every_group_are_given() -> None:
    predictions = two_binary(np.random.default_rng(1), 500, slices=(2, 2))
    found = gaps(predictions, "c1")
    assert set(found["demographic_parity"].groups) == {"v0", "v1", "(empty)"}
    inside = predictions.slices["c1"].codes == 0
    assert found["demographic_parity"].groups["v0"] == pytest.approx(predictions.y_pred[inside].mean())
    odds = found["equalised_odds"].groups
    assert odds["v0: true positive rate"] == pytest.approx(
        predictions.y_pred[inside & (predictions.y_true == 1)].mean()
    )
    assert odds["v0: false positive rate"] == pytest.approx(
        predictions.y_pred[inside & (predictions.y_true == 0)].mean()
    )


def test_of_two_groups_the_interval_is_newcombes_published_one() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 873-890, table II: 56 of 70 against 48 of 80, and 9 of 10 against 3.
    assert gap_interval(Rates(np.array([56 / 70, 48 / 80]), np.array([70.0, 80.0]))) == pytest.approx(
        (0.0524, 0.3339), abs=5e-5
    )
    assert gap_interval(Rates(np.array([0.9, 0.3]), np.array([10.0, 10.0]))) == pytest.approx(
        (0.1705, 0.8090), abs=5e-5
    )


def test_tukeys_critical_values_are_the_tables() -> None:
    # Studentised range, infinite degrees of freedom, 5 %: 2.772, 3.314, 3.633, 4.474 for 2, 3, 4, 10 groups.
    for groups, critical in ((2, 2.772), (3, 3.314), (4, 3.633), (10, 4.474)):
        assert tukey_z(groups, 0.95) * 2**0.5 == pytest.approx(critical, abs=1e-3)


@pytest.mark.parametrize("rates", [(0.3, 0.3), (0.3, 0.3, 0.3, 0.3), (0.2, 0.35), (0.1, 0.15, 0.3, 0.3, 0.25)])
def test_the_interval_holds_the_true_gap(rates: tuple[float, ...]) -> None:
    rng = np.random.default_rng(2)
    true = max(rates) - min(rates)
    hits = []
    for _ in range(600):
        n = rng.integers(60, 200, len(rates))
        low, high = gap_interval(Rates(rng.binomial(n, rates) / n, n.astype(float)))
        hits.append(low <= true <= high)
    assert np.mean(hits) >= 0.935


def test_equalised_odds_intervals_hold_the_true_gap() -> None:
    hits = []
    for seed in range(120):
        predictions = two_binary(np.random.default_rng(seed), 500, slices=(3,))
        interval = gaps(predictions)["equalised_odds"].interval
        assert interval is not None
        hits.append(interval.low <= 0 <= interval.high)
    assert np.mean(hits) >= 0.91


def test_a_gap_lies_in_its_interval() -> None:
    for seed in range(20):
        for gap in fairness_gaps(two_binary(np.random.default_rng(seed), 200, slices=(4,)), ["c0"])[0]:
            assert gap.interval is not None
            assert gap.interval.low <= gap.value <= gap.interval.high


def test_weights_and_clusters_make_rows_worth_less() -> None:
    rng = np.random.default_rng(3)
    hits, codes = rng.random(4000) < 0.3, rng.integers(0, 2, 4000)
    plain = rates_of(hits, codes, 2, None, None)
    assert plain.rows.tolist() == np.bincount(codes).tolist()
    assert rates_of(hits, codes, 2, np.full(4000, 3.0), None).rows == pytest.approx(plain.rows)
    weight = rng.exponential(size=4000)
    assert rates_of(hits, codes, 2, weight, None).rows == pytest.approx(plain.rows / 2, rel=0.15)
    often = rates_of(hits.repeat(5), codes.repeat(5), 2, None, np.arange(4000).repeat(5))
    assert often.rate == pytest.approx(plain.rate)
    assert often.rows == pytest.approx(plain.rows, rel=0.01)
    none = rates_of(np.zeros(100, dtype=bool), np.zeros(100, dtype=int), 1, None, np.arange(100) // 10)
    assert none.rows.tolist() == [10]


def test_clustered_groups_have_wider_intervals() -> None:
    predictions = two_binary(np.random.default_rng(4), 3000, slices=(2,), groups=60)
    for clustered, alone in zip(
        gaps(predictions).values(), gaps(replace(predictions, group=None)).values(), strict=True
    ):
        assert clustered.interval is not None
        assert alone.interval is not None
        assert clustered.value == alone.value
        assert clustered.interval.high > alone.interval.high


def test_what_is_not_defined_is_said_plainly() -> None:
    rng = np.random.default_rng(5)
    found, notes = fairness_gaps(two_regressions(rng, slices=(2,)), ["c0"])
    assert found == ()
    assert "defined for a yes-or-no answer, and this is a regression" in notes[0]
    assert "this is more than two classes" in fairness_gaps(two_multiclass(rng), ["c0"])[1][0]
    assert fairness_gaps(two_multiclass(rng), []) == ((), ())


def test_a_column_that_says_nothing_is_said() -> None:
    predictions = two_binary(np.random.default_rng(6), 300)
    codes = np.arange(300, dtype=np.int32)
    predictions = replace(
        predictions,
        slices={
            "same": Slicing("same", ("x",), np.zeros(300, dtype=np.int32)),
            "person": Slicing("person", tuple(map(str, codes)), codes),
        },
    )
    found, notes = fairness_gaps(predictions, ["same", "person", "absent"])
    assert found == ()
    assert notes == (
        "No fairness gaps for same: all rows have the same value.",
        "No fairness gaps for person: it has 300 values, and at most 100 groups are compared.",
        "No fairness gaps for absent: predictions.csv has no such column.",
    )


def test_a_group_without_positive_rows_is_left_out_of_the_odds_and_named() -> None:
    predictions = two_binary(np.random.default_rng(7), 400)
    codes = np.where(predictions.y_true == 1, np.arange(400) % 2, np.arange(400) % 3).astype(np.int32)
    predictions = replace(predictions, slices={"site": Slicing("site", ("a", "b", "c"), codes)})
    found, notes = fairness_gaps(predictions, ["site"])
    assert notes == ("Equalised odds of site: c has no truly positive rows and is left out there.",)
    assert "c: true positive rate" not in found[1].groups
    assert "c: false positive rate" in found[1].groups


def test_small_groups_are_said_to_be_unsure() -> None:
    predictions = two_binary(np.random.default_rng(8), 400)
    codes = (np.arange(400) < 12).astype(np.int32)
    predictions = replace(predictions, slices={"site": Slicing("site", ("main", "annex"), codes)})
    assert "Fairness of site: few rows in annex, so the gaps are not sure." in fairness_gaps(predictions, ["site"])[1]
