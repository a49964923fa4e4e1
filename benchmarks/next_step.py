"""How soon after an approval the next step starts, with few and with very many other gates waiting.

    python benchmarks/next_step.py [--gates 10 100000] [--approvals 100]

From the call of the service to the start of the deployment step as the worker records it: decision committed,
wake-up delivered, approvals, bytes and champion checked again. The floor, asked in turns, is a bare job of the
queue's library: from the call that defers it to the first line of its function. One at a time, on an idle system.
"""

from __future__ import annotations

import argparse
import time

import psycopg
from actors import BARE_TASK, started
from procrastinate import App, SyncPsycopgConnector
from stage import BOB, FIRST, MODELS, Stage, about, by_people, percentile, report, signed_in, stage

from signoff.domain.gate import Verdict
from signoff.service.decisions import Verdicts, decide_gate
from signoff.service.desk import Desk

WITHIN_SECONDS = 20.0
STARTED = "SELECT extract(epoch FROM started_at) FROM steps WHERE run_id = %s AND name = 'deploy'"
OPEN = "SELECT digest FROM gates WHERE run_id = %s AND status = 'open'"
ENDED = "SELECT 1 FROM runs WHERE id = %s AND status = 'succeeded'"


def awaited(connection: psycopg.Connection, query: str, run_id: str) -> str:
    """The one value that `query` gives, as soon as it does."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while time.monotonic() < deadline:
        row = connection.execute(query.encode(), [run_id]).fetchone()
        if row is not None and row[0] is not None:
            return str(row[0])
        time.sleep(0.005)
    raise TimeoutError(f"run {run_id}: {query}")


def one_approval(made: Stage, desk: Desk, connection: psycopg.Connection, number: int) -> float:
    """Seconds from approving a fresh run to the start of its deployment."""
    run_id = made.submit(desk, by_people(number % MODELS), number % MODELS)
    said = Verdicts(Verdict.APPROVE, awaited(connection, OPEN, run_id))
    time.sleep(0.02)  # the worker goes idle again
    began = time.time()
    decide_gate(desk, signed_in(BOB), run_id, "approve", said)
    start = float(awaited(connection, STARTED, run_id)) - began
    awaited(connection, ENDED, run_id)
    return start


def measure(made: Stage, counts: list[int], approvals: int) -> dict[str, object]:
    figures: dict[str, object] = {}
    there = 0
    for count in sorted(counts):
        made.open_gates(count - there, first=FIRST + there)
        there = count
        mine: list[float] = []
        theirs: list[float] = []
        with (
            made.desk() as desk,
            psycopg.connect(made.owner, autocommit=True) as connection,
            started(made, "worker"),
            started(made, "bare") as [bare],
            App(connector=SyncPsycopgConnector(conninfo=made.url)).open() as app,
        ):
            task = app.configure_task(BARE_TASK, queue=BARE_TASK)
            for number in range(approvals + 5):
                began = time.time()
                task.defer(number=number)
                assert bare.stdout is not None
                bare_start = float(bare.stdout.readline().split()[1]) - began
                start = one_approval(made, desk, connection, number)
                if number >= 5:  # noqa: PLR2004 - the first few warm everything up
                    theirs.append(bare_start)
                    mine.append(start)
        for name, values in (("bare_job", theirs), ("next_step", mine)):
            for percent in (50, 99):
                figures[f"{name}_p{percent}_ms_at_{count}_waiting"] = round(percentile(values, percent) * 1000, 1)
        print(f"  {count} waiting: p50 {percentile(mine, 50) * 1000:.1f} ms", flush=True)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gates", type=int, nargs="+", default=[10, 100_000])
    parser.add_argument("--approvals", type=int, default=100)
    arguments = parser.parse_args()
    known = about()
    print(known)
    with stage() as made:
        figures = measure(made, arguments.gates, arguments.approvals)
    report("next_step", known, figures)


if __name__ == "__main__":
    main()
