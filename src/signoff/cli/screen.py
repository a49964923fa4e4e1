"""What a command prints: one JSON document, or lines and tables for people; and errors, always on stderr.

Colours appear on a terminal only, and never where NO_COLOR is set. Text from elsewhere is shown without what a
terminal would obey. rich is imported when something is rendered.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

from signoff.domain.errors import SignoffError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console, RenderableType

    from signoff.cli.options import Common

_OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OBEYED_BUT_COLOURS = re.compile(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PLAIN_WIDTH = 400
"""Columns where nobody looks: a table that goes into a pipe is not to be cut."""


class Screen:
    """The output of one command."""

    def __init__(self, common: Common) -> None:
        self.is_json = common.json
        self.is_quiet = common.quiet

    @property
    def is_live(self) -> bool:
        """Whether somebody watches: a terminal, and no JSON wanted."""
        return not self.is_json and not self.is_quiet and is_terminal(sys.stdout)

    @property
    def can_ask(self) -> bool:
        """Whether there is somebody to ask."""
        return not self.is_json and is_terminal(sys.stdin) and is_terminal(sys.stdout)

    def document(self, document: BaseModel | Mapping[str, Any]) -> None:
        """Print the one JSON document."""
        plain = document if isinstance(document, Mapping) else document.model_dump(mode="json")
        indent = 2 if is_terminal(sys.stdout) else None
        print(json.dumps(plain, indent=indent, ensure_ascii=False))

    def essential(self, text: str) -> None:
        """Print a line that scripts with -q read, such as an id."""
        if not self.is_json:
            print(clean(text))

    def say(self, *what: RenderableType) -> None:
        """Print for people: not with --json, not with -q. Strings are rich markup."""
        if not self.is_json and not self.is_quiet:
            self.show(*what)

    def show(self, *what: RenderableType) -> None:
        """Print what a person is about to be asked about."""
        console().print(*what, soft_wrap=not is_terminal(sys.stdout))

    def note(self, text: str) -> None:
        """A remark on stderr that is not an error; not with -q."""
        if not self.is_quiet:
            print(clean(text), file=sys.stderr)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person is at the other end of `stream`."""
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def console(stream: TextIO | None = None) -> Console:
    """A rich console on `stream` (default: stdout as it is now)."""
    from rich.console import Console

    file = stream or sys.stdout
    width = None if is_terminal(file) or "COLUMNS" in os.environ else _PLAIN_WIDTH
    return Console(file=file, highlight=False, emoji=False, width=width)


def clean(text: str) -> str:
    """`text` with what a terminal would obey made visible."""
    return _OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)


def write_log(text: str) -> None:
    """Print what a command printed: as it is into a pipe, and with nothing but its colours on a terminal."""
    if is_terminal(sys.stdout):
        text = _OBEYED_BUT_COLOURS.sub(
            lambda m: m[0] if m[0].startswith("\x1b[") else "\N{REPLACEMENT CHARACTER}", text
        )
    sys.stdout.write(text)
    sys.stdout.flush()


def safe(text: object) -> str:
    """`text` from elsewhere, for use inside rich markup."""
    from rich.markup import escape

    return escape(clean(str(text)))


def show_error(error: SignoffError, *, as_json: bool) -> None:
    """What happened and what to do on stderr; with `as_json` also a problem document on stdout."""
    errors = getattr(error, "errors", ())
    request_id = getattr(error, "request_id", None)
    if as_json:
        problem = {
            "code": error.code,
            "detail": error.what,
            "hint": error.hint,
            # Those that the server found, or those that this command found in a file.
            "errors": [place.model_dump(mode="json") for place in errors]
            or [problem.as_json() for problem in getattr(error, "problems", ())],
            "request_id": request_id,
        }
        print(json.dumps(problem, ensure_ascii=False))
    complain(error.what, error.hint)
    if why := getattr(error, "why", ""):
        print(clean(f"  {why}"), file=sys.stderr)
    for place in errors:
        where = f"{place.file}:{place.line}:{place.column}: " if place.line and place.file else ""
        field = f"{place.field}: " if place.field and not where else ""
        print(clean(f"  {where}{field}{place.message} {place.hint}".rstrip()), file=sys.stderr)
    if request_id and getattr(error, "status", 0) >= 500:  # noqa: PLR2004
        print(f"  request {clean(request_id)}", file=sys.stderr)


def complain(what: str, hint: str = "") -> None:
    """One sentence of what and one of what to do, on stderr."""
    head = "\x1b[1;31merror:\x1b[0m" if has_colours(sys.stderr) else "error:"
    print(f"{head} {clean(what)}", file=sys.stderr)
    if hint:
        print(f"       {clean(hint)}", file=sys.stderr)


def has_colours(stream: TextIO) -> bool:
    """Whether `stream` may be given colours."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
