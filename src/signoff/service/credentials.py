"""Secrets: how they are made, told apart from a slip of the pen, and what is kept of them (their sha256)."""

from __future__ import annotations

import secrets
import string
import zlib
from hashlib import sha256

from signoff.domain.actor import Credential

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
LINK = "link"
DEVICE = "device"
CHAT = "chat"
_PREFIXES = {
    Credential.TOKEN.value: "signoff_",
    Credential.SESSION.value: "signoffs_",
    LINK: "signoffl_",
    DEVICE: "signoffd_",
    CHAT: "signoffc_",
}
_LENGTH = 36
_CHECK_LENGTH = 6


def new_secret(kind: str) -> str:
    """A fresh secret of a kind: a prefix that scanners know, 36 base62 characters, and their CRC32 in base62."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return _PREFIXES[kind] + body + _check(body)


def kind_of(secret: str) -> str | None:
    """What kind of secret this could be: prefix and checksum fit; None when it is none of ours."""
    kind = next((kind for kind, prefix in _PREFIXES.items() if secret.startswith(prefix)), None)
    if kind is None:
        return None
    body = secret.removeprefix(_PREFIXES[kind])
    is_sound = len(body) == _LENGTH + _CHECK_LENGTH and _check(body[:_LENGTH]) == body[_LENGTH:]
    return kind if is_sound else None


def is_well_formed(secret: str) -> bool:
    """Whether `secret` could be one of ours."""
    return kind_of(secret) is not None


def new_id() -> str:
    """The id of a session, token or link: what may be shown, unlike its secret."""
    return secrets.token_hex(6)


def fingerprint(secret: str) -> str:
    """What is stored of a secret."""
    return sha256(secret.encode()).hexdigest()


def _check(body: str) -> str:
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        text = _ALPHABET[digit] + text
    return text
