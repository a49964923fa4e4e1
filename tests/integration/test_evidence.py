"""From predictions to evidence: intervals, a fair fight with the champion, slices, looks, and contradictions."""

from __future__ import annotations

import json
import sys

import pytest

from house import House
from prediction_scene import PREDICTS, Examiner, check, deploy, found, predictions, submit

AUTO = PREDICTS.replace("{approvers: ['bob']}", "{approvers: ['bob'], auto_approve_if: accuracy > 0.9}")


def test_predictions_give_metrics_that_say_how_sure_they_are(house: House) -> None:
    Examiner(house, 29)
    run_id = submit(house, pipeline=AUTO)
    evidence = found(house, run_id)
    accuracy = next(metric for metric in evidence["metrics"] if metric["name"] == "accuracy")
    assert (round(accuracy["value"], 4), accuracy["n"], accuracy["method"]) == (0.9033, 300, "wilson")
    assert (round(accuracy["low"], 3), round(accuracy["high"], 3)) == (0.865, 0.932)
    assert (evidence["task"], evidence["test_set"]["rows"], evidence["test_set"]["looks"]) == ("binary", 300, 1)
    assert {"accuracy", "recall", "f1"} <= {metric["name"] for metric in evidence["metrics"]}
    assert {piece["values"][0] for piece in evidence["slices"]} == {"east", "west"}


def test_what_three_hundred_rows_cannot_tell_goes_to_people_with_the_number_that_could(house: House) -> None:
    Examiner(house, 29)
    run_id = submit(house, pipeline=AUTO)
    assert check(house, run_id, "accuracy > 0.85")[0] == "passed"
    assert house.status(run_id) == "waiting"
    note = house.gate(run_id)["note"]
    assert "accuracy 0.9033, 95 % between 0.8646 and 0.9318, 300 rows: not sure that it is above 0.9; about " in note
    assert note.endswith("rows would be")


def test_what_is_sure_is_approved_by_policy(house: House) -> None:
    Examiner(house, 5)
    run_id = submit(house, pipeline=AUTO)
    assert house.status(run_id) == "succeeded"


def test_pictures_are_kept_as_files_with_a_sentence_each(house: House) -> None:
    Examiner(house, 29)
    evidence = found(house, submit(house))
    files = {file["path"] for file in evidence["files"]}
    assert evidence["pictures"]
    for picture in evidence["pictures"]:
        assert {picture["spec"], picture["table"]} <= files
        assert picture["reading"]


def test_a_metric_that_is_held_against_a_limit_has_its_history_drawn(house: House) -> None:
    Examiner(house, 40, 25, 20)
    submit(house)
    submit(house)
    third = found(house, submit(house))
    (picture,) = [one for one in third["pictures"] if one["name"].startswith("history")]
    [table] = [file for file in third["files"] if file["path"] == picture["table"]]
    with house.blobs.open(table["digest"]) as blob:
        rows = json.load(blob)["rows"]
    assert [(version, round(value, 4)) for version, value, *_ in rows] == [
        ("v1", 0.8667),
        ("v2", 0.9167),
        ("v3", 0.9333),
    ]
    assert all(low < value < high for _, value, low, high, _ in rows)


def test_the_champion_is_run_on_the_same_rows_once_and_compared_row_by_row(house: House) -> None:
    examiner = Examiner(house, 40, 25, 20)
    deploy(house, submit(house))
    inputs = "compare: champion\n"
    pipeline = PREDICTS.replace("'accuracy > 0.85'", "'accuracy > 0.85', 'accuracy >= champion.accuracy - 0.02'")
    first = submit(house, inputs, pipeline=pipeline)
    assert examiner.asked == ["0", "1", "0"]
    evidence = found(house, first)
    (difference,) = [one for one in evidence["comparisons"] if one["metric"] == "accuracy"]
    assert round(difference["difference"]["value"], 4) == 0.05
    assert difference["difference"]["low"] > 0
    status, reason = check(house, first, "accuracy >= champion.accuracy - 0.02")
    low, high = difference["difference"]["low"], difference["difference"]["high"]
    assert status == "passed"
    assert reason == f"delta.accuracy 0.05, paired, 95 % between {low:.4g} and {high:.4g}, 300 rows, is at least -0.02"
    own = next(metric for metric in evidence["champion_metrics"] if metric["name"] == "accuracy")
    assert own["low"] < own["value"] < own["high"]
    assert "champion/predictions.csv" in {file["path"] for file in evidence["files"]}
    second = submit(house, inputs, pipeline=pipeline)
    assert examiner.asked == ["0", "1", "0", "2"]
    assert any("were there already" in note for note in found(house, second)["notes"])
    assert found(house, second)["comparisons"]


