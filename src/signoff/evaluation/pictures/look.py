"""How every picture looks: names of styles in the specifications, their colours in a configuration for each theme.

A specification never names a colour or a background. Whoever draws it passes `configuration("light")` or `("dark")`
(a page may make the same from its own variables), so that one file serves both themes, a mail and print. Colour is
never alone: the champion is dashed and square, the candidate solid and round.

Order is that of the rows (`sort` None): a list of labels would be compiled into an expression, and what somebody else
wrote has no place in one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from signoff.evaluation.pictures.picture import Column, Picture, Row, Table

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
HEIGHT = 230
FONT = "Inter Variable, Inter, system-ui, sans-serif"

Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Names:
    """What the legends call the two models."""

    candidate: str = "this version"
    champion: str = "the champion"


@dataclass(frozen=True, slots=True)
class _Palette:
    candidate: str
    champion: str
    warning: str
    ink: str
    strong: str
    grid: str
    pale: tuple[str, str]
    surface: str


_PALETTES: Mapping[Theme, _Palette] = {
    "light": _Palette(
        "#2563eb", "#94a3b8", "#c2410c", "#5b6472", "#1f2937", "#e2e8f0", ("#eff6ff", "#93c5fd"), "#ffffff"
    ),
    "dark": _Palette(
        "#60a5fa", "#64748b", "#fb923c", "#a8b3c2", "#e5e7eb", "#334155", ("#1e293b", "#1d4ed8"), "#182433"
    ),
}


def configuration(theme: Theme = "light") -> dict[str, Any]:
    """The Vega-Lite configuration of a theme: pass it as `config` beside a specification."""
    p = _PALETTES[theme]
    return {
        "background": "transparent",
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": p.ink, "titleColor": p.ink, "gridColor": p.grid, "tickColor": p.grid, "domain": False,
            "titleFontWeight": 500, "labelFontSize": 11, "titleFontSize": 11, "tickCount": 5, "labelLimit": 160,
        },
        "legend": {
            "labelColor": p.ink, "labelFontSize": 12, "labelLimit": 220, "symbolStrokeWidth": 2.5,
            "layout": {"top": {"direction": "vertical", "anchor": "start", "margin": 2}},
        },
        "title": {
            "anchor": "start", "color": p.strong, "subtitleColor": p.ink, "fontSize": 14, "subtitleFontSize": 12,
            "fontWeight": 600, "offset": 12,
        },
        "range": {"category": [p.candidate, p.champion, p.warning], "heatmap": list(p.pale)},
        "style": {
            "candidate": {"color": p.candidate},
            "champion": {"color": p.champion},
            "reference": {"color": p.champion, "strokeWidth": 1, "strokeDash": [4, 4]},
            "limit": {"color": p.warning, "strokeWidth": 1.5, "strokeDash": [6, 3]},
            "counts": {"color": p.champion, "opacity": 0.35},
            "cell-text": {"color": p.strong, "fontSize": 15, "fontWeight": 600},
            "cell-note": {"color": p.strong, "fontSize": 11},
        },
    }  # fmt: skip


def surface(theme: Theme) -> str:
    """The colour of the page under a picture, for a file that cannot have a transparent one."""
    return _PALETTES[theme].surface


def make(
    name: str,
    *,
    title: str,
    subtitle: str,
    reading: str,
    columns: Sequence[Column],
    rows: Sequence[Row],
    layers: Sequence[Mapping[str, Any]],
    encoding: Mapping[str, Any] | None = None,
    resolve: Mapping[str, Any] | None = None,
    height: int = HEIGHT,
) -> Picture:
    """A picture of `layers` over `rows`, as wide as what holds it."""
    spec: dict[str, Any] = {
        "$schema": SCHEMA,
        "description": reading,
        "usermeta": {"name": name, "title": title, "subtitle": subtitle, "reading": reading},
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "datasets": {"rows": list(rows)},
        "data": {"name": "rows"},
    }
    if encoding:
        spec["encoding"] = dict(encoding)
    spec["layer"] = list(layers)
    if resolve:
        spec["resolve"] = dict(resolve)
    return Picture(name, title, subtitle, reading, spec, Table(tuple(columns), tuple(rows)))


def mark(kind: str, style: str | None = None, **more: Any) -> dict[str, Any]:
    """A mark that a screen reader passes over: the description and the table say it all."""
    return {"type": kind, "aria": False, **({} if style is None else {"style": style}), **more}


def by_model(names: Names, *, has_champion: bool, kind: Literal["line", "point"] = "line") -> dict[str, Any]:
    """The channels that tell candidate and champion apart by the field ``model``: colour, and dash or shape."""
    models = [names.candidate, names.champion] if has_champion else [names.candidate]
    legend = {"orient": "top", "title": None} if has_champion else None
    colour = {"field": "model", "type": "nominal", "scale": {"domain": models}, "legend": legend, "title": "Model"}
    more = [[1, 0], [6, 3]] if kind == "line" else ["circle", "square"]
    scale = {"domain": models, "range": more[: len(models)]}
    channel = "strokeDash" if kind == "line" else "shape"
    return {"color": colour, channel: {**colour, "scale": scale}}


def quantity(
    field: str, title: str, *, share: bool = False, domain: Sequence[float] | None = None, zero: bool = False
) -> dict[str, Any]:
    """A position by a number; `share`: between 0 and 1, shown in per cent."""
    scale: dict[str, Any] = {"zero": zero, "nice": domain is None}
    if domain is not None:
        scale["domain"] = list(domain)
    axis = {"format": ".0%"} if share else {}
    return {"field": field, "type": "quantitative", "title": title, "scale": scale, "axis": axis}


def tips(columns: Sequence[Column]) -> list[dict[str, str]]:
    """What the pointer shows over a mark: the columns of the table."""
    formats = {"share": ".1%", "count": ",", "number": ".4~g"}
    return [
        {"field": c.field, "title": c.title, "type": "nominal"}
        if c.kind == "text"
        else {"field": c.field, "title": c.title, "type": "quantitative", "format": formats[c.kind]}
        for c in columns
    ]


def diagonal(low: float = 0.0, high: float = 1.0) -> dict[str, Any]:
    """A dashed line through (low, low) and (high, high)."""
    return {
        "data": {"values": [{"x": low, "y": low}, {"x": high, "y": high}]},
        "mark": mark("line", "reference"),
        "encoding": {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}},
    }


def rule(value: float, channel: Literal["x", "y"], style: str = "limit") -> dict[str, Any]:
    """A straight line across the picture at `value`."""
    return {"data": {"values": [{}]}, "mark": mark("rule", style), "encoding": {channel: {"datum": value}}}
