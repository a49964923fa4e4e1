"""An OpenID Connect provider: the code flow with PKCE, and an ID token that is believed only after every check.

Its addresses and keys are read from its discovery document when they are first needed, and again when they are old or
a token names a key that is not among them.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from signoff.domain.account_errors import SignOnError
from signoff.domain.errors import UnavailableError
from signoff.domain.secret import Secret
from signoff.outbound import Outbound
from signoff.ports import Vouched

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""What an ID token may be signed with: keys that only the provider has, never `none` or a shared secret."""
_KEPT_S = 3600.0
_LEEWAY_S = 60
_DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class OidcProvider:
    """A provider at `issuer`, to which this server is known as `client_id`."""

    issuer: str
    client_id: str
    client_secret: Secret | None
    outbound: Outbound
    scopes: str = "openid profile email"
    label: str = "single sign-on"
    name_claim: str = "preferred_username"
    groups_claim: str | None = None
    _known: dict[str, tuple[float, Any]] = field(default_factory=dict, repr=False, compare=False)
    _reading: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def address(self, redirect_uri: str, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in."""
        endpoint = self._endpoint("authorization_endpoint")
        found: str = prepare_grant_uri(
            endpoint,
            client_id=self.client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            scope=self.scopes,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
        )
        return found

    def redeem(self, redirect_uri: str, *, code: str, nonce: str, verifier: str) -> Vouched:
        """Whom the provider vouches for, in exchange for the code that it sent the browser back with.

        Raises:
            SignOnError: the code is not good, or the ID token is not what it has to be.
            UnavailableError: the provider did not answer.
        """
        answer = self._exchange(redirect_uri, code, verifier)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise _not_believed("it sent no ID token")
        claims = self._claims(token, nonce, str(answer.get("access_token") or ""))
        return self._vouched(claims)

    def _exchange(self, redirect_uri: str, code: str, verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
            "client_id": self.client_id,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if self.client_secret is not None:
            pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret.reveal(), safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        endpoint = self._endpoint("token_endpoint")
        try:
            answer = self.outbound.ask(
                "POST",
                endpoint,
                body=urlencode(form).encode(),
                headers=headers,
                is_configured=self._is_named(endpoint),
            )
        except UnavailableError as error:
            if "HTTP 4" in error.what:
                raise _not_believed("it did not take its own code back") from error
            raise
        return _object(answer.body)

    def _claims(self, token: str, nonce: str, access_token: str) -> Mapping[str, Any]:
        """The claims of an ID token: signed by the provider, for this server, for this sign-in, now."""
        try:
            decoded = self._decoded(token)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self.client_id},
                    "nonce": {"essential": True, "value": nonce},
                },
                {"nonce": nonce, "client_id": self.client_id, "access_token": access_token},
            )
            claims.validate(now=int(time.time()), leeway=_LEEWAY_S)
        except (JoseError, ValueError) as error:
            raise _not_believed(f"its ID token does not hold ({type(error).__name__})") from error
        return dict(claims)

    def _decoded(self, token: str) -> jwt.Token:
        keys = self._keys()
        try:
            return jwt.decode(token, keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            # It may be signed with a key that is newer than those read last.
            return jwt.decode(token, self._keys(again=True), algorithms=ALGORITHMS)

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject:
            raise _not_believed("its ID token names nobody")
        groups = claims.get(self.groups_claim) if self.groups_claim is not None else None
        if isinstance(groups, str):
            groups = [groups]
        email = claims.get("email") if claims.get("email_verified") is True else None
        return Vouched(
            issuer=self.issuer,
            subject=subject,
            name=str(claims.get(self.name_claim) or ""),
            email=email if isinstance(email, str) else None,
            groups=frozenset(str(group) for group in groups) if isinstance(groups, list) else None,
        )

    def _endpoint(self, name: str) -> str:
        found = self._metadata().get(name)
        if not isinstance(found, str):
            raise UnavailableError(
                f"The discovery document of {self.issuer} names no {name}.", "SIGNOFF_OIDC_ISSUER may be mistyped."
            )
        return found

    def _metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self._read("metadata", self.issuer.rstrip("/") + _DISCOVERY)
        if metadata.get("issuer") != self.issuer:
            raise UnavailableError(
                f"{self.issuer} says that it is {str(metadata.get('issuer'))[:200]}.",
                "SIGNOFF_OIDC_ISSUER has to be exactly what the provider calls itself.",
            )
        return metadata

    def _keys(self, *, again: bool = False) -> KeySet:
        found = self._read("keys", self._endpoint("jwks_uri"), again=again)
        return KeySet.import_key_set(found)

    def _is_named(self, url: str) -> bool:
        """Whether `url` is at the issuer, which the administrator named; where its document leads, nobody did."""
        return urlsplit(url)[:2] == urlsplit(self.issuer)[:2]

    def _read(self, what: str, url: str, *, again: bool = False) -> Any:
        """What the provider says at `url`, kept for an hour."""
        with self._reading:
            at, found = self._known.get(what, (0.0, None))
            if found is not None and not again and time.monotonic() < at + _KEPT_S:
                return found
            found = _object(self.outbound.get(url, is_configured=self._is_named(url)).body)
            self._known[what] = (time.monotonic(), found)
            return found


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UnavailableError("The sign-in provider answered with something that is no JSON object.")
    return found


def _not_believed(why: str) -> SignOnError:
    return SignOnError(f"The sign-in provider was not believed: {why}.", "Begin the sign-in once more.")
