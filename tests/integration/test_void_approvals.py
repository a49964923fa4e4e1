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
