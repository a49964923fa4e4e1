"""An approval that expired is asked for again, without touching what is deployed.

Where the version still matters, a run of kind `reapproval` begins: the same pipeline and version, its tests run anew,
the same gate opens. When people approve, the former approval stands again, as long as it did the first time.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

from signoff.domain.audit import Event
from signoff.domain.deadlines import said
from signoff.domain.gate import Gate, GateStatus
from signoff.domain.pipeline import ApprovalStep
from signoff.domain.protection import is_newest
from signoff.domain.revocation import is_voided
from signoff.domain.run import Attempt, Cause, Run, RunKind, RunStatus, StepStatus
from signoff.engine.attempts import review_steps
from signoff.engine.events import event
from signoff.engine.jobs import wake_run
from signoff.store import deployments, revocations, runs
from signoff.store.database import Transaction
from signoff.store.deadlines import find_reapproval, is_approved_anew, list_approved_versions, set_renewed
from signoff.store.gates import list_gates


def start_reapproval(tx: Transaction, run: Run, gate: Gate, at: datetime) -> str | None:
    """Begin the run that asks for the approval of `gate` again, if it is still needed; returns its id.

    `run` is as it was in the gate's attempt. Where such a run is on its way already, that one is enough.
    """
    version = run.attempt.version
    if version is None or gate.valid_until is None or not is_needed(tx, run, gate, at):
        return None
    present = find_reapproval(tx, run.id, gate.step)
    if present is not None:
        return present
    position = run.pipeline.position(gate.step)
    review = Run(
        id=secrets.token_hex(6),
        model=run.model,
        pipeline=run.pipeline,
        status=RunStatus.RUNNING,
        submitter=run.submitter,
        attempt=Attempt(
            number=1,
            cause=Cause.APPROVAL_EXPIRED,
            steps=review_steps(run.pipeline, position),
            version=version,
            contributors=run.attempt.contributors,
        ),
        snapshot_digest=run.snapshot_digest,
        note=f"the approval of {gate.step} in run {run.id} expired on {said(gate.valid_until)}",
        kind=RunKind.REAPPROVAL,
        parent_id=run.id,
    )
    about = {"why": review.kind.value, "parent": run.id, "step": gate.step, "version": version.version}
    begun = event(Event.RUN_SUBMITTED, review, at, pipeline=run.pipeline.digest, digest=version.digest, **about)
    runs.add_run(tx, review, at=at, audit=[begun])
    wake_run(tx, review.id)
    return review.id


def is_needed(tx: Transaction, run: Run, gate: Gate, at: datetime) -> bool:
    """Whether anything rests on the approval: the version is live where it let it, or the newest that has one.

    What was approved again since needs nothing; what somebody revoked is not asked for by the clock.
    """
    revoked = revocations.find_newest(tx, run.model, gate.subject.version)
    if is_approved_anew(tx, gate, now=at) or (revoked is not None and is_voided(gate, revoked)):
        return False
    environment = gate.subject.environment
    if environment is None:
        is_done = run.status is RunStatus.SUCCEEDED
        return is_done and is_newest(gate.subject.version, list_approved_versions(tx, run.model))
    step = run.pipeline.deployment_after(run.pipeline.position(gate.step))
    is_ahead = step is not None and run.attempt.step(step.name).status is not StepStatus.SUCCEEDED
    if run.kind is RunKind.RELEASE and is_ahead:
        return False  # its own deployment finds that the approval expired, and opens the gate again
    live = deployments.find_live(tx, environment, run.model)
    return live is not None and live.digest == gate.subject.manifest_digest


def renew_parent(tx: Transaction, run: Run, step: ApprovalStep, gate: Gate, at: datetime) -> None:
    """`gate` of a reapproval was approved: the approval that had expired stands again, from then on."""
    if run.kind is not RunKind.REAPPROVAL or run.parent_id is None or step.valid_for is None:
        return
    approved = [
        found
        for found in list_gates(tx, [run.parent_id])
        if found.step == step.name and found.status is GateStatus.APPROVED
    ]
    if not approved:
        return
    former = max(approved, key=lambda found: (found.attempt, found.round))
    if former.subject.manifest_digest != gate.subject.manifest_digest:
        return  # the bytes in the registry changed: what was approved now is not what was approved then
    until = (gate.closed_at or at) + step.valid_for
    note = f"approved anew by run {run.id}"
    parent = replace(run, id=run.parent_id)
    about = {"step": step.name, "gate": former.id, "by_run": run.id, "valid_until": until.isoformat()}
    renewed = event(Event.APPROVAL_RENEWED, parent, at, **about)
    set_renewed(tx, replace(former, valid_until=until, lapsed_at=None, note=note), audit=[renewed])
    wake_run(tx, run.parent_id)
