"""Where the embedded Postgres of a home lives, under whose account it runs, and how its files come to be.

Apart from `embedded` because files outlive processes: nothing here starts or stops a server, and nothing here
deletes anything. Imported by `embedded` only.

Postgres refuses to run as root, and an unprivileged account cannot execute or read files under `/root` or any
other 0700 folder. So as root the data and a copy of the binaries live under `/var/lib/signoff/postgres`, and the
server runs as an account that already exists; otherwise everything is in `<home>/postgres` and runs as ourselves.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import quote

from signoff.domain.errors import ConfigurationError, UnavailableError
from signoff.store import binaries
from signoff.store.binaries import MAJOR

ROOT_FOLDER = Path("/var/lib/signoff/postgres")
ACCOUNTS = ("signoff", "postgres", "nobody")
LONGEST_SOCKET_PATH = 100  # the kernel's limit is 107 bytes, and Postgres adds ".lock" to a name beside it
PATIENCE_SECONDS = 60.0
OTHER_DATABASE = "Or use a Postgres of your own: set SIGNOFF_DATABASE_URL."


@dataclass(frozen=True)
class Cluster:
    """One home's Postgres: its folder, its socket folder and the account that it runs under."""

    folder: Path
    sockets: Path
    account: pwd.struct_passwd
    is_root: bool

    @property
    def data(self) -> Path:
        """Postgres's own folder; whatever is in it is never deleted or overwritten."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server had to say since it was last started from cold."""
        return self.folder / "log"

    @property
    def lock(self) -> Path:
        """Held exclusively while the server is brought up or down."""
        return self.folder / "lock"

    @property
    def users(self) -> Path:
        """Held shared by everybody who uses the server; the kernel lets go for a process that was killed."""
        return self.folder / "users"

    def url(self, database: str = "signoff") -> str:
        """The libpq URL of one database. The port is named because `PGPORT` would change its default."""
        host = quote(str(self.sockets), safe="/")
        return f"postgresql:///{database}?host={host}&port=5432&user=signoff"

    def program(self, name: str) -> Path:
        """The path of one of the server's programs, executable by the account."""
        package = binaries.copied(ROOT_FOLDER) if self.is_root else binaries.installed()
        return binaries.program(package, name)

    def run(
        self, argv: Sequence[str | Path], *, stderr: IO[bytes] | int, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program as the account, in a session of its own: Ctrl-C in the terminal does not reach it.

        The environment is made afresh: any of the many PG* variables would change what the programs do.
        """
        return subprocess.run(
            argv,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", **(environment or {})},
            start_new_session=True,
            umask=0o077,
            user=self.account.pw_uid if self.is_root else None,
            group=self.account.pw_gid if self.is_root else None,
            extra_groups=[] if self.is_root else None,
        )


def cluster_at(home: Path) -> Cluster:
    """The cluster of a home: always the same for the same path, whatever exists already. Touches nothing."""
    home = home.expanduser().resolve()
    digest = hashlib.sha256(bytes(home)).hexdigest()[:12]
    is_root = os.geteuid() == 0
    folder = ROOT_FOLDER / digest if is_root else home / "postgres"
    sockets = folder / "socket"
    if len(bytes(sockets / ".s.PGSQL.5432")) > LONGEST_SOCKET_PATH:
        # Not XDG_RUNTIME_DIR or TMPDIR: every process of this home must find the same place, cron's too.
        sockets = Path("/tmp") / f"signoff-{os.geteuid()}-{digest}"  # noqa: S108 - checked by _own_folder  # nosec B108
    if is_root and (home / "postgres" / "data").exists():
        owner = (home / "postgres" / "data").stat().st_uid
        raise ConfigurationError(
            f"The database of {home} was made by another account (user id {owner}), not by root.",
            f"Run this as that account. {OTHER_DATABASE}",
        )
    return Cluster(folder, sockets, _account(folder / "data", is_root=is_root), is_root)


def prepare(cluster: Cluster) -> None:
    """Make the cluster's own folder, and nothing in it yet: the lock lives there."""
    if cluster.is_root:
        for folder in (ROOT_FOLDER.parent, ROOT_FOLDER, cluster.folder):
            folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            # The account has to walk through, whatever the umask was; it cannot list or read.
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o111)
    else:
        cluster.folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def furnish(cluster: Cluster, *, durable: bool) -> None:
    """Make what a server needs and does not find: binaries, data folder, socket folder. Call it under the lock."""
    is_made = _is_made(cluster.data)
    if cluster.is_root:
        with locked(ROOT_FOLDER / "binaries.lock"):
            binaries.copy(ROOT_FOLDER)
    _own_folder(cluster.sockets, cluster)
    if not is_made:
        _make_data(cluster, durable=durable)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock exclusively, against threads and processes alike.

    Raises:
        UnavailableError: somebody else holds it for a minute.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"Another process has been starting or stopping the embedded Postgres for a minute ({path}).",
                        "See what it is waiting for, end it if it hangs, and try again.",
                    ) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(file)


