"""What every route needs of a request: the desk, the actor, and a body streamed to a file."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.concurrency import run_in_threadpool

from signoff.domain.actor import Actor
from signoff.domain.errors import SnapshotError
from signoff.service.desk import Desk
from signoff.service.sessions import authenticate
from signoff.service.streams import Streams

LARGEST_UPLOAD = 2 * 1024**3
"""The largest packed model or folder, in bytes."""

_bearer = HTTPBearer(auto_error=False, description="A session credential or an API token.")


async def desk_of(request: Request) -> Desk:
    """The desk that the composition root gave the application; async, for it would else cost a thread's turn."""
    desk: Desk = request.app.state.desk
    return desk


DeskOf = Annotated[Desk, Depends(desk_of)]


def actor_of(desk: DeskOf, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Actor:
    """Who asks; NotAuthenticatedError when nobody known does."""
    return authenticate(desk, bearer.credentials if bearer is not None else None)


ActorOf = Annotated[Actor, Depends(actor_of)]
BearerOf = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


def streams_of(request: Request) -> Streams:
    """The application's count of streams."""
    streams: Streams = request.app.state.streams
    return streams


IdempotencyKey = Annotated[str | None, Header(max_length=200)]


@asynccontextmanager
async def received(request: Request, desk: Desk) -> AsyncIterator[Path]:
    """The request's body as a file, written as it comes; SnapshotError when it is too large."""
    with tempfile.NamedTemporaryFile(dir=desk.work, prefix="received-") as file:
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > LARGEST_UPLOAD:
                raise SnapshotError(
                    f"The upload is larger than {LARGEST_UPLOAD // 1024**3} GiB.",
                    "Register large models in the registry and submit models:/NAME/VERSION.",
                )
            await run_in_threadpool(file.write, chunk)
        file.flush()
        yield Path(file.name)
