"""What the job queue's tables tell, asked of jobs that were really written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from signoff.engine.jobs import RUNS_QUEUE, queue_state, wake_run
from signoff.store.database import Database, Transaction
from signoff.store.queue import forget_jobs, list_busy_locks
from signoff.store.runs import find_epoch


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=2)
    yield database
    database.close()


def test_a_wake_up_waits_once_its_transaction_is_committed(database: Database) -> None:
    with database.begin() as tx:
        before = queue_state(tx)
        wake_run(tx, "r1")
    with database.begin() as tx:
        after = queue_state(tx)
    assert (before.waiting, after.waiting, after.workers) == (0, 1, 0)
    assert 0 <= after.oldest_seconds < 60


def test_a_wake_up_of_a_transaction_that_rolled_back_was_never_asked_for(database: Database) -> None:
    def wake_and_fail() -> None:
        with database.begin() as tx:
            wake_run(tx, "r1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wake_and_fail()
    with database.begin() as tx:
        assert queue_state(tx).waiting == 0


def test_only_runs_with_a_job_are_busy(database: Database) -> None:
    with database.begin() as tx:
        wake_run(tx, "r1")
        assert list_busy_locks(tx, RUNS_QUEUE, ["run/r1", "run/r2"]) == {"run/r1"}
        assert list_busy_locks(tx, "another", ["run/r1"]) == set()


def test_only_jobs_that_ended_long_ago_are_forgotten(database: Database) -> None:
    now = datetime.now(UTC)
    with database.begin() as tx:
        wake_run(tx, "ended")
        wake_run(tx, "waiting")
        tx.execute(text("UPDATE procrastinate_jobs SET status = 'failed' WHERE lock = 'run/ended'"))
    with database.begin() as tx:
        forget_jobs(tx, before=now - timedelta(hours=1))
        assert _locks(tx) == {"run/ended", "run/waiting"}
        forget_jobs(tx, before=now + timedelta(hours=1))
        assert _locks(tx) == {"run/waiting"}


def test_a_run_that_does_not_exist_has_no_epoch(database: Database) -> None:
    with database.begin() as tx:
        assert find_epoch(tx, "no-such-run") is None


def _locks(tx: Transaction) -> set[str]:
    return set(tx.scalars(text("SELECT lock FROM procrastinate_jobs")))
