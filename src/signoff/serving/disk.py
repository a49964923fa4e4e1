"""Files that the supervisor writes: whole or not at all, whatever crashes. For `supervisor` and `sockets`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from signoff.domain.version import LEFT_OUT


def copy(source: Path, target: Path) -> None:
    """Copy a model's files whole or not at all. Links stay links, so that verification refuses them."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial, symlinks=True)
    for name in LEFT_OUT:
        (partial / name).unlink(missing_ok=True)
    partial.rename(target)


def write_whole(path: Path, text: str) -> None:
    """Replace the file's content so that a reader sees the old or the new, even after a crash."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
