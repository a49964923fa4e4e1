"""Requests of programs to be signed in: found by the sha256 of their secret, or by the short code that people type."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from signoff.domain.audit import AuditEvent
from signoff.domain.device import DeviceRequest, DeviceStatus
from signoff.store.account_tables import device_codes
from signoff.store.audit import add_events
from signoff.store.database import Transaction


def add_device(tx: Transaction, request: DeviceRequest, sha256: str) -> bool:
    """Keep a request, whose secret has this hash; False when its user code is taken."""
    names = ("user_code", "client", "address", "created_at", "expires_at")
    row = {name: getattr(request, name) for name in names}
    statement = insert(device_codes).values(**row, status=request.status.value, sha256=sha256)
    kept = statement.on_conflict_do_nothing(index_elements=["user_code"]).returning(device_codes.c.user_code)
    return tx.scalar(kept) is not None


def find_waiting_device(tx: Transaction, user_code: str, *, at: datetime) -> DeviceRequest | None:
    """The request of that user code that still waits for a person at `at`."""
    waits = (device_codes.c.user_code == user_code) & (device_codes.c.status == DeviceStatus.PENDING.value)
    row = tx.execute(select(device_codes).where(waits, device_codes.c.expires_at > at)).one_or_none()
    return _device(row) if row is not None else None


def decide_device(
    tx: Transaction,
    user_code: str,
    status: DeviceStatus,
    *,
    person: str,
    authenticated_at: datetime | None,
    at: datetime,
    audit: Sequence[AuditEvent],
) -> bool:
    """Say `status` to the request that waits; False when none does (any more): of several who answer, one does."""
    waits = (device_codes.c.user_code == user_code) & (device_codes.c.status == DeviceStatus.PENDING.value)
    values = {"status": status.value, "person": person, "authenticated_at": authenticated_at, "decided_at": at}
    done = tx.execute(update(device_codes).where(waits, device_codes.c.expires_at > at).values(**values))
    if done.rowcount == 1:
        add_events(tx, audit)
    return done.rowcount == 1


def poll_device(tx: Transaction, sha256: str, *, at: datetime) -> DeviceRequest | None:
    """The request whose secret has this hash as it was before, and note that it was asked about; None without one."""
    row = tx.execute(select(device_codes).where(device_codes.c.sha256 == sha256).with_for_update()).one_or_none()
    if row is None:
        return None
    mine = device_codes.c.sha256 == sha256
    tx.execute(update(device_codes).where(mine).values(polled_at=at, polls=device_codes.c.polls + 1))
    return _device(row)


def redeem_device(tx: Transaction, sha256: str) -> None:
    """The request has its session."""
    mine = (device_codes.c.sha256 == sha256) & (device_codes.c.status == DeviceStatus.APPROVED.value)
    tx.execute(update(device_codes).where(mine).values(status=DeviceStatus.REDEEMED.value))


def forget_old_devices(tx: Transaction, *, before: datetime) -> int:
    """Drop requests that were over before then; returns how many."""
    return tx.execute(delete(device_codes).where(device_codes.c.expires_at < before)).rowcount


def _device(row: Row[Any]) -> DeviceRequest:
    return DeviceRequest(
        user_code=row.user_code,
        status=DeviceStatus(row.status),
        client=row.client,
        address=row.address,
        created_at=row.created_at,
        expires_at=row.expires_at,
        person=row.person,
        authenticated_at=row.authenticated_at,
        polled_at=row.polled_at,
    )
