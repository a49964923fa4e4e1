"""People, groups, linked accounts and tokens over REST: what each change does, at once, and every refusal."""

from __future__ import annotations

from typing import Any

import pytest

from factories import CAST, MODEL
from house import APPROVE_AND_DEPLOY, Caller, House, made, refused
from signoff.domain.actor import Credential, Person, Role
from signoff.service import people

RISK = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['group:risk'], required_approvals: 2}
"""


def erin(house: House) -> Caller:
    return house.as_("erin")


def put(caller: Caller, path: str, json: Any = None) -> Any:
    return caller.ask("PUT", path, json=json)


def patch(caller: Caller, path: str, json: Any) -> Any:
    return caller.ask("PATCH", path, json=json)


def with_token(house: House, name: str, **request: Any) -> Caller:
    return Caller(house.client, made(house.as_(name).post("/tokens", {"name": "ci", **request}))["secret"])


# People


def test_a_person_is_added_and_changed_and_every_change_is_on_record(house: House) -> None:
    body = {"name": "frank", "roles": ["approver"], "groups": ["risk"], "models": ["fraud-*"], "email": "f@example.org"}
    added = made(erin(house).post("/users", body))
    assert added == {**body, "is_active": True, "linked": [], "can_sign_in": False}
    changed = made(patch(erin(house), "/users/frank", {"roles": ["approver", "auditor"], "email": ""}))
    assert (changed["roles"], changed["email"], changed["groups"]) == (["approver", "auditor"], None, ["risk"])
    first, second = house.events()[-2:]
    assert (first.type, first.actor, first.detail["changes"]) == (
        "person.added",
        "erin",
        ["gets the role approver", "gets the group risk", "gets another address"],
    )
    assert (second.type, second.detail["changes"]) == (
        "person.changed",
        ["gets the role auditor", "has no address any more"],
    )
    with house.unchanged():
        made(patch(erin(house), "/users/frank", {"roles": ["auditor", "approver"]}))


def test_addresses_and_second_accounts_are_for_administrators_and_their_owner(house: House) -> None:
    made(patch(erin(house), "/users/bob", {"email": "bob@example.org"}))
    made(erin(house).post("/users/bob/linked", {"other": "dave"}))
    for who, sees in (("erin", True), ("bob", True), ("carol", False)):
        found = made(house.as_(who).get("/users/bob"))
        assert (found["email"], found["linked"]) == (("bob@example.org", ["dave"]) if sees else (None, []))
        assert ("bob@example.org" in str(made(house.as_(who).get("/users")))) == sees


@pytest.mark.parametrize(
    ("body", "status", "code", "words"),
    [
        ({"name": "bob"}, 409, "person_exists", "Somebody is called bob already."),
        ({"name": "BOB"}, 409, "person_exists", "Somebody is called bob already."),
        ({"name": "system"}, 422, "bad_person", "Nobody can be called system: signoff itself acts under that name."),
        ({"name": "policy:x"}, 422, "bad_person", "'policy:x' is not a name for a person."),
        ({"name": "<img>"}, 422, "bad_person", "'<img>' is not a name for a person."),
        ({"name": "f", "groups": ["a b"]}, 422, "bad_person", "'a b' is not a name for a group."),
        ({"name": "f", "models": ["a b"]}, 422, "bad_person", "'a b' is not a pattern of model names."),
        ({"name": "f", "email": "nobody"}, 422, "bad_person", "'nobody' is not an address."),
        ({"name": "f", "roles": ["root"]}, 422, "malformed_request", "roles"),
    ],
)
def test_a_person_who_cannot_be_is_refused(
    house: House, body: dict[str, Any], status: int, code: str, words: str
) -> None:
    with house.unchanged():
        assert words in refused(erin(house).post("/users", body), status, code)


CHANGES = [
    ("POST", "/users", {"name": "mallory", "roles": ["admin"]}),
    ("PATCH", "/users/bob", {"roles": ["admin"]}),
    ("POST", "/users/bob/deactivate", {}),
    ("POST", "/users/bob/activate", None),
    ("POST", "/users/bob/link", None),
    ("POST", "/users/bob/linked", {"other": "dave"}),
    ("DELETE", "/users/bob/linked", None),
    ("PUT", "/groups/risk", {"members": ["dave"]}),
    ("DELETE", "/groups/risk", None),
    ("PUT", "/groups/risk/members/dave", None),
    ("DELETE", "/groups/risk/members/bob", None),
    ("GET", "/private-models", None),
    ("PUT", "/private-models", {"private": ["*"]}),
    ("GET", "/tokens?everybody=true", None),
    ("GET", "/tokens?person=bob", None),
    ("POST", "/tokens", {"name": "x", "person": "bob"}),
    ("POST", "/tokens", {"name": "x", "scopes": ["decide"], "automation": "canary"}),
    ("GET", "/sessions?person=bob", None),
]


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_only_a_signed_in_administrator_changes_who_there_is(
    house: House, method: str, path: str, body: dict[str, Any] | None
) -> None:
    with house.unchanged():
        for who in ("alice", "carol", "dave"):
            refused(house.as_(who).ask(method, path, json=body), 403, "not_allowed")
        said = refused(house.as_("erin", Credential.TOKEN).ask(method, path, json=body), 403, "not_allowed")
        assert said.startswith("An API token cannot")


def test_who_is_deactivated_is_out_at_once_with_every_session_and_token(house: House) -> None:
    token = with_token(house, "bob")
    made(token.get("/me"))
    made(erin(house).post("/users/bob/deactivate", {}))
    for caller in (token, house.as_("bob"), house.as_("bob", Credential.TOKEN)):
        refused(caller.get("/me"), 401, "not_authenticated")
    made(erin(house).post("/users/bob/activate"))
    refused(token.get("/me"), 401, "token_over")
    refused(house.as_("bob").get("/me"), 401, "session_over")
    assert [event for event in house.types() if event.startswith("person.")] == [
        "person.deactivated",
        "person.activated",
    ]
    refused(erin(house).post("/users/nobody/deactivate", {}), 404, "person_unknown")


def test_the_last_administrator_stays_one(house: House) -> None:
    words = "Nobody would be left who administers: erin is the last. Make somebody else an administrator first."
    with house.unchanged():
        for force in (False, True):
            said = refused(erin(house).post("/users/erin/deactivate", {"force": force}), 409, "last_administrator")
            assert said == words
            refused(patch(erin(house), "/users/erin", {"roles": [], "force": force}), 409, "last_administrator")
    made(patch(erin(house), "/users/dave", {"roles": ["admin"]}))
    made(erin(house).post("/users/erin/deactivate", {}))


def test_a_change_that_would_leave_a_gate_stuck_is_refused_or_forced_and_told(house: House) -> None:
    run_id = house.submit(RISK)
    words = f"The gate approve of run {run_id} could never be approved: approve needs 2 approvals, and only bob could"
    for method, path, body in (
        ("POST", "/users/carol/deactivate", {}),
        ("PATCH", "/users/carol", {"roles": ["viewer"]}),
        ("PATCH", "/users/carol", {"models": ["churn"]}),
        ("DELETE", "/groups/risk/members/carol", None),
        ("PUT", "/groups/risk", {"members": ["bob"]}),
        ("PUT", "/private-models", {"private": [MODEL]}),
        ("POST", "/users/carol/linked", {"other": "bob"}),
    ):
        with house.unchanged():
            said = refused(erin(house).ask(method, path, json=body), 409, "people_needed")
        assert "could never be approved" in said
        assert "or say --force" in said
    assert words in refused(erin(house).post("/users/carol/deactivate", {}), 409, "people_needed")
    made(erin(house).post("/users/carol/deactivate", {"force": True}))
    assert words in house.events()[-1].detail["despite"]


# Groups


def test_groups_are_made_filled_emptied_and_removed(house: House) -> None:
    assert made(put(erin(house), "/groups/product", {})) == {"name": "product", "members": []}
    assert made(put(erin(house), "/groups/product/members/dave"))["members"] == ["dave"]
    assert made(put(erin(house), "/groups/product", {"members": ["bob", "alice"]}))["members"] == ["alice", "bob"]
    assert made(house.as_("bob").get("/me"))["groups"] == ["product", "risk"]
    said = refused(erin(house).delete("/groups/product"), 409, "group_in_use")
    assert said == "alice, bob are in product. Take everybody out first."
    for name in ("alice", "bob"):
        made(erin(house).delete(f"/groups/product/members/{name}"))
    assert erin(house).delete("/groups/product").status_code == 204
    assert made(house.as_("dave").get("/groups"))["items"] == [{"name": "risk", "members": ["bob", "carol"]}]
    refused(erin(house).delete("/groups/product"), 404, "group_unknown")
    refused(put(erin(house), "/groups/product/members/dave"), 404, "group_unknown")
    refused(put(erin(house), "/groups/risk/members/nobody"), 404, "person_unknown")
    refused(put(erin(house), "/groups/risk", {"members": ["nobody"]}), 404, "person_unknown")


# Two accounts of one person


def test_a_second_account_of_the_submitter_cannot_approve_what_they_submitted(house: House) -> None:
    made(erin(house).post("/users/alice/linked", {"other": "bob"}))
    made(patch(erin(house), "/users/dave", {"roles": ["approver", "viewer"]}))
    run_id = house.submit(APPROVE_AND_DEPLOY.replace("['bob']", "['bob', 'dave']"))
    said = refused(house.says("bob", run_id, "approve"), 403, "cannot_decide")
    assert said == (
        "bob cannot decide about approve: bob is another account of alice, who submitted or contributed to this "
        "version, and the gate does not allow self-approval. dave can."
    )
    made(house.says("dave", run_id, "approve"))


def test_a_gate_that_only_the_submitters_second_account_could_approve_is_refused_at_submission(house: House) -> None:
    made(erin(house).post("/users/alice/linked", {"other": "bob"}))
    body = {"pipeline": APPROVE_AND_DEPLOY, "model": house.version()}
    answer = house.as_("alice").post("/runs", body)
    refused(answer, 422, "bad_pipeline")
    assert [place["message"] for place in answer.json()["errors"]] == [
        "the only approver is bob, an account of the submitter alice, who may not approve their own model"
    ]


def test_accounts_linked_while_a_gate_waits_count_at_once(house: House) -> None:
    house.people(*CAST, Person("bob2", frozenset({Role.APPROVER}), frozenset({"risk"})))
    run_id = house.submit(RISK)
    made(house.says("bob", run_id, "approve"))
    made(erin(house).post("/users/bob/linked", {"other": "bob2"}))
    said = refused(house.says("bob2", run_id, "approve"), 409, "already_decided")
    assert said.startswith("bob already decided about approve: approve.")
    assert house.status(run_id) == "waiting"
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_accounts_are_joined_and_parted(house: House) -> None:
    assert made(erin(house).post("/users/alice/linked", {"other": "dave"}))["linked"] == ["dave"]
    assert made(erin(house).post("/users/dave/linked", {"other": "bob"}))["linked"] == ["alice", "bob"]
    for one, other, words in (
        ("alice", "bob", "alice and bob are linked already."),
        ("alice", "alice", "alice is one account. Name two."),
    ):
        assert refused(erin(house).post(f"/users/{one}/linked", {"other": other}), 422, "bad_account_link") == words
    made(erin(house).ask("DELETE", "/users/alice/linked"))
    assert made(erin(house).get("/users/dave"))["linked"] == ["bob"]
    made(erin(house).ask("DELETE", "/users/dave/linked"))
    said = refused(erin(house).ask("DELETE", "/users/bob/linked"), 422, "bad_account_link")
    assert said == "bob is not linked to another account. `signoff user list` shows who is."


# Tokens


def test_a_token_is_shown_once_does_what_its_scopes_say_and_is_revoked(house: House) -> None:
    answer = made(house.as_("alice").post("/tokens", {"name": "reader", "scopes": ["read"], "days": 7}))
    assert answer["secret"].startswith("signoff_")
    assert len(answer["secret"]) == len("signoff_") + 36 + 6
    caller = Caller(house.client, answer["secret"])
    assert made(caller.get("/me"))["credential"] == "token"
    body = {"pipeline": APPROVE_AND_DEPLOY, "model": house.version()}
    said = refused(caller.post("/runs", body), 403, "not_allowed")
    assert said == "This API token may not submit: its scopes are read. It takes a token with the scope submit."
    listed = made(house.as_("alice").get("/tokens"))["items"]
    assert (listed[0]["name"], listed[0]["scopes"]) == ("reader", ["read"])
    assert listed[0]["last_used_at"] is not None
    assert answer["secret"] not in str(listed) + str(house.events())
    assert refused(house.as_("bob").delete(f"/tokens/{answer['id']}"), 404, "token_unknown").startswith("There is no")
    made(house.as_("alice").delete(f"/tokens/{answer['id']}"))
    said = refused(caller.get("/me"), 401, "token_over")
    assert said == "The token reader is not good any more: it was revoked. Make another: signoff token."


def test_a_token_expires(house: House) -> None:
    caller = with_token(house, "alice", days=7)
    house.clock.wait(days=6, hours=23)
    made(caller.get("/me"))
    house.clock.wait(hours=2)
    assert "it expired" in refused(caller.get("/me"), 401, "token_over")


def test_a_token_never_decides_unless_an_administrator_marked_it_and_the_log_shows_the_automation(
    house: House,
) -> None:
    said = refused(house.as_("bob").post("/tokens", {"name": "x", "scopes": ["decide"]}), 403, "not_allowed")
    assert said.startswith("A token cannot decide, unless an administrator marks it for a named automation.")
    plain = with_token(house, "bob")
    request = {"name": "nightly", "person": "bob", "scopes": ["read", "decide"], "automation": "canary judge"}
    marked = Caller(house.client, made(erin(house).post("/tokens", request))["secret"])
    assert house.events()[-1].detail["may_decide_as"] == "canary judge"
    run_id = house.submit()
    body = {"verdict": "approve", "digest": house.gate(run_id)["digest"], "comment": ""}
    path = f"/runs/{run_id}/gates/approve/decisions"
    assert refused(plain.post(path, body), 403, "cannot_decide").startswith("An API token cannot decide.")
    made(marked.post(path, body))
    decided = next(event for event in house.events(run_id) if event.type == "gate.decided")
    assert (decided.actor, decided.detail["credential"]) == ("bob", "token")
    assert decided.detail["automation"] == "canary judge"
    for method, elsewhere in (("POST", "/tokens"), ("GET", "/sessions"), ("PUT", "/me/password")):
        asked = {"name": "x"} if elsewhere == "/tokens" else {"password": "x" * 20}
        refused(marked.ask(method, elsewhere, json=None if method == "GET" else asked), 403, "not_allowed")


def test_an_automation_does_not_approve_what_its_person_submitted(house: House) -> None:
    made(patch(erin(house), "/users/bob", {"roles": ["approver", "submitter"]}))
    request = {"name": "nightly", "person": "bob", "scopes": ["decide"], "automation": "canary judge"}
    marked = Caller(house.client, made(erin(house).post("/tokens", request))["secret"])
    run_id = house.submit(APPROVE_AND_DEPLOY.replace("['bob']", "['bob', 'carol']"), by="bob")
    body = {"verdict": "approve", "digest": house.gate(run_id)["digest"], "comment": ""}
    refused(marked.post(f"/runs/{run_id}/gates/approve/decisions", body), 403, "cannot_decide")


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"name": " "}, "bad_token", "A name for token has 1 to 100 printable characters."),
        ({"name": "x\n"}, "bad_token", "A name for token has 1 to 100 printable characters."),
        ({"name": "x", "automation": "y"}, "bad_token", "needs the scope decide"),
        ({"name": "x", "days": 367}, "malformed_request", "days"),
        ({"name": "x", "scopes": []}, "malformed_request", "scopes"),
        ({"name": "x", "scopes": ["admin"]}, "malformed_request", "scopes"),
    ],
)
def test_a_token_that_cannot_be_is_refused(house: House, body: dict[str, Any], code: str, words: str) -> None:
    with house.unchanged():
        assert words in refused(erin(house).post("/tokens", body), 422, code)


def test_nobody_collects_tokens_without_end(house: House) -> None:
    for number in range(99):
        made(house.as_("alice").post("/tokens", {"name": f"t{number}"}))
    said = refused(house.as_("alice").post("/tokens", {"name": "one more"}), 422, "bad_token")
    assert said == "alice has 100 tokens. Revoke those that nobody uses: `signoff token revoke`."


# What is there to know


def test_two_changes_at_once_are_both_kept(house: House) -> None:
    from threading import Thread

    names = [f"person{number}" for number in range(6)]
    threads = [Thread(target=people.add_person, args=(house.desk, house.actor("erin"), name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    found = [item["name"] for item in made(erin(house).get("/users"))["items"]]
    assert [name for name in found if name.startswith("person")] == names
