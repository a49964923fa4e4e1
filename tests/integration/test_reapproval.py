"""Approvals that last only so long: what a deployment makes of an old one, and how it is asked for again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from house import PRODUCTION, House, made
from signoff.domain.pipeline import RuleSpec
from signoff.engine.tick import tick
from training_scene import Script, folder

LASTING = """\
steps:
  - {name: train, type: training}
  - name: test
    type: test
    inputs: {run: evaluate, checks: [accuracy > 0.9]}
    on_fail: retrain
  - name: approve
    type: approval
    inputs: {approvers: ['bob', 'carol'], valid_for: 90d}
    on_reject: retrain
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""
REVIEW_ONLY = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['bob'], valid_for: 90d}
"""
UNTESTED = f"""\
{REVIEW_ONLY}
  - name: deploy
    type: deployment
    inputs: {{environment: production}}
"""
TWO_GATES = """\
steps:
  - name: first
    type: approval
    inputs: {approvers: ['bob'], valid_for: 24h}
  - name: second
    type: approval
    inputs: {approvers: ['carol']}
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""


@pytest.fixture
def measured(house: House) -> list[float]:
    """The accuracies that the test command will measure, one after another."""
    accuracies: list[float] = Script(house, *[0.95] * 10).accuracies
    return accuracies


def deployed(house: House, pipeline: str = LASTING, **more: Any) -> str:
    """A run whose version bob approved; it is live."""
    if "snapshot" not in more and "run:" in pipeline:
        more["snapshot"] = folder(house)
    run_id = house.submit(pipeline, **more)
    house.decide("bob", run_id, "approve")
    return run_id


def reapprovals(house: House) -> list[dict[str, Any]]:
    """The runs that ask for an approval again, oldest first."""
    items = made(house.as_("dave").get("/runs"))["items"]
    return [house.run(item["id"]) for item in reversed(items) if item["kind"] == "reapproval"]


def outgrow(house: House, days: float = 90) -> None:
    house.clock.wait(days=days)
    house.tick()


@pytest.mark.usefixtures("measured")
def test_an_approval_says_until_when_it_stands(house: House) -> None:
    run_id = deployed(house)
    run = house.run(run_id)
    assert run["valid_until"] == house.gate(run_id)["valid_until"]
    assert run["valid_until"].startswith("2027-01-31T12:00:00")
    assert (run["model_status"], run["has_expired_approval"]) == ("deployed", False)
    outgrow(house, 89.9)
    assert reapprovals(house) == []
    assert house.run(run_id)["model_status"] == "deployed"


def test_an_approval_that_expired_is_asked_for_again_with_fresh_evidence_and_nothing_else_is_touched(
    house: House, measured: list[float]
) -> None:
    measured[1] = 0.92
    run_id = deployed(house)
    before = made(house.as_("dave").get("/deployments"))
    outgrow(house)
    run = house.run(run_id)
    assert (run["status"], run["model_status"], run["has_expired_approval"]) == ("succeeded", "expired", True)
    assert "approval.expired" in house.types(run_id)
    (again,) = reapprovals(house)
    assert run["waits_for"] == f"a new approval: the approval has expired; run {again['id']} asks for it anew"
    assert (again["parent_id"], again["version"], again["submitter"]) == (run_id, "1", "alice")
    assert (again["status"], again["model_status"]) == ("waiting", "in_review")
    assert [(step["name"], step["status"]) for step in again["attempts"][0]["steps"]] == [
        ("train", "skipped"),
        ("test", "succeeded"),
        ("approve", "waiting"),
        ("deploy", "skipped"),
    ]
    assert again["note"] == f"the approval of approve in run {run_id} expired on 31 January 2027 12:00 UTC"
    former, fresh = house.gate(run_id), house.gate(again["id"])
    assert [m["value"] for m in again["attempts"][0]["steps"][1]["evidence"]["metrics"]] == [0.92]
    assert fresh["subject"]["evidence_digests"] != former["subject"]["evidence_digests"]
    assert fresh["subject"]["manifest_digest"] == former["subject"]["manifest_digest"]
    assert fresh["excluded"] == ["alice"]
    assert made(house.as_("dave").get("/deployments")) == before


