"""Commands to run, and what they leave behind."""

from __future__ import annotations

import contextlib
import io
import os
import select
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from signoff.adapters.runner.local import Limits, LocalRunner
from signoff.ports import Log, Outcome, Task

QUICK = Limits(poll=0.05, measure=0.05, grace=0.3)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def never() -> None:
    """Nobody wants it to stop."""


class Seen(io.BytesIO):
    """A log that can be awaited: `seen` is set once `awaited` was written to it."""

    def __init__(self, awaited: bytes = b"ready") -> None:
        super().__init__()
        self.seen = threading.Event()
        self._awaited = awaited

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        count = super().write(data)
        if self._awaited in self.getvalue():
            self.seen.set()
        return count

    @property
    def text(self) -> str:
        return self.getvalue().decode()


@contextlib.contextmanager
def watched(pid: int) -> Iterator[Callable[[float], bool]]:
    """Calling the value waits so many seconds at most for process `pid` to end; whether it did."""
    try:
        number = os.pidfd_open(pid)
    except ProcessLookupError:
        yield lambda _seconds: True
        return
    try:
        yield lambda seconds: bool(select.select([number], [], [], seconds)[0])
    finally:
        os.close(number)


def all_end(pids: str) -> bool:
    """Whether these processes end within five seconds each; one that nobody has asked about yet has ended, too."""
    with contextlib.ExitStack() as stack:
        return all(stack.enter_context(watched(int(pid)))(5) for pid in pids.split())


@pytest.fixture(name="task")
def a_task(tmp_path: Path) -> Task:
    return Task("run/train_model/1", 1, 1, ("true",), tmp_path / "work", environment={"SIGNOFF_STEP": "train_model"})


def run(task: Task, *argv: str, log: Log | None = None, limits: Limits = QUICK, **changes: object) -> Outcome:
    asked = replace(task, argv=argv, **changes)  # type: ignore[arg-type]
    return LocalRunner(limits).run(asked, Seen() if log is None else log, never)
