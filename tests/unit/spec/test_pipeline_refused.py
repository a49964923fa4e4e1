"""Files that are refused, each with the words and the place that let a person mend it."""

from __future__ import annotations

import pytest

from signoff.spec import read_pipeline

GATE = """\
steps:
  - name: approve_model
    type: approval
    inputs:
      approvers: ['bob']
"""
DEPLOY = """\
  - name: deploy_model
    type: deployment
    inputs:
      environment: local
"""


def words(text: str) -> list[str]:
    """Every problem of `text`, as a person reads it; none of these files may pass."""
    reading = read_pipeline(text)
    assert reading.pipeline is None
    return [problem.text() for problem in reading.problems]


def heads(text: str) -> list[str]:
    return [one.splitlines()[0].removeprefix("signoff.yaml:") for one in words(text)]


def test_a_name_where_a_list_belongs() -> None:
    assert words(GATE.replace("['bob']", "'bob'")) == [
        (
            "signoff.yaml:5:18: approvers must be a list of people or groups, not a single string\n"
            "    5 |       approvers: 'bob'\n"
            "      |                  ^^^^^ write ['bob']"
        )
    ]


def test_an_unknown_key_is_answered_with_the_key_that_was_meant() -> None:
    assert words(GATE.replace("approvers", "users")) == [
        (
            "signoff.yaml:5:7: unknown key 'users' in the inputs of approve_model\n"
            "    5 |       users: ['bob']\n"
            "      |       ^^^^^ did you mean 'approvers'?"
        )
    ]


def test_a_missing_type() -> None:
    assert words(GATE.replace("    type: approval\n", "")) == [
        (
            "signoff.yaml:2:5: step approve_model has no type\n"
            "    2 |   - name: approve_model\n"
            "      |     ^^^^ add type: approval"
        )
    ]


def test_an_unknown_type() -> None:
    assert words(GATE.replace("type: approval", "type: approvl")) == [
        (
            "signoff.yaml:3:11: type must be training, test, approval or deployment, not 'approvl'\n"
            "    3 |     type: approvl\n"
            "      |           ^^^^^^^ did you mean 'approval'?"
        )
    ]


def test_two_steps_of_one_name() -> None:
    assert words(GATE + GATE.removeprefix("steps:\n")) == [
        (
            "signoff.yaml:6:11: two steps are called 'approve_model'\n"
            "    6 |   - name: approve_model\n"
            "      |           ^^^^^^^^^^^^^ the other is on line 2; rename one"
        )
    ]


def test_a_tab() -> None:
    assert words(GATE.replace("    type", "\ttype")) == [
        "signoff.yaml:3:1: a tab in the indentation\n    3 |  type: approval\n      | ^ use spaces"
    ]


def test_a_wrong_indentation() -> None:
    assert words(GATE.replace("    inputs", "   inputs")) == [
        (
            "signoff.yaml:4:4: wrong indentation: this line does not line up with the lines it belongs to\n"
            "    4 |    inputs:\n"
            "      |    ^^^^^^^ indent it like its neighbours; an item of a list starts with '- '"
        )
    ]


def test_a_key_that_comes_twice() -> None:
    assert words(GATE + "      approvers: ['carol']\n") == [
        (
            "signoff.yaml:6:7: the key 'approvers' comes twice\n"
            "    6 |       approvers: ['carol']\n"
            "      |       ^^^^^^^^^ it is already on line 5"
        )
    ]


def test_anchors_and_aliases() -> None:
    assert heads(GATE.replace("['bob']", "[&who bob, *who]")) == [
        "5:19: anchors (&who) are not taken",
        "5:29: aliases (*who) are not taken",
    ]


def test_a_tag() -> None:
    assert heads(GATE.replace("'bob'", "!!str bob")) == ["5:19: tags (tag:yaml.org,2002:str) are not taken"]


