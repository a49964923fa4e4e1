"""The connection pool and the transaction that every use-case runs in.

`Database.begin` is the only way to a connection. A transaction carries the request's id, so that the audit rows
written in it name the request.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from signoff.domain.audit import AuditEvent
from signoff.domain.errors import DatabaseAwayError, InvalidError

Transaction = Connection
"""An open transaction: what every function of this package takes first."""

Tell = Callable[[Transaction, Sequence[AuditEvent]], None]
"""What is to be done about the audit events of a transaction, in it, when everything else of it is written."""

HEARD = "signoff_heard"
"""The option of a transaction that holds the audit events written in it; not there where nobody is to be told."""


def sqlalchemy_url(url: str) -> str:
    """A libpq URL in the form that SQLAlchemy and psycopg 3 want."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


def unavailable(error: BaseException) -> DatabaseAwayError | None:
    """The refusal that stands for `error` when it means that the database is away; None when it means a bug."""
    is_away = isinstance(error, PoolTimeoutError | InterfaceError | OperationalError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )
    if not is_away:
        return None
    reason = str(getattr(error, "orig", error)).strip().splitlines()[0:1]
    return DatabaseAwayError(
        f"{reason[0] if reason else type(error).__name__}.",
        "Try again in a moment; the server's log and `signoff worker` say more.",
    )


def _is_stale(raw: Any) -> bool:
    """Whether an idle connection is no good any more: an idle server has nothing to say but goodbye."""
    if raw.closed or raw.broken:
        return True
    heard = select.poll()
    heard.register(raw.pgconn.socket, select.POLLIN)
    return bool(heard.poll(0))


class Database:
    """A pool of connections to one Postgres. `tell` is called at the end of each transaction that wrote events."""

    def __init__(self, url: str, *, pool_size: int = 10, role: str | None = None, tell: Tell | None = None) -> None:
        self.url = url
        self.role = role
        self._tell = tell
        connect_args: dict[str, Any] = {"prepare_threshold": 2, "connect_timeout": 5, "client_encoding": "utf8"}
        self.engine = create_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_use_lifo=True,
            connect_args=connect_args,
            isolation_level="READ COMMITTED",
            pool_reset_on_return="rollback",
        )
        # The same pool, another isolation.
        self._snapshots = self.engine.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        """One transaction: committed at the end, rolled back on any exception.

        A connection that went stale while it was idle (the server restarted) is replaced once.

        Raises:
            UnavailableError: the database is away.
        """
        with self._transaction(self.engine) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """One transaction in which every query sees the same moment: for what is put together from several.

        Raises:
            UnavailableError: the database is away.
        """
        with self._transaction(self._snapshots) as connection:
            yield connection

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with self._connect(engine) as connection, connection.begin():
                heard: list[AuditEvent] = []
                if self._tell is not None:
                    connection.execution_options(**{HEARD: heard})
                yield connection
                if self._tell is not None and heard:
                    self._tell(connection, tuple(heard))
        except DataError as error:
            raise InvalidError(
                f"The database cannot keep this: {str(error.orig).splitlines()[0]}.",
                "Take that character or value out.",
            ) from error
        except (OperationalError, InterfaceError, PoolTimeoutError, DBAPIError) as error:
            refusal = unavailable(error)
            if refusal is None:
                raise
            raise refusal from error

    @contextmanager
    def _connect(self, engine: Engine) -> Iterator[Connection]:
        connection = engine.connect()
        try:
            raw = connection.connection.driver_connection
            if raw is not None and _is_stale(raw):
                connection.invalidate()
            yield connection
        finally:
            connection.close()

    def ping(self) -> None:
        """Return when the database answers; UnavailableError otherwise."""
        with self.begin() as tx:
            tx.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close every idle connection."""
        self.engine.dispose()
