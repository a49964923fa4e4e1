"""Content-addressed files in a folder: ``ab/cdef...``, whole or not at all.

Imported by `bootstrap` only. Several processes, and machines that share the folder, may use it at once: a blob gets
its final name by one rename, and `delete` and `add` of the same blob exclude each other by a lock on the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from signoff.domain.errors import DigestMismatchError, InvalidError, NotFoundError, UnavailableError

CHUNK = 1024 * 1024
TEMPORARY = ".new-"
STALE_SECONDS = 86_400
"""After this long an unfinished file belongs to a process that died."""
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_NAME = re.compile(r"[0-9a-f]{62}")


class FileBlobs:
    """The `Blobs` of a local or shared folder, made (0700) when missing; files are 0600.

    With `is_verifying`, `open` hashes a blob before it hands it out. `clock` is in seconds since the epoch.
    """

    def __init__(self, folder: Path, *, is_verifying: bool = False, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._is_verifying = is_verifying
        self._clock = clock
        with _unavailable("made"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def add(self, source: Path | bytes, /) -> str:
        """Keep `source`; returns ``sha256:<hex>``. Adding it again makes it as young as a new one, and mends it.

        Raises:
            InvalidError: the path is not a regular file (links are refused: they may lead anywhere).
            NotFoundError: there is no such path.
            UnavailableError: the disk refused; nothing was kept.
        """
        with _unavailable("kept"), contextlib.ExitStack() as stack:
            chunks = _chunks(stack.enter_context(_regular(source))) if isinstance(source, Path) else (source,)
            number, name = tempfile.mkstemp(prefix=TEMPORARY, dir=self._folder)
            stack.callback(Path(name).unlink, missing_ok=True)
            digest = hashlib.sha256()
            with os.fdopen(number, "wb") as file:
                for data in chunks:
                    digest.update(data)
                    file.write(data)
                file.flush()
                os.utime(number, (self._clock(), self._clock()))
                os.fsync(number)
            final = self._path(f"sha256:{digest.hexdigest()}")
            final.parent.mkdir(mode=0o700, exist_ok=True)
            with self._locked(fcntl.LOCK_SH):
                Path(name).replace(final)
            _sync(final.parent)
            _sync(self._folder)
            return f"sha256:{digest.hexdigest()}"

    def open(self, digest: str, /) -> IO[bytes]:
        """The content, for reading (seekable).

        Raises:
            NotFoundError: no such blob.
            DigestMismatchError: it was changed on the disk (only with `is_verifying`).
            UnavailableError: the disk refused.
        """
        with _unavailable("read"):
            try:
                file = self._path(digest).open("rb")
            except FileNotFoundError:
                raise NotFoundError(f"There is no blob {digest}.", "It may have been collected.") from None
            if self._is_verifying:
                found = hashlib.file_digest(file, "sha256").hexdigest()
                if digest != f"sha256:{found}":
                    file.close()
                    raise DigestMismatchError(
                        f"Blob {digest} was changed on the disk (it is sha256:{found} now).",
                        "Bring it back from a backup.",
                    )
                file.seek(0)
            return file

    def delete(self, digest: str, /, *, older_than: float | None = None) -> None:
        """Forget the blob; with `older_than`, only if it was not added (again) in the last so many seconds."""
        path = self._path(digest)
        with _unavailable("deleted"), self._locked(fcntl.LOCK_EX), contextlib.suppress(FileNotFoundError):
            if older_than is None or self._is_older(path.stat(), older_than):
                path.unlink()

    def older_than(self, seconds: float, /) -> list[str]:
        """The digests of all blobs written more than `seconds` ago; sweeps what dead processes left, too."""
        self.sweep()
        with _unavailable("listed"):
            return [
                f"sha256:{shard.name}{entry.name}"
                for shard in sorted(self._folder.iterdir())
                if len(shard.name) == 2 and shard.is_dir()  # noqa: PLR2004  (the first byte, in hex)
                for entry in sorted(os.scandir(shard), key=lambda entry: entry.name)
                if _NAME.fullmatch(entry.name) and self._is_older(entry.stat(), seconds)
            ]

    def sweep(self) -> int:
        """Remove unfinished files older than a day; how many there were."""
        count = 0
        with _unavailable("swept"):
            for path in self._folder.glob(f"{TEMPORARY}*"):
                with contextlib.suppress(FileNotFoundError):
                    if self._is_older(path.stat(), STALE_SECONDS):
                        path.unlink()
                        count += 1
        return count

    def _path(self, digest: str) -> Path:
        match = _DIGEST.fullmatch(digest)
        if match is None:
            raise NotFoundError(f"There is no blob {digest!r}.", "A digest is 'sha256:' and 64 hex digits.")
        return self._folder / match[1][:2] / match[1][2:]

    def _is_older(self, found: os.stat_result, seconds: float) -> bool:
        return self._clock() - found.st_mtime > seconds

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Hold the folder's lock: shared to add, alone to delete."""
        number = os.open(self._folder, os.O_RDONLY)
        try:
            fcntl.flock(number, how)
            yield
        finally:
            os.close(number)


@contextlib.contextmanager
def _regular(path: Path) -> Iterator[IO[bytes]]:
    """`path` opened for reading, if it is a regular file itself."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise NotFoundError(f"There is no file {path}.") from error
    except OSError as error:
        if path.is_symlink():
            raise InvalidError(f"{path} is a link; only files are kept.", "Copy the file there instead.") from error
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise InvalidError(f"{path} is not a file.", "Pack a folder first.")
    with os.fdopen(number, "rb") as file:
        yield file


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while data := file.read(CHUNK):
        yield data


def _sync(folder: Path) -> None:
    """Make names in `folder` survive a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextlib.contextmanager
def _unavailable(done: str) -> Iterator[None]:
    """Turn a refusal of the disk into the one that the engine tries again after."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(
            f"The blob could not be {done}: {error.strerror or error} ({error.filename or 'blob folder'}).",
            "Look at the disk of the blob folder: its space, and who may write there.",
        ) from error
