"""What an approval says about time: what it means, what would mean nothing, and who is behind an escalation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from factories import CAST
from signoff.domain.actor import Directory, Person, Role
from signoff.domain.pipeline import ApprovalStep, OnTimeout
from signoff.spec import Known, read_pipeline
from signoff.spec.problem import Problem

GATE = """\
steps:
  - name: approve_model
    type: approval
    inputs:
      approvers: ['bob']
"""
ESCALATES = GATE + "      timeout: 72h\n      on_timeout: escalate\n      escalate_to: [%s]\n"
LEADS = Directory.of([*CAST, Person("dana", frozenset({Role.APPROVER}), frozenset({"leads"}))], ["empty"])

ADD_THEM = "ask an administrator to add them: `signoff user`, `signoff group`"


def only(text: str, known: Known | None = None) -> Problem:
    (problem,) = read_pipeline(text, context=known).problems
    return problem


def test_every_field_about_time_is_read() -> None:
    text = ESCALATES % "'group:leads', 'erik'" + "      remind_every: 24h\n      valid_for: 90d\n"
    pipeline = read_pipeline(text).pipeline
    assert pipeline is not None
    (step,) = pipeline.steps
    assert isinstance(step, ApprovalStep)
    assert (step.timeout, step.on_timeout) == (timedelta(hours=72), OnTimeout.ESCALATE)
    assert step.escalate_to == ("group:leads", "erik")
    assert (step.remind_every, step.valid_for) == (timedelta(hours=24), timedelta(days=90))


def test_a_gate_that_says_nothing_waits_for_ever_and_its_approval_lasts() -> None:
    pipeline = read_pipeline(GATE).pipeline
    assert pipeline is not None
    (step,) = pipeline.steps
    assert isinstance(step, ApprovalStep)
    assert (step.timeout, step.remind_every, step.valid_for, step.escalate_to) == (None, None, None, ())
    assert step.on_timeout is OnTimeout.EXPIRE


@pytest.mark.parametrize(
    ("more", "line", "message", "hint"),
    [
        (
            "      timeout: 72h\n      on_timeout: escalate\n",
            "on_timeout: escalate",
            "on_timeout: escalate does not say to whom",
            "add escalate_to: ['group:leads']",
        ),
        (
            "      escalate_to: ['group:leads']\n",
            "escalate_to: ['group:leads']",
            "escalate_to means nothing without on_timeout: escalate",
            "write timeout: 72h and on_timeout: escalate beside it, or take it out",
        ),
        (
            "      timeout: 72h\n      on_timeout: expire\n      escalate_to: [dana]\n",
            "escalate_to: [dana]",
            "escalate_to means nothing without on_timeout: escalate",
            "write timeout: 72h and on_timeout: escalate beside it, or take it out",
        ),
        (
            "      on_timeout: escalate\n      escalate_to: [dana]\n",
            "on_timeout: escalate",
            "on_timeout means nothing without timeout",
            "add timeout: 72h; without it a gate waits for ever",
        ),
        (
            "      timeout: 72h\n      on_timeout: escalade\n      escalate_to: [dana]\n",
            "on_timeout: escalade",
            "on_timeout must be expire or escalate, not 'escalade'",
            "did you mean 'escalate'?",
        ),
        ("      deadline: 3d\n", "deadline: 3d", "unknown key 'deadline' in the inputs of approve_model", None),
        ("      reminder: 3d\n", "reminder: 3d", "unknown key 'reminder' in the inputs of approve_model", None),
    ],
)
def test_what_would_never_come_to_bear_is_refused_where_it_stands(
    more: str, line: str, message: str, hint: str | None
) -> None:
    text = GATE + more
    problem = only(text)
    assert problem.message == message
    assert text.splitlines()[problem.line - 1].strip() == line
    guesses = {"deadline": "timeout", "reminder": "remind_every"}
    assert problem.hint == (hint or f"did you mean '{guesses[line.split(':', maxsplit=1)[0]]}'?")
    assert "^" in problem.text()


def test_a_reminder_that_could_only_come_too_late_is_warned_about() -> None:
    problem = only(GATE + "      timeout: 24h\n      remind_every: 24h\n")
    assert (problem.message, problem.is_error) == ("no reminder comes before the timeout", False)
    assert read_pipeline(ESCALATES % "dana" + "      remind_every: 96h\n").problems == ()


@pytest.mark.parametrize(
    ("named", "message", "hint"),
    [
        ("dora", "the server does not know dora", ADD_THEM),
        ("'group:lads'", "the server does not know group lads", ADD_THEM),
        ("'group:empty'", "group empty is empty", "ask an administrator to put people into it"),
        (
            "dave",
            "nobody here holds the approver role for model fraud: dave",
            "ask an administrator to give it to them",
        ),
    ],
)
def test_an_escalation_to_nobody_who_could_approve_is_refused(named: str, message: str, hint: str) -> None:
    text = ESCALATES % named
    problem = only(text, Known(LEADS, None, "alice", model="fraud"))
    assert (problem.message, problem.hint) == (message, hint)
    assert "escalate_to" in text.splitlines()[problem.line - 1]


def test_an_escalation_to_people_who_can_approve_is_accepted() -> None:
    known = Known(LEADS, None, "alice", model="fraud")
    assert read_pipeline(ESCALATES % "'group:leads', carol", context=known).problems == ()


def test_whom_a_gate_may_escalate_to_does_not_make_up_for_a_rule_that_nobody_can_fill() -> None:
    text = (ESCALATES % "'group:leads'").replace("['bob']", "['group:risk']\n      required_approvals: 3")
    problem = only(text, Known(LEADS, None, "alice", model="fraud"))
    assert problem.message == "needs 3 approvals but only 2 people can give them: bob, carol"
