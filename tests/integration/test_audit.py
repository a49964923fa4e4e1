"""The audit log: every write has an event, and nobody changes one afterwards, whoever connects."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from factories import ALICE, BOB, CAROL, DAVE, ERIN
from house import House, made, refused
from signoff.domain.actor import Person, Role
from signoff.engine import settling
from signoff.store.migrate import upgrade

SERVICE = "signoff_service"


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'eve'", "DELETE FROM audit_events"])
def test_the_owner_cannot_change_or_delete_an_event(house: House, statement: str) -> None:
    house.submit()
    before = house.kept()["audit_events"]
    assert before[0] > 0
    with (
        psycopg.connect(house.database_url) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="append-only"),
    ):
        connection.execute(statement)
    assert house.kept()["audit_events"] == before


def test_the_owner_cannot_empty_the_log(house: House) -> None:
    with (
        psycopg.connect(house.database_url) as connection,
        pytest.raises(psycopg.errors.RaiseException, match="append-only"),
    ):
        connection.execute("TRUNCATE audit_events")
    assert house.kept()["audit_events"][0] > 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET actor = 'eve'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "DROP TABLE audit_events",
        "DELETE FROM signoff_migrations",
    ],
)
def test_the_service_may_not_even_try(house: House, statement: str) -> None:
    upgrade(house.database_url, service_role=SERVICE)
    with psycopg.connect(_as_service(house.database_url)) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (SERVICE,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_the_service_can_do_its_own_work(house: House) -> None:
    upgrade(house.database_url, service_role=SERVICE)
    with psycopg.connect(_as_service(house.database_url)) as connection:
        connection.execute(
            "INSERT INTO audit_events (type, actor, at, detail) VALUES ('run.commented', 'bob', now(), '{}')"
        )
        connection.execute("DELETE FROM idempotency_keys")
        connection.execute("SELECT count(*) FROM procrastinate_jobs")


def _as_service(url: str) -> str:
    return psycopg.conninfo.make_conninfo(url, user=SERVICE)


def test_every_step_of_a_story_is_on_record_with_its_actor(house: House) -> None:
    run_id = house.submit()
    made(house.as_("carol").post(f"/runs/{run_id}/comments", {"body": "looks fine"}))
    house.decide("bob", run_id, "approve")
    story = [(event.type.value, event.actor) for event in house.events(run_id)]
    assert story == [
        ("run.submitted", "alice"),
        ("gate.opened", "system"),
        ("run.commented", "carol"),
        ("gate.decided", "bob"),
        ("gate.closed", "bob"),
        ("step.succeeded", "system"),
        ("deployment.started", "system"),
        ("step.started", "system"),
        ("step.succeeded", "system"),
        ("deployment.succeeded", "system"),
        ("run.succeeded", "system"),
    ]
    indexes = [event.index or 0 for event in house.events()]
    assert indexes == sorted(set(indexes))


def test_an_event_names_the_request_that_caused_it(house: House) -> None:
    run_id = house.submit()
    answer = house.says("bob", run_id, "approve", digest=house.gate(run_id)["digest"])
    [event] = [e for e in house.events(run_id) if e.type == "gate.decided"]
    assert event.detail["request_id"] == answer.headers["x-request-id"]


def test_a_write_that_fails_leaves_no_event(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = house.submit()
    body = {"verdict": "approve", "digest": house.gate(run_id)["digest"]}

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(settling, "wake_run", fail)
    with house.unchanged(), pytest.raises(ZeroDivisionError):
        house.as_("bob").post(f"/runs/{run_id}/gates/approve/decisions", body)


@pytest.mark.parametrize("who", ["alice", "bob", "dave"])
def test_the_whole_log_is_for_auditors_and_administrators(house: House, who: str) -> None:
    refused(house.as_(who).get("/audit"), 403, "not_allowed")


def test_the_events_of_a_run_are_for_everybody_who_reads_it(house: House) -> None:
    run_id = house.submit()
    found = made(house.as_("dave").get("/audit", params={"run": run_id[:6]}))["items"]
    assert [event["type"] for event in found] == ["gate.opened", "run.submitted"]


def test_the_log_is_read_page_by_page_newest_first(house: House) -> None:
    house.people(ALICE, BOB, CAROL, Person("dave", DAVE.roles | {Role.AUDITOR}), ERIN)
    house.submit()
    seen: list[int] = []
    cursor: str | None = None
    while True:
        page = made(house.as_("dave").get("/audit", params={"limit": 2, **({"cursor": cursor} if cursor else {})}))
        seen += [event["index"] for event in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == sorted((event.index or 0 for event in house.events()), reverse=True)


def test_the_log_is_narrowed_by_type_actor_and_model(house: House) -> None:
    run_id = house.submit()
    house.decide("bob", run_id, "approve")

    def found(**query: str) -> set[tuple[str, str]]:
        items = made(house.as_("erin").get("/audit", params=query))["items"]
        return {(event["type"], event["actor"]) for event in items}

    assert found(type="gate.decided") == {("gate.decided", "bob")}
    assert found(actor="bob") == {("gate.decided", "bob"), ("gate.closed", "bob")}
    assert found(model="churn") == set()
