"""A draft pipeline on past evidence: what it would have approved, blocked or sent to people."""

from __future__ import annotations

from datetime import timedelta

from factories import NOON
from signoff.domain.evidence import Champion, Comparison, Evidence, Interval, Metric, Provenance, SliceResult, TestSet
from signoff.domain.pipeline import Pipeline
from signoff.domain.replay import Outcome, PastAttempt, Replay, outcome_of, replay
from signoff.domain.version import ModelVersion
from signoff.spec import load_pipeline

APPROVED, BLOCKED, PEOPLE = Outcome.APPROVED, Outcome.BLOCKED, Outcome.PEOPLE


def draft(checks: str = "[accuracy > 0.8]", auto: str = "accuracy > 0.9", test: str = "") -> Pipeline:
    condition = f", auto_approve_if: '{auto}'" if auto else ""
    return load_pipeline(f"""\
model: fraud
steps:
  - name: test
    type: test
    inputs:
      run: evaluate
      checks: {checks}
{test}  - name: approve
    type: approval
    inputs:
      rules: [{{name: risk, approvers: ['group:risk'], required_approvals: 2}}, {{name: product, approvers: ['bob']}}]
      {condition.removeprefix(", ")}
""")


def metric(value: float, width: float = 0.0, name: str = "accuracy") -> Metric:
    interval = Interval(value - width, value + width) if width else None
    return Metric(name, value, Provenance.MEASURED, interval, 300, "test")


