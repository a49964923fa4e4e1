"""Migrations: they make exactly the tables that the code names, once, and refuse a schema of the future."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from signoff.domain.errors import ConfigurationError, UnavailableError
from signoff.store import account_tables, drift_tables, migrations, notification_tables, trigger_tables
from signoff.store.database import Database, sqlalchemy_url
from signoff.store.migrate import is_current, upgrade
from signoff.store.tables import metadata

assert account_tables.sessions.metadata is metadata  # its tables are among them once it is imported
assert notification_tables.targets.metadata is metadata
assert drift_tables.drifts.metadata is metadata
assert trigger_tables.watches.metadata is metadata


def is_ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
    return not (kind == "table" and (name or "").startswith(("procrastinate_", "signoff_migrations")))


def test_the_migrations_make_the_tables_that_the_code_names(database_url: str) -> None:
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_object": is_ours}
        difference = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()
    assert difference == []


def test_a_difference_would_be_seen(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE runs DROP COLUMN note")
        connection.execute("DROP INDEX deployments_live_key")
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": is_ours})
        difference = {str(change[0]) for change in compare_metadata(context, metadata)}
    engine.dispose()
    assert difference == {"add_column", "add_index"}


def test_migrating_twice_is_harmless(database_url: str) -> None:
    upgrade(database_url)
    upgrade(database_url, service_role="signoff_service")
    upgrade(database_url, service_role="signoff_service")
    database = Database(database_url, pool_size=1)
    with database.begin() as tx:
        assert is_current(tx)
    database.close()


def newest() -> str:
    versions = Path(migrations.__file__).parent / "versions"
    return max(file.name[:4] for file in versions.glob("[0-9]*.py"))


def test_many_processes_migrate_one_after_the_other(postgres_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [postgres_url] * 4))
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT version_num FROM signoff_migrations").fetchall() == [(newest(),)]


def test_a_schema_of_a_newer_signoff_is_refused(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE signoff_migrations SET version_num = '9999'")
    with pytest.raises(ConfigurationError, match=r"schema 9999, which this signoff does not know.*upgrade this one"):
        upgrade(database_url)
    database = Database(database_url, pool_size=1)
    with database.begin() as tx:
        assert not is_current(tx)
    database.close()


def test_a_database_that_is_away_is_told_as_such() -> None:
    with pytest.raises(UnavailableError, match="did not answer"):
        upgrade("postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1")
