"""What the demo prints: a line for each thing that happened, with the seconds since the beginning."""

from __future__ import annotations

import os
import sys
import time


class StepError(Exception):
    """A step of the story did not happen; `run` is the run that it was about."""

    def __init__(self, what: str, run: str | None = None) -> None:
        super().__init__(what)
        self.run = run


class Telling:
    """Prints on stdout; in colours only on a terminal."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._has_colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    @property
    def seconds(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self._began

    def chapter(self, title: str) -> None:
        """The next part of the story."""
        print(f"\n{self._styled('1', title)}", flush=True)

    def typed(self, command: str) -> None:
        """A command line that is being run."""
        print(f"{self._when()} {self._styled('36', f'$ {command}')}", flush=True)

    def happened(self, what: str) -> None:
        """Something that was asked for and really happened."""
        print(f"{self._when()} {self._styled('32', '+')} {what}", flush=True)

    def refused(self, what: str) -> None:
        """A no that belongs to the story."""
        print(f"{self._when()} {self._styled('33', '-')} {what}", flush=True)

    def failed(self, what: str) -> None:
        """A step that did not happen."""
        print(f"\n{self._styled('1;31', 'The demo failed:')} {what}", flush=True)

    def plain(self, text: str = "") -> None:
        """Text as it is."""
        print(text, flush=True)

    def tail(self, title: str, text: str, lines: int = 25) -> None:
        """The last lines of a log."""
        print(f"\n{self._styled('1', title)}")
        print("\n".join(f"  {line}" for line in text.splitlines()[-lines:]) or "  (nothing)", flush=True)

    def _when(self) -> str:
        return self._styled("2", f"{self.seconds:5.0f} s ")

    def _styled(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._has_colours else text
