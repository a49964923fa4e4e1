"""Who a request comes from: secrets to actors. Secrets are stored as sha256 only."""

from __future__ import annotations

import secrets
import string
import zlib
from hashlib import sha256

from signoff.domain.actor import Actor, Credential, actor_of
from signoff.domain.errors import NotAuthenticatedError
from signoff.service.desk import Desk
from signoff.store import people

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIXES = {Credential.TOKEN: "signoff_", Credential.SESSION: "signoffs_"}
_LENGTH = 36
_CHECK_LENGTH = 6


def new_secret(kind: Credential) -> str:
    """A fresh secret: a prefix that scanners know, 36 base62 characters, and their CRC32 in base62."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return _PREFIXES[kind] + body + _check(body)


def is_well_formed(secret: str) -> bool:
    """Whether `secret` could be one of ours: prefix and checksum fit."""
    prefix = next((p for p in _PREFIXES.values() if secret.startswith(p)), None)
    if prefix is None:
        return False
    body = secret.removeprefix(prefix)
    return len(body) == _LENGTH + _CHECK_LENGTH and _check(body[:_LENGTH]) == body[_LENGTH:]


def _check(body: str) -> str:
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text


def fingerprint(secret: str) -> str:
    """What is stored of a secret."""
    return sha256(secret.encode()).hexdigest()


def authenticate(desk: Desk, secret: str | None) -> Actor:
    """The actor behind `secret`.

    Raises:
        NotAuthenticatedError: no secret, or nobody's.
    """
    if not secret:
        raise NotAuthenticatedError(
            "This request says not who it is from.", "Send `Authorization: Bearer ...`; the command line: --as NAME."
        )
    refused = NotAuthenticatedError(
        "This credential is not known to the server.", "It may be of another server, or of a person who was removed."
    )
    if not is_well_formed(secret):
        raise refused
    with desk.database.begin() as tx:
        found = people.find_holder(tx, fingerprint(secret))
    if found is None or not found[0].is_active:
        raise refused
    return actor_of(*found)
