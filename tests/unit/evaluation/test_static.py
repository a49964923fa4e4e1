"""A picture as a file: it says what it shows, fetches nothing, and says what to install where it cannot be made."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from signoff.domain.evidence import Interval, Metric, Provenance
from signoff.evaluation import pictures
from signoff.evaluation.static import PictureError, to_png, to_svg

METRIC = Metric("accuracy", 0.903, Provenance.MEASURED, Interval(0.866, 0.931), 300)
PICTURE = pictures.against_limit(METRIC, None, pictures.Names(), asked=(">", 0.9))
POINT: dict[str, Any] = {"mark": "point", "encoding": {"x": {"field": "x", "type": "quantitative"}}}


def test_an_svg_has_a_title_and_says_its_reading_to_a_screen_reader() -> None:
    assert PICTURE is not None
    svg = to_svg(PICTURE.spec)
    assert svg.startswith(f'<svg role="img" aria-label="{PICTURE.reading}"')
    assert "accuracy against its limit" in svg
    assert "<script" not in svg


def test_an_svg_is_transparent_unless_it_is_told_a_background() -> None:
    assert PICTURE is not None
    assert 'fill="#ffffff"' not in to_svg(PICTURE.spec)
    assert 'fill="#ffffff"' in to_svg(PICTURE.spec, background="#ffffff")


def test_themes_differ_in_their_colours_only() -> None:
    assert PICTURE is not None
    light, dark = to_svg(PICTURE.spec, "light"), to_svg(PICTURE.spec, "dark")
    assert "#2563eb" in light
    assert "#2563eb" not in dark
    assert "#60a5fa" in dark


def test_a_png_is_one() -> None:
    assert PICTURE is not None
    png = to_png(PICTURE.spec, "dark")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert int.from_bytes(png[16:20], "big") >= 2 * 480


@pytest.mark.parametrize(
    "spec",
    [
        {**POINT, "data": {"url": "file:///etc/hostname"}},
        {**POINT, "data": {"url": "http://127.0.0.1:9/data.csv"}},
        {**POINT, "data": {"values": []}, "transform": [{"lookup": "x", "from": {"data": {"url": "x.csv"}}}]},
        {"data": {"values": [{}]}, "mark": {"type": "image", "url": "http://127.0.0.1:9/x.png"}},
        {"data": {"values": [{}]}, "mark": "image", "encoding": {"url": {"value": "file:///etc/hostname"}}},
        {"data": {"values": [{}]}, "mark": "point", "encoding": {"href": {"value": "javascript:alert(1)"}}},
    ],
)
def test_a_specification_that_names_an_address_is_refused_before_it_is_drawn(spec: dict[str, Any]) -> None:
    with pytest.raises(PictureError, match="names an address"):
        to_svg(spec)


def test_what_is_not_vega_lite_is_an_error_in_words() -> None:
    with pytest.raises(PictureError, match="cannot be drawn"):
        to_svg({"mark": "nonsense", "data": {"values": []}})


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PICTURE is not None
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(PictureError, match=r"signoff\[pictures\]") as raised:
        to_svg(PICTURE.spec)
    assert raised.value.code == "picture"
