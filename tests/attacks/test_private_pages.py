"""Private models on pages: an outsider is shown what they would be shown of a model and a run that never were."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from httpx2 import Response

from archives import packed_folder
from every_route import PAGES, Scene
from factories import MODEL
from house import House, made
from page_browser import Browser
from signoff.domain.actor import Person, Role
from signoff.web.forgery import FIELD, token_of

OUTSIDER = Person("mallory", frozenset(Role) - {Role.ADMIN})
NEVER = {"run_id": "0123456789ab", "model": "fraud-never", "name": "fraud-never", "deployment_id": "0123456789ab"}
ADMINISTRATORS = ("/settings/people", "/settings/groups", "/settings/targets")


@pytest.fixture
def private(house: House) -> Scene:
    """The scene, whose model is private to all but mallory."""
    scene = Scene.of(house)
    directory = [replace(p, models=("fraud-*",)) for p in _everybody()]
    house.people(*directory, OUTSIDER)
    made(house.as_("alice").ask("POST", "/snapshots", content=packed_folder()))
    made(house.as_("erin").ask("PUT", "/private-models", json={"private": ["fraud-*"], "force": True}))
    return scene


def _everybody() -> tuple[Person, ...]:
    from every_route import EVERYBODY

    return EVERYBODY


def send(browser: Browser, scene: Scene, route: str) -> Response:
    method, door = route.partition(" ")[0], PAGES[route]
    if method == "GET":
        return browser.get(scene.path(route))
    secret = browser.client.cookies.get("signoff") or ""
    body = {k: v.replace(MODEL, scene.ids["model"]) for k, v in (door.body or {}).items()}
    return browser.post(scene.path(route), {**body, FIELD: token_of(secret)})


def told(answer: Response, scene: Scene) -> str:
    """What the page says, without what is another every time and what was asked for."""
    text = answer.text + answer.headers.get("location", "")
    for own in ("run_id", "model", "name", "deployment_id"):
        text = text.replace(scene.ids[own], "IT")
    return re.sub(r"[0-9a-f]{16,}(?:\.[0-9a-f]{64})?|nonce=\"[^\"]+\"|[\d:.]+(?:Z|\+00:00)", "", text)


def test_every_page_answers_an_outsider_as_if_it_had_never_been(private: Scene) -> None:
    browser = Browser(private.house).sign_in("mallory")
    never = Scene(private.house, {**private.ids, **NEVER})
    compared, wrong = 0, []
    for route, door in PAGES.items():
        names_it = "{run_id}" in route or "/models/{name}" in route or MODEL in str(door.body)
        if not names_it or route.startswith(tuple(f"POST {path}" for path in ADMINISTRATORS)):
            continue
        real, other = send(browser, private, route), send(browser, never, route)
        if real.status_code < 400 or real.status_code != other.status_code or told(real, private) != told(other, never):
            wrong.append(f"{route}: {real.status_code} {other.status_code}")
        compared += 1
    assert not wrong, "\n".join(wrong)
    assert compared > 18


def test_no_page_that_names_nothing_names_it(private: Scene) -> None:
    browser, insider = Browser(private.house).sign_in("mallory"), Browser(private.house).sign_in("dave")
    shown = 0
    for path in ("/", "/runs", "/models", "/deployments", "/audit", "/audit/export.jsonl", "/settings", "/account"):
        page = browser.get(path)
        assert page.status_code == 200, path
        assert MODEL not in page.text, path
        assert "fraud-" not in page.text, path
        assert private.ids["run_id"] not in page.text, path
        shown += MODEL in insider.get(path).text
    assert shown >= 3
    for query in (f"/runs?model={MODEL}", f"/deployments?model={MODEL}", f"/audit?model={MODEL}"):
        assert private.ids["run_id"] not in browser.get(query).text
