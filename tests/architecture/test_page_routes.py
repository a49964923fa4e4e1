"""Every page knows who looks at it, every form is checked for where it comes from, and GETs change nothing."""

from __future__ import annotations

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.datastructures import State

from signoff.web.app import ROUTERS, create_pages
from signoff.web.forgery import refuse_forged
from signoff.web.visitor import signed_in

OPEN = {
    "GET /static/{version}/{name:path}": "files that everybody may have",
    "GET /sign-in": "for who is not signed in yet",
    "POST /sign-in": "likewise",
    "POST /sign-in/passkey": "likewise; the passkey is what allows it",
    "GET /sign-in/single": "likewise; keeps a random state and nothing else",
    "GET /sign-in/single/back": "likewise; what the provider vouches for is what allows it",
    "POST /sign-out": "nobody is signed out twice",
    "GET /link": "the secret of the link is what allows it",
    "POST /link": "likewise",
}
"""Routes that nobody has to be signed in for, and why."""


def routes() -> dict[str, APIRoute]:
    found = {}
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute), f"{route} is no plain route: look at it here, too"
            for method in (route.methods or set()) - {"HEAD"}:
                found[f"{method} {route.path}"] = route
    return found


ROUTES = routes()


def needs(dependant: Dependant, wanted: object) -> bool:
    return any(inner.call is wanted or needs(inner, wanted) for inner in dependant.dependencies)


def test_only_the_ways_in_are_open() -> None:
    assert len(ROUTES) > 20
    assert {name for name, route in ROUTES.items() if not needs(route.dependant, signed_in)} == OPEN.keys()


def test_every_route_refuses_forged_forms() -> None:
    assert [depends.dependency for depends in create_pages(State()).router.dependencies] == [refuse_forged]


def test_pages_are_asked_by_get_and_change_things_by_post_only() -> None:
    assert {name.partition(" ")[0] for name in ROUTES} == {"GET", "POST"}
