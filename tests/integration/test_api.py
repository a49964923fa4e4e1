"""The REST edge: who gets in, how refusals look, lists by cursor, and events as they happen."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from factories import ALICE, BOB, CAROL, DAVE, ERIN, MODEL
from house import APPROVE_AND_DEPLOY, House, made, refused
from signoff.domain.actor import Person
from signoff.server import create_app


def operations(house: House) -> list[tuple[str, str]]:
    """(method, path) of everything under /api/v1, as its own description tells."""
    document = house.client.get("/api/v1/openapi.json").json()
    return [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, methods in document["paths"].items()
        for method in methods
    ]


def test_the_description_of_the_api_is_whole(house: House) -> None:
    document = house.client.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))
    text = json.dumps(document)
    references = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert references <= set(document["components"]["schemas"])
    assert all(path.startswith("/api/v1/") for path in document["paths"])


def test_every_route_wants_to_know_who_asks(house: House) -> None:
    found = operations(house)
    assert len(found) > 20
    for method, path in found:
        if path.endswith(("/device/code", "/device/token", "/tokens/exchange")) or "/unsubscribe/" in path:
            continue  # who asks for a credential has none, and the word of a mail is one
        if "/hooks/" in path:
            continue  # a signature lets them in; tests/attacks tries them without
        with house.unchanged():
            answer = house.client.request(method, path, json={} if method == "POST" else None)
        assert "says not who it is from" in refused(answer, 401, "not_authenticated"), (method, path)
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("header", ["Bearer x", "Bearer ", "Basic YTpi", "bearer signoff_" + "0" * 42, "é"])
def test_a_credential_that_is_none_lets_nobody_in(house: House, header: str) -> None:
    answer = house.client.get("/api/v1/runs", headers={b"Authorization": header.encode()})
    refused(answer, 401, "not_authenticated")


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0"])  # noqa: S104
def test_another_sites_name_for_this_server_is_refused(house: House, host: str) -> None:
    answer = house.client.get("/healthz", headers={"Host": host})
    assert answer.status_code == 400


def test_what_is_not_there_and_not_possible_is_told_as_a_problem(house: House) -> None:
    dave = house.as_("dave")
    assert "nothing at /api/v1/nothing" in refused(dave.get("/nothing"), 404, "not_found")
    assert "DELETE is not possible" in refused(dave.delete("/runs"), 405, "method_not_allowed")
    refused(house.client.get("/api/nothing"), 404, "not_found")
    for path in ("/runs/nothing", "/models/nothing", f"/models/{MODEL}/versions/1", "/deployments/nothing"):
        status, code = (404, "model_not_found") if path.startswith("/models") else (404, "not_found")
        refused(dave.get(path), status, code)
    refused(dave.get("/environments/mars"), 422, "unknown_environment")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body.pipeline"),
        ({"pipeline": 3}, "body.pipeline"),
        ({"pipeline": "x", "modle": "y"}, "body.modle"),
        ({"pipeline": "x", "snapshot": "sha256:short"}, "body.snapshot"),
        ({"pipeline": "x" * 262_145}, "body.pipeline"),
    ],
)
def test_a_malformed_request_is_told_which_field(house: House, body: dict[str, Any], field: str) -> None:
    with house.unchanged():
        answer = house.as_("alice").post("/runs", body)
    refused(answer, 422, "malformed_request")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'"\\ud800"'])
def test_a_body_that_is_no_object_is_refused(house: House, content: bytes) -> None:
    with house.unchanged():
        answer = house.as_("alice").ask("POST", "/runs", content=content, headers={"Content-Type": "application/json"})
    refused(answer, 422, "malformed_request")


def test_a_body_nested_without_end_is_refused(house: House) -> None:
    with house.unchanged():
        answer = house.as_("alice").ask(
            "POST", "/runs", content=b"[" * 100_000, headers={"Content-Type": "application/json"}
        )
    refused(answer, 400, "refused")


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_the_database_cannot_keep_is_refused_and_not_a_bug(house: House, text: str) -> None:
    run_id = house.submit()
    content = json.dumps({"body": text}).encode()
    with house.unchanged():
        answer = house.as_("bob").ask(
            "POST", f"/runs/{run_id}/comments", content=content, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("path", ["/runs/a%00b", "/runs?model=a%00", "/models/%00", "/runs/x/logs/%00"])
def test_an_address_that_the_database_cannot_look_for_is_no_bug(house: House, path: str) -> None:
    assert house.as_("erin").get(path).status_code in {404, 422}


@pytest.mark.parametrize("path", ["/runs?cursor=x", "/runs?cursor=WzEsMl0=", "/audit?cursor=-1", "/runs?limit=0"])
def test_a_cursor_that_is_none_is_refused(house: House, path: str) -> None:
    assert house.as_("erin").get(path).status_code == 422


def test_a_request_keeps_the_name_that_it_came_with_when_it_is_sane(house: House) -> None:
    assert house.client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    for given in ("a b", "x" * 65, "a\tb", ""):
        answer = house.client.get("/healthz", headers={"X-Request-Id": given})
        assert answer.headers["x-request-id"] not in {given, ""}


def test_answers_are_not_kept_nor_guessed_at(house: House) -> None:
    headers = house.as_("dave").get("/runs").headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_a_bug_is_told_without_its_details(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from signoff.service import views

    def break_down(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(views, "list_runs", break_down)
    client = TestClient(create_app(house.desk), raise_server_exceptions=False)
    answer = client.get("/api/v1/runs", headers={"Authorization": f"Bearer {house.secret('dave')}"})
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


def test_a_list_is_read_page_by_page_with_nothing_twice_and_nothing_missed(house: House) -> None:
    pipeline = APPROVE_AND_DEPLOY
    reference = house.version()
    ids = [house.submit(pipeline, reference) for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = made(house.as_("dave").get("/runs", params=query))
        seen += [run["id"] for run in page["items"]]
        if len(seen) == 2:
            house.submit(pipeline, reference)  # a newer one does not shift the pages
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == ids[::-1]


def test_runs_of_the_same_moment_are_each_on_one_page(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    reference, now = house.version(), house.clock.now
    monkeypatch.setattr(type(house.clock), "__call__", lambda _: now)
    ids = {
        made(house.as_("alice").post("/runs", {"pipeline": APPROVE_AND_DEPLOY, "model": reference}))["id"]
        for _ in range(4)
    }
    first = made(house.as_("dave").get("/runs", params={"limit": 3}))
    rest = made(house.as_("dave").get("/runs", params={"limit": 3, "cursor": first["next"]}))
    found = [run["id"] for run in [*first["items"], *rest["items"]]]
    assert (len(found), set(found)) == (4, ids)


def test_a_list_is_narrowed(house: House) -> None:
    waiting, done = house.submit(), house.submit(model=house.version(model="churn"))
    house.decide("bob", done, "approve")

    def ids(who: str = "dave", **query: str) -> list[str]:
        return [run["id"] for run in made(house.as_(who).get("/runs", params=query))["items"]]

    assert ids(state="waiting") == [waiting]
    assert ids(model="churn") == [done]
    assert ids(submitter="bob") == []
    assert set(ids("alice", submitter="me")) == {waiting, done}
    assert ids("bob", waiting_on="me") == [waiting]
    assert ids("carol", waiting_on="me") == []
    assert ids(state="nonsense") == []


def test_a_run_is_found_by_a_unique_beginning_of_its_id_or_as_the_last(house: House) -> None:
    house.people(ALICE, Person("bob", BOB.roles | ALICE.roles), CAROL, DAVE, ERIN)
    mine = house.submit()
    other = house.submit(by="bob", pipeline=APPROVE_AND_DEPLOY.replace("bob", "carol"))
    dave, alice = house.as_("dave"), house.as_("alice")
    assert made(dave.get(f"/runs/{mine[:8]}"))["id"] == mine
    assert made(alice.get("/runs/last"))["id"] == mine
    assert made(dave.get("/runs/last"))["id"] == other
    refused(dave.get("/runs/%25"), 404, "not_found")
    refused(dave.get("/runs/_"), 404, "not_found")


def test_a_beginning_of_several_ids_is_refused(house: House) -> None:
    run_id = house.submit()
    with house.database.begin() as tx:
        tx.exec_driver_sql(
            "INSERT INTO runs SELECT id || 'x', model, pipeline_digest, snapshot_digest, status, submitter, note, "
            "attempt, version, step, epoch, error, created_at, updated_at, ended_at FROM runs"
        )
    words = refused(house.as_("dave").get(f"/runs/{run_id[:-1]}"), 400, "ambiguous")
    assert run_id in words
    refused(house.as_("dave").get(f"/runs/{run_id}y"), 404, "not_found")


def test_the_inbox_shows_first_what_waits_for_the_reader(house: House) -> None:
    run_id = house.submit(APPROVE_AND_DEPLOY.replace("['bob']", "['bob', 'carol'], required_approvals: 2"))
    [item] = made(house.as_("bob").get("/inbox"))["items"]
    assert (item["run"]["id"], item["can_decide"], item["blocks"]) == (run_id, True, "production")
    [own] = made(house.as_("alice").get("/inbox"))["items"]
    assert own["can_decide"] is False
    assert made(house.as_("dave").get("/inbox"))["items"] == []
    house.decide("bob", run_id, "approve")
    [item] = made(house.as_("bob").get("/inbox"))["items"]
    assert item["can_decide"] is False


def test_an_explanation_names_who_can_and_why_others_cannot(house: House) -> None:
    run_id = house.submit()
    body = made(house.as_("dave").get(f"/runs/{run_id}/gates/approve/explanation"))
    assert body["status"] == "open"
    assert "bob" in body["sentence"]
    assert {p["person"] for p in body["people"] if p["can_decide"]} == {"bob"}


def test_models_and_environments_show_what_is_live(house: House) -> None:
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
    [model] = made(house.as_("dave").get("/models"))["items"]
    assert (model["name"], model["versions"][0]["live_in"]) == (MODEL, ["production"])
    version = made(house.as_("dave").get(f"/models/{MODEL}/versions/1"))
    assert (version["model_status"], version["run_id"]) == ("deployed", run_id)
    production = made(house.as_("dave").get("/environments/production"))
    assert [d["version"] for d in production["live"]] == ["1"]


def test_a_pipeline_is_checked_without_keeping_anything(house: House) -> None:
    with house.unchanged():
        body = made(house.as_("dave").post("/pipelines/validate", {"pipeline": "steps: 3\n", "filename": "a.yaml"}))
    assert body["is_valid"] is False
    assert body["problems"][0]["line"] == 1
    assert body["text"].startswith("a.yaml:1:")
    assert made(house.as_("dave").post("/pipelines/validate", {"pipeline": APPROVE_AND_DEPLOY}))["is_valid"] is True


@contextmanager
def serving(house: House) -> Iterator[str]:
    """A real server on loopback: streams are streams there."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(house.desk), log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def listen(house: House, base: str, run_id: str, count: int, **headers: str) -> list[tuple[int, str]]:
    """The first `count` events of the stream: (id, type)."""
    headers["Authorization"] = f"Bearer {house.secret('dave')}"
    found: list[tuple[int, str]] = []
    event: dict[str, str] = {}
    with httpx2.stream("GET", f"{base}/runs/{run_id}/events", headers=headers, timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif "id" in event:
                assert json.loads(event["data"])["type"] == event["event"]
                found.append((int(event["id"]), event["event"]))
                event = {}
                if len(found) == count:
                    return found
    raise AssertionError(found)


def test_events_come_as_they_happen_and_go_on_after_the_last_one_seen(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from signoff.api import runs

    monkeypatch.setattr(runs, "_EVERY_SECONDS", 0.02)
    run_id = house.submit()
    with serving(house) as base:
        first = listen(house, base, run_id, 2)
        assert [kind for _, kind in first] == ["run.submitted", "gate.opened"]
        deciding = threading.Timer(0.1, house.decide, ("bob", run_id, "approve"))
        deciding.start()
        after = listen(house, base, run_id, 2, **{"Last-Event-ID": str(first[-1][0])})
        deciding.join()
        assert [kind for _, kind in after] == ["gate.decided", "gate.closed"]
        again = listen(house, base, run_id, 3, **{"Last-Event-ID": str(first[0][0])})
        assert again == [first[1], *after]


def test_events_of_nothing_are_refused_before_the_stream_begins(house: House) -> None:
    with serving(house) as base:
        answer = httpx2.get(
            f"{base}/runs/nothing/events", headers={"Authorization": f"Bearer {house.secret('dave')}"}, timeout=10
        )
    refused(answer, 404, "not_found")


def test_no_route_is_left_out_of_the_description(house: House) -> None:
    described = {path for _, path in operations(house)}
    routes = [r for r in create_app(house.desk).routes if isinstance(r, APIRoute)]
    hidden = {r.path for r in routes if r.path.replace("{", "").replace("}", "") not in described}
    assert hidden <= {"/healthz", "/readyz", "/metrics"}
