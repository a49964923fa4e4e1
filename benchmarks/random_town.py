"""A town that reviews models (`tests/town.py`), for many steps: whether the rules ever break, and how fast it goes.

    python benchmarks/random_town.py [--steps 100000] [--processes 2] [--seed 1]

Each process has a database server of its own in memory. It ends with status 1, and the shortest story that breaks a
rule, when one does.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import about, report

TESTS = Path(__file__).parents[1] / "tests"
STEPS_OF_A_STORY = 50


def play(seed: int, steps: int) -> dict[str, int]:
    """Play stories until so many steps were taken; what was done."""
    sys.path.insert(0, str(TESTS))
    logging.disable(logging.CRITICAL)
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis import seed as seeded
    from hypothesis.stateful import run_state_machine_as_test

    from databases import Databases, server
    from house import House
    from town import Town

    with tempfile.TemporaryDirectory(prefix="signoff-bench-") as room, server(f"{seed:012x}") as url:
        databases = Databases(url, f"{seed:012x}", "town")
        count = iter(range(10**9))

        @contextmanager
        def make() -> Iterator[House]:
            folder = Path(room) / str(next(count))
            folder.mkdir()
            with databases.migrated() as its_url:
                house = House(its_url, folder)
                try:
                    yield house
                finally:
                    house.close()

        class Here(Town):
            make_house = staticmethod(make)

        stories = 0
        try:
            while Here.steps < steps:
                stories += 1
                run_state_machine_as_test(
                    seeded(seed * 1_000_003 + stories)(Here),
                    settings=settings(
                        max_examples=20,
                        stateful_step_count=STEPS_OF_A_STORY,
                        deadline=None,
                        suppress_health_check=list(HealthCheck),
                        database=None,
                        phases=(Phase.generate, Phase.shrink),
                    ),
                )
        finally:
            databases.close()
        return {"steps": Here.steps, "deployments": Here.deployed, "refusals": Here.refused, **Here.done}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    known = about()
    print(known)
    began = time.perf_counter()
    share = -(-arguments.steps // arguments.processes)
    jobs = [(arguments.seed * 1000 + number, share) for number in range(arguments.processes)]
    if arguments.processes == 1:
        found = [play(*jobs[0])]
    else:
        with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
            found = pool.starmap(play, jobs)
    took = time.perf_counter() - began
    figures: dict[str, object] = {name: sum(one.get(name, 0) for one in found) for name in sorted(set().union(*found))}
    figures |= {"seconds": round(took), "steps_per_second": round(sum(one["steps"] for one in found) / took, 1)}
    report("town", known, figures)


if __name__ == "__main__":
    main()
