"""Whatever fits the API's own description, and much that does not, sent as everybody: no bug, no undocumented answer.

By a stranger without a credential, too. Schemathesis makes the requests from the OpenAPI document. `make test` asks
each route a few things, the roles taking turns; `make test-all` asks each route many as every role.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from every_route import ASKING, Scene

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
STRANGER = "a stranger"
"""Who sends no credential."""
ENDLESS = "/api/v1/runs/{run_id}/events"
"""A stream, for which a client waits for ever; its refusals are tested beside it."""


def described(scene: Scene) -> Iterator[Any]:
    """Every operation under /api/v1, as Schemathesis reads it."""
    schema = openapi.from_asgi("/api/v1/openapi.json", scene.house.client.app)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path.startswith("/api/v1") and operation.path != ENDLESS:
            yield operation


def attack(scene: Scene, operation: Any, who: str, mode: GenerationMode, examples: int) -> Counter[int]:
    """Send so many requests to the operation as `who`, and check every answer; the statuses."""
    statuses: Counter[int] = Counter()
    credential = {"Authorization": f"Bearer {scene.house.secret(who)}"} if who != STRANGER else {}
    headers = {**credential, "Host": "testserver"}

    @seed(20261122)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(headers=headers)
        statuses[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()
    return statuses


def test_the_description_says_how_every_route_refuses(scene: Scene) -> None:
    for operation in described(scene):
        assert {"401", "403", "404", "409", "422"} <= set(operation.responses.status_codes), operation.label


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_breaks_the_server_or_is_answered_by_what_is_not_described(
    scene: Scene, mode: GenerationMode
) -> None:
    statuses: Counter[int] = Counter()
    for number, operation in enumerate(described(scene)):
        if mode is GenerationMode.POSITIVE or operation.body or operation.query:
            statuses += attack(scene, operation, ASKING[number % len(ASKING)], mode, examples=2)
    wanted = {200, 403, 404} if mode is GenerationMode.POSITIVE else {403, 422}
    assert wanted <= set(statuses), statuses
    assert statuses.total() > 60


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("who", [*ASKING, STRANGER])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_of_anybody_breaks_the_server(scene: Scene, who: str, mode: GenerationMode) -> None:
    for operation in described(scene):
        if mode is GenerationMode.POSITIVE or operation.body or operation.query:
            attack(scene, operation, who, mode, examples=40)