def past(
    number: int, *metrics: Metric, was: Outcome = PEOPLE, hours: float | None = 1, step: str = "test", **more: object
) -> PastAttempt:
    evidence = Evidence(step, 1, f"sha256:{number}", metrics, **more)  # type: ignore[arg-type]
    version = ModelVersion(
        "fraud", str(number), f"sha256:{number}", f"models:/fraud/{number}", metrics={"logged": 0.95}
    )
    at = NOON + timedelta(days=number // 3, minutes=number)
    waited = None if hours is None else timedelta(hours=hours)
    return PastAttempt(f"run{number}", 1, version, at, was, (evidence,) if metrics else (), waited)


def tried(pipeline: Pipeline, *attempts: PastAttempt, claimed: bool = False) -> Replay:
    return replay(pipeline, attempts, {"approve": claimed})


def test_each_attempt_is_approved_blocked_or_sent_to_people_by_the_evidence_of_its_time() -> None:
    found = tried(
        draft(),
        past(0, metric(0.95, 0.02)),
        past(1, metric(0.91, 0.03)),
        past(2, metric(0.7, 0.02), was=BLOCKED, hours=None),
        past(3, metric(0.93, 0.01), was=APPROVED, hours=None),
    )
    assert [verdict.would for verdict in found.verdicts] == [APPROVED, PEOPLE, BLOCKED, APPROVED]
    assert found.was == {PEOPLE: 2, BLOCKED: 1, APPROVED: 1}
    assert found.would == {APPROVED: 2, PEOPLE: 1, BLOCKED: 1}
    assert [(change.run_id, change.was, change.would) for change in found.changes] == [("run0", PEOPLE, APPROVED)]
    assert found.changes[0].why == "accuracy 0.95, 95 % between 0.93 and 0.97, 300 rows, is above 0.9"
    assert "not sure that it is above 0.9" in found.verdicts[1].why
    assert found.verdicts[2].why.startswith("accuracy > 0.8: accuracy 0.7")


def test_a_check_that_only_continues_blocks_nothing() -> None:
    pipeline = draft(test="    on_fail: continue\n")
    assert tried(pipeline, past(0, metric(0.7, 0.02))).verdicts[0].would is PEOPLE


def test_an_uncertain_check_blocks_where_the_draft_wants_to_be_sure() -> None:
    pipeline = draft("[{that: accuracy > 0.9, on_uncertain: fail}]")
    verdict = tried(pipeline, past(0, metric(0.91, 0.03))).verdicts[0]
    assert verdict.would is BLOCKED
    assert verdict.why.endswith("the check wants to be sure")


def test_a_metric_that_nobody_measured_blocks_as_it_would_have() -> None:
    verdict = tried(draft("[recall > 0.5]"), past(0, metric(0.95))).verdicts[0]
    assert (verdict.would, verdict.why) == (BLOCKED, "recall > 0.5: recall was not reported")


def test_what_was_claimed_is_approved_where_the_environment_takes_claims_only() -> None:
    attempt, pipeline = past(0, metric(0.95)), draft(auto="logged > 0.9")
    assert tried(pipeline, attempt, claimed=True).verdicts[0].would is APPROVED
    refused = tried(pipeline, attempt).verdicts[0]
    assert (refused.would, refused.why) == (PEOPLE, "its metrics are claimed, and the environment wants measured")


def test_a_test_step_of_another_name_is_asked_of_everything_that_was_found_out() -> None:
    attempt = past(0, metric(0.95, 0.02), step="old_name")
    assert tried(draft(), attempt).verdicts[0].would is APPROVED


def test_the_champion_of_the_time_is_compared_by_the_paired_difference_of_the_time() -> None:
    champion = Champion("1", "sha256:c", {"accuracy": metric(0.94, 0.02)})
    difference = Comparison("accuracy", metric(0.01, 0.005), 0.01, "tango", 300, 0.02, "higher")
    attempt = past(2, metric(0.95, 0.02), champion=champion, comparisons=(difference,))
    found = tried(draft(auto="accuracy >= champion.accuracy"), attempt).verdicts[0]
    assert found.would is APPROVED
    assert found.why.startswith("delta.accuracy 0.01, paired")
    alone = past(2, metric(0.95, 0.02), champion=champion)
    assert tried(draft(auto="accuracy >= champion.accuracy"), alone).verdicts[0].would is PEOPLE


def test_floors_for_slices_are_replayed_too() -> None:
    slices = (SliceResult(("region",), ("east",), 90, "accuracy", 0.5, Interval(0.4, 0.6)),)
    attempt = past(0, metric(0.95, 0.02), slices=slices)
    found = tried(draft("[{name: floor, that: accuracy > 0.8, for_each: region}]"), attempt).verdicts[0]
    assert found.would is BLOCKED
    assert found.why.startswith("floor: east: region east: accuracy 0.5")


def test_a_corrected_draft_is_only_as_sure_as_the_intervals_that_were_kept() -> None:
    pipeline = draft(test="      correct: true\n")
    attempt = past(0, metric(0.95, 0.02), test_set=TestSet("sha256:t", 300, 2))
    verdict = tried(pipeline, attempt).verdicts[0]
    assert verdict.would is PEOPLE
    assert "has its interval at 95 %" in verdict.why


def test_each_rule_sees_what_would_have_come_to_it_and_how_much_at_once() -> None:
    attempts = [past(number, metric(0.91, 0.03), hours=1) for number in range(5)]
    found = tried(draft(), *attempts, past(5, metric(0.99, 0.001), was=APPROVED, hours=None))
    risk, product = found.queues
    assert (risk.step, risk.rule, risk.approvers, risk.required_approvals) == ("approve", "risk", ("group:risk",), 2)
    assert (risk.sent, risk.most_a_day, risk.most_at_once) == (5, 3, 3)
    assert risk.busiest_on == NOON.date()
    assert (product.sent, product.required_approvals) == (5, 1)
    assert found.usual_wait == timedelta(hours=1)


def test_who_never_waited_is_taken_to_wait_as_long_as_the_others_did() -> None:
    blocked = [past(number, metric(0.91, 0.03), was=BLOCKED, hours=None) for number in range(2)]
    found = tried(draft(), *blocked, past(8, metric(0.91, 0.03), hours=2))
    assert found.queues[0].most_at_once == 2
    nobody = tried(draft(), *blocked)
    assert (nobody.usual_wait, nobody.queues[0].sent, nobody.queues[0].most_at_once) == (None, 2, 0)


def test_nothing_comes_to_a_rule_that_nothing_is_sent_to() -> None:
    (risk, _) = tried(draft(), past(0, metric(0.95, 0.01))).queues
    assert (risk.sent, risk.busiest_on, risk.most_at_once) == (0, None, 0)


def test_what_became_of_an_attempt_is_told_by_its_checks_gates_and_policies() -> None:
    assert outcome_of(was_blocked=True, gates=0, by_policy=0) is BLOCKED
    assert outcome_of(was_blocked=False, gates=0, by_policy=0) is APPROVED
    assert outcome_of(was_blocked=True, gates=1, by_policy=0) is PEOPLE
    assert outcome_of(was_blocked=False, gates=2, by_policy=1) is PEOPLE
    assert outcome_of(was_blocked=False, gates=2, by_policy=2) is APPROVED
