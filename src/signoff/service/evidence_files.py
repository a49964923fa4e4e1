"""The files that steps left: pictures with their tables, reports, predictions; read by whoever may read the run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import IO, Any

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.errors import NotFoundError
from signoff.domain.evidence import Evidence, EvidenceFile
from signoff.domain.model_card import ModelCard
from signoff.service.desk import Desk
from signoff.service.privacy import find_run_id
from signoff.spec import model_card
from signoff.store import evidence, runs

LARGEST_PICTURE = 4 * 1024**2
"""A specification or table larger than this, in bytes, is a file to download, not a picture to draw."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A kept file, open for reading; whoever asked closes it."""

    name: str
    size: int
    content: IO[bytes]


@dataclass(frozen=True, slots=True)
class PictureTable:
    """The numbers that a picture was drawn from: headings with their kinds, and rows in that order."""

    titles: tuple[str, ...]
    kinds: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def open_file(desk: Desk, actor: Actor, run_id: str, evidence_digest: str, path: str) -> OpenFile:
    """The file at `path` of one evidence of the run.

    Raises:
        NotFoundError: the run has no such evidence, the evidence no such file, or the file is gone.
    """
    found = _file(desk, actor, run_id, evidence_digest, path)
    return OpenFile(found.path.rsplit("/", 1)[-1], found.size, desk.blobs.open(found.digest))


def read_table(desk: Desk, found: Evidence, path: str | None) -> PictureTable | None:
    """The table at `path` of evidence that was read already; None where there is none that can be shown."""
    kept = next((file for file in found.files if file.path == path), None)
    if kept is None or kept.size > LARGEST_PICTURE:
        return None
    try:
        with desk.blobs.open(kept.digest) as content:
            document = json.loads(content.read(LARGEST_PICTURE + 1))
        columns = document["columns"]
        return PictureTable(
            tuple(str(column["title"]) for column in columns),
            tuple(str(column.get("kind", "text")) for column in columns),
            tuple(tuple(row) for row in document["rows"]),
        )
    except (NotFoundError, OSError, ValueError, KeyError, TypeError):
        return None


def read_card(desk: Desk, found: Evidence) -> tuple[EvidenceFile, ModelCard] | None:
    """The model card among the files of evidence that was read already, and what it says; None where there is none.

    One that the step left goes before the one in the model's folder, as when it was judged.
    """
    kept = {file.path: file for file in found.files}
    named = [f"{folder}{name}" for folder in ("", "model/") for name in model_card.FILES]
    file = next((kept[path] for path in named if path in kept), None)
    if file is None:
        return None
    try:
        with desk.blobs.open(file.digest) as content:
            text = content.read(model_card.LARGEST_BYTES + 1)
    except (NotFoundError, OSError):
        return None
    return file, model_card.read_model_card(text, file.path.rsplit("/", 1)[-1])


def _file(desk: Desk, actor: Actor, run_id: str, evidence_digest: str, path: str) -> EvidenceFile:
    with desk.database.read() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.READ, Resource(run.model))
        is_its = any(
            step.evidence_digest == evidence_digest
            for attempt in runs.list_attempts(tx, run.id)
            for step in attempt.steps
        )
        known = evidence.list_evidence(tx, [evidence_digest]) if is_its else {}
    files = known[evidence_digest].files if evidence_digest in known else ()
    for file in files:
        if file.path == path:
            return file
    raise NotFoundError(f"Run {run.id} has no such file.", "Its page lists the files that its steps left.")