@pytest.mark.usefixtures("measured")
def test_once_it_is_given_anew_the_approval_stands_as_long_as_the_first_time_and_expires_again(house: House) -> None:
    run_id = deployed(house)
    outgrow(house)
    (again,) = reapprovals(house)
    house.clock.wait(days=3)
    house.decide("carol", again["id"], "approve")
    assert house.run(again["id"])["model_status"] == "approved"
    run = house.run(run_id)
    assert (run["model_status"], run["has_expired_approval"], run["waits_for"]) == ("deployed", False, None)
    assert run["valid_until"].startswith("2027-05-04T12:")
    assert house.gate(run_id)["note"] == f"approved anew by run {again['id']}"
    assert house.types(run_id)[-1] == "approval.renewed"
    outgrow(house, 89)
    assert len(reapprovals(house)) == 1
    outgrow(house, 1)
    assert [found["parent_id"] for found in reapprovals(house)] == [run_id, run_id], "a second one, of the same parent"
    assert house.run(run_id)["model_status"] == "expired"


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("verdict", ["reject", "request_changes"])
def test_a_no_to_it_ends_it_and_neither_trains_nor_touches_what_is_deployed(house: House, verdict: str) -> None:
    run_id = deployed(house)
    before = made(house.as_("dave").get("/deployments"))
    outgrow(house)
    (again,) = reapprovals(house)
    house.decide("bob", again["id"], verdict)
    again = house.run(again["id"])
    assert (again["status"], again["attempt"]) == ("rejected", 1)
    assert house.run(run_id)["model_status"] == "expired"
    assert made(house.as_("dave").get("/deployments")) == before
    outgrow(house, 400)
    assert len(reapprovals(house)) == 1


def test_fresh_evidence_that_fails_a_check_ends_it_and_nothing_is_trained(house: House, measured: list[float]) -> None:
    measured[:] = [0.95, 0.5]
    run_id = deployed(house)
    outgrow(house)
    (again,) = reapprovals(house)
    assert (again["status"], again["attempt"]) == ("failed", 1)
    assert house.run(run_id)["model_status"] == "expired"


@pytest.mark.usefixtures("measured")
def test_a_version_says_what_the_run_says_that_approved_it_and_not_its_reapproval(house: House) -> None:
    run_id = deployed(house)

    def said() -> tuple[str, str, str]:
        version = made(house.as_("dave").get("/models/fraud-detector/versions/1"))
        tag = house.registry.resolve("models:/fraud-detector/1", "fraud-detector").tags
        return version["model_status"], version["run_id"], tag["signoff.status"]

    assert said() == ("deployed", run_id, "deployed")
    outgrow(house)
    assert said() == ("expired", run_id, "expired")
    (version,) = made(house.as_("dave").get("/models/fraud-detector"))["versions"]
    assert version["has_expired_approval"] is True
    house.decide("bob", reapprovals(house)[0]["id"], "approve")
    assert said() == ("deployed", run_id, "deployed")


@pytest.mark.usefixtures("measured")
def test_an_approval_on_which_nothing_rests_any_more_expires_without_being_asked_for_again(house: House) -> None:
    first = deployed(house)
    house.clock.wait(days=30)
    second = deployed(house)
    outgrow(house, 60)
    assert (house.run(first)["model_status"], house.run(second)["model_status"]) == ("superseded", "deployed")
    assert "approval.expired" in house.types(first)
    assert reapprovals(house) == []
    outgrow(house, 30)
    assert [found["parent_id"] for found in reapprovals(house)] == [second]


@pytest.mark.usefixtures("measured")
def test_a_version_that_was_approved_again_meanwhile_is_not_asked_about(house: House) -> None:
    deployed(house)
    house.clock.wait(days=45)
    second = deployed(house, model="models:/fraud-detector/1")
    outgrow(house, 45)
    assert reapprovals(house) == []
    outgrow(house, 45)
    assert [found["parent_id"] for found in reapprovals(house)] == [second]


