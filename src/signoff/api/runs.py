"""Routes about runs: submit, list, follow, read logs, cancel, retry, resubmit, comment; and uploaded folders."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from signoff.api import render
from signoff.api.request import ActorOf, BearerOf, DeskOf, IdempotencyKey, received, streams_of
from signoff.domain.actor import Actor
from signoff.domain.errors import NotAuthenticatedError, NotFoundError
from signoff.service import catalogue, runs, snapshots, submission, views
from signoff.service.desk import Desk
from signoff.service.sessions import authenticate
from signoff.wire.body import Page
from signoff.wire.cursor import cursor_of, read_cursor
from signoff.wire.runs import (
    CommentBody,
    CommentRequest,
    ResubmitRequest,
    RunBody,
    RunSummary,
    SnapshotBody,
    SubmitRequest,
)

router = APIRouter(tags=["runs"])
_EVERY_SECONDS = 0.5
_ASKED_AGAIN_SECONDS = 5.0
"""How often a stream looks whether its reader may still read."""
Limit = Annotated[int, Query(ge=1, le=200)]


@router.post("/snapshots", status_code=201)
async def upload_snapshot(request: Request, desk: DeskOf, actor: ActorOf) -> SnapshotBody:
    """Keep a packed folder (a .tar.gz): a pipeline's, or a model's."""
    async with received(request, desk) as archive:
        digest, size = await run_in_threadpool(snapshots.add_snapshot, desk, actor, archive)
    return SnapshotBody(digest=digest, size=size)


@router.get("/snapshots/{digest}")
def get_snapshot(digest: str, desk: DeskOf, actor: ActorOf) -> SnapshotBody:
    """Whether the packed folder `digest` was uploaded."""
    found, size = snapshots.get_snapshot(desk, actor, digest)
    return SnapshotBody(digest=found, size=size)


@router.post("/runs", status_code=201)
def submit_run(body: SubmitRequest, desk: DeskOf, actor: ActorOf, idempotency_key: IdempotencyKey = None) -> RunBody:
    """Start a run. With an Idempotency-Key the same request again answers with the same run."""
    run_id = submission.submit_run(
        desk,
        actor,
        submission.Submission(
            pipeline=body.pipeline,
            offer=submission.Offer(body.model, body.upload, body.metrics),
            filename=body.filename,
            folder_name=body.folder_name,
            snapshot=body.snapshot,
            note=body.note,
            idempotency_key=idempotency_key,
        ),
    )
    return _run(desk, actor, run_id)


@router.get("/runs")
def list_runs(
    desk: DeskOf,
    actor: ActorOf,
    state: Annotated[list[str], Query()] = [],  # noqa: B006 - the framework copies it
    model: str | None = None,
    submitter: str | None = None,
    waiting_on: str | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> Page[RunSummary]:
    """Runs, newest first. `waiting_on` is a person, or `me`."""
    lines = views.list_runs(
        desk,
        actor,
        states=state,
        model=model,
        submitter=actor.name if submitter == "me" else submitter,
        waiting_on=actor.name if waiting_on == "me" else waiting_on,
        before=read_cursor(cursor),
        limit=limit,
    )
    last = lines[-1].run if len(lines) == limit else None
    following = cursor_of(last.created_at, last.id) if last is not None else None
    return Page(items=[render.summary(line, desk.url) for line in lines], next=following)


@router.get("/runs/{run_id}")
def get_run(run_id: str, desk: DeskOf, actor: ActorOf) -> RunBody:
    """One run with everything about it. `run_id` is an id, a unique prefix, or `last`."""
    return _run(desk, actor, run_id)


def _found(request: Request, run_id: str, desk: DeskOf, actor: ActorOf) -> str:
    """The run's whole id, before the stream begins: an answer under way can refuse nothing more."""
    streams_of(request).check(actor.name)
    return views.find_run(desk, actor, run_id)


@router.get("/runs/{run_id}/events", response_class=EventSourceResponse)
async def follow_run(
    found: Annotated[str, Depends(_found)],
    request: Request,
    desk: DeskOf,
    actor: ActorOf,
    bearer: BearerOf,
    last_event_id: Annotated[int, Header(ge=0, le=2**62)] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """The run's audit events as they happen; resumes after `Last-Event-ID`. Ends with the credential, or the right."""
    after, asked_at = last_event_id, monotonic()
    with streams_of(request).one_more(actor.name), suppress(NotAuthenticatedError, NotFoundError):
        while not await request.is_disconnected():
            if monotonic() >= asked_at + _ASKED_AGAIN_SECONDS:
                secret = bearer.credentials if bearer is not None else None
                actor = await run_in_threadpool(partial(authenticate, desk, secret, is_use=False))
                asked_at = monotonic()
            for event in await run_in_threadpool(views.follow_run, desk, actor, found, after=after):
                after = event.index or after
                yield ServerSentEvent(data=render.audit_body(event), event=event.type.value, id=str(after))
            await asyncio.sleep(_EVERY_SECONDS)


@router.get("/runs/{run_id}/logs/{step}", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def read_log(
    run_id: str,
    step: str,
    desk: DeskOf,
    actor: ActorOf,
    attempt: Annotated[int | None, Query(ge=1, le=1000)] = None,
    offset: Annotated[int, Query(ge=0, le=2**40)] = 0,
    limit: Annotated[int, Query(ge=1, le=4_000_000)] = 1_000_000,
) -> Response:
    """A stretch of the step's log. X-Log-Size is the whole size so far; X-Log-Complete whether this ends it."""
    part = catalogue.read_log(desk, actor, run_id, step, attempt=attempt, offset=offset, limit=limit)
    headers = {"X-Log-Size": str(part.size), "X-Log-Complete": str(part.is_complete).lower()}
    return Response(part.data, media_type="text/plain; charset=utf-8", headers=headers)


@router.post("/runs/{run_id}/submissions")
def resubmit_run(run_id: str, body: ResubmitRequest, desk: DeskOf, actor: ActorOf) -> RunBody:
    """The next version for a run that waits for one."""
    offer = submission.Offer(body.model, body.upload, body.metrics)
    return _run(desk, actor, submission.resubmit_run(desk, actor, run_id, offer, body.note, body.answers))


@router.post("/runs/{run_id}/cancel")
def cancel_run(run_id: str, desk: DeskOf, actor: ActorOf) -> RunBody:
    """End the run; a running command is killed."""
    return _run(desk, actor, runs.cancel_run(desk, actor, run_id))


@router.post("/runs/{run_id}/retry")
def retry_run(run_id: str, desk: DeskOf, actor: ActorOf) -> RunBody:
    """Do the errored step again."""
    return _run(desk, actor, runs.retry_run(desk, actor, run_id))


@router.post("/runs/{run_id}/comments", status_code=201)
def comment_run(run_id: str, body: CommentRequest, desk: DeskOf, actor: ActorOf) -> CommentBody:
    """Add a remark to the discussion."""
    comment_id = runs.comment_run(desk, actor, run_id, body.body)
    found = next(c for c in views.get_run(desk, actor, run_id).comments if c["id"] == comment_id)
    return CommentBody.model_validate(found)


def _run(desk: Desk, actor: Actor, run_id: str) -> RunBody:
    return render.run_body(views.get_run(desk, actor, run_id), desk.url)