def test_the_champion_is_not_run_where_nobody_asked(house: House) -> None:
    examiner = Examiner(house, 40, 25)
    deploy(house, submit(house))
    assert found(house, submit(house))["comparisons"] == []
    assert examiner.asked == ["0", "1"]


def test_a_champion_that_cannot_be_run_any_more_leaves_the_question_to_people(house: House) -> None:
    examiner = Examiner(house, 40, 25)
    deploy(house, submit(house))
    examiner.fails_for = {"0"}
    pipeline = PREDICTS.replace("'accuracy > 0.85'", "'accuracy >= champion.accuracy'")
    run_id = submit(house, "compare: champion\n", pipeline=pipeline)
    assert house.status(run_id) == "waiting"
    assert check(house, run_id, "accuracy >= champion.accuracy")[0] == "uncertain"
    evidence = found(house, run_id)
    words = "the command ended with exit status 3 when it was run for the champion (v1); see champion/log.txt"
    assert words in evidence["notes"]
    assert "champion/log.txt" in {file["path"] for file in evidence["files"]}


def test_other_rows_are_no_comparison_and_it_says_so(house: House) -> None:
    examiner = Examiner(house, 40, 25)
    deploy(house, submit(house))
    real = examiner.evaluate

    def fewer_for_the_champion(*given: object) -> int:
        examiner.text = predictions(40, 200) if examiner.asked else None
        return real(*given)  # type: ignore[arg-type]

    examiner.asked.clear()
    house.runner._commands["evaluate"] = fewer_for_the_champion
    evidence = found(house, submit(house, "compare: champion\n"))
    assert evidence["comparisons"] == []
    words = (
        "not compared with the champion row by row: the champion's predictions have 200 rows and the candidate's 300"
    )
    assert words in evidence["notes"]


def test_without_a_champion_there_is_nothing_to_compare_and_the_check_passes(house: House) -> None:
    Examiner(house, 20)
    pipeline = PREDICTS.replace("'accuracy > 0.85'", "'accuracy >= champion.accuracy'")
    run_id = submit(house, "compare: champion\n", pipeline=pipeline)
    assert check(house, run_id, "accuracy >= champion.accuracy") == ("passed", "no champion to compare with")
    assert "there is no champion to compare with" in found(house, run_id)["notes"]


def test_every_look_at_the_same_rows_is_counted(house: House) -> None:
    Examiner(house, 20, 21, 22)
    looks = [found(house, submit(house))["test_set"]["looks"] for _ in range(3)]
    assert looks == [1, 2, 3]


def test_a_corrected_step_has_to_be_surer_at_each_look(house: House) -> None:
    Examiner(house, 20, 20)
    levels = []
    for _ in range(2):
        evidence = found(house, submit(house, "correct: true\n"))
        levels.append(round(evidence["checks"][0]["level"], 4))
    assert levels == [0.975, 0.9917]
    words = "answers are corrected for 1 check (Holm) and for look number 2 of this model at these rows"
    assert words in evidence["notes"]
    assert "99.17 % between" in evidence["checks"][0]["reason"]


def test_a_floor_for_each_slice_answers_slice_by_slice_and_small_ones_fail_nobody(house: House) -> None:
    Examiner(house, 29)
    pipeline = PREDICTS.replace("['accuracy > 0.85']", "[{name: floor, that: accuracy > 0.87, for_each: region}]")
    run_id = submit(house, pipeline=pipeline)
    assert check(house, run_id, "floor: west")[0] == "uncertain"
    status, reason = check(house, run_id, "floor: east")
    assert status == "uncertain"
    assert reason.startswith("region east: accuracy 0.9, 95 % between")
    assert "30 rows" in reason
    assert house.status(run_id) == "waiting"


