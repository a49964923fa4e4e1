"""What may be done to a run by hand: cancel, retry, comment."""

from __future__ import annotations

import secrets

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.errors import ConflictError
from signoff.domain.gate import GateStatus
from signoff.domain.pipeline import DeploymentStep
from signoff.domain.run import FINAL, RUN_TRANSITIONS, Run, RunStatus, StepStatus
from signoff.engine.jobs import wake_run
from signoff.service.desk import Desk, happened
from signoff.service.privacy import find_run_id
from signoff.store import evidence, gates, runs

MOST_COMMENTS = 1_000
MOST_LETTERS = 1_000_000
"""Of all comments on a run together, for the page shows them all."""
_UNFINISHED = (StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING, StepStatus.ERRORED)


def check_can_cancel(run: Run) -> None:
    """Return when `run` can be cancelled now; ConflictError otherwise."""
    if RunStatus.CANCELLED not in RUN_TRANSITIONS[run.status]:
        raise ConflictError(f"Run {run.id} has ended: it is {run.status}.", "There is nothing to cancel.")
    for step in run.pipeline.steps:
        if isinstance(step, DeploymentStep) and run.attempt.step(step.name).status is StepStatus.RUNNING:
            raise ConflictError(
                f"{step.name} is putting {run.model} into {step.environment} at this moment.",
                f"Wait for it, then `signoff rollback {step.environment} {run.model}`.",
            )


def cancel_run(desk: Desk, actor: Actor, run_id: str) -> str:
    """End the run; a running command is killed, an open gate closed. Returns the run's id."""
    at = desk.clock()
    with desk.database.begin() as tx:
        run = runs.lock_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.CANCEL, Resource(run.model, run.submitter))
        check_can_cancel(run)
        run = runs.take_run(tx, run.id)  # whoever works on it can write no more
        if run.open_gate is not None:
            closed = happened(Event.GATE_CANCELLED, actor, at, run.id, run.model, step=run.open_gate.step)
            gates.set_gate(tx, run.open_gate, status=GateStatus.CANCELLED, at=at, audit=[closed])
        for state in run.attempt.steps:
            if state.status in _UNFINISHED:
                runs.set_step(tx, run, state.name, status=StepStatus.CANCELLED, at=at, audit=[])
        cancelled = happened(Event.RUN_CANCELLED, actor, at, run.id, run.model)
        runs.set_run(tx, run, status=RunStatus.CANCELLED, at=at, audit=[cancelled], error=f"cancelled by {actor.name}")
        wake_run(tx, run.id)  # for the registry's mirror
    return run.id


def check_can_retry(run: Run) -> None:
    """Return when `run` can be retried now; ConflictError otherwise."""
    if run.status is not RunStatus.ERRORED:
        ended = run.status in FINAL
        hint = "Submit a new version." if ended else "It goes on by itself."
        raise ConflictError(f"Run {run.id} is {run.status}; only an errored run can be retried.", hint)


def retry_run(desk: Desk, actor: Actor, run_id: str) -> str:
    """Do the errored step again, under the same attempt. Returns the run's id."""
    at = desk.clock()
    with desk.database.begin() as tx:
        run = runs.lock_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.RETRY, Resource(run.model, run.submitter))
        check_can_retry(run)
        errored = [state.name for state in run.attempt.steps if state.status is StepStatus.ERRORED]
        for name in errored:
            runs.set_step(tx, run, name, status=StepStatus.PENDING, at=at, audit=[], tries=0, error=None)
        retried = happened(Event.RUN_RETRIED, actor, at, run.id, run.model, steps=errored)
        runs.set_run(tx, run, status=RunStatus.RUNNING, at=at, audit=[retried])
        wake_run(tx, run.id)
    return run.id


def comment_run(desk: Desk, actor: Actor, run_id: str, body: str) -> str:
    """Add a remark to the run's discussion; returns the remark's id.

    Raises:
        ConflictError: the discussion is as long as one may be.
    """
    at = desk.clock()
    with desk.database.begin() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.COMMENT, Resource(run.model, run.submitter))
        many, letters = evidence.size_of_comments(tx, run.id)
        if many >= MOST_COMMENTS or letters + len(body) > MOST_LETTERS:
            raise ConflictError(
                f"The discussion of run {run.id} is as long as one may be ({many} comments).", "Go on elsewhere."
            )
        comment_id = secrets.token_hex(8)
        said = happened(Event.RUN_COMMENTED, actor, at, run.id, run.model, comment=comment_id)
        row = {"id": comment_id, "run_id": run.id, "by": actor.name, "body": body, "at": at}
        evidence.add_comment(tx, row, audit=[said])
    return comment_id
