"""Targets as rows: defined by administrators, and how each of them fares."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.audit import AuditEvent
from signoff.domain.secret import Secret, reveal
from signoff.domain.target import Target, TargetExistsError, TargetKind, TargetUnknownError
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.notification_tables import targets

_ALL = select(targets).order_by(targets.c.name)


def add_target(tx: Transaction, target: Target, *, audit: Sequence[AuditEvent]) -> None:
    """Keep a new target; TargetExistsError when its name is taken."""
    values = {
        "name": target.name,
        "kind": target.kind.value,
        "url": target.url.reveal(),
        "secret": reveal(target.secret),
        "person": target.person,
        "events": list(target.events),
        "models": list(target.models),
        "owner": target.owner,
        "created_at": target.created_at,
    }
    added = upsert(targets).values(values).on_conflict_do_nothing().returning(targets.c.name)
    if tx.scalar(added) is None:
        raise TargetExistsError(f"There is a target {target.name} already.", "Remove it first, or choose another name.")
    add_events(tx, audit)


def find_target(tx: Transaction, name: str, *, lock: bool = False) -> Target | None:
    """The target called `name`, its row held until the transaction ends when `lock`."""
    query = select(targets).where(targets.c.name == name)
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    return _target(row) if row is not None else None


def get_target(tx: Transaction, name: str, *, lock: bool = False) -> Target:
    """The target called `name`; TargetUnknownError when there is none."""
    found = find_target(tx, name, lock=lock)
    if found is None:
        raise TargetUnknownError(f"There is no target {name}.", "`signoff target list` shows them.")
    return found


def list_targets(tx: Transaction) -> list[Target]:
    """Every target, by name."""
    return [_target(row) for row in tx.execute(_ALL)]


def notifiable(tx: Transaction) -> frozenset[str]:
    """The names that a pipeline may notify: channels and machines, not people's own targets."""
    return frozenset(target.name for target in list_targets(tx) if target.is_shared)


def remove_target(tx: Transaction, name: str, *, audit: Sequence[AuditEvent]) -> None:
    """Forget a target; what was delivered through it stays on record."""
    tx.execute(delete(targets).where(targets.c.name == name))
    add_events(tx, audit)


def note(tx: Transaction, *, audit: Sequence[AuditEvent]) -> None:
    """Write down what concerns targets and changes none of them."""
    add_events(tx, audit)


def set_paused(tx: Transaction, name: str, at: datetime | None, why: str, *, audit: Sequence[AuditEvent]) -> None:
    """Pause the target since `at`, or resume it when that is None: it begins with a clean slate then."""
    values: dict[str, Any] = {"paused_at": at, "paused_why": why}
    if at is None:
        values |= {"failures": 0, "failing_since": None, "retry_at": None}
    tx.execute(update(targets).where(targets.c.name == name).values(values))
    add_events(tx, audit)


def set_failing(tx: Transaction, target: Target, *, since: datetime, retry_at: datetime) -> None:
    """Note that it failed once more; nothing is tried through it before `retry_at`."""
    values = {"failures": target.failures + 1, "failing_since": since, "retry_at": retry_at}
    tx.execute(update(targets).where(targets.c.name == target.name).values(values))


def set_working(tx: Transaction, name: str) -> None:
    """Note that it works again."""
    failed = (targets.c.name == name) & (targets.c.failures > 0)
    tx.execute(update(targets).where(failed).values(failures=0, failing_since=None, retry_at=None))


def _target(row: Row[Any]) -> Target:
    return Target(
        name=row.name,
        kind=TargetKind(row.kind),
        owner=row.owner,
        created_at=row.created_at,
        url=Secret(row.url),
        secret=Secret(row.secret) if row.secret is not None else None,
        person=row.person,
        events=tuple(row.events),
        models=tuple(row.models),
        paused_at=row.paused_at,
        paused_why=row.paused_why,
        failures=row.failures,
        failing_since=row.failing_since,
        retry_at=row.retry_at,
    )
