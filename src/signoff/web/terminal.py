"""A log as a terminal would show it: colours as class names, what else steers a terminal left out.

No style attribute, because the pages allow none; sixteen colours and bold, faint, italic and underlined text are what
training scripts use. Everything else a log says is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from markupsafe import Markup

_STEERS = re.compile(
    r"\x1b\[([0-9;:]*)m"  # colours
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # other steering
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles and links
    r"|\x1b[@-Z\\-_]|\x1b[ -/]+[0-~]|\x1b"
)
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_LOOKS = {1: "bold", 2: "faint", 3: "italic", 4: "underline"}


def lines_of(data: bytes) -> list[Markup]:
    """Each line as HTML; the colour of one goes on in the next. A carriage return begins its line anew."""
    text = data.decode("utf-8", "replace")
    looks: set[str] = set()
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    # Every part is escaped.
    return [Markup("".join(_parts(_overwritten(line), looks))) for line in lines]  # noqa: S704  # nosec B704


def plain(data: bytes) -> str:
    """The text without anything that steers a terminal: what a search looks through."""
    return _UNSEEN.sub("", _STEERS.sub("", data.decode("utf-8", "replace")))


def _overwritten(line: str) -> str:
    """What is left of a line that a progress bar wrote again and again."""
    line = line.removesuffix("\r")
    return line.rsplit("\r", 1)[-1] if "\r" in line else line


def _parts(line: str, looks: set[str]) -> Iterator[str]:
    at = 0
    for found in _STEERS.finditer(line):
        yield _part(line[at : found.start()], looks)
        at = found.end()
        if found[1] is not None:
            _turn(looks, found[1])
    yield _part(line[at:], looks)


def _part(text: str, looks: set[str]) -> str:
    shown = escape(_UNSEEN.sub("", text), quote=False)
    if not shown or not looks:
        return shown
    names = " ".join(f"t-{name}" for name in sorted(looks))
    return f'<span class="{names}">{shown}</span>'


def _turn(looks: set[str], codes: str) -> None:
    """Change `looks` as the codes of one sequence say."""
    numbers = [int(code) if code.isdigit() else 0 for code in re.split("[;:]", codes)] if codes else [0]
    while numbers:
        code = numbers.pop(0)
        if code == 0:
            looks.clear()
        elif code in _LOOKS:
            looks.add(_LOOKS[code])
        elif code == 22:  # noqa: PLR2004 - the codes are what they are
            looks -= {"bold", "faint"}
        elif code in {23, 24}:
            looks.discard(_LOOKS[code - 20])
        elif code in {38, 48}:  # one of many colours: not shown, its numbers skipped
            del numbers[: 2 if numbers[:1] == [5] else 4]
            _colour(looks, None)
        elif 30 <= code <= 37 or 90 <= code <= 97:  # noqa: PLR2004
            _colour(looks, _COLOURS[code % 10])
        elif code == 39:  # noqa: PLR2004
            _colour(looks, None)


def _colour(looks: set[str], name: str | None) -> None:
    looks.difference_update(_COLOURS)
    if name is not None:
        looks.add(name)
