"""Adopting: what ran in an environment before signoff came is written down, with its bytes and a review that is owed.

Nothing outside is touched: the alias stays where it is, and whoever serves by it goes on.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.adoption import (
    REVIEW_WITHIN,
    Adoption,
    AdoptionUnreviewableError,
    AlreadyDeployedError,
    nothing_there,
)
from signoff.domain.audit import Event
from signoff.domain.deployment_errors import RevokedError
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus, Environment
from signoff.domain.errors import ModelNotFoundError, UnsatisfiableRuleError
from signoff.domain.run import Cause
from signoff.domain.version import ModelVersion
from signoff.engine.adoptions import event_of
from signoff.engine.after_review import Unreviewed, add_after_review
from signoff.engine.jobs import wake_run
from signoff.service.desk import Desk
from signoff.service.rollbacks import check_reason, known_environment, under_way
from signoff.store import adoptions, deployments, drifts, people, revocations
from signoff.store.database import Transaction


def adopt_version(desk: Desk, actor: Actor, environment: str, model: str, *, why: str) -> str:
    """Write down that the version behind the environment's alias is what runs there; returns the deployment's id.

    Raises:
        AlreadyDeployedError, DeploymentUnderWayError: signoff has a deployment there.
        NothingToAdoptError: the alias points nowhere.
        RevokedError: that version was approved once, and its approval was taken back.
        AdoptionUnreviewableError: nobody could review it afterwards.
    """
    authorize(actor, Do.ADOPT, Resource(model))
    check_reason(why, "Adopting")
    with desk.database.read() as tx:
        place = known_environment(tx, environment)
        _check_free(tx, environment, model)
    version = _found(desk, place, model)
    at = desk.clock()
    with desk.database.begin() as tx:
        place = known_environment(tx, environment)
        _check_free(tx, environment, model)
        revoked = revocations.list_in_force(tx, [model], place=place).get((model, version.version))
        if revoked is not None:
            raise RevokedError(
                f"{version.label} was revoked by {revoked.by}: {revoked.why}.",
                f"Have it approved anew (`signoff submit models:/{model}/{version.version}`), or deploy another one.",
            )
        return _write(tx, actor, place, version, why.strip(), at)


def _found(desk: Desk, place: Environment, model: str) -> ModelVersion:
    """The version behind the alias, with the digest of its bytes as they are now."""
    try:
        return desk.registry.resolve(f"models:/{model}@{place.deployer.alias}", model)
    except ModelNotFoundError as error:
        raise nothing_there(place, model) from error


def _check_free(tx: Transaction, environment: str, model: str) -> None:
    for there in deployments.list_place(tx, environment, model, DeploymentStatus.LIVE, DeploymentStatus.DEPLOYING):
        if there.status is DeploymentStatus.DEPLOYING:
            raise under_way(environment, model)
        raise AlreadyDeployedError(
            f"{environment} has {model} v{there.version} by signoff already (run {there.run_id}).",
            "Adopting is for what ran before: `signoff submit` has another version approved, and `signoff rollback "
            f"{environment} {model} --to {there.version} -m WHY` puts this one back.",
        )


def _write(tx: Transaction, actor: Actor, place: Environment, version: ModelVersion, why: str, at: datetime) -> str:
    directory = people.get_directory(tx)
    others = sorted(directory.able(version.model) - directory.accounts_of(actor.name))
    owed = Unreviewed(
        environment=place.name,
        model=version.model,
        wanted_by=(actor.name,),
        cause=Cause.ADOPTED,
        note=f"after-review of {version.label} in {place.name}, adopted: {why}",
        approvers=tuple(others),
    )
    if not others:
        raise _unreviewable(version, "nobody else may approve it.")
    try:
        review = add_after_review(tx, owed, version, place, at=at)
    except UnsatisfiableRuleError as error:
        raise _unreviewable(version, error.what) from error
    adoption = Adoption(
        run_id=review.id,
        environment=place.name,
        model=version.model,
        version=version.version,
        digest=version.digest,
        why=why,
        by=actor.name,
        at=at,
        due_at=at + REVIEW_WITHIN,
    )
    adopted = event_of(Event.DEPLOYMENT_ADOPTED, adoption, at, actor=actor.name, credential=actor.credential.value)
    deployment = Deployment(
        id=secrets.token_hex(8),
        environment=place.name,
        model=version.model,
        version=version.version,
        digest=version.digest,
        status=DeploymentStatus.DEPLOYING,
        kind=DeploymentKind.ADOPTED,
        run_id=review.id,
        by=actor.name,
        started_at=at,
        note=why,
    )
    if deployments.begin_deployment(tx, deployment, version, f"adopted/{deployment.id}", audit=[]) is None:
        raise under_way(place.name, version.model)
    deployments.set_live(tx, deployment, address=None, at=at, audit=[adopted])
    adoptions.add_adoption(tx, adoption, audit=[])
    for found in drifts.list_open(tx, environment=place.name, model=version.model):
        drifts.end_drift(tx, found, at=at, note=f"adopted by {actor.name}", audit=[])
    wake_run(tx, review.id)
    return deployment.id


def _unreviewable(version: ModelVersion, why: str) -> AdoptionUnreviewableError:
    return AdoptionUnreviewableError(
        f"Nobody could review {version.label} afterwards: {why}",
        "Whoever adopts a version does not review it: an administrator can add an approver.",
    )
