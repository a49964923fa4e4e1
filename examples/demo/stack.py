"""signoff itself, in a throw-away home: `signoff up` as a process of its own, and the command line to speak to it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import signoff
from demo.telling import StepError, Telling
from signoff.sdk.client import Client
from signoff.server.background import is_answering
from signoff.server.stack import down
from signoff.settings import read_settings
from signoff.store.cluster import cluster_at

PEOPLE = """\
people:
  - {name: alice, roles: [submitter]}
  - {name: bob, roles: [approver]}
  - {name: carol, roles: [approver]}
  - {name: dave, roles: [viewer]}
  - {name: erin, roles: [admin]}
"""
READY_WITHIN_S = 90
ENDS_WITHIN_S = 45
COMMAND_WITHIN_S = 120
# The home is the demo's own: whatever the visitor's shell says about signoff, MLflow or Python is not meant for it.
NOT_OURS = ("SIGNOFF_", "MLFLOW_", "PYTHON")


@dataclass(frozen=True)
class Answer:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str


class Stack:
    """The whole stack, from `with` to its end; afterwards nothing of it is left, whatever happened."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        # Not TMPDIR: the model servers' control sockets lie in the home, and a socket's path has to be short.
        self.home = Path(tempfile.mkdtemp(prefix="signoff-demo-", dir="/tmp"))

    def __enter__(self) -> Self:
        for name in [name for name in os.environ if name.startswith(NOT_OURS)]:
            del os.environ[name]
        os.environ["SIGNOFF_HOME"] = str(self.home)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # impatience would leave a database and model servers behind
        try:
            self._stop()
            down(read_settings())
            cluster = cluster_at(self.home)  # as root the database does not live in the home
            for folder in (cluster.sockets, cluster.folder):
                shutil.rmtree(folder, ignore_errors=True)
        finally:
            shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.home / "people.yaml").write_text(PEOPLE, encoding="utf-8")
        port = _free_port()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "signoff.cli", "up", "--port", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the demo, which ends this in its own time
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not is_answering("127.0.0.1", port):
            self.check()
            if time.monotonic() > deadline:
                raise StepError(f"signoff did not answer within {READY_WITHIN_S} s.")
            time.sleep(0.05)
        self.url = str(json.loads((self.home / "up.json").read_text(encoding="utf-8"))["url"])

    def check(self) -> None:
        """Raise StepError when the stack has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise StepError(f"`signoff up` ended by itself, with status {self._process.returncode}.")

    @property
    def log(self) -> Path:
        """What server and worker had to say."""
        return self.home / "up.log"

    def client(self, person: str) -> Client:
        """The API, as one of the cast."""
        return signoff.connect(person=person)

    def signoff(self, *words: str, person: str, refused: bool = False, show: bool = True) -> Answer:
        """Run a command as somebody; it must be done, or with `refused` be refused."""
        typed = ["signoff", *words, "--as", person]
        if show:
            self._telling.typed(shlex.join(typed))
        done = subprocess.run(
            [sys.executable, "-m", "signoff.cli", *typed[1:]],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
        )
        wanted = 3 if refused else 0
        if done.returncode != wanted:
            said = (done.stderr or done.stdout).strip()
            raise StepError(f"{shlex.join(typed)} ended with status {done.returncode}, not {wanted}:\n{said}")
        return Answer(done.returncode, done.stdout.strip(), done.stderr.strip())

    def ask(self, *words: str, person: str) -> Any:
        """The JSON document that a command answers; the line shown is what a person would type."""
        self._telling.typed(shlex.join(["signoff", *words, "--as", person]))
        return json.loads(self.signoff(*words, "--json", person=person, show=False).out)

    def _stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
