"""Slices as a forest plot: the metric of each with its interval, the worst first, against the metric of all rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from signoff.domain.evidence import SliceResult
from signoff.evaluation import readings
from signoff.evaluation.pictures.look import Names, make, mark, quantity, rule, tips
from signoff.evaluation.pictures.picture import Column, Picture, file_part, rows_of

MOST_SLICES = 40
SMALLEST = 30
"""Smaller slices are drawn, but a reading does not call one of them the lowest while there are others."""
_WORDS = {"worse": "surely worse", "unsure": "not sure", "fine": "not worse"}


def forest(slices: Sequence[SliceResult], overall: float, better: readings.Better, names: Names) -> Picture | None:
    """The slices of one metric; what a slice is like beside it is the shape, its colour, and a word in the table.

    `slices` are drawn in their order, which is the worst first; the first forty of them. None where there are none.
    """
    known = [s for s in slices if math.isfinite(s.value)]
    if not known:
        return None
    metric = known[0].metric
    columns = [
        Column("slice", "Slice", "text"),
        Column("rows", "Rows", "count"),
        Column("value", "Value"),
        Column("low", "From"),
        Column("high", "To"),
        Column("verdict", "Beside the rest", "text"),
    ]
    has_champion = any(s.to_champion is not None for s in known)
    drawn = known[:MOST_SLICES]
    values: list[list[Any]] = [
        [s.label for s in drawn],
        [s.n for s in drawn],
        [s.value for s in drawn],
        [None if s.interval is None else s.interval.low for s in drawn],
        [None if s.interval is None else s.interval.high for s in drawn],
        [_WORDS[s.status] for s in drawn],
    ]
    if has_champion:
        columns.append(Column("champion", "The champion there"))
        values.append([None if s.to_champion is None else s.value - s.to_champion.value for s in drawn])
    worst = _worst(known, better)
    reading = readings.slices(
        metric,
        better,
        (worst.label, worst.value, worst.n),
        overall,
        total=len(known),
        worse=sum(s.status == "worse" for s in known),
        unsure=sum(s.status == "unsure" for s in known),
    )
    x = quantity("value", metric)
    y = {"field": "slice", "type": "nominal", "title": None, "sort": None}
    domain = [_WORDS["fine"], _WORDS["unsure"], _WORDS["worse"]]
    verdict = {"field": "verdict", "type": "nominal", "title": None, "legend": {"orient": "top"}}
    colour = {**verdict, "scale": {"domain": domain, "range": "category"}}
    shape = {**verdict, "scale": {"domain": domain, "range": ["circle", "square", "triangle-down"]}}
    layers = [
        {
            "mark": mark("rule", strokeWidth=2),
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour},
        },
        {
            "mark": mark("point", filled=True, size=70),
            "encoding": {"x": x, "y": y, "color": colour, "shape": shape, "tooltip": tips(columns)},
        },
    ]
    if has_champion:
        tick = {
            "mark": mark("tick", "champion", thickness=2, size=14),
            "encoding": {"x": {**x, "field": "champion"}, "y": y},
        }
        layers.insert(1, tick)
    if math.isfinite(overall):
        layers.insert(0, rule(overall, "x", "reference"))
    left_out = f"; the worst {len(drawn)} of {len(known):,} slices" if len(known) > len(drawn) else ""
    return make(
        "slices-" + file_part(metric),
        title=f"{metric} in each slice",
        subtitle="The dashed line is all rows"
        + (f"; short strokes are {names.champion}" if has_champion else "")
        + left_out,
        reading=reading,
        columns=columns,
        rows=rows_of(columns, *values),
        layers=layers,
        height=60 + 22 * len(drawn),
    )


def _worst(known: Sequence[SliceResult], better: readings.Better) -> SliceResult:
    """The first of those that are surely worse; else the one with the worst value, small ones last."""
    first = next((one for one in known if one.status == "worse"), None)
    if first is not None:
        return first
    sign = {"higher": 1, "lower": -1, "zero": 0}[better]
    large = [one for one in known if one.n >= SMALLEST] or known
    return min(large, key=lambda one: sign * one.value if sign else -abs(one.value))
