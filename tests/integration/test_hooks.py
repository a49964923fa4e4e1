"""MLflow's webhook is a hint: signed, fresh and new it has the registry looked at now; it is never believed itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from factories import MODEL
from house import House, made, refused
from signoff.engine.tick import sweep
from signoff.service.limits import HOOKS
from trigger_scene import arrive, event_of, register, run_ids, send_hook


def test_a_hook_has_the_new_version_run_at_once(house: House) -> None:
    register(house)
    arrive(house)
    answer = send_hook(house, event_of(MODEL))
    assert (answer.status_code, answer.json()) == (202, {"pipeline": "fraud"})
    house.work()
    assert list(run_ids(house)) == [1]
    assert house.status(run_ids(house)[1] or "") == "waiting"


def test_a_hook_about_a_version_that_the_registry_has_not_starts_nothing(house: House) -> None:
    register(house)
    made(send_hook(house, event_of(MODEL)))
    house.work()
    assert run_ids(house) == {}


@pytest.mark.parametrize(
    "event",
    [
        event_of("example_model"),  # what MLflow sends to try a webhook out
        event_of(MODEL, action="deleted"),
        event_of(MODEL, entity="registered_model"),
        event_of("a\x00b"),
        {**event_of(MODEL), "data": {"name": 7}},
    ],
    ids=range(5),
)
def test_events_that_start_nothing_are_taken_and_wake_nobody(house: House, event: dict[str, Any]) -> None:
    register(house)
    assert made(send_hook(house, event)) == {"pipeline": None}
    assert house.take_jobs() == []


def test_a_hook_that_is_not_signed_with_the_servers_secret_is_refused(house: House) -> None:
    register(house)
    said = refused(send_hook(house, event_of(MODEL), secret="guessed"), 401, "hook_refused")
    assert "SIGNOFF_MLFLOW_WEBHOOK_SECRET" in said
    refused(house.client.post("/api/v1/hooks/mlflow", json=event_of(MODEL)), 401, "hook_refused")
    tampered = {"X-MLflow-Delivery-Id": "another"}
    refused(send_hook(house, event_of(MODEL), headers=tampered), 401, "hook_refused")
    assert house.take_jobs() == []


@pytest.mark.parametrize("seconds", [-301, 302])
def test_a_hook_of_another_time_is_refused(house: House, seconds: float) -> None:
    refused(send_hook(house, event_of(MODEL), seconds=seconds), 401, "hook_stale")


def test_a_hook_that_is_sent_again_is_refused_and_forgotten_once_it_is_too_old_anyway(house: House) -> None:
    register(house)
    now = house.clock.now
    made(send_hook(house, event_of(MODEL), delivery="d-1"))
    house.clock.now = now
    said = refused(send_hook(house, event_of(MODEL), delivery="d-1"), 409, "hook_repeated")
    assert said == "This webhook was taken before. Each delivery is good for once."
    assert house.work() == 1
    assert house.kept()["used_hooks"][0] == 1
    house.clock.wait(minutes=11)
    sweep(house.machinery)
    assert house.kept()["used_hooks"][0] == 0


def test_a_hook_that_holds_no_event_is_refused(house: House) -> None:
    for body in (b"", b"[]", b'{"entity": "model_version"}', b"\xff", b'{"entity": 1, "action": 2, "data": 3'):
        said = refused(send_hook(house, body), 422, "invalid")
        assert said == "The webhook holds no event of MLflow. Subscribe it to model_version.created."


def test_a_server_without_the_secret_takes_no_hooks(house: House) -> None:
    house.desk = replace(house.desk, hook_secret=None)
    said = refused(send_hook(house, event_of(MODEL)), 422, "not_available_yet")
    assert "Set SIGNOFF_MLFLOW_WEBHOOK_SECRET" in said


def test_guessing_the_secret_is_slow(house: House) -> None:
    for _ in range(HOOKS.of_address):
        send_hook(house, event_of(MODEL), secret="guessed")
    refused(send_hook(house, event_of(MODEL)), 429, "too_many_attempts")
    house.clock.wait(minutes=16)
    made(send_hook(house, event_of(MODEL)))
