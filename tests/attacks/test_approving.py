"""Approving what one should not: by token, by looking, by another account, with what is over, twice, at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from factories import CAST
from house import House, made, refused
from page_browser import Browser
from signoff.domain.account import SESSION_IDLE
from signoff.domain.actor import Credential, Person, Role
from signoff.web.forgery import FIELD, token_of

ALL_ROLES = Person("alice", frozenset(Role))
SECOND = Person("alice-admin", frozenset({Role.APPROVER, Role.ADMIN}))
TWO = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['bob', 'carol', 'alice', 'alice-admin'], required_approvals: 2}
  - {name: deploy, type: deployment, inputs: {environment: production}}
"""


def test_a_token_approves_nothing_whoever_holds_it(house: House) -> None:
    run = house.submit()
    with house.unchanged():
        refused(house.says("bob", run, "approve", credential=Credential.TOKEN), 403, "cannot_decide")
        browser = Browser(house)
        browser.client.cookies.set("signoff", house.secret("bob", Credential.TOKEN), domain="testserver.local")
        answer = browser.post(f"/runs/{run}/gates/approve/decisions", {FIELD: token_of(house.secret("bob"))})
        assert answer.status_code in {401, 403}


def test_a_token_that_may_decide_is_made_by_administrators_only(house: House) -> None:
    for who in ("alice", "bob", "dave"):
        with house.unchanged():
            body = {"name": "t", "scopes": ["decide"], "automation": "nightly"}
            assert house.as_(who).post("/tokens", body).status_code == 403
    token = house.as_("erin", Credential.TOKEN)
    assert token.post("/tokens", {"name": "t"}).status_code == 403


def test_nothing_that_is_looked_at_decides(house: House) -> None:
    run = house.submit()
    browser = Browser(house).sign_in("bob")
    gate = house.gate(run)
    base = f"/runs/{run}/gates/approve"
    with house.unchanged():
        for path, method in product(("", "/decisions", "/withdraw", "/approve"), ("GET", "HEAD", "OPTIONS")):
            query = f"?verdict=approve&digest={gate['digest']}&{FIELD}={token_of('x')}"
            browser.client.request(method, base + path + query)
            house.as_("bob").ask(method, base + path + query)
    assert house.gate(run)["decisions"] == []


def test_a_submitter_does_not_approve_by_their_own_or_a_linked_account(house: House) -> None:
    house.people(*[p for p in CAST if p.name != "alice"], ALL_ROLES, SECOND)
    made(house.as_("erin").post("/users/alice/linked", {"other": "alice-admin"}))
    run = house.submit(TWO)
    with house.unchanged():
        for who in ("alice", "alice-admin"):
            refused(house.says(who, run, "approve"), 403, "cannot_decide")
    house.decide("bob", run, "approve")
    with house.unchanged():
        refused(house.says("alice-admin", run, "approve"), 403, "cannot_decide")
    assert house.status(run) == "waiting"


def test_an_administrator_does_not_approve_and_cannot_make_it_so_unseen(house: House) -> None:
    run = house.submit()
    refused(house.says("erin", run, "approve"), 403, "cannot_decide")
    made(house.as_("erin").ask("PATCH", "/users/erin", json={"roles": ["admin", "approver"]}))
    refused(house.says("erin", run, "approve"), 403, "cannot_decide")
    assert "person.changed" in house.types()


def test_an_account_that_is_linked_after_it_approved_counts_no_more(house: House) -> None:
    house.people(*CAST, SECOND)
    run = house.submit(TWO)
    house.decide("alice-admin", run, "approve")
    made(house.as_("erin").post("/users/alice/linked", {"other": "alice-admin", "force": True}))
    house.decide("bob", run, "approve")
    assert house.status(run) == "waiting"
    house.decide("carol", run, "approve")
    assert house.status(run) == "succeeded"


def test_a_session_that_is_over_approves_nothing(house: House) -> None:
    run = house.submit()
    digest = house.gate(run)["digest"]
    browser = Browser(house).sign_in("bob")
    secret = browser.client.cookies.get("signoff") or ""
    fields = {"verdict": "approve", "digest": digest, FIELD: token_of(secret)}
    house.clock.wait(seconds=SESSION_IDLE.total_seconds() + 1)
    with house.unchanged():
        assert browser.post(f"/runs/{run}/gates/approve/decisions", fields).status_code == 401
        headers = {"Authorization": f"Bearer {secret}"}
        body = {"verdict": "approve", "digest": digest}
        answer = house.client.post(f"/api/v1/runs/{run}/gates/approve/decisions", json=body, headers=headers)
        refused(answer, 401, "session_over")


def test_one_person_approves_once_in_whatever_way_and_however_often_they_ask(house: House) -> None:
    house.people(*CAST, SECOND)
    run = house.submit(TWO)
    digest = house.gate(run)["digest"]
    house.as_("bob")

    def once(_: int) -> int:
        return house.says("bob", run, "approve", digest=digest).status_code

    with ThreadPoolExecutor(8) as threads:
        answers = sorted(threads.map(once, range(8)))
    assert answers == [200] + [409] * 7
    browser = Browser(house).sign_in("bob")
    fields = {"verdict": "approve", "digest": digest, FIELD: token_of(browser.client.cookies.get("signoff") or "")}
    assert browser.post(f"/runs/{run}/gates/approve/decisions", fields).status_code == 409
    assert len(house.gate(run)["decisions"]) == 1
    house.work()
    assert house.status(run) == "waiting"


@pytest.mark.parametrize("other", ["digest", "run", "attempt"])
def test_an_approval_is_of_the_bytes_that_were_seen_and_of_no_other(house: House, other: str) -> None:
    run, second = house.submit(), house.submit()
    seen = house.gate(second)["digest"] if other == "run" else "sha256:" + "0" * 64
    if other == "attempt":
        seen = house.gate(run)["subject"]["manifest_digest"]
    with house.unchanged():
        refused(house.says("bob", run, "approve", digest=seen), 409, "subject_changed")


def test_nobody_decides_in_the_name_of_somebody_who_did_not_ask_them_to(house: House) -> None:
    run = house.submit()
    with house.unchanged():
        for who in ("carol", "dave", "alice", "erin"):
            assert house.says(who, run, "approve", on_behalf_of="bob").status_code == 403