def test_without_a_deployment_it_is_the_newest_approved_version_that_is_asked_about(house: House) -> None:
    first = deployed(house, REVIEW_ONLY)
    second = deployed(house, REVIEW_ONLY)
    assert house.run(second)["model_status"] == "approved"
    outgrow(house)
    assert [found["parent_id"] for found in reapprovals(house)] == [second]
    assert [house.run(run_id)["model_status"] for run_id in (first, second)] == ["expired", "expired"]
    house.decide("bob", reapprovals(house)[0]["id"], "approve")
    assert house.run(second)["model_status"] == "approved"


def test_an_approval_that_expired_before_the_deployment_opens_its_gate_again_saying_so(house: House) -> None:
    run_id = house.submit(TWO_GATES)
    house.decide("bob", run_id, "approve", "first")
    house.clock.wait(hours=25)
    house.decide("carol", run_id, "approve", "second")
    assert house.status(run_id) == "waiting"
    gate = house.gate(run_id, "first")
    assert (gate["status"], gate["round"]) == ("open", 2)
    assert gate["note"] == "Opened again: the approval of first expired on 3 November 12:00 UTC"
    assert made(house.as_("dave").get("/deployments"))["items"] == []
    house.decide("bob", run_id, "approve", "first")
    assert house.run(run_id)["model_status"] == "deployed"


def test_an_approval_that_expires_on_the_way_is_left_to_the_deployment(house: House) -> None:
    run_id = house.submit(TWO_GATES)
    house.decide("bob", run_id, "approve", "first")
    outgrow(house, 2)
    assert house.status(run_id) == "waiting"
    assert house.types(run_id).count("approval.expired") == 1
    assert reapprovals(house) == []
    house.decide("carol", run_id, "approve", "second")
    assert house.gate(run_id, "first")["round"] == 2
    house.decide("bob", run_id, "approve", "first")
    assert (house.run(run_id)["model_status"], house.run(run_id)["has_expired_approval"]) == ("deployed", False)


@pytest.mark.usefixtures("measured")
def test_the_same_gate_opens_with_the_environment_s_rules_of_today(house: House) -> None:
    deployed(house)
    house.environments(replace(PRODUCTION, rules=(RuleSpec("guard", ("carol",)),)))
    outgrow(house)
    (again,) = reapprovals(house)
    house.decide("bob", again["id"], "approve")
    assert house.status(again["id"]) == "waiting"
    house.decide("carol", again["id"], "approve")
    assert house.status(again["id"]) == "succeeded"


def test_approving_other_bytes_than_those_that_are_live_renews_nothing(house: House) -> None:
    run_id = deployed(house, UNTESTED)
    outgrow(house)
    (again,) = reapprovals(house)
    house.tamper("1")
    house.decide("bob", again["id"], "approve")
    gate = house.gate(again["id"])
    assert (gate["round"], gate["status"]) == (2, "open")
    assert "the model's bytes changed" in gate["note"]
    house.decide("bob", again["id"], "approve")
    assert house.status(again["id"]) == "succeeded"
    assert house.run(run_id)["model_status"] == "expired"
    assert "approval.renewed" not in house.types(run_id)


def test_an_approval_that_somebody_revoked_is_not_asked_for_by_the_clock(house: House) -> None:
    run_id = deployed(house, UNTESTED)
    made(house.as_("carol").post("/models/fraud-detector/versions/1/revoke", {"why": "the labels were wrong"}))
    outgrow(house)
    assert "approval.expired" in house.types(run_id)
    assert reapprovals(house) == []


@pytest.mark.usefixtures("measured")
def test_ticking_again_and_again_starts_one_reapproval(house: House) -> None:
    deployed(house)
    house.clock.wait(days=90)
    for _ in range(5):
        house.clock.wait(minutes=1)
        tick(house.machinery)
    house.work()
    assert len(reapprovals(house)) == 1


@pytest.mark.usefixtures("measured")
def test_a_rollback_to_a_version_whose_approval_has_expired_asks_for_it_again(house: House) -> None:
    first = deployed(house)
    house.clock.wait(days=89)
    deployed(house)
    outgrow(house, 2)
    assert reapprovals(house) == []
    body = {"why": "it is worse", "to": "1"}
    made(house.as_("erin").post("/environments/production/models/fraud-detector/rollback", body))
    house.work()
    house.clock.wait(minutes=1)
    house.tick()
    assert house.run(first)["model_status"] == "expired"
    assert [found["parent_id"] for found in reapprovals(house)] == [first]
