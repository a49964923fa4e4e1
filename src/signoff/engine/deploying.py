"""A deployment step: everything is checked once more, against the bytes, then the deployer makes it live."""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from signoff.domain.actor import SYSTEM
from signoff.domain.audit import Event
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus, Environment
from signoff.domain.errors import (
    FencedError,
    MachineryError,
    ProtectedError,
    SignoffError,
    UnavailableError,
    UnhealthyError,
)
from signoff.domain.gate import Gate
from signoff.domain.pipeline import Concurrency, DeploymentStep, OnDeployFail
from signoff.domain.protection import is_superseded, lacking, unapproved
from signoff.domain.run import Run, RunStatus, StepStatus
from signoff.domain.version import ModelVersion
from signoff.engine import freezes
from signoff.engine.commands import key_of, watch
from signoff.engine.events import event
from signoff.engine.gates import void_gate
from signoff.engine.jobs import wake_run
from signoff.engine.machinery import Machinery, scratch_of
from signoff.engine.mirror import mirror
from signoff.engine.releasing import StepLog
from signoff.engine.testing import evidence_digests
from signoff.ports import Release
from signoff.store import deployments, evidence, gates, people, revocations, runs
from signoff.store.database import Transaction
from signoff.store.environments import get_environments


def begin(machinery: Machinery, run: Run, step: DeploymentStep) -> Run | None:
    """Begin the deployment, end the run as superseded, or open a gate again; None when it has to wait for its turn.

    Raises:
        MachineryError: the environment does not exist.
        ProtectedError: it demands what this run cannot give.
    """
    at = machinery.clock()
    position = run.pipeline.position(step.name)
    with machinery.database.begin() as tx:
        environment = _environment(tx, step)
        live = deployments.find_live(tx, environment.name, run.model)
        if run.pipeline.concurrency is not Concurrency.ALLOW and is_superseded(run, live):
            newer = live.version if live is not None else ""
            ended = event(Event.RUN_SUPERSEDED, run, at, newer=newer, environment=environment.name)
            why = f"v{newer}, which is newer, was deployed to {environment.name} meanwhile"
            return runs.set_run(tx, run, status=RunStatus.SUPERSEDED, at=at, audit=[ended], error=why)
        refusal = _refusal(tx, run, position, environment)
        if refusal is not None:
            raise ProtectedError(refusal, f"See `signoff environment show {environment.name}`.")
        old = _void_now(tx, run, position, environment, machinery)
        if old is None and freezes.waits_out(machinery, tx, run, step, environment):
            return None
        if old is None:
            return _take(tx, run, step, environment, machinery)
    return void_gate(machinery, run, *old)


def _environment(tx: Transaction, step: DeploymentStep) -> Environment:
    known = get_environments(tx)
    if step.environment not in known:
        raise MachineryError(
            f"There is no environment called {step.environment} any more.",
            f"The environments are {', '.join(sorted(known))}; an administrator can bring it back.",
            is_retryable=False,
        )
    return known[step.environment]


def _refusal(tx: Transaction, run: Run, position: int, environment: Environment) -> str | None:
    version = run.attempt.version
    if version is None:
        return "There is no version to deploy."
    found = evidence.list_evidence(tx, evidence_digests(run, position))
    came_from = environment.require.came_from
    before = []
    if came_from is not None:
        before = deployments.list_deployments(tx, environment=came_from, model=run.model, digest=version.digest)
    return lacking(environment, list(found.values()), before, version.digest)


def _void_now(
    tx: Transaction, run: Run, position: int, environment: Environment, machinery: Machinery
) -> tuple[Gate, str] | None:
    """The gate that has to open again before this deployment, with the reason in words."""
    version = run.attempt.version
    old = unapproved(
        run,
        position,
        environment,
        gates.list_decisions(tx, [gate.id for gate in run.gates]),
        people.get_directory(tx),
        manifest_digest=version.digest if version else "",
        now=machinery.clock(),
        revocation=revocations.find_newest(tx, version.model, version.version) if version else None,
    )
    if old is None:
        return None
    gate, why = old
    if gate is None:
        raise ProtectedError(
            f"{why}, and the pipeline has no approval step for it.",
            "Add an approval step right before the deployment and submit again.",
        )
    return gate, why


