"""Every rule that can never be satisfied is refused, each at its own place and in its own words."""

from __future__ import annotations

import pytest

from signoff.domain.actor import Directory, Person, Role
from signoff.domain.environment import LOCAL, Environment
from signoff.domain.pipeline import RuleSpec
from signoff.spec import Known, read_environments, read_pipeline

APPROVER = frozenset({Role.APPROVER})
ONLY_ALICE = "the only approver is the submitter alice, who may not approve their own model"
PEOPLE = Directory.of(
    [
        Person("alice", APPROVER | {Role.SUBMITTER}),
        Person("bob", APPROVER, frozenset({"risk"})),
        Person("carol", APPROVER, frozenset({"risk"}), models=("churn-*",)),
        Person("gone", APPROVER, frozenset({"risk"}), is_active=False),
    ],
    ["empty"],
)
PRODUCTION = Environment("production", rules=(RuleSpec("legal", ("group:risk",), 2), RuleSpec("board", ("alice",))))
TWO_GATES = """\
model: {model}
steps:
  - name: first
    type: approval
    inputs:
      rules:
        - {{name: own, approvers: [alice]}}
        - {{name: risk, approvers: ['group:risk'], required_approvals: 2}}
        - {{name: nobody, approvers: ['group:empty']}}
        - {{name: fine, approvers: [bob]}}
  - name: deploy
    type: deployment
    inputs: {{environment: production}}
"""


def said(text: str, *, environments: dict[str, Environment] | None = None) -> list[str]:
    known = Known(PEOPLE, environments, "alice")
    return [f"{p.line}:{p.column}: {p.message}" for p in read_pipeline(text, context=known).problems]


def test_every_rule_is_told_at_its_own_line_and_column() -> None:
    assert said(TWO_GATES.format(model="fraud")) == [
        f"7:34: rule own: {ONLY_ALICE}",
        "8:71: rule risk: needs 2 approvals but only 1 person can give one: bob",
        "9:37: rule nobody: group empty is empty",
    ]


def test_the_rules_of_the_pipeline_and_of_the_environment_are_told_together() -> None:
    environments = {"local": LOCAL, "production": PRODUCTION}
    assert said(TWO_GATES.format(model="fraud"), environments=environments)[3:] == [
        "13:27: rule legal of environment production: needs 2 approvals but only 1 person can give one: bob",
        f"13:27: rule board of environment production: {ONLY_ALICE}",
    ]


def test_whose_roles_do_not_cover_the_model_does_not_count() -> None:
    found = said(TWO_GATES.format(model="churn-eu"))
    assert [line.partition(":")[0] for line in found] == ["7", "9"], "carol covers this one, so risk has two"


@pytest.mark.parametrize("submitter", [None, "bob"])
def test_somebody_else_who_submits_leaves_another_rule_short(submitter: str | None) -> None:
    text = "steps: [{name: a, type: approval, inputs: {approvers: [alice, bob], required_approvals: 2}}]"
    problems = read_pipeline(text, context=Known(PEOPLE, submitter=submitter)).problems
    messages = [problem.message for problem in problems]
    assert messages == (
        []
        if submitter is None
        else [
            "needs 2 approvals but only 1 person can give one: alice; the submitter bob may not approve their own model"
        ]
    )


def test_an_environment_whose_rules_nobody_could_satisfy_is_read_with_a_warning() -> None:
    text = """\
environments:
  production:
    rules:
      - {name: risk, approvers: ['group:risk'], required_approvals: 3}
      - {name: nobody, approvers: ['group:empty']}
"""
    found, problems = read_environments(text, directory=PEOPLE)
    assert found is not None
    assert [(f"{p.line}:{p.column}", p.severity, p.message) for p in problems] == [
        ("4:69", "warning", "rule risk: needs 3 approvals but only 2 people can give them: bob, carol"),
        ("5:35", "warning", "rule nobody: group empty is empty"),
    ]
