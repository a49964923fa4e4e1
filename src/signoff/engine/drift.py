"""Drift, once a minute: the registry's aliases and the model servers are held against what was signed off.

What is found is judged again under what is in the rows then; a deployment that is under way, or was begun meanwhile,
settles it by itself. A registry that does not answer says nothing about anything.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from signoff.domain.actor import SYSTEM
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.deadlines import MOST_SKEW
from signoff.domain.drift import (
    HEALINGS_SPAN,
    SELF_HEAL,
    Aliases,
    Drift,
    Sighting,
    by_alias,
    drift_of,
    is_explained,
    is_nobodys,
    is_right,
    why_not_heal,
)
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus, Environment
from signoff.domain.errors import SignoffError, UnavailableError
from signoff.domain.revocation import bar
from signoff.engine.history import history_of
from signoff.engine.jobs import wake_by_hand
from signoff.engine.machinery import LOG, Machinery
from signoff.ports import Observer
from signoff.store import adoptions, deployments, drifts
from signoff.store.database import Transaction
from signoff.store.environments import get_environments

_UNSETTLED = (DeploymentStatus.LIVE, DeploymentStatus.DEPLOYING)


def watch(machinery: Machinery) -> None:
    """Look at every environment; note what is not what was signed off, and what is again."""
    since = machinery.clock() - MOST_SKEW
    with machinery.database.begin() as tx:
        places = get_environments(tx)
        live = deployments.list_live(tx)
        known = drifts.list_open(tx)
        for gone in known:
            if gone.environment not in places:
                _end(tx, gone, "there is no such environment any more", machinery.clock())
    try:
        aliases = machinery.tracking.list_aliases()
    except SignoffError as error:
        LOG.warning("the registry was not looked at: what runs is not compared this minute", error=str(error))
        return
    for name, environment in places.items():
        if machinery.stopping.is_set():
            return
        models = {one.model for one in live if one.environment == name}
        models |= {one.model for one in known if one.environment == name}
        try:
            _look(machinery, environment, places, models, aliases, live, known, since)
        except UnavailableError:
            raise
        except SignoffError as error:
            LOG.warning("an environment was not looked at", environment=name, error=str(error))
        except Exception:  # noqa: BLE001 - a bug at one environment must not hide what goes on in all others
            LOG.exception("a bug in signoff, or a surprise from a library", environment=name)


def _look(
    machinery: Machinery,
    environment: Environment,
    places: Mapping[str, Environment],
    models: Collection[str],
    aliases: Aliases,
    live: Sequence[Deployment],
    known: Sequence[Drift],
    since: datetime,
) -> None:
    open_here = {(one.model, one.seen_by): one for one in known if one.environment == environment.name}
    everywhere: dict[str, dict[str, Deployment]] = {}
    for one in live:
        everywhere.setdefault(one.model, {})[one.environment] = one
    for sighting in _seen(machinery, environment, models, aliases):
        there = everywhere.get(sighting.model, {})
        mine, former = there.get(environment.name), open_here.get((sighting.model, sighting.seen_by))
        is_well = (
            is_nobodys(environment, mine)
            or is_right(sighting, mine)
            or is_explained(sighting, environment, places, there)
        )
        # Most is well, or wrong as it was a minute ago: nothing has to be asked or written about that.
        if is_well and former is None:
            continue
        if not is_well and former is not None and not environment.self_heal and _is_same(former, sighting, mine):
            continue
        with machinery.database.begin() as tx:
            _judge(tx, machinery, environment, sighting, since)


def _is_same(former: Drift, sighting: Sighting, live: Deployment | None) -> bool:
    signed = (live.version, live.digest) if live is not None else (None, None)
    return former.state == (sighting.version, sighting.digest, *signed)


def _seen(machinery: Machinery, environment: Environment, models: Collection[str], aliases: Aliases) -> list[Sighting]:
    deployer = machinery.deployers.get(environment.deployer.type)
    if isinstance(deployer, Observer):
        return deployer.observe(environment, models, aliases)
    return by_alias(environment, models, aliases)


def _judge(
    tx: Transaction, machinery: Machinery, environment: Environment, sighting: Sighting, since: datetime
) -> None:
    """Decide about one sighting, from the rows as they are now."""
    at = machinery.clock()
    model = sighting.model
    place = deployments.list_place(tx, environment.name, model, *_UNSETTLED)
    if any(one.status is DeploymentStatus.DEPLOYING for one in place):
        return
    if deployments.list_begun(tx, environment.name, model, since=since):
        return
    live = place[0] if place else None
    former = drifts.find_open(tx, environment.name, model, sighting.seen_by)
    if _is_well(tx, environment, sighting, live):
        if former is not None:
            _end(tx, former, _right_again(former, live), at)
        return
    found = drift_of(secrets.token_hex(8), environment, sighting, live, at)
    if former is not None and former.state == found.state:
        found = former
    else:
        if former is not None:
            drifts.end_drift(tx, former, at=at, note="something else was found", audit=[])
        note = _healing(tx, machinery, environment, live, found) if environment.self_heal else ""
        found = replace(found, note=note)
        LOG.warning("what runs is not what was signed off", what=found.sentence, note=note)
        drifts.add_drift(tx, found, audit=[_event(Event.DEPLOYMENT_UNAPPROVED, found, at, self_heal=note)])
        return
    if environment.self_heal:
        note = _healing(tx, machinery, environment, live, found)
        if note != found.note:
            drifts.set_note(tx, found, note)


def _is_well(tx: Transaction, environment: Environment, sighting: Sighting, live: Deployment | None) -> bool:
    if is_nobodys(environment, live) or is_right(sighting, live):
        return True
    elsewhere = deployments.list_deployments(tx, model=sighting.model, statuses=[DeploymentStatus.LIVE])
    return is_explained(sighting, environment, get_environments(tx), {one.environment: one for one in elsewhere})


def _right_again(former: Drift, live: Deployment | None) -> str:
    if live is None:
        return "nothing is found there any more"
    if live.version != former.signed_version:
        return f"v{live.version} was deployed there"
    return f"v{live.version} is found there again"


def _healing(
    tx: Transaction, machinery: Machinery, environment: Environment, live: Deployment | None, found: Drift
) -> str:
    """Begin to put back what was signed off, if it may be; returns what is done, or why nothing is, in words."""
    if live is None:
        return "nothing was signed off there that could be put back"
    at = machinery.clock()
    adopted = adoptions.list_of_runs(tx, [live.run_id]).get(live.run_id)
    refusal = bar(history_of(tx, environment.name, live.model), live)
    barred = refusal.what if refusal is not None else None
    if adopted is not None and not adopted.is_approved:
        barred = f"v{live.version} was adopted, and nobody has approved it"
    begun = deployments.list_begun(tx, environment.name, live.model, since=at - HEALINGS_SPAN)
    healed = [one.started_at for one in begun if one.kind is DeploymentKind.RESTORE and one.by == SELF_HEAL]
    why = why_not_heal(live, barred, healed, at)
    if why is not None:
        return why
    begin_restore(tx, live, by=SELF_HEAL, why=found.sentence, at=at)
    return f"v{live.version} is being put back"


def begin_restore(tx: Transaction, live: Deployment, *, by: str, why: str, at: datetime) -> Deployment | None:
    """Begin to put `live` back where it is live already by our rows; None when another deployment has the place."""
    back = replace(
        live,
        id=secrets.token_hex(8),
        status=DeploymentStatus.DEPLOYING,
        kind=DeploymentKind.RESTORE,
        by=by,
        started_at=at,
        live_at=None,
        ended_at=None,
        address=None,
        note=why,
    )
    about = {"environment": back.environment, "version": back.version, "kind": back.kind.value, "why": why}
    started = AuditEvent(Event.DEPLOYMENT_STARTED, by, at, back.run_id, back.model, about)
    version = deployments.get_version(tx, live.id)
    if deployments.begin_deployment(tx, back, version, f"restore/{back.id}", audit=[started]) is None:
        return None
    wake_by_hand(tx, back.id, back.environment, back.model)
    return back


def set_restored(tx: Transaction, done: Deployment, *, at: datetime) -> AuditEvent:
    """`done` is live again: whatever was found there is no more. Returns what is to be told of it."""
    ended = drifts.list_open(tx, environment=done.environment, model=done.model)
    how = "self_heal" if done.by == SELF_HEAL else done.by
    for one in ended:
        drifts.end_drift(tx, one, at=at, note=f"v{done.version} was put back by {how}", audit=[])
    about = {"environment": done.environment, "version": done.version, "why": done.note, "by": done.by}
    found = [one.version for one in ended if one.version is not None]
    about |= {"found": found[0]} if found else {}
    return AuditEvent(Event.DEPLOYMENT_RESTORED, done.by, at, done.run_id, done.model, about)


def _end(tx: Transaction, former: Drift, why: str, at: datetime) -> None:
    LOG.info("what runs is what was signed off again", environment=former.environment, model=former.model, why=why)
    drifts.end_drift(tx, former, at=at, note=why, audit=[_event(Event.DEPLOYMENT_RESTORED, former, at, why=why)])


def _event(kind: Event, found: Drift, at: datetime, **detail: str) -> AuditEvent:
    about: Mapping[str, object] = {
        "environment": found.environment,
        "found": found.version,
        "version": found.signed_version,
        "digest": found.signed_digest,
        "seen_by": found.seen_by.value,
        "alias": found.alias,
        "sentence": found.sentence,
        "hint": found.hint,
        **detail,
    }
    return AuditEvent(kind, SYSTEM.name, at, found.run_id, found.model, about)
