"""The same bytes through staging, then production: in one pipeline and in two. Runs the files of examples/promotion."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from house import House, made, refused
from signoff.ports import Log, Task
from signoff.spec import read_people
from training_scene import folder

EXAMPLE = Path(__file__).parents[2] / "examples" / "promotion"
MODEL = "iris"


def text(name: str) -> str:
    return (EXAMPLE / name).read_text(encoding="utf-8")


@pytest.fixture
def measured() -> dict[str, float]:
    """What the example's test command measures."""
    return {"accuracy": 0.95, "worst_recall": 0.9}


@pytest.fixture
def road(house: House, measured: dict[str, float]) -> House:
    """The house with the example's people, environments and test command."""

    def evaluate(task: Task, _log: Log, _should_stop: Callable[[], str | None]) -> int:
        metric = "worst_recall" if task.argv[-1] == "worst" else "accuracy"
        found = {metric: measured[metric]}
        (Path(task.environment["SIGNOFF_OUTPUT"]) / "metrics.json").write_text(json.dumps(found))
        return 0

    house.runner._commands["python"] = evaluate
    directory, problems = read_people(text("people.yaml"))
    assert problems == ()
    assert directory is not None
    house.people(*directory.people.values())
    made(house.as_("erin").ask("PUT", "/environments", json={"document": text("environments.yaml")}))
    return house


def submit(house: House, name: str = "signoff.yaml", model: str | None = None) -> str:
    return house.submit(text(name), model or house.version(model=MODEL), snapshot=folder(house))


def places(house: House) -> list[str]:
    found = made(house.as_("dave").get("/deployments"))["items"]
    return sorted(f"{d['environment']} v{d['version']} {d['digest'][:13]}" for d in found if d["status"] == "live")


def approve(house: House, run_id: str, step: str, *who: str) -> None:
    for name in who:
        house.decide(name, run_id, "approve", step)


def test_one_pipeline_walks_the_whole_road(road: House) -> None:
    run_id = submit(road)
    approve(road, run_id, "approve_staging", "bob")
    assert [place.split()[0] for place in places(road)] == ["staging"]
    approve(road, run_id, "approve_production", "carol")
    assert road.status(run_id) == "waiting", "bob approved for staging, which does not count for production"
    rules = {rule["name"]: rule["missing"] for rule in road.gate(run_id, "approve_production")["rules"]}
    assert rules == {"approve_production": 0, "risk": 1}
    approve(road, run_id, "approve_production", "bob")
    assert road.status(run_id) == "succeeded"
    staged, released = places(road)[1], places(road)[0]
    assert staged.split()[1:] == released.split()[1:], "the same version, the same bytes"


def test_each_gate_is_about_the_evidence_before_it(road: House) -> None:
    run_id = submit(road)
    approve(road, run_id, "approve_staging", "bob")
    first, second = (road.gate(run_id, step)["subject"] for step in ("approve_staging", "approve_production"))
    assert (first["environment"], second["environment"]) == ("staging", "production")
    assert len(first["evidence_digests"]) == 1
    assert second["evidence_digests"][:1] == first["evidence_digests"]
    assert len(second["evidence_digests"]) == 2


def test_two_pipelines_walk_the_same_road(road: House) -> None:
    version = road.version(model=MODEL)
    first = submit(road, "staging.yaml", version)
    approve(road, first, "approve_staging", "bob")
    assert road.status(first) == "succeeded"
    second = submit(road, "production.yaml", version)
    approve(road, second, "approve_production", "bob", "carol")
    assert road.status(second) == "succeeded"
    assert [place.split()[0] for place in places(road)] == ["production", "staging"]


def test_what_staging_never_had_is_refused_at_submit(road: House) -> None:
    version, snapshot = road.version(model=MODEL), folder(road)
    with road.unchanged():
        body = {"pipeline": text("production.yaml"), "model": version, "snapshot": snapshot}
        words = refused(road.as_("alice").post("/runs", body), 409, "environment_protected")
    assert words == (
        "production takes only what was deployed to staging first, and these bytes were not. Deploy to staging in a "
        "step before, or submit a version that was live there."
    )


def test_what_is_trained_and_goes_to_production_right_away_is_refused_at_submit(road: House) -> None:
    training = "steps:\n  - {name: train, type: training, inputs: {run: python train.py}}\n"
    snapshot = folder(road)
    with road.unchanged():
        body = {"pipeline": text("production.yaml").replace("steps:\n", training), "model": None, "snapshot": snapshot}
        words = refused(road.as_("alice").post("/runs", body), 409, "environment_protected")
    assert "and what is trained here was not" in words


