"""Private models: whoever is not named for them is told, everywhere, what they would be told of one that never was."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from factories import ALICE, BOB, CAROL, CAST, DAVE, ERIN, MODEL
from house import House, made, refused
from signoff.domain.actor import SYSTEM, Directory, Person, Role
from signoff.service.administration import apply_people

MALLORY = Person("mallory", frozenset(Role) - {Role.ADMIN})
"""An outsider with every role but administrator's, whose patterns are the bare star."""
SECRET = "fraud"


@pytest.fixture
def story(house: House) -> tuple[House, str, str]:
    """A private model with a run, a gate, evidence, comments and a deployment, of which mallory is not told."""
    named = [replace(person, models=("fraud-*",)) for person in (ALICE, BOB, CAROL, DAVE)]
    house.people(*named, ERIN, MALLORY)
    run_id = house.submit()
    made(house.as_("alice").post(f"/runs/{run_id}/comments", {"body": "look"}))
    house.decide("bob", run_id, "approve")
    waiting = house.submit()
    assert house.status(run_id) == "succeeded"
    made(house.as_("erin").ask("PUT", "/private-models", json={"private": ["fraud-*"]}))
    return house, run_id, waiting


def routes(app: FastAPI) -> list[tuple[str, APIRoute]]:
    """Every method and route under the API's prefix."""
    found: list[tuple[str, APIRoute]] = []

    def walk(some: list[BaseRoute]) -> None:
        for route in some:
            if isinstance(route, APIRoute) and route.path.startswith("/api/v1"):
                found.extend((method, route) for method in sorted(route.methods or ()))

    walk(app.routes)
    return found


WAYS_IN = {f"/api/v1{path}" for path in ("/device/code", "/device/token", "/tokens/exchange")}
"""For programs that nobody is behind yet."""
BY_SECRET = {"/api/v1/unsubscribe/{word}", "/api/v1/hooks/slack", "/api/v1/hooks/mlflow"}
"""What the secret in the address, or a signature, allows."""


def test_no_route_asks_nobody(house: House) -> None:
    app = house.client.app
    assert isinstance(app, FastAPI)
    found = [(m, p) for p, operations in app.openapi()["paths"].items() for m in operations if p.startswith("/api/v1")]
    assert len(found) > 60
    assert {path for _, path in found} >= WAYS_IN
    for method, path in found:
        if path in WAYS_IN | BY_SECRET:
            continue
        filled = re.sub(r"\{[^}]+\}", "x", path)
        for headers in ({}, {"Authorization": "Bearer signoffs_x"}, {"Authorization": "Basic eDp5"}):
            answer = house.client.request(method.upper(), filled, headers=headers)
            assert answer.status_code == 401, (method, path, answer.text)


def test_an_outsider_reads_nothing_of_it_anywhere(story: tuple[House, str, str]) -> None:
    house, run_id, waiting = story
    app = house.client.app
    assert isinstance(app, FastAPI)
    deployment = made(house.as_("erin").get("/deployments"))["items"][0]["id"]
    gate = house.gate(waiting)
    names = {
        "run_id": [run_id, waiting, run_id[:4], "last"],
        "model": [MODEL],
        "name": [MODEL],
        "version": ["1"],
        "step": ["approve"],
        "deployment_id": [deployment],
        "digest": [gate["digest"]],
    }
    asked = 0
    for path, operations in app.openapi()["paths"].items():
        if "get" not in operations or not path.startswith("/api/v1"):
            continue
        for number in range(4):
            filled = path
            for wanted in re.findall(r"\{(\w+)\}", path):
                values = names.get(wanted, ["x"])
                filled = filled.replace(f"{{{wanted}}}", values[min(number, len(values) - 1)])
            for query in ("", f"?model={MODEL}", f"?run={run_id}", f"?run_id={run_id}", "?submitter=alice"):
                said = house.as_("mallory").get(filled.removeprefix("/api/v1") + query)
                assert said.status_code < 500
                asked += 1
                text = said.text
                for echoed in (filled, query):
                    text = text.replace(echoed, "")
                for own in (MODEL, run_id, waiting) if 400 <= said.status_code < 500 else ():
                    if own in filled + query:
                        text = text.replace(own, "")
                assert SECRET not in text, (filled, query, said.text)
                assert run_id not in text, (filled, query, said.text)
                assert waiting not in text, (filled, query, said.text)
                assert deployment not in text or said.status_code == 404, (filled, query, said.text)
    assert asked > 300