def test_a_metric_that_two_files_tell_differently_passes_no_check_and_no_policy(house: House) -> None:
    examiner = Examiner(house, 5)
    examiner.metrics = {"accuracy": 0.999, "latency": 12}
    run_id = submit(house, pipeline=AUTO)
    status, reason = check(house, run_id, "accuracy > 0.85")
    assert status == "failed"
    assert reason == "accuracy contradicts itself: metrics.json says 0.999, predictions.csv says 0.983333"
    assert house.status(run_id) == "failed"
    going_on = AUTO.replace("  - name: approve\n", "    on_fail: continue\n  - name: approve\n")
    house.runner._commands["evaluate"] = examiner.evaluate
    examiner.wrong = (5, 5)
    second = submit(house, pipeline=going_on)
    assert house.status(second) == "waiting"
    assert "accuracy contradicts itself" in house.gate(second)["note"]


def test_a_rounded_metric_contradicts_nobody(house: House) -> None:
    examiner = Examiner(house, 5)
    examiner.metrics = {"accuracy": 0.983}
    assert check(house, submit(house), "accuracy > 0.85")[0] == "passed"


@pytest.mark.parametrize(
    ("text", "inputs", "words"),
    [
        ("y_true,y_prde\n1,1\n", "", "has no column 'y_pred'"),
        ("y_true,y_pred\n1,1\n0\n", "", "predictions.csv"),
        (None, "slices: [regoin]\n", "slices names the column 'regoin', and predictions.csv has no slice column"),
        (None, "sensitive: [age]\n", "sensitive names the column 'age', and predictions.csv has no slice column"),
    ],
)
def test_predictions_that_make_no_sense_error_the_step_in_words(
    house: House, text: str | None, inputs: str, words: str
) -> None:
    Examiner(house, 5).text = text
    run_id = submit(house, inputs)
    assert house.status(run_id) == "errored"
    assert words in house.step(run_id, "test")["error"]


def test_a_worker_without_the_extra_says_what_to_install(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "signoff.evaluation.predictions", None)
    Examiner(house, 5)
    run_id = submit(house)
    assert house.status(run_id) == "errored"
    error = house.step(run_id, "test")["error"]
    assert "This worker cannot read predictions.csv" in error
    assert 'pip install "signoff[evaluate]"' in error


def test_wishes_without_predictions_are_said_not_to_be_met(house: House) -> None:
    examiner = Examiner(house, 5)
    examiner.metrics = {"accuracy": 0.95}
    real = examiner.evaluate

    def only_metrics(*given: object) -> int:
        status = real(*given)  # type: ignore[arg-type]
        (house.folder / "work").rglob("predictions.csv").__next__().unlink()
        return status

    house.runner._commands["evaluate"] = only_metrics
    evidence = found(house, submit(house, "slices: [region]\nsensitive: [region]\n"))
    words = "the command left no predictions.csv or predictions.parquet, which slices and sensitive would need"
    assert words in evidence["notes"]


def test_fairness_gaps_of_sensitive_columns_are_measured(house: House) -> None:
    Examiner(house, 29)
    gaps = found(house, submit(house, "sensitive: [region]\n"))["fairness"]
    assert {(gap["column"], gap["definition"]) for gap in gaps} == {
        ("region", "demographic_parity"),
        ("region", "equalised_odds"),
    }
    assert all(gap["interval"]["low"] <= gap["value"] <= gap["interval"]["high"] for gap in gaps)


def test_a_model_card_is_kept_and_what_it_does_not_say_is_named(house: House) -> None:
    Examiner(house, 5, 5)
    assert not any("CARD" in note for note in found(house, submit(house))["notes"])
    reference = house.version()
    folder_of_model = house.registry.where("fraud-detector", reference.rpartition("/")[2])
    (folder_of_model / "MODEL_CARD.md").write_text("# Fraud\n\n## Intended use\n\nScoring card payments.\n")
    evidence = found(house, submit(house, model=reference))
    assert "model/MODEL_CARD.md" in {file["path"] for file in evidence["files"]}
    (note,) = [note for note in evidence["notes"] if "MODEL_CARD.md" in note]
    assert note.startswith("MODEL_CARD.md says nothing about")
    assert "intended use" not in note
    assert "limitations" in note
