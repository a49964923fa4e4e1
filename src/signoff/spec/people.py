"""`people.yaml` -> `domain.Directory`: who the server knows, as the administrator writes it down."""

from __future__ import annotations

import re

from signoff.domain.actor import SYSTEM, Directory, Person, Role
from signoff.spec.fields import Fields, kind_of, nearest, one_of, quoted
from signoff.spec.problem import TOP, Problem, Problems, said
from signoff.spec.rules import NAME, NAME_HINT
from signoff.spec.tree import Node, Scalar, Table, decode, grow

MOST_PEOPLE = 5000
_EMAIL = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,255}")
_PATTERN = re.compile(r"[^\s/:]{1,255}")
_EXAMPLE = "write - {name: alice, roles: [submitter]}"
_ROLES = [str(role) for role in Role]
_MISTAKES = {
    **dict.fromkeys(("role", "permissions", "can"), "roles"),
    **dict.fromkeys(("group", "teams", "team"), "groups"),
    **dict.fromkeys(("model", "patterns"), "models"),
    **dict.fromkeys(("mail", "e-mail"), "email"),
    **dict.fromkeys(("id", "login", "user", "username"), "name"),
    **dict.fromkeys(("users", "persons", "members"), "people"),
}


def read_people(text: str | bytes, *, filename: str = "people.yaml") -> tuple[Directory | None, tuple[Problem, ...]]:
    """The directory of a file, or None with every problem in it. Never raises because of what the file holds."""
    content, problems = decode(text, filename)
    root = None if content is None else grow(content, problems)
    directory = None
    if isinstance(root, Table):
        directory = _read(Fields(root, "the file", problems))
    elif not problems.has_errors:
        place, is_a = (TOP, "empty") if root is None else (root.place, kind_of(root))
        problems.error(place, f"the file must be a mapping with people, not {is_a}", "start with people:", code="type")
    return (None if problems.has_errors else directory), problems.sorted()


def _read(fields: Fields) -> Directory:
    people: dict[str, Person] = {}
    lines: dict[str, int] = {}
    for node in fields.items("people", "a list of people", _EXAMPLE, most=MOST_PEOPLE) or ():
        person = _read_person(node, fields.problems, lines)
        if person is not None:
            people[person.name] = person
    groups = _read_groups(fields)
    private = _read_names(fields, "private", "a list of model names or patterns", _PATTERN, "write ['fraud-*']")
    fields.close(_MISTAKES)
    fields.require("people", _EXAMPLE)
    directory = Directory.of(people.values(), groups, private)
    populated = {group for person in people.values() for group in person.groups}
    for group, node in groups.items():
        if group not in populated:
            message = f"nobody is in group {group}"
            fields.problems.warn(node.place, message, f"give somebody groups: [{group}]", code="empty_group")
    return directory


def _read_person(node: Node, problems: Problems, lines: dict[str, int]) -> Person | None:
    if not isinstance(node, Table):
        problems.error(node.place, f"each person must be a mapping, not {kind_of(node)}", _EXAMPLE, code="type")
        return None
    fields = Fields(node, "a person", problems)
    name = fields.named("name", NAME, NAME_HINT)
    if name is not None:
        fields.where = f"person {name}"
        _check_name(fields, name, lines)
    email = _read_email(fields)
    roles = _read_roles(fields)
    groups = _read_names(fields, "groups", "a list of groups", NAME, NAME_HINT)
    models = _read_names(fields, "models", "a list of model names or patterns", _PATTERN, "write ['fraud-*']")
    fields.close(_MISTAKES)
    fields.require("name", "add name: alice")
    if name is None:
        return None
    return Person(name, roles, frozenset(groups), models or ("*",), email)


def _check_name(fields: Fields, name: str, lines: dict[str, int]) -> None:
    """Refuse a name that somebody else has, give or take upper case, or that signoff itself acts under."""
    place = fields.table.entries["name"].value.place
    if name.lower() == SYSTEM.name:
        message = f"nobody can be called {name}: signoff itself acts under that name"
        fields.problems.error(place, message, "choose another name", code="reserved")
    line = lines.get(name.lower())
    lines.setdefault(name.lower(), place.line)
    if line is not None:
        message = f"two people are called {said(name)}"
        fields.problems.error(place, message, f"the other is on line {line}; rename one", code="duplicate")


def _read_email(fields: Fields) -> str | None:
    return fields.named("email", _EMAIL, "write alice@example.org")


def _read_roles(fields: Fields) -> frozenset[Role]:
    roles: set[Role] = set()
    for node in fields.items("roles", "a list of roles", "write [approver]") or ():
        word = node.text if isinstance(node, Scalar) else ""
        if word in _ROLES:
            roles.add(Role(word))
            continue
        guess = nearest(word, _ROLES) if word and not fields.problems.is_full else None
        shown = said(word) if word else kind_of(node)
        hint = f"did you mean '{guess}'?" if guess else ""
        fields.error(node, f"a role must be {one_of(_ROLES)}, not {shown}", hint, code="choice")
    return frozenset(roles)


def _read_names(fields: Fields, key: str, what: str, form: re.Pattern[str], hint: str) -> tuple[str, ...]:
    found: list[str] = []
    for node in fields.items(key, what) or ():
        name = fields.as_name(node, f"each of {key}", form, hint)
        if name is not None and name not in found:
            found.append(name)
    return tuple(found)


def _read_groups(fields: Fields) -> dict[str, Scalar]:
    """The groups listed by themselves, which may give an address; only their names are kept here."""
    table = fields.table_of("groups", may_be_empty=True)
    groups: dict[str, Scalar] = {}
    for name, entry in table.entries.items() if table is not None else ():
        if not NAME.fullmatch(name):
            fields.error(entry.key, f"{said(name)} is not a name for a group", NAME_HINT)
            continue
        groups[name] = entry.key
        if isinstance(entry.value, Scalar) and entry.value.value is None:
            continue
        if not isinstance(entry.value, Table):
            example = f"write {{email: {name}@example.org}}; a person joins with groups: [{quoted(name)}]"
            fields.error(entry.value, f"a group must be a mapping, not {kind_of(entry.value)}", example, code="type")
            continue
        inner = Fields(entry.value, f"group {name}", fields.problems)
        _read_email(inner)
        inner.close()
    return groups
