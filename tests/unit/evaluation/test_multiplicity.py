from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from signoff.evaluation.multiplicity import (
    benjamini_hochberg,
    benjamini_yekutieli,
    holm,
    holm_by_intervals,
    holm_levels,
)


def test_holm_gives_the_worked_example() -> None:
    # Of 0.01, 0.04, 0.03, 0.005: 4 * 0.005, 3 * 0.01, 2 * 0.03, and the last is never below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_and_hochberg_reject_the_four_of_their_own_example() -> None:
    # Benjamini and Hochberg (1995), section 3.2: thrombolysis, fifteen p-values, the four smallest at 0.05.
    seen = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    seen += [0.7590, 1.0]
    assert (benjamini_hochberg(seen) <= 0.05).sum() == 4
    assert (holm(seen) <= 0.05).sum() == 3


def test_benjamini_and_yekutieli_pay_the_harmonic_number() -> None:
    seen = np.array([0.001, 0.02, 0.3])
    assert benjamini_yekutieli(seen) == pytest.approx(np.minimum(benjamini_hochberg(seen) * (1 + 1 / 2 + 1 / 3), 1))


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg, benjamini_yekutieli])
def test_an_undefined_test_is_no_look(correct: Callable[[list[float]], np.ndarray]) -> None:
    nan = float("nan")
    with_one, without = correct([0.01, nan, 0.04]), correct([0.01, 0.04])
    assert np.isnan(with_one[1])
    assert with_one[[0, 2]].tolist() == without.tolist()
    assert correct([]).tolist() == []


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg, benjamini_yekutieli])
def test_adjusting_keeps_the_order_and_never_makes_a_p_value_smaller(
    correct: Callable[[np.ndarray], np.ndarray],
) -> None:
    rng = np.random.default_rng(4)
    for _ in range(50):
        seen = rng.random(rng.integers(1, 30)) ** 3
        adjusted = correct(seen)
        assert (adjusted >= seen - 1e-15).all()
        assert (adjusted <= 1).all()
        assert (np.diff(adjusted[np.argsort(seen)]) >= -1e-15).all()


def test_more_attempts_on_a_test_set_ask_for_more_confidence() -> None:
    assert holm_levels(3) == pytest.approx((1 - 0.05 / 3, 1 - 0.05 / 2, 0.95))
    assert holm_levels(2, looks=5) == pytest.approx((0.995, 0.99))


def test_judging_by_intervals_is_holm_on_the_p_values_they_hide() -> None:
    for p_values in itertools.product([0.004, 0.014, 0.02, 0.03, 0.6], repeat=3):
        levels = holm_by_intervals(3, lambda index, level, p=p_values: p[index] <= 1 - level)  # type: ignore[misc]
        sure = [p <= 1 - level for p, level in zip(p_values, levels, strict=True)]
        assert sure == (holm(p_values) <= 0.05).tolist(), p_values


def test_holm_keeps_the_chance_of_any_false_alarm() -> None:
    rng = np.random.default_rng(11)
    alarms = [bool((holm(rng.random(6)) <= 0.05).any()) for _ in range(4000)]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.012)
