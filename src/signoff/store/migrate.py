"""Brings a database to the present schema, and gives the running service its own, lesser role.

The tables belong to the role that migrates. The service's role may read and write them, but only insert into and
read from the audit log.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from signoff.domain.errors import ConfigurationError
from signoff.store.database import sqlalchemy_url, unavailable

_OLDEST = 14
"""The oldest major of Postgres that has what the SQL here uses."""

_LOCK = 7_364_001
"""The advisory lock that makes several processes migrate one after another."""


def upgrade(url: str, *, service_role: str | None = None) -> None:
    """Bring the database at `url` to the newest schema; nothing happens when it is there already.

    `service_role` is the role that the running service connects as, when it is another one than the owner.

    Raises:
        UnavailableError: the database did not answer.
        ConfigurationError: it is too old or not UTF-8, or its schema is newer than this program.
    """
    engine = create_engine(sqlalchemy_url(url), connect_args={"client_encoding": "utf8", "connect_timeout": 5})
    try:
        with engine.begin() as connection:
            _refuse_unfit(connection)
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _refuse_newer(connection)
            command.upgrade(_config(connection), "head")
            if service_role is not None:
                _grant(connection, service_role)
    except Exception as error:
        refusal = unavailable(error)
        if refusal is None:
            raise
        raise refusal from error
    finally:
        engine.dispose()


def is_current(connection: Connection) -> bool:
    """Whether the schema is the one this program was written for."""
    heads = ScriptDirectory.from_config(_config(connection)).get_heads()
    return list(_versions(connection)) == list(heads)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _versions(connection: Connection) -> Sequence[str]:
    return MigrationContext.configure(connection, opts={"version_table": "signoff_migrations"}).get_current_heads()


def _refuse_unfit(connection: Connection) -> None:
    major = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
    if major < _OLDEST:
        what = f"The database is Postgres {major}, and signoff needs {_OLDEST} or newer."
        raise ConfigurationError(what, "Upgrade it, or use another.")
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise ConfigurationError(
            f"The database keeps text as {encoding}, which cannot hold every name.",
            "Make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0.",
        )


def _refuse_newer(connection: Connection) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config(connection)).walk_revisions()}
    for version in _versions(connection):
        if version not in known:
            raise ConfigurationError(
                f"The database has schema {version}, which this signoff does not know.",
                "It was migrated by a newer signoff: upgrade this one.",
            )


def _grant(connection: Connection, role: str) -> None:
    """Give `role` (made when missing) what the running service needs, and no more."""
    quoted = connection.dialect.identifier_preparer.quote(role)
    exists = connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role})
    statements = [] if exists else [f"CREATE ROLE {quoted} LOGIN"]
    statements += [
        f"GRANT USAGE ON SCHEMA public TO {quoted}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {quoted}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {quoted}",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {quoted}",
        f"REVOKE ALL ON audit_events FROM {quoted}",
        f"GRANT SELECT, INSERT ON audit_events TO {quoted}",
        f"REVOKE INSERT, UPDATE, DELETE ON signoff_migrations FROM {quoted}",
    ]
    for statement in statements:
        connection.execute(text(statement))
