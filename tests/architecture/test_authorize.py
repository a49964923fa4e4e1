"""Nothing is done for anybody without `authorize`: every service function and every REST route, looked at one by one.

The source is read, not run: a function of the service that takes the desk is a use-case, and has to ask `authorize`
about its actor, itself or in the use-case that it hands the actor on to. A route has to know who asks and hand that on.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from signoff.api.request import actor_of

SOURCE = Path(__file__).parents[2] / "src" / "signoff"
SERVICE = SOURCE / "service"

DOORS = {
    "sessions.sign_in": "it asks for the password; there is no actor before",
    "sessions.open_session": "for those who have just checked who somebody is",
    "sessions.authenticate": "it is what makes actors",
    "passwords.check_password": "it is what a sign-in asks",
    "accounts.find_link": "the secret of the link is what allows it",
    "accounts.use_link": "the secret of the link is what allows it",
    "passkeys.begin_second_factor": "for those whose password was just found right",
    "passkeys.finish_second_factor": "the passkey is what allows it",
    "single_sign_on.begin_sign_on": "before anybody is known; it keeps a random state and nothing else",
    "single_sign_on.finish_sign_on": "what the provider vouches for is what allows it",
    "limits.refuse_too_many": "asked before anybody is known, so that guessing is slow",
    "limits.note_attempt": "the same",
    "devices.start_device": "a program that asks for a credential has none",
    "devices.redeem_device": "the secret of the program is what allows it, once a person did",
    "trusts.exchange_id_token": "the CI system's signature is what allows it",
    "chat.receive_call": "the chat service's signature is what allows it; what it may do is asked of the linked person",
    "chat.send_reply": "shows a person in a chat what became of their own call",
    "arrivals.receive_hook": "MLflow's signature is what allows it, and it only asks for a look",
    "notifications.check_word": "the word of the link is what allows it",
    "notifications.unsubscribe": "the word of the link is what allows it",
    "health.readiness": "whether the parts answer; names nobody and nothing",
    "health.measure": "figures without names, for the operators' scraper",
    "environments.was_file_applied": "asked by start-up about its own file",
}
"""Use-cases without an actor, and why."""

NOT_USE_CASES = {
    **dict.fromkeys(
        (f"challenges.{name}" for name in ("ask", "answered", "ask_passkey", "confirm", "site", "origin")),
        "a part of others, in their transaction, about the person they decided on",
    ),
    "evidence_files.read_table": "of evidence that a use-case gave, which asked",
    "evidence_files.read_card": "of evidence that a use-case gave, which asked",
    "privacy.resolve_seen": "asks whether the actor may know of the model; what they may do with it, its callers ask",
    "tokens.add_token": "a part of others, in their transaction, with the owner they decided on",
}

OPEN_ROUTES = {
    "/healthz",
    "/readyz",
    "/metrics",
    "/device/code",
    "/device/token",
    "/tokens/exchange",
    "/unsubscribe/{word}",
    "/hooks/mlflow",
    "/hooks/slack",
}
"""What is asked by those who have no credential: operators' probes, and programs that want one."""


def functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function of the service that takes the desk, by module and name; those with an underscore help others."""
    for file in sorted(SERVICE.glob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                takes = {a.arg for a in (*node.args.args, *node.args.kwonlyargs, *node.args.posonlyargs)}
                if "desk" in takes:
                    yield f"{file.stem}.{node.name}", node


FUNCTIONS = dict(functions())
USE_CASES = {name for name in FUNCTIONS if "._" not in name}


def called(node: ast.FunctionDef) -> Iterator[tuple[str, list[str]]]:
    """(what is called, the names given to it) for every call in the function's own body."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            yield name, [a.id for a in (*call.args, *(k.value for k in call.keywords)) if isinstance(a, ast.Name)]


def asks(name: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether the use-case asks `authorize` about its actor, itself or in a use-case that it hands the actor on to."""
    if name in seen:
        return False
    module = name.partition(".")[0]
    for function, given in called(FUNCTIONS[name]):
        if function == "authorize" and given and given[0] in {"actor", "SYSTEM"}:
            return True
        named = [other for other in FUNCTIONS if other.rpartition(".")[2] == function and other != name]
        others = [other for other in named if "._" not in other or other.startswith(f"{module}.")]
        if "actor" in given and others and all(asks(other, seen | {name}) for other in others):
            return True
    return False


def test_there_are_use_cases_to_look_at() -> None:
    assert len(USE_CASES) > 60
    assert DOORS.keys() | NOT_USE_CASES.keys() <= USE_CASES


@pytest.mark.parametrize("name", sorted(USE_CASES))
def test_every_use_case_asks_whether_it_is_allowed(name: str) -> None:
    if name in DOORS or name in NOT_USE_CASES:
        assert not asks(name), f"{name} asks by now: take it out of the exceptions"
        return
    assert asks(name), f"{name} does not call authorize about its actor"


def test_one_that_does_not_ask_would_be_found() -> None:
    node = ast.parse("def leak(desk, actor):\n    return desk.database").body[0]
    assert isinstance(node, ast.FunctionDef)
    FUNCTIONS["runs.leak"] = node
    assert not asks("runs.leak")
    node.body.insert(0, ast.parse("authorize(somebody, Do.READ)").body[0])
    assert not asks("runs.leak")
    node.body.insert(0, ast.parse("authorize(actor, Do.READ)").body[0])
    assert asks("runs.leak")
    del FUNCTIONS["runs.leak"]


def routes() -> dict[str, APIRoute]:
    """Every route of every module of the API."""
    found = {}
    for file in sorted((SOURCE / "api").glob("*.py")):
        router = getattr(importlib.import_module(f"signoff.api.{file.stem}"), "router", None)
        for route in router.routes if router is not None else ():
            assert isinstance(route, APIRoute), f"{route} is no plain route: look at it here, too"
            found[f"{min(route.methods or ())} {route.path}"] = route
    return found


ROUTES = routes()


def test_there_are_routes_to_look_at() -> None:
    assert len(ROUTES) > 50


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_every_route_knows_who_asks_and_hands_that_to_a_use_case(name: str) -> None:
    route = ROUTES[name]
    knows = any(dependency.call is actor_of for dependency in route.dependant.dependencies)
    if route.path in OPEN_ROUTES:
        assert not knows
        return
    assert knows, f"{name} does not ask who asks"
    tree = ast.parse(textwrap.dedent(inspect.getsource(route.endpoint)))
    module = inspect.getmodule(route.endpoint)
    assert module is not None
    assert _hands_on(tree, module.__dict__), f"{name} hands its actor to no use-case"


def _hands_on(tree: ast.AST, names: dict[str, object]) -> bool:
    """Whether a call in `tree` gives the actor to a use-case that asks, perhaps through a function of the module."""
    asking = {name for name in USE_CASES if name not in DOORS and name not in NOT_USE_CASES}
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            target = f"{call.func.value.id}.{call.func.attr}"
        else:
            target = ""
        given = [a for a in (*call.args, *(k.value for k in call.keywords)) if isinstance(a, ast.Name)]
        has_actor = any(a.id == "actor" for a in given)
        handed = any(
            isinstance(a, ast.Attribute) and isinstance(a.value, ast.Name) and f"{a.value.id}.{a.attr}" in asking
            for a in call.args
        )
        if has_actor and (target in asking or handed):
            return True
        own = names.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if not (has_actor and inspect.isfunction(own) and own.__module__ == names["__name__"]):
            continue
        if _hands_on(ast.parse(textwrap.dedent(inspect.getsource(own))), names):
            return True
    return False
