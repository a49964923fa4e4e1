"""Two runs of one model for one environment: queue, supersede, allow."""

from __future__ import annotations

import pytest

from factories import MODEL
from house import APPROVE_AND_DEPLOY, House, made

SUPERSEDE = "concurrency: supersede\n" + APPROVE_AND_DEPLOY
BOTH = SUPERSEDE.replace("production", "staging") + (
    "  - {name: confirm, type: approval, inputs: {approvers: ['carol']}}\n"
    "  - {name: release, type: deployment, inputs: {environment: production}}\n"
)


def live(house: House) -> str | None:
    found = house.registry.alias(MODEL, "champion")
    return found.version if found is not None else None


def test_a_newer_submission_closes_older_gates_and_says_so(house: House) -> None:
    older = house.submit()
    newer = house.submit(SUPERSEDE)
    body = house.run(older)
    why = f"run {newer} of alice heads for production with v2 and takes its place"
    assert (body["status"], body["model_status"], body["error"]) == ("superseded", "superseded", why)
    gate = house.gate(older)
    assert (gate["status"], gate["note"]) == ("cancelled", why)
    assert {step["status"] for step in body["attempts"][-1]["steps"]} == {"cancelled"}
    assert house.types(older)[-2:] == ["gate.cancelled", "run.superseded"]
    assert house.events(older)[-1].detail["newer_run"] == newer
    assert house.status(newer) == "waiting"
    assert house.registry.resolve(f"models:/{MODEL}/1", None).tags["signoff.status"] == "superseded"


def test_approvals_given_to_the_older_run_do_not_deploy_it_any_more(house: House) -> None:
    two = SUPERSEDE.replace("['bob']", "['bob', 'carol'], required_approvals: 2")
    older = house.submit(two)
    house.decide("bob", older, "approve")
    newer = house.submit(two)
    answer = house.says("carol", older, "approve")
    assert (answer.status_code, answer.json()["code"]) == (409, "gate_closed")
    house.work()
    assert (house.status(older), live(house)) == ("superseded", None)
    house.decide("bob", newer, "approve")
    house.decide("carol", newer, "approve")
    assert live(house) == "2"


def test_a_run_that_does_not_say_so_leaves_the_others_alone(house: House) -> None:
    older = house.submit(SUPERSEDE)
    house.submit()
    assert house.status(older) == "waiting"


def test_runs_of_other_models_and_for_other_environments_are_left_alone(house: House) -> None:
    elsewhere = house.submit(SUPERSEDE.replace("production", "staging"))
    another = house.submit(SUPERSEDE, house.version(model="churn"))
    nowhere = house.submit(SUPERSEDE.partition("  - name: deploy")[0])
    house.submit(SUPERSEDE)
    assert [house.status(run_id) for run_id in (elsewhere, another, nowhere)] == ["waiting"] * 3


def test_a_run_that_has_passed_an_environment_is_only_in_the_way_of_the_next(house: House) -> None:
    older = house.submit(BOTH)
    house.decide("bob", older, "approve")
    house.submit(SUPERSEDE.replace("production", "staging"))
    assert house.status(older) == "waiting", "it is through staging, and waits for production"
    newest = house.submit(SUPERSEDE)
    assert house.run(older)["error"] == f"run {newest} of alice heads for production with v3 and takes its place"


def test_a_run_whose_gate_is_through_is_not_superseded_by_a_submission(house: House) -> None:
    older = house.submit(SUPERSEDE)
    made(house.says("bob", older, "approve"))
    newer = house.submit(SUPERSEDE)
    assert (house.status(older), house.status(newer), live(house)) == ("succeeded", "waiting", "1")


def test_a_submission_that_is_refused_supersedes_nothing(house: House) -> None:
    house.submit(SUPERSEDE)
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": SUPERSEDE, "model": f"models:/{MODEL}/99"})
    assert not answer.is_success


@pytest.mark.parametrize(
    ("concurrency", "status", "version"), [("queue", "superseded", "2"), ("allow", "succeeded", "1")]
)
def test_an_older_version_approved_after_a_newer_goes_live_only_where_that_is_allowed(
    house: House, concurrency: str, status: str, version: str
) -> None:
    text = f"concurrency: {concurrency}\n{APPROVE_AND_DEPLOY}"
    older, newer = house.submit(text), house.submit(text)
    house.decide("bob", newer, "approve")
    house.decide("bob", older, "approve")
    assert (house.status(older), live(house)) == (status, version)
