from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import httpx2
import pytest

import signoff
from fake_server import (
    DIGEST,
    NOON,
    URL,
    FakeServer,
    deployment,
    ended,
    environment,
    gate,
    page,
    problem,
    run,
    snapshot,
)
from signoff.domain.errors import (
    ConfigurationError,
    InvalidError,
    ModelNotFoundError,
    NotAllowedError,
    NotAuthenticatedError,
    PipelineError,
    SignoffError,
    UnsafeModelError,
)
from signoff.sdk.client import Client
from signoff.sdk.errors import ApiError, ServerUnreachableError, WaitedTooLongError
from signoff.sdk.locate import locate
from signoff.sdk.model_files import packed
from signoff.sdk.paging import gather
from signoff.sdk.run import Run, read_log
from signoff.wire.catalogue import AuditBody
from signoff.wire.gates import DecisionRequest
from signoff.wire.runs import SubmitRequest

SUBMISSION = SubmitRequest(pipeline="steps: []", model="models:/fraud/3")


def client_of(server: FakeServer, sleeps: list[float] | None = None) -> Client:
    kept: list[float] = [] if sleeps is None else sleeps
    return Client(URL, "secret", transport=httpx2.MockTransport(server), sleep=kept.append)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "credentials").mkdir()
    for name in ("alice", "bob"):
        (tmp_path / "credentials" / f"{name}.session").write_text(f"secret-of-{name}\n")
    return tmp_path


def up(home: Path, person: str | None = "alice", url: str = "http://localhost:9999") -> None:
    (home / "up.json").write_text(json.dumps({"url": url, "pid": 1, "person": person}))


def names_in(packed_folder: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed_folder)) as tar:
        return tar.getnames()


# where the server is, and who asks


def test_what_up_left_names_server_and_person(home: Path) -> None:
    up(home)
    found = locate(environment={"SIGNOFF_HOME": str(home)})
    assert (found.server, found.token) == ("http://localhost:9999", "secret-of-alice")


def test_a_person_named_wins_over_the_token_of_the_environment(home: Path) -> None:
    up(home)
    env = {"SIGNOFF_HOME": str(home), "SIGNOFF_TOKEN": "t"}
    assert locate(person="bob", environment=env).token == "secret-of-bob"
    assert locate(environment=env).token == "t"
    assert locate(token="mine", environment=env).token == "mine"


def test_the_address_given_wins_over_the_environment_and_that_over_what_up_left(home: Path) -> None:
    up(home)
    env = {"SIGNOFF_HOME": str(home), "SIGNOFF_SERVER": "http://localhost:2"}
    assert locate("http://localhost:1/", environment=env).server == "http://localhost:1"
    assert locate(environment=env).server == "http://localhost:2"
    assert locate(environment={"SIGNOFF_HOME": str(home)}).server == "http://localhost:9999"


def test_a_token_may_stand_in_a_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("from-file\n")
    env = {"SIGNOFF_HOME": str(home), "SIGNOFF_TOKEN_FILE": str(tmp_path / "t")}
    assert locate(environment=env).token == "from-file"
    with pytest.raises(ConfigurationError, match="SIGNOFF_TOKEN_FILE points to /nowhere, which cannot be read"):
        locate(environment={**env, "SIGNOFF_TOKEN_FILE": "/nowhere"})


def test_a_session_of_this_machine_is_not_sent_to_another_one(home: Path) -> None:
    up(home)
    env = {"SIGNOFF_HOME": str(home)}
    with pytest.raises(NotAllowedError, match="The session of bob belongs to this machine's server"):
        locate("https://elsewhere.example", person="bob", environment=env)
    with pytest.raises(NotAuthenticatedError, match=r"There is no credential for https://elsewhere\.example"):
        locate("https://elsewhere.example", environment=env)
    assert locate("https://elsewhere.example", token="t", environment=env).token == "t"


def test_a_session_is_sent_to_the_address_that_up_itself_gave(home: Path) -> None:
    up(home, url="https://signoff.example")
    assert locate(environment={"SIGNOFF_HOME": str(home)}).token == "secret-of-alice"


def test_without_any_credential_the_refusal_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NotAuthenticatedError) as refused:
        locate(environment={"SIGNOFF_HOME": str(tmp_path)})
    assert refused.value.what == "There is no credential for http://localhost:8010."
    assert refused.value.hint.startswith("`signoff up` starts a server on this machine and signs you in;")


