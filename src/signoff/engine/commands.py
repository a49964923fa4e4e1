"""Runs the command of a training or test step: what it sees, its log, and how it may end early."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from signoff.domain.errors import CancelledError, HandedBackError, MachineryError, UnavailableError
from signoff.domain.evidence import CheckStatus, Metric, to_plain
from signoff.domain.pipeline import Command
from signoff.domain.run import Run
from signoff.engine.logbook import Logbook, LogFile
from signoff.engine.machinery import LOG, Machinery, scratch_of
from signoff.engine.releasing import StepLog
from signoff.ports import Task
from signoff.store import evidence, gates, runs

_POLL_SECONDS = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that ran to its own end: exit status and output folder."""

    exit_status: int
    output: Path
    notes: tuple[str, ...] = ()


def key_of(run: Run, step: str) -> str:
    """The idempotency key of an outside effect: ``run/step/attempt``."""
    return f"{run.id}/{step}/{run.attempt.number}"


def run_command(
    machinery: Machinery,
    run: Run,
    step: str,
    command: Command,
    *,
    environment: Mapping[str, str],
    extra: dict[str, Any],
    aside: str = "",
) -> Ended:
    """Run `command` for `step`, its log kept live; `environment` and `extra` go beyond what every command sees.

    With `aside`, a name, the command is run beside the step's own: in a folder and under a key of that name, and its
    log is the file ``log.txt`` there.

    Raises:
        HandedBackError: the worker was told to stop.
        CancelledError: the run was cancelled or taken over.
        MachineryError: it could not start, took too long or wrote too much.
    """
    attempt = run.attempt.number
    scratch = machinery.work / scratch_of(run) / "-".join(filter(None, (step, str(attempt), aside)))
    scratch.mkdir(parents=True, exist_ok=True)
    folder = machinery.checkout(run.snapshot_digest, scratch / "folder.tgz") if run.snapshot_digest else None
    tries = run.attempt.step(step).tries
    logbook = LogFile(scratch / "log.txt") if aside else Logbook(machinery, run, step)
    task = Task(
        key="/".join(filter(None, (key_of(run, step), aside))),
        attempt_number=attempt,
        try_number=tries,
        argv=command.argv,
        work=scratch,
        folder=folder,
        environment={**_variables(run, step, tries, command), **environment},
        context={**context_of(machinery, run, step, command), **extra},
        python=command.python,
        timeout=command.timeout.total_seconds() if command.timeout else None,
    )
    try:
        outcome = machinery.runner.run(task, logbook, watch(machinery, run, logbook))
        for note in outcome.notes:
            logbook.say(note)
    except BaseException:
        with suppress(MachineryError, UnavailableError):
            logbook.finish()
        raise
    patiently(machinery, logbook.finish)
    _await_database(machinery, step)
    match outcome.reason:
        case "stopped":
            raise HandedBackError(f"The worker was told to stop while {step} ran.")
        case "cancelled":
            raise CancelledError(f"{step} was cancelled.")
        case None:
            return Ended(outcome.exit_status, outcome.output, outcome.notes)
        case "timeout":
            what = f"{step} took longer than its timeout of {command.timeout}."
            raise MachineryError(what, "Raise the step's timeout or make it faster.", is_retryable=False)
        case reason:
            words = " ".join(outcome.notes) or f"{step} was ended: {reason}."
            raise MachineryError(words, "`signoff logs` shows what it wrote.", is_retryable=False)


def patiently(machinery: Machinery, ask: Callable[[], T]) -> T:
    """What `ask` answers, asked again while the outside is away: so that a command that took hours is not repeated.

    Raises:
        MachineryError: it stayed away.
        HandedBackError: the worker was told to stop.
    """
    for pause in machinery.retry_pauses:
        try:
            return ask()
        except UnavailableError as error:
            LOG.warning("the outside did not answer; asking again", error=str(error))
            if machinery.stopping.wait(pause):
                raise HandedBackError("The worker was told to stop while it waited.") from error
    try:
        return ask()
    except UnavailableError as error:
        raise MachineryError(error.what, error.hint) from error


