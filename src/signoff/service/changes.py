"""What changed: a run's version against what is live where it is going, and against the run's attempt before.

Reads only. The files of pipeline folders come out of their kept archives, those of models from the registry's record
of them where there is one; what is too large to look through is said to be unknown, never to be the same.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.changes import Changes, Side, changes_between
from signoff.domain.environment import LOCAL, Deployment
from signoff.domain.errors import NotFoundError
from signoff.domain.pipeline import Pipeline, TestStep, TrainingStep
from signoff.domain.run import Attempt, Run
from signoff.domain.version import ModelVersion
from signoff.ports import Blobs
from signoff.service.desk import Desk
from signoff.service.privacy import find_run_id
from signoff.store import deployments, runs
from signoff.store.database import Transaction

LARGEST_LOOKED_INTO = 64 * 1024**2
"""Archives larger than this, in bytes unpacked, are not looked into while somebody waits for a page."""
_MOST_FILES = 5_000


@dataclass(frozen=True, slots=True)
class Changed:
    """Since the version that is live where the run is going, and since the attempt before; None: there is none.

    `live` is the version that serves there now, whatever its bytes.
    """

    since_champion: Changes | None
    since_last: Changes | None
    live: str | None = None


def what_changed(desk: Desk, actor: Actor, run_id: str, number: int | None = None) -> Changed:
    """What is another about the version of attempt `number` (the newest, when none is named)."""
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        attempts = runs.list_attempts(tx, run.id)
        present = next((a for a in attempts if a.number == (number or run.attempt.number)), None)
        if present is None or present.version is None:
            return Changed(None, None)
        former = _attempt_before(attempts, present)
        live = _live(tx, run)
        champion = live if live is not None and live[0].digest != present.version.digest else None
        theirs = runs.get_run(tx, champion[0].run_id) if champion is not None else None
    mine = _side("this version", present.version, run, desk.blobs)
    since_last = since_champion = None
    if former is not None and former.version is not None:
        label = f"attempt {former.number} (v{former.version.version})"
        since_last = changes_between(_side(label, former.version, run, desk.blobs), mine)
    if champion is not None and theirs is not None:
        deployed, version = champion
        label = f"v{version.version}, live in {deployed.environment}"
        since_champion = changes_between(_side(label, version, theirs, desk.blobs), mine)
    return Changed(since_champion, since_last, live[1].version if live is not None else None)


def _attempt_before(attempts: Sequence[Attempt], present: Attempt) -> Attempt | None:
    """The newest earlier attempt that had a version."""
    earlier = [a for a in attempts if a.number < present.number and a.version is not None]
    return max(earlier, key=lambda attempt: attempt.number, default=None)


def _live(tx: Transaction, run: Run) -> tuple[Deployment, ModelVersion] | None:
    """What is live in the first environment that the run deploys to."""
    step = run.pipeline.deployment_after(0)
    live = deployments.find_live(tx, step.environment if step is not None else LOCAL.name, run.model)
    return (live, deployments.get_version(tx, live.id)) if live is not None else None


def _side(label: str, version: ModelVersion, run: Run, blobs: Blobs) -> Side:
    return Side(
        label=label,
        version=version,
        pipeline_digest=run.pipeline.digest,
        settings=_settings(run.pipeline),
        code_files=_files_of(blobs, run.snapshot_digest),
        model_files=dict(version.files) or None,
    )


def _settings(pipeline: Pipeline) -> dict[str, str]:
    """The params that the file gives its commands, by ``step.name``."""
    commands = {s.name: s.command for s in pipeline.steps if isinstance(s, TrainingStep | TestStep)}
    return {
        f"{step}.{name}": str(value)
        for step, command in commands.items()
        if command is not None
        for name, value in command.params.items()
    }


def _files_of(blobs: Blobs, digest: str | None) -> Mapping[str, str] | None:
    """Path -> sha256 of every file of a kept archive; None where it is gone, damaged or too large to look into."""
    if digest is None:
        return {}
    known = _looked_into(digest)
    if not known:
        try:
            known.append(_read(blobs, digest))
        except (NotFoundError, tarfile.TarError, OSError, EOFError):
            return None
    return known[0]


@lru_cache(maxsize=256)
def _looked_into(digest: str) -> list[Mapping[str, str] | None]:  # noqa: ARG001 - the digest is the key
    return []


def _read(blobs: Blobs, digest: str) -> Mapping[str, str] | None:
    found: dict[str, str] = {}
    looked = 0
    with blobs.open(digest) as blob, tarfile.open(fileobj=blob, mode="r|gz") as archive:
        for member in archive:
            if not member.isfile():
                continue
            looked += member.size
            if looked > LARGEST_LOOKED_INTO or len(found) >= _MOST_FILES:
                return None
            content = archive.extractfile(member)
            if content is not None:
                found[member.name.removeprefix("./")] = hashlib.sha256(content.read()).hexdigest()
    return found