def test_other_bytes_under_the_same_version_do_not_count_as_staged(road: House) -> None:
    version = road.version(model=MODEL)
    first = submit(road, "staging.yaml", version)
    approve(road, first, "approve_staging", "bob")
    road.tamper(model=MODEL)
    snapshot = folder(road)
    with road.unchanged():
        body = {"pipeline": text("production.yaml"), "model": version, "snapshot": snapshot}
        refused(road.as_("alice").post("/runs", body), 409, "environment_protected")


@pytest.mark.parametrize("when", ["at the gate", "at the deployment"])
def test_bytes_that_change_after_staging_go_through_staging_again(road: House, when: str) -> None:
    run_id = submit(road)
    approve(road, run_id, "approve_staging", "bob")
    [before] = places(road)
    approve(road, run_id, "approve_production", "carol")
    if when == "at the gate":
        road.tamper(model=MODEL)
        approve(road, run_id, "approve_production", "bob")
    else:
        made(road.says("bob", run_id, "approve", "approve_production"))
        tamper_after(road, "confirm")
        road.work()
    gate = road.gate(run_id, "approve_staging")
    assert (road.status(run_id), gate["round"]) == ("waiting", 2)
    assert "the model's bytes changed" in gate["note"]
    assert road.step(run_id, "stage")["status"] == "pending"
    assert places(road) == [before], "what was approved serves on in staging"
    approve(road, run_id, "approve_staging", "carol")
    assert road.step(run_id, "stage")["status"] == "succeeded"
    approve(road, run_id, "approve_production", "bob", "carol")
    assert road.status(run_id) == "succeeded"
    released, staged = places(road)
    assert released.split()[1:] == staged.split()[1:]
    assert staged != before
    assert road.types(run_id).count("deployment.succeeded") == 3


def tamper_after(house: House, what: str) -> None:
    """Change the bytes once the gate is confirmed: the second fetch of the registry from now on finds others."""
    fetch = house.registry.fetch
    fetched: list[str] = []

    def later(version: Any, copy: Any) -> Any:
        fetched.append(what)
        if len(fetched) == 2:
            house.tamper(model=MODEL)
        return fetch(version, copy)

    house.registry.fetch = later  # type: ignore[method-assign]


def test_a_check_that_failed_keeps_it_out_of_production_whatever_people_say(
    road: House, measured: dict[str, float]
) -> None:
    measured["worst_recall"] = 0.5
    lenient = text("signoff.yaml").replace("checks: [worst_recall > 0.8]\n", "checks: [worst_recall > 0.8]\n"
                                           "    on_fail: continue\n")  # fmt: skip
    run_id = road.submit(lenient, road.version(model=MODEL), snapshot=folder(road))
    approve(road, run_id, "approve_staging", "bob")
    approve(road, run_id, "approve_production", "bob", "carol")
    assert road.status(run_id) == "errored"
    error = road.step(run_id, "release")["error"]
    assert "production requires every check to pass, and these did not: worst_recall > 0.8" in error


def test_claimed_metrics_keep_it_out_of_production(road: House) -> None:
    pipeline = text("signoff.yaml").replace("      run: python evaluate.py worst\n", "")
    version = road.version(model=MODEL, worst_recall=0.99)
    run_id = road.submit(pipeline, version, snapshot=folder(road))
    approve(road, run_id, "approve_staging", "bob")
    approve(road, run_id, "approve_production", "bob", "carol")
    error = road.step(run_id, "release")["error"]
    assert "accepts measured metrics only, and these checks read claimed ones: worst_recall > 0.8" in error


@pytest.mark.parametrize(("counts", "status"), [(True, "succeeded"), (False, "waiting")])
def test_an_automatic_approval_counts_where_the_environment_says_so(road: House, counts: bool, status: str) -> None:
    document = text("environments.yaml").replace("allow_policy: false", f"allow_policy: {str(counts).lower()}")
    made(road.as_("erin").ask("PUT", "/environments", json={"document": document}))
    automatic = text("signoff.yaml").replace(
        "approvers: ['group:risk']\n", "approvers: ['group:risk']\n      auto_approve_if: accuracy > 0.9\n"
    )
    run_id = road.submit(automatic, road.version(model=MODEL), snapshot=folder(road))
    assert (road.status(run_id), road.step(run_id, "stage")["status"]) == (status, "succeeded")
    if not counts:
        approve(road, run_id, "approve_production", "bob", "carol")
        assert road.status(run_id) == "succeeded"
