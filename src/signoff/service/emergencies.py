"""Breaking the glass: several people have a version deployed without review, and a review is owed from then on.

The digest is computed from the bytes at the request, shown to whoever confirms, and computed again by the deployer.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from signoff.domain.access import Do, Resource, authorize, unknown_model
from signoff.domain.actor import Actor
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.deployment_errors import (
    AlreadyLiveError,
    EmergencyPendingError,
    EmergencyUnknownError,
    RevokedError,
)
from signoff.domain.emergency import (
    OPEN,
    Confirmations,
    Emergency,
    EmergencyStatus,
    check_can_cancel,
    check_can_confirm,
    check_can_request,
    confirmations,
    confirmers,
    rule_of,
)
from signoff.domain.environment import BreakGlass, Deployment, DeploymentKind, DeploymentStatus, Environment
from signoff.domain.errors import (
    DigestMismatchError,
    InvalidError,
    NotServableError,
    SignoffError,
    UnavailableError,
    WrongModelError,
)
from signoff.domain.version import ModelVersion
from signoff.engine.after_review import add_after_review, unreviewed_by
from signoff.engine.emergencies import event_of
from signoff.engine.jobs import wake_by_hand
from signoff.service.desk import Desk
from signoff.service.privacy import check_known, resolve_seen
from signoff.service.rollbacks import check_reason, known_environment, under_way
from signoff.store import deployments, emergencies, people, revocations, versions
from signoff.store.database import Transaction
from signoff.store.environments import get_environments


@dataclass(frozen=True, slots=True)
class EmergencyView:
    """An emergency and how far its confirmations are; None where the environment has no rule any more."""

    emergency: Emergency
    confirmations: Confirmations | None


def break_glass(desk: Desk, actor: Actor, environment: str, model: str, *, reference: str, why: str) -> str:
    """Ask for a version to be deployed without review, or confirm it where somebody else has asked for the same bytes.

    Who asks confirms by that, when the rule counts them. Returns the emergency's id.

    Raises:
        NoBreakGlassError, BreakGlassUnsatisfiableError: the environment has no such rule, or too few people for it.
        EmergencyPendingError: another version waits for its confirmations there.
        RevokedError, AlreadyLiveError, NotServableError, WrongModelError: the version cannot be deployed so.
    """
    authorize(actor, Do.BREAK_GLASS, Resource(model))
    version = _resolved(desk, actor, environment, reference, model)
    at = desk.clock()
    with desk.database.begin() as tx:
        place = known_environment(tx, environment)
        rule = check_can_request(place, model, people.get_directory(tx))
        pending = emergencies.find_requested(tx, environment, model, lock=True)
        if pending is not None and (pending.version, pending.digest) == (version.version, version.digest):
            return _confirm(tx, actor, pending, place, version.digest, at).id
        check_reason(why, "Breaking the glass")
        if pending is not None:
            raise _pending(pending, version)
        live = deployments.find_live(tx, environment, model)
        _check_deployable(tx, place, version, live)
        mine = actor.name in confirmers(rule, model, people.get_directory(tx))
        wanted = Emergency(
            id=secrets.token_hex(6),
            environment=environment,
            model=model,
            version=version.version,
            digest=version.digest,
            why=why,
            status=EmergencyStatus.REQUESTED,
            requested_by=actor.name,
            requested_at=at,
            confirmed_by=(actor.name,) if mine else (),
            former_id=live.id if live is not None else None,
        )
        asked = _happened(Event.GLASS_REQUESTED, actor, wanted, at, digest=version.digest)
        if not emergencies.add_emergency(tx, wanted, version, audit=[asked]):
            raise EmergencyPendingError(
                f"Somebody else has just asked for an emergency deployment of {model} to {environment}.", "Look again."
            )
        _deploy_when_enough(tx, actor, wanted, rule, place, at)
    return wanted.id


def confirm_emergency(desk: Desk, actor: Actor, emergency_id: str, *, digest: str) -> str:
    """Give one's word for the bytes of `digest`; with the last word that it takes they are deployed. Returns its id.

    Raises:
        CannotConfirmError, EmergencyClosedError, SubjectChangedError, AlreadyConfirmedError: and nothing changed.
        DigestMismatchError: the bytes are no longer those that were asked for.
    """
    with desk.database.begin() as tx:
        found = _seen(actor, emergencies.get_emergency(tx, emergency_id))
        version = emergencies.get_model_version(tx, emergency_id)
    authorize(actor, Do.BREAK_GLASS, Resource(found.model))
    present = desk.registry.resolve(f"models:/{version.model}/{version.version}", version.model)
    at = desk.clock()
    with desk.database.begin() as tx:
        found = emergencies.get_emergency(tx, emergency_id, lock=True)
        place = known_environment(tx, found.environment)
        _confirm(tx, actor, found, place, digest, at, present=present)
    return found.id


def cancel_emergency(desk: Desk, actor: Actor, environment: str, model: str) -> str:
    """Call off the request that waits there. Returns its id.

    Raises:
        EmergencyUnknownError: none waits.
        CannotConfirmError: neither who asked nor somebody who could confirm.
    """
    authorize(actor, Do.BREAK_GLASS, Resource(model))
    at = desk.clock()
    with desk.database.begin() as tx:
        found = emergencies.find_requested(tx, environment, model, lock=True)
        if found is None:
            check_known(tx, model)
        if found is None:
            raise EmergencyUnknownError(
                f"No emergency deployment of {model} to {environment} waits for confirmations.",
                "What is deployed already goes back with `signoff rollback`.",
            )
        place = get_environments(tx).get(environment)
        check_can_cancel(found, place.break_glass if place else None, actor.name, people.get_directory(tx))
        why = f"cancelled by {actor.name}"
        cancelled = _happened(Event.GLASS_CANCELLED, actor, found, at)
        emergencies.set_emergency(tx, found, EmergencyStatus.CANCELLED, audit=[cancelled], ended_at=at, note=why)
    return found.id


def get_emergency(desk: Desk, actor: Actor, emergency_id: str) -> EmergencyView:
    """One emergency; EmergencyUnknownError when there is none of that id."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        return _view(tx, _seen(actor, emergencies.get_emergency(tx, emergency_id)))


