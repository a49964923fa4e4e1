"""Whether the people that a server knows can satisfy a gate's rules, explained in their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from signoff.domain.actor import GROUP_PREFIX, Directory, Role
from signoff.domain.environment import Environment
from signoff.domain.matching import is_satisfiable
from signoff.domain.pipeline import ApprovalStep, RuleSpec
from signoff.spec.known import Known
from signoff.spec.problem import Place, Problems
from signoff.spec.steps import ReadStep
from signoff.spec.tree import Items, Node, Scalar, Table, find

UNKNOWN_HINT = "ask an administrator to add them: `signoff user`, `signoff group`"


def check_approvers(read: ReadStep, step: ApprovalStep, model: str | None, problems: Problems, known: Known) -> None:
    """Report everybody in `step` whom the server does not know, and every rule that its people cannot satisfy.

    An escalation that would reach nobody who may approve is reported too.
    """
    directory = known.directory
    if directory is None:
        return
    unknown: set[str] = set()
    for reference, place in _references(read):
        if not directory.knows(reference):
            unknown.add(reference)
            what = f"group {reference.removeprefix(GROUP_PREFIX)}" if reference.startswith(GROUP_PREFIX) else reference
            problems.error(place, f"the server does not know {what}", UNKNOWN_HINT, code="unknown_person")
    sound = [rule for rule in step.rules if not unknown & set(rule.approvers)]
    who = _Eligible(directory, model, None if step.allow_self_approval else known.submitter)
    for unfilled in who.unfilled(sound):
        message, hint = who.explain(unfilled)
        name = "" if len(step.rules) == 1 and unfilled.name == step.name else f"rule {unfilled.name}: "
        problems.error(_place_of(read, unfilled), name + message, hint, code="unsatisfiable_rule")
    escalation = RuleSpec("escalate_to", step.escalate_to)
    if step.escalate_to and not unknown & set(step.escalate_to) and not who.people(escalation):
        message, hint = who.explain(escalation)
        problems.error(find(read.node, "inputs", "escalate_to"), message, hint, code="unsatisfiable_rule")


def check_environment_rules(
    environment: Environment, model: str | None, place: Place, problems: Problems, known: Known
) -> None:
    """Report, at `place`, every rule of `environment` that nobody could satisfy at a gate before it.

    The submitter never counts there, whatever the gate allows.
    """
    if known.directory is None:
        return
    hint = "let somebody else submit it, or ask an administrator for another approver"
    who = _Eligible(known.directory, model, known.submitter, hint=hint)
    for unfilled in who.unfilled(environment.rules):
        message, hint = who.explain(unfilled)
        called = f"rule {unfilled.name} of environment {environment.name}: "
        problems.error(place, called + message, hint, code="unsatisfiable_rule")


def check_rules(rules: Sequence[RuleSpec], directory: Directory) -> Iterator[tuple[RuleSpec, str, str]]:
    """Each of an environment's `rules` that these people could not satisfy for any model, why, and a hint."""
    who = _Eligible(directory, None, None)
    for unfilled in who.unfilled([rule for rule in rules if all(directory.knows(name) for name in rule.approvers)]):
        yield unfilled, *who.explain(unfilled)


