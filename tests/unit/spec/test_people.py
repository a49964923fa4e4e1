"""The administrator's list of people."""

from __future__ import annotations

import pytest

from signoff.domain.actor import Directory, Person, Role
from signoff.spec import read_people

PEOPLE = """\
people:
  - name: alice
    email: alice@example.org
    roles: [submitter]
    models: ['fraud-*']
  - {name: bob, roles: [approver], groups: [risk]}
  - {name: erin, roles: [admin]}
groups: {risk: {email: risk@example.org}}
"""


def test_people_are_read() -> None:
    directory, problems = read_people(PEOPLE)
    assert problems == ()
    assert directory == Directory.of(
        [
            Person("alice", frozenset({Role.SUBMITTER}), models=("fraud-*",), email="alice@example.org"),
            Person("bob", frozenset({Role.APPROVER}), frozenset({"risk"})),
            Person("erin", frozenset({Role.ADMIN})),
        ],
        ["risk"],
    )


def test_every_error_of_a_people_file_comes_at_once() -> None:
    text = """\
people:
  - {name: alice, role: admin}
  - {name: Alice, roles: [aprover], email: nowhere}
  - {name: system}
  - {roles: approver}
  - bob
groups: [risk]
owner: erin
"""
    directory, problems = read_people(text)
    assert directory is None
    assert [f"{problem.line}:{problem.column}: {problem.message}" for problem in problems] == [
        "2:19: unknown key 'role' in person alice",
        "3:12: two people are called 'Alice'",
        "3:27: a role must be viewer, submitter, approver, auditor or admin, not 'aprover'",
        "3:44: email 'nowhere' cannot be used",
        "4:12: nobody can be called system: signoff itself acts under that name",
        "5:6: a person has no name",
        "5:13: roles must be a list of roles, not a single string",
        "6:5: each person must be a mapping, not a single string",
        "7:9: groups must be a mapping of keys to values, not a list",
        "8:1: unknown key 'owner' in the file",
    ]
    assert problems[0].hint == "did you mean 'roles'?"
    assert problems[2].hint == "did you mean 'approver'?"


def test_a_group_of_nobody_is_warned_of() -> None:
    directory, problems = read_people("people: [{name: bob}]\ngroups: {risk: }\n")
    assert directory is not None
    assert directory.knows("group:risk")
    assert [problem.message for problem in problems] == ["nobody is in group risk"]


@pytest.mark.parametrize("text", ["", "# nothing", "people", "[alice]", "people: []", "groups: {}"])
def test_a_file_without_people_is_refused(text: str) -> None:
    directory, problems = read_people(text)
    assert directory is None
    assert len(problems) == 1
