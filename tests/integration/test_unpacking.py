"""Packed folders that reach outside, swell or break are refused before they do harm."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from runner_scene import a_task, run  # noqa: F401 - fixtures
from signoff.adapters.runner import snapshot as unpacking
from signoff.domain.errors import SnapshotError
from signoff.ports import Task


def archive(folder: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = folder / "hostile.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for info, data in members:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", data: bytes = b""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info, data


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([member("../escaped", data=b"x")], "outside its folder"),
        ([member("a/../../escaped", data=b"x")], "outside its folder"),
        ([member("/tmp/escaped", data=b"x")], "outside its folder"),  # noqa: S108
        ([member("out", tarfile.SYMTYPE, "../..")], "cannot be unpacked"),
        ([member("out", tarfile.SYMTYPE, "/etc/passwd")], "cannot be unpacked"),
        ([member("here", tarfile.SYMTYPE, "."), member("here/a", data=b"x")], "through a link"),
        ([member("a", tarfile.SYMTYPE, "b"), member("a", data=b"x")], "through a link"),
        ([member("hard", tarfile.LNKTYPE, "/etc/passwd")], "neither a file, a folder nor a link"),
        ([member("pipe", tarfile.FIFOTYPE)], "neither a file, a folder nor a link"),
        ([member("device", tarfile.CHRTYPE)], "neither a file, a folder nor a link"),
    ],
)
def test_a_snapshot_that_reaches_outside_is_refused(
    task: Task, tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], said: str
) -> None:
    with pytest.raises(SnapshotError, match=said):
        run(task, "true", folder=archive(tmp_path, *members))

    assert not list(tmp_path.rglob("escaped"))
    assert not Path("/tmp/escaped").exists()  # noqa: S108


def test_a_set_user_id_bit_does_not_survive(task: Task, tmp_path: Path) -> None:
    info, data = member("tool", data=b"#!/bin/sh\n")
    info.mode = 0o6777
    run(task, "true", folder=archive(tmp_path, (info, data)))

    assert (task.work / "1/project/tool").stat().st_mode & 0o7777 == 0o755


def test_a_zip_bomb_is_refused_before_it_fills_the_disk(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 1_000_000)
    one = archive(tmp_path, member("zeros", data=bytes(20_000_000)))
    with pytest.raises(SnapshotError, match="grows too big"):
        run(task, "true", folder=one)

    many = archive(tmp_path, *(member(f"zeros{n}", data=bytes(500_000)) for n in range(40)))
    with pytest.raises(SnapshotError, match="grows too big"):
        run(task, "true", folder=many)
    unpacked = sum(path.stat().st_size for path in (task.work / "1/project").iterdir())
    assert unpacked < 10_000_000


def test_a_bomb_in_a_header_is_refused(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 1_000_000)
    path = tmp_path / "header.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": "x" * 20_000_000}) as tar:
        tar.addfile(tarfile.TarInfo("a"))

    with pytest.raises(SnapshotError, match="grows too big"):
        run(task, "true", folder=path)


def test_too_many_members_are_refused(task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "MAX_MEMBERS", 10)

    with pytest.raises(SnapshotError, match="more than 10 files"):
        run(task, "true", folder=archive(tmp_path, *(member(str(n)) for n in range(11))))


def test_a_truncated_snapshot_is_refused(task: Task, tmp_path: Path) -> None:
    whole = archive(tmp_path, member("a", data=os.urandom(100_000))).read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(SnapshotError, match="cannot be unpacked"):
        run(task, "true", folder=tmp_path / "cut.tar.gz")
