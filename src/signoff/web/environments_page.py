"""The environments as a file, for administrators: edited, tried, and applied with what it changes said before."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from signoff.domain.actor import Actor
from signoff.domain.environment_errors import EnvironmentInUseError, EnvironmentsChangedError, StuckGateError
from signoff.domain.errors import InvalidError, SignoffError
from signoff.service import environments
from signoff.service.desk import Desk
from signoff.service.environments import Trial
from signoff.web.page import redirect, render
from signoff.web.visitor import DeskOf, SignedIn
from signoff.wire.statuses import status_of

router = APIRouter(prefix="/settings/environments")
_LONGEST = 500_000
_Text = Annotated[str, Form(max_length=_LONGEST)]
_Short = Annotated[str, Form(max_length=2000)]


class WhyNeededError(InvalidError):
    """Something was to be forced without a reason."""

    code = "why_needed"


@router.get("")
def show(request: Request, desk: DeskOf, actor: SignedIn) -> Response:
    """The file as it is now."""
    text, seen = environments.get_environments_file(desk, actor)
    return _page(request, text, seen)


@router.post("/try")
def try_file(request: Request, desk: DeskOf, actor: SignedIn, text: _Text = "", seen: _Short = "") -> Response:
    """What is wrong with it, what it would change, and what is in the way."""
    text = text.replace("\r\n", "\n")
    return _page(request, text, seen, environments.try_environments_file(desk, actor, text))


@router.post("")
def apply(
    request: Request,
    desk: DeskOf,
    actor: SignedIn,
    text: _Text = "",
    seen: _Short = "",
    force: _Short = "",
    why: _Short = "",
) -> Response:
    """Make it so; what is refused comes back as it was typed, beside why."""
    text, why = text.replace("\r\n", "\n"), why.strip()
    try:
        if force and not why:
            raise WhyNeededError("It is forced without a reason.", "Write one: it is kept beside what was changed.")
        applied = environments.apply_environments_file(desk, actor, text, force=bool(force), why=why, seen=seen or None)
    except SignoffError as error:
        return _refused(request, desk, actor, text, seen, error, why)
    if not applied.changes:
        return redirect(request, "/settings/environments", "Nothing changed: it says what is so already.")
    count = len(applied.changes)
    said = [f"{'One thing is' if count == 1 else f'{count} things are'} as the file says now: {applied.changes[0]}."]
    if applied.gates:
        said.append(f"Asked by the new rules from now on: {', '.join(applied.gates[:5])}.")
    return redirect(request, "/settings#environments", " ".join(said))


def _refused(
    request: Request, desk: Desk, actor: Actor, text: str, seen: str, error: SignoffError, why: str
) -> Response:
    """The page as after trying; what was changed by somebody else meanwhile counts as seen from then on."""
    tried = environments.try_environments_file(desk, actor, text)
    if isinstance(error, StuckGateError | EnvironmentInUseError):
        error = type(error)(error.what, "Mend the file; or tick that it is applied all the same, and say why.")
    if isinstance(error, EnvironmentsChangedError):
        seen = environments.get_environments_file(desk, actor)[1]
    return _page(request, text, seen, tried, problem=error, why=why)


def _page(
    request: Request,
    text: str,
    seen: str,
    tried: Trial | None = None,
    *,
    problem: SignoffError | None = None,
    why: str = "",
) -> Response:
    status = status_of(problem).value if problem is not None else 200
    shown = {"text": text, "seen": seen, "tried": tried, "why": why}
    response = render(request, "environments.html", status=status, problem=problem, **shown)
    response.headers["Cache-Control"] = "no-store"  # an address in it may hold a key
    return response
