"""The cookies of the pages: who is signed in, who is not yet, and what to say on the next page.

All are HttpOnly and SameSite=Lax. Where the public address is https their names begin with `__Host-`, so that browsers
take them from this host only, over TLS only.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import Request, Response

SESSION = "signoff"
VISIT = "signoff-visit"
FLASH = "signoff-flash"


def is_https(request: Request) -> bool:
    """Whether browsers reach this server by https, as its public address says."""
    return bool(urlsplit(request.app.state.desk.url).scheme == "https")


def read_cookie(request: Request, name: str) -> str | None:
    """The cookie's value; None without one."""
    return request.cookies.get(_full(request, name)) or None


def set_cookie(request: Request, response: Response, name: str, value: str, *, lasts: timedelta | None = None) -> None:
    """Give the browser a cookie; without `lasts` it goes when the browser is closed."""
    seconds = int(lasts.total_seconds()) if lasts is not None else None
    response.set_cookie(
        _full(request, name), value, max_age=seconds, path="/", secure=is_https(request), httponly=True, samesite="lax"
    )


def drop_cookie(request: Request, response: Response, name: str) -> None:
    """Take the cookie back."""
    response.delete_cookie(_full(request, name), path="/", secure=is_https(request), httponly=True, samesite="lax")


def _full(request: Request, name: str) -> str:
    return f"__Host-{name}" if is_https(request) else name
