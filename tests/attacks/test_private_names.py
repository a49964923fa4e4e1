"""Trying names tells an outsider nothing: a private model, one that a private pattern would take in, and one that never
was, under no pattern, are answered alike by every route and page that takes a model's name."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from httpx2 import Response

from every_route import BARE, EVERYBODY, PAGES, REST, Scene
from factories import MODEL
from house import PRODUCTION, House, made
from page_browser import Browser
from signoff.domain.actor import Person, Role
from signoff.domain.environment import BreakGlass
from signoff.domain.version import ModelVersion
from signoff.web.forgery import FIELD, token_of

EVERY_ROLE = frozenset(Role) - {Role.ADMIN}
OUTSIDERS = (
    Person("mallory", EVERY_ROLE),
    Person("mabel", EVERY_ROLE, models=("churn-*",)),
    Person("max", frozenset({Role.VIEWER})),
    Person("mo"),
)
NAMES = (MODEL, "fraud-that-never-was", "zebra-that-never-was")
REFERENCES = ("1", "99")


@pytest.fixture
def private(house: House) -> Scene:
    """A scene whose model is private to the cast, in an environment where glass can be broken."""
    scene = Scene.of(house)
    house.people(*(replace(person, models=("fraud-*",)) for person in EVERYBODY), *OUTSIDERS)
    house.environments(replace(PRODUCTION, break_glass=BreakGlass(("bob", "carol"), 2)))
    made(house.as_("erin").ask("PUT", "/private-models", json={"private": ["fraud-*"], "force": True}))
    return scene


def told(answer: Response, name: str) -> tuple[int, str]:
    """The status and the words, without the name that was asked for and what is another every time."""
    text = answer.text
    if answer.headers["content-type"].startswith("application/problem"):
        body = answer.json()
        assert body.pop("request_id")
        text = json.dumps(body, sort_keys=True)
    return answer.status_code, text.replace(name, "NAME")


def bodies(body: Any, name: str) -> list[Any]:
    """The body with the name in the place of the model's, by a version that there is of the private one, and not."""
    if MODEL not in json.dumps(body):
        return [body]
    return [json.loads(json.dumps(body).replace(f"{MODEL}/1", f"{name}/{n}").replace(MODEL, name)) for n in REFERENCES]


TAKES_A_NAME = [
    route
    for route, door in REST.items()
    if "{model}" in route or "/models/{name}" in route or MODEL in json.dumps(dict(door.body or {}))
]


@pytest.mark.parametrize("who", [person.name for person in OUTSIDERS])
def test_every_route_answers_alike_whatever_there_is_behind_a_name(private: Scene, who: str) -> None:
    caller = private.house.as_(who)
    compared = 0
    for route in TAKES_A_NAME:
        method = route.partition(" ")[0]
        said = []
        for name in NAMES:
            path = Scene(private.house, {**private.ids, "model": name, "name": name}).path(route)
            body = dict(REST[route].body or {})
            answers = [caller.ask(method, path, json=given or None) for given in bodies(body, name)]
            said.append([told(answer, name) for answer in answers])
        assert said[0] == said[1] == said[2], route
        assert all(status >= 400 for status, _ in said[0]), route
        compared += 1
    assert compared >= 9


@pytest.mark.parametrize("person", OUTSIDERS[:2], ids=lambda person: person.name)
@pytest.mark.parametrize(
    "body",
    [
        {"reference": "models:/NAME/1", "why": "w"},
        {"reference": "models:/NAME/99", "why": "w"},
        {"reference": "models:/NAME@champion", "why": "w"},
        {"reference": "models:/churn/1", "why": "w"},
        {"reference": "models:/churn/1", "why": ""},
        {"reference": "nonsense", "why": "w"},
    ],
)
def test_breaking_the_glass_answers_alike(private: Scene, person: Person, body: dict[str, str]) -> None:
    private.house.version(model="churn")
    said = []
    for name in NAMES:
        given = {key: value.replace("NAME", name) for key, value in body.items()}
        path = f"/environments/production/models/{name}/break-glass"
        said.append(told(private.house.as_(person.name).post(path, given), name))
    assert said[0] == said[1] == said[2]


@pytest.mark.parametrize(
    "reference", ["models:/NAME/1", "models:/NAME/99", "models:/NAME@champion", "models:/NAME/latest"]
)
@pytest.mark.parametrize("pipeline", [BARE, f"model: churn\n{BARE}"])
def test_submitting_a_version_answers_alike_and_the_registry_suggests_nothing(
    private: Scene, reference: str, pipeline: str
) -> None:
    private.house.registry.set_alias(MODEL, "champion", "1")
    for who in ("mallory", "mabel"):
        said = []
        for name in NAMES:
            body = {"pipeline": pipeline, "model": reference.replace("NAME", name)}
            said.append(told(private.house.as_(who).post("/runs", body), name))
        assert said[0] == said[1] == said[2]
        assert "newest" not in said[0][1]


@pytest.mark.parametrize("path", ["/runs?model=NAME", "/deployments?model=NAME", "/audit?model=NAME"])
def test_lists_answer_alike(private: Scene, path: str) -> None:
    said = [told(private.house.as_("mallory").get(path.replace("NAME", name)), name) for name in NAMES]
    assert said[0] == said[1] == said[2]
    assert made(private.house.as_("erin").get(path.replace("NAME", MODEL)))["items"]


def test_every_form_and_page_answers_alike(private: Scene) -> None:
    browser = Browser(private.house).sign_in("mallory")
    secret = browser.client.cookies.get("signoff") or ""
    compared = 0
    for route, door in PAGES.items():
        body = dict(door.body or {})
        if "/models/{name}" not in route and MODEL not in json.dumps(body):
            continue
        if "{run_id}" in route or "{emergency_id}" in route:
            continue
        said = []
        for name in NAMES:
            path = Scene(private.house, {**private.ids, "model": name, "name": name}).path(route)
            if route.startswith("GET"):
                answer = browser.get(path)
            else:
                answer = browser.post(path, {**bodies(body, name)[0], FIELD: token_of(secret)})
            said.append((answer.status_code, _shown(answer, name)))
        assert said[0] == said[1] == said[2], route
        compared += 1
    assert compared >= 5


def _shown(answer: Response, name: str) -> str:
    text = (answer.text + answer.headers.get("location", "")).replace(name, "NAME")
    return re.sub(r"[0-9a-f]{12,}(?:\.[0-9a-f]{64})?|nonce=\"[^\"]+\"|[\d:.]+(?:Z|\+00:00)", "", text)


def test_whoever_is_named_hears_what_there_is(private: Scene) -> None:
    said = private.house.as_("bob").post("/environments/production/models/zebra/rollback", {"why": "w"})
    assert (said.status_code, said.json()["code"]) == (403, "not_allowed")
    told_ = private.house.as_("alice").post("/runs", {"pipeline": BARE, "model": f"models:/{MODEL}/99"})
    assert "newest version" in told_.json()["hint"]


def test_the_registry_is_asked_as_often_of_a_private_model_as_of_one_that_never_was(
    private: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = private.house.registry.resolve

    def resolve(reference: str, model: str | None) -> ModelVersion:
        asked.append(reference)
        return real(reference, model)

    monkeypatch.setattr(private.house.registry, "resolve", resolve)
    counts = []
    for name in NAMES:
        asked.clear()
        private.house.as_("mallory").post("/runs", {"pipeline": BARE, "model": f"models:/{name}/1"})
        counts.append(len(asked))
        assert f"models:/{MODEL}/1" not in asked
    assert counts == [1, 1, 1]
