"""Whom to tell of what was written: deliveries made in the transaction of the events that they tell of.

Called by the database at the end of every transaction, when everything else of it is written: a gate that was opened
and closed at once asks nobody. The rules are `domain.notifications`; here is what they need read.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from signoff.domain import notice_words
from signoff.domain.actor import Directory
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.chat import takes_chat
from signoff.domain.emergency import EmergencyStatus, confirmers
from signoff.domain.gate import Gate, GateStatus
from signoff.domain.notifications import ASKING, OF_PLACE, TOLD, Scene, Way, asked, keepers, ways
from signoff.domain.preferences import Preferences
from signoff.domain.run import Run
from signoff.domain.target import Delivery, Target
from signoff.engine.gates import earlier_approvals
from signoff.engine.jobs import wake_target
from signoff.engine.machinery import LOG
from signoff.store import absence, deliveries, emergencies, gates, people, preferences, runs, targets
from signoff.store.database import Transaction
from signoff.store.environments import get_environments

_MOST_RUNS = 1000


def tell(tx: Transaction, events: Sequence[AuditEvent]) -> None:
    """Make the deliveries of `events`, and wake who sends those that are due at once."""
    wanted = [event for event in events if event.type in TOLD]
    known = targets.list_targets(tx) if wanted else []
    if not known:
        return
    chosen = preferences.list_preferences(tx)
    made = [delivery for event in wanted for delivery in _deliveries(tx, event, known, chosen)]
    deliveries.add_deliveries(tx, made)
    for name in sorted({delivery.target for delivery in made if delivery.send_at <= delivery.made_at}):
        wake_target(tx, name)


def _deliveries(
    tx: Transaction, event: AuditEvent, known: Sequence[Target], chosen: Mapping[str, Preferences]
) -> list[Delivery]:
    scene = scene_of(tx, event)
    if event.type in ASKING and (scene.gate is None or scene.gate.status is not GateStatus.OPEN):
        return []
    try:
        return [_delivery(scene, way) for way in ways(scene, known, chosen)]
    except Exception:  # noqa: BLE001 - a slip in the words must not keep anybody from deciding
        LOG.exception("nobody could be told", event_type=event.type.value, index=event.index)
        return []


def _delivery(scene: Scene, way: Way) -> Delivery:
    event = scene.event
    words = notice_words.notice(scene, way.why)
    return Delivery(
        id=secrets.token_hex(12),
        key=f"{event.index}/{way.person or ''}/{way.target}",
        event=event.type.value,
        target=way.target,
        subject=notice_words.subject(scene),
        notice=words,
        made_at=event.at,
        due_at=way.at,
        send_at=way.at,
        event_index=event.index,
        person=way.person,
        run_id=event.run_id,
        gate_id=scene.gate.id if scene.gate is not None else None,
        model=event.model,
        is_gathered=way.is_gathered,
        data=notice_words.data(scene, words),
    )


def scene_of(tx: Transaction, event: AuditEvent) -> Scene:
    """What the rules need to know about `event`."""
    directory = people.get_directory(tx)
    run = runs.get_run(tx, event.run_id) if event.run_id else None
    gate = None
    if run is not None and event.type.startswith("gate.") and event.detail.get("gate"):
        gate = gates.get_gate(tx, str(event.detail["gate"]))
        if gate.attempt != run.attempt.number:
            run = runs.get_run(tx, run.id, attempt=gate.attempt)
    waits: Mapping[str, str] = {}
    if event.type in ASKING and run is not None and gate is not None:
        waits = who_is_asked(tx, run, gate, event.at)
        if event.type is Event.GATE_RULES_CHANGED:
            known = deliveries.list_told(tx, gate.id)
            waits = {name: why for name, why in waits.items() if name not in known}
    elif event.type is Event.GLASS_REQUESTED:
        waits = _confirmers(tx, event)
    is_taken = event.type in ASKING and gate is not None and run is not None and _takes_chat(tx, run, gate)
    deciders = _deciders(tx, run)
    keeping = _keepers(tx, event, directory, deciders)
    return Scene(event, directory, run, gate, waits, deciders, _submitters(tx, event), is_taken, keeping)


def _keepers(tx: Transaction, event: AuditEvent, directory: Directory, deciders: frozenset[str]) -> dict[str, str]:
    """Who answers for the environment of the event, where it concerns them."""
    if event.type not in OF_PLACE:
        return {}
    environment = get_environments(tx).get(str(event.detail.get("environment")))
    return keepers(environment, event.model or "", directory, deciders)


def _takes_chat(tx: Transaction, run: Run, gate: Gate) -> bool:
    return gate.subject.environment is not None and takes_chat(gate, run.pipeline, get_environments(tx))


def who_is_asked(tx: Transaction, run: Run, gate: Gate, at: datetime) -> dict[str, str]:
    """Whom `gate` waits for at this moment, and why each of them."""
    decided = gates.list_decisions(tx, [gate.id])[gate.id]
    earlier = earlier_approvals(tx, run, gate)
    return asked(gate, decided, people.get_directory(tx), earlier=earlier, away=absence.list_present(tx, at))


def _confirmers(tx: Transaction, event: AuditEvent) -> dict[str, str]:
    """Who can confirm the emergency that was asked for, where it still waits for that."""
    if emergencies.get_emergency(tx, str(event.detail["emergency"])).status is not EmergencyStatus.REQUESTED:
        return {}
    environment = get_environments(tx).get(str(event.detail.get("environment")))
    if environment is None or environment.break_glass is None or event.model is None:
        return {}
    able = confirmers(environment.break_glass, event.model, people.get_directory(tx))
    return dict.fromkeys(sorted(able), f"You may confirm emergency deployments to {environment.name}.")


def _deciders(tx: Transaction, run: Run | None) -> frozenset[str]:
    """Whose decision about the run stands."""
    if run is None:
        return frozenset()
    decided = gates.list_decisions(tx, [gate.id for gate in run.gates])
    found = (one for decisions in decided.values() for one in decisions)
    return frozenset(one.by for one in found if not one.is_withdrawn and not one.is_policy)


def _submitters(tx: Transaction, event: AuditEvent) -> frozenset[str]:
    """Who submitted the version whose approval was revoked."""
    if event.type is not Event.APPROVAL_REVOKED:
        return frozenset()
    found = runs.list_runs(tx, model=event.model, limit=_MOST_RUNS)
    versions = ((run.submitter, run.attempt.version) for run in found)
    revoked = str(event.detail.get("version"))
    return frozenset(who for who, version in versions if version is not None and version.version == revoked)
