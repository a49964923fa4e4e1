"""Who must approve: `approvers`, `required_approvals` and `rules`, the same in pipelines and in environments."""

from __future__ import annotations

import re

from signoff.domain.actor import GROUP_PREFIX
from signoff.domain.matching import is_satisfiable
from signoff.domain.pipeline import RuleSpec
from signoff.spec.fields import Fields, kind_of, one_of
from signoff.spec.problem import Place, said
from signoff.spec.tree import Items, Node, Scalar, Table, find

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")
NAME_HINT = "use letters, digits and . _ @ + -"
MOST_APPROVALS = 20
MOST_RULES = 10

APPROVERS = "a list of people or groups"
MISTAKES = {
    **dict.fromkeys(("users", "user", "people", "person", "reviewers", "reviewer", "who", "by", "owners"), "approvers"),
    **dict.fromkeys(("approver", "approved_by", "groups", "group", "teams", "team"), "approvers"),
    **dict.fromkeys(
        ("approvals", "min_approvals", "minimum_approvals", "required", "count", "quorum"), "required_approvals"
    ),
    **dict.fromkeys(("auto_approve", "auto_approve_when", "approve_if", "condition", "when"), "auto_approve_if"),
    **dict.fromkeys(("self_approval", "allow_self_approve", "allow_self"), "allow_self_approval"),
}


def read_approvers(fields: Fields, key: str = "approvers") -> tuple[str, ...]:
    """The names and groups under `key`; empty when they could not be read."""
    found: list[str] = []
    for node in fields.items(key, APPROVERS, f"write {key}: ['bob', 'group:risk']") or ():
        reference = _reference(fields, node, key)
        if reference is None:
            continue
        if reference in found:
            fields.error(node, f"{said(reference)} comes twice in {key}", "take one out", code="duplicate")
            continue
        found.append(reference)
    return tuple(found)


def _reference(fields: Fields, node: Node, key: str) -> str | None:
    if isinstance(node, Table) and list(node.entries) == ["group"]:
        group = node.entries["group"].value
        name = group.text if isinstance(group, Scalar) else "risk"
        message = f"{key} must hold names; a group is written as one too"
        fields.error(node, message, f"write 'group:{name}', with no space and in quotes", code="type")
        return None
    text = fields.as_text(node, f"each of {key}")
    if text is None:
        return None
    if not NAME.fullmatch(text.removeprefix(GROUP_PREFIX)):
        fields.error(node, f"{said(text)} is not the name of a person or group", f"{NAME_HINT}; groups: 'group:risk'")
        return None
    return text


def read_rules(fields: Fields, *, allow_policy: bool, is_environment: bool) -> tuple[RuleSpec, ...] | None:
    """The rules under `rules`; those that could not be read are left out. None when there is no list."""
    example = "write - {name: risk, approvers: ['group:risk']}"
    nodes = fields.items("rules", "a list of rules", example, most=MOST_RULES)
    if nodes is None:
        return None
    rules: list[RuleSpec] = []
    names: set[str] = set()
    for node in nodes:
        if not isinstance(node, Table):
            hint = "write {name: risk, approvers: ['group:risk']}"
            fields.error(node, f"each rule must be a mapping, not {kind_of(node)}", hint, code="type")
            continue
        rule = _read_rule(Fields(node, "a rule", fields.problems), names, allow_policy, is_environment)
        if rule is not None:
            rules.append(rule)
    return tuple(rules)


def _read_rule(fields: Fields, names: set[str], allow_policy: bool, is_environment: bool) -> RuleSpec | None:
    name = fields.named("name", NAME, NAME_HINT)
    if name is not None:
        fields.where = f"rule {name}"
        if name in names:
            node = fields.table.entries["name"].value
            fields.error(node, f"two rules are called {said(name)}", "give each a name of its own", code="duplicate")
            name = None
        else:
            names.add(name)
    approvers = read_approvers(fields)
    required = read_required(fields)
    if is_environment:
        allow_policy = fields.flag("allow_policy", default=allow_policy)
    fields.close(MISTAKES)
    fields.require("name", "add name: risk")
    fields.require("approvers", "add approvers: ['bob']")
    if name is None or not approvers or required is None:
        return None
    return RuleSpec(name, approvers, required, allow_policy)


def read_required(fields: Fields) -> int | None:
    """How many must approve, 1 by default; None when that could not be read."""
    number = fields.whole("required_approvals", default=0, least=1, most=MOST_APPROVALS)
    if number:
        return number
    return None if "required_approvals" in fields else 1


def check_counts(fields: Fields, rules: tuple[RuleSpec, ...], place: Place) -> bool:
    """Refuse rules that ask for more people than they name. What a group holds is not known here."""
    named = [rule for rule in rules if not any(a.startswith(GROUP_PREFIX) for a in rule.approvers)]
    short = next((rule for rule in named if len(rule.approvers) < rule.required_approvals), None)
    unfilled = short or is_satisfiable(named, {rule.name: frozenset(rule.approvers) for rule in named})
    if unfilled is None:
        return True
    people = ", ".join(unfilled.approvers)
    count = len(unfilled.approvers)
    if count < unfilled.required_approvals:
        can = "person is" if count == 1 else "people are"
        message = f"{unfilled.required_approvals} approvals are required but only {count} {can} named: {people}"
        hint = "name more people or a group, or require fewer"
        place = place_of_rule(fields, unfilled) or place
    else:
        shared = one_of(rule.name for rule in named).replace(" or ", " and ")
        people = ", ".join(sorted({name for rule in named for name in rule.approvers}))
        message = f"rules {shared} ask for more approvals than the people they name can give: {people}"
        hint = "one person counts for one rule only; name more people"
    fields.problems.error(place, message, hint, code="unsatisfiable_rule")
    return False


def place_of_rule(fields: Fields, rule: RuleSpec) -> Place | None:
    """Where one of several listed rules says how many it asks for; None when it is not listed."""
    listed = fields.table.entries.get("rules")
    for node in listed.value.items if listed is not None and isinstance(listed.value, Items) else ():
        name = node.entries.get("name") if isinstance(node, Table) else None
        if name is not None and isinstance(name.value, Scalar) and name.value.text == rule.name:
            return find(node, "required_approvals" if "required_approvals" in node.entries else "approvers")
    return None
