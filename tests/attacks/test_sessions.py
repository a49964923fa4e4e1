"""Sessions and tokens that were planted, stolen, ended, or belong to somebody who left."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from every_route import REST, Scene
from house import House, made, refused
from page_browser import Browser
from signoff.domain.account import SESSION_IDLE, Method
from signoff.domain.account_errors import LinkUnknownError, StaleSignInError
from signoff.domain.actor import Credential
from signoff.ports import Vouched
from signoff.service.accounts import find_link, make_link, set_password, use_link
from signoff.service.credentials import new_secret
from signoff.service.devices import decide_device
from signoff.service.passkeys import begin_adding
from signoff.service.sessions import authenticate, open_session
from signoff.service.single_sign_on import begin_connecting, connect_identity, disconnect_identity

PASSWORD = "seven quiet herons wade"


def with_password(house: House, name: str) -> str:
    link = make_link(house.desk, house.actor("erin"), name)
    return use_link(house.desk, link.url.partition("code=")[2], PASSWORD)


def cookie(browser: Browser) -> str:
    return browser.client.cookies.get("signoff", domain="testserver.local") or ""


def plant(browser: Browser, secret: str) -> None:
    browser.client.cookies.set("signoff", secret, domain="testserver.local", path="/")


def test_a_session_that_was_planted_before_signing_in_is_worth_nothing_after(house: House) -> None:
    with_password(house, "bob")
    for planted in (new_secret("session"), "x"):
        browser = Browser(house)
        plant(browser, planted)
        browser.send("/sign-in", "/sign-in", name="bob", password=PASSWORD)
        assert cookie(browser) != planted
        thief = Browser(house)
        plant(thief, planted)
        assert "bob" not in thief.get("/account").text


def test_a_session_that_was_stolen_an_hour_after_signing_in_opens_no_way_to_stay(house: House) -> None:
    thief = authenticate(house.desk, open_session(house.desk, "bob", [Method.OIDC], address="", agent=""))
    house.clock.wait(minutes=31)
    code = made(house.client.post("/api/v1/device/code", json={"client": "c"}))["user_code"]
    mine = Vouched("https://id.example", "mallory", "mallory", None, None)
    ways: dict[str, Callable[[], object]] = {
        "a password": lambda: set_password(house.desk, thief, PASSWORD),
        "a passkey": lambda: begin_adding(house.desk, thief),
        "an account elsewhere": lambda: begin_connecting(house.desk, thief, "s"),
        "coming back from elsewhere": lambda: connect_identity(house.desk, thief, mine),
        "taking one away": lambda: disconnect_identity(house.desk, thief),
        "a program": lambda: decide_device(house.desk, thief, code, is_approved=True, address=""),
    }
    for way in ways.values():
        with house.unchanged(), pytest.raises(StaleSignInError):
            way()
    decide_device(house.desk, thief, code, is_approved=False, address="")


def test_a_form_that_was_opened_before_signing_in_is_worth_nothing_after(house: House) -> None:
    with_password(house, "bob")
    browser = Browser(house)
    before = browser.form("/sign-in", "/sign-in").fields
    browser.post("/sign-in", {**before, "name": "bob", "password": PASSWORD})
    assert browser.post("/account/sessions/end-others", before).status_code == 403


def test_the_secret_changes_at_every_sign_in_and_the_one_before_stays_apart(house: House) -> None:
    with_password(house, "bob")
    browser = Browser(house)
    seen = set()
    for _ in range(3):
        browser.send("/sign-in", "/sign-in", name="bob", password=PASSWORD)
        seen.add(cookie(browser))
        browser.send("/account", "/sign-out")
    assert len(seen) == 3
    for secret in seen:
        plant(browser, secret)
        assert browser.get("/account").status_code == 303


def test_who_was_deactivated_gets_nowhere_with_anything_they_had(scene: Scene) -> None:
    house = scene.house
    session = with_password(house, "bob")
    link = make_link(house.desk, house.actor("erin"), "bob").url.partition("code=")[2]
    browser = Browser(house)
    plant(browser, session)
    assert browser.get("/account").status_code == 200
    made(house.as_("erin").post("/users/bob/deactivate", {"force": True}))
    assert browser.get("/account").status_code == 303
    with pytest.raises(LinkUnknownError):
        find_link(house.desk, link, address="")
    for credential in (Credential.SESSION, Credential.TOKEN):
        for route, door in REST.items():
            if door.action is not None:
                method = route.partition(" ")[0]
                answer = house.as_("bob", credential).ask(method, scene.path(route), json=door.body)
                assert answer.status_code == 401, route
    assert "is not right" in Browser(house).send("/sign-in", "/sign-in", name="bob", password=PASSWORD).text


def test_what_died_stays_dead_when_its_person_comes_back(house: House) -> None:
    session = with_password(house, "bob")
    made(house.as_("erin").post("/users/bob/deactivate", {"force": True}))
    made(house.as_("erin").post("/users/bob/activate"))
    browser = Browser(house)
    plant(browser, session)
    assert browser.get("/account").status_code == 303
    for credential in (Credential.SESSION, Credential.TOKEN):
        assert house.as_("bob", credential).get("/me").status_code == 401


def test_a_role_that_was_taken_is_gone_with_the_next_request(house: House) -> None:
    run = house.submit()
    digest = house.gate(run)["digest"]
    made(house.as_("erin").ask("PATCH", "/users/bob", json={"roles": ["viewer"], "force": True}))
    refused(house.says("bob", run, "approve", digest=digest), 403, "cannot_decide")
    made(house.as_("erin").ask("PATCH", "/users/bob", json={"roles": ["approver"]}))
    house.decide("bob", run, "approve")


def test_a_session_that_idled_away_is_over_for_pages_and_rest_alike(house: House) -> None:
    browser = Browser(house).sign_in("bob")
    secret = cookie(browser)
    house.clock.wait(seconds=SESSION_IDLE.total_seconds() + 1)
    assert browser.get("/account").status_code == 303
    answer = house.client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
    refused(answer, 401, "session_over")


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "bearer null",
        "Bearer signoff_" + "0" * 42,
        "Bearer signoffs_" + "a" * 100_0,
        "Bearer \u00ff\u00fe",
        "Basic Ym9iOmJvYg==",
        "Digest username=bob",
        "Bearer {0} {0}",
        "Bearer {0},{0}",
        "Bearer {0}x",
        "Token {0}",
        "{0}",
    ],
)
def test_nothing_but_a_whole_secret_lets_anybody_in(house: House, header: str) -> None:
    value = header.replace("{0}", house.secret("erin")).encode("latin-1")
    answer = house.client.request("GET", "/api/v1/me", headers=[(b"authorization", value)])
    refused(answer, 401, "not_authenticated")


def test_a_secret_of_one_kind_is_nothing_as_another(house: House) -> None:
    link = make_link(house.desk, house.actor("erin"), "bob").url.partition("code=")[2]
    device = made(house.client.post("/api/v1/device/code", json={}))["device_code"]
    for secret in (link, device):
        answer = house.client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
        refused(answer, 401, "not_authenticated")
    session = house.secret("bob")
    assert house.client.post("/api/v1/device/token", json={"device_code": session}).status_code >= 400
    with pytest.raises(LinkUnknownError):
        find_link(house.desk, session, address="")
