"""The embedded Postgres: started when somebody needs it, shared by everybody, stopped when nobody does.

So that one `pip install` is enough to try signoff and to run it on one machine. Imported by `bootstrap` and the
tests. Health is an answered query and never a pid; a pid is believed only if that process serves this very folder.
A killed user, a killed server and a re-used pid are all found out at the next `start`, and no data is ever deleted.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from signoff.domain.errors import UnavailableError
from signoff.store.cluster import PATIENCE_SECONDS, Cluster, cluster_at, explained, furnish, locked, prepare

SETTINGS = (
    "listen_addresses=",
    "port=5432",
    "unix_socket_permissions=0700",
    "max_connections=200",
    "shared_buffers=128MB",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_checkpoints=off",  # a line every five minutes for ever, of use to nobody
)
NOT_DURABLE = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=128MB",
    "min_wal_size=32MB",
)
# What Postgres says while the last processes of a killed server are still going away: worth another try.
PASSING = ("is still in use", "already exists")
LARGEST_LOG_BYTES = 10_000_000

_held: dict[Path, int] = {}  # this process's own place among the users of a cluster, as a locked file


@dataclass(frozen=True)
class Launch:
    """One try at starting a server: its process, and where in the log its words begin."""

    pid: int
    log_begin: int


@dataclass(frozen=True)
class Status:
    """What is known about a home's embedded Postgres."""

    is_running: bool
    pid: int | None
    url: str
    data: Path
    log: Path


def start(home: Path, *, durable: bool = True) -> str:
    """Make sure that the home's Postgres answers, join its users until `release` or the end of the process.

    Returns the libpq URL of the database `signoff`. Repeating it costs a query; when the server has died, it is
    started again. `durable=False` trades safety against a power cut for speed: for tests only. A server that is
    up already keeps the durability it was started with.

    Raises:
        ConfigurationError: the folder is another account's, another Postgres's, or no account can run it.
        UnavailableError: it does not start or answer; the message names the log.
    """
    cluster = cluster_at(home)
    file = _join(cluster, durable=durable)
    if _held.setdefault(cluster.folder, file) != file:
        os.close(file)
    return cluster.url()


def release(home: Path) -> None:
    """Leave the users that `start` joined; the last one out stops the server."""
    cluster = cluster_at(home)
    file = _held.pop(cluster.folder, None)
    if file is not None:
        _leave(cluster, file)


@contextmanager
def running(home: Path, *, durable: bool = True) -> Iterator[str]:
    """Use the home's Postgres for the length of a block: its URL. The last one out stops it."""
    cluster = cluster_at(home)
    file = _join(cluster, durable=durable)
    try:
        yield cluster.url()
    finally:
        _leave(cluster, file)


def stop(home: Path) -> bool:
    """Stop the server, whoever still uses it; whether there was one. Open transactions are rolled back."""
    cluster = cluster_at(home)
    with explained(cluster):
        if not cluster.lock.exists():
            return False
        with locked(cluster.lock):
            return _stop(cluster)


def status(home: Path) -> Status:
    """What is up right now, asked without waiting for anybody and without changing anything."""
    cluster = cluster_at(home)
    pid = _postmaster(cluster)
    is_running = pid is not None and _ask(cluster) is None
    return Status(is_running, pid, cluster.url(), cluster.data, cluster.log)


