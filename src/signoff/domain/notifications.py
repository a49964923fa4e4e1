"""Who hears of an event, and with which words: pure functions of the event and of what was read about it.

Through what they hear (mail, a target of their own, channels, machines) is `ways`. Nobody hears of what they did
themselves, and nobody hears of a private model that they may not know of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from signoff.domain.absence import Delegation
from signoff.domain.actor import SYSTEM, Credential, Directory, Role, actor_of
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.environment import Environment
from signoff.domain.gate import POLICY_PREFIX, Decision, Gate, GateStatus, evaluate
from signoff.domain.preferences import DEFAULT, Preferences, Urgency
from signoff.domain.run import Run
from signoff.domain.standing import room_of, standing
from signoff.domain.target import MAIL, Target

ASKING = frozenset({Event.GATE_OPENED, Event.GATE_REMINDED, Event.GATE_ESCALATED, Event.GATE_RULES_CHANGED})
"""Somebody is asked to decide. Worth telling only while the gate waits for them.

New rules ask those only who were not asked by the former ones.
"""

TO_ALL = frozenset({Event.GLASS_BROKEN, Event.GLASS_ESCALATED, Event.GLASS_RETURNED})
"""What concerns everybody: models live without review."""

OF_PLACE = frozenset({Event.DEPLOYMENT_UNAPPROVED, Event.DEPLOYMENT_RESTORED, Event.ADOPTION_ESCALATED})
"""What concerns those who answer for an environment: the administrators, and whom its rules name."""

URGENT = TO_ALL | {
    Event.GLASS_REQUESTED,
    Event.GLASS_FAILED,
    Event.DEPLOYMENT_UNAPPROVED,
    Event.TARGET_PAUSED,
    Event.TARGET_TESTED,
    Event.CHAT_LINKED,
}

_ENDINGS = frozenset(
    {
        Event.RUN_SUCCEEDED,
        Event.RUN_FAILED,
        Event.RUN_REJECTED,
        Event.RUN_ERRORED,
        Event.RUN_EXPIRED,
        Event.RUN_CANCELLED,
        Event.RUN_SUPERSEDED,
    }
)
_OF_OWNERS = _ENDINGS | {Event.GATE_DECIDED, Event.RUN_CHANGES_REQUESTED}
_OF_ALL_OF_RUN = frozenset(
    {
        Event.DEPLOYMENT_ROLLED_BACK,
        Event.DEPLOYMENT_REFUSED,
        Event.APPROVAL_EXPIRING,
        Event.APPROVAL_EXPIRED,
    }
)
_OF_APPROVERS = frozenset({Event.DEPLOYMENT_SUCCEEDED, Event.DEPLOYMENT_FAILED})
_OF_REGISTRAR = frozenset({Event.PIPELINE_HELD, Event.PIPELINE_REFUSED})
_OF_EMERGENCY = frozenset({Event.GLASS_FAILED, Event.GLASS_SETTLED, Event.GLASS_CANCELLED})

TOLD = (
    ASKING
    | URGENT
    | OF_PLACE
    | _OF_OWNERS
    | _OF_ALL_OF_RUN
    | _OF_APPROVERS
    | _OF_EMERGENCY
    | _OF_REGISTRAR
    | {Event.APPROVAL_REVOKED}
)
"""Every event that anybody may hear of."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What was read about an event. `asked`: person -> why they are asked; `deciders` decided about the run before."""

    event: AuditEvent
    people: Directory
    run: Run | None = None
    gate: Gate | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    deciders: frozenset[str] = frozenset()
    submitters: frozenset[str] = frozenset()
    """Who submitted a version that was revoked."""
    takes_chat: bool = False
    """Whether the gate may be approved in a chat."""
    keepers: Mapping[str, str] = field(default_factory=dict)
    """Who answers for the environment, and why each of them."""


