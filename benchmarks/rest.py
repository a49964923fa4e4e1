"""Decisions a second through REST: a signed-in client against the real server, beside a bare FastAPI application.

    python benchmarks/rest.py [--seconds 3] [--rounds 4]

The server is `signoff serve` in a process of its own, the clients are keep-alive sockets. The bare application takes
and returns bodies of the same size and touches no database. Both are up at once and asked in turns.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stage import FIRST, Stage, about, in_threads, percentile, report, stage

from signoff.store import gates
from signoff.store.database import Database

GATES = 30_000
PEOPLE = """\
people:
  - {name: alice, roles: [submitter]}
  - {name: bob, roles: [approver]}
  - {name: carol, roles: [approver]}
"""

FLOOR = """
import socket, sys
import fastapi, uvicorn

app = fastapi.FastAPI()
answer = {"text": "x" * 1500}

@app.post("/api/v1/runs/{run}/gates/{step}/decisions")
def decide(run: str, step: str, body: dict):
    return answer

config = uvicorn.Config(app, access_log=False, log_level="warning", loop="uvloop", http="httptools")
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when the server answers /readyz."""
    for _ in range(1200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == http.client.OK:
                return
        except OSError:
            pass
        finally:
            connection.close()
        assert process.poll() is None, "the server did not start"
        time.sleep(0.05)
    raise TimeoutError("the server did not get ready within a minute")


class Client:
    """One keep-alive connection that decides."""

    def __init__(self, port: int, secret: str, digest: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
        self._body = json.dumps({"verdict": "approve", "digest": digest})

    def decide(self, number: int) -> None:
        """Approve the run of that number."""
        path = f"/api/v1/runs/{number}/gates/approve/decisions"
        self._connection.request("POST", path, self._body, self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == http.client.OK, body.decode()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def rate(make: Callable[[], Client], count: int, numbers: Iterator[int], seconds: float) -> tuple[float, list[float]]:
    """Answers a second, and how long each took."""
    clients = [make() for _ in range(count)]
    took: list[list[float]] = [[] for _ in clients]
    began = time.perf_counter()

    def work(index: int) -> None:
        while (start := time.perf_counter()) < began + seconds:
            clients[index].decide(next(numbers))
            took[index].append(time.perf_counter() - start)

    in_threads(count, work)
    passed = time.perf_counter() - began
    for client in clients:
        client.close()
    done = list(itertools.chain.from_iterable(took))
    return len(done) / passed, done


def start_server(made: Stage, port: int) -> subprocess.Popen[bytes]:
    (made.home / "people.yaml").write_text(PEOPLE)
    environment = os.environ | {"SIGNOFF_HOME": str(made.home)}
    argv = [sys.executable, "-m", "signoff.cli", "serve", "--port", str(port)]
    log = (made.home / "serve.log").open("wb")
    server = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    wait_until_ready(port, server)
    return server


def measure(made: Stage, seconds: float, rounds: int) -> dict[str, object]:
    made.open_gates(GATES)
    database = Database(made.url, pool_size=1)
    with database.begin() as tx:
        digest = gates.list_gates(tx, [str(FIRST)])[0].digest
    database.close()
    numbers = itertools.count(FIRST)
    port = free_port()
    server = start_server(made, port)
    listener = socket.create_server(("127.0.0.1", 0))
    bare_port = int(listener.getsockname()[1])
    floor = subprocess.Popen([sys.executable, "-c", FLOOR, str(listener.fileno())], pass_fds=(listener.fileno(),))
    secret = (Path(made.home) / "credentials" / "bob.session").read_text().strip()

    def ours() -> Client:
        return Client(port, secret, digest)

    def bare() -> Client:
        return Client(bare_port, secret, digest)

    found: dict[str, list[float]] = {}
    one_took: list[float] = []
    many_took: list[float] = []
    try:
        for number in range(rounds + 1):
            figures = {}
            figures["bare_1"], _ = rate(bare, 1, numbers_of_nobody(), seconds / 2)
            figures["ours_1"], one = rate(ours, 1, numbers, seconds)
            figures["bare_8"], _ = rate(bare, 8, numbers_of_nobody(), seconds / 2)
            figures["ours_8"], many = rate(ours, 8, numbers, seconds)
            if number == 0:
                continue  # warms everything up
            for name, value in figures.items():
                found.setdefault(name, []).append(value)
            one_took += one
            many_took += many
            print("  " + "   ".join(f"{name} {value:5.0f}/s" for name, value in figures.items()), flush=True)
    finally:
        for process in (server, floor):
            process.terminate()
            process.wait()
        listener.close()
    middle = {f"{name}_per_second": round(statistics.median(values)) for name, values in found.items()}
    return {
        **middle,
        "ours_1_p50_ms": round(percentile(one_took, 50) * 1000, 1),
        "ours_1_p99_ms": round(percentile(one_took, 99) * 1000, 1),
        "ours_8_p50_ms": round(percentile(many_took, 50) * 1000, 1),
        "ours_8_p99_ms": round(percentile(many_took, 99) * 1000, 1),
    }


def numbers_of_nobody() -> Iterator[int]:
    return itertools.count(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    known = about("fastapi", "uvicorn")
    print(known)
    with stage() as made:
        figures = measure(made, arguments.seconds, arguments.rounds)
    report("rest", known, figures)


if __name__ == "__main__":
    main()
