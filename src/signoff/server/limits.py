"""How large the body of a request to the API may be: documents are small, folders and models have a limit of their own.

The pages limit their forms themselves.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from signoff.api import problems

LARGEST_BODY = 8 * 1024**2
"""The largest document, in bytes."""
_UPLOADS = frozenset({("POST", "/api/v1/snapshots")})
_SAID = f"The request has more than {LARGEST_BODY // 1024**2} MiB."
_HINT = "Send files with `signoff submit`, which uploads them; documents are small."


class BodyLimit:
    """Refuses what is too large, by its own word or once it has come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) in _UPLOADS:
            await self._app(scope, receive, send)
            return
        if _announced(scope) > LARGEST_BODY:
            refusal = problems.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", _SAID, _HINT)
            refusal.headers["Connection"] = "close"
            await refusal(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > LARGEST_BODY:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _SAID)
            return message

        await self._app(scope, counted, send)


def _announced(scope: Scope) -> int:
    """How many bytes the caller says will come; 0 when they do not say."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value[:20])
    return 0
