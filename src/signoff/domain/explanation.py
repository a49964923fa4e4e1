"""What a gate waits for, in plain words: what is missing, exactly who can give it, and why others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from signoff.domain.actor import Directory, Role
from signoff.domain.deadlines import said
from signoff.domain.gate import Decision, Evaluation, Gate, GateStatus, RuleState, barred_from, deciders, excluded_from
from signoff.domain.pipeline import OnTimeout
from signoff.domain.standing import Room, Standing, standings


@dataclass(frozen=True, slots=True)
class Explanation:
    """The gate in words: a sentence for everybody, one for each rule, one for each person."""

    status: GateStatus
    sentence: str
    rules: tuple[str, ...]
    people: tuple[Standing, ...]


def explain(room: Room, evaluation: Evaluation, decisions: Sequence[Decision], *also: str) -> Explanation:
    """Why the gate of `room` stands where it does, and who can move it; `also` names people to tell about besides."""
    rules = tuple(_of_rule(state) for state in evaluation.rules)
    people = tuple(standings(room, _of_interest(room, also), decisions))
    return Explanation(room.gate.status, sentence(room, evaluation), rules, people)


def sentence(room: Room, evaluation: Evaluation) -> str:
    """What the gate of `room` waits for, or how it was closed."""
    gate, people = room.gate, room.people
    if gate.status is not GateStatus.OPEN:
        closed = {
            GateStatus.APPROVED: _approved(gate),
            GateStatus.REJECTED: "was rejected",
            GateStatus.CHANGES_REQUESTED: "is closed: changes were requested",
            GateStatus.VOID: f"is void: {gate.note}",
            GateStatus.CANCELLED: "was cancelled",
            GateStatus.EXPIRED: f"expired: nobody answered in time{_by_then(gate)}",
        }[gate.status]
        return f"{gate.step} {closed}."
    missing = [state for state in evaluation.rules if state.missing]
    if not missing:
        return f"{gate.step} has what it needs; it closes in a moment."
    wants = "; ".join(f"{_count(state.missing)} for {state.rule.name}, from {_from(room, state)}" for state in missing)
    return f"{gate.step} waits for {wants}{_until(gate, people)}."


def _approved(gate: Gate) -> str:
    if gate.valid_until is None:
        return "is approved"
    until = said(gate.valid_until, gate.opened_at)
    return f"was approved, until {until}: the approval has expired" if gate.lapsed_at else f"is approved until {until}"


def _by_then(gate: Gate) -> str:
    return f", by {said(gate.expires_at, gate.opened_at)}" if gate.expires_at is not None else ""


def _until(gate: Gate, people: Directory) -> str:
    """How long it waits, and what comes then."""
    if gate.expires_at is None:
        return ""
    moment = said(gate.expires_at, gate.opened_at)
    if gate.on_timeout is OnTimeout.EXPIRE:
        return f", until {moment}; then the run expires"
    if gate.escalated_at is None:
        return f", until {moment}; then {_further(gate, people)} asked too"
    return f"; it was not decided by {moment}, so {_further(gate, people)} asked too"


def _further(gate: Gate, people: Directory) -> str:
    """Whom an escalation asks, with its verb: the people where any can decide, else the names in the file."""
    before = deciders(replace(gate, escalated_at=None), people)
    able = people.eligible(gate.escalate_to, gate.subject.model) - excluded_from(gate, people)
    names = sorted(able - before) or list(gate.escalate_to)
    return f"{names[0]} is" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]} are"


def _count(number: int) -> str:
    return "1 more approval" if number == 1 else f"{number} more approvals"


def _from(room: Room, state: RuleState) -> str:
    names = [_with_delegates(room, name) for name in state.candidates]
    if not names:
        return "nobody: no one else may give it. An administrator can add an approver"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _with_delegates(room: Room, name: str) -> str:
    delegates = [found.delegate for found in room.delegates_of(name)]
    return f"{name} (away; {' or '.join(delegates)} may decide for them)" if delegates else name


def _of_rule(state: RuleState) -> str:
    where = " (the environment's rule)" if state.is_environment else ""
    have = f"{len(state.counted)} of {state.rule.required_approvals}"
    by = f" by {', '.join(state.counted)}" if state.counted else ""
    return f"{state.rule.name}{where}: {have}{by}; named are {', '.join(state.rule.approvers)}"


def _of_interest(room: Room, also: Sequence[str]) -> list[str]:
    """Everybody whom a rule names, who is excluded, who stands in, or who holds the approver role; and `also`."""
    people = room.people.people
    approvers = {person.name for person in people.values() if Role.APPROVER in person.roles}
    delegates = {found.delegate for found in room.away}
    apart = excluded_from(room.gate, room.people) | barred_from(room.gate, room.people)
    return sorted(((room.named | approvers | delegates | apart) & people.keys()) | set(also))
