"""Every route and page, with real ids, as everybody: who may is let in, who may not is refused and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from fastapi import FastAPI
from httpx2 import Response

from archives import packed_folder
from every_route import ASKING, EVERYBODY, PAGES, REST, Door, Scene, operations, page_routes
from house import House
from page_browser import Browser
from signoff.domain.actor import Credential
from signoff.web.forgery import FIELD, token_of

PEOPLE = {person.name: person for person in EVERYBODY}
REFUSED = {401, 403, 404}


def test_every_route_and_every_page_is_in_the_tables(house: House) -> None:
    app = house.client.app
    assert isinstance(app, FastAPI)
    assert set(REST) == set(operations(app.openapi()))
    assert set(PAGES) == set(page_routes())


def ask(scene: Scene, name: str, credential: Credential, route: str, door: Door) -> Response:
    method = route.partition(" ")[0]
    body = {"content": packed_folder()} if route == "POST /snapshots" else {"json": door.body}
    return scene.house.as_(name, credential).ask(method, scene.path(route) + door.query, **body)


@pytest.mark.parametrize("credential", [Credential.SESSION, Credential.TOKEN])
def test_a_route_lets_in_whoever_may_and_nobody_else(scene: Scene, credential: Credential) -> None:
    def send(name: str, route: str, door: Door) -> Response:
        return ask(scene, name, credential, route, door)

    _try_all(scene, REST, send, credential)


def test_a_page_lets_in_whoever_may_and_nobody_else(scene: Scene) -> None:
    browsers = {name: Browser(scene.house).sign_in(name) for name in ASKING}

    def send(name: str, route: str, door: Door) -> Response:
        return visit(browsers[name], scene, route, door)

    _try_all(scene, PAGES, send, Credential.SESSION)


def _try_all(
    scene: Scene, doors: Mapping[str, Door], send: Callable[[str, str, Door], Response], credential: Credential
) -> None:
    """First everybody who is to be refused, then everybody who is not."""
    may = {route: [n for n in ASKING if door.lets_in(PEOPLE[n], credential)] for route, door in doors.items()}
    wrong = []
    with scene.house.unchanged():
        for route, door in doors.items():
            statuses = {name: send(name, route, door).status_code for name in ASKING if name not in may[route]}
            wrong += [f"{route} let {name} in: {status}" for name, status in statuses.items() if status not in REFUSED]
    for route, door in doors.items():
        for name in may[route] if not door.is_shut else ():
            status = send(name, route, door).status_code
            if status >= 500 or (door.action is not None and status in {401, 403}):
                wrong.append(f"{route} refused {name}: {status}")
    assert not wrong, "\n".join(wrong)


def visit(browser: Browser, scene: Scene, route: str, door: Door) -> Response:
    method, path = route.partition(" ")[0], scene.path(route) + door.query
    if method == "GET":
        return browser.get(path)
    secret = browser.client.cookies.get("signoff") or browser.client.cookies.get("signoff-visit") or ""
    return browser.post(path, {**(door.body or {}), FIELD: token_of(secret)})


def test_a_page_lets_nobody_in_who_is_not_signed_in(scene: Scene) -> None:
    browser = Browser(scene.house)
    browser.get("/sign-in")
    with scene.house.unchanged():
        for route, door in PAGES.items():
            if door.action is None:
                continue
            answer = visit(browser, scene, route, door)
            is_led_away = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in")
            assert is_led_away or answer.status_code == 401, (route, answer.status_code)
