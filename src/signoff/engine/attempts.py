"""The retrain loop: the next attempt, or waiting for the submitter's next version."""

from __future__ import annotations

from dataclasses import replace

from signoff.domain.audit import Event
from signoff.domain.feedback import asked_next, label, unanswered, why_stop
from signoff.domain.gate import Decision
from signoff.domain.next_action import AwaitAnswers, AwaitSubmission, StartAttempt
from signoff.domain.pipeline import ApprovalStep, Pipeline, TestStep, TrainingStep
from signoff.domain.run import Attempt, Cause, Run, RunStatus, StepRun, StepStatus
from signoff.engine.events import event
from signoff.engine.machinery import Machinery
from signoff.store import answers, gates, runs

_WORDS = {
    Cause.CHECK_FAILED: "a check failed",
    Cause.CHANGES_REQUESTED: "changes were requested",
    Cause.REJECTED: "it was rejected",
}

_PASSED_OVER = {
    "training": "a review never trains",
    "test": "not asked for by this review",
    "approval": "not asked for by this review",
    "deployment": "a review never deploys",
}


def new_steps(pipeline: Pipeline, *, start: int = 0, is_submitted: bool) -> tuple[StepRun, ...]:
    """The steps of a new attempt.

    Those before number `start` are kept from the attempt before; with a submitted version training commands are
    passed over.
    """
    steps = []
    for index, step in enumerate(pipeline.steps):
        if index < start:
            steps.append(StepRun(step.name, StepStatus.SKIPPED, note="kept from the attempt before"))
        elif is_submitted and isinstance(step, TrainingStep) and step.command is not None:
            steps.append(StepRun(step.name, StepStatus.SKIPPED, note="the submitted version takes its place"))
        else:
            steps.append(StepRun(step.name))
    return tuple(steps)


def review_steps(pipeline: Pipeline, gate_position: int | None) -> tuple[StepRun, ...]:
    """The steps of a run that reviews what is there already, and never trains or deploys.

    The gate at number `gate_position` opens, after the tests before it have run again; with None every gate opens,
    after the tests before the last of them. Everything else is skipped, with a note that says why.
    """
    gates = [index for index, step in enumerate(pipeline.steps) if isinstance(step, ApprovalStep)]
    asked = gates if gate_position is None else [gate_position]
    last = max(asked, default=-1)
    steps = []
    for index, step in enumerate(pipeline.steps):
        if index in asked or (isinstance(step, TestStep) and index < last):
            steps.append(StepRun(step.name))
        else:
            steps.append(StepRun(step.name, StepStatus.SKIPPED, note=_PASSED_OVER[step.type]))
    return tuple(steps)


def start_attempt(machinery: Machinery, run: Run, action: StartAttempt) -> Run:
    """Begin the next attempt at the training step; the former one's feedback is its input."""
    at = machinery.clock()
    stopped = _stop(machinery, run, action.cause)
    if stopped is not None:
        return stopped
    attempt = Attempt(
        number=run.attempt.number + 1,
        cause=action.cause,
        steps=new_steps(run.pipeline, start=action.position, is_submitted=False),
        contributors=(run.submitter,),
        note=f"trained again because {_WORDS.get(action.cause, action.cause)}",
        asked=asked_next(run.attempt, action.cause, _decided(machinery, run)),
    )
    following = replace(run, attempt=attempt)
    started = event(Event.ATTEMPT_STARTED, following, at, cause=action.cause.value)
    with machinery.database.begin() as tx:
        runs.add_attempt(tx, following, status=RunStatus.RUNNING, at=at, audit=[started])
        return runs.get_run(tx, run.id)


def await_submitter(machinery: Machinery, run: Run, action: AwaitSubmission | AwaitAnswers) -> Run:
    """The run waits, visibly, for its submitter: for a version that nothing here can train, or for answers."""
    if isinstance(action, AwaitSubmission):
        stopped = _stop(machinery, run, action.cause)
        if stopped is not None:
            return stopped
    at = machinery.clock()
    missing = [label(asked) for asked in unanswered(run.attempt)]
    about = {"cause": action.cause.value} if isinstance(action, AwaitSubmission) else {"unanswered": missing}
    waits = event(Event.RUN_CHANGES_REQUESTED, run, at, **about)
    with machinery.database.begin() as tx:
        return runs.set_run(tx, run, status=RunStatus.CHANGES_REQUESTED, at=at, audit=[waits])


def _decided(machinery: Machinery, run: Run) -> list[Decision]:
    """Every decision about the present attempt."""
    with machinery.database.begin() as tx:
        decided = gates.list_decisions(tx, [gate.id for gate in run.gates])
    return [decision for decisions in decided.values() for decision in decisions]


def _stop(machinery: Machinery, run: Run, cause: Cause) -> Run | None:
    """End the run where `stop_when_no_better` says so; None while it may go on."""
    rule = run.pipeline.stop_when_no_better
    if rule is None:
        return None
    at = machinery.clock()
    with machinery.database.begin() as tx:
        why = why_stop(rule, answers.list_metric_values(tx, run.id, rule.metric, upto=run.attempt.number))
        if why is None:
            return None
        failed = cause is Cause.CHECK_FAILED
        done = event(Event.RUN_FAILED if failed else Event.RUN_REJECTED, run, at, reason=why)
        status = RunStatus.FAILED if failed else RunStatus.REJECTED
        return runs.set_run(tx, run, status=status, at=at, audit=[done], error=why)
