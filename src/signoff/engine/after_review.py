"""The run of kind `after_review`: what runs without review is reviewed like anything else, only later.

It was deployed in an emergency, or adopted. The run goes by the pipeline that last brought this model there, with its
tests and gates; where there is none, by a gate made of the environment's own rules. Who wanted it so, and who made the
version, does not approve it.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from signoff.domain.audit import Event
from signoff.domain.emergency import Emergency, rule_of
from signoff.domain.environment import Environment
from signoff.domain.gate import GateStatus
from signoff.domain.pipeline import ApprovalStep, DeploymentStep, Pipeline, RuleSpec
from signoff.domain.run import FINAL, Attempt, Cause, Run, RunKind, RunStatus, StepStatus
from signoff.domain.satisfiability import check_satisfiable
from signoff.domain.version import ModelVersion
from signoff.engine.attempts import review_steps
from signoff.engine.events import event
from signoff.spec import load_pipeline
from signoff.store import gates, people, pipelines, runs, versions
from signoff.store.database import Transaction
from signoff.store.environments import get_environments

_UNFINISHED = (StepStatus.PENDING, StepStatus.RUNNING, StepStatus.WAITING, StepStatus.ERRORED)
_LOOK_BACK = 200
"""How many of the model's runs are looked through for a pipeline that deploys there."""


@dataclass(frozen=True, slots=True)
class Unreviewed:
    """What runs, or is about to, without review; `wanted_by` do not review it, the first of them submits the review.

    `approvers` are asked where neither a pipeline nor the environment says who is.
    """

    environment: str
    model: str
    wanted_by: tuple[str, ...]
    cause: Cause
    note: str
    approvers: tuple[str, ...] = ()
    emergency: str | None = None


def unreviewed_by(emergency: Emergency) -> Unreviewed:
    """What an emergency leaves to be reviewed."""
    others = (name for name in emergency.people if name != emergency.requested_by)
    return Unreviewed(
        environment=emergency.environment,
        model=emergency.model,
        wanted_by=(emergency.requested_by, *others),
        cause=Cause.GLASS_BROKEN,
        note=f"after-review of {emergency.label}, deployed without review: {emergency.why}",
        emergency=emergency.id,
    )


def add_after_review(
    tx: Transaction, owed: Unreviewed, version: ModelVersion, environment: Environment, *, at: datetime
) -> Run:
    """Write the run that reviews `version`; it is woken once that is live.

    Raises:
        UnsatisfiableRuleError: of what was adopted, when nobody could ever approve it.
    """
    found = _newest_pipeline(tx, owed)
    if found is not None:
        source, position = found
        pipeline, snapshot = source.pipeline, source.snapshot_digest
    else:
        text = made_pipeline(environment, owed.approvers)
        pipeline, snapshot, position = load_pipeline(text), None, None
        pipelines.set_pipeline(tx, pipeline, text, at=at)
    made = versions.list_contributors(tx, version.model, version.version)
    contributors = tuple(sorted({*owed.wanted_by, *made}))
    if owed.cause is Cause.ADOPTED:
        _check_reviewable(tx, pipeline, position, version.model, contributors)
    run = Run(
        id=secrets.token_hex(6),
        model=version.model,
        pipeline=pipeline,
        status=RunStatus.RUNNING,
        submitter=owed.wanted_by[0],
        attempt=Attempt(
            number=1,
            cause=owed.cause,
            steps=review_steps(pipeline, position),
            version=version,
            contributors=contributors,
        ),
        snapshot_digest=snapshot,
        note=owed.note,
        kind=RunKind.AFTER_REVIEW,
    )
    about = {"kind": run.kind.value, "version": version.version, "digest": version.digest}
    about |= {"emergency": owed.emergency} if owed.emergency is not None else {}
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


def _newest_pipeline(tx: Transaction, owed: Unreviewed) -> tuple[Run, int | None] | None:
    """The newest release of the model whose pipeline deploys there behind a gate; and which gates open (None: all)."""
    for run in runs.list_runs(tx, model=owed.model, limit=_LOOK_BACK):
        gate = _guard(run.pipeline, owed.environment) if run.kind is RunKind.RELEASE else None
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


def _check_reviewable(
    tx: Transaction, pipeline: Pipeline, position: int | None, model: str, contributors: tuple[str, ...]
) -> None:
    """Return when people other than the contributors could approve the gates that will open."""
    opened = [
        step for n, step in enumerate(pipeline.steps) if position in {None, n} or isinstance(step, DeploymentStep)
    ]
    asked = tuple(replace(s, allow_self_approval=False) if isinstance(s, ApprovalStep) else s for s in opened)
    reviewed = replace(pipeline, steps=asked)
    check_satisfiable(reviewed, model, contributors, get_environments(tx), people.get_directory(tx))


def made_pipeline(environment: Environment, approvers: tuple[str, ...] = ()) -> str:
    """A pipeline of one gate: the environment's own rules; else its rule for emergencies; else one of `approvers`."""
    rules = environment.rules
    if not rules and (environment.break_glass is not None or not approvers):
        glass = rule_of(environment)
        rules = (RuleSpec("after_review", glass.approvers, glass.required_approvals),)
    elif not rules:
        rules = (RuleSpec("after_review", approvers, 1),)
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
