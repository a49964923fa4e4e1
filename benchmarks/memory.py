"""Memory, threads and connections of server and worker with few and with very many gates waiting.

    python benchmarks/memory.py [--gates 10 100000]

The stack is started beside gates that wait already, left alone for eight seconds, and looked at; then again after
50 run lists and 5 inboxes, whose size does depend on what waits. Memory is PSS in MB.
"""

from __future__ import annotations

import argparse
import time

import psycopg
from stack import get, taken, up
from stage import about, report, stage

SETTLE_SECONDS = 8


def measure(count: int) -> dict[str, float]:
    """The figures beside so many waiting gates."""
    with stage() as made:
        made.open_gates(count)
        with up(made.home) as port:
            time.sleep(SETTLE_SECONDS)
            idle = taken(made.home)
            with psycopg.connect(made.owner) as connection:
                row = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = 'signoff' AND pid <> pg_backend_pid()"
                ).fetchone()
            for _ in range(50):
                get(made.home, port, "/runs?limit=50", "bob")
            for _ in range(5):
                get(made.home, port, "/inbox", "bob")
            used = taken(made.home)
    return {
        "idle_server_mb": round(idle.server, 1),
        "idle_worker_mb": round(idle.worker, 1),
        "idle_threads": idle.threads,
        "idle_connections": int(row[0]) if row is not None else -1,
        "used_server_mb": round(used.server, 1),
        "used_worker_mb": round(used.worker, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--gates", type=int, nargs=2, default=[10, 100_000])
    arguments = parser.parse_args()
    known = about()
    print(known)
    few, many = arguments.gates
    found = {count: measure(count) for count in (few, many)}
    figures: dict[str, object] = {}
    for name in found[few]:
        figures[f"{name}_at_{few}"], figures[f"{name}_at_{many}"] = found[few][name], found[many][name]
    for state in ("idle", "used"):
        before, after = (sum(found[n][f"{state}_{part}_mb"] for part in ("server", "worker")) for n in (few, many))
        figures[f"ratio_{state}"] = round(after / before, 3)
    report("memory", known, figures)


if __name__ == "__main__":
    main()
