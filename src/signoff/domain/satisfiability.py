"""Whether people could ever satisfy a gate: its two sets of rules, each matched by itself as `evaluate` does."""

from __future__ import annotations

from signoff.domain.actor import Directory
from signoff.domain.gate import Gate, counting
from signoff.domain.matching import is_satisfiable
from signoff.domain.pipeline import RuleSpec


def unfillable(gate: Gate, people: Directory) -> RuleSpec | None:
    """The first rule of `gate` that could not be filled even if everybody approved; None when all could."""
    for rules in (gate.present_rules, gate.environment_rules):
        broken = is_satisfiable(rules, {rule.name: counting(gate, rule, people) for rule in rules})
        if broken is not None:
            return broken
    return None


def never(gate: Gate, rule: RuleSpec, people: Directory) -> str:
    """That `gate` could never be approved because of `rule`, in words."""
    who = sorted(counting(gate, rule, people))
    can = (
        f"only {', '.join(who)} could give {'it' if rule.required_approvals == 1 else 'them'}"
        if who
        else ("nobody could give it" if rule.required_approvals == 1 else "nobody could give them")
    )
    number = "1 approval" if rule.required_approvals == 1 else f"{rule.required_approvals} approvals"
    return f"The gate {gate.step} of run {gate.run_id} could never be approved: {rule.name} needs {number}, and {can}."
