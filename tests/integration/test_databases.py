"""The session's databases keep their promise: a schema each, and nothing of anybody else's."""

from __future__ import annotations

import psycopg
import pytest


@pytest.mark.parametrize("_time", range(2))
def test_every_test_gets_the_schema_and_none_of_the_rows_of_others(database_url: str, _time: int) -> None:
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        assert tables is not None
        assert tables[0] > 5
        connection.execute("CREATE TABLE only_mine (number integer)")  # would exist already in a shared database


@pytest.mark.parametrize("_time", range(2))
def test_an_empty_database_has_no_tables(postgres_url: str, _time: int) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)
        connection.execute("CREATE TABLE only_mine (number integer)")
