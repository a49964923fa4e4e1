"""A draft policy on the past runs of a real database, over REST and on the command line."""

from __future__ import annotations

from typing import Any

from house import House, made, refused
from prediction_scene import PREDICTS, Examiner, submit

DRAFT = PREDICTS.replace("{approvers: ['bob']}", "{approvers: ['bob'], auto_approve_if: accuracy > 0.9}")


def replay(house: House, pipeline: str = DRAFT, **more: Any) -> dict[str, Any]:
    return made(house.as_("dave").post("/policy/replay", {"pipeline": pipeline, **more}))


def test_past_runs_are_judged_by_a_draft_without_changing_anything(house: House) -> None:
    Examiner(house, 5, 29, 60)
    sure, unsure, bad = (submit(house) for _ in range(3))
    house.decide("bob", sure, "approve")
    assert [house.status(run) for run in (sure, unsure, bad)] == ["succeeded", "waiting", "failed"]
    with house.unchanged():
        found = replay(house)
    assert (found["model"], found["attempts"]) == ("fraud-detector", 3)
    assert found["was"] == {"approved": 0, "blocked": 1, "people": 2}
    assert found["would"] == {"approved": 1, "blocked": 1, "people": 1}
    (change,) = found["changes"]
    assert (change["run_id"], change["was"], change["would"], change["version"]) == (sure, "people", "approved", "1")
    assert change["why"].startswith("accuracy 0.9833, 95 % between")
    (queue,) = found["queues"]
    assert (queue["step"], queue["rule"], queue["approvers"], queue["sent"]) == ("approve", "approve", ["bob"], 1)
    assert found["usual_wait_seconds"] > 0


def test_what_a_policy_approved_is_told_from_what_people_did(house: House) -> None:
    Examiner(house, 5)
    assert house.status(submit(house, pipeline=DRAFT)) == "succeeded"
    found = replay(house, PREDICTS)
    assert found["was"] == {"approved": 1, "blocked": 0, "people": 0}
    assert found["would"] == {"approved": 0, "blocked": 0, "people": 1}
    assert found["changes"][0]["why"] == "approve is for people"


def test_floors_for_slices_are_read_where_a_draft_asks(house: House) -> None:
    Examiner(house, 29)
    submit(house)
    floor = DRAFT.replace("['accuracy > 0.85']", "[{name: floor, that: accuracy > 0.99, for_each: region}]")
    found = replay(house, floor)
    assert found["would"]["blocked"] == 1
    assert "region west" in found["changes"][0]["why"]


def test_only_runs_of_the_last_so_long_are_judged_where_one_says_so(house: House) -> None:
    Examiner(house, 5, 5)
    submit(house)
    house.clock.wait(days=100)
    submit(house)
    assert replay(house, since="90d")["attempts"] == 1
    assert replay(house, since="120d")["attempts"] == 2


def test_a_run_without_evidence_is_judged_by_what_was_claimed(house: House) -> None:
    house.submit(model=house.version(accuracy=0.95))
    draft = (
        "model: fraud-detector\nsteps: [{name: approve, type: approval, "
        "inputs: {approvers: ['bob'], auto_approve_if: accuracy > 0.9}}]"
    )
    assert replay(house, draft)["would"] == {"approved": 1, "blocked": 0, "people": 0}


def test_a_draft_that_is_wrong_or_about_no_model_is_refused(house: House) -> None:
    person = house.as_("dave")
    words = refused(person.post("/policy/replay", {"pipeline": "steps: []"}), 422, "bad_pipeline")
    assert "steps must hold at least one" in words
    nameless = DRAFT.replace("model: fraud-detector\n", "")
    words = refused(person.post("/policy/replay", {"pipeline": nameless}), 422, "invalid")
    assert "names no model" in words
    words = refused(person.post("/policy/replay", {"pipeline": DRAFT, "since": "soon"}), 422, "invalid")
    assert words.startswith("since: 'soon' is not a length of time.")
    unknown = person.post("/policy/replay", {"pipeline": DRAFT})
    assert "no model called fraud-detector" in refused(unknown, 404, "model_not_found")
    house.submit()
    assert replay(house, nameless, model="fraud-detector")["attempts"] == 1
