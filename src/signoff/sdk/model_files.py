"""Packs a local model, a folder or a single file, so that it can be uploaded and registered.

Used by `sdk.submission`. Unlike a pipeline's folder nothing is left out: what is approved is every byte. Packed into a
temporary file, because a model need not fit into memory; the same model gives the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from signoff.domain.errors import UnsafeModelError

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class PackedModel:
    """A packed model: the digest of the tar.gz and its size in bytes."""

    file: IO[bytes]
    digest: str
    size: int

    def content(self) -> Iterator[bytes]:
        """The bytes, from the beginning."""
        self.file.seek(0)
        while chunk := self.file.read(CHUNK):
            yield chunk


@contextmanager
def packed(model: Path) -> Iterator[PackedModel]:
    """`model` as a tar.gz that exists as long as the context.

    Raises:
        UnsafeModelError: a symlink or something else that is no file, no files at all, or one that cannot be read.
    """
    with tempfile.TemporaryFile(prefix="signoff-model-") as file:
        try:
            members = _members(model)
            _write(members, file)
        except OSError as error:
            raise UnsafeModelError(
                f"{error.filename or model} cannot be read: {error.strerror or error}.", "Mend it, then submit again."
            ) from error
        size = file.tell()
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield PackedModel(file, f"sha256:{digest}", size)


def _members(model: Path) -> list[tuple[str, Path]]:
    """Every file and folder below `model` by its name there, sorted; a single file is in no folder."""
    if model.is_file():
        return [(model.name, model.resolve())]
    found = list(_below(model.resolve(), ""))
    if not any(path.is_file() for _, path in found):
        raise UnsafeModelError(f"There are no files in {model}.", "Name the folder or file that holds the model.")
    return sorted(found)


def _below(folder: Path, prefix: str) -> Iterator[tuple[str, Path]]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):  # read to its end, so that it is closed
        name = f"{prefix}{entry.name}"
        if entry.is_symlink():
            raise UnsafeModelError(
                f"{name} is a symbolic link; what it leads to could change after the approval.",
                "Put the file itself in its place.",
            )
        if entry.is_dir():
            yield name, Path(entry.path)
            yield from _below(Path(entry.path), f"{name}/")
        elif entry.is_file():
            yield name, Path(entry.path)
        else:
            raise UnsafeModelError(f"{name} is neither a file nor a folder.", "Take it out of the model's folder.")


def _write(members: list[tuple[str, Path]], file: IO[bytes]) -> None:
    """The tar.gz, with nothing in it that depends on when, where and by whom it was made."""
    with (
        gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=1, mtime=0) as plain,
        tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, path in members:
            info = tarfile.TarInfo(name)
            if path.is_dir():
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
                continue
            info.mode = 0o644
            with path.open("rb") as opened:
                info.size = os.fstat(opened.fileno()).st_size
                tar.addfile(info, opened)
