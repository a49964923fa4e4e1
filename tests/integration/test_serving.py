"""The model server under load, under attack and after every kind of death: real processes, real requests."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2
import pytest

from signoff.adapters.deploy.control import Control
from signoff.adapters.deploy.server import ServerDeployer, folder_name, stop_all
from signoff.domain.environment import LOCAL, DeployerSpec
from signoff.domain.errors import DigestMismatchError, MachineryError, UnavailableError, UnhealthyError
from signoff.ports import Release
from signoff.serving.load import load_verified
from tiny_models import EXAMPLE, Aliases, release_of, write_model

HASTY = replace(LOCAL, deployer=DeployerSpec(type="server", health_timeout=timedelta(seconds=1)))


class Stage:
    """One model's server in an environment, with versions to put on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.aliases = Aliases()
        self.serving = folder / ("a-home-whose-path-is-longer-than-a-socket-may-have-" * 2) / "serving"
        self.home = self.serving / "local" / "fraud"
        self.deployer = ServerDeployer(self.serving, self.aliases)
        self.first = self.release("1", predict="return [1.0] * len(frame)")
        self.second = self.release("2", predict="return [2.0] * len(frame)")
        self.address = ""

    def release(self, version: str, **code: str) -> Release:
        return release_of(write_model(self.folder / f"v{version}", **code), version)

    def deploy(self, release: Release) -> None:
        self.address = str(self.deployer.deploy(release))

    def status(self) -> dict[str, Any]:
        with Control(self.home, 5) as control:
            return control.ask("status")

    def post(self, path: str, body: Any) -> httpx2.Response:
        return httpx2.post(self.address + path, json=body, timeout=20, trust_env=False)

    def predict(self) -> float:
        return float(self.post("/invocations", EXAMPLE).raise_for_status().json()["predictions"][0])

    def version(self) -> str:
        return str(httpx2.get(self.address + "/version", timeout=20, trust_env=False).json()["version"])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("serving"))
    os.environ["SIGNOFF_SECRET_OF_THE_WORKER"] = "hunter2"
    try:
        yield stage
    finally:
        del os.environ["SIGNOFF_SECRET_OF_THE_WORKER"]
        stop_all(stage.serving)


@pytest.fixture
def stage(shared: Stage) -> Stage:
    """The shared server with version 1 live."""
    shared.aliases.is_down = False
    shared.deploy(shared.first)
    return shared


def until(ask: Callable[[], object], seconds: float = 20) -> None:
    """Return once `ask` is true."""
    end = time.monotonic() + seconds
    while not ask():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_more(answers: list[float], count: int) -> None:
    enough = len(answers) + count
    until(lambda: len(answers) >= enough)


