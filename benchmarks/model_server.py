"""The model server against its floor: a bare FastAPI application around the same pyfunc model, on the same uvicorn.

    python benchmarks/model_server.py [--seconds 2] [--rounds 4] [--clients 4]

Both run at once and are loaded in turns, so that a noisy machine is noisy to both; the figure is the ratio. Then
versions are swapped under load and failed requests are counted. The clients are a process of their own: keep-alive
sockets that send one prepared request and never try twice. Ends in one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path

from signoff.adapters.deploy.server import ServerDeployer, stop_all
from signoff.domain.environment import LOCAL
from signoff.domain.version import ModelVersion
from signoff.ports import Release
from signoff.proof.manifest import manifest_of

COLUMNS = [f"x{number}" for number in range(10)]
BODY = json.dumps({"dataframe_split": {"columns": COLUMNS, "data": [[0.5] * len(COLUMNS)]}}).encode()
SWAPS = 6

MODEL = """
class Model:
    def predict(self, frame):
        return frame.to_numpy().sum(axis=1) + {version}

def _load_pyfunc(path):
    return Model()
"""

FLOOR = """
import socket, sys
import fastapi, mlflow.pyfunc, pandas, uvicorn

model = mlflow.pyfunc.load_model(sys.argv[1])
app = fastapi.FastAPI()

@app.post("/invocations")
def invocations(body: dict):
    frame = pandas.DataFrame(**body["dataframe_split"])
    return {"predictions": model.predict(frame).tolist()}

config = uvicorn.Config(app, access_log=False, log_level="warning")
uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
"""


class NoTracking:
    """A registry that remembers nothing: it is not what is measured."""

    def metrics(self, _: str, /) -> Mapping[str, float]:
        """None."""
        return {}

    def alias(self, _: str, __: str, /) -> ModelVersion | None:
        """None."""
        return None

    def list_aliases(self) -> Mapping[str, Mapping[str, str]]:
        """None."""
        return {}

    def set_alias(self, _: str, __: str, ___: str, /) -> None:
        """Nothing."""

    def set_tags(self, _: str, __: str, ___: Mapping[str, str], /) -> None:
        """Nothing."""


def write_release(folder: Path, version: str) -> Release:
    """A model of ten numbers with a signature, as MLflow stores it."""
    (folder / "code").mkdir(parents=True)
    (folder / "code" / f"sum{version}.py").write_text(MODEL.format(version=version))
    inputs = json.dumps([{"type": "double", "name": name, "required": True} for name in COLUMNS])
    flavor = {"loader_module": f"sum{version}", "code": "code", "python_version": platform.python_version()}
    (folder / "MLmodel").write_text(
        json.dumps({"flavors": {"python_function": flavor}, "signature": {"inputs": inputs, "outputs": None}})
    )
    submitted = ModelVersion("sum", version, manifest_of(folder).digest, str(folder))
    return Release(f"bench/deploy/{version}", LOCAL, submitted, folder)


def ask(connection: socket.socket, request: bytes) -> tuple[bytes, bool]:
    """The body of one answer, and whether the connection stays open."""
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if not lines[0].startswith(b"http/1.1 200 "):
        raise OSError(head.decode())
    length = next(int(line[16:]) for line in lines if line.startswith(b"content-length: "))
    while len(body) < length:
        body += receive(connection)
    return body, b"connection: close" not in lines


def receive(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise OSError("the server closed the connection before it answered")
    return data


def load(port: int, clients: int, seconds: float) -> None:
    """Be the clients; print what was answered as JSON."""
    request = b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    request += b"content-length: %d\r\n\r\n" % len(BODY) + BODY
    until = time.monotonic() + seconds
    took: list[float] = []
    failures: list[str] = []
    answers: set[str] = set()

    def work() -> None:
        connection: socket.socket | None = None
        while (began := time.monotonic()) < until:
            try:
                connection = connection or socket.create_connection(("127.0.0.1", port), timeout=20)
                body, stays = ask(connection, request)
                answers.add(body.decode().replace(" ", ""))
            except OSError as error:
                failures.append(str(error))
                stays = False
            took.append(time.monotonic() - began)
            if connection and not stays:
                connection.close()
                connection = None
        if connection:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    p99 = statistics.quantiles(took, n=100)[98] if len(took) > 1 else took[0]
    print(json.dumps({"count": len(took), "p99": p99, "failures": failures[:5], "answers": sorted(answers)}))


def start_load(port: int, clients: int, seconds: float) -> subprocess.Popen[str]:
    argv = [sys.executable, __file__, "--load", str(port), "--clients", str(clients), "--seconds", str(seconds)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def end_load(clients: subprocess.Popen[str]) -> dict[str, object]:
    output, _ = clients.communicate(timeout=120)
    result: dict[str, object] = json.loads(output)
    return result


def rate(port: int, clients: int, seconds: float) -> float:
    """Answers a second; no failure is allowed."""
    result = end_load(start_load(port, clients, seconds))
    assert not result["failures"], result
    return float(str(result["count"])) / seconds


def start_floor(release: Release) -> tuple[subprocess.Popen[bytes], int]:
    """The bare application, answering."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(2048)
        port = int(listener.getsockname()[1])
        number = listener.fileno()
        argv = [sys.executable, "-c", FLOOR, str(release.path), str(number)]
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
        floor = subprocess.Popen(argv, pass_fds=(number,), env=environment)
    rate(port, 1, 0.5)  # waits in the listen queue until it has started
    return floor, port


