"""Submitting: a run for a trained version, a run that trains, and the next version of a run that waits for one."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.errors import (
    ConflictError,
    IdempotencyError,
    InvalidError,
    NotServableError,
    SnapshotError,
    WrongModelError,
)
from signoff.domain.feedback import asked_of, check_answered, match_answers, unanswered
from signoff.domain.pipeline import DeploymentStep, Pipeline, TestStep, TrainingStep
from signoff.domain.run import Asked, Attempt, Cause, Run, RunStatus
from signoff.domain.satisfiability import check_satisfiable
from signoff.domain.trigger import AlreadyStartedError, Start, contributors
from signoff.domain.version import ModelVersion, digest_json
from signoff.engine.attempts import new_steps
from signoff.engine.jobs import wake_run
from signoff.service.desk import Desk, happened
from signoff.service.offers import Offer, about_offer, offered
from signoff.service.privacy import find_run_id
from signoff.service.promotion import check_promoted
from signoff.service.supersession import supersede_older
from signoff.spec import Known, load_pipeline
from signoff.store import answers as answers_of_attempt
from signoff.store import evidence, gates, people, pipelines, runs, versions, watches
from signoff.store.database import Transaction
from signoff.store.environments import get_environments
from signoff.store.targets import notifiable

__all__ = ["Offer", "Submission", "check_snapshot", "resubmit_run", "submit_run"]


@dataclass(frozen=True, slots=True)
class Submission:
    """What starts a run. `pipeline` is the text of the file `filename`, `snapshot` the digest of its packed folder."""

    pipeline: str
    offer: Offer = field(default_factory=Offer)
    filename: str = "signoff.yaml"
    folder_name: str | None = None
    snapshot: str | None = None
    note: str = ""
    idempotency_key: str | None = None


def submit_run(desk: Desk, actor: Actor, submission: Submission, *, start: Start | None = None) -> str:
    """Start a run; returns its id. The same Idempotency-Key and request again returns the same run.

    `start` is what the registry told of the version, where its news start the run.

    Raises:
        AlreadyStartedError: another run was started by the same news.
        PipelineError: with every problem of the file.
        ModelNotFoundError, WrongModelError, UnsafeModelError, MetricsError: the version offered.
        ProtectedError: an environment could never take what is submitted.
        UnavailableError: the registry did not answer.
    """
    authorize(actor, Do.SUBMIT)
    digest = digest_json({"by": actor.name, **{n: repr(getattr(submission, n)) for n in submission.__slots__}})
    with desk.database.begin() as tx:
        known = _repeated(tx, actor, submission, digest)
        if known is not None:
            return known
        named = notifiable(tx)
        context = Known(people.get_directory(tx), get_environments(tx), actor.name, targets=named)
    load = partial(load_pipeline, submission.pipeline, filename=submission.filename, folder_name=submission.folder_name)
    pipeline = load(context=context)
    version = offered(desk, actor, pipeline, submission.offer)
    model = version.model if version is not None else pipeline.model or pipeline.name
    authorize(actor, Do.SUBMIT, Resource(model))
    check_snapshot(pipeline, submission.snapshot)
    if version is not None:
        _check_servable(pipeline, context, version)
        with_model = replace(context, model=model, metrics=frozenset(version.metrics))
        load(context=with_model)
    at = desk.clock()
    run = Run(
        id=secrets.token_hex(6),
        model=model,
        pipeline=pipeline,
        status=RunStatus.RUNNING,
        submitter=actor.name,
        attempt=Attempt(
            number=1,
            cause=Cause.SUBMITTED if version is not None else Cause.TRAINED,
            steps=new_steps(pipeline, is_submitted=version is not None),
            version=version,
            contributors=(actor.name,),
        ),
        snapshot_digest=submission.snapshot,
        note=submission.note,
    )
    about = about_offer(version, submission.offer)
    if start is not None:
        about |= {"started_by": start.pipeline, "named": list(start.named)}
    submitted = happened(Event.RUN_SUBMITTED, actor, at, run.id, model, pipeline=pipeline.digest, **about)
    with desk.database.begin() as tx:
        known = _repeated(tx, actor, submission, digest)
        if known is not None:
            return known
        if submission.snapshot is not None and not evidence.has_snapshot(tx, submission.snapshot):
            raise SnapshotError(
                f"The folder {submission.snapshot} was not uploaded to this server.", "POST it to /snapshots first."
            )
        environments = get_environments(tx)
        if version is not None:
            makers = _makers(tx, pipeline, version, actor.name, named=start.named if start is not None else ())
            run = replace(run, attempt=replace(run.attempt, contributors=makers))
            check_satisfiable(pipeline, model, makers, environments, people.get_directory(tx))
        check_promoted(tx, run, environments)
        if start is not None and not watches.add_start(tx, replace(start, at=at, run_id=run.id)):
            raise AlreadyStartedError(f"{start.model} v{start.version} has its run.", "`signoff list` shows it.")
        pipelines.set_pipeline(tx, pipeline, submission.pipeline, at=at)
        runs.add_run(tx, run, at=at, audit=[submitted])
        if submission.idempotency_key is not None:
            people.remember_request(tx, actor.name, submission.idempotency_key, digest, run.id, at=at)
        supersede_older(tx, actor, run, at)
        wake_run(tx, run.id)
    return run.id


def _repeated(tx: Transaction, actor: Actor, submission: Submission, digest: str) -> str | None:
    """The run that an earlier request with this Idempotency-Key started; None when there was none."""
    if submission.idempotency_key is None:
        return None
    former = people.lock_request(tx, actor.name, submission.idempotency_key)
    if former is None:
        return None
    if former[0] != digest:
        raise IdempotencyError(
            "This Idempotency-Key was used for another request.", "Use a new key for a new submission."
        )
    return former[1]


def resubmit_run(
    desk: Desk,
    actor: Actor,
    run_id: str,
    offer: Offer,
    note: str = "",
    answers: Mapping[str, str] | None = None,
    *,
    start: Start | None = None,
) -> str:
    """The next attempt of a run that waits for a version; returns the run's id.

    `answers` are to the typed reasons of whoever sent the former attempt back, every one of which needs one. A run
    whose new version only lacks answers takes them without an offer, and goes on with that version. `start` is what the
    registry told of the version, where its news bring it; the answers are then given afterwards.

    Raises:
        AlreadyStartedError: the same news were taken before.
        ConflictError: the run does not wait for a version.
        WrongModelError: a version of another model, or the same version again.
        UnsatisfiableRuleError: who submitted it would be needed as an approver.
        AnswersError, AnswersMissingError: a reason is not answered, or an answer fits none.
    """
    with desk.database.begin() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
    authorize(actor, Do.RESUBMIT, Resource(run.model, run.submitter))
    _check_waits(run)
    if offer.is_empty and unanswered(run.attempt):
        return _answer(desk, actor, run.id, answers or {})
    asked = _asked(desk, run)
    answered = match_answers(asked, answers or {})
    if start is None:
        check_answered(run.id, asked, answered)
    on = run.pipeline.on if run.pipeline.copies_from is not None else None
    version = offered(desk, actor, replace(run.pipeline, model=run.model, on=on), offer)
    if version is None:
        raise InvalidError("A resubmission needs a model version.", "`signoff resubmit RUN MODEL`")
    former = run.attempt.version
    if former is not None and (former.version, former.digest) == (version.version, version.digest):
        raise WrongModelError(
            f"{version.label} is the version that was sent back.", "Train another one and submit that."
        )
    at = desk.clock()
    attempt = Attempt(
        number=run.attempt.number + 1,
        cause=Cause.SUBMITTED,
        steps=new_steps(run.pipeline, is_submitted=True),
        version=version,
        contributors=tuple(sorted({run.submitter, actor.name})),
        note=note,
        asked=asked,
        answers=answered,
    )
    about = {"attempt": attempt.number, "note": note, "answers": answered, **about_offer(version, offer)}
    resubmitted = happened(Event.RUN_RESUBMITTED, actor, at, run.id, run.model, **about)
    with desk.database.begin() as tx:
        present = runs.lock_run(tx, run.id)
        _check_waits(present)
        if present.attempt.number != run.attempt.number:
            raise ConflictError(f"Run {run.id} was resubmitted by somebody else meanwhile.", "Look at it again.")
        if start is not None and not watches.add_start(tx, replace(start, at=at, run_id=run.id)):
            raise AlreadyStartedError(f"{start.model} v{start.version} has its run.", "`signoff list` shows it.")
        named = start.named if start is not None else ()
        makers = _makers(tx, run.pipeline, version, run.submitter, actor.name, named=named)
        attempt = replace(attempt, contributors=makers)
        known = people.get_directory(tx)
        check_satisfiable(run.pipeline, run.model, attempt.contributors, get_environments(tx), known)
        following = replace(present, attempt=attempt)
        runs.add_attempt(tx, following, status=RunStatus.RUNNING, at=at, audit=[resubmitted])
        wake_run(tx, run.id)
    return run.id


def _makers(
    tx: Transaction, pipeline: Pipeline, version: ModelVersion, *now: str, named: Sequence[str] = ()
) -> tuple[str, ...]:
    """Who has a part in `version`: whoever submits it `now`, and whoever submitted, uploaded or trained it before.

    Otherwise a maker could have somebody else submit the same version again, and approve it. Where people register
    versions in the registry, whoever may do so counts as well, and whom it has `named`.
    """
    before = {*now, *versions.list_contributors(tx, version.model, version.version)}
    if version.origin is not None:
        model, _, number = version.origin.removeprefix("models:/").rpartition("/")
        before.update(versions.list_contributors(tx, model, number))
    made_by = pipeline.on.made_by if pipeline.on is not None else ()
    return tuple(sorted(before.union(contributors(made_by, named, people.get_directory(tx)))))


def _asked(desk: Desk, run: Run) -> tuple[Asked, ...]:
    """What the next attempt is asked: what was said about the present one, or what that one left unanswered."""
    if unanswered(run.attempt):
        return run.attempt.asked
    with desk.database.begin() as tx:
        decided = gates.list_decisions(tx, [gate.id for gate in run.gates])
    said = asked_of(decision for decisions in decided.values() for decision in decisions)
    return said or run.attempt.asked


def _answer(desk: Desk, actor: Actor, run_id: str, given: Mapping[str, str]) -> str:
    """Take the answers that the present attempt lacks; its version is judged then."""
    at = desk.clock()
    with desk.database.begin() as tx:
        run = runs.lock_run(tx, run_id)
        _check_waits(run)
        answered = match_answers(run.attempt.asked, given)
        check_answered(run.id, unanswered(run.attempt), answered)
        recorded = happened(Event.ANSWERS_RECORDED, actor, at, run.id, run.model, answers=answered)
        run = answers_of_attempt.set_answers(tx, run, answered, audit=[recorded])
        runs.set_run(tx, run, status=RunStatus.RUNNING, at=at, audit=[])
        wake_run(tx, run.id)
    return run.id


def _check_waits(run: Run) -> None:
    if run.status is not RunStatus.CHANGES_REQUESTED:
        raise ConflictError(
            f"Run {run.id} does not wait for a version: it is {run.status.replace('_', ' ')}.",
            "Start a new run with `signoff submit`.",
        )


def check_snapshot(pipeline: Pipeline, snapshot: str | None) -> None:
    """Return when the folder that the commands of `pipeline` need is there; SnapshotError otherwise."""
    runs_commands = any(isinstance(s, TrainingStep | TestStep) and s.command is not None for s in pipeline.steps)
    if runs_commands and snapshot is None:
        raise SnapshotError(
            "This pipeline runs commands, but its folder was not sent.",
            "Submit with the command line or the Python client, which pack and send it.",
        )


def _check_servable(pipeline: Pipeline, known: Known, version: ModelVersion) -> None:
    """Said now, because the deployment at the end could only fail."""
    for step in pipeline.steps:
        environment = (known.environments or {}).get(step.environment) if isinstance(step, DeploymentStep) else None
        if environment is not None and environment.deployer.type == "server" and not version.is_servable:
            raise NotServableError(
                f"{version.label} is not in MLflow's model format, and {environment.name} serves by the model server.",
                "Save it with mlflow (save_model or log_model), or deploy to an environment whose deployer is alias.",
            )
