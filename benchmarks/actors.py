"""A worker in a process of its own on the registry's and deployer's doubles; and a bare job of the queue's library.

Imported by the benchmarks `runs` and `next_step` only, which start it as `actors.py worker|bare HOME URL OWNER`.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from procrastinate import App, PsycopgConnector
from stage import Stage

from signoff.engine.worker import Worker

BARE_TASK = "bare"
CONCURRENCY = 4


def work(made: Stage) -> None:
    """Be a worker until SIGTERM."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with made.machinery(CONCURRENCY + 4) as machinery:
        worker = Worker(machinery, concurrency=CONCURRENCY)
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        worker.run()


def work_bare(made: Stage) -> None:
    """Run jobs that only print when they started."""

    async def serve() -> None:
        app = App(connector=PsycopgConnector(conninfo=made.url))

        def started(number: int) -> None:
            print(number, time.time(), flush=True)

        app.task(name=BARE_TASK, queue=BARE_TASK)(started)
        async with app.open_async():
            await app.run_worker_async(queues=[BARE_TASK], delete_jobs="always")

    asyncio.run(serve())


@contextmanager
def started(made: Stage, kind: str, count: int = 1) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes, ended at the end of the block."""
    argv = [sys.executable, __file__, kind, str(made.home), made.url, made.owner]
    processes = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


if __name__ == "__main__" and len(sys.argv) > 1:  # `make bench` starts every file
    {"worker": work, "bare": work_bare}[sys.argv[1]](Stage(Path(sys.argv[2]), sys.argv[3], sys.argv[4]))
