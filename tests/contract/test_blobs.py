"""What every blob store keeps to, held against the double and the folder; then what only the folder can show."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from signoff.adapters.blobs.file import FileBlobs
from signoff.adapters.blobs.memory import MemoryBlobs
from signoff.domain.errors import DigestMismatchError, InvalidError, NotFoundError, UnavailableError
from signoff.ports import Blobs

HELLO = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@dataclass
class Clock:
    """Seconds since the epoch, moved by hand."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "file"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> FileBlobs | MemoryBlobs:
    return MemoryBlobs(clock=clock) if request.param == "memory" else FileBlobs(tmp_path / "blobs", clock=clock)


def test_every_store_is_a_blobs_port(blobs: FileBlobs | MemoryBlobs) -> None:
    port: Blobs = blobs
    assert port.add(b"hello") == HELLO


def test_what_was_added_is_read_back_by_its_digest(blobs: Blobs, tmp_path: Path) -> None:
    path = tmp_path / "source"
    path.write_bytes(b"hello")

    assert blobs.add(b"hello") == HELLO
    assert blobs.add(path) == HELLO
    with blobs.open(HELLO) as file:
        assert file.read() == b"hello"
        file.seek(1)
        assert file.read() == b"ello"
    assert path.read_bytes() == b"hello"


def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    with blobs.open(blobs.add(b"")) as file:
        assert file.read() == b""


def test_a_big_file_comes_back_whole(blobs: Blobs, tmp_path: Path) -> None:
    path = tmp_path / "big"
    content = os.urandom(3_000_001)
    path.write_bytes(content)

    with blobs.open(blobs.add(path)) as file:
        assert file.read() == content


@pytest.mark.parametrize("digest", [HELLO, "", "sha256:", "sha256:../../etc/passwd", HELLO.upper(), HELLO[7:]])
def test_an_unknown_or_malformed_digest_is_not_found(blobs: Blobs, digest: str) -> None:
    with pytest.raises(NotFoundError, match="no blob"):
        blobs.open(digest)


def test_a_deleted_blob_is_gone_and_deleting_it_again_is_harmless(blobs: Blobs) -> None:
    kept = blobs.add(b"kept")
    blobs.add(b"hello")
    blobs.delete(HELLO)
    blobs.delete(HELLO)

    with pytest.raises(NotFoundError):
        blobs.open(HELLO)
    with blobs.open(kept) as file:
        assert file.read() == b"kept"


def test_old_blobs_are_listed_and_adding_one_again_makes_it_young(blobs: Blobs, clock: Clock) -> None:
    other = blobs.add(b"other")
    blobs.add(b"hello")
    clock.now += 100
    assert blobs.older_than(99) == sorted([HELLO, other])
    assert blobs.older_than(101) == []

    blobs.add(b"hello")
    assert blobs.older_than(99) == [other]


def test_a_collector_does_not_delete_what_was_added_again_since_it_looked(
    blobs: FileBlobs | MemoryBlobs, clock: Clock
) -> None:
    blobs.add(b"hello")
    clock.now += 100
    assert blobs.older_than(50) == [HELLO]
    blobs.add(b"hello")
    blobs.delete(HELLO, older_than=50)

    blobs.open(HELLO).close()
    clock.now += 100
    blobs.delete(HELLO, older_than=50)
    with pytest.raises(NotFoundError):
        blobs.open(HELLO)


def test_links_folders_and_missing_paths_are_refused(blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(InvalidError, match="is a link"):
        blobs.add(tmp_path / "link")
    for name in (".", "pipe"):
        with pytest.raises(InvalidError, match="is not a file"):
            blobs.add(tmp_path / name)
    with pytest.raises(NotFoundError, match="no file"):
        blobs.add(tmp_path / "nowhere")
    assert blobs.older_than(-1) == []


def test_many_threads_may_add_and_read_the_same_and_different_blobs(blobs: Blobs) -> None:
    start = threading.Barrier(8)

    def work(number: int) -> bytes:
        start.wait(10)
        digests = [blobs.add(f"{(number + i) % 5}".encode() * 10_000) for i in range(10)]
        with blobs.open(digests[0]) as file:
            return file.read()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [f"{n % 5}".encode() * 10_000 for n in range(8)]
    assert len(blobs.older_than(-1)) == 5


# --- the folder -------------------------------------------------------------------------------------------------


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_folder_and_its_files_are_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    FileBlobs(folder).add(b"hello")

    assert everything(folder) == [f"{HELLO[7:9]}/{HELLO[9:]}"]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")] if path.is_dir()}
    assert modes == {0o700}
    assert stat.S_IMODE((folder / HELLO[7:9] / HELLO[9:]).stat().st_mode) == 0o600


def test_a_changed_blob_is_noticed_when_verifying_and_mended_by_adding_it_again(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path, is_verifying=True)
    blobs.add(b"hello")
    (tmp_path / HELLO[7:9] / HELLO[9:]).write_bytes(b"jello")

    with pytest.raises(DigestMismatchError, match="was changed on the disk"):
        blobs.open(HELLO)
    blobs.add(b"hello")
    with blobs.open(HELLO) as file:
        assert file.read() == b"hello"


def in_child(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    script = f"""
import os, resource, signal, sys
from pathlib import Path
from signoff.adapters.blobs.file import FileBlobs
from signoff.domain.errors import UnavailableError
blobs = FileBlobs(Path({str(folder)!r}))
{code}
"""
    return subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=30)


def test_a_process_killed_while_adding_leaves_no_blob_and_its_rest_is_swept_after_a_day(
    tmp_path: Path, clock: Clock
) -> None:
    done = in_child("os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\nblobs.add(b'hello')", tmp_path)
    assert done.returncode == -signal.SIGKILL
    assert len(everything(tmp_path)) == 1

    blobs = FileBlobs(tmp_path, clock=clock)
    clock.now = (tmp_path / everything(tmp_path)[0]).stat().st_mtime + 3600
    assert blobs.older_than(0) == []
    with pytest.raises(NotFoundError):
        blobs.open(HELLO)
    assert len(everything(tmp_path)) == 1
    clock.now += 86_400
    assert blobs.older_than(0) == []
    assert everything(tmp_path) == []


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    done = in_child(
        """
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    blobs.add(b"x" * 5000)
except UnavailableError as error:
    print(error)
""",
        tmp_path,
    )

    assert "The blob could not be kept: File too large" in done.stdout, done.stderr
    assert everything(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")

    with pytest.raises(UnavailableError, match="could not be made: Not a directory"):
        FileBlobs(tmp_path / "file" / "blobs")


def test_deleting_waits_for_an_addition_that_is_about_to_land(tmp_path: Path, clock: Clock) -> None:
    blobs = FileBlobs(tmp_path, clock=clock)
    blobs.add(b"hello")
    clock.now += 100
    deleted = threading.Event()

    def delete() -> None:
        blobs.delete(HELLO, older_than=50)
        deleted.set()

    with blobs._locked(1):  # as `add` holds it (LOCK_SH)
        thread = threading.Thread(target=delete)
        thread.start()
        assert not deleted.wait(0.1)
        os.utime(tmp_path / HELLO[7:9] / HELLO[9:], (clock.now, clock.now))
    thread.join(10)

    assert deleted.is_set()
    blobs.open(HELLO).close()
