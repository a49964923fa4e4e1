"""`signoff worker`: fetches jobs until told to stop, and starts again by itself when Postgres comes back.

Three queues, so that long trainings never delay the tick and the rescue, and nothing delays telling people. The
library's worker ends, or goes deaf, when its connection breaks; this file watches both and makes fresh ones.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, RetryStrategy
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker as JobWorker

from signoff.domain.errors import UnavailableError
from signoff.engine import jobs
from signoff.engine.advance import advance
from signoff.engine.deploying_by_hand import deploy_by_hand
from signoff.engine.machinery import LOG, Machinery
from signoff.engine.notifying import notify
from signoff.engine.tick import sweep, tick
from signoff.engine.watching import look
from signoff.store.queue import beat

_LOOK_SECONDS = 0.5
_POLL_SECONDS = 1.0
"""For the notification that comes while the library has just looked, which it forgets."""
_CONNECT_SECONDS = 5
_MOST_THREADS = 100
"""Per queue: as many as there are jobs, those of former lives included."""

_AWAY = (ConnectorException, psycopg.Error, OSError)

_RETRY = RetryStrategy(max_attempts=60, exponential_wait=2, retry_exceptions=[UnavailableError, OSError])


class _EagerWorker(JobWorker):
    """Looks for the next job when one ends: it may be one of the same run, which waited for its lock.

    The library looks when a job is added, which was too early for that one, and when its poll is due.
    """

    _listener: asyncio.Task[Any] | None = None

    @property
    def is_deaf(self) -> bool:
        """Whether it no longer hears of new jobs; the library minds that only where there are periodic tasks."""
        return self._listener is not None and self._listener.done()

    def _start_side_tasks(self) -> list[asyncio.Task[Any]]:
        tasks = super()._start_side_tasks()
        self._listener = next(task for task in tasks if task.get_name() == "listener")
        return tasks

    async def _process_job(self, context: JobContext) -> None:
        await super()._process_job(context)
        self._new_job_event.set()


class Worker:
    """Runs jobs in threads, at most `concurrency` runs at once.

    Each queue has its own thread and event loop.
    """

    def __init__(self, machinery: Machinery, *, concurrency: int = 4) -> None:
        self._machinery = machinery
        self._lives: list[JobWorker] = []
        self._queues = {
            jobs.RUNS_QUEUE: concurrency,
            jobs.HOUSE_QUEUE: 1,
            jobs.NOTIFY_QUEUE: jobs.NOTIFY_CONCURRENCY,
        }

    def run(self) -> None:
        """Work until `stop`; running commands are handed back, short work is finished."""
        threads = [
            threading.Thread(target=self._serve_queue, args=(queue, concurrency), name=f"queue {queue}")
            for queue, concurrency in self._queues.items()
        ]
        for thread in threads:
            thread.start()
        LOG.info("worker ready", concurrency=self._queues[jobs.RUNS_QUEUE])
        for thread in threads:
            while thread.is_alive():
                # The kernel may give a signal to any thread, but Python handles it in this one, once it wakes up.
                thread.join(_LOOK_SECONDS)
        LOG.info("worker stopped")

    def stop(self) -> None:
        """Stop soon; callable from any thread and from a signal handler."""
        self._machinery.stopping.set()

    def _serve_queue(self, queue: str, concurrency: int) -> None:
        asyncio.run(self._keep_going(queue, concurrency))

    async def _keep_going(self, queue: str, concurrency: int) -> None:
        """One life after another on `queue`, each with fresh connections, until told to stop."""
        executor = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix=f"job of {queue}")
        asyncio.get_running_loop().set_default_executor(executor)
        former: set[asyncio.Task[None]] = set()
        while await self._reaches_database(queue):
            try:
                await self._one_life(queue, concurrency, former)
            except _AWAY as error:
                LOG.warning("the database went away again", queue=queue, error=str(error.__cause__ or error))
                await asyncio.sleep(_LOOK_SECONDS)
        if former:
            await asyncio.wait(former)

    async def _reaches_database(self, queue: str) -> bool:
        """Whether it can be connected to: asked until it can, or until told to stop.

        The library's pool would ask ever more rarely, half a minute long, and not hear of a stop meanwhile.
        """
        is_away = False
        while not self._machinery.stopping.is_set():
            try:
                await _try_to_connect(self._machinery.database.url)
            except _AWAY as error:
                if not is_away:
                    LOG.warning("the database is away; trying again", queue=queue, error=str(error))
                is_away = True
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                if is_away:
                    LOG.info("the database is back", queue=queue)
                return True
        return False

    async def _one_life(self, queue: str, concurrency: int, former: set[asyncio.Task[None]]) -> None:
        """Work with one set of connections until told to stop or something of it dies."""
        conninfo = self._machinery.database.url
        connector = PsycopgConnector(conninfo=conninfo, min_size=1, max_size=4, timeout=5)
        app = App(connector=connector)
        _register(app, self._machinery, queue)
        await _open(app)
        await asyncio.to_thread(self._beat)
        worker = _EagerWorker(
            app,
            queues=[queue],
            name=queue,
            concurrency=concurrency,
            fetch_job_polling_interval=_POLL_SECONDS,
            install_signal_handlers=False,
            delete_jobs="successful",
            update_heartbeat_interval=self._machinery.heartbeat,
            stalled_worker_timeout=self._machinery.stalled_after,
        )
        task = asyncio.create_task(worker.run())  # type: ignore[no-untyped-call]
        self._lives.append(worker)
        await asyncio.sleep(0)  # run() begins by forgetting that it was told to stop: let it begin first
        while not task.done() and not self._machinery.stopping.is_set():
            await asyncio.sleep(_LOOK_SECONDS)
            if worker.is_deaf:
                LOG.warning("the worker went deaf; starting it again", queue=queue)
                break
        worker.stop()  # type: ignore[no-untyped-call]
        ending = asyncio.create_task(self._see_out(app, worker, task, queue))
        former.add(ending)
        ending.add_done_callback(former.discard)

    async def _see_out(self, app: App, worker: JobWorker, task: asyncio.Task[None], queue: str) -> None:
        """Wait for what a former life still does, and give signs of life for it; the next life does not wait.

        Else one long training would keep the worker deaf after a restart of Postgres, or be taken for dead.
        """
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=min(self._machinery.heartbeat, _LOOK_SECONDS))
                await asyncio.to_thread(self._beat)
            await task
        except _AWAY as error:
            LOG.warning("the database went away", queue=queue, error=str(error.__cause__ or error))
        except Exception:  # noqa: BLE001 - the next life goes on whatever ended this one
            LOG.exception("a bug in signoff, or a surprise from a library", queue=queue)
        finally:
            self._lives.remove(worker)
            with suppress(*_AWAY):
                await app.close_async()

    def _beat(self) -> None:
        """A sign of life for every life there is: one that comes back must not take the others for dead."""
        ids = [worker.worker_id for worker in list(self._lives) if worker.worker_id is not None]
        with suppress(UnavailableError), self._machinery.database.begin() as tx:
            beat(tx, ids)


async def _try_to_connect(url: str) -> None:
    """Raises one of `_AWAY` when the database takes no new connection."""
    connection = await psycopg.AsyncConnection.connect(url, connect_timeout=_CONNECT_SECONDS)
    await connection.close()


async def _open(app: App) -> None:
    """Open its pool; when that takes long, leave nothing of it behind."""
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            await app.open_async()
    except TimeoutError:
        await app.close_async()
        raise TimeoutError(f"no connection within {_CONNECT_SECONDS} s") from None


def _register(app: App, machinery: Machinery, queue: str) -> None:
    """The tasks of one queue; periodic ones belong to the house queue only."""
    if queue == jobs.RUNS_QUEUE:
        _register_runs(app, machinery)
        return

    def notify_through(target: str) -> None:
        notify(machinery, target)

    if queue == jobs.NOTIFY_QUEUE:
        app.task(name=jobs.NOTIFY, queue=queue, retry=_RETRY)(notify_through)
        return

    async def rescue(context: JobContext, timestamp: int) -> None:  # noqa: ARG001 - the library passes it
        await _rescue(context.app, machinery)

    def minute(timestamp: int) -> None:  # noqa: ARG001 - the library passes it
        tick(machinery)

    def hour(timestamp: int) -> None:  # noqa: ARG001 - the library passes it
        sweep(machinery)

    # In this library's cron the seconds are the last field.
    for cron, name, function in (("* * * * *", jobs.TICK, minute), ("17 * * * *", jobs.SWEEP, hour)):
        app.periodic(cron=cron)(app.task(name=name, queue=queue, queueing_lock=name)(function))
    saving = app.task(name=jobs.RESCUE, queue=queue, queueing_lock=jobs.RESCUE, pass_context=True)(rescue)
    app.periodic(cron="* * * * * */5")(saving)


def _register_runs(app: App, machinery: Machinery) -> None:
    """The tasks of the runs queue."""

    def advance_run(run_id: str) -> None:
        advance(machinery, run_id)

    def carry_out_by_hand(deployment_id: str) -> None:
        deploy_by_hand(machinery, deployment_id)

    def look_for_versions(pipeline: str) -> None:
        look(machinery, pipeline)

    app.task(name=jobs.ADVANCE, queue=jobs.RUNS_QUEUE, retry=_RETRY)(advance_run)
    app.task(name=jobs.BY_HAND, queue=jobs.RUNS_QUEUE, retry=_RETRY)(carry_out_by_hand)
    app.task(name=jobs.LOOK, queue=jobs.RUNS_QUEUE)(look_for_versions)


async def _rescue(app: App, machinery: Machinery) -> None:
    """Give the jobs of workers that gave no sign of life for three beats to somebody else."""
    limit = machinery.stalled_after
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=limit):
        LOG.warning("rescuing a job of a dead worker", job=job.id, task=job.task_name, arguments=job.task_kwargs)
        await app.job_manager.retry_job(job)
