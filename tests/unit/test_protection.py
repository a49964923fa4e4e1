"""What must hold at the moment of a deployment, whatever happened before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from factories import (
    a_check,
    a_decision,
    a_deployment,
    a_deployment_step,
    a_directory,
    a_gate,
    a_pipeline,
    a_rule,
    a_run,
    a_subject,
    a_test,
    a_version,
    an_approval,
    an_evidence,
    at,
)
from signoff.domain.actor import Person, Role
from signoff.domain.environment import DeploymentKind, Environment, Requirements
from signoff.domain.evidence import CheckStatus, Provenance, Severity
from signoff.domain.gate import Gate, GateStatus, Verdict
from signoff.domain.protection import (
    guarding_gate,
    is_superseded,
    lacking,
    missing_rules,
    outdated_gate,
    present_subject,
    stale_gate,
    unapproved,
)
from signoff.domain.run import Run, StepStatus

VERSION = a_version()
GONE = Person("bob", frozenset({Role.APPROVER}), is_active=False)


def approved_gate(step: str = "approve", *, environment: str = "production", by: str = "bob", **more: Any) -> Gate:
    return a_gate(
        a_rule(by),
        step=step,
        status=GateStatus.APPROVED,
        subject=a_subject(environment=environment),
        closed_at=at(1),
        **more,
    )


def approved_run(*gates: Gate) -> Run:
    """A run with one approved gate before its deployment, or with these."""
    return a_run(steps={"approve": StepStatus.SUCCEEDED}, gates=gates or (approved_gate(),))


def staged_run() -> Run:
    """bob approved for staging, then carol for production, whose rule is 'one of risk'."""
    pipeline = a_pipeline(
        an_approval("first"),
        a_deployment_step("stage", "staging"),
        an_approval("second", a_rule("carol")),
        a_deployment_step(),
    )
    risk = a_rule("group:risk", name="risk")
    gates = (
        approved_gate("first", environment="staging"),
        approved_gate("second", by="carol", environment_rules=(risk,)),
    )
    done = dict.fromkeys(["first", "stage", "second"], StepStatus.SUCCEEDED)
    return a_run(pipeline, steps=done, gates=gates)


def test_an_approval_that_still_holds_is_not_stale() -> None:
    run = approved_run()
    given = {run.gates[0].id: [a_decision(run.gates[0])]}
    assert stale_gate(run, 1, given, a_directory(), VERSION.digest) is None


def test_bytes_that_changed_after_the_approval_make_it_stale() -> None:
    run = approved_run()
    given = {run.gates[0].id: [a_decision(run.gates[0])]}
    other = a_version(bytes_of="something else").digest
    assert stale_gate(run, 1, given, a_directory(), other) == (
        run.gates[0],
        f"the model's bytes changed after the approval (approved {VERSION.digest}, found {other})",
    )


def test_an_approval_is_stale_when_who_gave_it_may_no_longer_decide() -> None:
    run = approved_run()
    given = {run.gates[0].id: [a_decision(run.gates[0])]}
    found = stale_gate(run, 1, given, a_directory(GONE), VERSION.digest)
    assert found == (run.gates[0], "somebody who approved may no longer decide here")


@pytest.mark.parametrize("verdict", [None, Verdict.REJECT])
def test_a_gate_called_approved_without_the_approvals_for_it_is_stale(verdict: Verdict | None) -> None:
    run = approved_run()
    given = {run.gates[0].id: [a_decision(run.gates[0], "bob", verdict)]} if verdict else {}
    assert stale_gate(run, 1, given, a_directory(), VERSION.digest) is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"evidence_digests": ("sha256:before",)}, "the evidence changed after the approval"),
        ({"version": "7"}, "the version changed after the approval"),
        ({"pipeline_digest": "sha256:other"}, "the pipeline changed after the approval"),
        ({"environment": "staging"}, "the environment changed after the approval"),
        ({"environment": None, "version": "7"}, "the version and the environment changed after the approval"),
    ],
)
def test_anything_else_that_the_approval_names_makes_it_stale_too(change: dict[str, Any], words: str) -> None:
    gate = approved_gate()
    gate = replace(gate, subject=replace(gate.subject, **change))
    run = approved_run(gate)
    assert stale_gate(run, 1, {gate.id: [a_decision(gate)]}, a_directory(), VERSION.digest) == (gate, words)


def test_evidence_after_the_gate_does_not_touch_what_it_approved() -> None:
    pipeline = a_pipeline(a_test("before"), an_approval(), a_test("after"), a_deployment_step())
    gate = approved_gate()
    gate = replace(gate, subject=replace(gate.subject, evidence_digests=("sha256:before",)))
    run = a_run(pipeline, steps=dict.fromkeys(["before", "approve", "after"], StepStatus.SUCCEEDED), gates=(gate,))
    states = [replace(s, evidence_digest=f"sha256:{s.name}") for s in run.attempt.steps if s.name != "deploy"]
    run = replace(run, attempt=replace(run.attempt, steps=(*states, run.attempt.step("deploy"))))
    assert present_subject(run, gate.step, VERSION.digest) == gate.subject
    assert stale_gate(run, 3, {gate.id: [a_decision(gate)]}, a_directory(), VERSION.digest) is None


def test_an_approval_for_one_environment_does_not_count_for_the_rules_of_another() -> None:
    run = staged_run()
    first, second = run.gates
    given = {first.id: [a_decision(first, "bob")], second.id: [a_decision(second, "carol")]}
    assert stale_gate(run, 3, given, a_directory(), VERSION.digest) is None
    # bob is of the risk group as well, but he approved for staging: he does not stand in for carol.
    nobody = replace(second, rules=(a_rule("erin"),))
    people = a_directory(Person("carol", frozenset({Role.APPROVER})), Person("erin", frozenset({Role.APPROVER})))
    given = {first.id: [a_decision(first, "bob")], nobody.id: [a_decision(nobody, "erin")]}
    found = stale_gate(replace(run, gates=(first, nobody)), 3, given, people, VERSION.digest)
    assert found == (nobody, "somebody who approved may no longer decide here")


def test_an_earlier_approval_for_the_same_environment_counts_for_its_rules() -> None:
    pipeline = a_pipeline(an_approval("first"), an_approval("second", a_rule("carol")), a_deployment_step())
    first = approved_gate("first")
    second = approved_gate("second", by="carol", environment_rules=(a_rule("bob", name="risk"),))
    run = a_run(pipeline, steps=dict.fromkeys(["first", "second"], StepStatus.SUCCEEDED), gates=(first, second))
    given = {first.id: [a_decision(first, "bob")], second.id: [a_decision(second, "carol")]}
    assert stale_gate(run, 2, given, a_directory(), VERSION.digest) is None


def test_an_earlier_approval_of_another_subject_counts_for_nothing() -> None:
    pipeline = a_pipeline(an_approval("first", a_rule("carol")), an_approval("second"), a_deployment_step())
    first = approved_gate("first", by="carol")
    second = approved_gate("second", by="carol", environment_rules=(a_rule("bob", name="risk"),))
    run = a_run(pipeline, steps=dict.fromkeys(["first", "second"], StepStatus.SUCCEEDED), gates=(first, second))
    given = {
        first.id: [a_decision(first, "carol"), a_decision(first, "bob", digest="sha256:old")],
        second.id: [a_decision(second, "carol")],
    }
    found = stale_gate(run, 2, given, a_directory(), VERSION.digest)
    assert found == (second, "somebody who approved may no longer decide here")


@pytest.mark.parametrize("gates", [(), (a_gate(),), (a_gate(status=GateStatus.VOID),)], ids=["none", "open", "void"])
def test_a_deployment_without_an_approved_gate_is_refused_outright(gates: tuple[Gate, ...]) -> None:
    run = a_run(steps={"approve": StepStatus.SUCCEEDED}, gates=gates)
    with pytest.raises(ValueError, match="approve has no approved gate"):
        stale_gate(run, 1, {}, a_directory(), VERSION.digest)


def test_a_pipeline_without_approvals_has_nothing_that_could_be_stale() -> None:
    assert stale_gate(a_run(a_pipeline(a_deployment_step())), 0, {}, a_directory(), "sha256:any") is None


def test_an_approval_grows_too_old_where_the_environment_says_so() -> None:
    run = approved_run()
    production = Environment("production", max_age=timedelta(days=14))
    assert outdated_gate(run, 1, production, at(1) + timedelta(days=14)) is None
    found = outdated_gate(run, 1, production, at(1) + timedelta(days=14, seconds=1))
    assert found is not None
    assert found[0] is run.gates[0]
    assert "older than the 14d that production allows" in found[1]
    assert outdated_gate(run, 1, Environment("production"), at(1) + timedelta(days=999)) is None


MEASURED = Environment("production", require=Requirements(measured=True))
PASSED = Environment("production", require=Requirements(checks_passed=True))
STAGED = Environment("production", require=Requirements(came_from="staging"))


def test_an_environment_that_requires_nothing_lacks_nothing() -> None:
    assert lacking(Environment("production"), [], [], VERSION.digest) is None


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ([], "no test step measured any"),
        ([an_evidence(a_check(), provenance=Provenance.CLAIMED)], "no test step measured any"),
        ([an_evidence(a_check(is_measured=False))], "these checks read claimed ones: accuracy > 0.9"),
    ],
    ids=["nothing", "claimed", "a check of claimed ones"],
)
def test_measured_evidence_is_required_where_the_environment_says_so(evidence: list[Any], words: str) -> None:
    found = lacking(MEASURED, evidence, [], VERSION.digest)
    assert found is not None
    assert words in found


def test_measured_evidence_is_enough() -> None:
    assert lacking(MEASURED, [an_evidence(a_check())], [], VERSION.digest) is None


def test_an_uncertain_check_is_not_a_passed_one() -> None:
    unsure = an_evidence(a_check("auc > 0.9", CheckStatus.UNCERTAIN))
    assert lacking(PASSED, [unsure], [], VERSION.digest) == (
        "production requires every check to pass, and these did not: auc > 0.9."
    )


def test_failed_checks_are_refused_where_the_environment_says_so() -> None:
    bad = an_evidence(a_check("recall > 0.8", CheckStatus.FAILED))
    found = lacking(PASSED, [an_evidence(a_check()), bad], [], VERSION.digest)
    assert found is not None
    assert found.endswith("these did not: recall > 0.8.")
    warned = an_evidence(a_check("recall > 0.8", CheckStatus.FAILED, severity=Severity.WARN))
    assert lacking(PASSED, [warned], [], VERSION.digest) is None


@pytest.mark.parametrize(
    ("deployed", "is_refused"),
    [
        (a_deployment(environment="staging"), False),
        (a_deployment(environment="production"), True),
        (a_deployment(environment="staging", live_at=None), True),
        (a_deployment(a_version(bytes_of="other bytes"), environment="staging"), True),
    ],
    ids=["the same bytes", "elsewhere", "never went live", "other bytes"],
)
def test_only_bytes_that_were_live_in_the_environment_before_come_from_there(deployed: Any, is_refused: bool) -> None:
    assert (lacking(STAGED, [], [deployed], VERSION.digest) is not None) == is_refused


def test_rules_that_no_gate_carries_are_missing() -> None:
    risk, legal = a_rule("group:risk", name="risk"), a_rule("erin", name="legal")
    run = approved_run(approved_gate(environment_rules=(risk,)))
    assert missing_rules(run, 1, Environment("production", rules=(risk,))) == ()
    assert missing_rules(run, 1, Environment("production", rules=(risk, legal))) == (legal,)
    stricter = replace(risk, required_approvals=2)
    assert missing_rules(run, 1, Environment("production", rules=(stricter,))) == (stricter,)
    assert missing_rules(approved_run(), 1, Environment("production", rules=(risk,))) == (risk,)


def test_the_last_gate_before_a_deployment_guards_it_unless_another_deployment_lies_between() -> None:
    run = staged_run()
    first, second = run.gates
    assert guarding_gate(run, 1) is first
    assert guarding_gate(run, 3) is second
    assert guarding_gate(run, 0) is None
    twice = a_pipeline(an_approval(), a_deployment_step("stage", "staging"), a_deployment_step())
    assert guarding_gate(a_run(twice, gates=(a_gate(),)), 2) is None


def test_a_gate_does_not_carry_another_environments_rules() -> None:
    # staging demands the same rule by chance; what was approved there was approved for staging.
    risk = a_rule("group:risk", name="risk")
    pipeline = a_pipeline(an_approval(), a_deployment_step("stage", "staging"), a_deployment_step())
    gate = approved_gate(environment="staging", environment_rules=(risk,))
    run = a_run(pipeline, steps=dict.fromkeys(["approve", "stage"], StepStatus.SUCCEEDED), gates=(gate,))
    assert missing_rules(run, 2, Environment("production", rules=(risk,))) == (risk,)
    assert missing_rules(run, 1, Environment("staging", rules=(risk,))) == ()


def test_approvals_suffice_when_no_rule_is_missing_and_none_is_stale_or_too_old() -> None:
    gate = approved_gate()
    run, given = approved_run(gate), {gate.id: [a_decision(gate)]}

    def ask(environment: Environment, digest: str = VERSION.digest) -> tuple[Gate | None, str] | None:
        return unapproved(run, 1, environment, given, a_directory(), manifest_digest=digest, now=at(60))

    assert ask(Environment("production")) is None
    missing = Environment("production", rules=(a_rule("carol", name="legal"),))
    assert ask(missing) == (gate, "production now also demands the approval of legal")
    changed = ask(Environment("production"), "sha256:other")
    assert changed is not None
    assert "bytes changed" in changed[1]
    old = ask(Environment("production", max_age=timedelta(minutes=1)))
    assert old is not None
    assert "older" in old[1]


def test_rules_that_changed_since_are_those_that_the_approvals_are_held_against() -> None:
    two = a_rule("group:risk", name="risk", required=2)
    gate = approved_gate(environment_rules=(two,))
    run, people = approved_run(gate), a_directory(GONE)
    bobs, both = [a_decision(gate)], [a_decision(gate), a_decision(gate, "carol")]

    def ask(rules: tuple[Any, ...], given: Any, directory: Any = None) -> tuple[Gate | None, str] | None:
        found = Environment("production", rules=rules)
        everybody = directory or a_directory()
        return unapproved(run, 1, found, {gate.id: given}, everybody, manifest_digest=VERSION.digest, now=at(2))

    assert ask((two,), both) is None
    assert ask((replace(two, required_approvals=1),), bobs) is None
    assert ask((), bobs) is None
    assert ask((two, a_rule("carol", name="legal")), both) == (
        gate,
        "production now also demands the approval of legal",
    )
    assert ask((replace(two, approvers=("carol", "erin")),), both) == (
        gate,
        "production now also demands the approval of risk",
    )
    assert ask((two,), both, people) == (gate, "somebody who approved may no longer decide here")


def test_a_rule_that_no_gate_of_this_deployment_could_carry_names_no_gate_to_open() -> None:
    # Opening the gate of staging again would ask its people for ever, and give production nothing.
    pipeline = a_pipeline(an_approval(), a_deployment_step("stage", "staging"), a_deployment_step())
    gate = approved_gate(environment="staging")
    run = a_run(pipeline, steps=dict.fromkeys(["approve", "stage"], StepStatus.SUCCEEDED), gates=(gate,))
    production = Environment("production", rules=(a_rule("carol", name="legal"),))
    given = {gate.id: [a_decision(gate)]}
    found = unapproved(run, 2, production, given, a_directory(), manifest_digest=VERSION.digest, now=at(2))
    assert found == (None, "production now also demands the approval of legal")


NEWER = a_version(2)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (None, False),
        (a_deployment(NEWER, live_at=at(1)), True),
        (a_deployment(NEWER, live_at=at(0)), True),
        (a_deployment(NEWER, live_at=at(-1)), False),
        (a_deployment(NEWER, live_at=None), False),
        (a_deployment(NEWER, live_at=at(1), kind=DeploymentKind.ROLLBACK), False),
        (a_deployment(NEWER, live_at=at(1), run_id="run-1"), False),
        (a_deployment(VERSION, live_at=at(1)), False),
        (a_deployment(replace(NEWER, version="beta"), live_at=at(1)), False),
        (a_deployment(replace(NEWER, version="²"), live_at=at(1)), False),
    ],
    ids=["nothing", "later", "at once", "before", "not yet", "rollback", "itself", "same", "no number", "superscript"],
)
def test_a_run_is_superseded_by_a_newer_version_deployed_since_it_opened(live: Any, expected: bool) -> None:
    assert is_superseded(a_run(), live) is expected


def test_versions_are_compared_as_numbers() -> None:
    run = a_run(version=a_version(9))
    assert is_superseded(run, a_deployment(a_version(10), live_at=at(1)))
