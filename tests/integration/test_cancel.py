"""Cancelling a run in each state, a running command included; and a worker that is told to stop."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from factories import MODEL
from house import APPROVE_AND_DEPLOY, House, made, refused
from signoff.engine import commands
from signoff.ports import Log, Task

TESTED = """\
steps:
  - {name: test, type: test, inputs: {run: evaluate}}
  - {name: approve, type: approval, inputs: {approvers: ['bob']}}
"""


def about_to_test(house: House) -> str:
    """A run whose test command is about to run."""
    content = io.BytesIO()
    tarfile.open(fileobj=content, mode="w:gz").close()
    snapshot = made(house.as_("alice").ask("POST", "/snapshots", content=content.getvalue()))["digest"]
    body = {"pipeline": TESTED, "model": house.version(), "snapshot": snapshot}
    return str(made(house.as_("alice").post("/runs", body))["id"])


def cancel(house: House, run_id: str, who: str = "alice") -> None:
    made(house.as_(who).post(f"/runs/{run_id}/cancel"))


def test_a_waiting_run_is_cancelled_with_its_gate(house: House) -> None:
    run_id = house.submit()
    digest = house.gate(run_id)["digest"]
    cancel(house, run_id)
    body = house.run(run_id)
    assert (body["status"], body["model_status"], body["error"]) == ("cancelled", "cancelled", "cancelled by alice")
    assert {s["status"] for s in body["attempts"][0]["steps"]} == {"cancelled"}
    assert house.types(run_id)[-2:] == ["gate.cancelled", "run.cancelled"]
    assert house.gate(run_id)["status"] == "cancelled"
    with house.unchanged():
        refused(house.says("bob", run_id, "approve", digest=digest), 409, "gate_closed")
        again = house.as_("alice").post(f"/runs/{run_id}/cancel")
    assert "has ended: it is cancelled" in refused(again, 409, "conflict")


def test_a_run_that_nobody_started_on_is_cancelled(house: House) -> None:
    body = {"pipeline": APPROVE_AND_DEPLOY, "model": house.version()}
    run_id = made(house.as_("alice").post("/runs", body))["id"]
    cancel(house, run_id)
    assert house.work() == 2  # the run's own, and the one that tells the registry
    assert house.status(run_id) == "cancelled"
    assert "gate.opened" not in house.types(run_id)


def test_a_run_that_waits_for_a_version_is_cancelled(house: House) -> None:
    run_id = house.submit()
    house.decide("bob", run_id, "request_changes")
    cancel(house, run_id)
    assert house.status(run_id) == "cancelled"
    reference = house.version()
    with house.unchanged():
        answer = house.as_("alice").post(f"/runs/{run_id}/submissions", {"model": reference})
    refused(answer, 409, "conflict")


def test_an_errored_run_is_cancelled(house: House) -> None:
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    house.registry.is_down = True
    house.work()
    cancel(house, run_id, "erin")
    assert house.run(run_id)["error"] == "cancelled by erin"
    with house.unchanged():
        refused(house.as_("alice").post(f"/runs/{run_id}/retry"), 409, "conflict")


def test_an_approved_run_is_cancelled_before_its_deployment(house: House) -> None:
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    cancel(house, run_id)
    house.work()
    assert house.status(run_id) == "cancelled"
    assert house.registry.alias(MODEL, "champion") is None


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_a_run_that_ended_is_not_cancelled(house: House, verdict: str) -> None:
    run_id = house.submit()
    house.decide("bob", run_id, verdict)
    with house.unchanged():
        answer = house.as_("alice").post(f"/runs/{run_id}/cancel")
    assert "There is nothing to cancel" in refused(answer, 409, "conflict")


def test_a_deployment_under_way_is_not_cancelled(house: House) -> None:
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    answers = []
    deployer = house.machinery.deployers["alias"]
    deploy = deployer.deploy

    def cancel_meanwhile(*release: object) -> str | None:
        with house.unchanged():
            answers.append(house.as_("alice").post(f"/runs/{run_id}/cancel"))
        return deploy(*release)  # type: ignore[arg-type]

    deployer.deploy = cancel_meanwhile  # type: ignore[method-assign]
    house.work()
    words = refused(answers[0], 409, "conflict")
    assert "deploy is putting fraud-detector into production at this moment" in words
    assert f"signoff rollback production {MODEL}" in words
    assert house.status(run_id) == "succeeded"


def test_only_who_submitted_a_run_or_an_administrator_cancels_it(house: House) -> None:
    run_id = house.submit()
    with house.unchanged():
        refused(house.as_("bob").post(f"/runs/{run_id}/cancel"), 403, "not_allowed")
        refused(house.as_("dave").post(f"/runs/{run_id}/cancel"), 403, "not_allowed")
    cancel(house, run_id, "erin")
    assert house.status(run_id) == "cancelled"


@pytest.mark.parametrize("how", ["told", "ignorant"])
def test_a_running_command_is_ended_and_writes_nothing_more(
    house: House, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(commands, "_POLL_SECONDS", 0.0)
    started: threading.Event = threading.Event()
    reason: list[str] = []

    def evaluate(task: Task, log: Log, should_stop: Callable[[], str | None]) -> int:
        started.set()
        deadline = time.monotonic() + 20
        while not reason and time.monotonic() < deadline:
            if how == "told":
                reason.extend(filter(None, [should_stop()]))
            elif house.status(run_id) == "cancelled":
                reason.append("ended by itself")
        return 0

    house.runner._commands["evaluate"] = evaluate
    run_id = about_to_test(house)
    with ThreadPoolExecutor(1) as worker:
        working = worker.submit(house.work)
        assert started.wait(20)
        cancel(house, run_id)
        events = house.types(run_id)
        working.result()
    assert reason == (["cancelled"] if how == "told" else ["ended by itself"])
    body = house.run(run_id)
    assert (body["status"], body["attempts"][0]["steps"][0]["status"]) == ("cancelled", "cancelled")
    assert house.types(run_id) == events
    assert body["attempts"][0]["steps"][0]["evidence"] is None


def test_a_worker_told_to_stop_hands_its_step_back_to_another(house: House) -> None:
    tries = []

    def evaluate(task: Task, log: Log, should_stop: Callable[[], str | None]) -> int:
        tries.append(task.try_number)
        if len(tries) == 1:
            house.machinery.stopping.set()
            assert should_stop() == "stopped"
        return 0

    house.runner._commands["evaluate"] = evaluate
    run_id = about_to_test(house)
    [(_, arguments)] = house.take_jobs()
    house.advance(arguments["run_id"])
    assert (house.status(run_id), house.step(run_id, "test")["status"]) == ("running", "pending")
    assert house.types(run_id)[-1] == "step.handed_back"
    house.machinery.stopping.clear()
    assert house.work() == 1
    assert (house.status(run_id), tries) == ("waiting", [1, 1])


def test_a_worker_told_to_stop_while_the_registry_is_away_hands_the_gate_back(house: House) -> None:
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    house.take_jobs()
    house.registry.is_down = True
    house.machinery.stopping.set()
    house.advance(run_id)
    assert house.status(run_id) == "running"
    house.registry.is_down = False
    house.machinery.stopping.clear()
    assert house.work() == 1
    assert house.status(run_id) == "succeeded"


def test_a_step_in_which_workers_keep_dying_is_given_up(house: House) -> None:
    class DeadError(BaseException):
        pass

    def evaluate(task: Task, log: Log, should_stop: Callable[[], str | None]) -> int:
        raise DeadError

    house.runner._commands["evaluate"] = evaluate
    run_id = about_to_test(house)
    house.take_jobs()
    for _ in range(5):
        with pytest.raises(DeadError):
            house.advance(run_id)
    house.advance(run_id)
    body = house.run(run_id)
    assert body["status"] == "errored"
    assert "Workers died 5 times while test ran" in body["error"]
