"""The whole stack as `signoff up --detach` starts it: its processes and what they take. Imported by benchmarks only."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from signoff.store import embedded

PEOPLE = """\
people:
  - {name: alice, roles: [submitter]}
  - {name: bob, roles: [approver]}
  - {name: carol, roles: [approver]}
"""


@dataclass(frozen=True)
class Taken:
    """Memory in MB, shared pages by their share (PSS); threads of server and worker."""

    server: float
    worker: float
    postgres: float
    threads: int

    @property
    def total(self) -> float:
        """Everything together."""
        return self.server + self.worker + self.postgres


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def signoff(home: Path, *words: str) -> None:
    """Run one command in that home."""
    environment = os.environ | {"SIGNOFF_HOME": str(home)}
    argv = [sys.executable, "-m", "signoff.cli", *words]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def up(home: Path) -> Iterator[int]:
    """The stack, ready, at the port given; down at the end."""
    (home / "people.yaml").write_text(PEOPLE)
    port = free_port()
    signoff(home, "up", "--detach", "--port", str(port))
    try:
        yield port
    finally:
        signoff(home, "down")


def taken(home: Path) -> Taken:
    """What the stack takes now."""
    state = json.loads((home / "up.json").read_text())
    server, worker = int(state["pid"]), int(state["worker_pid"])
    postmaster = embedded.status(home).pid
    assert postmaster is not None
    processes = [postmaster, *children(postmaster)]
    threads = sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in (server, worker))
    return Taken(memory(server), memory(worker), sum(map(memory, processes)), threads)


def children(parent: int) -> list[int]:
    """The processes that `parent` started."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended meanwhile
    return found


def memory(pid: int) -> float:
    """MB of one process; none when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def get(home: Path, port: int, path: str, person: str) -> None:
    """Ask the API for `path` as `person`."""
    secret = (home / "credentials" / f"{person}.session").read_text().strip()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/api/v1{path}", headers={"authorization": f"Bearer {secret}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == http.client.OK, body.decode()
