"""Where one person stands with a gate: whether they can decide about it now, for whom, and why or why not.

A `Room` is made once for a gate and asked about as many people as one likes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from signoff.domain.absence import Delegation
from signoff.domain.actor import Directory, Role
from signoff.domain.gate import Decision, Gate, GateStatus, counting_all


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether one person can decide about a gate now, and why or why not.

    `is_own`: a rule counts them themselves. `stands_in_for` are the absent people whose decision they can make.
    """

    person: str
    can_decide: bool
    why: str
    is_own: bool = True
    stands_in_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Room:
    """Everybody around a gate. `counts`: for each of its rules, whom it would count; `named`: whom they name.

    `able` are the approvers of the model, whatever the gate; `away` are the delegations that hold now.
    """

    gate: Gate
    people: Directory
    counts: tuple[frozenset[str], ...]
    deciders: frozenset[str]
    named: frozenset[str]
    able: frozenset[str]
    away: tuple[Delegation, ...] = ()

    def delegates_of(self, person: str) -> tuple[Delegation, ...]:
        """The delegations of `person` whose delegate may decide here."""
        return tuple(d for d in self.away if d.person == person and why_not_stand_in(self, d.delegate) is None)


def room_of(gate: Gate, people: Directory, away: Sequence[Delegation] = ()) -> Room:
    """The room of `gate`; `away` are the delegations that hold now."""
    counts = tuple(counting_all(gate, people))
    references = {reference for rule in gate.all_rules for reference in rule.approvers}
    named = frozenset[str]().union(*(people.members(reference) for reference in references))
    deciders = frozenset[str]().union(*counts)
    return Room(gate, people, counts, deciders, named, people.able(gate.subject.model), tuple(away))


def standing(room: Room, person: str, decisions: Sequence[Decision]) -> Standing:
    """Whether `person` can decide now, for themselves or for somebody absent, and why or why not."""
    return standings(room, [person], decisions)[0]


def standings(room: Room, people: Iterable[str], decisions: Sequence[Decision]) -> list[Standing]:
    """`standing` of each of `people`."""
    made: dict[str, Decision] = {}
    for decision in decisions:
        if not decision.is_withdrawn:
            made.setdefault(decision.by, decision)
            made.setdefault(decision.counts_as, decision)
    return [_standing(room, person, made) for person in people]


def _standing(room: Room, person: str, made: Mapping[str, Decision]) -> Standing:
    """`made` is whose decision stands, by whoever gave it and whomever it counts as."""
    reason = why_not_decide(room, person)
    absent = _absent_for(room, person, made)
    if reason is not None and not absent:
        return Standing(person, can_decide=False, why=reason)
    mine = made.get(person) or next((made[a] for a in room.people.accounts_of(person) if a in made), None)
    if mine is not None:
        return Standing(person, can_decide=False, why=_decided(mine, person))
    if room.gate.status is not GateStatus.OPEN:
        return Standing(person, can_decide=False, why="the gate is closed")
    parts = []
    if reason is None:
        rules = [rule.name for rule, able in zip(room.gate.all_rules, room.counts, strict=True) if person in able]
        parts.append(f"may decide for {', '.join(rules)}")
    if absent:
        parts.append(f"may decide on behalf of {', '.join(absent)}, who {'is' if len(absent) == 1 else 'are'} away")
    parts += [f"away until {d.until.day} {d.until:%B %Y}, {d.delegate} stands in" for d in room.delegates_of(person)]
    return Standing(person, can_decide=True, why="; ".join(parts), is_own=reason is None, stands_in_for=absent)


def stands_in_for(room: Room, delegate: str, decisions: Sequence[Decision]) -> tuple[str, ...]:
    """The absent people whom `delegate` can decide for here now: those who could themselves and have not yet."""
    return standings(room, [delegate], decisions)[0].stands_in_for


def _absent_for(room: Room, delegate: str, made: Mapping[str, Decision]) -> tuple[str, ...]:
    people = {d.person for d in room.away if d.delegate == delegate}
    if not people or why_not_stand_in(room, delegate) is not None:
        return ()
    return tuple(sorted(person for person in people & room.deciders if person not in made))


def decision_of(person: str, decisions: Sequence[Decision]) -> Decision | None:
    """The standing decision that `person` made, for whomever, or that was made for them."""
    return next((d for d in decisions if person in {d.by, d.counts_as} and not d.is_withdrawn), None)


def _decided(mine: Decision, person: str) -> str:
    word = mine.verdict.replace("_", " ")
    if mine.on_behalf_of is None:
        return f"already decided{'' if mine.by == person else f' as {mine.by}'}: {word}"
    if mine.by == person:
        return f"already decided for {mine.on_behalf_of}: {word}"
    return f"{mine.by} already decided on their behalf: {word}"


def why_not_stand_in(room: Room, delegate: str) -> str | None:
    """Why `delegate` could decide for nobody here, in words; None when they could."""
    known = room.people.people.get(delegate)
    if known is None or not known.is_active:
        return "is not known to this server" if known is None else "is deactivated"
    if (part := _part_in(room, delegate)) is not None:
        return part
    if delegate not in room.able:
        return f"does not hold the role approver for {room.gate.subject.model}"
    return None


def _part_in(room: Room, person: str) -> str | None:
    """What part in the version keeps `person` from deciding, in words; None when they have none."""
    accounts = room.people.accounts_of(person)
    found = accounts.intersection(room.gate.excluded)
    what = "submitted or contributed to this version, and the gate does not allow self-approval"
    if not found and room.gate.environment_rules:
        found = accounts.intersection(room.gate.contributors)
        what = f"submitted or contributed to this version, and {room.gate.subject.environment} takes nobody's word on "
        what += "their own"
    if not found:
        return None
    return what if person in found else f"is another account of {min(found)}, who {what}"


def why_not_decide(room: Room, person: str) -> str | None:
    """Why no rule counts `person`, in words; None when one does."""
    known = room.people.people.get(person)
    if known is None or not known.is_active:
        return "is not known to this server" if known is None else "is deactivated"
    if person in room.deciders:
        return None
    part = _part_in(room, person)
    if part is not None and (person in room.named or Role.APPROVER in known.roles):
        return part
    if person not in room.named:
        references = sorted({reference for rule in room.gate.all_rules for reference in rule.approvers})
        return f"is not among the approvers ({', '.join(references)})"
    if Role.APPROVER not in known.roles:
        return "is named by a rule but does not hold the role approver"
    return f"holds the role approver, but not for {room.gate.subject.model}"