def test_a_file_over_256_kib() -> None:
    assert words("#" * (256 * 1024) + "\n") == ["signoff.yaml:1:1: the file is 257 KiB; at most 256 KiB are read"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"steps: \xff", "1:1: the file is not UTF-8 text"),
        (b"name: a\x00b", "1:8: a null byte in the file"),
        ("name: a\u202eb".encode(), "1:8: an invisible character (U+202E) in the file"),
        (b'name: "a\\0b"', "1:7: a null character in a text"),
        (b"", "1:1: the file is empty"),
        (b"# nothing\n", "1:1: the file is empty"),
        (b"steps", "1:1: the file must be a mapping with steps, not a single string"),
        (b"steps: []", "1:8: steps must hold at least one"),
        (b"steps: [1]", "1:9: each step must be a mapping with a name and a type, not a number"),
        (b"a: 1\n---\nb: 1", "2:1: a second document starts here; one file holds one"),
        (b"[" * 40, "1:33: nested more than 32 levels deep"),
        (b"name: 'x", "1:7: the file ends inside a quoted text"),
        (b"name: [x", "1:7: a list that starts with [ is not closed"),
    ],
)
def test_a_file_that_is_no_pipeline_at_all(content: bytes, message: str) -> None:
    reading = read_pipeline(content)
    assert reading.pipeline is None
    assert f"signoff.yaml:{message}" in [problem.text().splitlines()[0] for problem in reading.problems]


def test_an_approval_after_the_deployment_that_it_should_guard() -> None:
    assert words("steps:\n" + DEPLOY + GATE.removeprefix("steps:\n")) == [
        (
            "signoff.yaml:6:11: approve_model comes after deploy_model; "
            "an approval must come before the deployment that it guards\n"
            "    6 |   - name: approve_model\n"
            "      |           ^^^^^^^^^^^^^ move it before deploy_model"
        )
    ]


def test_an_approval_that_guards_a_later_deployment_is_fine() -> None:
    staging = DEPLOY.replace("deploy_model", "deploy_first")
    check = "  - {name: test_model, type: test, inputs: {checks: [accuracy > 0.9]}}\n"
    reading = read_pipeline("steps:\n" + check + staging + GATE.removeprefix("steps:\n") + DEPLOY)
    assert reading.problems == ()


def test_deploying_what_nothing_and_nobody_looked_at_is_a_warning() -> None:
    reading = read_pipeline("steps:\n" + DEPLOY)
    assert reading.pipeline is not None
    assert [problem.text().splitlines()[0] for problem in reading.problems] == [
        "signoff.yaml:2:11: warning: deploy_model deploys with no approval and no check before it"
    ]


def test_a_training_step_after_an_approval() -> None:
    assert heads(GATE + "  - {name: train_2, type: training}\n") == [
        "6:12: train_2 makes a new version after approve_model; nobody would approve what is deployed"
    ]


def test_more_approvals_than_people() -> None:
    assert words(GATE.replace("['bob']", "['bob', 'carol']\n      required_approvals: 3")) == [
        (
            "signoff.yaml:6:27: 3 approvals are required but only 2 people are named: bob, carol\n"
            "    6 |       required_approvals: 3\n"
            "      |                           ^ name more people or a group, or require fewer"
        )
    ]


def test_one_person_for_two_rules() -> None:
    rules = "rules: [{name: a, approvers: [bob]}, {name: b, approvers: [bob]}]"
    assert heads(GATE.replace("approvers: ['bob']", rules)) == [
        "5:7: rules a and b ask for more approvals than the people they name can give: bob"
    ]


@pytest.mark.parametrize(
    ("expression", "column", "length"),
    [("accuracy >> 0.9", 34, 1), ("'accuracy >> 0.9'", 35, 1), ('"accuracy \\x3e> 0.9"', 38, 1), ("'it''s'", 25, 2)],
)
def test_a_caret_points_into_the_expression(expression: str, column: int, length: int) -> None:
    (problem,) = read_pipeline(GATE + f"      auto_approve_if: {expression}\n").problems
    assert problem.code == "bad_expression"
    assert (problem.line, problem.column, problem.length) == (6, column, length)


def test_an_expression_over_several_lines_is_pointed_at_as_a_whole() -> None:
    (problem,) = read_pipeline(GATE + "      auto_approve_if: >\n        accuracy >> 0.9\n").problems
    assert (problem.line, problem.column) == (6, 24)


