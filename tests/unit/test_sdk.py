"""The client: requests, repeats, refusals, lists, waiting and logs."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from fake_server import (
    DIGEST,
    NOON,
    URL,
    FakeServer,
    ended,
    page,
    problem,
    run,
)
from sdk_scene import client_of
from signoff.domain.errors import (
    SignoffError,
)
from signoff.sdk.errors import ApiError, ServerUnreachableError, WaitedTooLongError
from signoff.sdk.paging import gather
from signoff.sdk.run import Run, read_log
from signoff.wire.catalogue import AuditBody
from signoff.wire.gates import DecisionRequest
from signoff.wire.runs import SubmitRequest

SUBMISSION = SubmitRequest(pipeline="steps: []", model="models:/fraud/3")


def test_every_request_carries_the_credential() -> None:
    server = FakeServer({("GET", "/runs/last"): run()})
    client_of(server).get_run("last")
    assert server.seen[0].headers["Authorization"] == "Bearer secret"


def test_a_submission_is_repeated_with_the_same_key_until_the_server_is_back() -> None:
    server = FakeServer(
        {("POST", "/runs"): [httpx2.ReadError("gone"), httpx2.Response(503), httpx2.Response(502), run()]}
    )
    sleeps: list[float] = []
    assert client_of(server, sleeps).submit(SUBMISSION).id == "abc123"
    keys = {request.headers["Idempotency-Key"] for request in server.sent("POST", "/runs")}
    assert (len(server.seen), len(keys), len(sleeps)) == (4, 1, 3)
    assert sleeps == sorted(sleeps)


def test_two_submissions_have_two_keys() -> None:
    server = FakeServer({("POST", "/runs"): run()})
    client = client_of(server)
    client.submit(SUBMISSION)
    client.submit(SUBMISSION)
    assert len({request.headers["Idempotency-Key"] for request in server.seen}) == 2


def test_a_submission_is_tried_four_times_and_no_more() -> None:
    server = FakeServer({("POST", "/runs"): httpx2.ConnectError("refused")})
    with pytest.raises(ServerUnreachableError, match=r"No answer from http://localhost:8010: refused\."):
        client_of(server).submit(SUBMISSION)
    assert len(server.seen) == 4


def test_a_decision_is_never_repeated_by_itself() -> None:
    server = FakeServer({("POST", "/runs/abc/gates/approve_model/decisions"): httpx2.ReadError("gone")})
    with pytest.raises(ServerUnreachableError):
        client_of(server).decide("abc", "approve_model", DecisionRequest(verdict="approve", digest=DIGEST))
    assert len(server.seen) == 1


def test_a_read_of_a_server_that_is_not_there_fails_at_once() -> None:
    server = FakeServer({("GET", "/me"): httpx2.ConnectError("Connection refused")})
    with pytest.raises(ServerUnreachableError) as refused:
        client_of(server).me()
    assert len(server.seen) == 1
    assert refused.value.hint == "Start it with `signoff up`, or say where it is with --server or SIGNOFF_SERVER."


def test_a_refusal_carries_everything_that_the_server_said() -> None:
    places = [{"message": "approvers must be a list", "file": "signoff.yaml", "line": 5, "column": 18}]
    answer = problem(422, "bad_pipeline", "one error", "Mend it.", errors=places, request_id="r1")
    server = FakeServer({("POST", "/runs"): answer})
    with pytest.raises(ApiError) as refused:
        client_of(server).submit(SUBMISSION)
    error = refused.value
    assert isinstance(error, SignoffError)
    assert (error.code, error.status, error.request_id) == ("bad_pipeline", 422, "r1")
    assert (error.what, error.hint, error.errors[0].line) == ("one error", "Mend it.", 5)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx2.Response(200, text="<html>hello</html>"), "answered HTTP 200, but not as a signoff server"),
        (httpx2.Response(404, text="nginx"), "answered HTTP 404, but not as a signoff server"),
        (httpx2.Response(500, text="oops"), r"broke \(HTTP 500\)"),
        (httpx2.Response(503, text="busy"), r"is not ready \(HTTP 503\)"),
    ],
)
def test_what_is_no_signoff_server_is_called_so(answer: httpx2.Response, words: str) -> None:
    with pytest.raises(ApiError, match=words):
        client_of(FakeServer({("GET", "/me"): answer})).me()


def test_a_newer_server_may_say_more_than_this_client_knows() -> None:
    answer = {**run().model_dump(mode="json"), "mood": "sunny"}
    assert (
        client_of(FakeServer({("GET", "/runs/last"): httpx2.Response(200, json=answer)})).get_run("last").id == "abc123"
    )


@pytest.mark.parametrize("name", ["a/b", "..", "x?y", "ü", "%2F"])
def test_a_name_never_changes_the_path(name: str) -> None:
    server = FakeServer()
    with pytest.raises(ApiError):
        client_of(server).get_model(name)
    path = server.seen[0].url.raw_path.decode()
    assert path.startswith("/api/v1/models/")
    assert path.count("/") == 4
    assert ".." not in path


def test_events_are_read_as_they_come_and_resumed_after_one() -> None:
    event = AuditBody(index=7, type="gate.decided", actor="bob", at=NOON, run_id="abc123")
    stream = f": hello\n\nid: 7\nevent: gate.decided\ndata: {event.model_dump_json()}\n\n"
    answer = httpx2.Response(200, text=stream, headers={"Content-Type": "text/event-stream"})
    server = FakeServer({("GET", "/runs/abc123/events"): answer})
    assert [found.type for found in client_of(server).events("abc123", after=6)] == ["gate.decided"]
    assert server.seen[0].headers["Last-Event-ID"] == "6"


def test_events_of_a_run_that_is_not_there_are_refused() -> None:
    with pytest.raises(ApiError, match="There is nothing"):
        list(client_of(FakeServer()).events("nope"))


def test_a_list_is_followed_until_there_is_enough() -> None:
    asked: list[tuple[str | None, int]] = []

    def ask(cursor: str | None, count: int) -> Any:
        asked.append((cursor, count))
        start = int(cursor or 0)
        return page(*range(start, start + count), following=str(start + count))

    found = gather(ask, 450)
    assert found.items == list(range(450))
    assert asked == [(None, 200), ("200", 200), ("400", 50)]


def test_a_list_that_ends_early_is_enough() -> None:
    assert gather(lambda _cursor, _count: page(1, 2), 450).items == [1, 2]


def test_waiting_returns_when_the_run_has_ended() -> None:
    server = FakeServer({("GET", "/runs/abc123"): [run(), run(), ended("rejected")]})
    assert Run(client_of(server), run()).wait(poll=0.001).state == "rejected"


def test_waiting_is_given_up_in_time() -> None:
    server = FakeServer({("GET", "/runs/abc123"): run()})
    with pytest.raises(WaitedTooLongError, match=r"still waiting after 0\.01 seconds") as gave_up:
        Run(client_of(server), run()).wait(0.01, poll=0.001)
    assert isinstance(gave_up.value, TimeoutError)


def test_waiting_outlives_a_restart_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signoff.sdk.run.POLL_S", 0.001)
    gone = httpx2.ConnectError("refused")
    server = FakeServer({("GET", "/runs/abc123"): [gone, gone, ended("succeeded")]})
    assert Run(client_of(server), run()).wait(poll=0.001).state == "succeeded"


def test_waiting_ends_at_once_when_the_server_refuses() -> None:
    server = FakeServer({("GET", "/runs/abc123"): problem(401, "not_authenticated", "Who are you?")})
    with pytest.raises(ApiError, match="Who are you"):
        Run(client_of(server), run()).wait(poll=0.001)


def test_changes_tell_only_what_changed() -> None:
    server = FakeServer({("GET", "/runs/abc123"): [run(), run(note="new"), run(note="new"), ended("failed")]})
    seen = [(body.status, body.note) for body in Run(client_of(server), run()).changes(poll=0.001)]
    assert [status for status, _ in seen] == ["waiting", "waiting", "failed"]


def test_a_run_names_its_page_even_if_the_server_gives_a_path_only() -> None:
    assert Run(client_of(FakeServer()), run(url="/runs/abc123")).url == f"{URL}/runs/abc123"


def test_a_log_is_read_in_parts_until_it_is_complete() -> None:
    whole = "Ärger: läuft\n".encode() * 3

    def part(request: httpx2.Request) -> httpx2.Response:
        offset = int(request.url.params["offset"])
        data = whole[offset : offset + 5]
        done = str(offset + len(data) >= len(whole)).lower()
        return httpx2.Response(200, content=data, headers={"X-Log-Size": str(len(whole)), "X-Log-Complete": done})

    server = FakeServer({("GET", "/runs/abc123/logs/train"): part})
    assert Run(client_of(server), run()).logs("train") == whole.decode()


def test_a_log_is_followed_while_nothing_comes() -> None:
    def said(data: bytes, size: int, *, done: bool) -> httpx2.Response:
        headers = {"X-Log-Size": str(size), "X-Log-Complete": str(done).lower()}
        return httpx2.Response(200, content=data, headers=headers)

    answers = [said(b"one", 3, done=False), said(b"", 3, done=False), said(b"two", 6, done=True)]
    server = FakeServer({("GET", "/runs/abc123/logs/train"): answers})
    sleeps: list[float] = []
    parts = read_log(client_of(server), "abc123", "train", follow=True, sleep=sleeps.append)
    assert (b"".join(parts), len(sleeps)) == (b"onetwo", 2)
