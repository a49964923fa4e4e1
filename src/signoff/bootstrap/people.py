"""The administrator's two files under SIGNOFF_HOME, and the 0600 session files of this machine beside them."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import structlog

from signoff.bootstrap.wiring import notifiers
from signoff.domain.actor import SYSTEM, Credential, Directory, Person, Role
from signoff.domain.environment import Environment
from signoff.domain.errors import ConfigurationError
from signoff.domain.target import TargetKind
from signoff.domain.version import digest_bytes
from signoff.service.accounts import MadeLink, has_administrator, make_first_link
from signoff.service.administration import apply_people, present_people, replace_files
from signoff.service.credentials import is_well_formed, new_secret
from signoff.service.desk import Desk
from signoff.service.environments import apply_environments, was_file_applied
from signoff.service.targets import announce_mail
from signoff.settings import Settings
from signoff.spec import read_environments, read_people
from signoff.spec.problem import Problem

LOG = structlog.get_logger("signoff.administration")

T = TypeVar("T")


def current_person() -> str:
    """The account that runs this process, as the name of a person."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", getpass.getuser()) or "admin"
    return "admin" if name == "system" else name


def read_administration(settings: Settings, desk: Desk, *, is_local: bool = True) -> None:
    """Import people.yaml where the server knows nobody yet, apply environments.yaml, and write the session files.

    Without a people.yaml the account that runs this process is the first administrator. `is_local` says that nobody
    but this machine can reach the server: then everybody has a session file, else only who runs it.

    Raises:
        ConfigurationError: with every problem of a file.
    """
    directory = _import_people(settings, desk)
    owners = [p.name for p in directory.people.values() if p.is_active and (is_local or p.name == current_person())]
    folder = settings.credentials_folder
    replace_files(desk, SYSTEM, _credentials(folder, owners), place=f"a file in {folder} on {socket.gethostname()}")
    environments_file = settings.home / "environments.yaml"
    if environments_file.exists():
        _apply_environments(environments_file, desk, directory)
    announce_mail(desk, is_configured=TargetKind.MAIL in notifiers(settings))


def check_identity(desk: Desk, host: str) -> None:
    """Return when an administrator can sign in: nothing that others reach may be without one.

    Raises:
        ConfigurationError: none can; the message says how to make one.
    """
    if not has_administrator(desk):
        raise ConfigurationError(
            f"{host} can be reached by others, and no administrator can sign in yet.",
            "Start once on 127.0.0.1 (the default), open the link that it prints, and choose a password there.",
        )


def first_link(desk: Desk) -> MadeLink | None:
    """The link that makes the first administrator; None when one can sign in."""
    directory, _ = present_people(desk, SYSTEM)
    me = directory.people.get(current_person())
    is_admin = me is not None and me.is_active and Role.ADMIN in me.roles
    return make_first_link(desk, me.name if me is not None and is_admin else None)


def _import_people(settings: Settings, desk: Desk) -> Directory:
    """Who the server knows, after the file was imported where it knew nobody."""
    known, imported = present_people(desk, SYSTEM)
    path = settings.home / "people.yaml"
    digest = digest_bytes(_bytes(path)) if path.exists() else None
    if known.people:
        if digest is not None and digest != imported:
            LOG.warning(
                "people.yaml is not read any more: it was imported when the server knew nobody, and now "
                "`signoff user` and `signoff group` say who there is",
                file=str(path),
            )
        return known
    me = Person(current_person(), frozenset({Role.ADMIN, Role.SUBMITTER, Role.APPROVER}))
    directory: Directory = _read(path, read_people) if digest is not None else Directory.of([me])
    apply_people(desk, SYSTEM, directory, {}, file_digest=digest)
    LOG.info("people were imported", people=sorted(directory.people), file=str(path) if digest is not None else None)
    return directory


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


def _credentials(folder: Path, owners: Collection[str]) -> dict[str, dict[Credential, str]]:
    """Each owner's session credential and API token, made when missing; those of everybody else are removed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.iterdir():
        if left.suffix in {".session", ".token"} and left.stem not in owners:
            left.unlink()
    return {
        name: {kind: _secret(folder / f"{name}.{kind.value}", kind) for kind in (Credential.SESSION, Credential.TOKEN)}
        for name in owners
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
