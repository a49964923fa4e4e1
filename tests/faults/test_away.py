"""Workers told to stop, full disks, registries that are down: said in clear words, and finished afterwards."""

from __future__ import annotations

import signal
import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from fault_scene import a_scene, until
from signoff.adapters.registry.mlflow import MlflowRegistry
from signoff.domain.errors import UnavailableError
from signoff.domain.run import RunStatus, StepStatus


def test_a_worker_told_to_stop_hands_a_long_training_back(tmp_path: Path, database_url: str) -> None:
    with a_scene(tmp_path, database_url) as scene:
        scene.hold("train-long")
        first = scene.worker()
        run_id = scene.submit("long", "train", "approve", "deploy")
        scene.wait_held("train-long")
        first.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert first.wait(15) == 0
        assert time.monotonic() - began < 10
        state = scene.run(run_id).attempt.step("train")
        assert (state.status, state.tries) == (StepStatus.PENDING, 0)
        assert scene.types(run_id).count("step.handed_back") == 1
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in scene.lines("pids")), "its command is gone")
        scene.free("train-long")
        scene.worker()
        assert scene.wait(run_id, RunStatus.WAITING).attempt.step("train").tries == 1
        assert scene.lines("commands") == ["train long"] * 2


def test_a_log_that_cannot_be_written_is_said_and_a_retry_finishes_when_there_is_room(
    tmp_path: Path, database_url: str
) -> None:
    with a_scene(tmp_path, database_url) as scene:
        cramped = scene.worker(SIGNOFF_TEST_LARGEST_FILE="100000")
        run_id = scene.submit("noisy", "train", "approve", "deploy")
        run = scene.wait(run_id, RunStatus.ERRORED)
        assert "The log could not be written: File too large. The command was ended. Make room" in str(run.error)
        cramped.send_signal(signal.SIGTERM)
        assert cramped.wait(15) == 0
        scene.worker()
        scene.retry(run_id)
        scene.wait(run_id, RunStatus.WAITING)


def test_a_disk_that_refuses_before_a_step_is_said_and_a_retry_finishes(tmp_path: Path, database_url: str) -> None:
    with a_scene(tmp_path, database_url) as scene:
        worker = scene.worker()
        work = tmp_path / f"work-{worker.pid}"
        until(work.exists, "the worker has its folder")
        work.rmdir()
        work.write_text("in the way")
        run_id = scene.submit("homeless", "approve", "deploy")
        scene.wait(run_id, RunStatus.WAITING)
        scene.approve(run_id)
        run = scene.wait(run_id, RunStatus.ERRORED)
        assert "The worker's disk refused: Not a directory" in str(run.error)
        assert "signoff retry" in str(run.error)
        work.unlink()
        work.mkdir()
        scene.retry(run_id)
        scene.wait(run_id)
        assert scene.types(run_id).count("gate.decided") == 1


def test_a_registry_that_is_down_at_submission_is_said_soon_and_nothing_is_kept(
    tmp_path: Path, database_url: str
) -> None:
    with a_scene(tmp_path, database_url) as scene:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            uri = f"http://127.0.0.1:{closed.getsockname()[1]}"
        (tmp_path / "mlflow").mkdir()
        folder_registry = scene.registry
        scene.desk = replace(scene.desk, registry=MlflowRegistry(uri, None, tmp_path / "mlflow"))
        began = time.monotonic()
        with pytest.raises(UnavailableError, match=r"registry.*did not answer"):
            scene.submit("unknown", "approve", "deploy")
        assert time.monotonic() - began < 20
        with scene.desk.database.begin() as tx:
            assert tx.scalar(text("SELECT count(*) FROM runs")) == 0
            assert tx.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 0
        scene.desk = replace(scene.desk, registry=folder_registry)


def test_a_registry_that_goes_down_after_the_approval_errors_the_run_and_a_retry_deploys_once(
    tmp_path: Path, database_url: str
) -> None:
    down = tmp_path / "registry-is-down"
    with a_scene(tmp_path, database_url) as scene:
        scene.hold("fetch-deploying-deploy-1")
        scene.worker()
        confirming, deploying, patient = (
            scene.submit(name, "approve", "deploy") for name in ("confirming", "deploying", "patient")
        )
        for run_id in (confirming, deploying, patient):
            scene.wait(run_id, RunStatus.WAITING)
        scene.approve(deploying)
        scene.wait_held("fetch-deploying-deploy-1")
        down.touch()
        scene.free("fetch-deploying-deploy-1")
        scene.approve(confirming)
        for run_id, step in ((confirming, "approve"), (deploying, "deploy")):
            run = scene.wait(run_id, RunStatus.ERRORED)
            assert run.attempt.step(step).status is StepStatus.ERRORED
            assert str(run.error).startswith("The registry did not answer.")
        down.unlink()
        for run_id in (confirming, deploying):
            scene.retry(run_id)
            scene.wait(run_id)
            assert scene.types(run_id).count("gate.decided") == 1, "the approval still stands"
        assert sorted(scene.lines("effects")) == ["confirming 1", "deploying 1"]


def test_a_training_is_not_repeated_because_the_registry_was_away_when_it_ended(
    tmp_path: Path, database_url: str
) -> None:
    down = tmp_path / "registry-is-down"
    with a_scene(tmp_path, database_url) as scene:
        scene.hold("train-dear")
        worker = scene.worker()
        run_id = scene.submit("dear", "train", "approve", "deploy")
        scene.wait_held("train-dear")
        down.touch()
        scene.free("train-dear")
        until(lambda: "asking again" in scene.log(worker), "it was asked in vain")
        down.unlink()
        scene.wait(run_id, RunStatus.WAITING)
        assert scene.lines("commands") == ["train dear"]
