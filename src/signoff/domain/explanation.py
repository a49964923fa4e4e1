"""What a gate waits for, in plain words: what is missing, exactly who can give it, and why others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signoff.domain.actor import Directory, Role
from signoff.domain.gate import Decision, Evaluation, Gate, GateStatus, RuleState, counting


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether one person can decide about a gate now, and why or why not."""

    person: str
    can_decide: bool
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The gate in words: a sentence for everybody, one for each rule, one for each person."""

    status: GateStatus
    sentence: str
    rules: tuple[str, ...]
    people: tuple[Standing, ...]


def explain(gate: Gate, evaluation: Evaluation, decisions: Sequence[Decision], people: Directory) -> Explanation:
    """Why `gate` stands where it does, and who can move it."""
    rules = tuple(_of_rule(state) for state in evaluation.rules)
    standings = tuple(standing(gate, name, decisions, people) for name in _of_interest(gate, people))
    return Explanation(gate.status, _sentence(gate, evaluation), rules, standings)


def _sentence(gate: Gate, evaluation: Evaluation) -> str:
    if gate.status is not GateStatus.OPEN:
        closed = {
            GateStatus.APPROVED: "is approved",
            GateStatus.REJECTED: "was rejected",
            GateStatus.CHANGES_REQUESTED: "is closed: changes were requested",
            GateStatus.VOID: f"is void: {gate.note}",
            GateStatus.CANCELLED: "was cancelled",
        }[gate.status]
        return f"{gate.step} {closed}."
    missing = [state for state in evaluation.rules if state.missing]
    if not missing:
        return f"{gate.step} has what it needs; it closes in a moment."
    wants = "; ".join(f"{_count(state.missing)} for {state.rule.name}, from {_from(state)}" for state in missing)
    return f"{gate.step} waits for {wants}."


def _count(number: int) -> str:
    return "1 more approval" if number == 1 else f"{number} more approvals"


def _from(state: RuleState) -> str:
    names = state.candidates
    if not names:
        return "nobody: no one else may give it. An administrator can add an approver"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _of_rule(state: RuleState) -> str:
    where = " (the environment's rule)" if state.is_environment else ""
    have = f"{len(state.counted)} of {state.rule.required_approvals}"
    by = f" by {', '.join(state.counted)}" if state.counted else ""
    return f"{state.rule.name}{where}: {have}{by}; named are {', '.join(state.rule.approvers)}"


def _of_interest(gate: Gate, people: Directory) -> list[str]:
    """Everybody whom a rule names, who is excluded, or who holds the approver role."""
    rules = (*gate.rules, *gate.environment_rules)
    named = {name for rule in rules for reference in rule.approvers for name in people.members(reference)}
    approvers = {p.name for p in people.people.values() if Role.APPROVER in p.roles}
    return sorted((named | approvers | set(gate.excluded)) & people.people.keys())


def standing(gate: Gate, person: str, decisions: Sequence[Decision], people: Directory) -> Standing:
    """Whether `person` can decide about `gate` now, and why or why not."""
    reason = why_not_decide(gate, person, people)
    if reason is not None:
        return Standing(person, can_decide=False, why=reason)
    mine = next((d for d in decisions if d.by == person and not d.is_withdrawn), None)
    if mine is not None:
        return Standing(person, can_decide=False, why=f"already decided: {mine.verdict.replace('_', ' ')}")
    if gate.status is not GateStatus.OPEN:
        return Standing(person, can_decide=False, why="the gate is closed")
    rules = [r.name for r in (*gate.rules, *gate.environment_rules) if person in counting(gate, r, people)]
    return Standing(person, can_decide=True, why=f"may decide for {', '.join(rules)}")


def why_not_decide(gate: Gate, person: str, people: Directory) -> str | None:
    """Why no rule of `gate` counts `person`, in words; None when one does."""
    known = people.people.get(person)
    if known is None or not known.is_active:
        return "is not known to this server" if known is None else "is deactivated"
    rules = (*gate.rules, *gate.environment_rules)
    if any(person in counting(gate, rule, people) for rule in rules):
        return None
    named = {name for rule in rules for reference in rule.approvers for name in people.members(reference)}
    if person in gate.excluded and (person in named or Role.APPROVER in known.roles):
        return "submitted or contributed to this version, and the gate does not allow self-approval"
    if person not in named:
        references = sorted({reference for rule in rules for reference in rule.approvers})
        return f"is not among the approvers ({', '.join(references)})"
    if Role.APPROVER not in known.roles:
        return "is named by a rule but does not hold the role approver"
    return f"holds the role approver, but not for {gate.subject.model}"
