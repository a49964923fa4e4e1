"""The audit log as JSON lines, oldest first, however long it is: a page of rows at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.errors import InvalidError
from signoff.service.desk import Desk
from signoff.service.privacy import find_run_id, hidden_models, veiled
from signoff.store import runs
from signoff.store.audit import list_events

_AT_ONCE = 1_000


def export_audit(
    desk: Desk,
    actor: Actor,
    *,
    run_id: str | None = None,
    model: str | None = None,
    type: str | None = None,  # noqa: A002 - the field's name
    by: str | None = None,
) -> Iterator[bytes]:
    """Every event that fits, one JSON document a line, in order of index.

    What may be read is decided, and the first lines are read, before the first is given: an answer under way can
    refuse nothing more. Who may read the log of everything is an auditor or administrator, that of one run whoever may
    read the run.
    """
    check_type(type)
    with desk.database.read() as tx:
        if run_id is None:
            authorize(actor, Do.READ_AUDIT)
        else:
            run_id = find_run_id(tx, actor, run_id)
            authorize(actor, Do.READ, Resource(runs.get_run(tx, run_id).model))
        hidden = hidden_models(tx, actor)

    def read(after: int | None) -> list[AuditEvent]:
        with desk.database.read() as tx:
            return list_events(
                tx, run_id=run_id, model=model, type=type, actor=by, after=after, hidden=hidden, limit=_AT_ONCE
            )

    return _lines(actor, read, read(None))


def check_type(name: str | None) -> None:
    """Return when `name` is the name of an event type, or none; InvalidError otherwise."""
    if name is not None and name not in set(Event):
        raise InvalidError(f"There is no event called {name}.", "See the list of audit events in the documentation.")


def _lines(actor: Actor, read: Callable[[int | None], list[AuditEvent]], found: list[AuditEvent]) -> Iterator[bytes]:
    while True:
        yield b"".join(line_of(veiled(actor, event)) for event in found)
        if len(found) < _AT_ONCE:
            return
        found = read(found[-1].index)


def line_of(event: AuditEvent) -> bytes:
    """One event as a line of JSON."""
    document = {
        "index": event.index,
        "type": event.type.value,
        "actor": event.actor,
        "at": event.at.isoformat(),
        "run_id": event.run_id,
        "model": event.model,
        "detail": dict(event.detail),
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
