"""`environments.yaml` -> `domain.Environment`: where models go, and what the administrator demands there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from signoff.domain.actor import Directory
from signoff.domain.environment import LOCAL, DeployerSpec, Environment, Requirements
from signoff.domain.pipeline import RuleSpec
from signoff.spec import deferred
from signoff.spec.approvers import check_rules
from signoff.spec.break_glass import read_break_glass
from signoff.spec.deployers import read_deployer
from signoff.spec.fields import Fields, kind_of, nearest
from signoff.spec.freeze import read_freezes
from signoff.spec.gates import read_step_up
from signoff.spec.problem import TOP, Problem, Problems, said
from signoff.spec.rules import check_counts, place_of_rule, read_rules
from signoff.spec.steps import ENVIRONMENT_NAME, ENVIRONMENT_NAME_HINT
from signoff.spec.tree import Entry, Items, Node, Scalar, Table, decode, grow

MOST_ENVIRONMENTS = 200
_MISTAKES = {
    **dict.fromkeys(("deploy", "deployment", "target"), "deployer"),
    **dict.fromkeys(("requires", "requirements"), "require"),
    **dict.fromkeys(("approvals", "approvers", "protection", "protection_rules"), "rules"),
    **dict.fromkeys(("came_from",), "from"),
}


def read_environments(
    text: str | bytes,
    *,
    filename: str = "environments.yaml",
    directory: Directory | None = None,
    beside: Iterable[str] = (),
) -> tuple[Mapping[str, Environment] | None, tuple[Problem, ...]]:
    """The environments of a file, `local` always among them, or None with every problem in it.

    With `directory`, approvers whom it does not know are refused. `beside` are environments that there are besides.
    Never raises because of what the file holds.
    """
    content, problems = decode(text, filename)
    root = None if content is None else grow(content, problems)
    environments: dict[str, Environment] = {}
    if isinstance(root, Table):
        environments = _read(Fields(root, "the file", problems), directory, set(beside))
    elif not problems.has_errors:
        place, is_a = (TOP, "empty") if root is None else (root.place, kind_of(root))
        message = f"the file must be a mapping with environments, not {is_a}"
        problems.error(place, message, "start with environments:", code="type")
    return (None if problems.has_errors else environments), problems.sorted()


def _read(fields: Fields, directory: Directory | None, beside: set[str]) -> dict[str, Environment]:
    environments = {LOCAL.name: LOCAL}
    table = fields.table_of("environments", may_be_empty=True)
    fields.close({"environment": "environments", "envs": "environments"})
    fields.require("environments", "start with environments:")
    entries = table.entries if table is not None else {}
    if len(entries) > MOST_ENVIRONMENTS:
        fields.problems.error(TOP, f"more than {MOST_ENVIRONMENTS} environments", code="range")
        return environments
    for name, entry in entries.items():
        if not ENVIRONMENT_NAME.fullmatch(name):
            fields.error(entry.key, f"{said(name)} is not a name for an environment", ENVIRONMENT_NAME_HINT)
            continue
        environments[name] = _read_environment(name, entry, fields.problems, directory)
    for name, entry in entries.items():
        _check_road(entry, name, set(entries) | {LOCAL.name} | beside, fields.problems)
    _warn_shared_aliases(environments, entries, fields.problems)
    return environments


def _read_environment(name: str, entry: Entry, problems: Problems, directory: Directory | None) -> Environment:
    default = LOCAL if name == LOCAL.name else Environment(name, DeployerSpec(alias=name))
    node = entry.value
    if isinstance(node, Scalar) and node.value is None:
        return default
    if not isinstance(node, Table):
        message = f"environment {name} must be a mapping, not {kind_of(node)}"
        problems.error(node.place, message, "write deployer: {type: alias}", code="type")
        return default
    fields = Fields(node, f"environment {name}", problems)
    deployer = read_deployer(fields, default.deployer)
    rules = () if "rules" not in fields else read_rules(fields, allow_policy=False, is_environment=True) or ()
    fields.node("rules")
    if rules:
        check_counts(fields, rules, node.entries["rules"].key.place)
        _check_people(fields, fields.table.entries["rules"].value, directory)
        _warn_unsatisfiable(fields, rules, directory)
    require = _read_requirements(fields)
    environment = Environment(
        name,
        deployer,
        rules,
        require,
        fields.duration("max_age"),
        fields.flag("accept_claimed", default=default.accept_claimed),
        fields.named("promote_to", ENVIRONMENT_NAME, ENVIRONMENT_NAME_HINT),
        read_freezes(fields),
        read_break_glass(fields),
        read_step_up(fields),
        fields.flag("chat_approval", default=False),
        fields.flag("self_heal", default=False),
    )
    _refuse_chat_without_passkey(environment, fields)
    if environment.break_glass is not None:
        _check_people(fields, Items(node.place, [node.entries["break_glass"].value]), directory)
    deferred.read_deferred(fields, deferred.ENVIRONMENT)
    fields.close(_MISTAKES)
    return environment


def _refuse_chat_without_passkey(environment: Environment, fields: Fields) -> None:
    """A chat asks no passkey, so an environment that wants one of every approval takes none from there."""
    if environment.chat_approval and environment.step_up is not None:
        node = fields.table.entries["chat_approval"].value
        message = "chat_approval: true and step_up: passkey exclude each other"
        fields.error(node, message, "take one of them out: no chat asks for a passkey", code="contradiction")


def _read_requirements(fields: Fields) -> Requirements:
    table = fields.table_of("require")
    if table is None:
        return Requirements()
    inner = Fields(table, f"require of {fields.where}", fields.problems)
    requirements = Requirements(
        inner.flag("measured", default=False),
        inner.flag("checks_passed", default=False),
        inner.named("from", ENVIRONMENT_NAME, ENVIRONMENT_NAME_HINT),
    )
    inner.close(_MISTAKES)
    return requirements


def _check_people(fields: Fields, rules: Node, directory: Directory | None) -> None:
    """Refuse approvers whom the directory does not know."""
    for rule in rules.items if directory is not None and isinstance(rules, Items) else ():
        approvers = rule.entries.get("approvers") if isinstance(rule, Table) else None
        for node in approvers.value.items if approvers is not None and isinstance(approvers.value, Items) else ():
            if isinstance(node, Scalar) and directory is not None and not directory.knows(node.text):
                message = f"nobody and no group is called {said(node.text)}"
                fields.error(node, message, "add them with `signoff user` or `signoff group`", code="unknown_person")


def _warn_unsatisfiable(fields: Fields, rules: tuple[RuleSpec, ...], directory: Directory | None) -> None:
    """Say which rules nobody could satisfy at present: nothing could be deployed there until people are added."""
    for rule, message, hint in check_rules(rules, directory) if directory is not None else ():
        place = place_of_rule(fields, rule) or fields.table.entries["rules"].key.place
        fields.problems.warn(place, f"rule {rule.name}: {message}", hint, code="unsatisfiable_rule")


def _check_road(entry: Entry, name: str, known: set[str], problems: Problems) -> None:
    """Refuse a `promote_to` or `require.from` that leads nowhere, or to the environment itself."""
    for path in (("promote_to",), ("require", "from")):
        node = entry.value
        for part in path:
            found = node.entries.get(part) if isinstance(node, Table) else None
            node = None if found is None else found.value
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or not ENVIRONMENT_NAME.fullmatch(node.text):
            continue
        called = ".".join(path)
        if node.text == name:
            problems.error(node.place, f"{called} of {name} names {name} itself", "name another environment")
        elif node.text not in known:
            guess = nearest(node.text, known)
            hint = f"did you mean '{guess}'?" if guess else "define it in this file"
            message = f"{called} of {name} names no environment: {said(node.text)}"
            problems.error(node.place, message, hint, code="unknown_environment")


def _warn_shared_aliases(
    environments: Mapping[str, Environment], entries: Mapping[str, Entry], problems: Problems
) -> None:
    """Two environments with one alias would each take the other's deployments for their own."""
    owners: dict[str, str] = {}
    for name, environment in environments.items():
        if name == LOCAL.name:
            continue
        other = owners.setdefault(environment.deployer.alias, name)
        if other != name:
            message = f"environments {other} and {name} both move the alias {environment.deployer.alias}"
            problems.warn(entries[name].key.place, message, "give each an alias of its own", code="shared_alias")
