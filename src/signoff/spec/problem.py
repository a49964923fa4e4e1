"""What is wrong with a file, where, and what to do about it: the words a person reads after `signoff validate`.

Everything in `spec` reports through these; `cli`, `api` and `web` only render them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Severity = Literal["error", "warning"]

_WIDEST = 160
"""Source lines longer than this are shown around the caret only, in characters."""

_LONGEST_SOURCE = 2000
"""What a problem keeps of its source line, in characters; a file in one long line must not fill the memory."""

_BREAKS = re.compile(r"\r\n|\n|\r")
_UNSHOWABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_MOST_PROBLEMS = 100
"""A file this wrong is told so; naming the rest would help nobody and cost time."""


class Place(NamedTuple):
    """Where in a file: line and column from 1, and how many characters of that line are meant."""

    line: int
    column: int
    length: int = 1


TOP = Place(1, 1)
"""The place of what concerns the whole file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong (`error`) or looks wrong (`warning`). `source` is the line that it is about."""

    file: str
    line: int
    column: int
    length: int
    message: str
    hint: str = ""
    severity: Severity = "error"
    code: str = "invalid"
    source: str = ""

    @property
    def is_error(self) -> bool:
        """Whether the file is refused for this."""
        return self.severity == "error"

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """The message, the source line, and a caret line with the hint; no newline at the end."""
        label = "" if self.is_error else "warning: "
        head = f"{self.file}:{self.line}:{self.column}: {label}{self.message}"
        if not self.source.strip() or self.column > len(self.source) + 1:
            return f"{head}\n      | {self.hint}" if self.hint else head
        source, start = _window(self.source, self.column - 1)
        before = source[:start]
        length = max(1, min(self.length, len(source) - start))
        carets = "^" * max(1, _width(source[start : start + length]))
        caret_line = f"{' ' * _width(before)}{carets} {self.hint}".rstrip()
        return f"{head}\n{self.line:>5} | {source}\n      | {caret_line}"

    def as_json(self) -> dict[str, Any]:
        """The same as plain data, for `--json` and REST."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "length": self.length,
            "message": self.message,
            "hint": self.hint,
            "severity": self.severity,
            "code": self.code,
            "source": self.source,
        }


class Problems:
    """Collects every problem of one file, in the order found; `sorted` gives them in the order of the file."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self.lines = _BREAKS.split(text)
        self.has_errors = False
        self._found: dict[tuple[Place, str], Problem] = {}
        self._left_out = 0

    @property
    def is_full(self) -> bool:
        """Whether further problems are only counted, so that looking for hints is wasted."""
        return len(self._found) >= _MOST_PROBLEMS

    @property
    def count(self) -> int:
        """How many problems were found so far."""
        return len(self._found) + self._left_out

    def line(self, number: int) -> str:
        """Line `number` (from 1) of the file; empty past its end."""
        return self.lines[number - 1] if 0 < number <= len(self.lines) else ""

    def error(self, place: Place, message: str, hint: str = "", *, code: str = "invalid") -> None:
        """Refuse the file for this."""
        self.has_errors = True
        self._add(place, message, hint, "error", code)

    def warn(self, place: Place, message: str, hint: str = "", *, code: str = "lint") -> None:
        """Say that this looks wrong."""
        self._add(place, message, hint, "warning", code)

    def sorted(self) -> tuple[Problem, ...]:
        """Every problem by line and column, and at the end how many more were left out."""
        found = sorted(self._found.values(), key=lambda p: (p.line, p.column, p.severity))
        if self._left_out:
            last = found[-1]
            more = f"and {self._left_out} more problems like these"
            severity: Severity = "error" if self.has_errors else "warning"
            found.append(Problem(self.file, last.line, last.column, 1, more, "", severity, "more_problems"))
        return tuple(found)

    def _add(self, place: Place, message: str, hint: str, severity: Severity, code: str) -> None:
        if self.is_full:
            self._left_out += 1
            return
        shown = Problem(
            self.file,
            place.line,
            place.column,
            place.length,
            _shown(message),
            _shown(hint),
            severity,
            code,
            _shown(self.line(place.line)[:_LONGEST_SOURCE]),
        )
        self._found.setdefault((place, message), shown)


def said(value: object) -> str:
    """`value` quoted as a message shows it: short, on one line, and harmless to a terminal."""
    text = _shown(str(value))
    longest = 60
    return f"'{text[:longest]}...'" if len(text) > longest else f"'{text}'"


def _shown(text: str) -> str:
    """`text` with what a terminal would obey, or an eye would miss, made visible; its length stays."""
    return _UNSHOWABLE.sub(lambda found: " " if found[0] == "\t" else "\N{REPLACEMENT CHARACTER}", text)


def _window(source: str, start: int) -> tuple[str, int]:
    """The part of `source` worth showing, and where `start` lies in it."""
    if len(source) <= _WIDEST:
        return source, min(start, len(source))
    left = max(0, min(start, len(source)) - _WIDEST // 2)
    return source[left : left + _WIDEST], min(start, len(source)) - left


def _width(text: str) -> int:
    """How many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
