"""Unpacks a folder snapshot that somebody uploaded, trusting nothing in it.

Used by the runners only; `sdk.snapshot` makes what this reads. Python's own ``data`` filter is one wall; the rules
here are another, because that filter has had holes: no path through a link, no hard links, nothing but files, folders
and links, and hard limits on count, size and ratio that hold *while* unpacking, so that a bomb is refused early.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, cast

from signoff.domain.errors import SnapshotError

MAX_MEMBERS = 20_000
MAX_BYTES = 500_000_000
MAX_RATIO = 200
"""Times that a snapshot may grow, beyond `FREE_BYTES`."""
FREE_BYTES = 150_000_000
"""What any snapshot may grow to: `sdk.snapshot` packs 100 MB at most, and a folder of zeros is not a bomb."""
HEADER_BYTES = 2048
"""What tar itself may add to a member; long names and padding included."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the tar.gz `archive` into the empty `folder`.

    Raises:
        SnapshotError: too many members, too big, grows too much, unsafe names or kinds, not a tar.gz.
        OSError: the disk refused.
    """
    packed = archive.stat().st_size
    allowed = min(MAX_BYTES + MAX_MEMBERS * HEADER_BYTES, max(FREE_BYTES, packed * MAX_RATIO))
    links: set[PurePosixPath] = set()
    try:
        with gzip.open(archive) as plain:
            stream = cast("IO[bytes]", _Limited(plain, allowed))
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for count, member in enumerate(tar, start=1):
                    if count > MAX_MEMBERS:
                        raise SnapshotError(f"The snapshot has more than {MAX_MEMBERS:,} files and folders.", _HINT)
                    _check(member, links, allowed)
                    _extract(tar, member, folder)
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, UnicodeError) as error:
        raise SnapshotError(f"The snapshot cannot be unpacked: {error}.", "Submit again to pack it anew.") from error


_HINT = "Keep data and results out of it with a .signoffignore file."


def _check(member: tarfile.TarInfo, links: set[PurePosixPath], allowed: int) -> None:
    """Refuse what `sdk.snapshot` would never have packed."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\0" in member.name:
        raise SnapshotError(f"The snapshot names a path outside its folder: {member.name!r}.")
    if not (member.isreg() or member.isdir() or member.issym()):
        raise SnapshotError(f"The snapshot holds {member.name!r}, which is neither a file, a folder nor a link.")
    if not links.isdisjoint((path, *path.parents)):
        raise SnapshotError(f"The snapshot reaches {member.name!r} through a link.")
    if member.size > allowed:
        raise SnapshotError(f"The snapshot grows too big when unpacked ({member.name!r}).", _HINT)
    if member.issym():
        links.add(path)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Extract one checked member as the ``data`` filter does, also with Python 3.11.0 to 3.11.3, which lack it."""
    if hasattr(tarfile, "data_filter"):
        tar.extract(member, folder, filter="data")
        return
    if member.issym():
        _check_target(member)
    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
    tar.extract(member, folder, set_attrs=False)
    if not member.issym():
        (folder / member.name).chmod(member.mode)


def _check_target(link: tarfile.TarInfo) -> None:
    """Refuse a link that leaves the folder. Going up is allowed at its beginning only: no other link is walked then."""
    target, parent = PurePosixPath(link.linkname), PurePosixPath(link.name).parent
    ups = next((count for count, part in enumerate(target.parts) if part != ".."), len(target.parts))
    if target.is_absolute() or ".." in target.parts[ups:] or ups > len(parent.parts):
        raise SnapshotError(f"The snapshot cannot be unpacked: its link {link.name!r} leads out of its folder.")


class _Limited:
    """The unpacked bytes, refusing to go on past a limit."""

    def __init__(self, plain: gzip.GzipFile, limit: int) -> None:
        self._plain = plain
        self._left = limit

    def read(self, size: int) -> bytes:
        data = self._plain.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise SnapshotError("The snapshot grows too big when unpacked.", _HINT)
        return data
