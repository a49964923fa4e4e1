"""Sessions as rows: found by the sha256 of their secret, never by the secret itself."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.account import LOCAL_LASTS, Method, Session
from signoff.domain.actor import Directory
from signoff.domain.audit import AuditEvent
from signoff.store.account_tables import sessions
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.people import PEOPLE, known_directory
from signoff.store.tables import documents

_FIND = (
    select(sessions, documents.c.digest.label("people"))
    .join(documents, documents.c.name == PEOPLE)
    .where(sessions.c.sha256 == bindparam("sha256"))
)
_SEEN = (
    update(sessions)
    .where(sessions.c.id == bindparam("its_id"), sessions.c.last_seen_at < bindparam("at"))
    .values(last_seen_at=bindparam("at"))
)


def add_session(tx: Transaction, session: Session, sha256: str, *, audit: Sequence[AuditEvent]) -> None:
    """Keep a session, whose secret has this hash."""
    tx.execute(insert(sessions).values(**_row(session), sha256=sha256))
    add_events(tx, audit)


def find_session(tx: Transaction, sha256: str) -> tuple[Session, Directory] | None:
    """The session whose secret has this hash, over or not, and everybody the server knows; None when there is none."""
    row = tx.execute(_FIND, {"sha256": sha256}).one_or_none()
    return None if row is None else (_session(row), known_directory(tx, row.people))


def touch_session(tx: Transaction, session_id: str, *, at: datetime) -> None:
    """Remember that the session was used at `at`."""
    tx.execute(_SEEN, {"its_id": session_id, "at": at})


def renew_session(tx: Transaction, session: Session, sha256: str, *, audit: Sequence[AuditEvent]) -> bool:
    """Give the session another secret, and the methods and time of `session`; False when it was ended meanwhile."""
    values = {"sha256": sha256, "methods": list(session.methods), "authenticated_at": session.authenticated_at}
    done = tx.execute(
        update(sessions).where(sessions.c.id == session.id, sessions.c.revoked_at.is_(None)).values(**values)
    )
    add_events(tx, audit)
    return done.rowcount == 1


def list_sessions(tx: Transaction, person: str | None = None, *, limit: int = 200) -> list[Session]:
    """Sessions that were not ended, newest first; of everybody without a `person`."""
    query = select(sessions).where(sessions.c.revoked_at.is_(None))
    if person is not None:
        query = query.where(sessions.c.person == person)
    return [
        _session(row) for row in tx.execute(query.order_by(sessions.c.created_at.desc(), sessions.c.id).limit(limit))
    ]


def get_session(tx: Transaction, session_id: str) -> Session | None:
    """The session of that id; None when there is none."""
    row = tx.execute(select(sessions).where(sessions.c.id == session_id)).one_or_none()
    return _session(row) if row is not None else None


def revoke_session(tx: Transaction, session_id: str, *, at: datetime, audit: Sequence[AuditEvent]) -> None:
    """End the session now."""
    tx.execute(
        update(sessions).where(sessions.c.id == session_id, sessions.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    add_events(tx, audit)


def revoke_sessions_of(
    tx: Transaction, person: str, *, at: datetime, keep: Iterable[str] = (), with_local: bool = True
) -> int:
    """End every session of `person` but those of the ids `keep`; returns how many."""
    query = update(sessions).where(sessions.c.person == person, sessions.c.revoked_at.is_(None))
    query = query.where(sessions.c.id.not_in(list(keep)))
    if not with_local:
        query = query.where(~sessions.c.methods.contains([Method.FILE.value]))
    return tx.execute(query.values(revoked_at=at)).rowcount


def end_local_sessions(tx: Transaction, *, place: str, but: Collection[str], at: datetime) -> None:
    """End the session files of `place` (a folder of a machine) whose secrets have other hashes than these."""
    gone = sessions.c.methods.contains([Method.FILE.value]) & (sessions.c.agent == place)
    gone &= sessions.c.sha256.not_in(list(but)) & sessions.c.revoked_at.is_(None)
    tx.execute(update(sessions).where(gone).values(revoked_at=at))


def set_local_sessions(tx: Transaction, hashes: Mapping[str, str], *, place: str, at: datetime) -> None:
    """Let these session files of `place` stand for their people: `hashes` is the sha256 of each person's secret."""
    for person, sha256 in hashes.items():
        row = {
            "id": sha256[:12],
            "sha256": sha256,
            "person": person,
            "methods": [Method.FILE.value],
            "created_at": at,
            "authenticated_at": at,
            "last_seen_at": at,
            "expires_at": at + LOCAL_LASTS,
            "idle": LOCAL_LASTS,
            "agent": place,
        }
        is_other = sessions.c.revoked_at.is_not(None) | (sessions.c.agent != place)
        again = {"revoked_at": None, "agent": place}
        statement = upsert(sessions).values(row)
        tx.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_=again, where=is_other))


def forget_sessions(tx: Transaction, *, before: datetime) -> int:
    """Drop sessions that were over before `before`; returns how many."""
    return tx.execute(
        delete(sessions).where((sessions.c.expires_at < before) | (sessions.c.revoked_at < before))
    ).rowcount


def _row(session: Session) -> dict[str, Any]:
    names = ("id", "person", "created_at", "authenticated_at", "last_seen_at", "expires_at", "idle", "address", "agent")
    return {name: getattr(session, name) for name in names} | {"methods": list(session.methods)}


def _session(row: Row[Any]) -> Session:
    return Session(
        id=row.id,
        person=row.person,
        methods=tuple(row.methods),
        created_at=row.created_at,
        authenticated_at=row.authenticated_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        idle=row.idle,
        address=row.address,
        agent=row.agent,
        revoked_at=row.revoked_at,
    )
