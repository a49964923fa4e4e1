"""Copying a model's files: exactly those that its manifest lists, never a link and never MLflow's download mark.

Shared by every registry adapter. What is hashed, served or uploaded is always such a copy, so that nobody can change
the bytes between looking at them and using them.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from signoff.domain.errors import SignoffError
from signoff.domain.version import Manifest
from signoff.proof.manifest import files_of, manifest_of


def copy_model(source: Path, target: Path) -> Manifest:
    """Copy the model at `source` (a folder or one file) into the empty folder `target`; the manifest of the copy.

    Raises:
        ModelNotFoundError: nothing is at `source`.
        UnsafeModelError: a file that a manifest cannot stand for.
    """
    empty(target)
    for name, where in files_of(source):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        # A file that has become a link since it was listed is copied as a link, which the manifest then refuses.
        shutil.copyfile(where, target / name, follow_symlinks=False)
    return manifest_of(target)


def empty(target: Path) -> None:
    """Make the folder `target`, which may exist but must hold nothing.

    Raises:
        SignoffError: it holds something; files that are not the model's would get its name.
    """
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise SignoffError(f"The folder {target} is not empty.", "Give an empty folder to copy the model's files to.")
