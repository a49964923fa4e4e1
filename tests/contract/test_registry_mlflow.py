"""What only the real MLflow shows: ordinary scripts, racing first starts, and servers that are down or say no."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from signoff.adapters.registry.mlflow import MlflowRegistry, StepAccount
from signoff.adapters.registry.mlflow_connection import Connection, locked
from signoff.domain.errors import ModelNotFoundError, UnavailableError
from signoff.domain.secret import Secret
from signoff.domain.version import ModelVersion
from signoff.ports import TrainingRun
from signoff.proof.manifest import manifest_of

SCRIPT = """
import mlflow, mlflow.sklearn
import numpy as np
from sklearn.linear_model import LogisticRegression

model = LogisticRegression().fit(np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1])
with mlflow.start_run():
    mlflow.log_param("solver", model.solver)
    mlflow.log_metric("accuracy", 1.0)
    mlflow.sklearn.log_model(
        model, name="classifier", registered_model_name="fraud", pip_requirements=["scikit-learn"]
    )
"""


@dataclass
class Trained:
    registry: MlflowRegistry
    run: TrainingRun
    version: ModelVersion
    home: Path
    raced: list[str]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """An ordinary script, run with the environment that a worker gives it, in a folder of its own."""
    home = tmp_path_factory.mktemp("home with a space")
    raced = race(home, tmp_path_factory.mktemp("race"))
    registry = MlflowRegistry(f"sqlite:///{home}/mlflow.db", None, home / "work")
    run = registry.start_training_run("run-1/train/1", "fraud detection")
    folder = tmp_path_factory.mktemp("script")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **run.environment}
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, env=environment, check=True, capture_output=True)
    assert list(folder.iterdir()) == [], "the script left files in its folder: they are not in the store"
    return Trained(registry, run, registry.collect(run.id, folder, "fraud"), home, raced)


def race(home: Path, folder: Path) -> list[str]:
    """What several workers, each with its own registry, get for one folder when the store is not there yet."""
    (folder / "model.pkl").write_bytes(b"weights")

    def resolve(_: int) -> str:
        registry = MlflowRegistry(f"sqlite:///{home}/mlflow.db", None, home / "work")
        return registry.resolve(str(folder), "race").label

    with ThreadPoolExecutor(4) as workers:
        return list(workers.map(resolve, range(4)))


def test_a_script_that_knows_nothing_of_signoff_delivers_its_model(trained: Trained) -> None:
    version = trained.version
    assert (version.label, version.is_servable) == ("fraud v1", True)
    assert version.metrics == {"accuracy": 1.0}
    assert version.lineage.training_run_id == trained.run.id
    assert version.lineage.params == {"solver": "lbfgs"}


def test_the_files_of_a_logged_model_are_fetched_whole(trained: Trained, tmp_path: Path) -> None:
    manifest = trained.registry.fetch(trained.version, tmp_path / "copy")
    assert manifest.digest == trained.version.digest
    assert {"MLmodel", "model.skops"} <= {name for name, _ in manifest.entries}


def test_the_run_and_the_logged_model_name_the_version_that_the_script_registered(trained: Trained) -> None:
    [logged] = trained.home.glob("mlartifacts/*/models/m-*")
    for reference in (f"runs:/{trained.run.id}/classifier", f"models:/{logged.name}"):
        assert trained.registry.resolve(reference, "fraud") == trained.version


def test_a_logged_model_can_be_registered_under_another_name(trained: Trained) -> None:
    version = trained.registry.resolve(f"runs:/{trained.run.id}/classifier", "fraud-copy")
    assert (version.label, version.digest) == ("fraud-copy v1", trained.version.digest)
    assert trained.registry.resolve(f"runs:/{trained.run.id}/classifier", "fraud-copy") == version


def test_a_name_spelt_almost_right_is_suggested(trained: Trained) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no model 'frued' .* Did you mean fraud\?"):
        trained.registry.resolve("models:/frued/1", None)


def test_no_copy_stays_behind(trained: Trained) -> None:
    assert [p.name for p in (trained.home / "work").iterdir() if p.is_dir()] == []


def test_the_tracking_servers_credentials_are_passed_on_and_nothing_else(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "for-logging")
    monkeypatch.setenv("SIGNOFF_DATABASE_URL", "postgresql://secret")
    environment = trained.registry.start_training_run("run-1/train/1", "fraud detection").environment
    assert environment["MLFLOW_TRACKING_TOKEN"] == "for-logging"
    assert all(name.startswith("MLFLOW_") for name in environment)


def test_training_scripts_get_an_account_of_their_own_where_there_is_one(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USERNAME", "PASSWORD", "TOKEN"):
        monkeypatch.setenv(f"MLFLOW_TRACKING_{name}", "signoffs-own")
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", "/ca.pem")
    account = StepAccount("trainer", Secret("the-trainers"))
    registry = MlflowRegistry("http://signoff:signoffs-own@mlflow", None, tmp_path, steps=account)
    assert registry._access() == {
        "MLFLOW_TRACKING_URI": "http://mlflow",
        "MLFLOW_REGISTRY_URI": "http://mlflow",
        "MLFLOW_TRACKING_USERNAME": "trainer",
        "MLFLOW_TRACKING_PASSWORD": "the-trainers",
        "MLFLOW_TRACKING_SERVER_CERT_PATH": "/ca.pem",
    }


def test_workers_that_start_at_once_share_one_new_store_and_one_version(trained: Trained) -> None:
    assert trained.raced == ["race v1"] * 4


def test_a_store_that_another_process_is_making_is_waited_for_and_used(trained: Trained, tmp_path: Path) -> None:
    lock = tmp_path / "mlflow.db.lock"
    registry = MlflowRegistry(f"sqlite:///{tmp_path}/mlflow.db", None, tmp_path / "work")
    with ThreadPoolExecutor(1) as worker:
        with locked(lock):
            found = worker.submit(registry.resolve, "models:/fraud/1", None)
            until(lambda: is_waited_for(lock))
            shutil.copyfile(trained.home / "mlflow.db", tmp_path / "mlflow.db")
        assert found.result().digest == trained.version.digest


def test_runs_of_no_experiment_keep_their_files_beside_the_store_too(trained: Trained) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{trained.home}/mlflow.db")
    assert client.get_experiment("0").artifact_location == f"{(trained.home / 'mlartifacts').as_uri()}/0"


def until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def is_waited_for(lock: Path) -> bool:
    waiting = [line for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    return any(line.split()[-3].endswith(f":{lock.stat().st_ino}") for line in waiting)


# Servers


def test_a_registry_that_is_down_is_said_to_be_within_seconds(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        port = taken.getsockname()[1]
        registry = MlflowRegistry(f"http://alice:s3cret@127.0.0.1:{port}", None, tmp_path)
        started = time.monotonic()
        with pytest.raises(UnavailableError, match=f"The model registry at http://127.0.0.1:{port} did not") as refusal:
            registry.resolve("models:/fraud/1", None)
        assert time.monotonic() - started < 15
    assert "s3cret" not in str(refusal.value)
    assert refusal.value.hint


def test_a_registry_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        registry = MlflowRegistry(f"http://127.0.0.1:{silent.getsockname()[1]}", None, tmp_path)
        with pytest.raises(UnavailableError, match="did not answer"):
            registry.alias("fraud", "champion")


@pytest.mark.parametrize(("own", "meanwhile"), [(None, "300"), ("20", "20")])
def test_copying_files_has_more_time_unless_the_administrator_set_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str | None, meanwhile: str
) -> None:
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_TIMEOUT", raising=False)
    if own:
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", own)
    one, two = (Connection("http://127.0.0.1:1", None) for _ in range(2))  # the second finds what the first set
    before = os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]
    with one.transferring():
        with two.transferring():
            pass
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == meanwhile
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == before == (own or "7")


class Server(BaseHTTPRequestHandler):
    """As much of an MLflow server with proxied artifacts as fetching one version needs."""

    files: ClassVar[dict[str, bytes]] = {"MLmodel": b"flavors: {}\n", "data/weights.bin": b"\x01" * 50}
    status: ClassVar[int] = 200
    root = "1/abc/artifacts/model"
    answers: ClassVar[dict[str, object]] = {
        "model-versions/get": {"model_version": {"name": "fraud", "version": "1", "tags": []}},
        "model-versions/get-download-uri": {"artifact_uri": f"mlflow-artifacts:/{root}"},
        "model-versions/search": {"model_versions": [{"name": "fraud", "version": "1"}]},
        "registered-models/get": {"registered_model": {"name": "fraud"}},
    }

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if self.status != 200:
            self.answer(b"no", self.status)
        elif query.get("version", "1") != "1":
            self.answer(b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not here"}', 404)
        elif (name := url.path.rsplit("/mlflow/", 1)[-1]) in self.answers:
            self.answer(json.dumps(self.answers[name]).encode())
        elif url.path.endswith("/mlflow-artifacts/artifacts"):
            self.answer(json.dumps({"files": self.listing(query.get("path", ""))}).encode())
        else:
            file = self.files.get(url.path.partition(f"/mlflow-artifacts/artifacts/{self.root}/")[2])
            self.answer(file or b"{}", 200 if file else 404)

    def listing(self, path: str) -> list[dict[str, object]]:
        inside = [f"{self.root}/{name}" for name in self.files]
        prefix = f"{path}/" if path else ""
        rest = {name.removeprefix(prefix) for name in inside if name.startswith(prefix)}
        return [
            {"path": name.split("/")[0], "is_dir": "/" in name, "file_size": 1}
            for name in sorted(rest, key=lambda name: name.split("/")[0])
        ]

    def answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(handler: type[Server]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_version_is_fetched_from_a_server_that_hands_out_its_files(tmp_path: Path) -> None:
    with serving(Server) as uri:
        registry = MlflowRegistry(uri, None, tmp_path / "work")
        version = registry.resolve("models:/fraud/1", None)
        manifest = registry.fetch(version, tmp_path / "copy")
    assert [name for name, _ in manifest.entries] == ["MLmodel", "data/weights.bin"]
    assert manifest == manifest_of(tmp_path / "copy")
    assert version.digest == manifest.digest
    assert list((tmp_path / "work").iterdir()) == []


def test_a_version_that_the_server_does_not_know_is_not_an_outage(tmp_path: Path) -> None:
    with serving(Server) as uri, pytest.raises(ModelNotFoundError, match="fraud has no version 2"):
        MlflowRegistry(uri, None, tmp_path).resolve("models:/fraud/2", None)


@pytest.mark.parametrize(("status", "words"), [(500, "did not answer as it should"), (401, "did not let signoff in")])
def test_a_server_that_says_no_is_an_outage_with_what_to_do(tmp_path: Path, status: int, words: str) -> None:
    refusing = type("Refusing", (Server,), {"status": status})
    with serving(refusing) as uri, pytest.raises(UnavailableError, match=words) as refusal:
        MlflowRegistry(uri, None, tmp_path).resolve("models:/fraud/1", None)
    assert "MLFLOW_TRACKING" in refusal.value.hint
