"""A real `mlflow server` process on loopback, with a database and files of the test's own.

The server wants packages that signoff does not (`requirements/mlflow.in`). It runs with a Python of its own: the one
that SIGNOFF_TEST_MLFLOW names, else that of the environment `mlflow` inside ours.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

_STARTS_WITHIN = 120.0


def python_of_server() -> list[str]:
    """The command that runs a Python which has the server."""
    named = os.environ.get("SIGNOFF_TEST_MLFLOW")
    own = Path(sys.prefix) / "mlflow" / "bin" / "python"
    assert named or own.is_file(), "make .venv/mlflow/.ready"
    return named.split() if named else [str(own)]


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class MlflowServer:
    """One server with what it keeps in `folder`."""

    folder: Path
    python: list[str] = field(default_factory=python_of_server)
    port: int = 0

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or closed_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        argv = [
            *self.python,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--workers",
            "1",
        ]
        argv += ["--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db"]
        argv += ["--artifacts-destination", str(self.folder / "artifacts")]
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "PYTHONPATH") if name in os.environ}
        off = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        environment = {**kept, **off}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                argv, env=environment, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + _STARTS_WITHIN
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < until, "mlflow server did not start in time"
            time.sleep(0.2)

    def stop(self) -> None:
        """End it and everything that it started: nobody needs what it would still write."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/health", timeout=2, trust_env=False).status_code == 200
        except httpx2.HTTPError:
            return False
