"""The smallest difference that so many rows could have shown: what "no difference found" is worth.

Imported by the modules of `evaluation`. "Could have shown": were the true paired difference this large, a two-sided
test at the level would find it four times in five (power 0.8), on as many rows that differ as much as these do.
"""

from __future__ import annotations

import math

from scipy import optimize, stats

POWER = 0.8


def detectable_share(gained: float, lost: float, n: int, *, level: float = 0.95, power: float = POWER) -> float | None:
    """The smallest difference of two paired shares that `n` rows could have shown; None where even 1 is too small.

    The sample-size formula of Connett, Smith and McHugh, "Sample size and power for pair-matched case-control studies",
    Statistics in Medicine 6 (1987), solved for the difference. The share of rows on which the models differ is taken
    from the data, with one row added (they never surely agree), and is at least the difference itself.
    """
    if n <= 0:
        return None
    z_level, z_power = _z(0.5 + level / 2.0), _z(power)
    seen = (gained + lost + 1.0) / (n + 2.0)

    def missing(difference: float) -> float:
        differing = max(seen, difference)
        spread = z_level * math.sqrt(differing) + z_power * math.sqrt(differing - difference**2)
        return difference * math.sqrt(n) - spread

    if missing(1.0) < 0:
        return None
    return float(optimize.brentq(missing, 0.0, 1.0, xtol=1e-12))


def detectable_from_error(standard_error: float, *, level: float = 0.95, power: float = POWER) -> float | None:
    """The smallest difference that would have been shown, given the standard error of the paired difference.

    (z of the level + z of the power) standard errors, as for any estimate that is close to normal. None where nothing
    is known of the error: where both models gave the same answers, no size of difference was tried.
    """
    if not math.isfinite(standard_error) or standard_error <= 0:
        return None
    return (_z(0.5 + level / 2.0) + _z(power)) * standard_error


def _z(share: float) -> float:
    return float(stats.norm.ppf(share))
