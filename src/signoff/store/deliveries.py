"""Deliveries as rows: made beside what they tell of, taken by whoever sends them, and what was answered.

Whoever sends one holds its row meanwhile: a second worker skips it, and when the first dies Postgres lets it go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.audit import AuditEvent
from signoff.domain.evidence import to_plain
from signoff.domain.notice import Notice
from signoff.domain.target import Delivery, DeliveryStatus, DeliveryUnknownError
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.notification_tables import deliveries, targets

MOST_GATHERED = 100
"""How many notices one mail holds at most."""

_WAITS = deliveries.c.status == DeliveryStatus.WAITING.value
_ADD = upsert(deliveries).on_conflict_do_nothing(index_elements=["key"])


def add_deliveries(tx: Transaction, made: Sequence[Delivery]) -> None:
    """Keep new deliveries; one whose key is known already changes nothing."""
    if made:
        tx.execute(_ADD, [_row(delivery) for delivery in made])


def take_due(tx: Transaction, target: str, now: datetime) -> list[Delivery]:
    """The delivery that is due first, with those that go with it; held until the transaction ends."""
    due = select(deliveries).where(deliveries.c.target == target, _WAITS, deliveries.c.send_at <= now)
    first = due.order_by(deliveries.c.send_at, deliveries.c.id).limit(1).with_for_update(skip_locked=True)
    row = tx.execute(first).one_or_none()
    if row is None or not row.is_gathered:
        return [_delivery(row)] if row is not None else []
    rest = due.where(deliveries.c.is_gathered, deliveries.c.person == row.person)
    rest = rest.order_by(deliveries.c.made_at, deliveries.c.id).limit(MOST_GATHERED)
    return [_delivery(one) for one in tx.execute(rest.with_for_update(skip_locked=True))]


def set_ended(
    tx: Transaction, ids: Sequence[str], status: DeliveryStatus, answer: str, *, at: datetime, was_tried: bool = True
) -> None:
    """These deliveries are over: sent, given up or dropped."""
    values = {"status": status.value, "answer": answer, "ended_at": at}
    tries = deliveries.c.tries + (1 if was_tried else 0)
    tx.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(**values, tries=tries))


def set_tried(tx: Transaction, ids: Sequence[str], answer: str, *, send_at: datetime) -> None:
    """These were tried in vain and are tried again at `send_at`."""
    values = {"answer": answer, "send_at": send_at, "tries": deliveries.c.tries + 1}
    tx.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(values))


def give_up(tx: Transaction, *, before: datetime, at: datetime) -> int:
    """Give up whatever was due before that moment and still waits, but for what is just being sent; how many."""
    late = select(deliveries.c.id).where(_WAITS, deliveries.c.due_at < before).with_for_update(skip_locked=True)
    answer = func.coalesce(
        func.nullif(deliveries.c.answer, ""), "never tried: its target was paused, or no worker could"
    )
    values = {"status": DeliveryStatus.FAILED.value, "answer": answer, "ended_at": at}
    return tx.execute(update(deliveries).where(deliveries.c.id.in_(late.scalar_subquery())).values(values)).rowcount


def drop_waiting(tx: Transaction, target: str, answer: str, *, at: datetime) -> None:
    """What waits for this target is not sent any more."""
    waiting = update(deliveries).where(_WAITS, deliveries.c.target == target)
    tx.execute(waiting.values(status=DeliveryStatus.DROPPED.value, answer=answer, ended_at=at))


def list_due_targets(tx: Transaction, now: datetime) -> list[str]:
    """The targets through which something is due that may be tried now."""
    may = or_(targets.c.retry_at.is_(None), targets.c.retry_at <= now)
    query = select(deliveries.c.target).distinct().join(targets, targets.c.name == deliveries.c.target)
    query = query.where(_WAITS, deliveries.c.send_at <= now, targets.c.paused_at.is_(None), may)
    return sorted(tx.scalars(query))


def get_delivery(tx: Transaction, delivery_id: str, *, lock: bool = False) -> Delivery:
    """The delivery with this id; DeliveryUnknownError when there is none."""
    query = select(deliveries).where(deliveries.c.id == delivery_id)
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise DeliveryUnknownError(f"There is no delivery {delivery_id}.", "`signoff target deliveries` shows them.")
    return _delivery(row)


def list_deliveries(
    tx: Transaction,
    *,
    target: str | None = None,
    run_id: str | None = None,
    event: str | None = None,
    status: DeliveryStatus | None = None,
    before: tuple[datetime, str] | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """Deliveries, newest first; `before` is when the last one seen was made, and its id."""
    query = select(deliveries).order_by(deliveries.c.made_at.desc(), deliveries.c.id.desc()).limit(limit)
    if target is not None:
        query = query.where(deliveries.c.target == target)
    if run_id is not None:
        query = query.where(deliveries.c.run_id == run_id)
    if event is not None:
        query = query.where(deliveries.c.event == event)
    if status is not None:
        query = query.where(deliveries.c.status == status.value)
    if before is not None:
        query = query.where(tuple_(deliveries.c.made_at, deliveries.c.id) < before)
    return [_delivery(row) for row in tx.execute(query)]


def list_told(tx: Transaction, gate_id: str) -> frozenset[str]:
    """Everybody who was told of this gate, or is about to be."""
    told = select(deliveries.c.person).where(deliveries.c.gate_id == gate_id, deliveries.c.person.is_not(None))
    return frozenset(tx.scalars(told))


def send_again(tx: Transaction, delivery: Delivery, *, at: datetime, audit: Sequence[AuditEvent]) -> None:
    """Have it sent once more, under the same id."""
    values = {"status": DeliveryStatus.WAITING.value, "due_at": at, "send_at": at, "is_gathered": False}
    mine = deliveries.c.id == delivery.id
    tx.execute(update(deliveries).where(mine).values(**values, ended_at=None))
    add_events(tx, audit)


def forget_deliveries(tx: Transaction, *, before: datetime) -> int:
    """Delete what ended before that moment; how many that were."""
    return tx.execute(delete(deliveries).where(deliveries.c.ended_at < before)).rowcount


def _row(delivery: Delivery) -> dict[str, Any]:
    values = {name: getattr(delivery, name) for name in deliveries.c.keys()}  # noqa: SIM118 - columns, not a dict
    words = {"notice": asdict(delivery.notice), "data": to_plain(delivery.data)}
    return {**values, **words, "status": delivery.status.value}


def _delivery(row: Row[Any]) -> Delivery:
    values = {**row._asdict(), "notice": Notice(**row.notice), "status": DeliveryStatus(row.status)}
    return Delivery(**values)
