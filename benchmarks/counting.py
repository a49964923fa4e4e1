"""Counts what is sent to the database meanwhile, and what that takes of the processor. Imported by benchmarks only."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event


@dataclass
class Count:
    """Statements, those of them that read, and transactions that sent any."""

    statements: int = 0
    reads: int = 0
    transactions: int = 0
    is_idle: bool = True

    def sent(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        """SQLAlchemy tells of a statement."""
        self.is_idle = False
        self.statements += 1
        self.reads += statement.startswith("SELECT")

    def ended(self, _connection: Any) -> None:
        """SQLAlchemy tells of a commit."""
        self.transactions += not self.is_idle
        self.is_idle = True


@contextmanager
def counted() -> Iterator[Count]:
    """What this process sends, in one thread."""
    count = Count()
    event.listen(Engine, "before_cursor_execute", count.sent)
    event.listen(Engine, "commit", count.ended)
    try:
        yield count
    finally:
        event.remove(Engine, "before_cursor_execute", count.sent)
        event.remove(Engine, "commit", count.ended)


def processor_ms(work: Callable[[], None], times: int) -> float:
    """Milliseconds of this process's processor time for one of `times` calls."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1000


def profiled(work: Callable[[], None], times: int) -> None:
    """Print where the time of so many calls in one thread goes."""
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(times):
        work()
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)