def _take(
    tx: Transaction, run: Run, step: DeploymentStep, environment: Environment, machinery: Machinery
) -> Run | None:
    """Take the (environment, model) and start the step; None (and said so on the step) when another run has it."""
    version = run.attempt.version
    if version is None:
        raise ValueError("a deployment without a version")
    at = machinery.clock()
    key = key_of(run, step.name)
    state = run.attempt.step(step.name)
    wanted = Deployment(
        id=secrets.token_hex(8),
        environment=environment.name,
        model=run.model,
        version=version.version,
        digest=version.digest,
        status=DeploymentStatus.DEPLOYING,
        kind=DeploymentKind.RUN,
        run_id=run.id,
        by=SYSTEM.name,
        started_at=at,
    )
    started = event(Event.DEPLOYMENT_STARTED, run, at, environment=environment.name, version=version.version)
    if deployments.begin_deployment(tx, wanted, version, key, audit=[started]) is None:
        other = deployments.find_deploying(tx, environment.name, run.model)
        note = f"waits for the deployment of v{other.version} (run {other.run_id})" if other else "waits for another"
        if state.note != note:
            queued = event(Event.STEP_QUEUED, run, at, step=step.name, note=note)
            runs.set_step(tx, run, step.name, status=StepStatus.PENDING, at=at, audit=[queued], note=note)
        return None
    begun = event(Event.STEP_STARTED, run, at, step=step.name, tries=state.tries + 1)
    return runs.set_step(
        tx, run, step.name, status=StepStatus.RUNNING, at=at, audit=[begun], tries=state.tries + 1, note=""
    )


def deploy(machinery: Machinery, run: Run, step: DeploymentStep) -> Run:
    """Carry out `step`, which is running: hash what the registry holds now, then make it live.

    Raises:
        UnavailableError: the registry or the target is away.
        MachineryError: the deployer cannot do this at all.
    """
    version = run.attempt.version
    if version is None:
        raise ValueError("a deployment without a version")
    position = run.pipeline.position(step.name)
    copy = machinery.folder_of(scratch_of(run), f"{step.name}-{run.attempt.number}")
    found = replace(version, digest=machinery.registry.fetch(version, copy).digest)
    with machinery.database.begin() as tx:
        if runs.find_epoch(tx, run.id) != run.epoch:
            # Fetching took so long that somebody else did it, and perhaps more.
            raise FencedError(f"Run {run.id} was taken over.", "")
        environment = _environment(tx, step)
        place = deployments.list_place(
            tx, environment.name, run.model, DeploymentStatus.DEPLOYING, DeploymentStatus.LIVE
        )
        decided = gates.list_decisions(tx, [gate.id for gate in run.gates])
        directory = people.get_directory(tx)
        revoked = revocations.find_newest(tx, version.model, version.version)
        refusal = _refusal(tx, run, position, environment)
        serving = next((d for d in place if d.status is DeploymentStatus.LIVE), None)
        former = deployments.get_version(tx, serving.id) if serving is not None else None
    live = next((d for d in place if d.status is DeploymentStatus.DEPLOYING), place[0] if place else None)
    if live is None or live.run_id != run.id:
        raise MachineryError(f"{step.name} lost its place in {environment.name}.", "`signoff retry` takes it again.")
    stale = unapproved(
        run,
        position,
        environment,
        decided,
        directory,
        manifest_digest=found.digest,
        now=machinery.clock(),
        revocation=revoked,
    )
    if stale is None and refusal is not None:
        return _refuse(machinery, run, step, live, refusal.rstrip("."), gate=None, found=found)
    if stale is not None or found.digest != version.digest:
        why = stale[1] if stale else f"the model's bytes changed ({version.digest} then, {found.digest} now)"
        return _refuse(machinery, run, step, live, why, gate=stale[0] if stale else None, found=found)
    log = StepLog(machinery, run, step.name)
    release = Release(
        f"{key_of(run, step.name)}/{live.id}",
        environment,
        version,
        copy,
        _approval(run, position),
        run_id=run.id,
        former=former,
        may_go_back=step.on_fail is OnDeployFail.ROLLBACK,
        log=log,
        should_stop=watch(machinery, run, log),
    )
    try:
        address = _put(machinery, release, log)
    except UnhealthyError as error:
        return _fail(machinery, run, step, live, str(error))
    at = machinery.clock()
    succeeded = event(
        Event.DEPLOYMENT_SUCCEEDED,
        run,
        at,
        environment=environment.name,
        version=version.version,
        digest=version.digest,
        address=address,
    )
    with machinery.database.begin() as tx:
        run = runs.set_step(
            tx,
            run,
            step.name,
            status=StepStatus.SUCCEEDED,
            at=at,
            note=f"{version.label} is live in {environment.name}",
            audit=[],
        )
        done = event(Event.STEP_SUCCEEDED, run, at, step=step.name)
        deployments.set_live(tx, live, address=address, at=at, audit=[done, succeeded])
        wake_others(tx, run.model, but=run.id)
    if serving is not None and serving.run_id != run.id:
        mirror(machinery, serving.run_id)
    machinery.clean(scratch_of(run), Path(copy).name)
    return run


