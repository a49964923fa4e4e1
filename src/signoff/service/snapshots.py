"""Uploaded folders: packed, kept once per content, named by their digest."""

from __future__ import annotations

from pathlib import Path

from signoff.domain.access import Do, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.errors import NotFoundError
from signoff.service.desk import Desk, happened
from signoff.store import evidence


def add_snapshot(desk: Desk, actor: Actor, archive: Path) -> tuple[str, int]:
    """Keep the packed folder `archive`; returns its digest and its size in bytes."""
    authorize(actor, Do.SUBMIT)
    at = desk.clock()
    size = archive.stat().st_size
    digest = desk.blobs.add(archive)
    uploaded = happened(Event.SNAPSHOT_UPLOADED, actor, at, digest=digest, size=size)
    with desk.database.begin() as tx:
        evidence.add_snapshot(tx, digest, size, actor.name, at=at, audit=[uploaded])
    return digest, size


def get_snapshot(desk: Desk, actor: Actor, digest: str) -> tuple[str, int]:
    """The digest and size of a folder that was uploaded; NotFoundError when it was not."""
    authorize(actor, Do.SUBMIT)
    with desk.database.begin() as tx:
        size = evidence.find_snapshot_size(tx, digest)
    if size is None:
        raise NotFoundError(f"No folder {digest} was uploaded.", "POST it to /snapshots.")
    return digest, size
