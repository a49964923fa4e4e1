"""How the house is: whether its parts answer, and the figures that operators watch. Holds no secret and no name."""

from __future__ import annotations

from dataclasses import dataclass

from signoff.domain.errors import NotFoundError, SignoffError
from signoff.engine.jobs import queue_state
from signoff.service.desk import Desk
from signoff.store import figures, gates
from signoff.store.migrate import is_current
from signoff.store.queue import QueueState


@dataclass(frozen=True, slots=True)
class Part:
    """One thing the server depends on. `is_needed`: without it the server is not ready. `why` is for the log only."""

    name: str
    is_ok: bool
    detail: str
    is_needed: bool = True
    why: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """What /metrics shows; ages and durations in seconds."""

    gate_ages: list[float]
    runs: dict[str, int]
    queue: QueueState
    decisions: dict[str, int]
    step_seconds: list[tuple[str, str, float]]


def readiness(desk: Desk) -> list[Part]:
    """Each part, asked just now."""
    parts = []
    try:
        with desk.database.begin() as tx:
            current = is_current(tx)
            queue = queue_state(tx)
        parts.append(Part("database", is_ok=True, detail="answers"))
        parts.append(Part("schema", current, "current" if current else "old: run `signoff migrate`"))
        workers = f"{queue.workers} at work, {queue.waiting} wake-ups waiting"
        parts.append(Part("workers", queue.workers > 0, workers, is_needed=False))
    except SignoffError as error:
        parts.append(Part("database", is_ok=False, detail="did not answer", why=str(error)))
    try:
        desk.blobs.open("sha256:" + "0" * 64).close()
    except NotFoundError:
        parts.append(Part("files", is_ok=True, detail="answer"))
    except (SignoffError, OSError) as error:
        parts.append(Part("files", is_ok=False, detail="did not answer", why=str(error)))
    return parts


def measure(desk: Desk) -> Figures:
    """Everything /metrics shows."""
    with desk.database.begin() as tx:
        return Figures(
            gate_ages=gates.gate_ages(tx, now=desk.clock()),
            runs=figures.count_runs(tx),
            queue=queue_state(tx),
            decisions=figures.count_decisions(tx),
            step_seconds=figures.step_seconds(tx, now=desk.clock()),
        )