def test_every_error_of_a_file_comes_at_once() -> None:
    text = """\
name: 'a/b'
max_attempts: 0
colour: red
steps:
  - name: train model
    type: training
    inputs: {run: '', params: {2x: 1}, retries: 99}
  - name: test_model
    type: test
    inputs: {checks: [accuracy >]}
    on_fail: explode
  - type: approval
    inputs: {approvers: bob, required_approvals: two}
"""
    assert heads(text) == [
        "1:7: name 'a/b' cannot be used",
        "2:15: max_attempts must be from 1 to 100, not 0",
        "3:1: unknown key 'colour' in the pipeline",
        "5:11: name 'train model' cannot be used",
        "7:19: run must not be empty",
        "7:32: '2x' is not a name for a param",
        "7:49: retries must be from 0 to 10, not 99",
        "10:33: a check does not read: the expression ends too early",
        "11:14: on_fail must be fail_pipeline, retrain or continue, not 'explode'",
        "12:5: step 3 has no name",
        "13:25: approvers must be a list of people or groups, not a single string",
        "13:50: required_approvals must be a whole number, not 'two'",
    ]


def test_a_key_in_the_wrong_place_is_told_its_place() -> None:
    text = (
        GATE.replace("    inputs:\n      approvers", "    approvers")
        + "    inputs: {on_reject: retrain, checks: [a > 1]}\n"
    )
    assert [problem.hint for problem in read_pipeline(text).problems] == [
        "approvers goes under inputs:",
        "on_reject stands beside inputs, not inside",
        "checks belongs to a test step",
    ]


def test_what_the_format_knows_but_cannot_do_yet_is_refused() -> None:
    text = """\
steps:
  - name: train_model
    type: training
    inputs: {run: python train.py, runner: ray}
  - name: approve_model
    type: approval
    inputs:
      approvers: ['alice']
"""
    assert [problem.message for problem in read_pipeline(text).problems] == ["runner: ray is not available yet"]


def test_only_a_passkey_confirms() -> None:
    (problem,) = read_pipeline(GATE + "      step_up: password\n").problems
    assert problem.message == "step_up must be passkey, not 'password'"


def test_a_later_field_in_the_wrong_form_is_told_its_form() -> None:
    (problem,) = read_pipeline(GATE + "      timeout: soon\n").problems
    assert problem.message == "timeout: 'soon' is not a length of time"
    assert problem.hint == "write a number with s, m, h or d, such as 30s, 5m, 2h, 90d or 1h30m"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("{params: {a: 1}}", "params means nothing without run"),
        ("{run: [python, ~]}", "each word of run must be a text, not empty"),
        ("{run: 3}", "run must be a command or a list of its words, not a number"),
        ("{run: []}", "run must not be empty"),
        ('{run: "python \'x"}', "run has a quote that is not closed"),
        ("{run: x, params: {a: 1, A: 2}}", "params a and A are one variable, SIGNOFF_PARAM_A"),
        ("{run: x, params: {a: [1]}}", "param a must be a text, a finite number, true or false, not a list"),
        ("{run: x, params: {a: .nan}}", "param a must be a text, a finite number, true or false, not a number"),
        ("{run: x, timeout: 99999999999d}", "timeout: '99999999999d' is not a length of time"),
        ("{run: x, timeout: 0s}", "timeout: '0s' is no time at all"),
        ("{run: x, timeout: 11y}", "timeout: '11y' is not a length of time"),
        ("{run: x, timeout: }", "timeout has no value"),
    ],
)
def test_a_command_that_could_not_run(inputs: str, message: str) -> None:
    reading = read_pipeline(f"steps: [{{name: train_model, type: training, inputs: {inputs}}}]")
    assert [problem.message for problem in reading.problems] == [message]
    assert reading.pipeline is None


def test_shell_words_are_warned_of() -> None:
    reading = read_pipeline("steps: [{name: train_model, type: training, inputs: {run: 'a && b'}}]")
    assert reading.pipeline is not None
    assert [problem.severity for problem in reading.problems] == ["warning"]
