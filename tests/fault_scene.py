"""A scene for accidents: real workers as processes, real commands, a folder that is the outside world.

The test holds a worker at a point (`hold`, `wait_held`), does something terrible to it, and lets the story go on.
`closing` asserts that nothing of it is left running.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from factories import ALICE, BOB, CAST, ERIN, an_actor
from signoff.adapters.blobs.file import FileBlobs
from signoff.adapters.runner.snapshot import unpack
from signoff.domain.actor import Directory
from signoff.domain.audit import AuditEvent
from signoff.domain.environment import DeployerSpec, Environment
from signoff.domain.gate import Verdict
from signoff.domain.run import ENDED, Run, RunStatus
from signoff.engine.telling import tell
from signoff.service.administration import apply_people
from signoff.service.decisions import Verdicts, decide_gate
from signoff.service.desk import Desk
from signoff.service.environments import apply_environments
from signoff.service.runs import retry_run
from signoff.service.snapshots import add_snapshot
from signoff.service.submission import Offer, Submission, submit_run
from signoff.store import runs
from signoff.store.audit import list_events
from signoff.store.database import Database

ROUNDS = int(os.environ.get("SIGNOFF_TEST_ROUNDS", "1"))
WORKER = Path(__file__).parent / "faults" / "fault_worker.py"
PATIENCE = 45.0
ENVIRONMENT = Environment("local", DeployerSpec(type="alias"), accept_claimed=True)

COMMAND = """\
root=$SIGNOFF_PARAM_ROOT point=$SIGNOFF_STEP-$SIGNOFF_PARAM_NAME
echo $$ >> $root/pids
echo "$SIGNOFF_STEP $SIGNOFF_PARAM_NAME" >> $root/commands
while [ -e $root/hold/$point ]; do echo on $$; echo $$ > $root/held/$point; sleep 0.05; done
if [ $SIGNOFF_PARAM_NAME = noisy ]; then head -c 300000 /dev/zero | tr '\\0' x; fi
echo $$ >> $root/commands-done
"""
TRAIN = COMMAND + "mkdir $SIGNOFF_OUTPUT/model; echo $SIGNOFF_PARAM_NAME > $SIGNOFF_OUTPUT/model/weights\n"

STEPS = {
    "train": "{{name: train, type: training, inputs: {{run: sh train.sh, params: {params}}}}}",
    "test": "{{name: test, type: test, inputs: {{run: sh test.sh, params: {params}}}}}",
    "approve": "{{name: approve, type: approval, inputs: {{approvers: [bob]}}}}",
    "policy": "{{name: approve, type: approval, inputs: {{approvers: [bob], auto_approve_if: attempt == 1}}}}",
    "deploy": "{{name: deploy, type: deployment, inputs: {{environment: local}}}}",
}


def load_worker() -> ModuleType:
    """The worker script as a module: the test's own process uses its registry."""
    spec = spec_from_file_location("fault_worker", WORKER)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Scene:
    """One database, one folder, any number of workers."""

    def __init__(self, root: Path, url: str) -> None:
        self.root, self.url = root, url
        for name in ("hold", "held", "models", "aliases", "trained", "blobs", "desk"):
            (root / name).mkdir()
        module = load_worker()
        self.registry: Any = module.FolderRegistry(root)
        self._machinery_of = module.machinery_of
        self._clock_of = module.clock_of
        self.desk = Desk(
            database=Database(url, pool_size=8, tell=tell),
            registry=self.registry,
            blobs=FileBlobs(root / "blobs"),
            clock=lambda: self._clock_of(root),
            work=root / "desk",
            url="http://localhost:8010",
            unpack=unpack,
        )
        self.workers: list[subprocess.Popen[bytes]] = []
        apply_people(self.desk, an_actor(ERIN), Directory.of(CAST), {})
        apply_environments(self.desk, an_actor(ERIN), {"local": ENVIRONMENT})
        self.snapshot = self._snapshot()

    def _snapshot(self) -> str:
        archive = self.root / "folder.tgz"
        with tarfile.open(archive, "w:gz") as tar:
            for name, text in (("train.sh", TRAIN), ("test.sh", COMMAND)):
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        return add_snapshot(self.desk, an_actor(ALICE), archive)[0]

    # The outside world

    def hold(self, *points: str) -> None:
        for point in points:
            (self.root / "held" / point).unlink(missing_ok=True)
            (self.root / "hold" / point).touch()

    def free(self, *points: str) -> None:
        for point in points:
            (self.root / "hold" / point).unlink()

    def wait_held(self, *points: str) -> None:
        for point in points:
            until((self.root / "held" / point).exists, f"{point} is reached")

    def lines(self, name: str) -> list[str]:
        file = self.root / name
        return file.read_text().splitlines() if file.exists() else []

    def set_clock(self, seconds: float) -> None:
        fresh = self.root / "clock.new"
        fresh.write_text(str(seconds))
        fresh.replace(self.root / "clock")

    # Processes

    def worker(self, **environment: str) -> subprocess.Popen[bytes]:
        log = (self.root / f"worker-{len(self.workers)}.log").open("wb")
        with log:
            worker = subprocess.Popen(
                [sys.executable, "-W", "ignore", WORKER, self.root, self.url],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **environment},
            )
        self.workers.append(worker)
        return worker

    def log(self, worker: subprocess.Popen[bytes]) -> str:
        return (self.root / f"worker-{self.workers.index(worker)}.log").read_text(errors="replace")

    def machinery(self) -> Any:
        """A worker's machinery in the test's own process."""
        return self._machinery_of(self.root, self.url)

    # What people do

    def submit(self, model: str, *steps: str, version: int = 1) -> str:
        """A run that trains, or starts with a version of its own when there is no training step."""
        steps = steps or ("train", "test", "approve", "deploy")
        offer = Offer()
        if "train" not in steps:
            folder = self.root / f"offered-{model}-{version}"
            if not folder.exists():
                folder.mkdir()
                (folder / "weights").write_text(f"{model} {version}")
                self.registry.add(model, folder)
            offer = Offer(reference=f"models:/{model}/{version}")
        text = "\n  - ".join([f"name: {model}\nmodel: {model}\nsteps:", *(STEPS[step] for step in steps)])
        pipeline = text.format(params=f"{{name: {model}, root: {self.root}}}")
        return submit_run(self.desk, an_actor(ALICE), Submission(pipeline, offer, snapshot=self.snapshot))

    def approve(self, run_id: str) -> None:
        gate = self.run(run_id).gate("approve")
        assert gate is not None
        decide_gate(self.desk, an_actor(BOB), run_id, "approve", Verdicts(Verdict.APPROVE, gate.digest))

    def retry(self, run_id: str) -> None:
        retry_run(self.desk, an_actor(ALICE), run_id)

    def run(self, run_id: str) -> Run:
        with self.desk.database.begin() as tx:
            return runs.get_run(tx, run_id)

    def events(self, run_id: str) -> list[AuditEvent]:
        with self.desk.database.begin() as tx:
            return list_events(tx, run_id=run_id, limit=10_000)

    def types(self, run_id: str) -> list[str]:
        return [event.type.value for event in self.events(run_id)]

    def wait(self, run_id: str, status: RunStatus = RunStatus.SUCCEEDED) -> Run:
        """The run, once it stands at `status`; at once an error when it ended otherwise."""

        def stands() -> bool:
            run = self.run(run_id)
            assert run.status is status or run.status not in ENDED, f"{run.status}: {run.error}"
            return run.status is status

        until(stands, f"{run_id} is {status}")
        return self.run(run_id)

    def close(self) -> None:
        """Stop everything; nothing of any worker may be left."""
        for point in (self.root / "hold").iterdir():
            point.unlink()
        for worker in self.workers:
            for number in (signal.SIGCONT, signal.SIGTERM):
                with suppress(ProcessLookupError):
                    worker.send_signal(number)
        stuck = [worker for worker in self.workers if not _ends(worker)]
        for worker in stuck:
            worker.send_signal(signal.SIGUSR1)
            until(lambda w=worker: "most recent call first" in self.log(w), "it says where it is")  # type: ignore[misc]
            kill(worker)
        self.desk.database.close()
        left = [pid for pid in self.lines("pids") if Path(f"/proc/{pid}").exists()]
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), f"the commands {left} are gone")
        assert not stuck, "\n".join(self.log(worker) for worker in stuck)


@contextmanager
def a_scene(root: Path, url: str) -> Iterator[Scene]:
    """A scene, closed at the end; when the test fails the workers' logs are shown."""
    scene = Scene(root, url)
    try:
        yield scene
    except BaseException:
        for worker in scene.workers:
            sys.stderr.write(f"--- worker {worker.pid}\n{scene.log(worker)}\n")
        with suppress(AssertionError):
            scene.close()
        raise
    scene.close()


def until(is_so: Callable[[], bool], what: str, patience: float = PATIENCE) -> float:
    """Wait for a condition; returns how long it took."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < patience, f"not within {patience:.0f} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - began


def _ends(worker: subprocess.Popen[bytes]) -> bool:
    try:
        worker.wait(20)
    except subprocess.TimeoutExpired:
        return False
    return True


def kill(worker: subprocess.Popen[bytes]) -> None:
    """kill -9, and reap."""
    worker.kill()
    worker.wait()
