"""Plays the story, then leaves the stack to the visitor; tells what went wrong when a step did not happen."""

from __future__ import annotations

import os
import re
import shlex
import signal
import sys
import time
from pathlib import Path

from demo.stack import Stack
from demo.story import play
from demo.telling import StepError, Telling
from signoff.domain.errors import SignoffError

INTERRUPTED = 130
_ANSWERED = re.compile(r"\] answered .*method=GET .*status=200")


def main() -> int:
    """The exit status: 0 only if every step really happened."""
    telling = Telling()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    is_over = False
    try:
        with Stack(telling) as stack:
            try:
                run = play(stack, telling)
                is_over = True
                telling.plain(f"\nEvery step really happened, in {telling.seconds:.0f} s.")
                if _has_visitor():
                    _hand_over(stack, telling, run)
            except (StepError, SignoffError, OSError, ValueError, LookupError) as error:
                _explain(stack, telling, error)
                return 1
            telling.plain("Stopping, and removing the throw-away home.")
    except KeyboardInterrupt:
        telling.plain("\nStopped; the throw-away home is removed.")
        return 0 if is_over else INTERRUPTED
    except SignoffError as error:
        telling.failed(f"Not everything could be stopped: {error} {error.hint}")
        return 1
    return 0


def _has_visitor() -> bool:
    """Whether somebody is there to try it, and to press Ctrl-C."""
    return os.environ.get("DEMO_ONCE", "") in {"", "0"} and sys.stdin.isatty() and sys.stdout.isatty()


def _hand_over(stack: Stack, telling: Telling, run: str) -> None:
    """Say what the visitor can type, then serve until Ctrl-C."""
    path = Path(sys.executable).parent
    telling.chapter("Now you decide")
    telling.plain(f"signoff is at {stack.url}, and run {run} waits for bob. In another terminal:\n")
    telling.plain(f"  export SIGNOFF_HOME={shlex.quote(str(stack.home))}")
    telling.plain(f'  export PATH={shlex.quote(str(path))}:"$PATH"\n')
    for command, why in (
        (f"signoff show {run} --as dave", "where it stands (dave may only look)"),
        (f"signoff explain {run} --as carol", "who can decide, and why carol cannot"),
        (f"signoff logs {run} train --as alice", "what the training printed"),
        ("signoff inbox --as bob", "what waits for bob"),
        (f"signoff approve {run} --as bob", "shows what is signed, then asks"),
        (
            f"signoff request-changes {run} --as bob --reason metric:precision",
            "or send it back; it is trained again",
        ),
        ("signoff deployments --as dave", "what is live, and where it answers"),
        ("signoff rollback local phishing-detector -m 'I want the former one' --as erin", "undo it"),
        ("signoff audit list --as erin", "all that happened"),
    ):
        telling.plain(f"  {command}\n      {why}")
    telling.plain("\nCtrl-C here stops everything and removes the home.")
    while True:
        stack.check()
        time.sleep(1)


def _explain(stack: Stack, telling: Telling, error: Exception) -> None:
    """What went wrong, with the ends of the logs that may say why."""
    hint = error.hint if isinstance(error, SignoffError) else ""
    kind = "" if isinstance(error, (StepError, SignoffError)) else f"{type(error).__name__}: "
    telling.failed(f"{kind}{error} {hint}".rstrip())
    if isinstance(error, StepError) and error.run is not None:
        try:
            with stack.client("alice") as alice:
                body = alice.get_run(error.run)
                step = next((s for s in reversed(body.attempts[-1].steps) if s.started_at), None)
                if step is not None and step.type in {"training", "test"}:
                    log = alice.get_log(body.id, step.name, attempt=body.attempt).data.decode(errors="replace")
                    telling.tail(f"The end of {step.name}'s log, attempt {body.attempt}:", log)
        except (SignoffError, OSError) as unreadable:
            telling.plain(f"Its log cannot be read: {unreadable}")
    if stack.log.exists():
        lines = stack.log.read_text(errors="replace").splitlines()
        # The demo's own questions would be all that is left to see.
        telling.tail("The end of the server's log:", "\n".join(line for line in lines if not _ANSWERED.search(line)))
