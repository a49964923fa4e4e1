"""Every way to ask the server for something, with what it takes: which action it is, and a request that would work.

`REST` and `PAGES` are written by hand, beside what the application says of itself; tests compare the two, so that a new
route has to say here who may use it. `Scene` has something real behind every id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from fastapi.routing import APIRoute

from archives import packed_folder
from factories import ALICE, BOB, CAROL, DAVE, ERIN, MODEL
from house import PRODUCTION, House, made
from signoff.domain.access import ALLOWED_ROLES, NEEDS_SESSION, Do
from signoff.domain.actor import Credential, Person, Role
from signoff.domain.chat import ChatAccount, ChatUser
from signoff.store import chat
from signoff.web.app import ROUTERS

NOBODY = Person("nick")
ALICE_TOO = Person("alan", frozenset({Role.SUBMITTER}))
AUDITOR = Person("audrey", frozenset({Role.AUDITOR}))
VICTIM = Person("vera", frozenset({Role.VIEWER}))
EVERYBODY = (ALICE, ALICE_TOO, BOB, CAROL, DAVE, ERIN, AUDITOR, NOBODY, VICTIM)
ASKING = ("alice", "alan", "bob", "dave", "audrey", "erin", "nick")
"""One for each role, one more who may submit but did not submit this, and one without any role."""
BARE = "steps:\n  - {name: approve, type: approval, inputs: {approvers: ['bob']}}\n"


@dataclass(frozen=True, slots=True)
class Door:
    """One route: the action that it is, what is sent, and whose thing it is about.

    `own` are the only ones besides administrators for whom it is there; `any_role` needs none. `is_shut` is
    asked by those only who are refused: it streams until the caller goes away, or takes what the house has not.
    `query` has to be there for the route to be what it says.
    """

    action: Do | None
    body: Mapping[str, Any] | None = None
    own: frozenset[str] | None = None
    is_shut: bool = False
    any_role: bool = False
    query: str = ""

    def lets_in(self, person: Person, credential: Credential = Credential.SESSION) -> bool:
        """Whether `person` gets further than being refused."""
        if self.action is None or self.any_role:
            return True
        if credential is Credential.TOKEN and (self.action in NEEDS_SESSION or self.action is Do.READ_AUDIT):
            return False
        is_theirs = self.own is None or person.name in self.own or Role.ADMIN in person.roles
        return bool(person.roles & ALLOWED_ROLES[self.action]) and is_theirs


_VERAS = frozenset({"vera"})
_ALICES = frozenset({"alice"})
_BOBS = frozenset({"bob"})
_DAY = "2026-11-{}T00:00:00Z"
ADMIN, READ = Do.ADMINISTER, Do.READ

REST: Mapping[str, Door] = {
    "POST /snapshots": Door(Do.SUBMIT),
    "GET /snapshots/{digest}": Door(Do.SUBMIT),
    "POST /runs": Door(Do.SUBMIT, {"pipeline": BARE, "model": "models:/fraud-detector/1", "note": "a note"}),
    "GET /runs": Door(READ),
    "GET /runs/{run_id}": Door(READ),
    "GET /runs/{run_id}/events": Door(READ, is_shut=True),
    "GET /runs/{run_id}/logs/{step}": Door(READ),
    "POST /runs/{run_id}/submissions": Door(
        Do.RESUBMIT, {"model": "models:/fraud-detector/1", "note": "n", "answers": {"1": "done"}}
    ),
    "POST /runs/{run_id}/retry": Door(Do.RETRY, own=_ALICES),
    "POST /runs/{run_id}/comments": Door(Do.COMMENT, {"body": "a remark"}),
    "GET /runs/{run_id}/gates/{step}": Door(READ),
    "POST /runs/{run_id}/gates/{step}/decisions": Door(
        Do.DECIDE,
        {
            "verdict": "approve",
            "digest": "sha256:no",
            "comment": "c",
            "reasons": [{"kind": "metric", "subject": "s"}],
            "ticked": ["t"],
        },
    ),
    "DELETE /runs/{run_id}/gates/{step}/decisions/mine": Door(Do.WITHDRAW),
    "GET /runs/{run_id}/gates/{step}/explanation": Door(READ),
    "GET /inbox": Door(READ),
    "GET /me": Door(READ),
    "GET /models": Door(READ),
    "GET /models/{name}": Door(READ),
    "GET /models/{name}/versions/{version}": Door(READ),
    "GET /deployments": Door(READ),
    "GET /deployments/{deployment_id}": Door(READ),
    "POST /pipelines/validate": Door(Do.VALIDATE, {"pipeline": BARE, "filename": "f.yaml", "folder_name": "f"}),
    "GET /audit": Door(Do.READ_AUDIT),
    "GET /environments": Door(READ),
    "PUT /environments": Door(ADMIN, {"document": "environments: [oh", "force": False}),
    "GET /environments/{name}": Door(READ),
    "PUT /environments/{name}": Door(ADMIN, {"environment": {"deployer": "no"}, "force": False}),
    "GET /environments/{name}/history": Door(READ),
    "GET /delegations": Door(READ),
    "POST /delegations": Door(
        Do.DELEGATE,
        {"delegate": "nobody", "since": _DAY.format(20), "until": _DAY.format(21), "person": "bob"},
        own=_BOBS,
    ),
    "DELETE /delegations/{delegation_id}": Door(Do.DELEGATE, own=_BOBS),
    "POST /environments/{name}/models/{model}/rollback": Door(Do.ROLL_BACK, {"why": "w", "to": "77"}),
    "POST /environments/{name}/models/{model}/break-glass": Door(
        Do.BREAK_GLASS, {"reference": "models:/fraud-detector/1", "why": "w"}
    ),
    "DELETE /environments/{name}/models/{model}/break-glass": Door(Do.BREAK_GLASS),
    "POST /environments/{name}/models/{model}/adopt": Door(Do.ADOPT, {"why": ""}),
    "GET /drifts": Door(READ),
    "GET /emergencies": Door(READ),
    "POST /environments/{name}/models/{model}/revoke": Door(Do.REVOKE, {"why": "", "rollback": False}),
    "POST /models/{name}/versions/{version}/revoke": Door(Do.REVOKE, {"why": "", "rollback": False}),
    "POST /policy/replay": Door(Do.VALIDATE, {"pipeline": BARE, "model": MODEL, "since": "9d", "folder_name": "f"}),
    "GET /users": Door(READ),
    "POST /users": Door(ADMIN, {"name": "vera", "roles": ["viewer"], "groups": ["g"], "models": ["m"], "email": "e"}),
    "GET /users/{name}": Door(READ),
    "PATCH /users/{name}": Door(ADMIN, {"groups": ["x"], "models": ["*"], "email": "v@example.org"}),
    "POST /users/{name}/linked": Door(ADMIN, {"other": "vera"}),
    "DELETE /users/{name}/linked": Door(ADMIN),
    "POST /users/{name}/link": Door(ADMIN),
    "POST /users/{name}/deactivate": Door(ADMIN, {"force": False}),
    "POST /users/{name}/activate": Door(ADMIN),
    "GET /groups": Door(READ),
    "PUT /groups/{group}": Door(ADMIN, {"members": ["vera"]}),
    "PUT /groups/{group}/members/{name}": Door(ADMIN),
    "DELETE /groups/{group}/members/{name}": Door(ADMIN),
    "DELETE /groups/{group}": Door(ADMIN),
    "GET /private-models": Door(ADMIN),
    "PUT /private-models": Door(ADMIN, {"private": ["hush-*"]}),
    "GET /sessions": Door(Do.MANAGE_ACCOUNT, own=_VERAS, query="?person=vera"),
    "DELETE /sessions": Door(Do.MANAGE_ACCOUNT),
    "DELETE /sessions/{session_id}": Door(Do.MANAGE_ACCOUNT, own=_VERAS),
    "GET /tokens": Door(Do.MANAGE_ACCOUNT, own=_VERAS, query="?person=vera"),
    "POST /tokens": Door(Do.MANAGE_ACCOUNT, {"name": "t", "scopes": ["read"], "days": 9, "person": "vera"}, own=_VERAS),
    "DELETE /tokens/{token_id}": Door(Do.MANAGE_ACCOUNT, own=_VERAS),
    "PUT /me/password": Door(Do.MANAGE_ACCOUNT, {"password": "short", "current": "short"}),
    "POST /device/code": Door(None, {"client": "c"}),
    "POST /device/token": Door(None, {"device_code": "d"}),
    "POST /tokens/exchange": Door(None, {"id_token": "i"}),
    "GET /tokens/trusts": Door(ADMIN),
    "POST /tokens/trusts": Door(
        ADMIN, {"name": "n", "system": "github", "repository_id": "1", "workflow_ref": "w", "person": "nobody"}
    ),
    "DELETE /tokens/trusts/{name}": Door(ADMIN),
    "GET /targets": Door(ADMIN),
    "POST /targets": Door(ADMIN, {"name": "u", "kind": "webhook", "url": "nowhere", "events": ["*"], "models": ["*"]}),
    "POST /targets/{name}/test": Door(ADMIN),
    "POST /targets/{name}/pause": Door(ADMIN, {"why": "w"}),
    "POST /targets/{name}/resume": Door(ADMIN),
    "GET /deliveries": Door(ADMIN),
    "GET /deliveries/{delivery_id}": Door(ADMIN),
    "POST /deliveries/{delivery_id}/redeliver": Door(ADMIN),
    "DELETE /targets/{name}": Door(ADMIN),
    "GET /me/notifications": Door(READ),
    "PUT /me/notifications": Door(Do.MANAGE_ACCOUNT, {"pace": "instant", "muted": [], "zone": "UTC"}),
    "POST /unsubscribe/{word}": Door(None),
    "GET /emergencies/{emergency_id}": Door(READ),
    "POST /hooks/slack": Door(None),
    "GET /chats": Door(ADMIN),
    "GET /me/chats": Door(Do.MANAGE_ACCOUNT),
    "DELETE /chats/{team}/{user}": Door(Do.MANAGE_ACCOUNT, own=_VERAS),
    "GET /pipelines": Door(READ),
    "POST /pipelines": Door(Do.REGISTER_PIPELINES, {"pipeline": BARE, "filename": "f.yaml", "folder_name": "f"}),
    "GET /pipelines/{name}": Door(READ),
    "DELETE /pipelines/{name}": Door(Do.REMOVE_PIPELINES, own=_ALICES),
    "POST /hooks/mlflow": Door(None),
    "POST /runs/{run_id}/cancel": Door(Do.CANCEL, own=_ALICES),
}
"""By method and path, in an order in which what is taken away is asked for before."""

_NO = {"comment": "c"}
PAGES: Mapping[str, Door] = {
    "GET /static/{version}/{name:path}": Door(None),
    "GET /sign-in": Door(None),
    "POST /sign-in": Door(None, {"name": "nobody", "password": "wrong"}),
    "GET /link": Door(None, query="?code=x"),
    "POST /link": Door(None, {"code": "x"}),
    "GET /sign-in/single": Door(None),
    "GET /sign-in/single/back": Door(None),
    "POST /sign-in/passkey": Door(None, {"question": "q"}),
    "GET /device": Door(READ, any_role=True),
    "POST /device": Door(Do.MANAGE_ACCOUNT, {"answer": "no", "code": "BCDF-GHJK"}),
    "GET /account": Door(READ),
    "POST /account/password": Door(Do.MANAGE_ACCOUNT, {"current": "x", "password": "short", "again": "short"}),
    "POST /account/sessions/{session_id}/end": Door(Do.MANAGE_ACCOUNT, own=_VERAS),
    "POST /account/sessions/end-others": Door(Do.MANAGE_ACCOUNT),
    "POST /account/single/connect": Door(Do.MANAGE_ACCOUNT, is_shut=True, any_role=True),
    "POST /account/single/disconnect": Door(Do.MANAGE_ACCOUNT),
    "POST /account/passkeys/new": Door(Do.MANAGE_ACCOUNT),
    "POST /account/passkeys": Door(Do.MANAGE_ACCOUNT, {"name": "n", "question": "q", "credential": "{}"}),
    "POST /account/passkeys/remove": Door(Do.MANAGE_ACCOUNT, {"passkey": "p"}),
    "GET /": Door(READ),
    "GET /live": Door(READ, is_shut=True),
    "GET /runs": Door(READ),
    "GET /runs/{run_id}": Door(READ),
    "GET /runs/{run_id}/live": Door(READ, is_shut=True),
    "GET /runs/{run_id}/gates/{step}": Door(READ),
    "POST /runs/{run_id}/gates/{step}/decisions": Door(Do.DECIDE, {"digest": "sha256:no", "verdict": "approve", **_NO}),
    "POST /runs/{run_id}/gates/{step}/withdraw": Door(Do.WITHDRAW),
    "POST /runs/{run_id}/comments": Door(Do.COMMENT, {"body": "a remark", "back": "/runs"}),
    "POST /runs/{run_id}/retry": Door(Do.RETRY, own=_ALICES),
    "POST /runs/{run_id}/resubmit": Door(Do.RESUBMIT, {"model": "models:/fraud-detector/1", "note": "n"}),
    "GET /runs/{run_id}/audit.jsonl": Door(READ),
    "GET /runs/{run_id}/files/{digest}/{path:path}": Door(READ),
    "GET /runs/{run_id}/logs/{step}": Door(READ),
    "GET /runs/{run_id}/logs/{step}/part": Door(READ),
    "GET /runs/{run_id}/logs/{step}/raw": Door(READ),
    "POST /runs/{run_id}/cancel": Door(Do.CANCEL, own=_ALICES),
    "GET /models": Door(READ),
    "GET /models/{name}": Door(READ),
    "POST /models/{name}/versions/{version}/revoke": Door(Do.REVOKE, {"why": ""}),
    "GET /deployments": Door(READ),
    "POST /deployments/roll-back": Door(
        Do.ROLL_BACK, {"environment": "production", "model": MODEL, "why": "w", "to": "77"}
    ),
    "POST /deployments/adopt": Door(Do.ADOPT, {"environment": "production", "model": MODEL, "why": ""}),
    "POST /deployments/break-glass": Door(
        Do.BREAK_GLASS, {"environment": "production", "model": MODEL, "reference": "models:/fraud-detector/1"}
    ),
    "POST /deployments/emergencies/{emergency_id}/confirm": Door(Do.BREAK_GLASS, {"digest": "sha256:no"}),
    "POST /deployments/emergencies/cancel": Door(Do.BREAK_GLASS, {"environment": "production", "model": MODEL}),
    "GET /audit": Door(Do.READ_AUDIT),
    "GET /audit/export.jsonl": Door(Do.READ_AUDIT),
    "GET /pipelines/validate": Door(READ, any_role=True),
    "POST /pipelines/validate": Door(Do.VALIDATE, {"pipeline": BARE}),
    "GET /settings": Door(READ),
    "POST /settings/absence": Door(Do.DELEGATE, {"delegate": "nobody", "since": "2026-11-20", "until": "2026-11-21"}),
    "POST /settings/absence/{delegation_id}/end": Door(Do.DELEGATE, own=_BOBS),
    "POST /settings/tokens": Door(Do.MANAGE_ACCOUNT, {"name": "t", "scope": "read"}),
    "POST /settings/tokens/{token_id}/revoke": Door(Do.MANAGE_ACCOUNT, own=_VERAS),
    "POST /settings/people": Door(ADMIN, {"name": "vera", "role": "viewer"}),
    "POST /settings/people/{name}": Door(ADMIN, {"role": "viewer", "email": "v@example.org"}),
    "POST /settings/people/{name}/{what}": Door(ADMIN),
    "POST /settings/groups": Door(ADMIN, {"name": "night", "members": "vera"}),
    "GET /settings/environments": Door(ADMIN),
    "POST /settings/environments": Door(ADMIN, {"text": "environments: {}"}),
    "POST /settings/environments/try": Door(ADMIN, {"text": "environments: {}"}),
    "POST /settings/targets": Door(ADMIN, {"name": "hook", "kind": "webhook", "url": "https://example.org/"}),
    "GET /settings/targets/{name}": Door(ADMIN),
    "POST /settings/deliveries/{delivery_id}/redeliver": Door(ADMIN),
    "POST /settings/targets/{name}/{what}": Door(ADMIN),
    "GET /settings/notifications": Door(READ),
    "POST /settings/notifications": Door(Do.MANAGE_ACCOUNT, {"pace": "instant", "zone": "UTC"}),
    "GET /settings/chat": Door(Do.MANAGE_ACCOUNT, query="?code=x"),
    "POST /settings/chat": Door(Do.MANAGE_ACCOUNT, {"answer": "no", "code": "x"}),
    "POST /settings/chat/unlink": Door(Do.MANAGE_ACCOUNT, {"team": "T1", "user": "U1"}, own=_VERAS),
    "POST /sign-out": Door(Do.MANAGE_ACCOUNT),
}
"""The same for pages; what is sent is a form's."""


