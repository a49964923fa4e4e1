"""Packed folders (.tar.gz) with whatever is in them, honest or not."""

from __future__ import annotations

import io
import tarfile


def member(name: str, content: bytes = b"", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    """One member; `more` are fields of the header, such as `type` and `linkname`."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """The archive of these members."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def packed_folder(**files: str) -> bytes:
    """A folder with these files (one, when none are named)."""
    return packed(*(member(name, text.encode()) for name, text in (files or {"train.py": "print(1)"}).items()))
