"""What a server refuses that a file alone cannot know: people, environments, metrics."""

from __future__ import annotations

from datetime import timedelta

import pytest

from signoff.domain.actor import Directory, Person, Role
from signoff.domain.environment import LOCAL, DeployerSpec, Environment, Requirements
from signoff.domain.pipeline import RuleSpec
from signoff.spec import Known, Problem, Reading, read_environments, read_pipeline

APPROVER = frozenset({Role.APPROVER})
RISK = frozenset({"risk"})
PEOPLE = Directory.of(
    [
        Person("alice", APPROVER | {Role.SUBMITTER}),
        Person("bob", APPROVER, RISK),
        Person("carol", APPROVER, RISK),
        Person("dave"),
        Person("erin", APPROVER, models=("other-*",)),
    ],
    ["empty"],
)
KNOWN = Known(directory=PEOPLE, submitter="alice", model="fraud")


def gate(inputs: str) -> str:
    return f"steps:\n  - name: approve_model\n    type: approval\n    inputs: {inputs}\n"


def messages(reading: Reading) -> list[str]:
    return [problem.message for problem in reading.problems]


def only(reading: Reading) -> Problem:
    (problem,) = reading.problems
    assert (reading.pipeline is None) == problem.is_error
    return problem


def test_people_who_can_approve_are_fine() -> None:
    assert read_pipeline(gate("{approvers: [bob, 'group:risk'], required_approvals: 2}"), context=KNOWN).problems == ()


def test_people_the_server_does_not_know_are_refused() -> None:
    reading = read_pipeline(gate("{approvers: [bob, zoe, 'group:nope']}"), context=KNOWN)
    assert messages(reading) == ["the server does not know zoe", "the server does not know group nope"]
    assert reading.problems[0].hint == "ask an administrator to add them: `signoff user`, `signoff group`"
    assert (reading.problems[0].line, reading.problems[0].column, reading.problems[0].length) == (4, 31, 3)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            "{approvers: ['group:risk'], required_approvals: 3}",
            "needs 3 approvals but only 2 people can give them: bob, carol",
        ),
        ("{approvers: [alice]}", "the only approver is the submitter alice, who may not approve their own model"),
        ("{approvers: ['group:empty']}", "group empty is empty"),
        ("{approvers: [dave]}", "nobody here holds the approver role for model fraud: dave"),
        ("{approvers: [erin]}", "nobody here holds the approver role for model fraud: erin"),
        (
            "{rules: [{name: a, approvers: [bob]}, {name: b, approvers: ['group:risk'], required_approvals: 2}]}",
            "rule b: needs 2 approvals, but its people (bob, carol) are needed for the other rules too",
        ),
    ],
)
def test_a_rule_that_nobody_could_satisfy_is_explained(inputs: str, message: str) -> None:
    problem = only(read_pipeline(gate(inputs), context=KNOWN))
    assert (problem.message, problem.code) == (message, "unsatisfiable_rule")


def test_the_submitter_counts_where_the_gate_says_so() -> None:
    text = gate("{approvers: [alice], allow_self_approval: true}")
    assert read_pipeline(text, context=KNOWN).problems == ()


STEPS = """\
steps:
  - {name: test_model, type: test, inputs: {checks: [accuracy > 0.9]}}
  - {name: approve_model, type: approval, inputs: {approvers: [alice, bob]}}
  - {name: deploy_model, type: deployment, inputs: {environment: production}}
"""
UNGUARDED = STEPS.replace("  - {name: approve_model, type: approval, inputs: {approvers: [alice, bob]}}\n", "")
PRODUCTION = Environment("production", rules=(RuleSpec("risk", ("group:risk",), 2, allow_policy=False),))


def with_environment(environment: Environment) -> Known:
    return Known(PEOPLE, {"local": LOCAL, environment.name: environment}, "alice", model="fraud")


def test_an_environment_that_does_not_exist_is_refused() -> None:
    problem = only(read_pipeline(STEPS.replace("production", "produktion"), context=with_environment(PRODUCTION)))
    assert problem.message == "the server has no environment produktion"
    assert problem.hint == "did you mean 'production'?"


def test_a_protected_environment_needs_an_approval() -> None:
    assert read_pipeline(STEPS, context=with_environment(PRODUCTION)).problems == ()
    problem = only(read_pipeline(UNGUARDED, context=with_environment(PRODUCTION)))
    assert problem.message == "environment production is protected, and no approval comes before deploy_model"


def test_an_approval_for_staging_is_none_for_production() -> None:
    first = "  - {name: deploy_first, type: deployment, inputs: {environment: local}}\n"
    text = STEPS.replace("  - {name: deploy_model", first + "  - {name: deploy_model")
    assert only(read_pipeline(text, context=with_environment(PRODUCTION))).code == "unguarded_deployment"


def test_rules_of_an_environment_that_nobody_could_satisfy_are_explained() -> None:
    strict = Environment("production", rules=(RuleSpec("risk", ("group:risk",), 3),))
    assert messages(read_pipeline(STEPS, context=with_environment(strict))) == [
        "rule risk of environment production: needs 3 approvals but only 2 people can give them: bob, carol"
    ]


def test_no_gate_lets_the_submitter_count_for_an_environment() -> None:
    text = STEPS.replace("[alice, bob]", "[alice, bob], allow_self_approval: true")
    strict = Environment("production", rules=(RuleSpec("risk", ("alice",)),))
    problem = only(read_pipeline(text, context=with_environment(strict)))
    assert problem.hint == "let somebody else submit it, or ask an administrator for another approver"
    assert problem.message == (
        "rule risk of environment production: the only approver is the submitter alice, who may not approve their own "
        "model"
    )


