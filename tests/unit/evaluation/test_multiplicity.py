from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from signoff.evaluation.multiplicity import (
    benjamini_hochberg,
    benjamini_yekutieli,
)


def test_benjamini_and_hochberg_reject_the_four_of_their_own_example() -> None:
    # Benjamini and Hochberg (1995), section 3.2: thrombolysis, fifteen p-values, the four smallest at 0.05.
    seen = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    seen += [0.7590, 1.0]
    assert (benjamini_hochberg(seen) <= 0.05).sum() == 4


def test_benjamini_and_yekutieli_pay_the_harmonic_number() -> None:
    seen = np.array([0.001, 0.02, 0.3])
    assert benjamini_yekutieli(seen) == pytest.approx(np.minimum(benjamini_hochberg(seen) * (1 + 1 / 2 + 1 / 3), 1))


@pytest.mark.parametrize("correct", [benjamini_hochberg, benjamini_yekutieli])
def test_an_undefined_test_is_no_look(correct: Callable[[list[float]], np.ndarray]) -> None:
    nan = float("nan")
    with_one, without = correct([0.01, nan, 0.04]), correct([0.01, 0.04])
    assert np.isnan(with_one[1])
    assert with_one[[0, 2]].tolist() == without.tolist()
    assert correct([]).tolist() == []


@pytest.mark.parametrize("correct", [benjamini_hochberg, benjamini_yekutieli])
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
