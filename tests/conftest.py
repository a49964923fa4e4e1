"""Fixtures for the whole suite. Nothing is imported or started before a test asks for it."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from databases import Databases
    from house import House


def pytest_configure() -> None:
    """A busy machine is no failure of a property; time is watched by pytest-timeout. Logs are those of the server."""
    from hypothesis import HealthCheck, settings

    # Its own requests, which the server's logs quiet, too: the addresses of one-time links are in them.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("steady")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Fail a test that logged a secret, whatever else it says."""
    report = yield
    logged = "".join(text for name, text in report.sections if name.startswith("Captured log"))
    if logged and report.passed:
        from leaks import leaks, passwords_of

        found = leaks(logged, passwords_of(getattr(item, "module", None)))
        if found:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} logged secrets: {', '.join(found)}"
    return report


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """This worker's share of the session's database server."""
    from databases import Databases, server

    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)[:12]
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with server(session) as url:
        made = Databases(url, session, worker)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A database of this test's own, with the whole schema and no rows: its libpq URL."""
    with databases.migrated() as url:
        yield url


@pytest.fixture
def postgres_url(databases: Databases) -> Iterator[str]:
    """A database of this test's own, without any tables: its libpq URL."""
    with databases.empty() as url:
        yield url


@pytest.fixture
def house(database_url: str, tmp_path: Path) -> Iterator[House]:
    """The cast at work, on a database of the test's own: see `tests/house.py`."""
    from house import House

    folder = tmp_path / "house"
    folder.mkdir()
    made = House(database_url, folder)
    yield made
    made.close()
