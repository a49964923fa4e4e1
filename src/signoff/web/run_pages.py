"""Runs: the list, one run with its attempts and events, what may be done to it by hand, and the files of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from signoff.domain.access import Do, Resource, why_not
from signoff.domain.actor import Actor
from signoff.domain.errors import ConflictError, InvalidError, SignoffError
from signoff.domain.feedback import asked_of, unanswered
from signoff.domain.run import Asked, Attempt, Run, RunStatus
from signoff.service import catalogue, runs, submission, targets, views
from signoff.service.audit_export import export_audit
from signoff.service.evidence_files import open_file
from signoff.service.people import list_people
from signoff.service.views import RunView
from signoff.web.evidence_view import show
from signoff.web.page import redirect, render
from signoff.web.review import discussion_of
from signoff.web.steps_line import line_of
from signoff.web.visitor import DeskOf, SignedIn
from signoff.web.words import took
from signoff.wire.cursor import cursor_of, read_cursor
from signoff.wire.statuses import status_of

router = APIRouter()
_PAGE = 30
_MOST_TOLD = 50
_PIECE = 1 << 18
_DRAWN = ".vl.json"
STATES = tuple(status.value for status in RunStatus)


@router.get("/runs")
def list_runs(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    state: Annotated[str, Query(max_length=30)] = "",
    model: Annotated[str, Query(max_length=255)] = "",
    person: Annotated[str, Query(max_length=200)] = "",
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> Response:
    """Every run that the reader may see, newest first."""
    if state and state not in STATES:
        raise InvalidError(f"There is no state called {state[:30]}.", f"The states are {', '.join(STATES)}.")
    newest = views.settled_event(desk, actor)
    lines = views.list_runs(
        desk,
        actor,
        states=[state] if state else [],
        model=model.strip() or None,
        submitter=person.strip() or None,
        before=read_cursor(cursor),
        limit=_PAGE,
    )
    following = None
    if len(lines) == _PAGE:
        last = lines[-1].run
        wanted = {"state": state, "model": model, "person": person, "cursor": cursor_of(last.created_at, last.id)}
        following = f"/runs?{urlencode({name: value for name, value in wanted.items() if value})}"
    asked = {"state": state, "model": model, "person": person}
    return render(
        request,
        "runs.html",
        lines=lines,
        following=following,
        asked=asked,
        states=STATES,
        is_first=cursor is None,
        newest=newest,
    )


@router.get("/runs/{run_id}")
def show_run(request: Request, run_id: str, desk: DeskOf, actor: SignedIn) -> Response:
    """One run, with everything about it."""
    return _page(request, desk, actor, run_id)


def _page(
    request: Request,
    desk: DeskOf,
    actor: Actor,
    run_id: str,
    *,
    problem: SignoffError | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    events = views.list_audit(desk, actor, run_id=run_id, limit=100)  # first: what comes after, the stream tells
    view = views.get_run(desk, actor, run_id)
    run = view.line.run
    present = view.attempts[-1]
    found = [view.evidence[s.evidence_digest] for s in present.steps if s.evidence_digest in view.evidence]
    now = desk.clock()
    waits = run.open_gate
    return render(
        request,
        "run.html",
        status=status_of(problem).value if problem is not None else 200,
        view=view,
        run=run,
        present=present,
        attempts=list(reversed(view.attempts)),
        waits=waits,
        marks=line_of(view, present, now),
        lines={a.number: line_of(view, a, now) for a in view.attempts},
        shown=show(desk, run.id, found, pictures=False),
        events=events,
        deliveries=targets.list_deliveries(desk, actor, run=run.id, limit=_MOST_TOLD),
        can_repeat=why_not(actor, Do.ADMINISTER) is None,
        newest=events[0].index if events else 0,
        discussion=discussion_of(view, present),
        people=frozenset(one.person.name for one in list_people(desk, actor)),
        can_comment=why_not(actor, Do.COMMENT, Resource(run.model, run.submitter)) is None,
        can_cancel=_can(actor, Do.CANCEL, run, runs.check_can_cancel),
        can_retry=_can(actor, Do.RETRY, run, runs.check_can_retry),
        can_resubmit=run.status is RunStatus.CHANGES_REQUESTED
        and why_not(actor, Do.RESUBMIT, Resource(run.model, run.submitter)) is None,
        unanswered=_to_answer(view, present),
        took=lambda began, ended: took(began, ended, now),
        commands={s.name for s in run.pipeline.steps if getattr(s, "command", None) is not None}
        | catalogue.list_logged(desk, actor, run.id),
        problem=problem,
        typed=typed or {},
    )


def _to_answer(view: RunView, present: Attempt) -> tuple[Asked, ...]:
    """The reasons that the next submission has to answer: those of this attempt, or of whoever sent it back."""
    said = (d for found in view.gates if found.gate.attempt == present.number for d in found.decisions)
    return unanswered(present) or asked_of(said)


def _can(actor: Actor, action: Do, run: Run, check: Any) -> bool:
    """Whether it is allowed for the actor and possible now."""
    if why_not(actor, action, Resource(run.model, run.submitter)) is not None:
        return False
    try:
        check(run)
    except ConflictError:
        return False
    return True


@router.post("/runs/{run_id}/cancel")
def cancel(request: Request, run_id: str, desk: DeskOf, actor: SignedIn) -> Response:
    """End the run."""
    runs.cancel_run(desk, actor, run_id)
    return redirect(request, f"/runs/{run_id}", "The run is cancelled.")


@router.post("/runs/{run_id}/retry")
def retry(request: Request, run_id: str, desk: DeskOf, actor: SignedIn) -> Response:
    """Do the errored step again."""
    runs.retry_run(desk, actor, run_id)
    return redirect(request, f"/runs/{run_id}", "The step that broke is done again.")


@router.post("/runs/{run_id}/resubmit")
async def resubmit(request: Request, run_id: str, desk: DeskOf, actor: SignedIn) -> Response:
    """The next version, or the answers to what was asked."""
    from starlette.concurrency import run_in_threadpool

    form = {name: str(value) for name, value in (await request.form()).items()}
    answers = {name.removeprefix("answer-"): text for name, text in form.items() if name.startswith("answer-") and text}
    offer = submission.Offer(form.get("model", "").strip() or None, None, {})
    try:
        await run_in_threadpool(submission.resubmit_run, desk, actor, run_id, offer, form.get("note", ""), answers)
    except SignoffError as error:
        return await run_in_threadpool(_page, request, desk, actor, run_id, problem=error, typed=form)
    return redirect(request, f"/runs/{run_id}", "It goes on with that.")


@router.get("/runs/{run_id}/audit.jsonl")
def export_run(run_id: str, desk: DeskOf, actor: SignedIn) -> Response:
    """Every event of the run, one JSON document a line."""
    lines = export_audit(desk, actor, run_id=run_id)
    return StreamingResponse(lines, media_type="application/jsonl", headers=attached(f"run-{run_id}-audit.jsonl"))


@router.get("/runs/{run_id}/files/{digest}/{path:path}")
def read_file(run_id: str, digest: str, path: str, desk: DeskOf, actor: SignedIn) -> Response:
    """A file that a step left: what charts draw is read, everything else is downloaded."""
    found = open_file(desk, actor, run_id, digest, path)
    drawn = found.name.endswith(_DRAWN)
    kind = "application/json" if drawn else "application/octet-stream"
    headers = {"Cache-Control": "private, max-age=3600"} if drawn else attached(found.name)
    headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return StreamingResponse(_pieces(found.content), media_type=kind, headers=headers)


def attached(name: str) -> dict[str, str]:
    """Headers that make a browser save the answer under `name`."""
    return {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}"}


def _pieces(content: IO[bytes]) -> Iterator[bytes]:
    with content:
        while piece := content.read(_PIECE):
            yield piece
