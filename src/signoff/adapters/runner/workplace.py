"""Where a command works and what it sees: its folders, its clean environment and its `python`.

Used by the runners only. Nothing of the worker's own environment gets through but PATH and what the administrator
named, so that no password or key of the server reaches a pipeline author's code.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from signoff.adapters.runner.snapshot import unpack
from signoff.domain.errors import MachineryError
from signoff.ports import Task

LONGEST_TMPDIR = 70
"""Sockets live in TMPDIR (multiprocessing, Ray) and the kernel allows their paths 107 bytes."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """The folders of one try, made by `prepare`; all of them below ``<task.work>/<try>``."""

    root: Path

    @property
    def project(self) -> Path:
        """The unpacked snapshot; the command starts here."""
        return self.root / "project"

    @property
    def output(self) -> Path:
        """What SIGNOFF_OUTPUT names."""
        return self.root / "output"

    @property
    def home(self) -> Path:
        """HOME."""
        return self.root / "home"

    @property
    def tmp(self) -> Path:
        """TMPDIR (or what it leads to)."""
        return self.root / "tmp"

    @property
    def context(self) -> Path:
        """What SIGNOFF_CONTEXT names."""
        return self.root / "context.json"

    def variables(self) -> dict[str, str]:
        """The two variables that belong to the runner."""
        return {"SIGNOFF_OUTPUT": str(self.output), "SIGNOFF_CONTEXT": str(self.context)}


def prepare(task: Task) -> Workplace:
    """Fresh folders for this try, whatever an earlier one left there; the snapshot unpacked, the context written.

    Raises:
        SnapshotError: the snapshot is unsafe.
        MachineryError: the disk refused, or the context is not JSON.
    """
    place = Workplace(task.work.absolute() / str(task.try_number))
    try:
        remove(place.root)
        place.root.mkdir(mode=0o700, parents=True)
        for folder in (place.project, place.output, place.home, place.tmp):
            folder.mkdir(mode=0o700)
        if task.folder is not None:
            unpack(task.folder, place.project)
        place.context.write_text(json.dumps(dict(task.context), ensure_ascii=False), encoding="utf-8")
    except OSError as error:
        raise MachineryError(
            f"The work folder could not be prepared: {error.strerror}: {error.filename or place.root}.",
            "Look at the worker's disk space and permissions, then retry.",
        ) from error
    return place


def remove(folder: Path) -> None:
    """Delete `folder` and all below it, folders that a command made read-only included."""
    if not folder.exists():
        return
    try:
        shutil.rmtree(folder)
    except PermissionError:
        for parent, names, _ in os.walk(folder):
            for path in [Path(parent), *(Path(parent, name) for name in names)]:
                if not path.is_symlink():
                    path.chmod(stat.S_IRWXU)
        shutil.rmtree(folder)


def environment(place: Workplace, task: Task, tmp: Path, kept: Iterable[str]) -> dict[str, str]:
    """Everything the command sees, and nothing else; `kept` names variables of the worker that go through."""
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "PATH": os.pathsep.join([*_python_folders(place, task.python), os.environ.get("PATH", os.defpath)]),
        "HOME": str(place.home),
        "TMPDIR": str(tmp),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        **task.environment,
        **place.variables(),
    }


def short_tmp(place: Workplace) -> tuple[Path, Path | None]:
    """What to call TMPDIR, and the folder to remove afterwards when a short name for it had to be made."""
    if len(os.fsencode(place.tmp)) <= LONGEST_TMPDIR:
        return place.tmp, None
    made = Path(tempfile.mkdtemp(prefix="signoff-"))
    link = made / "t"
    link.symlink_to(place.tmp)
    return link, made


def find_python(wanted: str | None) -> Path:
    """The interpreter for ``python:``: the worker's own, a path (of it or of its environment) or a version.

    Raises:
        MachineryError: this worker has none such.
    """
    if wanted is None:
        return Path(sys.executable)
    if "/" in wanted:
        path = Path(wanted).expanduser()
        path = path / "bin" / "python" if path.is_dir() else path
        if path.is_absolute() and path.is_file() and os.access(path, os.X_OK):
            return path
        found = None
    else:
        found = shutil.which(f"python{wanted}" if wanted[:1].isdigit() else wanted)
    if found is None:
        raise MachineryError(
            f"This worker has no python {wanted!r}.",
            "Install it there, or name in the step's 'python' a version or an absolute path that the worker has.",
            is_retryable=False,
        )
    return Path(found).absolute()


def _python_folders(place: Workplace, wanted: str | None) -> list[str]:
    """The folders that put `python`, `python3` and the interpreter's own scripts first on PATH.

    A link to an environment's interpreter would lose that environment (it looks for ``pyvenv.cfg`` beside the link),
    so where the names in the interpreter's own folder are not it, a two-line script in ``bin/`` stands for it.
    """
    python = find_python(wanted)
    names = [python.parent / name for name in ("python", "python3")]
    if all(name.exists() and name.samefile(python) for name in names):
        return [str(python.parent)]
    folder = place.root / "bin"
    folder.mkdir(mode=0o700)
    for name in names:
        script = folder / name.name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} "$@"\n', encoding="utf-8")
        script.chmod(0o700)
    return [str(folder), str(python.parent)]
