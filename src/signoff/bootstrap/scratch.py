"""A worker's own scratch folder, and an end to those of workers that died.

What a killed worker leaves behind are copies of models, and what commands wrote into their homes, secrets perhaps.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

_LOCK = ".lock"


def take_scratch(parent: Path, prefix: str) -> Path:
    """A new folder below `parent`, this process's until it ends; those of processes that have ended are removed."""
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for other in parent.glob(f"{prefix}*"):
        _remove_if_left(other)
    folder = parent / f"{prefix}{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o700)
    fresh = folder / f"{_LOCK}.new"
    fcntl.flock(os.open(fresh, os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)  # let go when this process ends
    fresh.rename(folder / _LOCK)  # held from the moment that it can be seen
    return folder


def _remove_if_left(folder: Path) -> None:
    """Remove the folder unless its process lives; one without a lock is just being made, or not ours."""
    with suppress(OSError), (folder / _LOCK).open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