def operations(openapi: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Every operation that the server says it has, by method and path."""
    found = {}
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            if path.startswith("/api/v1"):
                found[f"{method.upper()} {path.removeprefix('/api/v1')}"] = operation
    return found


def page_routes() -> dict[str, list[str]]:
    """Every page and form, by method and path, and what it takes after the question mark."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    return {f"{min(r.methods or ())} {r.path}": [p.alias for p in r.dependant.query_params] for r in routes}


def _link_vera(house: House) -> None:
    linked = ChatAccount(ChatUser("T1", "U1", "vera.of.slack"), "vera", house.clock.now)
    with house.database.begin() as tx:
        assert chat.add_account(tx, linked, audit=[])


@dataclass
class Scene:
    """A house in which every id that a route takes is somebody's."""

    house: House
    ids: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, house: House) -> Scene:
        """A model that is live, a run of alice's that waits for bob and carol, and vera's session and token."""
        house.people(*EVERYBODY)
        house.environments(PRODUCTION)
        first = house.submit()
        house.decide("bob", first, "approve")
        waiting = house.submit()
        erin = house.as_("erin")
        absence = {"delegate": "carol", "since": _DAY.format(24), "until": _DAY.format(25), "person": "bob"}
        later = house.clock.now + timedelta(days=3)
        absence |= {"since": later.isoformat(), "until": (later + timedelta(days=1)).isoformat()}
        made(erin.ask("PUT", "/groups/night", json={"members": []}))
        target = {"name": "hook", "kind": "webhook", "url": "https://example.org/hook"}
        made(erin.post("/targets", target))
        text = "name: nightly\non: {model_version: " + MODEL + "}\n" + BARE
        made(house.as_("alice").post("/pipelines", {"pipeline": text}))
        ids = {
            "run_id": waiting,
            "step": "approve",
            "name": MODEL,
            "model": MODEL,
            "version": "1",
            "digest": made(house.as_("alice").ask("POST", "/snapshots", content=packed_folder()))["digest"],
            "deployment_id": made(erin.get("/deployments"))["items"][0]["id"],
            "delegation_id": made(house.as_("bob").post("/delegations", absence))["id"],
            "session_id": made(erin.get("/sessions?person=vera"))["items"][0]["id"],
            "token_id": made(erin.post("/tokens", {"name": "t", "person": "vera"}))["id"],
            "delivery_id": made(erin.post("/targets/hook/test"))["id"],
            "group": "night",
            "word": "no-such-word",
            "emergency_id": "0123456789ab",
            "path": "report.json",
            "what": "link",
            "team": "T1",
            "user": "U1",
        }
        _link_vera(house)
        return cls(house, ids)

    def path(self, route: str, *, forced: str | None = None) -> str:
        """The path of a route of either kind, with somebody's ids in it; `forced` is taken from `ids` as it is."""
        path = route.partition(" ")[2]
        ids = dict(self.ids)
        if path.startswith("/environments"):
            ids["name"] = "production"
        elif "/users" in path or "/people" in path or "/members" in path:
            ids["name"] = "vera"
        elif "/targets" in path:
            ids |= {"name": "hook", "what": "pause"}
        elif path.startswith("/pipelines/{name}"):
            ids["name"] = "nightly"
        elif path.startswith("/tokens/trusts"):
            ids["name"] = "no-such-trust"
        if forced is not None:
            ids[forced] = self.ids[forced]
        return re.sub(r"\{(\w+)(?::path)?\}", lambda found: ids[found[1]], path)
