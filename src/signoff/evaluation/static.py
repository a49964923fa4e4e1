"""A picture as a file that needs no browser: SVG or PNG of the same specification, for mails, packs and documentation.

Needs the extra `pictures` (vl-convert, which carries its own JavaScript engine and Vega). Nothing is ever fetched: a
specification that names an address or a file is refused before it is drawn. Imported inside functions only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from textwrap import wrap
from types import ModuleType
from typing import Any

from signoff.domain.errors import SignoffError
from signoff.evaluation.pictures.look import Theme, configuration, surface

WIDTH = 480
_VEGA_LITE = "6.4"
_FONT = "Inter Variable, Inter, DejaVu Sans, Liberation Sans, Helvetica, Arial, sans-serif"
"""Fonts that are there without asking anybody: those installed, else the sans-serif that vl-convert carries."""
_CHARACTER = 7
"""How wide a character of a subtitle is, in pixels, generously."""
_ADDRESSES = frozenset({"url", "href"})
_ROOT = re.compile(r"<svg\b")


class PictureError(SignoffError):
    """A specification that cannot be drawn here."""

    code = "picture"


def to_svg(
    spec: Mapping[str, Any], theme: Theme = "light", *, width: int = WIDTH, background: str | None = None
) -> str:
    """`spec` as SVG with its title, subtitle and description in it; transparent unless `background` is a colour.

    Raises:
        PictureError: vl-convert is not installed, the specification names an address, or it is not Vega-Lite.
    """
    converter = _converter()
    _refuse_addresses(spec)
    config = {**configuration(theme), "font": _FONT}
    if background is not None:
        config["background"] = background
    try:
        svg: str = converter.vegalite_to_svg(
            _framed(spec, width), vl_version=_VEGA_LITE, config=config, allowed_base_urls=[], show_warnings=False
        )
    except ValueError as error:
        first = str(error).strip().splitlines()
        reason = next((line for line in first if line.startswith(("Error", "TypeError"))), first[0] if first else "")
        raise PictureError(
            f"The picture cannot be drawn: {reason}.", "Open it in the Vega editor to see why."
        ) from error
    description = str(spec.get("description", ""))
    label = f' role="img" aria-label="{escape(description)}"' if description else ""
    return _ROOT.sub(lambda found: found[0] + label, svg, count=1)


def to_png(spec: Mapping[str, Any], theme: Theme = "light", *, width: int = WIDTH, scale: float = 2.0) -> bytes:
    """`spec` as PNG on the theme's own surface, `scale` pixels to a point.

    Raises:
        PictureError: as `to_svg`.
    """
    svg = to_svg(spec, theme, width=width, background=surface(theme))
    png: bytes = _converter().svg_to_png(svg, scale=scale)
    return png


def _converter() -> ModuleType:
    try:
        import vl_convert
    except ImportError as error:
        what = "Pictures as SVG or PNG need vl-convert, which is not installed."
        raise PictureError(what, "Install it: pip install 'signoff[pictures]'.") from error
    return vl_convert


def _framed(spec: Mapping[str, Any], width: int) -> dict[str, Any]:
    """`spec` at a fixed width, with the title and subtitle that a page would write above it."""
    meta = spec.get("usermeta")
    framed = {**spec, "width": width}
    if isinstance(meta, Mapping) and "title" not in spec and "title" in meta:
        lines = _wrapped(str(meta.get("subtitle", "")), width)
        framed["title"] = {"text": str(meta["title"]), "subtitle": lines}
        height = spec.get("height")
        if isinstance(height, int):
            framed["height"] = height + 28 + 15 * len(lines)  # the height of a specification is that of all it draws
    return framed


def _wrapped(text: str, width: int) -> list[str]:
    """`text` in lines that fit `width`; a page breaks lines by itself, a file does not."""
    return wrap(text, max(20, width // _CHARACTER))


def _refuse_addresses(value: Any) -> None:
    """Refuse a specification that would read a file or an address, whatever the converter's own list says."""
    todo = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, Mapping):
            named = _ADDRESSES & {str(key) for key in part}
            if named:
                what = f"The picture names an address ({', '.join(sorted(named))}), and pictures fetch nothing."
                raise PictureError(what, "Put the data into the specification, under data.values.")
            todo += part.values()
        elif isinstance(part, list | tuple):
            todo += part
