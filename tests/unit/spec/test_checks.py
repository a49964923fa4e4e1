"""What a test step says about its checks and its predictions, and how it is refused."""

from __future__ import annotations

import pytest

from signoff.domain.evidence import Severity, Task
from signoff.domain.pipeline import Check, OnUncertain, TestStep
from signoff.spec import read_pipeline

TEST = """\
steps:
  - name: test_model
    type: test
    inputs:
      run: python evaluate.py
"""
APPROVAL = """\
  - name: approve_model
    type: approval
    inputs:
      approvers: ['bob']
"""


def read(inputs: str, after: str = APPROVAL) -> TestStep:
    reading = read_pipeline(TEST + inputs + after)
    assert reading.pipeline is not None, [problem.text() for problem in reading.problems]
    step = reading.pipeline.step("test_model")
    assert isinstance(step, TestStep)
    return step


def words(inputs: str, after: str = APPROVAL, test: str = TEST) -> list[str]:
    reading = read_pipeline(test + inputs + after)
    assert reading.pipeline is None
    return [problem.text() for problem in reading.problems]


def test_a_step_says_how_its_predictions_are_to_be_looked_at() -> None:
    step = read(
        "      task: binary\n      compare: champion\n      slices: [region, [region, age]]\n"
        "      sensitive: [age]\n      correct: true\n"
    )
    assert step.task is Task.BINARY
    assert step.compare
    assert step.slices == (("region",), ("region", "age"))
    assert step.sensitive == ("age",)
    assert step.correct


def test_a_step_that_says_nothing_gets_the_defaults() -> None:
    step = read("      checks: [accuracy > 0.9]\n")
    assert (step.task, step.compare, step.slices, step.sensitive, step.correct) == (None, False, (), (), False)
    assert step.checks == (Check("accuracy > 0.9", "accuracy > 0.9", Severity.FAIL, "pass", 0.95),)
    assert step.checks[0].on_uncertain is OnUncertain.PEOPLE


def test_a_check_says_how_sure_it_must_be_and_what_follows_when_it_is_not() -> None:
    step = read("      checks: [{that: auc > 0.8, confidence: 0.99, on_uncertain: fail, for_each: region}]\n")
    (check,) = step.checks
    assert (check.confidence, check.on_uncertain, check.for_each) == (0.99, OnUncertain.FAIL, "region")
    assert check.name == "auc > 0.8 for each region"


def test_the_same_condition_overall_and_for_each_slice_are_two_checks() -> None:
    step = read("      checks: [auc > 0.8, {that: auc > 0.8, for_each: region}]\n")
    assert [check.name for check in step.checks] == ["auc > 0.8", "auc > 0.8 for each region"]


def test_people_cannot_decide_where_no_approval_follows() -> None:
    inputs = "      checks:\n        - {that: accuracy > 0.9, on_uncertain: people}\n"
    assert words(inputs, after="") == [
        (
            "signoff.yaml:7:48: on_uncertain: people, but no approval comes after test_model; nobody would decide\n"
            "    7 |         - {that: accuracy > 0.9, on_uncertain: people}\n"
            "      |                                                ^^^^^^ add an approval step after it, "
            "or write on_uncertain: fail"
        )
    ]
    assert read(inputs).checks[0].on_uncertain is OnUncertain.PEOPLE


def test_the_default_needs_no_approval() -> None:
    assert read("      checks: [accuracy > 0.9]\n", after="").checks[0].on_uncertain is OnUncertain.PEOPLE


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("task: classification", "6:13: task must be binary, multiclass or regression, not 'classification'"),
        ("compare: baseline", "6:16: compare must be champion, not 'baseline'"),
        ("slices: region", "6:15: slices must be a list of columns, not a single string"),
        ("slices: [[region]]", "6:16: a slice has one column or a pair of columns, not 1"),
        ("slices: [[a, b, c]]", "6:16: a slice has one column or a pair of columns, not 3"),
        ("slices: [[a, a]]", "6:16: a pair has two different columns, not 'a' twice"),
        ("slices: [a, [a, b], [b, a]]", "6:27: 'b, a' comes twice in slices"),
        ("slices: [{a: b}]", "6:16: each of slices must be a text, not a mapping"),
        ("sensitive: age", "6:18: sensitive must be a list of columns, not a single string"),
        ("correct: holm", "6:16: correct must be true or false, not 'holm'"),
        ("checks: [{that: a > 1, confidence: 95}]", "6:42: confidence must be a number between 0 and 1, not '95'"),
        ("checks: [{that: a > 1, on_uncertain: ask}]", "6:44: on_uncertain must be people, fail or pass, not 'ask'"),
        ("checks: [{that: a > 1, for_each: [a]}]", "6:40: for_each must be a text, not a list"),
        ("checks: [{that: a > 1, foreach: a}]", "6:30: unknown key 'foreach' in a check"),
    ],
)
def test_a_wish_in_the_wrong_form_is_told_its_form(inputs: str, message: str) -> None:
    (problem,) = words(f"      {inputs}\n")
    assert problem.splitlines()[0] == f"signoff.yaml:{message}"
    assert "^" in problem.splitlines()[2]


@pytest.mark.parametrize(
    "inputs", ["task: binary", "compare: champion", "slices: [a]", "sensitive: [a]", "correct: true"]
)
def test_a_wish_about_predictions_needs_a_command_that_makes_some(inputs: str) -> None:
    test = TEST.replace("      run: python evaluate.py\n", "      checks: [accuracy > 0.9]\n")
    key = inputs.split(":", maxsplit=1)[0]
    (problem,) = words(f"      {inputs}\n", test=test)
    assert problem.splitlines()[0] == f"signoff.yaml:6:7: {key} means nothing without run"
    assert problem.endswith("add run: python evaluate.py, or take it out")


def test_slices_of_a_check_need_a_command_too() -> None:
    test = TEST.replace("      run: python evaluate.py\n", "")
    (problem,) = words("      checks: [{that: a > 1, for_each: region}]\n", test=test)
    assert problem.splitlines()[0] == "signoff.yaml:5:40: for_each means nothing without run"