@contextmanager
def clients(address: str, count: int) -> Iterator[tuple[list[float], list[str]]]:
    """Keep-alive clients that post without a pause and never try twice; their answers and their failures."""
    answers: list[float] = []
    failures: list[str] = []
    done = threading.Event()

    def work() -> None:
        with httpx2.Client(base_url=address, timeout=20, trust_env=False) as client:
            while not done.is_set():
                try:
                    answer = client.post("/invocations", json=EXAMPLE)
                    answers.append(answer.raise_for_status().json()["predictions"][0])
                except httpx2.HTTPError as error:
                    failures.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield answers, failures
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_swapping_under_load_fails_no_request_and_both_versions_answer(stage: Stage) -> None:
    swaps = 8
    with clients(stage.address, 4) as (answers, failures):
        for release in [stage.second, stage.first] * (swaps // 2):
            wait_for_more(answers, 100)
            stage.deploy(release)
            wait_for_more(answers, 20)
            assert answers[-1] == float(release.version.version)
    assert failures == []
    assert set(answers) == {1.0, 2.0}


def test_an_idle_connection_outlives_the_swap_and_is_then_told_to_close(stage: Stage) -> None:
    connection = HTTPConnection(stage.address.removeprefix("http://"), timeout=20)
    try:
        connection.request("GET", "/version")
        before = connection.getresponse()
        assert json.loads(before.read())["version"] == "1"
        assert before.getheader("connection") is None
        stage.deploy(stage.second)
        # The former version begins to drain a moment after the new one is live; until then it just answers on.
        told_to_close, deadline = False, time.monotonic() + 5
        while not told_to_close and time.monotonic() < deadline:
            connection.request("GET", "/version")
            after = connection.getresponse()
            assert json.loads(after.read())["version"] == "1"
            told_to_close = after.getheader("connection") == "close"
        assert told_to_close
        connection.request("GET", "/version")
        assert json.loads(connection.getresponse().read())["version"] == "2"
    finally:
        connection.close()


def test_a_request_in_flight_is_answered_by_the_version_that_took_it(stage: Stage, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    waits = f"n = len(frame); n > 1 and (open({str(begun)!r}, 'w').close(), time.sleep(0.5)); return [3.0] * n"
    stage.deploy(stage.release("3", predict=waits))
    two_rows = {"dataframe_split": {"columns": ["amount", "age"], "data": [[1.0, 2.0]] * 2}}
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(stage.post("/invocations", two_rows).json()))
    thread.start()
    until(begun.exists)
    stage.deploy(stage.second)
    assert stage.predict() == 2.0
    assert answers == []
    thread.join()
    assert answers == [{"predictions": [3.0, 3.0]}]


def test_deploying_what_is_live_again_changes_no_process(stage: Stage) -> None:
    live = stage.status()["live"]
    stage.deploy(stage.first)
    assert stage.status()["live"] == live


@pytest.mark.parametrize(
    ("version", "code", "words"),
    [
        ("raises", {"load": "raise RuntimeError('no such layer')"}, "RuntimeError: no such layer"),
        ("exits", {"load": "print('giving up', flush=True); os._exit(7)"}, "exited with status 7"),
        ("crashes", {"load": "os.kill(os.getpid(), 11)"}, "SIGSEGV"),
        ("example", {"predict": "raise ValueError('units')"}, "could not be loaded"),
        ("hangs", {"load": "print('warming up', flush=True); time.sleep(60)"}, "within 1 s"),
    ],
)
def test_an_unhealthy_version_is_refused_in_words_and_the_former_serves_on(
    stage: Stage, version: str, code: dict[str, str], words: str
) -> None:
    release = replace(stage.release(version, **code), environment=HASTY)
    with clients(stage.address, 1) as (answers, failures):
        with pytest.raises(UnhealthyError) as refusal:
            stage.deploy(release)
        until(lambda: len(answers) > 1)
    assert words in refusal.value.what
    assert "v1 serves on" in refusal.value.what
    last_words = {"exits": "giving up", "hangs": "warming up", "example": "units", "crashes": "Segmentation fault"}
    assert last_words.get(version, "no such layer") in refusal.value.hint
    assert failures == []
    assert set(answers) == {1.0}
    assert stage.aliases.aliases["fraud", "champion"] == "1"


def test_the_model_server_itself_refuses_bytes_with_another_digest(stage: Stage, tmp_path: Path) -> None:
    marker = tmp_path / "was-loaded"
    evil = stage.release("evil", load=f"open({str(marker)!r}, 'w')")
    served = {"model": "fraud", "version": "9", "digest": "sha256:" + "0" * 64}
    with Control(stage.home, 20) as control, pytest.raises(DigestMismatchError):
        control.ask("prepare", served=served, path=str(evil.path))
    assert not marker.exists()
    assert stage.predict() == 1.0


def test_kept_bytes_that_were_tampered_with_are_replaced_by_verified_ones(stage: Stage) -> None:
    stage.deploy(stage.second)
    kept = stage.home / "versions" / stage.first.version.digest.removeprefix("sha256:") / "code" / "tiny_v1.py"
    good = kept.read_text()
    kept.write_text(good.replace("1.0", "6.6"))
    stage.deploy(stage.first)
    assert stage.predict() == 1.0
    assert kept.read_text() == good


def test_a_linked_file_is_never_served(stage: Stage, tmp_path: Path) -> None:
    linked = stage.release("linked")
    (tmp_path / "MLmodel").write_bytes((linked.path / "MLmodel").read_bytes())
    (linked.path / "MLmodel").unlink()
    (linked.path / "MLmodel").symlink_to(tmp_path / "MLmodel")
    served = {"model": "fraud", "version": "linked", "digest": linked.version.digest}
    with Control(stage.home, 20) as control, pytest.raises(DigestMismatchError, match="link"):
        control.ask("prepare", served=served, path=str(linked.path))


def test_only_the_live_and_the_former_version_are_kept(stage: Stage) -> None:
    for number in ("4", "5", "6"):
        stage.deploy(stage.release(number))
    kept = {path.name for path in (stage.home / "versions").iterdir()}
    state = json.loads((stage.home / "state.json").read_text())
    assert kept == {state[name]["digest"].removeprefix("sha256:") for name in ("live", "former")}
    assert [state[name]["version"] for name in ("live", "former")] == ["6", "5"]


def test_without_the_registry_nothing_is_swapped(stage: Stage) -> None:
    stage.aliases.is_down = True
    live = stage.status()["live"]
    with pytest.raises(UnavailableError):
        stage.deploy(stage.second)
    assert stage.status()["live"] == live
    assert stage.predict() == 1.0


def test_a_deployment_whose_worker_dies_before_the_end_changes_nothing(stage: Stage) -> None:
    second = stage.second.version
    served = {"model": "fraud", "version": "2", "digest": second.digest}
    with Control(stage.home, 20) as control:
        assert control.ask("prepare", served=served, path=str(stage.second.path))["is_changed"]
    assert stage.predict() == 1.0
    stage.deploy(stage.second)
    assert stage.predict() == 2.0


def test_two_deployments_at_once_leave_one_of_them_whole(stage: Stage) -> None:
    threads = [threading.Thread(target=stage.deploy, args=(one,)) for one in (stage.first, stage.second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stage.predict() == float(stage.version())
    assert stage.status()["live"]["version"] == stage.version()


def test_a_killed_model_server_comes_back_and_clients_wait_for_it(stage: Stage) -> None:
    pid = stage.status()["live"]["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid))
    assert stage.predict() == 1.0
    assert stage.status()["live"]["pid"] != pid


def test_when_the_launcher_is_killed_everything_under_it_comes_back(stage: Stage) -> None:
    before = stage.status()["live"]["pid"]
    launcher = int(Path(f"/proc/{before}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(launcher, signal.SIGKILL)
    until(lambda: not is_alive(before))
    assert stage.predict() == 1.0
    assert stage.status()["live"]["pid"] != before


def test_after_the_supervisor_is_killed_ensure_brings_everything_back_on_the_same_address(stage: Stage) -> None:
    status = stage.status()
    os.kill(status["pid"], signal.SIGKILL)
    until(lambda: not is_alive(status["live"]["pid"]))
    assert stage.deployer.current(LOCAL, "fraud") is None
    assert stage.deployer.is_ours(LOCAL, "fraud")
    assert stage.deployer.ensure(replace(stage.first, approval={})) == status["address"]
    assert stage.predict() == 1.0
    assert stage.status()["live"]["approval"] == stage.first.approval
    live = stage.deployer.current(LOCAL, "fraud")
    assert live
    assert (live.version, live.digest) == ("1", stage.first.version.digest)
    assert stage.deployer.ensure(stage.first) == status["address"]


def test_the_version_route_shows_what_is_served_and_who_approved_it(stage: Stage) -> None:
    assert httpx2.get(stage.address + "/version", trust_env=False).json() == {
        "model": "fraud",
        "version": "1",
        "digest": stage.first.version.digest,
        "approval": {"run": "run-1", "by": ["bob"]},
    }
    assert stage.aliases.tags["fraud", "1"] == {"signoff.environment": "local"}


def test_a_model_sees_no_secret_of_the_worker(stage: Stage) -> None:
    names = "return [1.0 * any('SECRET' in name or 'TOKEN' in name for name in os.environ)] * len(frame)"
    stage.deploy(stage.release("spy", predict=names))
    assert stage.predict() == 0.0


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["amount", "age"], "data": [[7.0, 1.0]]}},
        {"dataframe_records": [{"amount": 7.0, "age": 1.0}]},
        {"instances": [{"amount": 7.0, "age": 1.0}]},
        {"inputs": {"amount": [7.0], "age": [1.0]}},
    ],
    ids=lambda body: next(iter(body)),
)
def test_every_form_of_mlflows_protocol_is_answered(echo: Stage, body: dict[str, Any]) -> None:
    assert echo.post("/invocations", body).json() == {"predictions": [7.0]}


@pytest.fixture(scope="module")
def echo(shared: Stage) -> Stage:
    """A server that answers the amount; made by the first test that wants it."""
    shared.release("echo")
    return shared


@pytest.fixture(autouse=True)
def _echo_is_live(request: pytest.FixtureRequest) -> None:
    if "echo" in request.fixturenames:
        shared: Stage = request.getfixturevalue("shared")
        shared.aliases.is_down = False
        shared.deploy(release_of(shared.folder / "vecho", "echo"))


def test_csv_is_answered(echo: Stage) -> None:
    headers = {"content-type": "text/csv"}
    answer = httpx2.post(echo.address + "/invocations", content="amount,age\n7,1\n", headers=headers, trust_env=False)
    assert answer.json() == {"predictions": [7.0]}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "valid JSON"),
        (b"[1]", "Received a list"),
        (b'{"rows": []}', "exactly one of the input fields"),
        (b'{"dataframe_records": [{"amount": 1.0}]}', "missing inputs ['age']"),
        (b'{"dataframe_records": [{"amount": "much", "age": 1.0}]}', "amount"),
    ],
)
def test_a_wrong_request_is_answered_with_400_and_why(echo: Stage, body: bytes, words: str) -> None:
    headers = {"content-type": "application/json"}
    answer = httpx2.post(echo.address + "/invocations", content=body, headers=headers, trust_env=False)
    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert "stack_trace" not in answer.json()


