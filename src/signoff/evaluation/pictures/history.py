"""The history of a metric over versions, with intervals, against its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from signoff.domain.evidence import Interval
from signoff.evaluation import readings
from signoff.evaluation.pictures.look import make, mark, quantity, rule, tips
from signoff.evaluation.pictures.picture import Column, Picture, file_part, rows_of

MOST_VERSIONS = 200
_COLUMNS = (
    Column("version", "Version", "text"),
    Column("value", "Value"),
    Column("low", "From"),
    Column("high", "To"),
    Column("champion", "Was the champion", "text"),
)


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric as one version had it; nan where it is not known."""

    version: str
    value: float
    interval: Interval | None = None
    is_champion: bool = False


def history(
    metric: str, versions: Sequence[Measured], better: readings.Better, *, limit: float | None = None
) -> Picture | None:
    """The versions in their order, oldest first, the last two hundred of them. None where there are none."""
    if not versions:
        return None
    drawn = versions[-MOST_VERSIONS:]
    rows = rows_of(
        _COLUMNS,
        [v.version for v in drawn],
        [v.value for v in drawn],
        [None if v.interval is None else v.interval.low for v in drawn],
        [None if v.interval is None else v.interval.high for v in drawn],
        ["champion" if v.is_champion else "no" for v in drawn],
    )
    reading = readings.history(metric, [(v.version, v.value) for v in drawn], better, overlaps=_overlaps(drawn))
    x = {
        "field": "version",
        "type": "ordinal",
        "title": "Version",
        "sort": None,
        "axis": {"labelAngle": 0, "labelOverlap": True},
    }
    y = quantity("value", metric)
    layers = [
        {
            "mark": mark("rule", "candidate", strokeWidth=2),
            "encoding": {"x": x, "y": {**y, "field": "low"}, "y2": {"field": "high"}},
        },
        {"mark": mark("line", "candidate", strokeWidth=1), "encoding": {"x": x, "y": y}},
        {
            "mark": mark("point", filled=True, size=70),
            "encoding": {
                "x": x,
                "y": y,
                "color": {
                    "field": "champion",
                    "type": "nominal",
                    "scale": {"domain": ["no", "champion"], "range": "category"},
                    "legend": None,
                },
                "shape": {
                    "field": "champion",
                    "type": "nominal",
                    "scale": {"domain": ["no", "champion"], "range": ["circle", "square"]},
                    "legend": None,
                },
                "tooltip": tips(_COLUMNS),
            },
        },
    ]
    left_out = f"; the newest {len(drawn)} of {len(versions):,}" if len(versions) > len(drawn) else ""
    return make(
        "history-" + file_part(metric),
        title=f"{metric} over the versions",
        subtitle="Oldest first; the square is the champion"
        + ("" if limit is None else "; the dashed line is the limit")
        + left_out,
        reading=reading,
        columns=_COLUMNS,
        rows=rows,
        layers=layers if limit is None else [*layers, rule(limit, "y")],
    )


def _overlaps(versions: Sequence[Measured]) -> bool | None:
    """Whether the intervals of the last two known versions do."""
    known = [v for v in versions if math.isfinite(v.value)]
    if len(known) < 2 or known[-1].interval is None or known[-2].interval is None:  # noqa: PLR2004 - two of them
        return None
    new, old = known[-1].interval, known[-2].interval
    return new.low <= old.high and old.low <= new.high
