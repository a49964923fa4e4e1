"""Routes about registered pipelines, and the one by which MLflow hints that there is something new."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from signoff.api.request import ActorOf, DeskOf
from signoff.domain.trigger import Start
from signoff.service import arrivals, watches
from signoff.wire.body import Page
from signoff.wire.watches import HookBody, PipelineBody, PipelineRequest, StartBody

router = APIRouter(tags=["pipelines"])
PipelineName = Annotated[str, Field(max_length=200)]


@router.get("/pipelines")
def list_pipelines(desk: DeskOf, actor: ActorOf) -> Page[PipelineBody]:
    """Every registered pipeline, with what came of the newest version."""
    return Page(items=[_body(found) for found in watches.list_pipelines(desk, actor)])


@router.post("/pipelines", status_code=201)
def register_pipeline(body: PipelineRequest, desk: DeskOf, actor: ActorOf) -> PipelineBody:
    """Have new versions of the model that the file names start it, in the caller's name."""
    registration = watches.Registration(
        pipeline=body.pipeline,
        filename=body.filename,
        folder_name=body.folder_name,
        snapshot=body.snapshot,
        since=body.since,
    )
    return _body(watches.register_pipeline(desk, actor, registration))


@router.get("/pipelines/{name}")
def get_pipeline(name: PipelineName, desk: DeskOf, actor: ActorOf) -> PipelineBody:
    """One registered pipeline, with what came of the newest versions."""
    return _body(watches.get_pipeline(desk, actor, name))


@router.delete("/pipelines/{name}")
def remove_pipeline(name: PipelineName, desk: DeskOf, actor: ActorOf) -> PipelineBody:
    """Start it no more. Its runs go on."""
    return _body(watches.remove_pipeline(desk, actor, name))


@router.post("/hooks/mlflow", status_code=202)
async def receive_hook(request: Request, desk: DeskOf) -> HookBody:
    """Look soon for what MLflow says was registered. Signed as MLflow signs its webhooks; takes no credential."""
    body = await request.body()
    address = request.client.host if request.client is not None else ""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HookBody(pipeline=await run_in_threadpool(arrivals.receive_hook, desk, body, headers, address=address))


def _body(found: watches.Watching) -> PipelineBody:
    names = ("name", "watched", "model", "owner", "digest", "seen", "added_at", "looked_at", "problem", "problem_at")
    return PipelineBody(
        **{name: getattr(found.watch, name) for name in names},
        made_by=list(found.watch.made_by),
        starts=[_start(start) for start in found.starts],
    )


def _start(start: Start) -> StartBody:
    names = ("model", "version", "at", "why_not")
    return StartBody(**{name: getattr(start, name) for name in names}, run=start.run_id, named=list(start.named))