def list_emergencies(desk: Desk, actor: Actor) -> list[EmergencyView]:
    """Everything that waits for confirmations or for its review, oldest first."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        return [_view(tx, found) for found in emergencies.list_emergencies(tx, OPEN) if actor.sees(found.model)]


def _seen(actor: Actor, found: Emergency) -> Emergency:
    """The emergency; one of a model that is private to others is not there."""
    if not actor.sees(found.model):
        raise emergencies.unknown_emergency(found.id)
    return found


def _view(tx: Transaction, found: Emergency) -> EmergencyView:
    environment = get_environments(tx).get(found.environment)
    rule = environment.break_glass if environment is not None else None
    return EmergencyView(found, confirmations(found, rule, people.get_directory(tx)) if rule is not None else None)


def _resolved(desk: Desk, actor: Actor, environment: str, reference: str, model: str) -> ModelVersion:
    """The registered version that `reference` names now, with the digest of its bytes.

    A model that no run was ever about may be deployed so, too, as long as the registry has it: of one that is neither
    here nor there only that is said, before anything else that is wrong.
    """
    with desk.database.begin() as tx:
        is_known = versions.has_model(tx, model)
    try:
        if is_known:
            with desk.database.begin() as tx:
                check_can_request(known_environment(tx, environment), model, people.get_directory(tx))
        return _registered(desk, actor, reference, model)
    except SignoffError as error:
        if is_known or isinstance(error, UnavailableError):
            raise
        raise unknown_model(model) from error


def _registered(desk: Desk, actor: Actor, reference: str, model: str) -> ModelVersion:
    if not reference.startswith("models:/"):
        raise InvalidError(
            f"{reference!r} is not a registered version.", f"Say models:/{model}/VERSION or models:/{model}@ALIAS."
        )
    version = resolve_seen(desk, actor, reference, model)
    if version.model != model:
        raise WrongModelError(f"{version.label} is not a version of {model}.", f"Name a version of {model}.")
    return version


def _check_deployable(tx: Transaction, place: Environment, version: ModelVersion, live: Deployment | None) -> None:
    if live is not None and (live.version, live.digest) == (version.version, version.digest):
        raise AlreadyLiveError(f"{version.label} is what {place.name} serves now.", "There is nothing to deploy.")
    revoked = revocations.list_in_force(tx, [version.model], place=place).get((version.model, version.version))
    if revoked is not None:
        raise RevokedError(
            f"{version.label} was revoked by {revoked.by}: {revoked.why}. An emergency does not undo that.",
            f"Deploy another version, or have it approved anew: `signoff submit models:/{version.model}/"
            f"{version.version}`.",
        )
    if place.deployer.type == "server" and not version.is_servable:
        raise NotServableError(
            f"{version.label} is not in MLflow's model format, and {place.name} serves by the model server.",
            "Save it with mlflow (save_model or log_model), and register that.",
        )


def _confirm(
    tx: Transaction,
    actor: Actor,
    found: Emergency,
    place: Environment,
    digest: str,
    at: datetime,
    *,
    present: ModelVersion | None = None,
) -> Emergency:
    rule = rule_of(place)
    check_can_confirm(found, rule, actor.name, people.get_directory(tx), digest=digest)
    if present is not None and present.digest != found.digest:
        raise DigestMismatchError(
            f"The bytes of {found.model} v{found.version} changed since {found.requested_by} asked for them: "
            f"{found.digest} then, {present.digest} now.",
            f"Cancel it (`signoff deploy --break-glass {found.environment} {found.model} --cancel`), look what changed "
            "them, and ask anew.",
        )
    confirmed = replace(found, confirmed_by=(*found.confirmed_by, actor.name))
    given = _happened(Event.GLASS_CONFIRMED, actor, confirmed, at, digest=digest)
    confirmed = emergencies.set_emergency(
        tx, found, EmergencyStatus.REQUESTED, audit=[given], confirmed_by=confirmed.confirmed_by
    )
    _deploy_when_enough(tx, actor, confirmed, rule, place, at)
    return confirmed


def _deploy_when_enough(
    tx: Transaction, actor: Actor, found: Emergency, rule: BreakGlass, place: Environment, at: datetime
) -> None:
    """With enough people's word: write the review that is owed and the deployment, and wake a worker."""
    if not confirmations(found, rule, people.get_directory(tx)).is_enough:
        return
    version = emergencies.get_model_version(tx, found.id)
    live = deployments.find_live(tx, found.environment, found.model)
    _check_deployable(tx, place, version, live)
    review = add_after_review(tx, unreviewed_by(found), version, place, at=at)
    wanted = Deployment(
        id=secrets.token_hex(8),
        environment=found.environment,
        model=found.model,
        version=found.version,
        digest=found.digest,
        status=DeploymentStatus.DEPLOYING,
        kind=DeploymentKind.BREAK_GLASS,
        run_id=review.id,
        by=", ".join(found.people),
        started_at=at,
        note=found.why,
    )
    started = _happened(
        Event.DEPLOYMENT_STARTED,
        actor,
        replace(found, run_id=review.id),
        at,
        people=list(found.people),
    )
    if deployments.begin_deployment(tx, wanted, version, f"glass/{found.id}", audit=[started]) is None:
        raise under_way(found.environment, found.model)
    former = live.id if live is not None else None
    emergencies.set_emergency(
        tx,
        found,
        EmergencyStatus.DEPLOYING,
        audit=[],
        former_id=former,
        run_id=review.id,
        deployment_id=wanted.id,
    )
    wake_by_hand(tx, wanted.id, found.environment, found.model)


def _pending(pending: Emergency, version: ModelVersion) -> EmergencyPendingError:
    if pending.version == version.version:
        return EmergencyPendingError(
            f"{pending.requested_by} asked for {pending.label} already, and its bytes changed since: {pending.digest} "
            f"then, {version.digest} now.",
            "Cancel it, look what changed them, and ask anew.",
        )
    return EmergencyPendingError(
        f"{pending.requested_by} asked for {pending.label} already ({pending.id}): {pending.why}.",
        f"Confirm it (--confirm {pending.id}), or have it cancelled first (--cancel).",
    )


def _happened(kind: Event, actor: Actor, found: Emergency, at: datetime, **detail: object) -> AuditEvent:
    return event_of(kind, found, at, actor=actor.name, credential=actor.credential.value, **detail)