def measure(folder: Path, seconds: float, rounds: int, clients: int) -> dict[str, object]:
    """Every figure, from one run."""
    first, second = (write_release(folder / f"v{version}", version) for version in "12")
    deployer = ServerDeployer(folder / "serving", NoTracking())
    floor, floor_port = start_floor(first)
    try:
        port = int(str(deployer.deploy(first)).rpartition(":")[2])
        rate(port, clients, 0.5)
        ours, bare = [], []
        for _ in range(rounds):
            bare.append(rate(floor_port, clients, seconds))
            ours.append(rate(port, clients, seconds))
            print(
                f"  bare {bare[-1]:6.0f}/s   model server {ours[-1]:6.0f}/s   {ours[-1] / bare[-1]:.2f} x", flush=True
            )
        running = start_load(port, clients, SWAPS + 1.0)
        swaps = []
        for number in range(SWAPS):
            time.sleep(1)
            began = time.monotonic()
            deployer.deploy((second, first)[number % 2])
            swaps.append(time.monotonic() - began)
        under_swaps = end_load(running)
    finally:
        floor.terminate()
        floor.wait()
        stop_all(folder / "serving")
    assert len(list(under_swaps["answers"])) == len((first, second)), under_swaps  # type: ignore[call-overload]
    return {
        "bare_per_second": round(statistics.median(bare)),
        "server_per_second": round(statistics.median(ours)),
        "ratio": round(statistics.median([mine / theirs for mine, theirs in zip(ours, bare, strict=True)]), 2),
        "swaps": SWAPS,
        "swap_seconds": round(statistics.median(swaps), 3),
        "requests_during_swaps": under_swaps["count"],
        "p99_during_swaps_seconds": round(float(str(under_swaps["p99"])), 4),
        "failed": len(list(under_swaps["failures"])),  # type: ignore[call-overload]
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.load:
        load(arguments.load, arguments.clients, arguments.seconds)
        return
    names = ("mlflow-skinny", "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pandas", "numpy")
    versions = {"python": platform.python_version(), **{name: installed(name) for name in names}}
    machine = {"cores": os.cpu_count(), "system": platform.platform(), "processor": platform.processor()}
    print(f"{machine}\n{versions}")
    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as folder:
        figures = measure(Path(folder), arguments.seconds, arguments.rounds, arguments.clients)
    print(json.dumps({"benchmark": "model_server", **figures, "machine": machine, "versions": versions}))


if __name__ == "__main__":
    main()
