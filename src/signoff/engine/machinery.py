"""What the engine works with: the database, the outside world behind its ports, a clock, and when to stop."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import structlog

from signoff.domain.environment import Environment
from signoff.domain.errors import MachineryError
from signoff.domain.run import Run
from signoff.domain.target import TargetKind
from signoff.ports import Blobs, Deployer, Notifier, Registry, Runner, Tracking
from signoff.store.database import Database, Transaction
from signoff.store.deadlines import get_clock

LOG = structlog.get_logger("signoff.engine")

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Machinery:
    """Everything outside the rules. `work` is this worker's scratch folder; `deployers` are by type.

    `stopping` is set when the worker is told to stop: running commands are ended and their steps handed back.
    """

    database: Database
    registry: Registry
    tracking: Tracking
    runner: Runner
    deployers: Mapping[str, Deployer]
    blobs: Blobs
    work: Path
    clock: Clock
    database_clock: Callable[[Transaction], datetime] = get_clock
    """The clock that all workers share, which deadlines go by."""
    stopping: threading.Event = field(default_factory=threading.Event)
    notifiers: Mapping[TargetKind, Notifier] = field(default_factory=dict)
    """What this worker can tell through, by kind of target."""
    look: Callable[[str], object] | None = None
    """Looks for new versions that start the registered pipeline of this name, and starts them: a use-case, which
    `bootstrap` hands in, for the engine knows none."""
    url: str = "http://localhost:8010"
    """The server's public address, for links."""
    expiry_notice: timedelta = timedelta(days=7)
    """How long before an approval expires its people are told, at most."""
    retry_pauses: tuple[float, ...] = (1.0, 4.0, 15.0)
    """How long to wait before asking an outside system again that did not answer, in seconds."""
    heartbeat: float = 10.0
    """How often a worker gives a sign of life, in seconds; after three of them it counts as dead."""

    @property
    def stalled_after(self) -> float:
        """Seconds without a sign of life after which a worker's jobs go to somebody else."""
        return 3 * self.heartbeat

    def deployer_of(self, environment: Environment) -> Deployer:
        """The deployer that `environment` names."""
        kind = environment.deployer.type
        if kind not in self.deployers:
            raise MachineryError(
                f"This worker has no {kind} deployer, which environment {environment.name} needs.",
                "Start a worker that has it, or choose another deployer.",
                is_retryable=False,
            )
        return self.deployers[kind]

    def checkout(self, digest: str, target: Path) -> Path:
        """Copy the blob to the file `target`."""
        target.parent.mkdir(parents=True, exist_ok=True)
        source: IO[bytes]
        with self.blobs.open(digest) as source, target.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        return target

    def folder_of(self, *names: str) -> Path:
        """An empty scratch folder of that name; what was in it is gone."""
        folder = self.work.joinpath(*names)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def clean(self, *names: str) -> None:
        """Remove a scratch folder."""
        with suppress(OSError):
            shutil.rmtree(self.work.joinpath(*names))


def scratch_of(run: Run) -> str:
    """The name of the scratch folder for this hold on `run`: whoever was overtaken must not sweep it from under us."""
    return f"{run.id}-{run.epoch}"