class _Eligible:
    """Who can give the approvals of a rule: approvers of `model`, without any account of `excluded` (the submitter)."""

    def __init__(
        self,
        directory: Directory,
        model: str | None,
        excluded: str | None,
        *,
        hint: str = "add another approver or say allow_self_approval: true",
    ) -> None:
        self.hint = hint
        self.directory = directory
        self.model = model
        self.excluded = excluded
        self.barred = directory.accounts_of(excluded) if excluded is not None else frozenset[str]()

    def unfilled(self, rules: Sequence[RuleSpec]) -> list[RuleSpec]:
        """Those of `rules` that cannot be filled by themselves; else the first that the others leave no people for."""
        people = {rule.name: self.directory.humans(self.people(rule)) for rule in rules}
        short = [rule for rule in rules if len(people[rule.name]) < rule.required_approvals]
        together = is_satisfiable(rules, people) if not short else None
        return short or ([together] if together is not None else [])

    def people(self, rule: RuleSpec) -> frozenset[str]:
        """Everybody who can give an approval of `rule`."""
        return self._approvers(rule) - self.barred

    def explain(self, rule: RuleSpec) -> tuple[str, str]:
        """Why `rule` cannot be filled, and what to do about it."""
        people = sorted(self.people(rule))
        number = "1 approval" if rule.required_approvals == 1 else f"{rule.required_approvals} approvals"
        if len(people) >= rule.required_approvals:
            message = f"needs {number}, but its people ({', '.join(people)}) are needed for the other rules too"
            return message, "one person counts for one rule only; name more people"
        barred = sorted(self.barred & self._approvers(rule))
        if not people and barred:
            who = f"the submitter {self.excluded}"
            who = who if self.excluded in barred else f"{barred[0]}, an account of {who}"
            message = f"the only approver is {who}, who may not approve their own model"
            return message, self.hint
        named = {name for reference in rule.approvers for name in self.directory.members(reference)}
        if not people and not named:
            groups = [r.removeprefix(GROUP_PREFIX) for r in rule.approvers if r.startswith(GROUP_PREFIX)]
            if groups:
                message = f"group {groups[0]} is empty" if len(groups) == 1 else f"groups {', '.join(groups)} are empty"
                return message, "ask an administrator to put people into it"
        if not people:
            about = f" for model {self.model}" if self.model else ""
            listed = ", ".join(sorted(named)) or ", ".join(rule.approvers)
            return f"nobody here holds the approver role{about}: {listed}", "ask an administrator to give it to them"
        can = "1 person can give it" if len(people) == 1 else f"{len(people)} people can give them"
        can = can.replace("give it", "give one") if rule.required_approvals > 1 else can
        message = f"needs {number} but only {can}: {', '.join(people)}"
        if barred:
            message += f"; the submitter {self.excluded} may not approve their own model"
        return message, "name more people, or require fewer"

    def _approvers(self, rule: RuleSpec) -> frozenset[str]:
        if self.model is not None:
            return self.directory.eligible(rule.approvers, self.model)
        named = {name for reference in rule.approvers for name in self.directory.members(reference)}
        return frozenset(name for name in named if Role.APPROVER in self.directory.people[name].roles)


def _references(read: ReadStep) -> Iterator[tuple[str, Place]]:
    """Every readable approver in the step's inputs, with its place."""
    inputs = read.node.entries.get("inputs")
    table = inputs.value if inputs is not None else None
    if not isinstance(table, Table):
        return
    rules = table.entries.get("rules")
    owners = rules.value.items if rules is not None and isinstance(rules.value, Items) else [table]
    for owner in owners:
        yield from _listed(owner, "approvers")
    yield from _listed(table, "escalate_to")


def _listed(owner: Node, key: str) -> Iterator[tuple[str, Place]]:
    found = owner.entries.get(key) if isinstance(owner, Table) else None
    for node in found.value.items if found is not None and isinstance(found.value, Items) else ():
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value.strip():
            yield node.value, node.place


def _place_of(read: ReadStep, rule: RuleSpec) -> Place:
    """Where the number or the people of `rule` are written."""
    path: tuple[str | int, ...] = ("inputs",)
    inputs = read.node.entries["inputs"].value
    owner = inputs
    if isinstance(inputs, Table) and "rules" in inputs.entries:
        for number, node in enumerate(inputs.entries["rules"].value.items):
            name = node.entries.get("name") if isinstance(node, Table) else None
            if name is not None and isinstance(name.value, Scalar) and name.value.text == rule.name:
                path, owner = ("inputs", "rules", number), node
    key = "required_approvals" if "required_approvals" in owner.entries else "approvers"
    return find(read.node, *path, key)