def test_an_unknown_person_is_told_who_is_known(home: Path) -> None:
    with pytest.raises(NotAuthenticatedError) as refused:
        locate(person="dave", environment={"SIGNOFF_HOME": str(home)})
    assert refused.value.what == "dave has no session on this machine."
    assert "alice, bob" in refused.value.hint


@pytest.mark.parametrize("name", ["../alice", "a/b", "."])
def test_a_person_is_a_name_and_no_path(home: Path, name: str) -> None:
    with pytest.raises(InvalidError, match="is not a person's name"):
        locate(person=name, environment={"SIGNOFF_HOME": str(home)})


@pytest.mark.parametrize("address", ["localhost:8010", "ftp://x", "http://", ""])
def test_an_address_must_be_one(home: Path, address: str) -> None:
    if address:
        with pytest.raises(InvalidError, match="is not the address of a server"):
            locate(address, token="t", environment={"SIGNOFF_HOME": str(home)})
    else:
        assert locate(address, token="t", environment={"SIGNOFF_HOME": str(home)}).server == "http://localhost:8010"


def test_token_and_person_together_are_refused(home: Path) -> None:
    with pytest.raises(InvalidError, match="Both a token and a person"):
        locate(token="t", person="bob", environment={"SIGNOFF_HOME": str(home)})


def test_secrets_show_in_no_repr(home: Path) -> None:
    assert "secret-of-bob" not in repr(locate(person="bob", environment={"SIGNOFF_HOME": str(home)}))


# asking


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


# a run


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


# submitting


def pipeline(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "signoff.yaml").write_text(text)
    return folder / "signoff.yaml"


def test_a_reference_is_sent_as_it_is_and_a_pipeline_without_commands_alone(tmp_path: Path) -> None:
    file = pipeline(tmp_path / "fraud", "steps: []")
    server = FakeServer({("POST", "/runs"): run()})
    found = signoff.submit("models:/fraud/3", pipeline=file, note="n", metrics={"auc": 0.9}, client=client_of(server))
    assert isinstance(found, signoff.Run)
    assert server.body("POST", "/runs") == {
        "pipeline": "steps: []",
        "filename": "signoff.yaml",
        "folder_name": "fraud",
        "model": "models:/fraud/3",
        "note": "n",
        "metrics": {"auc": 0.9},
    }


@pytest.mark.parametrize("text", ["run: python train.py", "{run: x}", '"run" : x', "inputs:\n  run:\n    - x"])
def test_the_folder_of_a_pipeline_with_commands_is_uploaded_once(tmp_path: Path, text: str) -> None:
    file = pipeline(tmp_path / "fraud", text)
    server = FakeServer({("POST", "/runs"): run(), ("POST", "/snapshots"): snapshot})
    signoff.submit(pipeline=tmp_path / "fraud", client=client_of(server))
    digest = server.body("POST", "/runs")["snapshot"]
    (upload,) = server.sent("POST", "/snapshots")
    assert upload.headers["Content-Type"] == "application/gzip"
    assert int(upload.headers["Content-Length"]) == len(upload.content)
    assert names_in(upload.content) == ["signoff.yaml"]
    server.routes["GET", f"/snapshots/{digest.replace(':', '%3A')}"] = snapshot(upload)
    signoff.submit(pipeline=file, client=client_of(server))
    assert len(server.sent("POST", "/snapshots")) == 1


def test_a_local_model_is_uploaded_whole(tmp_path: Path) -> None:
    file = pipeline(tmp_path / "fraud", "steps: []")
    model = tmp_path / "model"
    model.mkdir()
    (model / ".hidden").write_text("kept")
    (model / ".gitignore").write_text("*")
    (model / "weights").write_bytes(b"w" * 1000)
    server = FakeServer({("POST", "/runs"): run(), ("POST", "/snapshots"): snapshot})
    signoff.submit(model, pipeline=file, client=client_of(server))
    (upload,) = server.sent("POST", "/snapshots")
    assert names_in(upload.content) == [".gitignore", ".hidden", "weights"]
    assert server.body("POST", "/runs")["upload"] == snapshot(upload).digest


def test_a_dropped_upload_is_sent_again_from_its_beginning(tmp_path: Path) -> None:
    file = pipeline(tmp_path / "fraud", "steps: []")
    (tmp_path / "model.bin").write_bytes(os.urandom(3000))
    server = FakeServer({("POST", "/runs"): run(), ("POST", "/snapshots"): [httpx2.Response(503), snapshot]})
    signoff.submit(tmp_path / "model.bin", pipeline=file, client=client_of(server))
    first, second = server.sent("POST", "/snapshots")
    assert first.content == second.content


