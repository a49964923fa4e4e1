"""What the client sends when somebody submits, and what it loads of what is live."""

from __future__ import annotations

import io
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
    FakeServer,
    deployment,
    environment,
    gate,
    run,
    snapshot,
)
from sdk_scene import client_of
from signoff.domain.errors import (
    InvalidError,
    ModelNotFoundError,
    PipelineError,
    UnsafeModelError,
)
from signoff.sdk.model_files import packed
from signoff.sdk.run import Run


def names_in(packed_folder: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed_folder)) as tar:
        return tar.getnames()


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
