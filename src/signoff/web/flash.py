"""What was just done, said once on the next page.

It travels in a cookie, so it holds no secret and is never trusted.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from enum import StrEnum

from fastapi import Request, Response

from signoff.web.cookies import FLASH, drop_cookie, read_cookie, set_cookie

_LONGEST = 500


class Tone(StrEnum):
    """How something is said; its icon says the same as its colour."""

    SUCCESS = "success"
    INFO = "info"
    WARNING = "warning"
    DANGER = "danger"


@dataclass(frozen=True, slots=True)
class Flash:
    """One sentence or two."""

    tone: Tone
    text: str


def flash(request: Request, response: Response, text: str, tone: Tone = Tone.SUCCESS) -> None:
    """Say `text` on the page that the browser asks for next."""
    packed = base64.urlsafe_b64encode(json.dumps([tone.value, text[:_LONGEST]]).encode()).decode()
    set_cookie(request, response, FLASH, packed)


def read_flash(request: Request) -> Flash | None:
    """What is to be said on this page."""
    packed = read_cookie(request, FLASH)
    if packed is None:
        return None
    try:
        tone, text = json.loads(base64.urlsafe_b64decode(packed.encode()))
        return Flash(Tone(tone), str(text)[:_LONGEST])
    except (ValueError, TypeError):
        return None


def forget_flash(request: Request, response: Response) -> None:
    """It was said."""
    if read_cookie(request, FLASH) is not None:
        drop_cookie(request, response, FLASH)