@contextmanager
def explained(cluster: Cluster) -> Iterator[None]:
    """Turn what the file system refuses into a sentence that says what to do."""
    try:
        yield
    except PermissionError as error:
        raise ConfigurationError(
            f"The embedded Postgres may not use {error.filename or cluster.folder} ({error.strerror}).",
            f"Run as the account that owns {cluster.folder}, or choose another SIGNOFF_HOME. {OTHER_DATABASE}",
        ) from error
    except OSError as error:
        raise UnavailableError(
            f"The files of the embedded Postgres cannot be made in {cluster.folder}: {error}.",
            "Make room or repair the disk, and try again.",
        ) from error


def _account(data: Path, *, is_root: bool) -> pwd.struct_passwd:
    """Who runs the server: whoever owns the data already, else ourselves or the first account that exists."""
    if not is_root:
        try:
            return pwd.getpwuid(os.geteuid())
        except KeyError:
            raise ConfigurationError(
                f"User id {os.geteuid()} has no account on this machine, and Postgres insists on one.",
                f"Run as an account of /etc/passwd. {OTHER_DATABASE}",
            ) from None
    if data.exists():
        owner = data.stat().st_uid
        try:
            return pwd.getpwuid(owner)
        except KeyError:
            raise ConfigurationError(
                f"{data} belongs to user id {owner}, which has no account on this machine.",
                f"Give that id an account again, or the folder to one of {', '.join(ACCOUNTS)}. {OTHER_DATABASE}",
            ) from None
    for name in ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ConfigurationError(
        f"Postgres does not run as root, and none of the accounts {', '.join(ACCOUNTS)} exists.",
        f"Make one, or run signoff as an ordinary user. {OTHER_DATABASE}",
    )


def _is_made(data: Path) -> bool:
    """Whether a data folder of ours is there. Raises before anything foreign in its place is touched."""
    version = data / "PG_VERSION"
    if version.exists():
        found = version.read_text().strip()
        if found != MAJOR:
            raise ConfigurationError(
                f"The database in {data} was made by Postgres {found}; this signoff brings Postgres {MAJOR}.",
                "Nothing was touched. Dump it with the signoff that made it (pg_dump) and load it here, "
                f"or go back to that signoff. {OTHER_DATABASE}",
            )
        return True
    if data.exists() and any(data.iterdir()):
        raise ConfigurationError(
            f"{data} is not empty and not a Postgres data folder.",
            f"Nothing was touched. Move it away, or choose another SIGNOFF_HOME. {OTHER_DATABASE}",
        )
    return False


def _make_data(cluster: Cluster, *, durable: bool) -> None:
    """Run initdb beside the final place and rename: a kill in the middle never leaves half a database."""
    making = Path(tempfile.mkdtemp(prefix="data.unfinished-", dir=cluster.folder))
    if cluster.is_root:
        os.chown(making, cluster.account.pw_uid, cluster.account.pw_gid)
    # The builtin provider sorts the same on every machine, today and after the system's next upgrade.
    locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
    options = ("-U", "signoff", "--auth=peer", *locale, *(() if durable else ("--no-sync",)))
    done = cluster.run([cluster.program("initdb"), "-D", making, *options], stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise UnavailableError(
            f"The embedded Postgres could not make its data folder: {_complaint(done.stdout)}",
            f"Put that right ({cluster.folder}) and try again. {OTHER_DATABASE}",
        )
    # Whoever may reach the socket is one of these two anyhow (its folder is 0700); the server asks the kernel again.
    (making / "pg_hba.conf").write_text("local all all peer map=signoff\n")
    names = {"root", cluster.account.pw_name}
    # `signoff` owns the tables and migrates; the running service connects as `signoff_service`, which may do less.
    lines = [f'signoff "{name}" {role}\n' for name in sorted(names) for role in ("signoff", "signoff_service")]
    (making / "pg_ident.conf").write_text("".join(lines))
    making.rename(cluster.data)


def _own_folder(folder: Path, cluster: Cluster) -> None:
    """Make a folder that is the account's alone, and refuse one that somebody else prepared for us."""
    try:
        folder.mkdir(mode=0o700)
        if cluster.is_root:
            os.chown(folder, cluster.account.pw_uid, cluster.account.pw_gid)
    except FileExistsError:
        pass
    found = folder.lstat()
    is_private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    if not is_private or found.st_uid != cluster.account.pw_uid:
        raise ConfigurationError(
            f"{folder} must be a folder of {cluster.account.pw_name} that nobody else may enter (mode 0700).",
            "Find out who made it and remove it; signoff makes it again.",
        )


def _complaint(output: bytes) -> str:
    text = output.decode(errors="replace").strip()
    lines = [line for line in text.splitlines() if "error:" in line or "FATAL:" in line]
    return lines[0] if lines else text[-200:]
