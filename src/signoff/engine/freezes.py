"""Freeze windows: a deployment waits until its environment takes deployments again. The run costs a row meanwhile."""

from __future__ import annotations

from signoff.domain.audit import Event
from signoff.domain.environment import Environment
from signoff.domain.pipeline import DeploymentStep
from signoff.domain.run import Run, StepStatus
from signoff.engine.events import event
from signoff.engine.jobs import wake_run
from signoff.engine.machinery import LOG, Machinery
from signoff.store import runs
from signoff.store.database import Transaction
from signoff.store.waiting import set_wake_at, take_due


def waits_out(machinery: Machinery, tx: Transaction, run: Run, step: DeploymentStep, environment: Environment) -> bool:
    """Whether `environment` is frozen now; `step` then waits, saying so, and the tick wakes the run when it is over."""
    at = machinery.clock()
    window = environment.freeze_at(at)
    if window is None:
        return False
    set_wake_at(tx, run, window.until)
    note = environment.frozen(at)
    if run.attempt.step(step.name).note != note:
        queued = event(Event.STEP_QUEUED, run, at, step=step.name, note=note, until=window.until.isoformat())
        runs.set_step(tx, run, step.name, status=StepStatus.PENDING, at=at, audit=[queued], note=note)
    return True


def wake_due(machinery: Machinery) -> list[str]:
    """Wake the runs whose moment has come; each looks for itself whether it may go on. Returns their ids."""
    with machinery.database.begin() as tx:
        due = take_due(tx, now=machinery.clock())
        for run_id in due:
            wake_run(tx, run_id)
    if due:
        LOG.info("waiting is over", runs=due)
    return due
