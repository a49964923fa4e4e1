"""The id tokens of CI jobs: believed when their issuer's present keys signed them, with an algorithm of ours.

Keys are read by the issuer's discovery document, kept for an hour, and read again, at most once a minute, when a token
names one that is not among them: that is how issuers change keys. While an issuer does not answer, the keys of the last
day go on.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import structlog

from signoff.domain.errors import InvalidError, UnavailableError
from signoff.domain.trust import IdTokenError
from signoff.outbound import Outbound

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, RSAKey

    Key = RSAKey | ECKey

LOG = structlog.get_logger("signoff.id_tokens")

KEYS_FRESH_S = 3600.0
KEYS_STALE_S = 24 * 3600.0
READ_AGAIN_S = 60.0
_KINDS: Mapping[str, str] = {"RS256": "RSA", "ES256": "EC"}
"""The algorithms that are believed, and the kind of key of each: what has no public key is not among them."""
_LARGEST_TOKEN = 16 * 1024
_FEWEST_BITS = 2048
_MOST_KEYS = 100
_PARTS = 3
_DISCOVERY = "/.well-known/openid-configuration"


@dataclass
class _Issuer:
    """What is known of one issuer: its keys by name and kind, when they were read, and when that was last tried."""

    keys: dict[tuple[str, str], Key] = field(default_factory=dict)
    read_at: float | None = None
    tried_at: float | None = None
    reading: threading.Lock = field(default_factory=threading.Lock)


class JobTokens:
    """Believes id tokens by the keys of their issuers. `clock` counts seconds."""

    def __init__(self, outbound: Outbound, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._outbound = outbound
        self._clock = clock
        self._issuers: dict[str, _Issuer] = {}
        self._lock = threading.Lock()

    def issuer_of(self, id_token: str) -> str:
        """Who the token says issued it, which is not yet to be believed.

        Raises:
            IdTokenError: it is no such token.
        """
        issuer = _part(id_token, 1).get("iss")
        if not isinstance(issuer, str) or not issuer:
            raise _no_token("it names no issuer")
        return issuer

    def believe(self, id_token: str, issuer: str) -> Mapping[str, Any]:
        """The claims of a token that `issuer`, which an administrator trusts, has signed.

        Raises:
            IdTokenError: it has not.
            UnavailableError: its keys could not be had.
        """
        from joserfc import jwt
        from joserfc.errors import JoseError

        header = _part(id_token, 0)
        algorithm, name = header.get("alg"), header.get("kid")
        kind = _KINDS.get(algorithm) if isinstance(algorithm, str) else None
        if kind is None or not isinstance(algorithm, str):
            raise _no_token(f"it is not signed with {' or '.join(_KINDS)}")
        if not isinstance(name, str) or not name:
            raise _no_token("it does not name its key")
        key = self._key(issuer, (name, kind))
        if key is None:
            raise _no_token("its issuer has no such key")
        try:
            claims = dict(jwt.decode(id_token, key, algorithms=[algorithm]).claims)
        except (JoseError, ValueError) as error:
            raise _no_token(f"its signature does not hold ({type(error).__name__})") from error
        if claims.get("iss") != issuer:
            raise _no_token("it is of another issuer")
        return claims

    def _key(self, issuer: str, wanted: tuple[str, str]) -> Key | None:
        with self._lock:
            known = self._issuers.setdefault(issuer, _Issuer())
        now = self._clock()
        is_fresh = known.read_at is not None and now < known.read_at + KEYS_FRESH_S
        if not (is_fresh and wanted in known.keys):
            with known.reading:
                self._renew(issuer, known, is_fresh=is_fresh)
        return known.keys.get(wanted)

    def _renew(self, issuer: str, known: _Issuer, *, is_fresh: bool) -> None:
        """Read the keys, unless that was tried a moment ago; without them, those of the last day are kept."""
        now = self._clock()
        was_read = known.read_at is not None and now < known.read_at + KEYS_STALE_S
        if known.tried_at is not None and now < known.tried_at + READ_AGAIN_S:
            if not was_read:
                raise UnavailableError(f"The keys of {issuer} could not be read a moment ago.", "Try again later.")
            return
        known.tried_at = now
        try:
            known.keys = self._read(issuer)
            known.read_at = now
        except (UnavailableError, InvalidError) as error:
            LOG.warning("the keys of an issuer could not be read", issuer=issuer, why=error.what, is_fresh=is_fresh)
            if not was_read:
                known.keys = {}
                raise UnavailableError(
                    f"The keys of {issuer} could not be read: {error.what}", "Its administrator may know more."
                ) from error

    def _read(self, issuer: str) -> dict[tuple[str, str], Key]:
        found = self._object(issuer + _DISCOVERY, is_configured=True)
        address = found.get("jwks_uri")
        if found.get("issuer") != issuer or not isinstance(address, str):
            raise UnavailableError(f"{issuer} does not describe itself as that issuer.")
        # The administrator named the issuer, and nobody named another host.
        is_same = urlsplit(address)[:2] == urlsplit(issuer)[:2]
        listed = self._object(address, is_configured=is_same).get("keys")
        keys: dict[tuple[str, str], Key] = {}
        for entry in listed[:_MOST_KEYS] if isinstance(listed, list) else ():
            key = _usable(entry)
            if key is not None:
                keys.setdefault((str(entry["kid"]), str(entry["kty"])), key)
        if not keys:
            raise UnavailableError(f"{issuer} shows no key that can be used.")
        return keys

    def _object(self, url: str, *, is_configured: bool) -> Mapping[str, Any]:
        try:
            found = json.loads(self._outbound.get(url, is_configured=is_configured).body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise UnavailableError(f"{url} is no JSON object.")
        return found


def _usable(entry: Any) -> Key | None:
    """The key of a key set's entry; None when it is not for signing with an algorithm of ours, or is weak."""
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey

    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    algorithm, kind = entry.get("alg"), entry.get("kty")
    if entry.get("use", "sig") != "sig" or (algorithm is not None and _KINDS.get(algorithm) != kind):
        return None
    try:
        if kind == "RSA":
            rsa = RSAKey.import_key({name: entry[name] for name in ("kty", "n", "e")})
            return rsa if rsa.public_key.key_size >= _FEWEST_BITS else None
        if kind == "EC" and entry.get("crv") == "P-256":
            return ECKey.import_key({name: entry[name] for name in ("kty", "crv", "x", "y")})
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    return None


def _part(id_token: str, index: int) -> Mapping[str, Any]:
    """The header (0) or the claims (1) of a token, read without belief."""
    parts = id_token.split(".")
    if len(id_token) > _LARGEST_TOKEN or len(parts) != _PARTS or not id_token.isascii():
        raise _no_token("it is no signed token")
    try:
        text = parts[index]
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _no_token("it is no signed token")
    return found


def _no_token(why: str) -> IdTokenError:
    return IdTokenError(f"The id token is not to be believed: {why}.", "Have the CI system give a fresh one.")
