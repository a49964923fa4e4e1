"""kill -9 of the server while people decide through REST: what was acknowledged is in the audit log, exactly once."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fault_scene import ROUNDS, Scene, a_scene, kill, until
from signoff.domain.run import RunStatus
from signoff.sdk.client import Client
from signoff.sdk.errors import ApiError, ServerUnreachableError
from signoff.server.background import is_answering
from signoff.wire.gates import DecisionRequest

PEOPLE = """\
people:
  - {name: alice, roles: [submitter]}
  - {name: bob, roles: [approver], groups: [risk]}
  - {name: carol, roles: [approver], groups: [risk]}
  - {name: erin, roles: [admin]}
"""
ENVIRONMENTS = "environments: {local: {deployer: {type: alias}, accept_claimed: true}}\n"
DONE = {"already_decided", "gate_closed"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """`signoff serve` on the scene's database, started again after each death."""

    def __init__(self, scene: Scene) -> None:
        self.home = scene.root / "home"
        self.home.mkdir()
        (self.home / "people.yaml").write_text(PEOPLE)
        (self.home / "environments.yaml").write_text(ENVIRONMENTS)
        self.port = free_port()
        self._environment = {**os.environ, "SIGNOFF_HOME": str(self.home), "SIGNOFF_DATABASE_URL": scene.url}
        self._log = (scene.root / "server.log").open("ab")
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "signoff.cli", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=self._environment)

    def wait(self) -> None:
        until(lambda: is_answering("127.0.0.1", self.port), "the server answers")

    def close(self) -> None:
        kill(self.process)
        self._log.close()

    def client(self) -> Client:
        secret = (self.home / "credentials" / "bob.session").read_text().strip()
        return Client(f"http://127.0.0.1:{self.port}", secret)


def decide(server: Server, run_id: str) -> None:
    """Approve until it is acknowledged; a decision that was kept although its answer was lost is refused as such."""

    def is_acknowledged() -> bool:
        try:
            with server.client() as client:
                digest = client.get_gate(run_id, "approve").digest
                client.decide(run_id, "approve", DecisionRequest(verdict="approve", digest=digest))
        except ServerUnreachableError:
            return False
        except ApiError as error:
            return error.code in DONE
        return True

    until(is_acknowledged, f"{run_id} is approved")


def chaos(tmp_path: Path, url: str, *, kills: int, models: int, seed: int) -> None:
    moments = random.Random(seed)
    with a_scene(tmp_path, url) as scene:
        scene.worker()
        ids = [scene.submit(f"model-{number}", "approve", "deploy") for number in range(models)]
        for run_id in ids:
            scene.wait(run_id, RunStatus.WAITING)
        server = Server(scene)
        try:
            server.wait()
            acknowledged: list[str] = []

            def script() -> None:
                for run_id in ids:
                    decide(server, run_id)
                    acknowledged.append(run_id)

            deciding = threading.Thread(target=script)
            deciding.start()
            for _ in range(kills):
                known = len(acknowledged)
                until(lambda known=known: len(acknowledged) > known or not deciding.is_alive(), "it goes on")  # type: ignore[misc]
                time.sleep(moments.uniform(0, 0.05))
                kill(server.process)
                server.start()
            deciding.join(60)
        finally:
            server.close()
        assert acknowledged == ids
        for run_id in ids:
            scene.wait(run_id)
            assert scene.types(run_id).count("gate.decided") == 1
            assert scene.types(run_id).count("gate.closed") == 1
        assert sorted(scene.lines("effects")) == sorted(f"model-{number} 1" for number in range(models))


def test_a_server_killed_while_people_decide_keeps_each_decision_once(tmp_path: Path, database_url: str) -> None:
    chaos(tmp_path, database_url, kills=2, models=12, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(1, ROUNDS + 1))
def test_a_server_killed_again_and_again_keeps_each_decision_once(tmp_path: Path, database_url: str, seed: int) -> None:
    chaos(tmp_path, database_url, kills=8, models=80, seed=seed)
