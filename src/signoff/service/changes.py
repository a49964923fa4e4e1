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

from signoff.domain.changes import Changes, Side, changes_between
from signoff.domain.environment import LOCAL, Deployment
from signoff.domain.errors import NotFoundError
from signoff.domain.pipeline import Pipeline, TestStep, TrainingStep
from signoff.domain.run import Attempt, Run
from signoff.domain.version import ModelVersion
from signoff.ports import Blobs
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is to be held against each other, as it was read: apart from `what_changed`, which reads large files."""

    run: Run
    present: ModelVersion | None = None
    former: tuple[str, ModelVersion] | None = None
    champion: tuple[str, ModelVersion, Run] | None = None
    live: str | None = None


def comparison_of(tx: Transaction, run: Run, attempts: Sequence[Attempt], number: int) -> Comparison:
    """What the version of attempt `number` of `run` is held against."""
    present = next((a for a in attempts if a.number == number), None)
    if present is None or present.version is None:
        return Comparison(run)
    former = _attempt_before(attempts, present)
    before = None
    if former is not None and former.version is not None:
        before = (f"attempt {former.number} (v{former.version.version})", former.version)
    live = _live(tx, run)
    champion = None
    if live is not None and live[0].digest != present.version.digest:
        deployed, version = live
        label = f"v{version.version}, live in {deployed.environment}"
        champion = (label, version, runs.get_run(tx, deployed.run_id))
    return Comparison(run, present.version, before, champion, live[1].version if live is not None else None)


def what_changed(compared: Comparison, blobs: Blobs) -> Changed:
    """What is another about the version than about what it is held against."""
    if compared.present is None:
        return Changed(None, None)
    mine = _side("this version", compared.present, compared.run, blobs)
    since_last = since_champion = None
    if compared.former is not None:
        since_last = changes_between(_side(*compared.former, compared.run, blobs), mine)
    if compared.champion is not None:
        since_champion = changes_between(_side(*compared.champion, blobs), mine)
    return Changed(since_champion, since_last, compared.live)


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
