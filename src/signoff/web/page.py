"""`render`: a template and its values to a page, with what every page shows around them.

Everything is escaped unless it was made safe on purpose, and a template that names a value which it was not given
fails rather than showing nothing.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from signoff import __version__
from signoff.domain.actor import Actor
from signoff.domain.drift import Drift
from signoff.domain.errors import SignoffError
from signoff.service.drifts import list_drifts
from signoff.store.audit import REQUEST_ID
from signoff.web.cookies import SESSION, VISIT, read_cookie, set_cookie
from signoff.web.flash import Tone, flash, forget_flash, read_flash
from signoff.web.forgery import FIELD, token_of
from signoff.web.moments import in_words, time_tag
from signoff.web.navigation import places_for
from signoff.web.static_files import shelf
from signoff.web.words import FILTERS

_MOST_DRIFTS = 20
"""So many are counted on every page; all of them are under Deployments."""
TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """Jinja's environment, with the filters and functions that every template may use."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"static": shelf().address, "icon": icon, "app_version": __version__}
    made.filters |= {"ago": _ago, "in_words": in_words, "initials": initials, **FILTERS}
    return made


@pass_context
def _ago(context: Context, at: Any) -> Markup:
    return time_tag(at, context["now"])


def icon(name: str, size: str = "") -> Markup:
    """The icon as HTML, silent to screen readers: words beside it say the same. `size` is "" or "sm"."""
    if name not in shelf().icons:
        raise LookupError(f"There is no icon {name}: add its name to frontend/icons.txt and run make.")
    address = f"{shelf().address('vendor/icons.svg')}#{name}"
    classes = "icon icon-sm" if size == "sm" else "icon"
    return Markup('<svg class="{}" aria-hidden="true"><use href="{}"/></svg>').format(classes, address)


def initials(name: str) -> str:
    """One or two letters for a person's avatar."""
    words = [word for word in name.replace("-", " ").replace("_", " ").replace(".", " ").split() if word]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def render(request: Request, template: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The page made of `template` with `values`, and with who looks, where, and what was just done."""
    actor: Actor | None = getattr(request.state, "actor", None)
    secret, visit = _secret(request)
    around = {
        "actor": actor,
        "places": places_for(actor),
        "path": request.url.path,
        "nonce": request.state.nonce,
        "now": request.app.state.desk.clock(),
        "flash": read_flash(request),
        "drifts": _drifts(request, actor),
        "request_id": REQUEST_ID.get(),
        "csrf_field": Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, token_of(secret)),
    }
    text = environment().get_template(template).render({**around, **values})
    response = HTMLResponse(text, status)
    forget_flash(request, response)
    if visit is not None:
        set_cookie(request, response, VISIT, visit)
    return response


def _drifts(request: Request, actor: Actor | None) -> list[Drift]:
    """What runs without having been signed off, as far as the reader may know; none where that cannot be told."""
    if actor is None:
        return []
    with suppress(SignoffError):
        return list_drifts(request.app.state.desk, actor, limit=_MOST_DRIFTS)
    return []


def _secret(request: Request) -> tuple[str, str | None]:
    """What this page's forms are tied to, and the cookie of a first visit where that is what they are tied to."""
    known = read_cookie(request, SESSION) or read_cookie(request, VISIT)
    if known is not None:
        return known, None
    fresh = secrets.token_urlsafe(24)
    return fresh, fresh


def redirect(request: Request, path: str, said: str | None = None, tone: Tone = Tone.SUCCESS) -> RedirectResponse:
    """After a form: go and look at `path`, where `said` is said."""
    response = RedirectResponse(path, 303)
    if said is not None:
        flash(request, response, said, tone)
    return response