def test_measured_metrics_need_a_test_that_runs() -> None:
    measured = Environment("production", require=Requirements(measured=True))
    problem = only(read_pipeline(STEPS, context=with_environment(measured)))
    assert problem.message == (
        "environment production takes measured metrics only, and no test step before deploy_model has a run"
    )
    running = STEPS.replace("{checks", "{run: python evaluate.py, checks")
    assert read_pipeline(running, context=with_environment(measured)).problems == ()


def test_a_metric_that_nobody_reports_is_warned_of_only_where_that_is_known() -> None:
    known = Known(metrics=frozenset({"acuracy", "auc"}))
    problem = only(read_pipeline(UNGUARDED, context=known))
    assert (problem.message, problem.hint) == ("no step reports accuracy", "did you mean 'acuracy'?")
    assert read_pipeline(UNGUARDED).problems == ()
    running = UNGUARDED.replace("{checks", "{run: python evaluate.py, checks")
    assert read_pipeline(running, context=known).problems == ()


ENVIRONMENTS = """\
environments:
  staging:
    deployer: {type: alias, alias: staging}
    promote_to: production
  production:
    deployer: {type: server, alias: champion, replicas: 1, health: {timeout: 90s}}
    rules:
      - {name: risk, approvers: ['group:risk'], required_approvals: 2}
    require: {measured: true, checks_passed: true, from: staging}
    max_age: 14d
    self_heal: false
    chat_approval: false
"""


def test_environments_are_read_and_local_is_always_there() -> None:
    environments, problems = read_environments(ENVIRONMENTS, directory=PEOPLE)
    assert problems == ()
    assert environments == {
        "local": LOCAL,
        "staging": Environment("staging", DeployerSpec("alias", "staging"), promote_to="production"),
        "production": Environment(
            "production",
            DeployerSpec("server", "champion", timedelta(seconds=90)),
            (RuleSpec("risk", ("group:risk",), 2, allow_policy=False),),
            Requirements(measured=True, checks_passed=True, came_from="staging"),
            timedelta(days=14),
        ),
    }


def test_an_alias_is_called_after_its_environment() -> None:
    environments, _ = read_environments("environments: {staging: , qa: {deployer: {type: server}}}")
    assert environments is not None
    assert [environments[name].deployer.alias for name in ("local", "staging", "qa")] == ["champion", "staging", "qa"]


def test_local_may_be_redefined_and_keeps_what_is_not_said() -> None:
    environments, _ = read_environments("environments: {local: {deployer: {type: alias}, accept_claimed: false}}")
    assert environments is not None
    assert environments["local"] == Environment("local", DeployerSpec("alias", "champion"), accept_claimed=False)


def test_later_fields_of_an_environment_are_refused_all_at_once() -> None:
    text = """\
environments:
  production:
    deployer: {type: kubernetes, replicas: 3}
    private: true
"""
    environments, problems = read_environments(text)
    assert environments is None
    assert [problem.message.removesuffix(" is not available yet") for problem in problems] == [
        "deployer type: kubernetes", "replicas: 3", "private",
    ]  # fmt: skip


def test_an_environment_may_put_back_what_was_signed_off() -> None:
    environments, _ = read_environments("environments: {production: {self_heal: true}, staging: }")
    assert environments is not None
    assert [environments[name].self_heal for name in ("production", "staging", "local")] == [True, False, False]


def test_an_environment_may_want_approvals_confirmed_by_a_passkey_and_by_nothing_else() -> None:
    environments, _ = read_environments("environments: {production: {step_up: passkey}, staging: }")
    assert environments is not None
    assert [environments[name].step_up for name in ("production", "staging")] == ["passkey", None]
    nothing, problems = read_environments("environments: {production: {step_up: password}}")
    assert nothing is None
    assert [problem.message for problem in problems] == ["step_up must be passkey, not 'password'"]


def test_an_environment_may_take_approvals_from_a_chat_unless_it_wants_passkeys() -> None:
    environments, _ = read_environments("environments: {production: {chat_approval: true}, staging: }")
    assert environments is not None
    assert [environments[name].chat_approval for name in ("production", "staging")] == [True, False]
    nothing, (problem,) = read_environments("environments: {production: {chat_approval: true, step_up: passkey}}")
    assert nothing is None
    assert problem.message == "chat_approval: true and step_up: passkey exclude each other"
    assert "no chat asks for a passkey" in problem.hint


def test_every_error_of_an_environments_file_comes_at_once() -> None:
    text = """\
environments:
  bad name: {}
  staging:
    deployer: {type: alis, alias: latest}
    promote_to: produktion
    colour: red
  production:
    rules: [{name: risk, approvers: ['group:nobody']}, {name: risk, approvers: bob}]
    require: {from: production}
"""
    environments, problems = read_environments(text, directory=PEOPLE)
    assert environments is None
    assert [f"{problem.line}:{problem.column}: {problem.message}" for problem in problems] == [
        "2:3: 'bad name' is not a name for an environment",
        "4:22: type must be alias, server, command, webhook, kubernetes or sagemaker, not 'alis'",
        "4:35: alias 'latest' cannot be used",
        "5:17: promote_to of staging names no environment: 'produktion'",
        "6:5: unknown key 'colour' in environment staging",
        "8:38: nobody and no group is called 'group:nobody'",
        "8:63: two rules are called 'risk'",
        "8:80: approvers must be a list of people or groups, not a single string",
        "9:21: require.from of production names production itself",
    ]


def test_two_environments_with_one_alias_are_warned_of() -> None:
    environments, problems = read_environments(
        "environments: {a: {deployer: {type: alias, alias: x}}, b: {deployer: {type: alias, alias: x}}}"
    )
    assert environments is not None
    assert [problem.message for problem in problems] == ["environments a and b both move the alias x"]
