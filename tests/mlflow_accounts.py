"""A real `mlflow server` with basic auth on loopback, as a team with accounts runs one: the example's settings."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from mlflow_server import python_of_server

EXAMPLE = Path(__file__).parents[1] / "examples" / "mlflow"
ACCOUNTS = ("signoff", "alice", "dan")
ADMIN_PASSWORD = "the-administrators-own-password"
_STARTS_WITHIN = 120.0


@dataclass
class GuardedMlflow:
    """A running one. Every account's password begins with its name."""

    url: str
    folder: Path

    def password(self, name: str) -> str:
        return ADMIN_PASSWORD if name == "admin" else f"{name}-and-a-long-password"

    @property
    def passwords(self) -> dict[str, str]:
        """What `rights.py` gives to the accounts that it makes."""
        return {f"PASSWORD_{name.upper()}": self.password(name) for name in ACCOUNTS}

    def uri(self, name: str) -> str:
        """The server's address with the credentials of `name` in it."""
        return self.url.replace("//", f"//{name}:{self.password(name)}@")

    def script(self, file: str, name: str, **more: str) -> str:
        """What the example's script prints when `name` runs it; it must succeed."""
        own = {
            "MLFLOW_TRACKING_URI": self.url,
            "MLFLOW_TRACKING_USERNAME": name,
            "MLFLOW_TRACKING_PASSWORD": self.password(name),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "GIT_PYTHON_REFRESH": "quiet",
            "HOME": str(self.folder),
        }
        kept = {key: os.environ[key] for key in ("PATH", "PYTHONPATH") if key in os.environ}
        call = [sys.executable, "-W", "ignore", str(EXAMPLE / file)]
        environment = {**kept, **own, **more}
        done = subprocess.run(
            call, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, who: str, path: str, method: str = "POST", /, **body: object) -> int:
        """The status of what the server answers to `who`."""
        with httpx2.Client(auth=(who, self.password(who)), timeout=30) as client:
            return client.request(method, f"{self.url}{path}", json=body).status_code


@contextmanager
def a_guarded_mlflow(folder: Path) -> Iterator[GuardedMlflow]:
    """Start one in `folder`, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = folder / "basic_auth.ini"
    settings.write_text((EXAMPLE / "basic_auth.ini").read_text().replace("sqlite:///", f"sqlite:///{folder}/"))
    own = {
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN_PASSWORD,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "signs the forms of this server",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # Else a webhook goes to public addresses only, by https only, and a new one is known after a minute.
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http",
        "MLFLOW_WEBHOOK_CACHE_TTL": "0",
        "PYTHONWARNINGS": "ignore",
    }
    call = [*python_of_server(), "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1"]
    call += ["--port", str(port), "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    call += ["--artifacts-destination", str(folder / "artifacts")]
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            call,
            cwd=folder,
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait(process, port, log)
        yield GuardedMlflow(f"http://127.0.0.1:{port}", folder)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            if httpx2.get(f"http://127.0.0.1:{port}/health", timeout=5).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
