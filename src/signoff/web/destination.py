"""Where to go after signing in: a path on this server, never another one."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

HOME = "/"
_LONGEST = 2000
_NOT_AFTER = ("/sign-in", "/sign-out", "/link")


def safe_path(wanted: str | None) -> str:
    """`wanted` when it is a path (and query) of this server, else the start page."""
    if not wanted or len(wanted) > _LONGEST or not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return HOME
    if "\\" in wanted or not wanted.isascii() or not wanted.isprintable():
        return HOME
    parts = urlsplit(wanted)
    if parts.scheme or parts.netloc or parts.path.startswith(_NOT_AFTER):
        return HOME
    return wanted


def sign_in_address(wanted: str) -> str:
    """The sign-in page that leads on to `wanted`."""
    path = safe_path(wanted)
    return "/sign-in" if path == HOME else f"/sign-in?next={quote(path, safe='/')}"