def test_an_outsiders_lists_are_empty_and_an_insiders_are_not(story: tuple[House, str, str]) -> None:
    house, run_id, _ = story
    for path in ("/runs", "/models", "/deployments", "/inbox"):
        assert made(house.as_("mallory").get(path))["items"] == [], path
        assert made(house.as_("bob").get(path))["items"] != [], path
    assert {e["model"] for e in made(house.as_("mallory").get("/audit"))["items"]} == {None}
    assert MODEL in {e["model"] for e in made(house.as_("erin").get("/audit"))["items"]}
    assert made(house.as_("dave").get(f"/runs/{run_id}"))["model"] == MODEL


WRITES: list[tuple[str, str, Any]] = [
    ("POST", "/runs/{run}/cancel", None),
    ("POST", "/runs/{run}/retry", None),
    ("POST", "/runs/{run}/comments", {"body": "x"}),
    ("POST", "/runs/{run}/submissions", {"model": "models:/x/1"}),
    ("POST", "/runs/{run}/gates/approve/decisions", {"verdict": "approve", "digest": "sha256:x", "comment": ""}),
    ("DELETE", "/runs/{run}/gates/approve/decisions/mine", None),
    ("GET", "/runs/{run}", None),
    ("GET", "/runs/{run}/gates/approve", None),
    ("GET", "/runs/{run}/explanation", None),
    ("GET", "/runs/{run}/steps/deploy/log", None),
    ("GET", "/audit?run={run}", None),
    ("GET", "/runs/{run}/events", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES)
def test_a_run_of_it_is_refused_in_the_words_for_one_that_never_was(
    story: tuple[House, str, str], method: str, path: str, body: Any
) -> None:
    house, _, waiting = story
    real = house.as_("mallory").ask(method, path.format(run=waiting), json=body)
    never = house.as_("mallory").ask(method, path.format(run="0123456789ab"), json=body)
    assert (real.status_code, never.status_code) in {(404, 404), (405, 405)}
    hide = ("request_id",)
    told = [{k: v for k, v in answer.json().items() if k not in hide} for answer in (real, never)]
    assert str(told[0]).replace(waiting, "RUN") == str(told[1]).replace("0123456789ab", "RUN")


def test_acting_on_it_by_name_is_refused_as_on_one_that_never_was(story: tuple[House, str, str]) -> None:
    house, _, _ = story
    rollback, words = {"to": "1", "why": "x"}, "signoff knows no model called"
    for name in (MODEL, "fraud-that-never-was"):
        for path in (f"/models/{name}", f"/models/{name}/versions/1"):
            assert refused(house.as_("mallory").get(path), 404, "model_not_found").startswith(f"{words} {name}.")
        answer = house.as_("mallory").post(f"/environments/production/models/{name}/rollback", rollback)
        assert refused(answer, 404, "model_not_found").startswith(f"{words} {name}.")


def test_a_prefix_is_not_ambiguous_with_what_one_may_not_know_of(story: tuple[House, str, str]) -> None:
    house, _, _ = story
    body = {
        "pipeline": "model: churn\nsteps:\n  - {name: a, type: approval, inputs: {approvers: [mallory], "
        "allow_self_approval: true}}\n",
        "model": house.version(model="churn"),
    }
    mine = made(house.as_("mallory").post("/runs", body))["id"]
    for length in range(1, len(mine) + 1):
        assert made(house.as_("mallory").get(f"/runs/{mine[:length]}"))["id"] == mine
    assert made(house.as_("mallory").get("/runs/last"))["id"] == mine
    assert [line["id"] for line in made(house.as_("mallory").get("/runs?limit=1"))["items"]] == [mine]


def test_who_is_named_later_sees_it_from_then_on(story: tuple[House, str, str]) -> None:
    house, run_id, _ = story
    refused(house.as_("mallory").get(f"/runs/{run_id}"), 404, "not_found")
    made(house.as_("erin").ask("PATCH", "/users/mallory", json={"models": ["*", "fraud-detector"]}))
    assert made(house.as_("mallory").get(f"/runs/{run_id}"))["id"] == run_id


def test_privacy_changes_who_may_approve(house: House) -> None:
    directory = Directory.of(CAST, private=["fraud-*"])
    assert directory.able(MODEL) == frozenset()
    assert directory.able("churn") == {"bob", "carol"}
    apply_people(house.desk, SYSTEM, directory, {})
    answer = house.as_("alice").post("/runs", {"pipeline": "x", "model": house.version()})
    assert answer.status_code in (404, 422)
