"""`--wait`: follows a run to its end, live on a terminal, in plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from signoff.cli.exits import Exit, exit_of_run
from signoff.cli.run_page import page, steps
from signoff.cli.screen import Screen, console, safe
from signoff.cli.words import outlook, plain, sign, status, version_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from signoff.sdk.client import Client
    from signoff.wire.runs import RunBody


def wait_for(client: Client, body: RunBody, screen: Screen, timeout: float | None) -> int:
    """Follow the run until it has ended; the exit status says how it did."""
    from signoff.sdk.run import Run

    run = Run(client, body)
    changes = run.changes(timeout)
    try:
        if screen.is_live:
            _watch(changes, body)
        else:
            _tell(changes, screen)
    except KeyboardInterrupt:
        screen.note(f"Stopped waiting; the run goes on. `signoff show {run.id}` shows how it stands.")
        return Exit.GAVE_UP
    if screen.is_json:
        screen.document(run.body)
    elif screen.is_live:
        screen.say("")
        for part in page(run.body):
            screen.say(part)
    return exit_of_run(run.state)


class _Progress:
    """The run as it is now; drawn anew several times a second, so that times go on between changes."""

    def __init__(self, body: RunBody) -> None:
        from rich.spinner import Spinner

        self.body = body
        self.is_waiting = True
        self._spinner = Spinner("dots")

    def __rich__(self) -> RenderableType:
        from rich.console import Group

        body = self.body
        parts: list[RenderableType] = [
            f"[bold]{version_of(body)}[/]  {sign(body.model_status)} {status(body.model_status)}",
            *([steps(body.attempts[-1])] if body.attempts else []),
        ]
        if self.is_waiting:
            outcome = outlook(body.waits_for) if body.waits_for else f"Attempt {body.attempt} of {body.max_attempts}."
            self._spinner.update(text=f"[yellow]{safe(outcome)}[/]")
            parts.append(self._spinner)
        return Group(*parts)


def _watch(changes: Iterator[RunBody], body: RunBody) -> None:
    """Draw the steps until the run has ended; what was last seen stays when the waiting is given up."""
    from rich.live import Live

    progress = _Progress(body)
    with Live(progress, console=console(), refresh_per_second=6) as live:
        try:
            for progress.body in changes:
                live.refresh()
            live.transient = True  # the whole page follows
        finally:
            progress.is_waiting = False


def _tell(changes: Iterator[RunBody], screen: Screen) -> None:
    """A line for each thing that changes."""
    said: set[str] = set()
    first = None
    for body in changes:
        first = first or body.attempt
        for line in lines_of(body, first):
            if line not in said:
                said.add(line)
                screen.say(line)


def lines_of(body: RunBody, first: int) -> Iterator[str]:
    """What is worth a line, in the order in which it happens, of attempt `first` and those that follow."""
    for attempt in body.attempts:
        if attempt.number < first:
            continue
        many = f"attempt {attempt.number}: " if body.max_attempts > 1 else ""
        for step in attempt.steps:
            if step.status == "pending":
                continue
            why = step.error or step.note
            yield f"{many}{safe(step.name)}: {plain(step.status)}{f' ({safe(why)})' if why else ''}"
    if body.waits_for:
        yield safe(outlook(body.waits_for))
    elif body.status != "running":
        yield f"run {safe(body.id)}: {plain(body.status)}{f' ({safe(body.error)})' if body.error else ''}"
