"""The run of kind `after_review`: what was deployed in an emergency is reviewed like anything else, only later.

It goes by the pipeline that last brought this model there, with its tests and gates; where there is none, by a gate
made of the environment's own rules. Who wanted the emergency, and who made the version, does not approve it.
"""

from __future__ import annotations

import json
import secrets
from datetime import datetime

from signoff.domain.audit import Event
from signoff.domain.emergency import Emergency, rule_of
from signoff.domain.environment import Environment
from signoff.domain.gate import GateStatus
from signoff.domain.pipeline import ApprovalStep, DeploymentStep, Pipeline, RuleSpec
from signoff.domain.run import FINAL, Attempt, Cause, Run, RunKind, RunStatus, StepStatus
from signoff.domain.version import ModelVersion
from signoff.engine.attempts import review_steps
from signoff.engine.events import event
from signoff.spec import load_pipeline
from signoff.store import gates, pipelines, runs, versions
from signoff.store.database import Transaction

_UNFINISHED = (StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING, StepStatus.ERRORED)
_LOOK_BACK = 200
"""How many of the model's runs are looked through for a pipeline that deploys there."""


def add_after_review(
    tx: Transaction, emergency: Emergency, version: ModelVersion, environment: Environment, *, at: datetime
) -> Run:
    """Write the run that reviews `version`; it is woken once that is live."""
    found = _newest_pipeline(tx, emergency)
    if found is not None:
        source, position = found
        pipeline, snapshot = source.pipeline, source.snapshot_digest
    else:
        text = made_pipeline(environment)
        pipeline, snapshot, position = load_pipeline(text), None, None
        pipelines.set_pipeline(tx, pipeline, text, at=at)
    made = versions.list_contributors(tx, version.model, version.version)
    run = Run(
        id=secrets.token_hex(6),
        model=version.model,
        pipeline=pipeline,
        status=RunStatus.RUNNING,
        submitter=emergency.requested_by,
        attempt=Attempt(
            number=1,
            cause=Cause.GLASS_BROKEN,
            steps=review_steps(pipeline, position),
            version=version,
            contributors=tuple(sorted({*emergency.people, *made})),
        ),
        snapshot_digest=snapshot,
        note=f"after-review of {emergency.label}, deployed without review: {emergency.why}",
        kind=RunKind.AFTER_REVIEW,
    )
    about = {"kind": run.kind.value, "emergency": emergency.id, "version": version.version, "digest": version.digest}
    runs.add_run(tx, run, at=at, audit=[event(Event.RUN_SUBMITTED, run, at, pipeline=pipeline.digest, **about)])
    return run


def call_off(tx: Transaction, run_id: str, why: str, *, at: datetime) -> None:
    """End the review, unless it has ended: there is nothing left to review."""
    run = runs.lock_run(tx, run_id)
    if run.status in FINAL:
        return
    run = runs.take_run(tx, run.id)  # whoever works on it can write no more
    if run.open_gate is not None:
        closed = event(Event.GATE_CANCELLED, run, at, step=run.open_gate.step, why=why)
        gates.set_gate(tx, run.open_gate, status=GateStatus.CANCELLED, at=at, audit=[closed])
    for state in run.attempt.steps:
        if state.status in _UNFINISHED:
            run = runs.set_step(tx, run, state.name, status=StepStatus.CANCELLED, at=at, audit=[])
    ended = event(Event.RUN_CANCELLED, run, at, why=why)
    runs.set_run(tx, run, status=RunStatus.CANCELLED, at=at, audit=[ended], error=why)


def _newest_pipeline(tx: Transaction, emergency: Emergency) -> tuple[Run, int | None] | None:
    """The newest release of the model whose pipeline deploys there behind a gate; and which gates open (None: all)."""
    for run in runs.list_runs(tx, model=emergency.model, limit=_LOOK_BACK):
        gate = _guard(run.pipeline, emergency.environment) if run.kind is RunKind.RELEASE else None
        if gate is not None:
            deployed_to = {s.environment for s in run.pipeline.steps if isinstance(s, DeploymentStep)}
            return run, None if len(deployed_to) == 1 else gate
    return None


def _guard(pipeline: Pipeline, environment: str) -> int | None:
    """The position of the last gate before the deployment to `environment`; None when there is none."""
    for position, step in enumerate(pipeline.steps):
        if isinstance(step, DeploymentStep) and step.environment == environment:
            for before in range(position - 1, -1, -1):
                if isinstance(pipeline.steps[before], DeploymentStep):
                    return None
                if isinstance(pipeline.steps[before], ApprovalStep):
                    return before
    return None


def made_pipeline(environment: Environment) -> str:
    """A pipeline of one gate: the environment's own rules, or those by which the glass was broken when it has none."""
    glass = rule_of(environment)
    rules = environment.rules or (RuleSpec("after_review", glass.approvers, glass.required_approvals),)
    lines = [
        "name: after-review",
        "steps:",
        "  - name: after_review",
        "    type: approval",
        "    inputs:",
        "      rules:",
    ]
    for rule in rules:
        lines += [
            f"        - name: {json.dumps(rule.name)}",
            f"          approvers: {json.dumps(list(rule.approvers))}",
            f"          required_approvals: {rule.required_approvals}",
        ]
    deploys = f"  - {{name: deploy, type: deployment, inputs: {{environment: {environment.name}}}}}"
    return "\n".join([*lines, "    on_reject: fail_pipeline", "    on_changes_requested: fail_pipeline", deploys, ""])
