"""Asks, every minute, for a look at what each registered pipeline watches. A webhook only asks sooner."""

from __future__ import annotations

from signoff.engine.jobs import RUNS_QUEUE, wake_watch, watch_lock
from signoff.engine.machinery import LOG, Machinery
from signoff.store import queue, watches


def wake_due(machinery: Machinery) -> None:
    """Wake a look for every registered pipeline that none waits for or runs for: the registry may be slow."""
    if machinery.look is None:
        return
    with machinery.database.begin() as tx:
        names = {watch_lock(watch.name): watch.name for watch in watches.list_watches(tx)}
        for lock in sorted(names.keys() - queue.list_busy_locks(tx, RUNS_QUEUE, list(names))):
            wake_watch(tx, names[lock])


def look(machinery: Machinery, pipeline: str) -> None:
    """Look once for what is new to `pipeline`."""
    if machinery.look is None:
        LOG.warning("this worker cannot look for new versions", pipeline=pipeline)
        return
    machinery.look(pipeline)
