"""What other systems call by themselves: they hold no credential of ours, and are believed by their signature."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from signoff.api.request import DeskOf
from signoff.service import chat

router = APIRouter(prefix="/hooks", tags=["hooks"])
Given = Annotated[str, Header(max_length=200)]


@router.post("/slack", status_code=200)
async def take_slack(
    request: Request, desk: DeskOf, x_slack_request_timestamp: Given = "", x_slack_signature: Given = ""
) -> Response:
    """A button that somebody pressed in Slack. Slack wants an answer at once; what is shown to them follows."""
    body = await request.body()
    told = await run_in_threadpool(
        chat.receive_call, desk, body, timestamp=x_slack_request_timestamp, signature=x_slack_signature
    )
    task = BackgroundTask(chat.send_reply, desk, told) if told is not None else None
    return Response(status_code=200, background=task)
