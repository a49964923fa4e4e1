"""People join, leave, stand in, decide at once, and clocks move: the rules hold after every step (see `town`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from databases import Databases
from house import House
from town import Town

ROUNDS = int(os.environ.get("SIGNOFF_TEST_ROUNDS", "1"))


def test_the_rules_hold_whatever_people_do(databases: Databases, tmp_path: Path) -> None:
    count = iter(range(10**9))

    @contextmanager
    def make() -> Iterator[House]:
        folder = tmp_path / str(next(count))
        folder.mkdir()
        with databases.migrated() as url:
            house = House(url, folder)
            try:
                yield house
            finally:
                house.close()

    class Here(Town):
        make_house = staticmethod(make)

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=8 * ROUNDS,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
    assert Here.steps > 100 * ROUNDS
    assert Here.deployed > 0
