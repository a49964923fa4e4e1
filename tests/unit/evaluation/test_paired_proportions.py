from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from signoff.evaluation.detectable import detectable_from_error, detectable_share
from signoff.evaluation.paired_proportions import mcnemar_exact, mcnemar_mid_p, newcombe, tango, wilson


def test_newcombe_gives_the_published_examples() -> None:
    # Newcombe (1998), table II: 36, 12, 2, 0. Altman et al., "Statistics with confidence" (2000), table 6.2.
    assert newcombe(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=5e-5)
    assert newcombe(14, 5, 0, 22) == pytest.approx((0.011, 0.226), abs=6e-4)


def test_airway_hyper_responsiveness_gives_the_published_answers() -> None:
    # Bentur et al. (2009), as computed by Fagerland, Lydersen and Laake (Statistics in Medicine 33, 2014): 1, 1, 7, 12.
    assert mcnemar_exact(1, 7) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar_mid_p(1, 7) == pytest.approx(0.0391, abs=5e-5)
    assert newcombe(1, 1, 7, 12) == pytest.approx((-0.507, -0.026), abs=6e-4)
    assert tango(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=6e-4)


def test_mcnemar_is_the_sum_over_all_ways_that_are_no_likelier() -> None:
    for gained, lost in itertools.product(range(9), repeat=2):
        weights = [math.comb(gained + lost, k) / 2 ** (gained + lost) for k in range(gained + lost + 1)]
        brute = sum(weight for weight in weights if weight <= weights[gained] + 1e-12)
        assert mcnemar_exact(gained, lost) == pytest.approx(brute)
        assert mcnemar_mid_p(gained, lost) == pytest.approx(1 if gained == lost else brute - weights[gained])


@pytest.mark.parametrize(("gained", "lost", "n"), [(12, 2, 50), (1, 7, 21), (0, 1, 44), (5, 0, 30), (3, 4, 1000)])
def test_tangos_ends_are_where_the_likelihoods_score_reaches_its_bound(gained: int, lost: int, n: int) -> None:
    def score(delta: float) -> float:
        # The share lost that is likeliest, given the difference, found by looking at 200,000 of them.
        shares = np.linspace(max(0.0, -delta), (1 - delta) / 2, 200_001)[1:-1]
        same = n - gained - lost
        likelihood = gained * np.log(shares + delta) + lost * np.log(shares) + same * np.log(1 - 2 * shares - delta)
        share = shares[np.argmax(likelihood)]
        return float((gained - lost - n * delta) / math.sqrt(n * (2 * share + delta - delta**2)))

    low, high = tango(gained, lost, n)
    assert score(float(low)) == pytest.approx(1.96, abs=0.003)
    assert score(float(high)) == pytest.approx(-1.96, abs=0.003)


def test_tango_takes_many_tables_at_once_and_knows_nothing_of_no_rows() -> None:
    low, high = tango([12, 1, 0], [2, 7, 0], [50, 21, 0])
    assert (low[0], high[1]) == (pytest.approx(float(tango(12, 2, 50)[0])), pytest.approx(float(tango(1, 7, 21)[1])))
    assert math.isnan(low[2])
    assert math.isnan(high[2])


def test_models_that_never_differed_may_still_differ() -> None:
    low, high = tango(0, 0, 50)
    assert float(low) == pytest.approx(-float(high))
    assert 0.05 < high < 0.09
    assert mcnemar_mid_p(0, 0) == 1


def test_tango_covers_where_models_agree_nearly_always() -> None:
    rng = np.random.default_rng(5)
    for n, chances in ((300, (0.9, 0.03, 0.02, 0.05)), (2000, (0.97, 0.005, 0.003, 0.022)), (60, (0.6, 0.2, 0.1, 0.1))):
        tables = rng.multinomial(n, chances, 4000)
        low, high = tango(tables[:, 1], tables[:, 2], n)
        true = chances[1] - chances[2]
        assert 0.94 <= ((low <= true) & (true <= high)).mean() <= 0.975


def test_wilson_gives_the_published_example() -> None:
    # Newcombe, Statistics in Medicine 17 (1998) 857-872, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    low, high = wilson([81, 15, 0, 1], [263, 148, 20, 29])
    assert low == pytest.approx([0.2553, 0.0624, 0.0, 0.0061], abs=5e-5)
    assert high == pytest.approx([0.3662, 0.1605, 0.1611, 0.1718], abs=5e-5)


@pytest.mark.parametrize(("n", "differing"), [(400, 0.1), (2000, 0.03), (5000, 0.2)])
def test_the_smallest_detectable_difference_is_found_four_times_in_five(n: int, differing: float) -> None:
    difference = detectable_share(n * differing / 2, n * differing / 2, n)
    assert difference is not None
    rng = np.random.default_rng(8)
    gain, loss = (differing + difference) / 2, (differing - difference) / 2
    tables = rng.multinomial(n, [gain, loss, 1 - gain - loss], 6000)
    assert (mcnemar_mid_p(tables[:, 0], tables[:, 1]) < 0.05).mean() == pytest.approx(0.8, abs=0.035)


def test_a_detectable_difference_is_larger_with_more_confidence_and_smaller_with_more_rows() -> None:
    usual = detectable_share(20, 20, 1000)
    surer, longer = detectable_share(20, 20, 1000, level=0.99), detectable_share(200, 200, 10_000)
    assert usual is not None
    assert surer is not None
    assert longer is not None
    assert longer < usual < surer
    assert detectable_share(0, 0, 3) is None
    assert detectable_share(0, 0, 0) is None


def test_a_detectable_difference_by_error_is_found_four_times_in_five() -> None:
    difference = detectable_from_error(0.02)
    assert difference is not None
    assert difference == pytest.approx(0.02 * 2.8016, abs=1e-4)
    assert stats.norm.sf(1.959964 - difference / 0.02) + stats.norm.cdf(-1.959964 - difference / 0.02) == pytest.approx(
        0.8, abs=1e-4
    )
    assert detectable_from_error(0.0) is None
    assert detectable_from_error(float("nan")) is None