def asked(
    gate: Gate,
    decisions: Sequence[Decision],
    people: Directory,
    *,
    earlier: Sequence[Decision] = (),
    away: Sequence[Delegation] = (),
) -> dict[str, str]:
    """Whom `gate` waits for now, and why each of them: exactly those whose decision would bring it further.

    Somebody who is away is not asked where a delegate stands in. Of several accounts of one human being one is.
    """
    evaluation = evaluate(gate, decisions, people, earlier=earlier)
    if gate.status is not GateStatus.OPEN or evaluation.status is not GateStatus.OPEN:
        return {}
    room = room_of(gate, people, away)
    wanted = sorted({name for state in evaluation.rules if state.missing for name in state.candidates})
    found: dict[str, str] = {}
    for name in wanted:
        delegates = [d for d in room.delegates_of(name) if name in standing(room, d.delegate, decisions).stands_in_for]
        for delegation in delegates:
            day = f"{delegation.until.day} {delegation.until:%B %Y}"
            why = f"You stand in for {name}, who is away until {day}."
            former = found.get(delegation.delegate)
            found[delegation.delegate] = f"{former} {why}" if former is not None else why
        if not delegates and standing(room, name, decisions).can_decide:
            rules = [r.name for r, able in zip(room.gate.all_rules, room.counts, strict=True) if name in able]
            own = f"Your approval counts for {', '.join(rules)}."
            found[name] = f"{own} {found[name]}" if name in found else own
    return _once_each(found, people)


def _once_each(found: Mapping[str, str], people: Directory) -> dict[str, str]:
    """Of several accounts of one human being the first that has an address."""
    chosen: dict[str, str] = {}
    for name in sorted(found, key=lambda n: (_email(people, n) is None, n)):
        chosen.setdefault(people.human(name), name)
    return {name: why for name, why in found.items() if chosen[people.human(name)] == name}


def _email(people: Directory, name: str) -> str | None:
    person = people.people.get(name)
    return person.email if person is not None else None


def hearers(scene: Scene) -> dict[str, str]:
    """Every person who hears of the event, and why it is their business."""
    kind, event = scene.event.type, scene.event
    if kind is Event.GATE_DECIDED and event.actor.startswith(POLICY_PREFIX):
        return {}
    if kind is Event.RUN_CHANGES_REQUESTED and event.detail.get("cause") in {"changes_requested", "rejected"}:
        return {}  # whoever decided so was heard already
    is_asking = kind in ASKING or kind is Event.GLASS_REQUESTED
    found = dict(scene.asked) if is_asking else _concerned(scene)
    if kind not in {Event.TARGET_TESTED, Event.TARGET_PAUSED, Event.CHAT_LINKED}:
        found.pop(event.actor, None)
    return {name: why for name, why in _once_each(found, scene.people).items() if _may_know(scene, name)}


def _concerned(scene: Scene) -> dict[str, str]:
    """The people whom the event concerns though it asks nothing of them."""
    kind, event = scene.event.type, scene.event
    owners = dict.fromkeys(_owners(scene.run), "You submitted it, or took part in making it.")
    deciders = dict.fromkeys(sorted(scene.deciders), "You decided about it.")
    found: dict[str, str] = {}
    if kind in _OF_OWNERS:
        found = owners
    elif kind in _OF_ALL_OF_RUN:
        found = {**deciders, **owners}
    elif kind in _OF_APPROVERS and event.detail.get("kind") != "break_glass":  # that is told as an emergency
        found = {name: why for name, why in deciders.items() if name not in owners}
    elif kind in OF_PLACE:
        found = dict(scene.keepers)
    elif kind in _OF_EMERGENCY:
        names = {str(event.detail.get("requested_by", "")), *map(str, event.detail.get("confirmed_by", ()))}
        found = dict.fromkeys(sorted(names), "You asked for it or confirmed it.")
    elif kind in TO_ALL:
        found = dict.fromkeys(sorted(scene.people.people), "Everybody is told of emergencies.")
    elif kind is Event.APPROVAL_REVOKED:
        able = dict.fromkeys(sorted(scene.people.able(event.model or "")), "You approve versions of this model.")
        found = {**able, **dict.fromkeys(sorted(scene.submitters), "You submitted that version.")}
    elif kind in _OF_REGISTRAR or kind is Event.TARGET_PAUSED:
        found = _of_owner(event, scene.people)
    elif kind is Event.CHAT_LINKED:
        found = {str(event.detail["person"]): "If that was not you, unlink it, and tell an administrator."}
    return found