def test_a_request_that_is_too_large_is_refused(echo: Stage) -> None:
    host, port = echo.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_the_open_inference_protocol_describes_the_model(echo: Stage) -> None:
    with httpx2.Client(base_url=echo.address, trust_env=False) as client:
        assert client.get("/v2").json()["name"] == "signoff"
        assert client.get("/v2/health/live").json() == {"live": True}
        assert client.get("/v2/health/ready").json() == {"ready": True}
        assert client.get("/v2/models/fraud/ready").json() == {"name": "fraud", "ready": True}
        assert client.get("/v2/models/fraud/versions/echo").json() == {
            "name": "fraud",
            "versions": ["echo"],
            "platform": "mlflow_pyfunc",
            "inputs": [{"name": name, "datatype": "FP64", "shape": [-1]} for name in ("amount", "age")],
            "outputs": [{"name": "score", "datatype": "FP64", "shape": [-1]}],
        }
        assert client.get("/v2/models/spam").status_code == 404
        assert client.get("/v2/models/fraud/versions/2").status_code == 404


def tensor(name: str, data: list[Any], **other: Any) -> dict[str, Any]:
    return {"name": name, "shape": [len(data)], "datatype": "FP64", "data": data} | other


def test_the_open_inference_protocol_infers(echo: Stage) -> None:
    inputs = [tensor("amount", [7.0, 8.0]), tensor("age", [1, 2])]
    answer = echo.post("/v2/models/fraud/infer", {"id": "a1", "inputs": inputs, "outputs": [{"name": "score"}]})
    assert answer.json() == {
        "id": "a1",
        "model_name": "fraud",
        "model_version": "echo",
        "outputs": [{"name": "score", "datatype": "FP64", "shape": [2], "data": [7.0, 8.0]}],
    }
    matrix = [tensor("rows", [[7.0, 1.0], [8.0, 2.0]], shape=[2, 2])]
    again = echo.post("/v2/models/fraud/versions/echo/infer", {"inputs": matrix})
    assert again.json()["outputs"] == answer.json()["outputs"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"inputs": []},
        {"inputs": [{"name": "amount"}]},
        {"inputs": [tensor("amount", [1.0], shape=[3])]},
        {"inputs": [tensor("amount", [1.0], datatype="FP7")]},
        {"inputs": [tensor("amount", ["much"])]},
        {"inputs": [tensor("amount", [1.0]) | {"name": ["amount"]}]},
        {"inputs": [tensor("amount", [1.0], shape="wide")]},
        {"inputs": [tensor("amount", [1.0])]},
        {"inputs": [tensor("amount", [1.0]), tensor("age", [1.0, 2.0])]},
        {"inputs": [tensor("amount", [1.0]), tensor("age", [1.0])], "outputs": [{"name": "colour"}]},
        {"inputs": [tensor("amount", [1.0]), tensor("age", [1.0])], "parameters": 3},
    ],
)
def test_a_wrong_inference_request_is_answered_with_400_and_why(echo: Stage, body: Any) -> None:
    answer = echo.post("/v2/models/fraud/infer", body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_what_is_not_an_mlflow_model_is_refused_for_good(stage: Stage) -> None:
    plain = replace(stage.first, version=replace(stage.first.version, is_servable=False))
    with pytest.raises(MachineryError, match="not an MLflow model") as refusal:
        stage.deploy(plain)
    assert not refusal.value.is_retryable


def test_names_of_any_kind_get_their_own_folder() -> None:
    names = ["fraud", "Fraud", "..", ".", "a/b", "a%2Fb", "größe", "x" * 500, "x" * 501]
    folders = [folder_name(name) for name in names]
    assert len(set(folders)) == len(names)
    assert all("/" not in one and one not in {".", ".."} and len(one.encode()) <= 100 for one in folders)


@pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")  # MLflow's own, when it is imported
def test_a_model_is_loaded_into_this_process_only_from_the_approved_bytes(tmp_path: Path) -> None:
    marker = tmp_path / "was-loaded"
    release = release_of(write_model(tmp_path / "mine", load=f"open({str(marker)!r}, 'a').close()"), "1")
    (release.path / "code" / "extra.py").write_text("")
    with pytest.raises(DigestMismatchError):
        load_verified(release.path, release.version.digest)
    assert not marker.exists()
    (release.path / "code" / "extra.py").unlink()
    model = load_verified(release.path, release.version.digest)
    import pandas as pd

    assert list(model.predict(pd.DataFrame({"amount": [4.0], "age": [1.0]}))) == [4.0]


def test_stopping_ends_every_process(stage: Stage) -> None:
    status = stage.status()
    assert stop_all(stage.serving) == 1
    assert not is_alive(status["live"]["pid"])
    until(lambda: not is_alive(status["pid"]))
    with pytest.raises(httpx2.ConnectError):
        stage.predict()
    assert stop_all(stage.serving) == 0
