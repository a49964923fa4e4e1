"""A real signoff as `signoff up` starts it: server, worker and embedded database, in a home of the tests' own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from databases import home_in_memory
from signoff.server.background import is_answering
from signoff.server.state import is_ours

PEOPLE = """\
people:
  - {name: alice, roles: [submitter], email: alice@example.org}
  - {name: bob, roles: [approver], groups: [risk]}
  - {name: carol, roles: [approver, auditor], groups: [risk]}
  - {name: dave, roles: [viewer]}
  - {name: erin, roles: [admin]}
"""
_STARTS_WITHIN = 60.0
_ENDS_WITHIN = 30.0


@dataclass
class Stack:
    """A running one."""

    home: Path
    port: int
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def secret(self, name: str, kind: str = "session") -> str:
        """What is in the file of `name`'s credential."""
        return (self.home / "credentials" / f"{name}.{kind}").read_text().strip()

    def first_link(self) -> str:
        """The link that makes the first administrator, as it was printed."""
        found = re.search(r"http://\S+/link\?code=\S+", self.log.read_text())
        assert found, self.log.read_text()
        return found.group()

    def command(self, *words: str, who: str | None = None) -> str:
        """What `signoff` prints; it must succeed."""
        call = [sys.executable, "-m", "signoff.cli", *words, *(["--as", who] if who else [])]
        done = subprocess.run(call, env=self.environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self) -> None:
        call = [sys.executable, "-m", "signoff.cli", "up", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                call, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _STARTS_WITHIN
        while not is_answering("localhost", self.port):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as an init system would; its worker ends with it."""
        state = self.home / "up.json"
        worker = int(json.loads(state.read_text())["worker_pid"]) if state.exists() else None
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(_ENDS_WITHIN)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            if worker is not None and is_ours(worker):
                os.killpg(worker, signal.SIGKILL)
                raise AssertionError("its worker outlived it")


@contextmanager
def running(
    people: str = PEOPLE, environments: str | None = None, *, port: int | None = None, **settings: str
) -> Iterator[Stack]:
    """A stack with these people and environments, until the block ends."""
    with home_in_memory(f"stack-{uuid.uuid4().hex[:8]}") as home:
        (home / "people.yaml").write_text(people)
        if environments is not None:
            (home / "environments.yaml").write_text(environments)
        port = port or free_port()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SIGNOFF_", "MLFLOW_"))}
        environment = {**inherited, "SIGNOFF_HOME": str(home), "SIGNOFF_SERVER": f"http://localhost:{port}", **settings}
        stack = Stack(home, port, environment, home / "stack.log")
        try:
            stack.start()
            yield stack
        finally:
            stack.stop()


def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
