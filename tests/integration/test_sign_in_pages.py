"""Signing in and out on pages: sessions, one-time links, forms that were forged, and what every page carries."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

import pytest
from fastapi import FastAPI

from house import House
from page_browser import OF_A_BROWSER, Browser, forms, words
from signoff.domain.account import SESSION_IDLE, SESSION_LASTS
from signoff.service.accounts import make_first_link, make_link, use_link
from signoff.service.sessions import list_sessions

PASSWORD = "seven quiet herons wade"


@pytest.fixture
def browser(house: House) -> Browser:
    """A browser in which nobody is signed in."""
    return Browser(house)


def with_password(house: House, name: str) -> None:
    """Let `name` have a password."""
    link = make_link(house.desk, house.actor("erin"), name)
    use_link(house.desk, link.url.partition("code=")[2], PASSWORD)


def test_a_link_opens_the_right_page_after_signing_in(house: House, browser: Browser) -> None:
    with_password(house, "bob")
    led = browser.get("/account?tab=sessions")
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=/account%3Ftab%3Dsessions")
    signed = browser.send(led.headers["location"], "/sign-in", name="bob", password=PASSWORD)
    assert (signed.status_code, signed.headers["location"]) == (303, "/account?tab=sessions")
    assert "bob" in words(browser.get("/account"))


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/%0d%0aX: y\r\n",
        "/sign-out",
    ],
)
def test_nobody_is_led_to_another_server(house: House, browser: Browser, wanted: str) -> None:
    with_password(house, "bob")
    fields = browser.form("/sign-in", "/sign-in").fields
    signed = browser.post("/sign-in", {**fields, "name": "bob", "password": PASSWORD, "next": wanted})
    assert signed.status_code == 303
    assert signed.headers["location"].startswith("/")
    assert "evil" not in signed.headers["location"]
    assert signed.headers["location"] != "/sign-out"


def test_a_wrong_password_and_an_unknown_name_are_told_alike(house: House, browser: Browser) -> None:
    with_password(house, "bob")
    answers = [browser.send("/sign-in", "/sign-in", name=name, password="not this one") for name in ("bob", "nobody")]
    assert [answer.status_code for answer in answers] == [401, 401]
    told = [words(answer).replace("nobody", "bob") for answer in answers]
    assert told[0] == told[1]
    assert "name or the password is not right" in told[0]


def test_signing_in_gives_a_new_session_whatever_cookie_was_there(house: House, browser: Browser) -> None:
    with_password(house, "bob")
    browser.client.cookies.set("signoff", "signoffs_planted", domain="testserver.local", path="/")
    signed = browser.send("/sign-in", "/sign-in", name="bob", password=PASSWORD)
    cookie = next(c for c in signed.headers.get_list("set-cookie") if c.startswith("signoff="))
    assert "planted" not in cookie
    assert re.search(r"HttpOnly", cookie)
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie


def test_signing_in_again_ends_the_session_that_the_browser_had(house: House, browser: Browser) -> None:
    with_password(house, "bob")
    browser.sign_in("bob")
    former = browser.client.cookies.get("signoff") or ""
    assert browser.send("/sign-in?again=1", "/sign-in", name="bob", password=PASSWORD).status_code == 303
    assert browser.get("/account").status_code == 200
    browser.client.cookies.set("signoff", former, domain="testserver.local", path="/")
    assert browser.get("/account").status_code == 303


def test_the_cookie_is_for_this_host_over_tls_only_when_the_address_is_https(house: House) -> None:
    with_password(house, "bob")
    browser = Browser(house)
    app = cast("FastAPI", house.client.app)
    app.state.desk = replace(house.desk, url="https://testserver")
    browser.client.base_url = "https://testserver"
    try:
        fields = browser.form("/sign-in", "/sign-in").fields
        headers = {**OF_A_BROWSER, "Origin": "https://testserver"}
        signed = browser.client.post("/sign-in", data={**fields, "name": "bob", "password": PASSWORD}, headers=headers)
        cookie = next(c for c in signed.headers.get_list("set-cookie") if "signoffs_" in c)
        assert cookie.startswith("__Host-signoff=")
        assert "Secure" in cookie
        assert "max-age=" in signed.headers["strict-transport-security"]
    finally:
        app.state.desk = house.desk


def test_signing_out_ends_the_session_on_the_server(house: House, browser: Browser) -> None:
    browser.sign_in("bob")
    kept = browser.client.cookies.get("signoff")
    assert browser.send("/account", "/sign-out").headers["location"] == "/sign-in"
    browser.client.cookies.set("signoff", kept or "", domain="testserver.local", path="/")
    assert browser.get("/account").status_code == 303


@pytest.mark.parametrize("idle", [True, False])
def test_a_session_ends_when_it_is_idle_or_old(house: House, browser: Browser, *, idle: bool) -> None:
    browser.sign_in("bob")
    if idle:
        house.clock.wait(seconds=SESSION_IDLE.total_seconds() + 1)
    else:
        for _ in range(int(SESSION_LASTS / SESSION_IDLE) * 2 + 1):
            house.clock.wait(seconds=SESSION_IDLE.total_seconds() / 2)
            browser.get("/account")
    assert browser.get("/account").headers["location"] == "/sign-in?next=/account"
    assert "session is over" in words(browser.get("/sign-in"))


def test_what_was_typed_survives_the_end_of_a_session(house: House, browser: Browser) -> None:
    browser.sign_in("bob")
    fields = browser.form("/account", "/account/password").fields
    house.clock.wait(seconds=SESSION_IDLE.total_seconds() + 1)
    typed = {**fields, "current": PASSWORD, "comment": "recall is too low\nfor over 65s"}
    answer = browser.post("/account/password", typed, Referer="http://testserver/account")
    assert answer.status_code == 401
    assert "recall is too low" in answer.text
    assert PASSWORD not in answer.text
    assert "/sign-in?next=/account" in answer.text


def test_an_api_token_in_a_cookie_signs_nobody_in(house: House, browser: Browser) -> None:
    from signoff.domain.actor import Credential

    browser.client.cookies.set("signoff", house.secret("bob", Credential.TOKEN), domain="testserver.local", path="/")
    assert browser.get("/account").status_code == 303


def test_a_form_without_its_token_is_refused_and_nothing_changes(house: House, browser: Browser) -> None:
    browser.sign_in("bob")
    browser.get("/account")
    with house.unchanged():
        for data in ({}, {"csrf_token": "x.y"}, {"csrf_token": ""}):
            answer = browser.post("/account/sessions/end-others", data)
            assert answer.status_code == 403
            assert "older page" in words(answer)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver", "Sec-Fetch-Site": "cross-site"},
        {},
    ],
)
def test_a_form_of_another_site_is_refused_even_with_the_token(
    house: House, browser: Browser, headers: dict[str, str]
) -> None:
    browser.sign_in("bob")
    fields = browser.form("/account", "/account/password").fields
    with house.unchanged():
        answer = browser.client.post("/account/sessions/end-others", data=fields, headers=headers)
    assert answer.status_code == 403
    assert "not sent by a page of this server" in words(answer)


def test_the_token_of_one_person_is_nothing_in_the_browser_of_another(house: House) -> None:
    bob, carol = Browser(house).sign_in("bob"), Browser(house).sign_in("carol")
    token = bob.form("/account", "/account/password").fields["csrf_token"]
    assert carol.post("/account/sessions/end-others", {"csrf_token": token}).status_code == 403
    assert bob.post("/account/sessions/end-others", {"csrf_token": token}).status_code == 303


def test_every_page_carries_a_policy_without_anything_unsafe_and_a_nonce_of_its_own(
    house: House, browser: Browser
) -> None:
    nonces = set()
    for path in ("/sign-in", "/sign-in", "/nowhere", "/account", "/link?code=x"):
        answer = browser.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        nonce = re.search(r"'nonce-([^']+)'", policy)
        assert nonce
        nonces.add(nonce.group(1))
        assert re.findall(r"<script(?![^>]*nonce=)", answer.text) == []
        assert re.findall(r"<style|\sstyle=|\son\w+=", answer.text) == []
    assert len(nonces) == 5


def test_a_page_that_is_not_there_says_so_with_the_id_of_the_request(browser: Browser) -> None:
    answer = browser.get("/nowhere")
    assert answer.status_code == 404
    assert "There is no page at /nowhere." in words(answer)
    assert answer.headers["x-request-id"] in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_a_bug_is_a_page_that_tells_nothing_of_it(
    house: House, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("signoff.web.account.list_sessions", broken)
    answer = browser.sign_in("bob").get("/account")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert answer.headers["x-request-id"] in answer.text


def test_what_programs_ask_for_is_still_answered_for_programs(house: House, browser: Browser) -> None:
    assert browser.get("/api/v1/nothing").headers["content-type"] == "application/problem+json"
    assert browser.get("/api/v1/runs").status_code == 401
    assert "nonce" not in browser.get("/healthz").headers.get("content-security-policy", "")


def test_a_session_cookie_is_nothing_to_rest(house: House, browser: Browser) -> None:
    browser.sign_in("bob")
    assert browser.get("/api/v1/runs").status_code == 401


def test_static_files_are_kept_for_ever_and_never_twice_under_one_address(browser: Browser) -> None:
    page = browser.get("/sign-in").text
    address = re.search(r'href="(/static/\w+/app.css)"', page)
    assert address
    found = browser.get(address.group(1), headers={"Accept-Encoding": "gzip"})
    assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert found.headers["content-encoding"] == "gzip"
    assert "Inter Variable" in found.text
    assert browser.get("/static/another/app.css").headers["cache-control"] == "no-cache"
    assert browser.get("/static/another/../app.py").status_code == 404
    assert browser.get("/static/x/%2e%2e/app.py").status_code == 404


def test_the_first_administrator_sets_up_the_server_by_the_link(house: House, browser: Browser) -> None:
    made = make_first_link(house.desk)
    assert made is not None
    path = made.url.removeprefix("http://testserver")
    assert "administers this server" in words(browser.get(path))
    fields = forms(browser.get(path))[0].fields
    typed = {**fields, "name": "gail", "password": PASSWORD, "again": "another passphrase"}
    assert "not the same" in words(browser.post("/link", typed))
    done = browser.post("/link", {**typed, "again": PASSWORD})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert "admin" in words(browser.get("/account"))
    assert browser.get(path).status_code == 404


def test_an_invitation_tells_who_made_it_and_is_good_once(house: House, browser: Browser) -> None:
    path = make_link(house.desk, house.actor("erin"), "bob").url.removeprefix("http://testserver")
    assert "erin made it" in words(browser.get(path))
    assert "at least 12" in words(browser.send(path, "/link", password="short", again="short"))
    assert browser.send(path, "/link", password=PASSWORD, again=PASSWORD).status_code == 303
    assert "not good any more" in words(Browser(house).get(path))


def test_changing_the_password_signs_out_everywhere_else(house: House, browser: Browser) -> None:
    with_password(house, "bob")
    other = Browser(house).sign_in("bob")
    browser.sign_in("bob")
    wrong = browser.send(
        "/account", "/account/password", current="wrong", password=PASSWORD + "!", again=PASSWORD + "!"
    )
    assert "present password is not right" in words(wrong)
    assert other.get("/account").status_code == 200
    new = PASSWORD + " two"
    done = browser.send("/account", "/account/password", current=PASSWORD, password=new, again=new)
    assert done.status_code == 303
    assert browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 303


def test_a_session_is_ended_from_another_one_but_never_somebody_elses(house: House) -> None:
    bob, bobs_phone, carol = (
        Browser(house).sign_in("bob"),
        Browser(house).sign_in("bob"),
        Browser(house).sign_in("carol"),
    )
    ends = [form for form in forms(bob.get("/account")) if form.action.endswith("/end")]
    assert len(ends) == 1
    mine = next(s.id for s in list_sessions(house.desk, house.actor("carol")) if not s.is_local)
    token = ends[0].fields["csrf_token"]
    assert bob.post(f"/account/sessions/{mine}/end", {"csrf_token": token}).status_code == 404
    assert bob.post(ends[0].action, ends[0].fields).status_code == 303
    assert bobs_phone.get("/account").status_code == 303
    assert carol.get("/account").status_code == 200
