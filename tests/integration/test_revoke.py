"""Taking an approval back: it no longer counts for anything that is deployed, and what serves on it is said loudly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from factories import MODEL, a_rule
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made, refused
from signoff.domain.environment import BreakGlass

PATH = f"/models/{MODEL}/versions"
LIVE = f"/environments/production/models/{MODEL}/revoke"
ROLLBACK = f"/environments/production/models/{MODEL}/rollback"
WHY = {"why": "the training data held the answers"}
BY_POLICY = APPROVE_AND_DEPLOY.replace("approvers: ['bob']", "approvers: ['bob'], auto_approve_if: accuracy > 0.5")
TWO_OF_TWO = APPROVE_AND_DEPLOY.replace("approvers: ['bob']", "approvers: ['bob', 'carol'], required_approvals: 2")
TWO_GATES = APPROVE_AND_DEPLOY.replace(
    "steps:\n", "steps:\n  - name: first\n    type: approval\n    inputs: {approvers: ['carol']}\n"
)


def deployed(house: House, how_many: int = 1, pipeline: str = APPROVE_AND_DEPLOY) -> list[str]:
    ids = []
    for _ in range(how_many):
        ids.append(house.submit(pipeline))
        house.decide("bob", ids[-1], "approve")
    return ids


def revoke(house: House, version: str, who: str = "carol", **more: Any) -> dict[str, Any]:
    answer = made(house.as_(who).post(f"{PATH}/{version}/revoke", {**WHY, **more}))
    house.work()
    return answer


def version_status(house: House, version: str) -> str:
    return str(made(house.as_("dave").get(f"{PATH}/{version}"))["model_status"])


def test_what_serves_stays_and_everything_that_shows_it_says_so_with_the_command(house: House) -> None:
    (run_id,) = deployed(house)
    answer = revoke(house, "1")
    assert (answer["by"], answer["why"], answer["live_in"]) == ("carol", WHY["why"], ["production"])
    (shown,) = made(house.as_("dave").get("/deployments"))["items"]
    assert (shown["status"], shown["revocation"]["by"]) == ("live", "carol")
    assert shown["warning"] == (
        "fraud-detector v1 was revoked by carol (the training data held the answers), and production still serves it: "
        "`signoff rollback production fraud-detector -m WHY` ends that."
    )
    for path, place in (
        (f"/runs/{run_id}", "deployments"),
        (f"/models/{MODEL}", "deployments"),
        ("/environments/production", "live"),
    ):
        assert made(house.as_("dave").get(path))[place][0]["warning"] == shown["warning"]
    assert house.run(run_id)["model_status"] == "revoked"
    assert version_status(house, "1") == "revoked"
    assert house.registry.resolve(f"models:/{MODEL}/1", None).tags["signoff.status"] == "revoked"
    (event,) = [e for e in house.events() if e.type == "approval.revoked"]
    assert (event.actor, event.detail["version"], event.detail["live_in"]) == ("carol", "1", ["production"])


def test_an_approval_by_a_clock_that_is_ahead_is_taken_back_too(house: House) -> None:
    deployed(house, 2)
    house.clock.wait(seconds=-30)
    revoke(house, "1")
    assert version_status(house, "1") == "revoked"
    refused(house.as_("bob").post(ROLLBACK, {"why": "x", "to": "1"}), 409, "version_revoked")


def test_a_revoked_version_is_not_rolled_back_to(house: House) -> None:
    deployed(house, 3)
    revoke(house, "2")
    with house.unchanged():
        answer = house.as_("bob").post(ROLLBACK, {"why": "x", "to": "2"})
    said = refused(answer, 409, "version_revoked")
    assert "fraud-detector v2 was revoked by carol: the training data held the answers." in said
    assert "`signoff submit models:/fraud-detector/2`" in said
    assert made(house.as_("bob").post(ROLLBACK, {"why": "x"}))["version"] == "1"


def test_where_nothing_may_serve_again_a_rollback_says_what_it_passed_over(house: House) -> None:
    deployed(house, 2)
    revoke(house, "1")
    with house.unchanged():
        answer = house.as_("bob").post(ROLLBACK, {"why": "x"})
    said = refused(answer, 409, "no_former_version")
    assert said.startswith("No version of fraud-detector that may serve again was live in production before v2.")
    assert "v1 was revoked by carol" in said


def test_revoking_and_rolling_back_is_one_command(house: House) -> None:
    deployed(house, 2)
    answer = made(house.as_("bob").post(LIVE, {**WHY, "rollback": True}))
    assert (answer["version"], [d["version"] for d in answer["rollbacks"]]) == ("2", ["1"])
    house.work()
    live = house.registry.alias(MODEL, "champion")
    assert live is not None
    assert live.version == "1"
    assert "revoked: the training data" in made(house.as_("dave").get("/deployments"))["items"][0]["note"]


def test_a_revocation_holds_even_where_there_is_nothing_to_roll_back_to(house: House) -> None:
    deployed(house)
    answer = revoke(house, "1", rollback=True)
    assert answer["rollbacks"] == []
    assert answer["not_rolled_back"][0]["environment"] == "production"
    assert "was live in production before v1" in answer["not_rolled_back"][0]["why"]
    assert version_status(house, "1") == "revoked"


def test_a_waiting_gate_forgets_who_approved_and_opens_again_saying_why(house: House) -> None:
    run_id = house.submit(TWO_OF_TWO)
    house.decide("bob", run_id, "approve")
    assert revoke(house, "1")["reopened"] == [run_id]
    gate = house.gate(run_id)
    assert (gate["status"], gate["round"], gate["decisions"]) == ("open", 2, [])
    assert gate["note"] == "Opened again: the approval was revoked by carol: the training data held the answers"
    assert house.status(run_id) == "waiting"
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "waiting"
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"
    assert version_status(house, "1") == "deployed"


def test_earlier_gates_open_again_too(house: House) -> None:
    run_id = house.submit(TWO_GATES)
    house.decide("carol", run_id, "approve", "first")
    revoke(house, "1", "bob")
    assert (house.gate(run_id, "first")["status"], house.gate(run_id, "first")["round"]) == ("open", 2)
    with pytest.raises(AssertionError, match="is closed"):
        house.decide("bob", run_id, "approve")
    house.decide("carol", run_id, "approve", "first")
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_what_is_approved_and_not_deployed_yet_is_not_deployed(house: House) -> None:
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    # No worker has confirmed the gate yet.
    made(house.as_("carol").post(f"{PATH}/1/revoke", WHY))
    house.work()
    assert house.status(run_id) == "waiting"
    assert "the approval was revoked by carol" in house.gate(run_id)["note"]
    assert house.registry.alias(MODEL, "champion") is None


def test_an_approval_that_queues_for_its_place_is_void_when_its_turn_comes(house: House) -> None:
    deployed(house, 2)
    made(house.as_("bob").post(ROLLBACK, {"why": "x"}))
    rollback = [job for job in house.take_jobs() if "deployment_id" in job[1]]
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
    assert house.step(run_id, "approve")["status"] == "succeeded"
    made(house.as_("carol").post(f"{PATH}/3/revoke", WHY))
    from signoff.engine.deploying_by_hand import deploy_by_hand

    deploy_by_hand(house.machinery, rollback[0][1]["deployment_id"])
    house.work()
    assert house.status(run_id) == "waiting"
    assert "the approval was revoked by carol" in house.gate(run_id)["note"]
    assert "deployment.refused" not in house.types(run_id)


def test_the_policy_does_not_approve_again_what_a_person_took_back(house: House) -> None:
    run_id = house.submit(BY_POLICY, house.version(accuracy=0.9))
    assert house.status(run_id) == "succeeded"
    revoke(house, "1")
    again = house.submit(BY_POLICY, f"models:/{MODEL}/1")
    assert house.status(again) == "waiting"
    note = house.gate(again)["note"]
    assert note == "Not approved by policy: the approval was revoked by carol: the training data held the answers"


def test_a_version_approved_anew_is_revoked_no_longer(house: House) -> None:
    deployed(house, 2)
    revoke(house, "1")
    again = house.submit(APPROVE_AND_DEPLOY, f"models:/{MODEL}/1")
    assert version_status(house, "1") == "revoked"
    house.decide("bob", again, "approve")
    assert (house.status(again), version_status(house, "1")) == ("succeeded", "deployed")
    assert made(house.as_("dave").get("/deployments"))["items"][0]["warning"] == ""
    revoke(house, "1")
    assert version_status(house, "1") == "revoked"


def test_an_approval_for_elsewhere_does_not_bring_a_revoked_version_back_where_there_are_rules(house: House) -> None:
    rules = (a_rule("bob", "carol", required=2, name="two"),)
    glass = BreakGlass(("bob", "carol"), 2)
    house.environments(replace(PRODUCTION, rules=rules, break_glass=glass), STAGING)
    for _ in range(2):
        run_id = house.submit()
        house.decide("bob", run_id, "approve")
        house.decide("carol", run_id, "approve")
    revoke(house, "1")
    elsewhere = house.submit(APPROVE_AND_DEPLOY.replace("production", "staging"), f"models:/{MODEL}/1")
    house.decide("bob", elsewhere, "approve")
    assert house.status(elsewhere) == "succeeded"
    with house.unchanged():
        refused(house.as_("bob").post(ROLLBACK, {"why": "x", "to": "1"}), 409, "version_revoked")
        answer = house.as_("bob").post(
            f"/environments/production/models/{MODEL}/break-glass", {"reference": f"models:/{MODEL}/1", "why": "x"}
        )
        refused(answer, 409, "version_revoked")
    here = house.submit(model=f"models:/{MODEL}/1")
    house.decide("bob", here, "approve")
    refused(house.as_("bob").post(ROLLBACK, {"why": "x", "to": "1"}), 409, "version_revoked")
    house.decide("carol", here, "approve")
    assert house.status(here) == "succeeded"
    made(house.as_("bob").post(ROLLBACK, {"why": "x", "to": "2"}))
    house.work()
    made(house.as_("bob").post(ROLLBACK, {"why": "x", "to": "1"}))


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "words"),
    [
        (f"{PATH}/1/revoke", {"why": " "}, 422, "reason_required", "A revocation needs a reason."),
        (f"{PATH}/9/revoke", WHY, 404, "model_not_found", "No run was ever about fraud-detector v9."),
        (f"{PATH}/2/revoke", WHY, 409, "nothing_to_revoke", "Nobody's approval of fraud-detector v2 stands"),
        (LIVE.replace("production", "staging"), WHY, 409, "nothing_live", "is live in staging"),
        (LIVE.replace("production", "mars"), WHY, 422, "unknown_environment", "called mars"),
    ],
)
def test_a_revocation_of_nothing_is_refused(
    house: House, path: str, body: dict[str, str], status: int, code: str, words: str
) -> None:
    deployed(house)
    house.submit()
    with house.unchanged():
        answer = house.as_("bob").post(path, body)
    assert words in refused(answer, status, code)


def test_a_second_revocation_is_refused_and_names_the_first(house: House) -> None:
    deployed(house)
    revoke(house, "1")
    with house.unchanged():
        answer = house.as_("bob").post(f"{PATH}/1/revoke", WHY)
    assert "v1 was revoked by carol already: the training" in refused(answer, 409, "already_revoked")


@pytest.mark.parametrize("who", ["alice", "dave"])
def test_who_neither_approves_nor_administers_revokes_nothing(house: House, who: str) -> None:
    deployed(house)
    with house.unchanged():
        answer = house.as_(who).post(f"{PATH}/1/revoke", WHY)
    assert f"{who} may not revoke" in refused(answer, 403, "not_allowed")
