"""The administrator's two files under SIGNOFF_HOME, and each person's credentials in 0600 files beside them."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import structlog

from signoff.domain.actor import SYSTEM, Credential, Directory
from signoff.domain.environment import Environment
from signoff.domain.errors import ConfigurationError
from signoff.domain.version import digest_bytes
from signoff.service.accounts import is_well_formed, new_secret
from signoff.service.administration import apply_people
from signoff.service.desk import Desk
from signoff.service.environments import apply_environments, was_file_applied
from signoff.settings import Settings
from signoff.spec import read_environments, read_people
from signoff.spec.problem import Problem

LOG = structlog.get_logger("signoff.administration")

T = TypeVar("T")

_FIRST_PEOPLE = """\
# Who may do what here. Read when signoff starts; `signoff up` again after a change.
# roles: viewer | submitter | approver | auditor | admin.  groups: a rule may name them as 'group:risk'.
people:
  - name: {person}
    roles: [admin, submitter, approver]
"""


def current_person() -> str:
    """The account that runs this process, as a name that people.yaml takes."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", getpass.getuser()) or "admin"
    return "admin" if name == "system" else name


def read_administration(settings: Settings, desk: Desk) -> None:
    """Apply people.yaml (written for the present account when it is missing) and environments.yaml.

    Raises:
        ConfigurationError: with every problem of the file.
    """
    people_file = settings.home / "people.yaml"
    if not people_file.exists():
        people_file.write_text(_FIRST_PEOPLE.format(person=current_person()), encoding="utf-8")
    directory: Directory = _read(people_file, read_people)
    apply_people(desk, SYSTEM, directory, _credentials(settings.credentials_folder, directory))
    environments_file = settings.home / "environments.yaml"
    if environments_file.exists():
        _apply_environments(environments_file, desk, directory)


def _apply_environments(path: Path, desk: Desk, directory: Directory) -> None:
    """Apply the file when its content is another than when it was last applied; else what commands made stands."""
    digest = digest_bytes(_bytes(path))
    if was_file_applied(desk, digest):
        LOG.info("environments.yaml is as it was when it was last applied; changes made by command stand")
        return
    environments: Mapping[str, Environment] = _read(path, read_environments, directory=directory)
    applied = apply_environments(desk, SYSTEM, environments, file_digest=digest)
    LOG.info("environments.yaml was applied", changes=list(applied.changes))


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.", "Mend its rights.") from error


def _read(path: Path, reader: Callable[..., tuple[T | None, tuple[Problem, ...]]], **more: Any) -> T:
    found, problems = reader(_bytes(path), filename=str(path), **more)
    if found is None:
        raise ConfigurationError("\n".join(problem.text() for problem in problems), "Mend the file and start again.")
    return found


def _credentials(folder: Path, directory: Directory) -> dict[str, dict[Credential, str]]:
    """Each person's session credential and API token, made when missing; of people who left they are removed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.suffix in {".session", ".token"} and left.stem not in directory.people:
            left.unlink()
    return {
        name: {kind: _secret(folder / f"{name}.{kind.value}", kind) for kind in (Credential.SESSION, Credential.TOKEN)}
        for name in directory.people
    }


def _secret(path: Path, kind: Credential) -> str:
    if path.exists():
        known = path.read_text().strip()
        if is_well_formed(known):
            return known
    secret = new_secret(kind)
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secret + "\n")
    fresh.replace(path)
    return secret
