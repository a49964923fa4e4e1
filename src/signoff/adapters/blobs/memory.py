"""The double of the blob store: a dict. For tests only."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from signoff.domain.errors import InvalidError, NotFoundError


class MemoryBlobs:
    """A `Blobs` that forgets everything with the process."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._content: dict[str, bytes] = {}
        self._added_at: dict[str, float] = {}

    def add(self, source: Path | bytes, /) -> str:
        """Keep `source`; returns ``sha256:<hex>``."""
        if isinstance(source, Path):
            if source.is_symlink():
                raise InvalidError(f"{source} is a link; only files are kept.", "Copy the file there instead.")
            if not source.exists():
                raise NotFoundError(f"There is no file {source}.")
            if not source.is_file():
                raise InvalidError(f"{source} is not a file.", "Pack a folder first.")
            source = source.read_bytes()
        digest = f"sha256:{hashlib.sha256(source).hexdigest()}"
        self._content[digest] = source
        self._added_at[digest] = self._clock()
        return digest

    def open(self, digest: str, /) -> IO[bytes]:
        """The content, for reading.

        Raises:
            NotFoundError: no such blob.
        """
        if digest not in self._content:
            raise NotFoundError(f"There is no blob {digest}.", "It may have been collected.")
        return io.BytesIO(self._content[digest])

    def delete(self, digest: str, /, *, older_than: float | None = None) -> None:
        """Forget the blob; with `older_than`, only if it was not added (again) in the last so many seconds."""
        if digest in self._content and (older_than is None or digest in self.older_than(older_than)):
            del self._content[digest], self._added_at[digest]

    def older_than(self, seconds: float, /) -> list[str]:
        """The digests of all blobs written more than `seconds` ago."""
        now = self._clock()
        return sorted(digest for digest, added_at in self._added_at.items() if now - added_at > seconds)
