"""An environment that demands more than any gate before the deployment could carry is told so, once."""

from __future__ import annotations

from dataclasses import replace

from factories import a_rule
from house import PRODUCTION, STAGING, House

STAGED = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['bob']}
  - name: stage
    type: deployment
    inputs: {environment: staging}
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""


def test_the_gate_of_another_environment_is_not_opened_again_for_a_rule_it_cannot_carry(house: House) -> None:
    run_id = house.submit(STAGED)
    house.environments(replace(PRODUCTION, rules=(a_rule("carol", name="legal"),)), STAGING)
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "errored"
    assert house.step(run_id, "stage")["status"] == "succeeded"
    assert "legal, and the pipeline has no approval step for it" in house.step(run_id, "deploy")["error"]
    assert (house.gate(run_id)["round"], house.gate(run_id)["status"]) == (1, "approved")


TWO_GATES = """\
steps:
  - name: policy
    type: approval
    inputs: {approvers: ['carol'], auto_approve_if: accuracy > 0.9}
  - name: approve
    type: approval
    inputs: {approvers: ['bob']}
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""


def test_a_policy_that_read_claimed_metrics_counts_no_longer_where_measured_ones_are_wanted(house: House) -> None:
    run_id = house.submit(TWO_GATES, house.version(accuracy=0.95))
    assert house.gate(run_id, "policy")["status"] == "approved"
    house.environments(replace(PRODUCTION, accept_claimed=False), STAGING)
    house.decide("bob", run_id, "approve")
    again = house.gate(run_id, "policy")
    assert (again["status"], again["round"]) == ("open", 2)
    assert again["note"] == (
        "Opened again: production now wants measured metrics, and the policy read claimed ones. "
        "Not approved by policy: its metrics are claimed, and the environment wants measured"
    )
    house.decide("carol", run_id, "approve", "policy")
    assert house.status(run_id) == "succeeded"


def test_a_policy_that_read_claimed_metrics_counts_where_they_are_still_accepted(house: House) -> None:
    run_id = house.submit(TWO_GATES, house.version(accuracy=0.95))
    house.environments(PRODUCTION, STAGING)
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"
