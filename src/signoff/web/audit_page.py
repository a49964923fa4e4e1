"""The audit log: filtered, a page at a time, and as JSON lines."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from signoff.domain.audit import Event
from signoff.service import views
from signoff.service.audit_export import check_type, export_audit
from signoff.web.page import render
from signoff.web.run_pages import attached
from signoff.web.visitor import DeskOf, SignedIn

router = APIRouter()
_PAGE = 50
_Text = Annotated[str, Query(max_length=255)]


@router.get("/audit")
def list_audit(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    run: _Text = "",
    model: _Text = "",
    type: _Text = "",  # noqa: A002 - the query parameter's name
    by: Annotated[str, Query(max_length=255, alias="actor")] = "",
    cursor: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> Response:
    """Events, newest first; of everything for auditors and administrators, of one run for whoever may read it."""
    asked = {"run": run.strip(), "model": model.strip(), "type": type, "actor": by.strip()}
    check_type(type or None)
    newest = views.settled_event(desk, actor)
    found = views.list_audit(
        desk,
        actor,
        run_id=asked["run"] or None,
        model=asked["model"] or None,
        type=type or None,
        by=asked["actor"] or None,
        after=cursor,
        limit=_PAGE,
    )
    given = {name: value for name, value in asked.items() if value}
    following = f"/audit?{urlencode({**given, 'cursor': found[-1].index})}" if len(found) == _PAGE else None
    export = f"/audit/export.jsonl?{urlencode(given)}" if given else "/audit/export.jsonl"
    return render(
        request,
        "audit.html",
        events=found,
        following=following,
        export=export,
        asked=asked,
        types=[event.value for event in Event],
        is_first=cursor is None,
        newest=newest,
    )


@router.get("/audit/export.jsonl")
def export(
    desk: DeskOf,
    actor: SignedIn,
    run: _Text = "",
    model: _Text = "",
    type: _Text = "",  # noqa: A002 - likewise
    by: Annotated[str, Query(max_length=255, alias="actor")] = "",
) -> Response:
    """The same events, all of them, oldest first, one JSON document a line."""
    lines = export_audit(
        desk, actor, run_id=run.strip() or None, model=model.strip() or None, type=type or None, by=by.strip() or None
    )
    return StreamingResponse(lines, media_type="application/jsonl", headers=attached("audit.jsonl"))
