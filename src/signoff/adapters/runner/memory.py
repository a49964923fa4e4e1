"""The runner's double: a registered Python function stands for each command. For tests only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from signoff.adapters.runner.workplace import prepare
from signoff.domain.errors import MachineryError
from signoff.ports import Log, Outcome, Task

Command = Callable[[Task, Log, Callable[[], str | None]], int]
"""Gets the task (whose environment holds SIGNOFF_OUTPUT and SIGNOFF_CONTEXT), the log, `should_stop`; exit status."""


class MemoryRunner:
    """A `Runner` that calls ``commands[task.argv[0]]`` in the caller's thread; `tasks` is what it was given.

    The folders are real. A function that waits must ask `should_stop`, which also answers ``timeout`` in its time;
    the first word that it was told is the outcome's reason.
    """

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = dict(commands)
        self.tasks: list[Task] = []

    def run(self, task: Task, log: Log, should_stop: Callable[[], str | None], /) -> Outcome:
        """Call the function that stands for the task's command.

        Raises:
            MachineryError: there is none.
        """
        self.tasks.append(task)
        word = task.argv[0] if task.argv else ""
        if word not in self._commands:
            raise MachineryError(
                f"The command could not be started: {word!r}: {os.strerror(2)}.", "Register it.", is_retryable=False
            )
        place = prepare(task)
        deadline = float("inf") if task.timeout is None else time.monotonic() + task.timeout
        told: list[str] = []

        def ask() -> str | None:
            if not told and (word := "timeout" if time.monotonic() >= deadline else should_stop()):
                told.append(word)
            return told[0] if told else None

        seen = replace(task, environment={**task.environment, **place.variables()})
        exit_status = self._commands[word](seen, log, ask)
        reason = told[0] if told else None
        notes = () if reason is None else (f"The command was ended: {reason}.",)
        return Outcome(exit_status, place.output, reason, notes)
