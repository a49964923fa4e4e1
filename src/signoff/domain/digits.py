"""Numbers as a sentence or a table shows them: short, but never so short that two that differ look the same.

For everybody who puts numbers before people who decide: `verdict`, `scorecard` and the pages.
"""

from __future__ import annotations

import math

MINUS = "\u2212"
_FEWEST, _MOST = 3, 7
_WHOLE_FROM = 1000
_SMALLEST_PLAIN = 0.001


def number(value: float) -> str:
    """``0.903``, ``12.5``, ``1,250``: three digits, or all of a whole number."""
    return together(value)[0]


def together(*values: float) -> tuple[str, ...]:
    """Each number with as few digits (three to seven) as tell those that differ apart."""
    shown: tuple[str, ...] = ()
    for digits in range(_FEWEST, _MOST + 1):
        shown = tuple(_text(value, digits) for value in values)
        if len(set(shown)) == len(set(values)):
            break
    return shown


def signed(value: float) -> str:
    """A change: ``+0.028``, ``\N{MINUS SIGN}0.009``, ``0``."""
    return number(value) if value <= 0 or not math.isfinite(value) else f"+{number(value)}"


def rows(count: int) -> str:
    """``1 row``, ``1,204 rows``."""
    return "1 row" if count == 1 else f"{count:,} rows"


def percent(share: float) -> str:
    """``95 %``."""
    return f"{share * 100:.4g} %"


def joined(words: list[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def _text(value: float, digits: int) -> str:
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    size = abs(value)
    if size >= _WHOLE_FROM or value == round(value):
        shown = f"{size:,.{0 if value == round(value) else digits - _FEWEST}f}"
    elif size >= _SMALLEST_PLAIN:
        shown = f"{size:.{digits}f}" if size < 1 else f"{size:.{digits}g}"
    else:
        shown = f"{size:.{digits}g}"
    return f"{MINUS}{shown}" if value < 0 else shown
