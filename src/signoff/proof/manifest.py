"""The manifest of real files: what is hashed, what is refused, and whether bytes are still the approved ones.

Everybody who is about to show, sign, serve or copy a model asks here: service, engine, the adapters and the model
server. The form of the list is `domain.version.Manifest`'s business. Standard library only: verifying stays cheap.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

from signoff.domain.errors import DigestMismatchError, ModelNotFoundError, UnsafeModelError
from signoff.domain.version import LEFT_OUT, Manifest

_BUFFER = 1 << 20
"""Bytes read at once: hashing 1 GB in pieces of 1 MiB costs the same as hashing it from memory."""
_WORTH_THREADS = 8 << 20
"""Below this many bytes in all, starting threads costs more than it saves."""
_NAMED = 10
"""At most this many files are named in one message."""
_RENAME = "Rename the file and submit again."


def manifest_of(path: Path) -> Manifest:
    """The manifest of every file under the folder `path`, or of the one file `path` under its own name.

    Raises:
        ModelNotFoundError: nothing is there.
        UnsafeModelError: no files, or one that a manifest cannot stand for (a link, a device, a name with a newline).
    """
    return Manifest.of(_hashed(path))


def verify(path: Path, expected: Manifest | str) -> Manifest:
    """The manifest of `path`, which is `expected` (a manifest, or the digest over one).

    With a whole manifest the refusal names the files that changed, were added or are gone.

    Raises:
        DigestMismatchError: the bytes, the names or the number of files are different.
        ModelNotFoundError: nothing is there.
        UnsafeModelError: a file that a manifest cannot stand for.
    """
    pairs = _hashed(path)
    found = Manifest.of(pairs) if pairs else Manifest(())
    digest = expected if isinstance(expected, str) else expected.digest
    if found.digest == digest:
        return found
    what = f"The files in {path} are not the ones that were approved: their digest is {found.digest}, not {digest}."
    if isinstance(expected, Manifest):
        what += f" {_shortened(expected.difference(found))}."
    raise DigestMismatchError(what, "Nothing was loaded from them. Find out who changed them, then submit again.")


def files_of(path: Path) -> list[tuple[str, Path]]:
    """Every file of the model at `path` as (name in the manifest, where it is), sorted by name.

    Raises:
        ModelNotFoundError: nothing is there.
        UnsafeModelError: a link, a device, a pipe or a socket, or a name that is not text.
    """
    try:
        mode = path.lstat().st_mode
    except (OSError, ValueError):
        raise ModelNotFoundError(
            f"There is no file or folder at {path}.", "Check the path; it is read on this machine."
        ) from None
    if stat.S_ISREG(mode):
        return [(_named(path.name), path)]
    if not stat.S_ISDIR(mode):
        _refuse(path.name, mode)
    return sorted((name, where) for name, where in _walk(path) if name not in LEFT_OUT)


def _walk(root: Path) -> Iterator[tuple[str, Path]]:
    waiting = [("", root)]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                found = list(entries)
        except OSError as error:
            _unreadable(prefix or str(folder), error)
        for entry in found:
            name = _named(prefix + entry.name)
            mode = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                if name in LEFT_OUT:  # only MLflow's own file of that name is not part of the model
                    raise UnsafeModelError(f"The model has a folder named {name!r}.", _RENAME)
                waiting.append((f"{name}/", Path(entry.path)))
            elif stat.S_ISREG(mode):
                yield name, Path(entry.path)
            else:
                _refuse(name, mode)


def _named(name: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise UnsafeModelError(f"The file name {name!r} is not UTF-8 text.", _RENAME) from None
    return name


def _refuse(name: str, mode: int) -> NoReturn:
    if stat.S_ISLNK(mode):
        raise UnsafeModelError(
            f"{name!r} is a symbolic link.", "Put the file or folder itself there (cp -rL copies what links point at)."
        )
    raise UnsafeModelError(f"{name!r} is not a file but a device, pipe or socket.", "Remove it and submit again.")


def _unreadable(name: str, error: OSError) -> NoReturn:
    raise UnsafeModelError(
        f"{name!r} cannot be read: {error.strerror}.", "Make it readable and submit again."
    ) from error


def _hashed(path: Path) -> list[tuple[str, str]]:
    files = files_of(path)
    total = sum(where.lstat().st_size for _, where in files)
    if len(files) == 1 or total < _WORTH_THREADS:
        return [(name, _sha256(name, where)) for name, where in files]
    with ThreadPoolExecutor(min(len(files), os.cpu_count() or 1), "sha256") as pool:
        # A hash lets go of the interpreter, so files are read and hashed side by side.
        digests = list(pool.map(_sha256, *zip(*files, strict=True)))
    return [(name, digest) for (name, _), digest in zip(files, digests, strict=True)]


def _sha256(name: str, where: Path) -> str:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_BUFFER))
    try:
        # What was a file when the folder was listed may be a link or a pipe by now: neither is followed or waited for.
        descriptor = os.open(where, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                _refuse(name, mode)
            while size := file.readinto(buffer):
                digest.update(buffer[:size])
    except OSError as error:
        if error.errno == errno.ELOOP:
            _refuse(name, stat.S_IFLNK)
        _unreadable(name, error)
    return digest.hexdigest()


def _shortened(differences: tuple[str, ...]) -> str:
    rest = len(differences) - _NAMED
    return "; ".join(differences[:_NAMED]) + (f"; and {rest} more" if rest > 0 else "")
