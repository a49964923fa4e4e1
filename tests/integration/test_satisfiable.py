"""What could never be approved or deployed is refused when it is submitted, and again when it deploys."""

from __future__ import annotations

from dataclasses import replace

import pytest

from factories import ALICE, BOB, CAROL, DAVE, ERIN, MODEL, a_rule
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made, refused
from signoff.domain.actor import Role
from signoff.domain.environment import Environment, Requirements

GATE = "steps: [{name: approve, type: approval, inputs: {approvers: [bob, carol], required_approvals: 2}}]"
UNGUARDED = "steps: [{name: deploy, type: deployment, inputs: {environment: production}}]"


def refusal(house: House, pipeline: str, who: str = "alice") -> str:
    version = house.version()
    with house.unchanged():
        return refused(house.as_(who).post("/runs", {"pipeline": pipeline, "model": version}), 422, "bad_pipeline")


@pytest.mark.parametrize(
    ("approvers", "words"),
    [
        ("{approvers: ['group:risk'], required_approvals: 3}", "needs 3 approvals but only 2 people can give them"),
        ("{approvers: [zoe]}", "the server does not know zoe"),
        ("{approvers: [dave]}", f"nobody here holds the approver role for model {MODEL}: dave"),
        (
            "{rules: [{name: a, approvers: [bob]}, {name: b, approvers: [bob]}]}",
            "ask for more approvals than the people",
        ),
    ],
)
def test_what_nobody_could_approve_is_refused(house: House, approvers: str, words: str) -> None:
    pipeline = f"model: {MODEL}\nsteps: [{{name: approve, type: approval, inputs: {approvers}}}]"
    assert words in refusal(house, pipeline)


def test_the_submitter_is_not_the_approver_they_need(house: House) -> None:
    house.people(replace(ALICE, roles=ALICE.roles | {Role.APPROVER}), BOB, CAROL, DAVE, ERIN)
    words = refusal(house, "steps: [{name: approve, type: approval, inputs: {approvers: [alice]}}]")
    assert "the only approver is the submitter alice, who may not approve their own model" in words


def test_the_models_that_an_approver_is_for_count(house: House) -> None:
    house.people(ALICE, replace(BOB, models=("churn-*",)), CAROL, DAVE, ERIN)
    assert "needs 2 approvals but only 1 person can give one: carol" in refusal(house, GATE)
    run_id = house.submit(GATE, house.version(model="churn-eu"))
    assert house.status(run_id) == "waiting"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (
            replace(PRODUCTION, rules=(a_rule("bob"),)),
            "environment production is protected, and no approval comes before",
        ),
        (replace(PRODUCTION, require=Requirements(checks_passed=True)), "environment production is protected, and no"),
        (
            replace(PRODUCTION, require=Requirements(measured=True)),
            "takes measured metrics only, and no test step before",
        ),
    ],
)
def test_a_protected_environment_takes_no_pipeline_without_what_it_demands(
    house: House, environment: Environment, words: str
) -> None:
    house.environments(environment, STAGING)
    assert words in refusal(house, UNGUARDED)


def test_rules_of_the_environment_that_nobody_could_satisfy_are_refused(house: House) -> None:
    house.environments(replace(PRODUCTION, rules=(a_rule("group:risk", name="risk", required=3),)), STAGING)
    words = refusal(house, APPROVE_AND_DEPLOY)
    assert "rule risk of environment production: needs 3 approvals but only 2 people can give them: bob, carol" in words


def test_an_environment_that_became_protected_meanwhile_refuses_at_the_deployment(house: House) -> None:
    both = APPROVE_AND_DEPLOY.replace("production", "staging") + (
        "  - {name: release, type: deployment, inputs: {environment: production}}\n"
    )
    run_id = house.submit(both)
    house.environments(replace(PRODUCTION, rules=(a_rule("carol", name="legal"),)), STAGING)
    house.decide("bob", run_id, "approve")
    assert (house.status(run_id), house.step(run_id, "deploy")["status"]) == ("errored", "succeeded")
    [errored] = [e for e in house.events(run_id) if e.type == "step.errored"]
    assert errored.detail["code"] == "environment_protected"
    assert "the approval of legal, and the pipeline has no approval step for it" in errored.detail["error"]


def test_who_resubmits_is_not_the_approver_that_the_gate_needs(house: House) -> None:
    house.people(ALICE, replace(BOB, roles=BOB.roles | {Role.SUBMITTER}), CAROL, DAVE, ERIN)
    run_id = house.submit(GATE)
    house.decide("bob", run_id, "request_changes")
    version = house.version()
    with house.unchanged():
        answer = house.as_("bob").post(f"/runs/{run_id}/submissions", {"model": version})
    assert refused(answer, 422, "unsatisfiable_rule") == (
        "approve could never be approved: approve needs 2, and carol could approve; alice and bob submitted it and do "
        "not count. Let somebody submit it who is not needed as an approver, or ask an administrator for another one."
    )
    made(house.as_("alice").post(f"/runs/{run_id}/submissions", {"model": version}))
