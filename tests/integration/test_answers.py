"""A reject that teaches: typed reasons are asked of the next attempt, which answers every one before it is judged."""

from __future__ import annotations

from typing import Any

from factories import MODEL
from house import House, made, refused
from signoff.domain.audit import Event
from training_scene import TRAINS, Script, start

RECALL = {"kind": "metric", "subject": "recall"}
YOUNG = {"kind": "slice", "subject": "age<25"}
OUTSIDE = """\
steps:
  - {name: train, type: training}
  - name: approve
    type: approval
    inputs: {approvers: ['bob']}
"""


def send_back(house: House, run_id: str, *reasons: dict[str, str]) -> None:
    house.decide("bob", run_id, "request_changes", comment="misses too many", reasons=list(reasons))


def asked(house: House, run_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = house.run(run_id)["attempts"][-1]["asked"]
    return found


def resubmit(house: House, run_id: str, **body: Any) -> Any:
    return house.as_("alice").post(f"/runs/{run_id}/submissions", body)


def test_the_answers_of_the_training_stand_beside_the_reasons(house: House) -> None:
    script = Script(house, 0.95, 0.96)
    run_id = start(house)
    script.answers = {"metric:recall": "a miss weighs three times a false alarm", "2": "twice as many young buyers"}
    send_back(house, run_id, RECALL, YOUNG)
    assert [a["subject"] for a in script.contexts[2]["asked"]] == ["recall", "age<25"]
    assert house.run(run_id)["status"] == "waiting"
    assert [(a["id"], a["kind"], a["by"], a["comment"], a["answer"]) for a in asked(house, run_id)] == [
        ("1", "metric", "bob", "misses too many", "a miss weighs three times a false alarm"),
        ("2", "slice", "bob", "misses too many", "twice as many young buyers"),
    ]
    [recorded] = [e for e in house.events(run_id) if e.type is Event.ANSWERS_RECORDED]
    assert recorded.detail["answers"]["2"] == "twice as many young buyers"


def test_a_training_that_answers_nothing_waits_for_its_submitter_and_is_not_repeated(house: House) -> None:
    script = Script(house, 0.95, 0.96)
    run_id = start(house)
    script.answers = {}
    send_back(house, run_id, RECALL, YOUNG)
    body = house.run(run_id)
    assert (body["status"], body["attempt"], body["version"]) == ("changes_requested", 2, "2")
    assert body["waits_for"] == (
        f"what alice answers to metric recall, slice age<25: "
        f'`signoff resubmit {run_id} --answer 1="..." --answer 2="..."`'
    )
    assert body["can_unblock"] == ["alice"]
    what = refused(resubmit(house, run_id, answers={"1": "weighed"}), 422, "answers_missing")
    assert "has to answer a reason of the one before: 2, slice age<25 (bob: misses too many)" in what
    assert '--answer 2="..."' in what
    assert house.status(run_id) == "changes_requested"
    made(resubmit(house, run_id, answers={"1": "weighed", "slice": "more of them"}))
    house.work()
    assert (house.status(run_id), house.run(run_id)["version"]) == ("waiting", "2")
    assert [a["answer"] for a in asked(house, run_id)] == ["weighed", "more of them"]
    assert len(script.contexts) == 4, "trained twice, tested twice: the answers trained nothing"


def test_an_answers_file_that_fits_nothing_is_said_on_the_step(house: House) -> None:
    script = Script(house, 0.95, 0.96)
    run_id = start(house)
    script.answers = {"precision": "no one asked", "1": "  "}
    send_back(house, run_id, RECALL)
    note = house.step(run_id, "train")["note"]
    assert (
        "The answer to 'precision' names none of the reasons. Name one by its number. They are: 1 (metric recall)."
        in note
    )
    assert "The answer to reason 1 (metric recall) has no words." in note
    assert house.status(run_id) == "changes_requested"


def test_a_resubmission_answers_every_reason_or_is_refused_and_changes_nothing(house: House) -> None:
    run_id = house.submit(OUTSIDE, house.version())
    send_back(house, run_id, RECALL)
    better = house.version()
    before = len(house.types(run_id))
    what = refused(resubmit(house, run_id, model=better), 422, "answers_missing")
    assert f"The next attempt of run {run_id} has to answer a reason of the one before: 1, metric recall" in what
    what = refused(resubmit(house, run_id, model=better, answers={"9": "done"}), 422, "bad_answers")
    assert what.startswith("The answer to '9' names none of the reasons.")
    assert (house.run(run_id)["attempt"], len(house.types(run_id))) == (1, before)
    made(resubmit(house, run_id, model=better, answers={"metric:recall": "trained on October too"}))
    house.work()
    assert (house.status(run_id), asked(house, run_id)[0]["answer"]) == ("waiting", "trained on October too")


def test_a_comment_without_a_typed_reason_asks_nothing(house: House) -> None:
    run_id = house.submit(OUTSIDE, house.version())
    send_back(house, run_id)
    made(resubmit(house, run_id, model=house.version()))
    house.work()
    assert (house.status(run_id), asked(house, run_id)) == ("waiting", [])


def test_reasons_that_nobody_saw_answered_go_on_to_the_attempt_after(house: House) -> None:
    script = Script(house, 0.95, 0.8, 0.97)
    run_id = start(house, TRAINS.replace("max_attempts: 2", "max_attempts: 3"))
    send_back(house, run_id, RECALL)
    body = house.run(run_id)
    assert (body["attempt"], body["attempts"][2]["cause"]) == (3, "check_failed")
    assert [a["subject"] for a in script.contexts[4]["asked"]] == ["recall"]
    assert asked(house, run_id)[0]["answer"] == "did metric"


def test_training_stops_when_it_gets_no_better(house: House) -> None:
    Script(house, 0.80, 0.85, 0.85, 0.84, 0.99)
    stop = "max_attempts: 9\nstop_when_no_better: {metric: accuracy, rounds: 2}"
    run_id = start(house, TRAINS.replace("max_attempts: 2", stop))
    body = house.run(run_id)
    assert (body["status"], body["attempt"]) == ("failed", 4)
    assert body["error"] == "accuracy got no better in the last 2 attempts (0.8, 0.85, 0.85, 0.84)"


def test_a_run_that_waits_for_its_submitter_stops_too_when_it_gets_no_better(house: House) -> None:
    pipeline = "stop_when_no_better: {metric: auc, rounds: 1}\n" + OUTSIDE.replace(
        "  - name: approve", "  - {name: test, type: test, inputs: {checks: [auc > 0.1]}}\n  - name: approve"
    )
    run_id = house.submit(pipeline, house.version(auc=0.9))
    send_back(house, run_id)
    assert house.status(run_id) == "changes_requested"
    made(resubmit(house, run_id, model=house.version(auc=0.9)))
    house.work()
    send_back(house, run_id)
    body = house.run(run_id)
    assert (body["model"], body["status"]) == (MODEL, "rejected")
    assert body["error"] == "auc got no better in the last attempt (0.9, 0.9)"
