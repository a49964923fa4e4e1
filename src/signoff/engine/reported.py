"""The metrics that a test command reports itself: `metrics.json`, and what it logged to its MLflow run.

Whoever reports one name twice with different values is not believed: the metric keeps its value and says whom it
contradicts, so that no check passes because of it and no policy approves.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from signoff.domain.errors import MachineryError
from signoff.domain.evidence import Interval, Metric, Provenance

_LARGEST_JSON = 1_000_000
_KEYS = ("value", "n", "low", "high", "level")
_FEWEST_DIGITS, _MOST_DIGITS = 3, 6


def read_metrics(output: Path, step: str) -> tuple[Metric, ...]:
    """The metrics of ``metrics.json``: plain numbers, or ``{"value", "n", "low", "high", "level"}``. Empty without it.

    Raises:
        MachineryError: the file is not what it should be; the message says where.
    """
    path = output / "metrics.json"
    if not path.is_file():
        return ()
    if path.stat().st_size > _LARGEST_JSON:
        raise _bad("metrics.json is larger than 1 MB.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        raise _bad(f"metrics.json is not JSON: {error}.") from error
    if not isinstance(document, _Pairs):
        raise _bad("metrics.json must be an object of metric names and numbers.")
    found: dict[str, Metric] = {}
    for name, value in document:
        metric = _metric(name, value, step)
        found[name] = contradicted(found[name], metric, "metrics.json") if name in found else metric
    return tuple(found[name] for name in sorted(found))


class _Pairs(list[tuple[str, Any]]):
    """An object's keys and values as they are written, so that a key that comes twice is seen."""


def _metric(name: str, given: Any, step: str) -> Metric:
    if not isinstance(given, _Pairs):
        return Metric(name, _number(name, given), Provenance.MEASURED, step=step)
    fields = dict(given)
    if len(fields) < len(given):
        raise _bad(f"metrics.json: {name} says a key twice.")
    unknown = sorted(fields.keys() - set(_KEYS))
    if unknown or "value" not in fields:
        what = "has no value" if "value" not in fields else f"has the unknown key {unknown[0]!r}"
        raise _bad(f"metrics.json: {name} {what}; say value, n, low, high and level.")
    value = _number(name, fields["value"])
    n = fields.get("n")
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 0):
        raise _bad(f"metrics.json: {name}.n is {n!r}; it must be a whole number of rows.")
    return Metric(name, value, Provenance.MEASURED, _interval(name, value, fields), n, step)


def _interval(name: str, value: float, fields: Mapping[str, Any]) -> Interval | None:
    low, high, level = fields.get("low"), fields.get("high"), fields.get("level")
    if (low is None) != (high is None):
        raise _bad(f"metrics.json: {name} has one end of an interval; say both low and high.")
    if low is None:
        if level is not None:
            raise _bad(f"metrics.json: {name} has a level and no interval; say low and high too.")
        return None
    ends = _number(f"{name}.low", low), _number(f"{name}.high", high)
    if not ends[0] <= value <= ends[1]:
        raise _bad(f"metrics.json: {name} is {value}, outside its own interval {ends[0]} to {ends[1]}.")
    sure = 0.95 if level is None else _number(f"{name}.level", level)
    if not 0 < sure < 1:
        raise _bad(f"metrics.json: {name}.level is {sure:g}; it must be between 0 and 1, such as 0.95.")
    return Interval(*ends, level=sure, method="claimed")


def _number(name: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise _bad(f"metrics.json: {name} is {_shown(given)}, not a number.")
    return float(given) if isinstance(given, float) or abs(given) < 1 << 1000 else math.inf


def _shown(given: Any) -> str:
    return "an object" if isinstance(given, _Pairs) else repr(given)


def merged(sources: Iterable[tuple[str, Iterable[Metric]]]) -> dict[str, Metric]:
    """The metrics of all `sources`, each with what it is called; of one name the last source's, and contradictions."""
    found: dict[str, Metric] = {}
    origin: dict[str, str] = {}
    for source, metrics in sources:
        for metric in metrics:
            former = found.get(metric.name)
            known = metric if former is None else contradicted(metric, former, origin[metric.name], source)
            found[metric.name], origin[metric.name] = known, source
    return found


def contradicted(metric: Metric, other: Metric, source: str, own: str = "") -> Metric:
    """`metric`, saying so if `other`, which `source` reported under its name, has another value.

    Values agree if they are equal in as many digits as the rougher one was written with: three at least, and six at
    most, for many a number was one of 32 bits.
    """
    if other.conflict or agree(metric.value, other.value):
        return replace(metric, conflict=metric.conflict or other.conflict)
    here = f"{own or source} says {metric.value:.6g}"
    there = f"{source} says {other.value:.6g}" if own else f"and {other.value:.6g}"
    words = f"{there}, {here}" if own else f"{here} {there}"
    return replace(metric, conflict=metric.conflict or words)


def agree(one: float, other: float) -> bool:
    """Whether two values are the same number, one of them perhaps rounded."""
    if not (math.isfinite(one) and math.isfinite(other)):
        return one == other or (math.isnan(one) and math.isnan(other))
    digits = min(_MOST_DIGITS, max(_FEWEST_DIGITS, _written(one)), max(_FEWEST_DIGITS, _written(other)))
    size = max(abs(one), abs(other))
    if size == 0:
        return True
    unit = 10.0 ** (math.floor(math.log10(size)) - digits + 1)
    return abs(one - other) <= unit * 0.5000001


def _written(value: float) -> int:
    """With how many significant digits `value` is written."""
    mantissa = f"{value!r}".lower().split("e")[0].replace(".", "").lstrip("-0")
    return len(mantissa.rstrip("0")) if mantissa else 0


def _bad(what: str) -> MachineryError:
    return MachineryError(what, "Mend the test command; `signoff logs` shows what it printed.", is_retryable=False)
