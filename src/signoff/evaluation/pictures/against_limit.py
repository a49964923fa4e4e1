"""A metric with its interval, beside the champion's, against the limit that a check asks for."""

from __future__ import annotations

import math

from signoff.domain.evidence import Metric
from signoff.evaluation import readings
from signoff.evaluation.pictures.look import Names, by_model, make, mark, quantity, rule, tips
from signoff.evaluation.pictures.picture import Column, Picture, file_part, rows_of
from signoff.evaluation.wording import percent

_COLUMNS = (
    Column("model", "Model", "text"),
    Column("value", "Value"),
    Column("low", "From"),
    Column("high", "To"),
    Column("n", "Rows", "count"),
)


def against_limit(
    metric: Metric, champion: Metric | None, names: Names, *, asked: tuple[str, float] | None = None
) -> Picture | None:
    """One metric; None where it is not a number. `asked`: ``>``, ``>=``, ``<`` or ``<=``, and the limit."""
    if not metric.is_usable:
        return None
    if champion is not None and not champion.is_usable:
        champion = None
    both = [metric] if champion is None else [metric, champion]
    ends = [m.interval for m in both]
    rows = rows_of(
        _COLUMNS,
        (names.candidate, names.champion)[: len(both)],
        [m.value for m in both],
        [math.nan if end is None else end.low for end in ends],
        [math.nan if end is None else end.high for end in ends],
        [m.n for m in both],
    )
    interval = metric.interval
    reading = readings.limit(
        metric.name,
        metric.value,
        None if interval is None else (interval.low, interval.high, interval.level),
        asked=asked,
        champion=None if champion is None else champion.value,
        n=metric.n,
    )
    x = quantity("value", metric.name)
    y = {"field": "model", "type": "nominal", "title": None, "sort": None}
    model = by_model(names, has_champion=champion is not None, kind="point")
    colour, shape = ({**model[channel], "legend": None} for channel in ("color", "shape"))
    layers = [
        {
            "mark": mark("rule", strokeWidth=2),
            "encoding": {"x": {**x, "field": "low"}, "x2": {"field": "high"}, "y": y, "color": colour},
        },
        {
            "mark": mark("point", filled=True, size=90),
            "encoding": {"x": x, "y": y, "color": colour, "shape": shape, "tooltip": tips(_COLUMNS)},
        },
    ]
    words = "" if interval is None else f"The line is where it lies, {percent(interval.level)} sure"
    limit_words = "" if asked is None else f"{'; t' if words else 'T'}he upright line is the limit, {asked[1]:g}"
    return make(
        f"metric-{file_part(metric.name)}",
        title=f"{metric.name} against its limit" if asked else metric.name,
        subtitle=words + limit_words,
        reading=reading,
        columns=_COLUMNS,
        rows=rows,
        layers=layers if asked is None else [*layers, rule(asked[1], "x")],
        height=40 + 40 * len(both),
    )