def _put(machinery: Machinery, release: Release, log: StepLog) -> str | None:
    """Have the deployer make it live; what it wrote is kept whatever becomes of it."""
    try:
        return machinery.deployer_of(release.environment).deploy(release)
    finally:
        with suppress(MachineryError, UnavailableError):
            log.finish()


def _approval(run: Run, position: int) -> dict[str, object]:
    """What the model server shows as its approval."""
    passed = [gate for gate in (run.gate(s.name) for s in run.pipeline.steps[:position]) if gate is not None]
    return {
        "run": run.id,
        "attempt": run.attempt.number,
        "gates": [
            {
                "step": gate.step,
                "digest": gate.digest,
                "closed_at": gate.closed_at.isoformat() if gate.closed_at else None,
            }
            for gate in passed
        ],
    }


def _refuse(
    machinery: Machinery,
    run: Run,
    step: DeploymentStep,
    mine: Deployment,
    why: str,
    *,
    gate: Gate | None,
    found: ModelVersion,
) -> Run:
    """What was approved is not what is there: nothing is deployed, and the gate opens again, loudly."""
    at = machinery.clock()
    refused = event(Event.DEPLOYMENT_REFUSED, run, at, environment=mine.environment, why=why)
    with machinery.database.begin() as tx:
        deployments.set_failed(tx, mine, note=why, at=at, audit=[refused])
        wake_others(tx, run.model, but=run.id)
    if gate is None:
        raise MachineryError(f"{step.name} was refused: {why}.", "Submit the version anew.", is_retryable=False)
    changed = found if found != run.attempt.version else None
    return void_gate(machinery, run, gate, why, version=changed, also=[(step.name, StepStatus.PENDING)])


def _fail(machinery: Machinery, run: Run, step: DeploymentStep, mine: Deployment, why: str) -> Run:
    at = machinery.clock()
    failed = event(Event.DEPLOYMENT_FAILED, run, at, environment=mine.environment, why=why, version=mine.version)
    with machinery.database.begin() as tx:
        following = runs.set_step(
            tx,
            run,
            step.name,
            status=StepStatus.FAILED,
            at=at,
            note=why,
            audit=[event(Event.STEP_FAILED, run, at, step=step.name, why=why)],
        )
        deployments.set_failed(tx, mine, note=why, at=at, audit=[failed], is_unhealthy=True)
        wake_others(tx, run.model, but=run.id)
        return following


def abandon(tx: Transaction, machinery: Machinery, run: Run, error: SignoffError) -> None:
    """The machinery broke in a deployment: give the place up, so that others go on and a retry starts anew."""
    at = machinery.clock()
    for mine in deployments.list_deployments(tx, run_ids=[run.id], statuses=[DeploymentStatus.DEPLOYING]):
        failed = event(Event.DEPLOYMENT_FAILED, run, at, environment=mine.environment, why=str(error))
        deployments.set_failed(tx, mine, note=str(error), at=at, audit=[failed])
    wake_others(tx, run.model, but=run.id)


def wake_others(tx: Transaction, model: str, *, but: str | None = None) -> None:
    """Wake the runs of `model` that are on their way: one of them may have waited for this place."""
    for other in runs.list_running(tx, model):
        if other != but:
            wake_run(tx, other)
