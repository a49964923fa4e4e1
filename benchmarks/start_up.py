"""First and later start of the whole stack, and its memory when idle.

    python benchmarks/start_up.py [--rounds 3]

From `signoff up --detach` in an empty folder until it returns, which it does once /readyz answers 200; then again
in the same folder. Memory is PSS of server, worker and Postgres, ten seconds later. The floor, in turns, is the
import of what any such server imports: `python -c "import fastapi, uvicorn, sqlalchemy, psycopg"`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from stack import PEOPLE, free_port, signoff, taken
from stage import about, home, report

SETTLE_SECONDS = 10
FLOOR = "import fastapi, uvicorn, sqlalchemy, psycopg"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    known = about("fastapi", "uvicorn")
    print(known)
    found: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        with home() as path:
            (path / "people.yaml").write_text(PEOPLE)
            port = str(free_port())
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", FLOOR], check=True)
            figures = {"bare_import_seconds": time.perf_counter() - began}
            for name in ("first_start_seconds", "later_start_seconds"):
                began = time.perf_counter()
                signoff(path, "up", "--detach", "--port", port)
                figures[name] = time.perf_counter() - began
                if name.startswith("later"):
                    time.sleep(SETTLE_SECONDS)
                    idle = taken(path)
                    figures |= {"idle_server_mb": idle.server, "idle_worker_mb": idle.worker}
                    figures |= {"idle_postgres_mb": idle.postgres, "idle_total_mb": idle.total}
                signoff(path, "down")
        for name, value in figures.items():
            found.setdefault(name, []).append(value)
        print("  " + "   ".join(f"{name} {value:.2f}" for name, value in figures.items()), flush=True)
    report("start_up", known, {name: round(statistics.median(values), 2) for name, values in found.items()})


if __name__ == "__main__":
    main()