def test_what_is_neither_reference_nor_path_is_refused_with_a_guess(tmp_path: Path) -> None:
    file = pipeline(tmp_path / "fraud", "steps: []")
    with pytest.raises(InvalidError, match=r"Did you mean models:/fraud/3\?"):
        signoff.submit("fraud/3", pipeline=file, client=client_of(FakeServer()))
    with pytest.raises(InvalidError, match="There is no file or folder 'nowhere'"):
        signoff.submit("nowhere", pipeline=file, client=client_of(FakeServer()))


def test_a_pipeline_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"signoff\.yaml cannot be read"):
        signoff.submit("models:/fraud/3", pipeline=tmp_path / "signoff.yaml", client=client_of(FakeServer()))


def test_a_run_is_given_its_next_version() -> None:
    server = FakeServer({("POST", "/runs/abc123/submissions"): run(attempt=2)})
    Run(client_of(server), run()).resubmit("models:/fraud/4", note="better")
    assert server.body("POST", "/runs/abc123/submissions") == {"model": "models:/fraud/4", "note": "better"}


# local models


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "b").mkdir()
        (folder / "b" / "weights").write_bytes(b"123")
        (folder / "a").write_bytes(b"")
        os.utime(folder / "a", (1, 1) if name == "one" else (2, 2))
        (folder / "a").chmod(0o600 if name == "one" else 0o755)
        with packed(folder) as found:
            digests.add(found.digest)
            content = b"".join(found.content())
            assert content == b"".join(found.content())
            assert len(content) == found.size
    assert len(digests) == 1
    assert names_in(content) == ["a", "b", "b/weights"]


def test_a_single_file_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"x")
    with packed(tmp_path / "model.pkl") as found:
        content = b"".join(found.content())
    assert names_in(content) == ["model.pkl"]


def test_links_and_empty_models_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(UnsafeModelError, match="There are no files in"), packed(tmp_path / "empty"):
        pass
    (tmp_path / "empty" / "link").symlink_to("/etc/passwd")
    with pytest.raises(UnsafeModelError, match="link is a symbolic link"), packed(tmp_path / "empty"):
        pass


# loading


def test_only_what_is_live_is_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[Any, ...]] = []

    def load(source: str, digest: str, **more: Any) -> str:
        asked.append((source, digest, more["tracking_uri"]))
        return "the model"

    monkeypatch.setenv("SIGNOFF_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow")
    monkeypatch.setattr("signoff.serving.load.load_verified", load)
    others = [deployment(model="other", version="9"), deployment()]
    server = FakeServer({("GET", "/environments/production"): environment(live=others)})
    assert signoff.load_model("fraud", environment="production", client=client_of(server)) == "the model"
    assert asked == [("models:/fraud/2", "sha256:" + "a" * 64, "http://mlflow")]


def test_what_is_live_and_should_not_be_is_loaded_with_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SIGNOFF_HOME", str(tmp_path))
    monkeypatch.setattr("signoff.serving.load.load_verified", lambda *_, **__: "the model")
    live = deployment(warning="fraud v2 was revoked by carol.")
    server = FakeServer({("GET", "/environments/production"): environment(live=[live])})
    with pytest.warns(UserWarning, match="fraud v2 was revoked by carol"):
        assert signoff.load_model("fraud", environment="production", client=client_of(server)) == "the model"


def test_a_model_that_is_not_live_is_refused() -> None:
    server = FakeServer({("GET", "/environments/production"): environment(live=[])})
    with pytest.raises(ModelNotFoundError, match=r"No version of fraud is live in production\."):
        signoff.load_model("fraud", environment="production", client=client_of(server))


# what importing costs


def test_importing_signoff_loads_nothing_heavy() -> None:
    code = "import sys, signoff; print([m for m in ('pydantic', 'httpx2', 'mlflow', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_public_name_is_there_even_after_its_module_was_imported() -> None:
    import signoff.sdk.connection
    import signoff.sdk.submission

    assert all(callable(getattr(signoff, name)) for name in signoff.__all__)
    assert all(callable(getattr(signoff.sdk, name)) for name in signoff.sdk.__all__)


def test_gates_are_asked_for_by_run_and_step() -> None:
    server = FakeServer({("GET", "/runs/abc/gates/approve_model"): gate()})
    assert client_of(server).get_gate("abc", "approve_model").digest == DIGEST