def _await_database(machinery: Machinery, step: str) -> None:
    """A command has ended: wait until that can be written down."""
    while True:
        try:
            machinery.database.ping()
        except UnavailableError as error:
            if machinery.stopping.wait(_POLL_SECONDS):
                raise HandedBackError(f"The worker was told to stop when {step} had run.") from error
        else:
            return


def watch(machinery: Machinery, run: Run, logbook: Logbook | LogFile | StepLog) -> Callable[[], str | None]:
    """Tells the runner when to end the command: the worker stops, or the run is no longer ours."""
    asked_at = time.monotonic()

    def should_stop() -> str | None:
        nonlocal asked_at
        if machinery.stopping.is_set():
            return "stopped"
        if time.monotonic() - asked_at < _POLL_SECONDS:
            return None
        asked_at = time.monotonic()
        try:
            logbook.tend()
            with machinery.database.begin() as tx:
                epoch = runs.find_epoch(tx, run.id)
        except UnavailableError:
            LOG.warning("the database is away while a command runs; it runs on", run=run.id)
            return None
        return None if epoch == run.epoch else "cancelled"

    return should_stop


def _variables(run: Run, step: str, tries: int, command: Command) -> dict[str, str]:
    known = {
        "SIGNOFF_RUN_ID": run.id,
        "SIGNOFF_STEP": step,
        "SIGNOFF_ATTEMPT": str(run.attempt.number),
        "SIGNOFF_TRY": str(tries),
    }
    for name, value in command.params.items():
        known[f"SIGNOFF_PARAM_{name.upper()}"] = str(value).lower() if isinstance(value, bool) else str(value)
    return known


def context_of(machinery: Machinery, run: Run, step: str, command: Command) -> dict[str, Any]:
    """What SIGNOFF_CONTEXT holds: where it is, the params, and what people and checks said of the former attempt."""
    feedback: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    if run.attempt.number > 1:
        with machinery.database.begin() as tx:
            former = runs.get_run(tx, run.id, attempt=run.attempt.number - 1)
            decided = gates.list_decisions(tx, [gate.id for gate in former.gates])
            digests = [s.evidence_digest for s in former.attempt.steps if s.evidence_digest]
            found = evidence.list_evidence(tx, digests)
        feedback = [
            {
                "step": gate.step,
                "by": decision.by,
                "verdict": decision.verdict.value,
                "comment": decision.comment,
                "reasons": [{"kind": r.kind.value, "subject": r.subject} for r in decision.reasons],
                "at": decision.at.isoformat(),
            }
            for gate in former.gates
            for decision in decided[gate.id]
            if not decision.is_withdrawn
        ]
        failed = [
            {"step": e.step, "name": c.name, "expression": c.expression, "reason": c.reason, "seen": to_plain(c.seen)}
            for e in found.values()
            for c in e.checks
            if c.status is not CheckStatus.PASSED
        ]
    return {
        "run_id": run.id,
        "step": step,
        "attempt": run.attempt.number,
        "model": run.model,
        "params": dict(command.params),
        "cause": run.attempt.cause.value,
        "feedback": feedback,
        "asked": [
            {"id": a.id, "kind": a.kind, "subject": a.subject, "comment": a.comment, "by": a.by}
            for a in run.attempt.asked
        ],
        "failed_checks": failed,
    }


def champion_context(champion: tuple[str, str, Mapping[str, Metric]] | None) -> dict[str, Any]:
    """The champion as commands see it: (version, uri, metrics) or null."""
    if champion is None:
        return {"champion": None}
    version, uri, metrics = champion
    values = {name: to_plain(metric.value) for name, metric in metrics.items()}
    return {"champion": {"version": version, "uri": uri, "metrics": values}}
