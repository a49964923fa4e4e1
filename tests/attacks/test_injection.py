"""SQL and its like in every parameter of every route: an answer that was meant, nothing more in it, nothing broken."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI

from every_route import PAGES, REST, Door, Scene, operations, page_routes
from page_browser import Browser
from signoff.web.forgery import FIELD, token_of

SQL = "' OR '1'='1' UNION SELECT sha256 FROM sessions; DROP TABLE runs; SELECT pg_sleep(5); --"
PAYLOADS = (SQL, "%' AND 1=(SELECT 1 FROM pg_sleep(5)) --", "${7*7}{{7*7}}%(x)s{0}\\", "\x00", "\ud800")


def asked(scene: Scene, route: str, door: Door, parameters: list[Any], payload: str) -> Iterator[tuple[str, Any]]:
    """The request with the payload in each of its parameters, one at a time: path with query, and body."""
    path = scene.path(route)
    safe = quote(payload, safe="", errors="surrogatepass")
    names = {p["name"] for p in parameters if p["in"] == "path"}
    for name in names:
        yield Scene(scene.house, {**scene.ids, name: safe}).path(route, forced=name), door.body
    for parameter in parameters:
        if parameter["in"] == "query":
            yield f"{path}?{parameter['name']}={safe}", door.body
    for key, value in (door.body or {}).items():
        body = dict(copy.deepcopy(door.body or {}))
        body[key] = [payload] if isinstance(value, list) else payload
        yield path + door.query, body


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_parameter_of_rest_is_a_piece_of_sql(scene: Scene, payload: str) -> None:
    app = scene.house.client.app
    assert isinstance(app, FastAPI)
    described = operations(app.openapi())
    erin, wrong, count = scene.house.as_("erin"), [], 0
    tables = set(scene.house.kept())
    for route, door in REST.items():
        if door.is_shut:
            continue
        for path, body in asked(scene, route, door, described[route].get("parameters", []), payload):
            answer = erin.ask(route.partition(" ")[0], path, **_content(body))
            count += 1
            if answer.status_code >= 500 or "syntax" in answer.text.lower() or "psycopg" in answer.text:
                wrong.append(f"{route} {path} {body}: {answer.status_code} {answer.text[:200]}")
            assert answer.elapsed.total_seconds() < 4, route
    assert not wrong, "\n".join(wrong)
    assert count > 150
    assert set(scene.house.kept()) == tables


def _content(body: Any) -> dict[str, Any]:
    """The body as JSON in ASCII, so that what is no text can be sent too."""
    import json

    if body is None:
        return {}
    return {"content": json.dumps(body).encode("ascii"), "headers": {"Content-Type": "application/json"}}


@pytest.mark.parametrize("payload", [*PAYLOADS[:3], "' OR 1=1 --", "%", "_"])
def test_no_filter_gives_more_than_it_was_asked_for(scene: Scene, payload: str) -> None:
    dave, erin = scene.house.as_("dave"), scene.house.as_("erin")
    safe = quote(payload, safe="")
    for path in (
        "/runs?model=",
        "/runs?submitter=",
        "/runs?waiting_on=",
        "/deployments?model=",
        "/deployments?environment=",
    ):
        assert erin.get(path.partition("?")[0]).json()["items"]
        answer = dave.get(path + safe)
        assert answer.status_code in {404, 422} or answer.json()["items"] == [], path
    for path in ("/audit?actor=", "/audit?type=", "/audit?model=", "/deliveries?target="):
        answer = erin.get(path + safe)
        assert answer.status_code in {404, 422} or answer.json()["items"] == [], path
    assert dave.get(f"/runs/{safe}").status_code == 404


@pytest.mark.parametrize("payload", [SQL, "\x00"])
def test_no_field_or_address_of_a_page_is_a_piece_of_sql(scene: Scene, payload: str) -> None:
    erin, wrong = Browser(scene.house).sign_in("erin"), []
    secret = erin.client.cookies.get("signoff") or ""
    safe = quote(payload, safe="", errors="surrogatepass")
    queries = page_routes()
    for route, door in PAGES.items():
        if door.is_shut or route == "POST /sign-out":
            continue
        method, _, template = route.partition(" ")
        paths = [scene.path(route)]
        paths += [
            Scene(scene.house, {**scene.ids, n: safe}).path(route, forced=n) for n in scene.ids if f"{{{n}" in template
        ]
        if method == "GET":
            paths += [f"{scene.path(route)}?{name}={safe}" for name in queries[route]]
            answers = [(path, erin.get(path)) for path in paths]
        else:
            token = {FIELD: token_of(secret)}
            answers = [(path, erin.post(path, {**(door.body or {}), **token})) for path in paths[1:]]
            answers += [
                (f"{route} {key}", erin.post(paths[0], {**(door.body or {}), key: payload, **token}))
                for key in (door.body or {})
            ]
        wrong += [f"{route} {path}: {answer.status_code}" for path, answer in answers if answer.status_code >= 500]
    assert not wrong, "\n".join(wrong)
