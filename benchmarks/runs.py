"""Whole runs a second that nobody has to look at, with one and two workers, on the doubles of registry and target.

    python benchmarks/runs.py [--runs 150] [--rounds 3] [--profile]

Each run is submitted through the service, its checks read the logged metrics, the policy approves, and it is deployed
to a target that does nothing: every rule, row, hash and audit event is real. The floor is the same number of jobs of
the queue's library that do nothing, one worker. Submitting is timed apart, for it happens before. Before that, runs
are driven in this process, one after another, and what one sends to the database is counted.
"""

from __future__ import annotations

import argparse
import itertools
import logging
import statistics
import time

import psycopg
import structlog
from actors import BARE_TASK, started
from counting import counted, processor_ms, profiled
from procrastinate import App, SyncPsycopgConnector
from procrastinate.types import JSONDict
from stage import MODELS, Stage, about, by_policy, in_threads, report, stage

from signoff.engine.advance import advance

WITHIN_SECONDS = 60.0
SUBMITTERS = 4
WARM = 64


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


def one_by_one(made: Stage, *, profile: bool) -> dict[str, object]:
    """What one run sends to the database, and takes of the processor of a worker, without the queue."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    many = (3 if profile else 2) * WARM + 1
    with made.desk() as desk, made.machinery() as machinery:
        ids = iter([made.submit(desk, by_policy(number % MODELS), number % MODELS) for number in range(many)])

        def one() -> None:
            advance(machinery, next(ids))

        processor_ms(one, WARM)
        with counted() as count:
            one()
        took = processor_ms(one, WARM)
        if profile:
            profiled(one, WARM)
    with psycopg.connect(made.owner, autocommit=True) as connection:
        connection.execute("DELETE FROM procrastinate_jobs")
        assert rows(connection, "SELECT count(*) FROM runs WHERE status = 'succeeded'") == many
    return {
        "transactions_per_run": count.transactions,
        "statements_per_run": count.statements,
        "reads_per_run": count.reads,
        "worker_processor_ms_per_run": round(took, 1),
    }


def measure(made: Stage, runs: int, rounds: int) -> dict[str, object]:
    found: dict[str, list[float]] = {}
    with psycopg.connect(made.owner) as connection:
        before = rows(connection, "SELECT count(*) FROM runs WHERE status = 'succeeded'")
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
        assert succeeded - before == rounds * runs * 2, f"{succeeded - before} runs succeeded of {rounds * runs * 2}"
    middle = {f"{name}_per_second": round(statistics.median(values), 1) for name, values in found.items()}
    more = [two / one for one, two in zip(found["runs_1_worker"], found["runs_2_worker"], strict=True)]
    return {**middle, "ratio_2_workers_to_1": round(statistics.median(more), 2), "failed": 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="say where the time of a run goes as well")
    arguments = parser.parse_args()
    known = about()
    print(known)
    with stage() as made:
        counts = one_by_one(made, profile=arguments.profile)
        figures = {**counts, **measure(made, arguments.runs, arguments.rounds)}
    report("runs", known, figures)


if __name__ == "__main__":
    main()
