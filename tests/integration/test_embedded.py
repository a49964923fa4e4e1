"""The embedded Postgres is shared, survives every kill, and never loses or deletes what is in it."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from databases import home_in_memory, scratch
from signoff.domain.errors import ConfigurationError, UnavailableError
from signoff.store import binaries, embedded
from signoff.store.cluster import ROOT_FOLDER, cluster_at, locked, prepare

USER = """
import sys
from pathlib import Path
from signoff.store import embedded
with embedded.running(Path(sys.argv[1])) as url:
    print(embedded.status(Path(sys.argv[1])).pid, flush=True)
    sys.stdin.read()
"""

ORDINARY = """
import os, sys
from pathlib import Path
import psycopg
from signoff.store import binaries, embedded
from signoff.store.cluster import cluster_at
home, uid, programs = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if programs:  # the interpreter's own folder may be root's alone
    binaries.installed = lambda: Path(programs)
    os.setgroups([]), os.setgid(uid), os.setuid(uid)
with embedded.running(home, durable=False) as url, psycopg.connect(url) as connection:
    cluster = cluster_at(home)
    print(os.geteuid(), cluster.data.stat().st_uid, cluster.data, cluster.sockets)
"""


@pytest.fixture
def new_home() -> Iterator[Path]:
    with home_in_memory(uuid.uuid4().hex[:12]) as home:
        yield home


@pytest.fixture(scope="module")
def used_home() -> Iterator[Path]:
    with home_in_memory(uuid.uuid4().hex[:12]) as home:
        embedded.start(home, durable=False)
        embedded.release(home)
        yield home


@pytest.fixture
def home(used_home: Path, new_home: Path) -> Path:
    """A home of the test's own that has been started before: a copy, which is faster than a first start."""
    cluster = cluster_at(new_home)
    prepare(cluster)
    subprocess.run(["cp", "-a", cluster_at(used_home).data, cluster.data], check=True)
    return new_home


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited for twenty seconds"
        time.sleep(0.01)


