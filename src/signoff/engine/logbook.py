"""The log of one running step: chunks in the database while it runs, one blob when it is over."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import IO

from signoff.domain.errors import MachineryError, UnavailableError
from signoff.domain.run import Run
from signoff.engine.machinery import Machinery
from signoff.store import logs

_CHUNK = 64 * 1024
_EVERY_SECONDS = 0.4


class Logbook:
    """A writable file for the runner. Flushes a chunk when there is enough or enough time went by.

    Kept twice while the step runs: as chunks, which every server can show, and as a local file, which becomes the blob.
    """

    def __init__(self, machinery: Machinery, run: Run, step: str) -> None:
        self._machinery = machinery
        self._run, self._step = run, step
        try:
            self._file: IO[bytes] = tempfile.NamedTemporaryFile(dir=machinery.work, prefix="log-")  # noqa: SIM115
        except OSError as error:
            raise _cannot_write(error) from error
        self._pending = bytearray()
        self._written = 0
        self._flushed_at = 0.0
        self._is_database_away = False
        with machinery.database.begin() as tx:
            logs.begin_log(tx, run, step)

    def write(self, data: bytes, /) -> int:
        """Append; raises OSError when the disk is full."""
        self._file.write(data)
        self._pending += data
        is_enough = len(self._pending) >= _CHUNK and not self._is_database_away
        if is_enough or time.monotonic() - self._flushed_at > _EVERY_SECONDS:
            self._send()
        return len(data)

    def say(self, words: str) -> None:
        """A line of signoff's own in the log."""
        self.write(f"[signoff] {words}\n".encode())

    def tend(self) -> None:
        """Send what waits for long enough; called while the command is silent."""
        if time.monotonic() - self._flushed_at > _EVERY_SECONDS:
            self._send()

    def _send(self) -> None:
        """Add a chunk. With the database away it is kept for later: the command runs on, and the file has it all."""
        if not self._pending:
            return
        try:
            with self._machinery.database.begin() as tx:
                key = (self._run.id, self._run.attempt.number, self._step)
                logs.set_chunk(tx, *key, self._written, bytes(self._pending))
        except UnavailableError:
            self._is_database_away = True
        else:
            self._is_database_away = False
            self._written += len(self._pending)
            self._pending.clear()
        self._flushed_at = time.monotonic()

    def finish(self) -> None:
        """Keep the whole log as a blob; the chunks go. Where that fails they stay, and the log can still be read.

        May be repeated after an UnavailableError.
        """
        try:
            self._send()
            self._file.flush()
            digest = self._machinery.blobs.add(Path(self._file.name))
        except OSError as error:
            raise _cannot_write(error) from error
        with self._machinery.database.begin() as tx:
            logs.end_log(tx, self._run, self._step, digest)
        self._file.close()


class LogFile:
    """The log of a command that is run beside a step's own: a plain file, kept as evidence by whoever asked for it."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise _cannot_write(error) from error

    def write(self, data: bytes, /) -> int:
        """Append; raises OSError when the disk is full."""
        self._file.write(data)
        return len(data)

    def say(self, words: str) -> None:
        """A line of signoff's own in the log."""
        self.write(f"[signoff] {words}\n".encode())

    def tend(self) -> None:
        """Nothing waits to be sent."""

    def finish(self) -> None:
        """Close the file."""
        self._file.close()


def _cannot_write(error: OSError) -> MachineryError:
    return MachineryError(
        f"The log could not be written: {error.strerror or error}.", "Make room on the worker's disk, then retry."
    )
