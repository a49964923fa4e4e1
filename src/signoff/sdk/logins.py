"""What `signoff login` keeps on this machine: for each server whose session or token it has, and until when.

The secret is in the platform's keyring where one works, else in a file that only its owner reads. Which servers there
are is always in files, so that a command that needs no keyring does not ask for one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from signoff.domain.errors import ConfigurationError, NotAuthenticatedError

_SERVICE = "signoff"
_A_REAL_ONE = 1
"""The priority from which a keyring encrypts; those below are files of other programs, or none."""
KEYRING = "keyring"
FILE = "file"


@dataclass(frozen=True, slots=True)
class Login:
    """One server, and as whom this machine speaks to it. `kind` is session or token."""

    server: str
    person: str
    kind: str
    expires_at: datetime
    kept_at: datetime
    kept_in: str = FILE
    secret: str = field(default="", repr=False)

    def is_over(self) -> bool:
        """Whether the server takes it no longer, as far as this machine's clock can tell."""
        return datetime.now(UTC) >= self.expires_at


class Logins:
    """Those of one home folder."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "logins"

    def keep(self, login: Login) -> Login:
        """Keep a login in place of a former one for that server; returns it with where its secret is.

        Raises:
            ConfigurationError: the folder cannot be written.
        """
        is_in_keyring = _put(login.server, login.secret)
        kept = replace(login, kept_in=KEYRING if is_in_keyring else FILE)
        shown = {**asdict(kept), "expires_at": kept.expires_at.isoformat(), "kept_at": kept.kept_at.isoformat()}
        if is_in_keyring:
            del shown["secret"]
        else:
            _drop(login.server)
        file = self._file(login.server)
        fresh = file.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            fresh.unlink(missing_ok=True)
            # Never there with wider rights, not for a moment.
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
                json.dump(shown, out)
            fresh.replace(file)
        except OSError as error:
            raise ConfigurationError(
                f"The sign-in cannot be kept in {self._folder}: {error.strerror}.",
                "Set SIGNOFF_HOME to a folder that you may write.",
            ) from error
        return kept

    def find(self, server: str) -> Login | None:
        """The login for that server, with its secret; None without one.

        Raises:
            NotAuthenticatedError: the keyring that has the secret does not give it.
        """
        login = _read(self._file(server))
        if login is None or login.server != server:
            return None
        if login.kept_in != KEYRING:
            return login
        secret = _get(server)
        if not secret:
            raise NotAuthenticatedError(
                f"The keyring of this machine does not give the sign-in for {server}.",
                f"Unlock it, or sign in again: `signoff login {server}`.",
            )
        return replace(login, secret=secret)

    def forget(self, server: str) -> None:
        """Keep nothing for that server any more."""
        login = _read(self._file(server))
        if login is not None and login.kept_in == KEYRING:
            _drop(server)
        self._file(server).unlink(missing_ok=True)

    def list(self) -> list[Login]:
        """Every login, without its secret, the newest first."""
        return sorted(
            (replace(login, secret="") for login in self._all()), key=lambda login: login.kept_at, reverse=True
        )

    def newest(self) -> str | None:
        """The server that was signed in to last."""
        return next((login.server for login in self.list()), None)

    def _all(self) -> Iterator[Login]:
        with suppress(OSError):
            for file in self._folder.glob("*.json"):
                login = _read(file)
                if login is not None:
                    yield login

    def _file(self, server: str) -> Path:
        return self._folder / f"{sha256(server.encode()).hexdigest()[:16]}.json"


def _read(file: Path) -> Login | None:
    try:
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return Login(
            server=str(found["server"]),
            person=str(found["person"]),
            kind=str(found["kind"]),
            expires_at=datetime.fromisoformat(found["expires_at"]),
            kept_at=datetime.fromisoformat(found["kept_at"]),
            kept_in=str(found["kept_in"]),
            secret=str(found.get("secret", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _put(server: str, secret: str) -> bool:
    """Whether the platform's keyring took the secret and gives it back."""
    try:
        import keyring

        if keyring.get_keyring().priority < _A_REAL_ONE:
            return False
        keyring.set_password(_SERVICE, server, secret)
        return keyring.get_password(_SERVICE, server) == secret
    except Exception:  # noqa: BLE001 - keyrings fail in ways of their own: locked, no bus, no display
        return False


def _get(server: str) -> str | None:
    try:
        import keyring

        return keyring.get_password(_SERVICE, server)
    except Exception:  # noqa: BLE001 - likewise
        return None


def _drop(server: str) -> None:
    with suppress(Exception):
        import keyring

        if keyring.get_password(_SERVICE, server) is not None:
            keyring.delete_password(_SERVICE, server)
