"""Forms are taken from our own pages only: where they come from is checked, and each carries a token.

The token is made of a secret that only this browser has (its session, or the visit of somebody who is not signed in
yet), so the server keeps nothing; it is masked anew for every page, so that compressing the page gives nothing away.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from urllib.parse import urlsplit

from fastapi import Request

from signoff.domain.errors import NotAllowedError, NotAuthenticatedError
from signoff.web.cookies import SESSION, VISIT, read_cookie

FIELD = "csrf_token"
HEADER = "x-csrf-token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_MASK_BYTES = 12


class ForgedRequestError(NotAllowedError):
    """A form that did not come from a page of ours that this browser was given."""

    code = "forged_request"


def token_of(secret: str) -> str:
    """A fresh token for whoever has `secret`."""
    mask = secrets.token_hex(_MASK_BYTES)
    return f"{mask}.{_sign(secret, mask)}"


def _sign(secret: str, mask: str) -> str:
    return hmac.new(secret.encode(), f"csrf {mask}".encode(), sha256).hexdigest()


async def refuse_forged(request: Request) -> None:
    """Return when the request changes nothing, or carries the token of this browser.

    Raises:
        ForgedRequestError: it does not.
        NotAuthenticatedError: it does not, and nobody is signed in, as when a session's cookie has run out.
    """
    if request.method in SAFE:
        return
    secret = read_cookie(request, SESSION) or read_cookie(request, VISIT)
    given = request.headers.get(HEADER)
    if given is None:
        field = (await request.form()).get(FIELD)
        given = field if isinstance(field, str) else ""
    mask, _, signature = given.partition(".")
    if secret is not None and hmac.compare_digest(_sign(secret, mask).encode(), signature.encode()):
        return
    if read_cookie(request, SESSION) is None:
        raise NotAuthenticatedError("Nobody is signed in any more.", "Sign in again.")
    raise ForgedRequestError(
        "This form is of an older page: somebody signed in or out since it was opened.",
        "Go back, load the page again and send it once more.",
    )


def refuse_foreign(request: Request) -> None:
    """Return when the request changes nothing, or comes from one of our own pages.

    Raises:
        ForgedRequestError: a page of somebody else's sent it.
    """
    if request.method in SAFE:
        return
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")
    if origin in _own_origins(request) and site in {None, "same-origin"}:
        return
    raise ForgedRequestError(
        "This form was not sent by a page of this server.",
        f"Open {request.app.state.desk.url} itself, and do it there.",
    )


def _own_origins(request: Request) -> set[str]:
    """The public address, and on loopback the one that the browser used."""
    public = urlsplit(request.app.state.desk.url)
    own = {f"{public.scheme}://{public.netloc}"}
    if (public.hostname or "") in _LOOPBACK and (request.url.hostname or "") in _LOOPBACK:
        own.add(f"{request.url.scheme}://{request.url.netloc}")
    return own
