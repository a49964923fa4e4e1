"""The rules of gates and deployments said a second time, for the machine of `town`, by another method.

Nothing here is shared with `signoff.domain.gate` or `matching`: people are counted by Hall's theorem (P. Hall, *On
Representatives of Subsets*, 1935) over every set of rules, not by augmenting paths.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from signoff.domain.actor import Person, Role
from signoff.domain.gate import Decision, Gate, Verdict
from signoff.domain.pipeline import RuleSpec

Folk = Mapping[str, Person]


def is_able(folk: Folk, name: str) -> bool:
    person = folk.get(name)
    return person is not None and person.is_active and Role.APPROVER in person.roles


def is_named(folk: Folk, name: str, references: Iterable[str]) -> bool:
    return any(ref == name or (ref.startswith("group:") and ref[6:] in folk[name].groups) for ref in references)


def voters(folk: Folk, excluded: Iterable[str], decisions: Iterable[Decision]) -> Iterator[list[str]]:
    """Whose approvals could be counted together, in every way: by people who may, nobody behind two of them."""
    valid = {
        (said.by, said.on_behalf_of or said.by)
        for said in decisions
        if not said.by.startswith("policy:") and not said.is_withdrawn and said.verdict is Verdict.APPROVE
    }
    able = [v for v in sorted(valid) if not set(v) & set(excluded) and all(is_able(folk, name) for name in v)]
    ways: list[tuple[frozenset[str], list[str]]] = [(frozenset(), [])]
    for human, voter in able:
        ways += [(used | {human, voter}, [*names, voter]) for used, names in ways if not used & {human, voter}]
    yield from (names for _, names in ways)


def places_can_be_filled(rules: Sequence[RuleSpec], names: Iterable[str], folk: Folk) -> bool:
    """Whether every set of rules is wanted by as many of `names` as it asks for in all: Hall's condition."""
    people = list(names)
    for size in range(1, len(rules) + 1):
        for some in combinations(rules, size):
            wanting = [name for name in people if any(is_named(folk, name, rule.approvers) for rule in some)]
            if len(wanting) < sum(rule.required_approvals for rule in some):
                return False
    return True


def is_satisfied(rules: Sequence[RuleSpec], decisions: Sequence[Decision], folk: Folk, excluded: Iterable[str]) -> bool:
    """Whether these rules hold by these approvals; a policy's approval fills each rule that allows it."""
    by_policy = any(d.by.startswith("policy:") and d.verdict is Verdict.APPROVE for d in decisions)
    wanted = [rule for rule in rules if not (by_policy and rule.allow_policy)]
    return any(places_can_be_filled(wanted, names, folk) for names in voters(folk, excluded, decisions))


def rules_now(gate: Gate) -> list[RuleSpec]:
    """The pipeline's rules of the gate, with whoever it was escalated to."""
    further = gate.escalate_to if gate.escalated_at is not None else ()
    return [
        RuleSpec(rule.name, (*rule.approvers, *further), rule.required_approvals, rule.allow_policy)
        for rule in gate.rules
    ]


def about(gate: Gate, decisions: Iterable[Decision]) -> list[Decision]:
    return [d for d in decisions if d.digest == gate.digest and not d.is_withdrawn]


def says_no(gate: Gate, decisions: Iterable[Decision], folk: Folk) -> bool:
    """Whether somebody who may decide said no."""
    rules = [*rules_now(gate), *gate.environment_rules]
    for said in about(gate, decisions):
        voter = said.on_behalf_of or said.by
        if said.verdict is Verdict.APPROVE or {voter, said.by} & set(gate.excluded) or is_barred_delegate(gate, said):
            continue
        if is_able(folk, said.by) and is_able(folk, voter) and any(is_named(folk, voter, r.approvers) for r in rules):
            return True
    return False


def is_barred_delegate(gate: Gate, said: Decision) -> bool:
    """Whether somebody who has a part in the version speaks for another where an environment has rules."""
    return bool(gate.environment_rules) and said.on_behalf_of is not None and said.by in gate.contributors


def could_close(gate: Gate, decisions: Sequence[Decision], earlier: Sequence[Decision], folk: Folk) -> bool:
    """Whether the gate is approved by what was decided about it and, for the environment, before it."""
    mine = [said for said in about(gate, decisions) if not is_barred_delegate(gate, said)]
    own = is_satisfied(rules_now(gate), mine, folk, gate.excluded)
    barred = {*gate.excluded, *gate.contributors}
    return own and is_satisfied(gate.environment_rules, [*earlier, *mine], folk, barred)