def _of_owner(event: AuditEvent, people: Directory) -> dict[str, str]:
    """Whoever defined the target, the administrators where signoff did; who registered the pipeline, and them."""
    owner = event.detail.get("owner")
    if event.type in _OF_REGISTRAR:  # who may be somebody who left
        return {**_administrators(people), str(owner): "You registered the pipeline that should have started."}
    if owner != SYSTEM.name:
        return {str(owner): "You defined this target."} if owner is not None else {}
    return _administrators(people)


def _administrators(people: Directory) -> dict[str, str]:
    admins = (p.name for p in people.people.values() if Role.ADMIN in p.roles)
    return dict.fromkeys(sorted(admins), "You administer this server.")


def keepers(environment: Environment | None, model: str, people: Directory, deciders: Iterable[str]) -> dict[str, str]:
    """Who answers for `model` in the environment: whom its rules count, or `deciders` where it has none; the admins."""
    rules = environment.rules if environment is not None else ()
    named = {name for rule in rules for name in people.eligible(rule.approvers, model)}
    place = environment.name if environment is not None else "there"
    approvers = dict.fromkeys(sorted(named), f"Your approval counts for what is deployed to {place}.")
    if not rules:
        approvers = dict.fromkeys(sorted(deciders), "You decided about what was signed off.")
    return {**_administrators(people), **approvers}


def _owners(run: Run | None) -> tuple[str, ...]:
    return tuple(sorted({run.submitter, *run.attempt.contributors})) if run is not None else ()


def _may_know(scene: Scene, name: str) -> bool:
    person = scene.people.people.get(name)
    if person is None or not person.is_active:
        return False
    model = scene.event.model
    return model is None or actor_of(person, Credential.SESSION, scene.people.private).sees(model)


def urgency_of(kind: Event) -> Urgency:
    """What may hold a notice of this kind back."""
    if kind in URGENT:
        return Urgency.NOW
    return Urgency.PATIENT if kind is Event.GATE_REMINDED else Urgency.SOON


@dataclass(frozen=True, slots=True)
class Way:
    """Through which target somebody hears, when, and why. `person` is None where a channel or a machine does."""

    target: str
    at: datetime
    person: str | None = None
    why: str = ""
    is_gathered: bool = False


def _comes_in_crowds(event: AuditEvent) -> bool:
    """Whether many like it are found at once: on the first day, whatever ran before signoff came."""
    return event.type is Event.DEPLOYMENT_UNAPPROVED and event.detail.get("version") is None


def ways(scene: Scene, targets: Sequence[Target], chosen: Mapping[str, Preferences]) -> list[Way]:
    """Through what and when each reader hears of the event; one way each, so that nobody is told twice."""
    event = scene.event
    if event.type is Event.TARGET_TESTED:
        return [Way(str(event.detail["target"]), event.at, event.detail.get("person"))]
    urgency = urgency_of(event.type)
    own = {target.person: target.name for target in targets if target.person is not None}
    mail = next((target.name for target in targets if target.name == MAIL), None)
    found = []
    for name, why in hearers(scene).items():
        way = own.get(name) or (mail if scene.people.people[name].email else None)
        liked = chosen.get(name, DEFAULT)
        moment = liked.when(urgency, event.model, event.at)
        if way is not None and moment is not None and way != event.detail.get("target"):
            is_gathered = liked.gathers(urgency) or _comes_in_crowds(event)
            found.append(Way(way, moment, name, why, is_gathered))
    is_of_nobody = event.type is Event.GATE_RULES_CHANGED and not scene.asked
    if event.type is Event.TARGET_PAUSED or is_of_nobody:
        return found
    named = scene.run.pipeline.notify if scene.run is not None else ()
    found += [
        Way(target.name, event.at)
        for target in targets
        if target.hears(
            event.type.value,
            event.model,
            is_named=target.name in named,
            to_all=event.type in TO_ALL,
            private=scene.people.private,
        )
    ]
    return found