def _join(cluster: Cluster, *, durable: bool) -> int:
    """Bring the server up; the open file returned keeps it up until it is closed."""
    with explained(cluster):
        prepare(cluster)
        with locked(cluster.lock):
            furnish(cluster, durable=durable)
            _bring_up(cluster, durable=durable)
            _make_database(cluster)
            file = os.open(cluster.users, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(file, fcntl.LOCK_SH)
            return file


def _leave(cluster: Cluster, file: int) -> None:
    os.close(file)
    with explained(cluster), locked(cluster.lock):
        if _is_unused(cluster):
            _stop(cluster)


def _is_unused(cluster: Cluster) -> bool:
    file = os.open(cluster.users, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True


def _bring_up(cluster: Cluster, *, durable: bool) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    launch: Launch | None = None
    while True:
        server = _postmaster(cluster)
        problem = "it is not running" if server is None else _ask(cluster)
        if problem is None:
            return
        if server is None and (launch is None or not _serves(launch.pid, cluster)):
            if launch is not None:
                _check_worth_another_try(cluster, launch)
            launch = _launch(cluster, durable=durable)
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"The embedded Postgres has not answered for a minute: {problem}",
                f"After a crash it may still be recovering: try again later. Its log: {cluster.log}",
            )
        time.sleep(0.02)


def _launch(cluster: Cluster, *, durable: bool) -> Launch:
    """Start a server that is nobody's child; it may still fail.

    Without `pg_ctl`, which believes any live pid in `postmaster.pid`. Postgres does too, and so refuses to start
    when a stale pid was re-used, but it passes over the pid that it is told is its grandparent. What really
    protects the data, its shared memory being in use, it checks all the same.
    """
    settings = (*SETTINGS, f"unix_socket_directories={cluster.sockets}", *(() if durable else NOT_DURABLE))
    options = [word for setting in settings for word in ("-c", setting)]
    script = ["/bin/sh", "-c", '"$@" >&2 & echo $!', "sh"]  # the shell ends at once: no zombie waits for us
    stale = _recorded_pid(cluster)
    environment = {} if stale is None else {"PG_GRANDPARENT_PID": str(stale)}
    argv = [*script, cluster.program("postgres"), "-D", cluster.data, *options]
    if cluster.log.exists() and cluster.log.stat().st_size > LARGEST_LOG_BYTES:
        cluster.log.replace(cluster.log.with_name("log.1"))
    with os.fdopen(os.open(cluster.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
        begin = log.tell()
        done = cluster.run(argv, stderr=log, environment=environment)
    return Launch(int(done.stdout), begin)


def _check_worth_another_try(cluster: Cluster, launch: Launch) -> None:
    with cluster.log.open("rb") as log:
        log.seek(launch.log_begin)
        lines = log.read().decode(errors="replace").splitlines()
    fatal = [line.split("FATAL:")[1].strip() for line in lines if "FATAL:" in line]
    reason = (fatal or lines or ["it ended without a word"])[-1]
    if not any(words in reason for words in PASSING):
        raise UnavailableError(
            f"The embedded Postgres does not start: {reason}.", f"Put that right and try again. Its log: {cluster.log}"
        )
    time.sleep(0.1)


def _stop(cluster: Cluster) -> bool:
    pid = _postmaster(cluster)
    if pid is None:
        return False
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if _postmaster(cluster) == pid:  # asked again: from here on the pid cannot be re-used for another process
            signal.pidfd_send_signal(process, signal.SIGINT)
        ended = select.poll()
        ended.register(process, select.POLLIN)
        if not ended.poll(PATIENCE_SECONDS * 1000):
            raise UnavailableError(
                f"The embedded Postgres (process {pid}) has not stopped within a minute.",
                f"Its log says why: {cluster.log}",
            )
    finally:
        os.close(process)
    return True


def _postmaster(cluster: Cluster) -> int | None:
    """The pid of the live server of exactly this data folder."""
    pid = _recorded_pid(cluster)
    return pid if pid is not None and _serves(pid, cluster) else None


def _recorded_pid(cluster: Cluster) -> int | None:
    try:
        return int((cluster.data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, PermissionError, ValueError):
        return None


def _serves(pid: int, cluster: Cluster) -> bool:
    """Whether that process was started to serve this data folder. A zombie has no command line any more.

    By the command line, for in a container root may not see the working folder of another account's process.
    """
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return bytes(cluster.data) in words and any(word.endswith(b"/postgres") for word in words)


def _ask(cluster: Cluster) -> str | None:
    """None if the server answers a query, else what is wrong."""
    try:
        with psycopg.connect(cluster.url("postgres"), connect_timeout=5) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError as error:
        return str(error).strip()
    return None


def _make_database(cluster: Cluster) -> None:
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = 'signoff'").fetchone() is None:
            connection.execute("CREATE DATABASE signoff")
