"""`signoff login` from the server's side: a code, a page, a person who says yes, and every way in which it is no."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from factories import CAST
from house import Caller, House, made, refused
from page_browser import Browser, words
from signoff.domain.account_errors import LinkUnknownError, TooManyAttemptsError
from signoff.domain.actor import Actor
from signoff.domain.device import DEVICE_TRANSITIONS, DeviceStatus, DeviceUnknownError, UserCodeError, read_user_code
from signoff.engine.tick import sweep
from signoff.service import accounts, devices, limits
from signoff.service.credentials import DEVICE, LINK, new_secret
from signoff.service.limits import Limit, place_of

HERE = "192.0.2.7"


@pytest.fixture
def browser(house: House) -> Browser:
    return Browser(house)


def begin(house: House, client: str = "the command line on laptop") -> dict[str, Any]:
    return made(house.client.post("/api/v1/device/code", json={"client": client}))


def poll(house: House, started: dict[str, Any]) -> Any:
    house.clock.wait(seconds=started["interval"])
    return house.client.post("/api/v1/device/token", json={"device_code": started["device_code"]})


def says(house: House, who: str, started: dict[str, Any], *, is_approved: bool = True) -> None:
    actor = replace(house.actor(who), credential_id="s", authenticated_at=house.clock.now - timedelta(minutes=10))
    devices.decide_device(house.desk, actor, started["user_code"], is_approved=is_approved, address=HERE)


def test_a_program_is_signed_in_once_its_code_was_confirmed_in_a_browser(house: House, browser: Browser) -> None:
    started = begin(house)
    assert started["verification_uri"] == "http://testserver/device"
    refused(poll(house, started), 400, "authorization_pending")
    browser.sign_in("bob")
    page = browser.get(started["verification_uri_complete"].removeprefix("http://testserver"))
    assert started["user_code"] in words(page)
    assert "the command line on laptop asks to act as bob" in " ".join(words(page).split())
    refused(poll(house, started), 400, "authorization_pending")
    answered = browser.send(f"/device?code={started['user_code']}", "/device", answer="yes")
    assert answered.status_code == 303
    assert "is signed in as bob" in words(browser.get("/account"))
    session = made(poll(house, started))
    me = made(Caller(house.client, session["secret"]).get("/me"))
    assert (me["name"], me["credential"], me["methods"]) == ("bob", "session", ["device"])
    assert me["expires_at"] == session["expires_at"]
    assert "device.approved" in house.types()


def test_a_code_is_typed_in_any_spacing_and_a_wrong_one_is_told(house: House, browser: Browser) -> None:
    started = begin(house)
    browser.sign_in("bob")
    typed = started["user_code"].lower().replace("-", " ")
    assert started["user_code"] in words(browser.get("/device", params={"code": typed}))
    assert "Enter the code" in words(browser.get("/device"))
    assert browser.get("/device?code=BCDF-GHJK").status_code == 404
    assert browser.get("/device?code=<script>").status_code == 422
    assert browser.get("/device?code=AAAA-AAAA").status_code == 422


def test_who_is_not_signed_in_is_led_to_sign_in_and_back(house: House, browser: Browser) -> None:
    led = browser.get("/device?code=BCDF-GHJK")
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=/device%3Fcode%3DBCDF-GHJK")


def test_looking_at_the_page_decides_nothing_and_a_forged_form_neither(house: House, browser: Browser) -> None:
    started = begin(house)
    browser.sign_in("bob")
    for _ in range(3):
        browser.get(f"/device?code={started['user_code']}&answer=yes")
    assert browser.post("/device", {"code": started["user_code"], "answer": "yes"}).status_code == 403
    form = browser.form(f"/device?code={started['user_code']}", "/device").fields
    foreign = browser.post("/device", {**form, "answer": "yes"}, Origin="https://evil.example")
    assert foreign.status_code == 403
    refused(poll(house, started), 400, "authorization_pending")
    assert browser.post("/device", {**form, "answer": "perhaps"}).status_code == 422
    refused(poll(house, started), 400, "authorization_pending")


def test_what_a_program_calls_itself_is_text_on_the_page(house: House, browser: Browser) -> None:
    started = begin(house, "<script>alert(1)</script>\x1b[31m\u202ex")
    browser.sign_in("bob")
    page = browser.get(f"/device?code={started['user_code']}").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_a_refusal_is_told_to_the_program(house: House, browser: Browser) -> None:
    started = begin(house)
    browser.sign_in("bob")
    browser.send(f"/device?code={started['user_code']}", "/device", answer="no")
    for _ in range(2):
        refused(poll(house, started), 400, "access_denied")
    assert "device.denied" in house.types()
    with pytest.raises(DeviceUnknownError):
        says(house, "bob", started)


def test_a_code_is_good_for_ten_minutes_one_answer_and_one_session(house: House) -> None:
    late = begin(house)
    house.clock.wait(minutes=10)
    with pytest.raises(DeviceUnknownError):
        says(house, "bob", late)
    refused(poll(house, late), 400, "expired_token")
    confirmed_too_late = begin(house)
    says(house, "bob", confirmed_too_late)
    house.clock.wait(minutes=10)
    refused(poll(house, confirmed_too_late), 400, "expired_token")
    once = begin(house)
    says(house, "bob", once)
    with pytest.raises(DeviceUnknownError):
        says(house, "carol", once)
    assert made(poll(house, once))["person"] == "bob"
    refused(poll(house, once), 400, "expired_token")


def test_of_many_who_ask_at_once_one_gets_the_session(house: House) -> None:
    started = begin(house)
    says(house, "bob", started)
    client = house.client
    body = {"device_code": started["device_code"]}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.post("/api/v1/device/token", json=body), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


def test_who_asks_too_often_is_told_to_slow_down(house: House) -> None:
    started = begin(house)
    body = {"device_code": started["device_code"]}
    refused(house.client.post("/api/v1/device/token", json=body), 400, "authorization_pending")
    refused(house.client.post("/api/v1/device/token", json=body), 400, "slow_down")
    refused(poll(house, started), 400, "authorization_pending")


@pytest.mark.parametrize(
    "secret",
    ["", "x", new_secret(DEVICE), new_secret("session"), new_secret("token"), "\x00"],
    ids=["empty", "short", "of a device", "of a session", "of a token", "a zero byte"],
)
def test_a_secret_of_no_program_gets_nothing(house: House, secret: str) -> None:
    answer = house.client.post("/api/v1/device/token", json={"device_code": secret})
    refused(answer, 400, "expired_token")


def test_the_short_code_alone_gets_nothing(house: House) -> None:
    started = begin(house)
    says(house, "bob", started)
    answer = house.client.post("/api/v1/device/token", json={"device_code": started["user_code"]})
    refused(answer, 400, "expired_token")


def test_who_was_deactivated_after_they_confirmed_gets_no_session(house: House) -> None:
    started = begin(house)
    says(house, "carol", started)
    made(house.as_("erin").post("/users/carol/deactivate", {}))
    refused(poll(house, started), 400, "access_denied")
    assert "session.opened" not in [e.type.value for e in house.events() if e.actor == "carol"]


def test_the_session_does_not_pretend_that_its_person_was_just_there(house: House) -> None:
    started = begin(house)
    says(house, "bob", started)
    secret = made(poll(house, started))["secret"]
    from signoff.service.sessions import authenticate

    actor = authenticate(house.desk, secret)
    assert actor.methods == ("device",)
    assert actor.authenticated_at is not None
    assert house.clock.now - actor.authenticated_at > timedelta(minutes=9)


def test_a_session_of_a_program_ends_after_a_week_and_when_its_person_ends_it(house: House) -> None:
    started = begin(house)
    says(house, "bob", started)
    session = made(poll(house, started))
    caller = Caller(house.client, session["secret"])
    for _ in range(3):
        house.clock.wait(days=2)
        made(caller.get("/me"))
    house.clock.wait(days=1)
    refused(caller.get("/me"), 401, "session_over")
    other = begin(house)
    says(house, "bob", other)
    caller = Caller(house.client, made(poll(house, other))["secret"])
    me = made(caller.get("/me"))
    made(caller.delete(f"/sessions/{me['credential_id']}"))
    refused(caller.get("/me"), 401, "session_over")


def test_a_token_confirms_no_code(house: House) -> None:
    from signoff.domain.actor import Credential, actor_of
    from signoff.domain.errors import NotAllowedError

    started = begin(house)
    token: Actor = actor_of(next(p for p in CAST if p.name == "bob"), Credential.TOKEN)
    with pytest.raises(NotAllowedError, match="token cannot manage account"):
        devices.decide_device(house.desk, token, started["user_code"], is_approved=True, address=HERE)


def test_neither_the_code_nor_the_secret_is_kept_where_it_could_be_read_as_one(house: House) -> None:
    started = begin(house)
    with house.database.begin() as tx:
        kept = str(list(tx.exec_driver_sql("SELECT * FROM device_codes")))
    assert "signoffd_" not in kept
    assert started["device_code"] not in str(house.events())


def fill(house: House, limit: Limit, address: str, account: str = "") -> None:
    for _ in range(limit.of_account if account and limit.of_account else limit.of_address):
        limits.note_attempt(house.desk, limit, address=address, account=account)


def test_who_types_too_many_wrong_codes_has_to_wait_wherever_they_are(house: House) -> None:
    started = begin(house)
    bob = house.actor("bob")
    for number in range(limits.USER_CODES.of_account or 0):
        with pytest.raises(DeviceUnknownError):
            devices.find_device(house.desk, bob, "BCDF-GHJK", address=f"192.0.2.{number}")
    with pytest.raises(TooManyAttemptsError, match="Wait 15 minutes"):
        devices.find_device(house.desk, bob, started["user_code"], address="198.51.100.1")
    assert devices.find_device(house.desk, house.actor("carol"), started["user_code"], address="198.51.100.1")
    house.clock.wait(minutes=15)
    with pytest.raises(DeviceUnknownError):
        devices.find_device(house.desk, bob, "BCDF-GHJK", address=HERE)


@pytest.mark.parametrize(
    ("limit", "path", "body"),
    [
        (limits.DEVICE_CODES, "/device/code", {}),
        (limits.DEVICE_POLLS, "/device/token", {"device_code": "x"}),
    ],
)
def test_a_program_that_asks_too_often_from_one_address_has_to_wait(
    house: House, limit: Limit, path: str, body: dict[str, str]
) -> None:
    fill(house, limit, "192.0.2.200")
    assert house.client.post(f"/api/v1{path}", json=body).status_code in {201, 400}
    fill(house, limit, "testclient")
    answer = house.client.post(f"/api/v1{path}", json=body)
    refused(answer, 429, "too_many_attempts")
    assert answer.headers["retry-after"] == "900"


def test_links_that_are_not_good_are_counted_by_address_and_good_ones_wait_too(house: House) -> None:
    good = accounts.make_link(house.desk, house.actor("erin"), "bob").url.partition("code=")[2]
    for secret in [new_secret(LINK), "nonsense"] * (limits.LINKS.of_address // 2):
        with pytest.raises(LinkUnknownError):
            accounts.find_link(house.desk, secret, address=HERE)
    for secret in (good, new_secret(LINK)):
        with pytest.raises(TooManyAttemptsError):
            accounts.find_link(house.desk, secret, address=HERE)
    assert accounts.find_link(house.desk, good, address="198.51.100.1").person == "bob"


def test_a_caller_with_a_whole_network_of_addresses_counts_as_one(house: House) -> None:
    assert place_of("2001:db8:1:2:3::1") == place_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert place_of("2001:db8:1:3::1") != place_of("2001:db8:1:2::1")
    assert place_of("::ffff:192.0.2.7") == place_of("192.0.2.7") == "192.0.2.7"
    assert place_of("fe80::1%eth0") == "fe80::/64"
    assert place_of("testclient") == "testclient"
    for number in range(limits.DEVICE_CODES.of_address):
        limits.note_attempt(house.desk, limits.DEVICE_CODES, address=f"2001:db8:1:2::{number:x}")
    with pytest.raises(TooManyAttemptsError):
        devices.start_device(house.desk, client="x", address="2001:db8:1:2:8000::1")


@pytest.mark.parametrize("typed", ["", "BCDF", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ1", "BÇDF-GHJK"])
def test_what_cannot_be_a_code_is_told_without_looking(typed: str) -> None:
    with pytest.raises(UserCodeError):
        read_user_code(typed)


def test_an_answer_is_given_once_and_a_session_after_a_yes_only() -> None:
    assert DEVICE_TRANSITIONS.keys() == set(DeviceStatus)
    after: Iterator[DeviceStatus] = (s for s in DeviceStatus if DeviceStatus.REDEEMED in DEVICE_TRANSITIONS[s])
    assert list(after) == [DeviceStatus.APPROVED]
    assert not DEVICE_TRANSITIONS[DeviceStatus.DENIED]


def test_old_requests_are_forgotten(house: House) -> None:
    begin(house)
    house.clock.wait(days=2)
    sweep(house.machinery)
    with house.database.begin() as tx:
        assert tx.exec_driver_sql("SELECT count(*) FROM device_codes").scalar_one() == 0
