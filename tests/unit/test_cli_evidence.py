"""What `signoff show` says of metrics, comparisons, slices and fairness."""

from __future__ import annotations

from fake_server import DIGEST, FakeServer, attempt, run
from signoff.wire.evidence import (
    CheckBody,
    ComparisonBody,
    EvidenceBody,
    FairnessBody,
    IntervalBody,
    MetricBody,
    PictureBody,
    SliceBody,
    TestSetBody,
)
from signoff.wire.runs import StepBody
from typist import Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures


def metric(name: str, value: float, low: float, high: float) -> MetricBody:
    return MetricBody(
        name=name, value=value, provenance="measured", low=low, high=high, level=0.95, method="wilson", n=300
    )


def piece(region: str, value: float | str, n: int, status: str, interval: IntervalBody | None) -> SliceBody:
    return SliceBody(
        columns=["region"], values=[region], n=n, metric="accuracy", value=value, interval=interval, status=status
    )


def shown(type_: Type, server: FakeServer, found: EvidenceBody) -> list[str]:
    step = StepBody(name="test_model", type="test", status="succeeded", tries=1, evidence=found)
    server.routes["GET", "/runs/last"] = run(attempts=[attempt(steps=[step], gates=[])])
    said = type_("show")
    assert said.status == 0
    return [line.rstrip() for line in said.out.splitlines()]


def test_metrics_come_with_their_intervals_and_the_rows_that_they_rest_on(type_: Type, server: FakeServer) -> None:
    found = EvidenceBody(
        digest=DIGEST,
        metrics=[metric("accuracy", 0.9033, 0.866, 0.931)],
        test_set=TestSetBody(digest=DIGEST, rows=1300, looks=3),
        checks=[
            CheckBody(
                name="accuracy > 0.9",
                expression="accuracy > 0.9",
                status="uncertain",
                severity="fail",
                reason="accuracy 0.9033: not sure that it is above 0.9; about 38,000 rows would be",
            )
        ],
        pictures=[PictureBody(name="roc", title="ROC", reading="It catches 81 %.", spec="plots/roc.vl.json")],
    )
    lines = shown(type_, server, found)
    assert "Metrics of test_model, 1,300 rows, looked at 3 times by now" in lines
    assert any(line.split()[:4] == ["value", "95", "%", "between"] for line in lines)
    assert any(line.split()[:5] == ["accuracy", "0.9033", "0.866", "to", "0.931"] for line in lines)
    assert any("about 38,000 rows would be" in line for line in lines)
    assert "  It catches 81 %." in lines


def test_the_first_look_is_called_so(type_: Type, server: FakeServer) -> None:
    found = EvidenceBody(
        digest=DIGEST, metrics=[metric("a", 0.5, 0.4, 0.6)], test_set=TestSetBody(digest=DIGEST, rows=20)
    )
    assert "Metrics of test_model, 20 rows, looked at for the first time" in shown(type_, server, found)


def test_differences_to_the_champion_are_signed_and_say_what_the_rows_could_show(
    type_: Type, server: FakeServer
) -> None:
    difference = metric("auc", 0.004, -0.003, 0.011)
    comparison = ComparisonBody(
        metric="auc", difference=difference, p_value=0.27, method="delong", n=300, detectable=0.01, better="higher"
    )
    sure = comparison.model_copy(update={"metric": "f1", "p_value": 0.00001, "detectable": None})
    found = EvidenceBody(digest=DIGEST, champion_version="2", comparisons=[comparison, sure])
    lines = shown(type_, server, found)
    assert "Against the champion v2, row by row" in lines
    rows = [line.split() for line in lines]
    assert ["auc", "+0.004", "-0.003", "to", "0.011", "0.27", "±", "0.01"] in rows
    assert ["f1", "+0.004", "-0.003", "to", "0.011", "<", "0.001"] in rows


def test_the_worst_slices_come_first_and_small_ones_are_not_red(type_: Type, server: FakeServer) -> None:
    pieces = [
        piece("north", 0.6, 90, "worse", IntervalBody(low=0.5, high=0.7)),
        piece("east", "nan", 1, "unsure", None),
        *[piece(f"r{index}", 0.9, 300, "fine", IntervalBody(low=0.8, high=0.95)) for index in range(6)],
    ]
    lines = shown(type_, server, EvidenceBody(digest=DIGEST, slices=pieces))
    assert "Slices 8 in all, 1 surely worse than the rest; worst first" in lines
    rows = [line.split() for line in lines]
    north = ["region", "north", "accuracy", "0.6", "0.5", "to", "0.7", "90", "worse", "than", "the", "rest"]
    assert north in rows
    assert ["region", "east", "accuracy", "nan", "1", "too", "few", "rows", "to", "tell"] in rows
    assert any(line.split()[:2] == ["region", "r2"] for line in lines)
    assert not any(line.split()[:2] == ["region", "r3"] for line in lines)


def test_a_fairness_gap_names_the_groups_that_are_furthest_apart(type_: Type, server: FakeServer) -> None:
    gap = FairnessBody(
        column="age",
        definition="equalised_odds",
        value=0.12,
        interval=IntervalBody(low=0.02, high=0.21),
        groups={"young": 0.5, "old": 0.38, "unknown": "nan"},
    )
    lines = shown(type_, server, EvidenceBody(digest=DIGEST, fairness=[gap]))
    assert "  age, equalised odds: gap 0.12, 95 % between 0.02 and 0.21 (old 0.38, young 0.5)" in lines
