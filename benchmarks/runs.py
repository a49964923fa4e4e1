"""Whole runs a second that nobody has to look at, with one and two workers, on the doubles of registry and target.

    python benchmarks/runs.py [--runs 150] [--rounds 3]

Each run is submitted through the service, its checks read the logged metrics, the policy approves, and it is deployed
to a target that does nothing: every rule, row, hash and audit event is real. The floor is the same number of jobs of
the queue's library that do nothing, one worker. Submitting is timed apart, for it happens before.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time

import psycopg
from actors import BARE_TASK, started
from procrastinate import App, SyncPsycopgConnector
from procrastinate.types import JSONDict
from stage import MODELS, Stage, about, by_policy, in_threads, report, stage

WITHIN_SECONDS = 60.0
SUBMITTERS = 4


def submit(made: Stage, count: int) -> float:
    """Submit so many runs; the seconds it took."""
    numbers = itertools.count()
    began = time.perf_counter()
    with made.desk() as desk:

        def work(_: int) -> None:
            while (number := next(numbers)) < count:
                made.submit(desk, by_policy(number % MODELS), number % MODELS)

        in_threads(SUBMITTERS, work)
    return time.perf_counter() - began


def defer_bare(made: Stage, count: int) -> None:
    with App(connector=SyncPsycopgConnector(conninfo=made.url)).open() as app:
        jobs: list[JSONDict] = [{"number": number} for number in range(count)]
        app.configure_task(BARE_TASK, queue=BARE_TASK).batch_defer(*jobs)


def drained(made: Stage, kind: str, workers: int) -> float:
    """Start workers and let them finish what is queued; the seconds from the first job's end to the last's."""
    left = {
        "worker": "SELECT count(*) FROM runs WHERE status IN ('running', 'waiting')",
        "bare": "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'bare' AND status IN ('todo', 'doing')",
    }[kind]
    with psycopg.connect(made.owner, autocommit=True) as connection, started(made, kind, workers):
        total = rows(connection, left)
        deadline = time.perf_counter() + WITHIN_SECONDS
        while (now_left := rows(connection, left)) > total - workers and time.perf_counter() < deadline:
            time.sleep(0.005)  # the workers start: not what is measured
        began, done = time.perf_counter(), now_left
        while rows(connection, left) and time.perf_counter() < deadline:
            time.sleep(0.01)
        assert time.perf_counter() < deadline, f"{rows(connection, left)} of {total} are left"
        return done / (time.perf_counter() - began)


def rows(connection: psycopg.Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def measure(made: Stage, runs: int, rounds: int) -> dict[str, object]:
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        figures = {}
        defer_bare(made, runs)
        figures["bare_jobs"] = drained(made, "bare", 1)
        for workers in (1, 2):
            figures["submissions"] = runs / submit(made, runs)
            figures[f"runs_{workers}_worker"] = drained(made, "worker", workers)
        for name, value in figures.items():
            found.setdefault(name, []).append(value)
        print("  " + "   ".join(f"{name} {value:5.0f}/s" for name, value in figures.items()), flush=True)
    with psycopg.connect(made.owner) as connection:
        succeeded = rows(connection, "SELECT count(*) FROM runs WHERE status = 'succeeded'")
        assert succeeded == rounds * runs * 2, f"{succeeded} runs succeeded of {rounds * runs * 2}"
    middle = {f"{name}_per_second": round(statistics.median(values), 1) for name, values in found.items()}
    more = [two / one for one, two in zip(found["runs_1_worker"], found["runs_2_worker"], strict=True)]
    return {**middle, "ratio_2_workers_to_1": round(statistics.median(more), 2), "failed": 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    known = about()
    print(known)
    with stage() as made:
        figures = measure(made, arguments.runs, arguments.rounds)
    report("runs", known, figures)


if __name__ == "__main__":
    main()
