"""The test session's databases: one server for all workers, and a fresh copy of the schema for every test.

The server is the embedded one, shared by the workers of one session and gone with the last of them. What a killed
session left behind is removed by the next. Its files are kept in memory where there is room: ext4 refuses to re-use
the inodes of files deleted within five seconds, so that making and dropping databases there gets slower and slower
(30 ms, then 400 ms, against a steady 10 ms). Set SIGNOFF_TEST_DATABASE_URL to use a Postgres of your own, with a
role that may create databases.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from signoff.store import embedded
from signoff.store.cluster import cluster_at, locked

MEMORY = Path("/dev/shm")  # noqa: S108 - the names in it carry the user's id, and everything is 0700 or 0711
ROOM_BYTES = 512 * 1024**2
NAME = f"signoff-tests-{os.geteuid()}"
TEMPLATE_LOCK = 7_364_002


@contextmanager
def server(session: str) -> Iterator[str]:
    """The session's server, as the URL of a database to connect to for making others."""
    if external := os.environ.get("SIGNOFF_TEST_DATABASE_URL"):
        yield external
        return
    with home_in_memory(session) as home, embedded.running(home, durable=False) as url:
        yield url


def scratch() -> Path:
    """Where many small files are cheap: memory, else the temporary folder."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    return MEMORY if has_room else Path(tempfile.gettempdir())


@contextmanager
def home_in_memory(name: str) -> Iterator[Path]:
    """A home for an embedded Postgres, which lasts as long as one process holds it, however the others end."""
    folder = scratch()
    home, lock = folder / f"{NAME}-{name}", folder / f"{NAME}.lock"
    with locked(lock):
        for leftover in folder.glob(f"{NAME}-*"):
            if _is_unused(leftover):
                _remove(leftover)
        home.mkdir(mode=0o711, exist_ok=True)
        cluster = cluster_at(home)
        if cluster.is_root and not cluster.folder.exists():
            # As root the files would go to the disk: lead them back to where they were wanted.
            cluster.folder.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
            (home / "root").mkdir(mode=0o711)
            cluster.folder.symlink_to(home / "root")
        users = os.open(home / "users", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(users, fcntl.LOCK_SH)
    try:
        yield home
    finally:
        with locked(lock):
            os.close(users)
            if _is_unused(home):
                _remove(home)


def _is_unused(home: Path) -> bool:
    users = os.open(home / "users", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(users)
    return True


def _remove(home: Path) -> None:
    embedded.stop(home)
    cluster = cluster_at(home)
    if cluster.folder.is_symlink():
        cluster.folder.unlink()
    shutil.rmtree(home)


class Databases:
    """Makes and drops the databases of one worker."""

    def __init__(self, url: str, session: str, worker: str) -> None:
        self._url = url
        self._admin = psycopg.connect(url, autocommit=True)
        self._key = int(session, 16)
        self._admin.execute("SELECT pg_advisory_lock_shared(%s)", [self._key])
        self._prefix = f"test_{session}_{worker}"
        self._template = f"test_{session}_template"
        self._count = 0
        self._discarded: list[str] = []

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """A database of its own with the whole schema, and no rows."""
        self._make_template()
        with self._fresh(self._template) as url:
            yield url

    @contextmanager
    def empty(self) -> Iterator[str]:
        """A database of its own without any tables."""
        with self._fresh("template0") as url:
            yield url

    def close(self) -> None:
        """Drop what is left of this worker's; the last one drops the template."""
        self._drop_discarded()
        self._admin.execute("SELECT pg_advisory_unlock_shared(%s)", [self._key])
        is_last = self._admin.execute("SELECT pg_try_advisory_lock(%s)", [self._key]).fetchone() == (True,)
        if is_last:
            self._admin.execute(f"DROP DATABASE IF EXISTS {self._template}")
        self._admin.close()

    @contextmanager
    def _fresh(self, template: str) -> Iterator[str]:
        name = f"{self._prefix}_{self._count}"
        self._count += 1
        # Copying files costs half of what the write-ahead log does, for a server that never syncs.
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield self._database(name)
        finally:
            # One test later: Postgres waits 100 ms when the test's last connection is still being closed.
            self._drop_discarded()
            self._discarded.append(name)

    def _drop_discarded(self) -> None:
        while self._discarded:
            self._admin.execute(f"DROP DATABASE {self._discarded.pop()} WITH (FORCE)")

    def _make_template(self) -> None:
        """Migrate once per session: the first worker that needs it does, the others wait."""
        if self._exists(self._template):
            return
        from signoff.store.migrate import upgrade

        self._admin.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
        try:
            if self._exists(self._template):
                return
            making = f"{self._template}_unfinished"
            self._admin.execute(f"DROP DATABASE IF EXISTS {making} WITH (FORCE)")
            self._admin.execute(f"CREATE DATABASE {making}")
            upgrade(self._database(making))
            self._admin.execute(f"ALTER DATABASE {making} RENAME TO {self._template}")
        finally:
            self._admin.execute("SELECT pg_advisory_unlock(%s)", [TEMPLATE_LOCK])

    def _exists(self, name: str) -> bool:
        return self._admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is not None

    def _database(self, name: str) -> str:
        return re.sub(r"^(postgres(?:ql)?://[^/?]*)(?:/[^?]*)?", rf"\1/{name}", self._url)
