"""Numbers as a sentence shows them: short, but never so short that two that differ look the same.

Standard library only. Imported by `readings` and `pictures`.
"""

from __future__ import annotations

import math
from typing import TypeGuard

_SAME = 1e-9
_SAY_NOTHING = frozenset({"1", "1.0", "true", "yes", "y", "t", "positive", "pos"})
_FEWEST = 3
_WHOLE_FROM = 1000
_SMALLEST_PLAIN = 0.001


def is_known(value: float | None) -> TypeGuard[float]:
    """Whether `value` is a finite number."""
    return value is not None and math.isfinite(value)


def alike(first: float, second: float) -> bool:
    """Whether two numbers are the same but for rounding in their last places."""
    return math.isclose(first, second, rel_tol=_SAME, abs_tol=_SAME)


def percent(share: float) -> str:
    """``81 %``; what is not quite nothing or everything is not rounded to it."""
    return percents(share)[0]


def percents(*shares: float) -> tuple[str, ...]:
    """Each share in per cent, with as few decimals (at most two) as tell all of them apart."""
    for digits in (0, 1, 2):
        shown = tuple(_percent(share, digits) for share in shares)
        if _tells_apart(shares, shown) or digits == 2:  # noqa: PLR2004 - the last of those above
            break
    return shown


def _percent(share: float, digits: int) -> str:
    if not math.isfinite(share):
        return "an unknown share"
    value = share * 100
    while digits < 2 and 0 < share < 1 and round(value, digits) in {0.0, 100.0}:  # noqa: PLR2004 - two decimals
        digits += 1
    shown = f"{value:.{digits}f}"
    if 0 < share < 1 and float(shown) in {0.0, 100.0}:
        return "less than 0.01 %" if share < 0.5 else "more than 99.99 %"  # noqa: PLR2004 - the nearer end
    return f"{shown} %"


def number(value: float) -> str:
    """``0.903``, ``12.5``, ``1,250``: three digits, or all of a whole number."""
    return numbers(value)[0]


def numbers(*values: float) -> tuple[str, ...]:
    """Each number with as few digits (three to seven) as tell all of them apart."""
    for digits in range(_FEWEST, 8):
        shown = tuple(_number(value, digits) for value in values)
        if _tells_apart(values, shown):
            break
    return shown


def _number(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return "unknown"
    size = abs(value)
    if size >= _WHOLE_FROM or value == round(value):
        decimals = 0 if value == round(value) else digits - _FEWEST
        return f"{value + 0.0:,.{decimals}f}"
    return f"{value:.{digits}f}" if size >= _SMALLEST_PLAIN and size < 1 else f"{value:.{digits}g}"


def signed(value: float) -> str:
    """A change: ``+0.028`` or ``-0.009``."""
    return number(value) if value < 0 else f"+{number(value)}"


def count(n: int) -> str:
    """``1,204``."""
    return f"{n:,}"


def rows(n: int) -> str:
    """``1 row``, ``1,204 rows``."""
    return f"{n:,} {'row' if n == 1 else 'rows'}"


def named(label: str) -> str:
    """A class as a sentence quotes it."""
    return f"'{short(label)}'"


def class_rows(label: str) -> str:
    """The rows of the positive class: ``'left' rows``; where its name says nothing, ``positive rows``."""
    return "positive rows" if label.strip().lower() in _SAY_NOTHING else f"{named(label)} rows"


def short(text: str, most: int = 40) -> str:
    """What somebody else wrote, on one line and not longer than the sentence."""
    flat = " ".join(text.split()) or "(empty)"
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def _tells_apart(values: tuple[float, ...], shown: tuple[str, ...]) -> bool:
    """Whether no two different values look the same."""
    return all(
        texts[0] != texts[1] or alike(first, second) or not (math.isfinite(first) and math.isfinite(second))
        for i, first in enumerate(values)
        for j, second in enumerate(values[:i])
        for texts in [(shown[i], shown[j])]
    )