def _write(url: str, number: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def _read(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY number")]


def _user(home: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until its standard input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@contextmanager
def _users(home: Path, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    users = [_user(home) for _ in range(count)]
    try:
        yield users
    finally:
        for user in users:
            user.kill()
            user.communicate()


def _pid_seen_by(user: subprocess.Popen[str]) -> int:
    assert user.stdout is not None
    return int(user.stdout.readline())


def test_what_was_written_is_there_after_stop_and_start(new_home: Path) -> None:
    began = time.monotonic()
    url = embedded.start(new_home)
    first = time.monotonic() - began
    _write(url, 1)
    embedded.release(new_home)
    assert not embedded.status(new_home).is_running
    began = time.monotonic()
    assert embedded.start(new_home) == url
    second = time.monotonic() - began
    assert _read(url) == [1]
    assert embedded.stop(new_home)
    assert not embedded.stop(new_home)
    embedded.release(new_home)
    assert first < 20
    assert second < 10


def test_four_racing_processes_share_one_server_and_the_last_one_out_stops_it(new_home: Path) -> None:
    with _users(new_home, 4) as users:
        assert len({_pid_seen_by(user) for user in users}) == 1
        for user in users:
            assert embedded.status(new_home).is_running
            user.communicate()
        assert not embedded.status(new_home).is_running


def test_blocks_in_one_process_count_one_by_one(home: Path) -> None:
    with embedded.running(home, durable=False):
        with embedded.running(home):
            pass
        embedded.start(home)
        embedded.release(home)
        assert embedded.status(home).is_running
    assert not embedded.status(home).is_running


def test_a_killed_server_is_started_again_with_every_acknowledged_row(home: Path) -> None:
    url = embedded.start(home)
    _write(url, 1)
    with psycopg.connect(url):  # a session whose process outlives the server for a moment
        pid = embedded.status(home).pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert embedded.start(home) == url
        assert embedded.status(home).pid != pid
    assert _read(url) == [1]
    embedded.release(home)
    assert not embedded.status(home).is_running


def test_a_killed_user_leaves_the_server_to_the_others_and_no_longer_counts(home: Path) -> None:
    with _users(home, 1) as [first]:
        pid = _pid_seen_by(first)
        with embedded.running(home) as url:
            os.killpg(first.pid, signal.SIGKILL)  # the whole group, as a terminal that is closed
            first.wait()
            _write(url, 1)
            assert embedded.status(home).pid == pid
    assert not embedded.status(home).is_running


def test_an_interrupt_from_the_terminal_does_not_reach_the_server(home: Path) -> None:
    with _users(home, 1) as [user]:
        pid = _pid_seen_by(user)
        assert os.getsid(pid) not in {os.getsid(0), os.getsid(user.pid)}


def test_a_process_killed_while_it_makes_the_database_stands_in_nobodys_way(new_home: Path) -> None:
    cluster = cluster_at(new_home)
    with _users(new_home, 1) as [first]:
        _until(lambda: any(cluster.folder.glob("data.unfinished-*/*")))
        os.killpg(first.pid, signal.SIGKILL)
    with embedded.running(new_home, durable=False) as url:
        _write(url, 1)
        assert _read(url) == [1]


def test_a_stale_pid_file_naming_a_living_process_fools_neither_start_nor_stop(home: Path) -> None:
    with embedded.running(home, durable=False) as url:
        _write(url, 1)
        pid_file = cluster_at(home).data / "postmaster.pid"
        words = pid_file.read_text().split("\n", 1)[1]
    account = cluster_at(home).account.pw_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "60"], user=account) as bystander:
        try:
            pid_file.write_text(f"{bystander.pid}\n{words}")
            assert embedded.status(home).pid is None
            assert not embedded.stop(home)
            with embedded.running(home, durable=False) as url:
                assert _read(url) == [1]
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_stopping_does_not_wait_for_those_who_use_it_and_they_can_start_it_again(home: Path) -> None:
    url = embedded.start(home, durable=False)
    with psycopg.connect(url) as connection:
        assert embedded.stop(home)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert embedded.start(home, durable=False) == url
    assert embedded.status(home).is_running
    embedded.release(home)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [("PG_VERSION", "16\n", "made by Postgres 16"), ("thesis.txt", "ten years", "not a Postgres data folder")],
)
def test_a_foreign_data_folder_is_refused_and_not_touched(new_home: Path, name: str, content: str, words: str) -> None:
    data = cluster_at(new_home).data
    data.mkdir(parents=True)
    (data / name).write_text(content)
    before = {path: path.stat().st_mtime_ns for path in (data, data / name)}
    with pytest.raises(ConfigurationError, match=words) as refused:
        embedded.start(new_home)
    assert "SIGNOFF_DATABASE_URL" in refused.value.hint
    assert {path: path.stat().st_mtime_ns for path in (data, data / name)} == before
    assert (data / name).read_text() == content


def test_a_server_that_cannot_start_says_why_at_once_and_starts_when_that_is_put_right(home: Path) -> None:
    with embedded.running(home, durable=False) as url:
        _write(url, 1)
    settings = cluster_at(home).data / "postgresql.auto.conf"
    good = settings.read_text()
    settings.write_text("work_mem = 'plenty'\n")
    began = time.monotonic()
    with pytest.raises(UnavailableError, match=r"configuration file .* contains errors") as refused:
        embedded.start(home)
    assert time.monotonic() - began < 10
    assert str(cluster_at(home).log) in refused.value.hint
    settings.write_text(good)
    with embedded.running(home, durable=False) as url:
        assert _read(url) == [1]


def test_a_socket_folder_that_others_may_enter_is_refused(new_home: Path) -> None:
    sockets = cluster_at(new_home).sockets
    sockets.mkdir(parents=True)
    sockets.chmod(0o777)
    with pytest.raises(ConfigurationError, match="nobody else may enter"):
        embedded.start(new_home)


def test_settings_of_the_callers_environment_change_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGPORT": "6000", "PGHOST": "elsewhere", "PGDATABASE": "other", "PGUSER": "dave"}.items():
        monkeypatch.setenv(name, value)
    with embedded.running(home, durable=False) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_user, current_database()").fetchone() == ("signoff", "signoff")


@pytest.mark.parametrize("is_deep", [False, True])
def test_an_ordinary_user_keeps_everything_in_the_home_however_long_its_path(is_deep: bool) -> None:
    is_root = os.geteuid() == 0
    account = pwd.getpwnam("nobody") if is_root else pwd.getpwuid(os.geteuid())
    programs = _programs_for_everybody() if is_root else ""
    with tempfile.TemporaryDirectory(prefix="signoff-home-", dir=scratch()) as folder:
        os.chown(folder, account.pw_uid, account.pw_gid)
        home = Path(folder, *(["a-folder-with-quite-a-long-name"] * 5 if is_deep else []), "home")
        argv = [sys.executable, "-c", ORDINARY, str(home), str(account.pw_uid), programs]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
        assert done.stderr == ""
        *found, sockets = done.stdout.split()
        assert found == [str(account.pw_uid), str(account.pw_uid), str(home.resolve() / "postgres/data")]
        assert sockets.startswith("/tmp/signoff-" if is_deep else str(home))  # noqa: S108 - what it has to be
        Path(sockets).rmdir()
        if is_root:
            with pytest.raises(ConfigurationError, match="made by another account"):
                embedded.start(home)


def _programs_for_everybody() -> str:
    ROOT_FOLDER.mkdir(mode=0o711, parents=True, exist_ok=True)
    with locked(ROOT_FOLDER / "binaries.lock"):
        binaries.copy(ROOT_FOLDER)
    return str(binaries.copied(ROOT_FOLDER))
