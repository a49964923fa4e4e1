"""The page on which a person lets a program, such as the command line, act as them: by the code that it shows."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from signoff.domain.account_errors import TooManyAttemptsError
from signoff.domain.device import DeviceRequest, DeviceUnknownError, UserCodeError, show_user_code
from signoff.domain.errors import SignoffError
from signoff.service.devices import decide_device, find_device
from signoff.web.flash import Tone
from signoff.web.page import redirect, render
from signoff.web.sign_in import caller
from signoff.web.visitor import DeskOf, SignedIn
from signoff.wire.statuses import status_of

router = APIRouter(prefix="/device")
Code = Annotated[str, Form(max_length=100)]
_Refusals = (DeviceUnknownError, UserCodeError, TooManyAttemptsError)


@router.get("")
def show_device(request: Request, desk: DeskOf, actor: SignedIn, code: str = "") -> Response:
    """Which program asks under the code, or where to type one. Looking decides nothing."""
    if not code:
        return _page(request)
    try:
        return _page(request, find_device(desk, actor, code, address=caller(request)["address"]))
    except _Refusals as error:
        return _page(request, problem=error, code=code[:100])


@router.post("")
def take_device(
    request: Request, desk: DeskOf, actor: SignedIn, answer: Annotated[Literal["yes", "no"], Form()], code: Code = ""
) -> Response:
    """Let the program in, or refuse it."""
    is_approved = answer == "yes"
    try:
        found = decide_device(desk, actor, code, is_approved=is_approved, address=caller(request)["address"])
    except _Refusals as error:
        return _page(request, problem=error, code=code)
    if is_approved:
        return redirect(request, "/account", f"{found.client} is signed in as {actor.name}: go back to it.")
    return redirect(request, "/account", f"{found.client} was refused.", Tone.INFO)


def _page(
    request: Request, found: DeviceRequest | None = None, problem: SignoffError | None = None, code: str = ""
) -> Response:
    status = status_of(problem).value if problem is not None else 200
    shown = show_user_code(found.user_code) if found is not None else code
    return render(request, "device.html", status=status, found=found, code=shown, problem=problem)
