"""Targets and deliveries: what administrators define to tell people and machines through, and what came of it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.account_errors import PersonUnknownError
from signoff.domain.actor import SYSTEM, Actor
from signoff.domain.audit import Event
from signoff.domain.errors import ConflictError
from signoff.domain.secret import Secret
from signoff.domain.target import (
    MAIL,
    Delivery,
    DeliveryStatus,
    Target,
    TargetError,
    TargetKind,
    check_target,
)
from signoff.engine.jobs import wake_target
from signoff.service.desk import Desk, happened
from signoff.service.privacy import find_run_id
from signoff.store import deliveries, people, runs, targets
from signoff.store.database import Transaction

NO_SMTP = "SIGNOFF_SMTP_URL is not set"
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class MadeTarget:
    """A target with the secret that a webhook's receiver needs, shown this once."""

    target: Target
    secret: Secret | None


def add_target(
    desk: Desk,
    actor: Actor,
    name: str,
    *,
    kind: TargetKind,
    url: str,
    events: Sequence[str] = ("*",),
    models: Sequence[str] = (),
    person: str | None = None,
) -> MadeTarget:
    """Define a target. A webhook gets a secret, by which its receiver knows that it is signoff.

    Raises:
        TargetError, TargetExistsError: it cannot be, or there is one of that name.
        PersonUnknownError: it is to be the target of somebody whom the server does not know.
    """
    authorize(actor, Do.ADMINISTER)
    if kind is TargetKind.MAIL:
        raise TargetError("Mail is not added by a command.", "Set SIGNOFF_SMTP_URL, and it is there.")
    check_target(name, kind, url, events, models)
    if kind is TargetKind.WEBHOOK and person is not None:
        raise TargetError("A webhook is a machine's, not a person's.", "Chat services may be a person's own.")
    at = desk.clock()
    signed = kind is TargetKind.WEBHOOK
    secret = Secret("whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()) if signed else None
    target = Target(name, kind, actor.name, at, Secret(url), secret, person, tuple(events) or ("*",), tuple(models))
    about = {"target": name, "through": kind.value, "person": person}
    added = happened(
        Event.TARGET_ADDED, actor, at, **about, url=target.shown_url, events=list(target.events), models=list(models)
    )
    with desk.database.begin() as tx:
        if person is not None and person not in people.get_directory(tx).people:
            raise PersonUnknownError(f"{person} is not known to this server.", "`signoff user list` shows everybody.")
        targets.add_target(tx, target, audit=[added])
    return MadeTarget(target, secret)


def list_targets(desk: Desk, actor: Actor) -> list[Target]:
    """Every target, for administrators."""
    authorize(actor, Do.ADMINISTER)
    with desk.database.read() as tx:
        return targets.list_targets(tx)


def get_target(desk: Desk, actor: Actor, name: str) -> Target:
    """The target called `name`, for administrators; TargetUnknownError when there is none."""
    authorize(actor, Do.ADMINISTER)
    with desk.database.read() as tx:
        return targets.get_target(tx, name)


def try_target(desk: Desk, actor: Actor, name: str) -> str:
    """Send something harmless through the target, to the actor where it is mail; returns the delivery's id.

    Raises:
        TargetUnknownError: there is none.
        ConflictError: it is paused, or the actor has no address.
    """
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    with desk.database.begin() as tx:
        target = targets.get_target(tx, name, lock=True)
        if target.is_paused:
            raise ConflictError(f"{name} is paused: {target.paused_why}", f"`signoff target resume {name}` first.")
        me = people.get_directory(tx).people.get(actor.name)
        if target.kind is TargetKind.MAIL and (me is None or not me.email):
            raise ConflictError(f"{actor.name} has no mail address.", "`signoff user change NAME --email ADDRESS`.")
        targets.set_working(tx, name)
        person = actor.name if target.kind is TargetKind.MAIL else target.person
        tested = happened(Event.TARGET_TESTED, actor, at, target=name, person=person)
        targets.note(tx, audit=[tested])
    with desk.database.begin() as tx:
        (made,) = deliveries.list_deliveries(tx, target=name, event=Event.TARGET_TESTED.value, limit=1)
        return made.id


def pause_target(desk: Desk, actor: Actor, name: str, why: str = "") -> Target:
    """Hold back whatever is due for the target until it is resumed."""
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    with desk.database.begin() as tx:
        target = targets.get_target(tx, name, lock=True)
        if target.is_paused:
            raise ConflictError(f"{name} is paused already.", f"`signoff target resume {name}` lets it go on.")
        words = why or f"{actor.name} paused it"
        owner = target.owner if target.owner != actor.name else None
        paused = happened(Event.TARGET_PAUSED, actor, at, target=name, why=words, owner=owner)
        targets.set_paused(tx, name, at, words, audit=[paused])
        return targets.get_target(tx, name)


def resume_target(desk: Desk, actor: Actor, name: str) -> Target:
    """Send again through the target: what became due in the last day goes out now."""
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    with desk.database.begin() as tx:
        target = targets.get_target(tx, name, lock=True)
        if not target.is_paused:
            raise ConflictError(f"{name} is not paused.", "There is nothing to resume.")
        _resume(tx, actor, name, at)
        return targets.get_target(tx, name)


def _resume(tx: Transaction, actor: Actor, name: str, at: datetime) -> None:
    resumed = happened(Event.TARGET_RESUMED, actor, at, target=name)
    targets.set_paused(tx, name, None, "", audit=[resumed])
    wake_target(tx, name)


def remove_target(desk: Desk, actor: Actor, name: str) -> None:
    """Forget a target. What is due for it is dropped; pipelines that name it are refused when they are submitted."""
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    with desk.database.begin() as tx:
        target = targets.get_target(tx, name, lock=True)
        if target.kind is TargetKind.MAIL and not target.is_paused:
            raise ConflictError("Mail cannot be removed while it works.", "Pause it, or unset SIGNOFF_SMTP_URL.")
        removed = happened(Event.TARGET_REMOVED, actor, at, target=name)
        targets.remove_target(tx, name, audit=[removed])
        deliveries.drop_waiting(tx, name, f"{actor.name} removed the target", at=at)


def list_deliveries(
    desk: Desk,
    actor: Actor,
    *,
    target: str | None = None,
    run: str | None = None,
    status: DeliveryStatus | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """Deliveries, newest first. Those of one `run` are for whoever sees it, all of them for administrators."""
    if run is None:
        authorize(actor, Do.ADMINISTER)
    with desk.database.read() as tx:
        run_id = None
        if run is not None:
            run_id = find_run_id(tx, actor, run)
            authorize(actor, Do.READ, Resource(runs.get_run(tx, run_id).model))
        return deliveries.list_deliveries(tx, target=target, run_id=run_id, status=status, before=before, limit=limit)


def get_delivery(desk: Desk, actor: Actor, delivery_id: str) -> Delivery:
    """One delivery, for administrators; DeliveryUnknownError when there is none of that id."""
    authorize(actor, Do.ADMINISTER)
    with desk.database.read() as tx:
        return deliveries.get_delivery(tx, delivery_id)


def redeliver(desk: Desk, actor: Actor, delivery_id: str) -> Delivery:
    """Send a delivery once more, whatever came of it. It keeps its id, by which the receiver knows it again.

    Raises:
        DeliveryUnknownError, TargetUnknownError: there is none, or its target is gone.
        ConflictError: it waits to be sent as it is.
    """
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    with desk.database.begin() as tx:
        found = deliveries.get_delivery(tx, delivery_id, lock=True)
        if found.status is DeliveryStatus.WAITING:
            raise ConflictError(f"The delivery {delivery_id} waits to be sent.", "It will be tried by itself.")
        targets.get_target(tx, found.target)
        about = {"delivery": delivery_id, "target": found.target}
        repeated = happened(Event.DELIVERY_REPEATED, actor, at, found.run_id, found.model, **about)
        deliveries.send_again(tx, found, at=at, audit=[repeated])
        wake_target(tx, found.target)
    return replace(found, status=DeliveryStatus.WAITING, due_at=at, send_at=at)


def announce_mail(desk: Desk, *, is_configured: bool) -> None:
    """Have mail among the targets while SIGNOFF_SMTP_URL is set. Only the process that starts the server calls this."""
    authorize(SYSTEM, Do.ADMINISTER)
    at = desk.clock()
    with desk.database.begin() as tx:
        known = targets.find_target(tx, MAIL, lock=True)
        if known is None and is_configured:
            added = happened(Event.TARGET_ADDED, SYSTEM, at, target=MAIL, through=MAIL)
            targets.add_target(tx, Target(MAIL, TargetKind.MAIL, SYSTEM.name, at), audit=[added])
        elif known is not None and known.is_paused and known.paused_why == NO_SMTP and is_configured:
            _resume(tx, SYSTEM, MAIL, at)
        elif known is not None and not known.is_paused and not is_configured:
            paused = happened(Event.TARGET_PAUSED, SYSTEM, at, target=MAIL, why=NO_SMTP)
            targets.set_paused(tx, MAIL, at, NO_SMTP, audit=[paused])
