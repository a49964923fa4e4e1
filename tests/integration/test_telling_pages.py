"""How I am told, who was told of a run, and what went through a target: pages that work without scripts."""

from __future__ import annotations

import pytest

from house import House, made
from page_browser import Browser, forms, words
from told_scene import ONE_OF_RISK, add_target, sent, to, with_mail

HERE = "/settings/notifications"


@pytest.fixture
def told(house: House) -> House:
    """A house where everybody has a mail address and there is a mail server."""
    return with_mail(house)


def test_what_is_chosen_on_the_page_is_kept_as_by_command(told: House) -> None:
    browser = Browser(told).sign_in("bob")
    answer = browser.send(
        "/settings/notifications",
        HERE,
        pace="daily",
        daily_at="7",
        muted="experiment-*\nold-one, older",
        zone="Europe/Berlin",
        works="on",
        since="08:30",
        until="16:00",
        day=["mon", "sat"],
    )
    assert answer.status_code == 303
    assert made(told.as_("bob").get("/me/notifications")) == {
        "pace": "daily",
        "muted": ["experiment-*", "old-one", "older"],
        "hours": {"since": "08:30:00", "until": "16:00:00", "days": ["mon", "sat"]},
        "zone": "Europe/Berlin",
        "daily_at": 7,
    }
    assert "preferences.changed" in told.types()
    fields = browser.form(HERE, HERE).fields
    assert {name: fields[name] for name in ("pace", "daily_at", "zone", "works", "since", "until")} == {
        "pace": "daily",
        "daily_at": "7",
        "zone": "Europe/Berlin",
        "works": "on",
        "since": "08:30",
        "until": "16:00",
    }
    assert fields["muted"].split() == ["experiment-*", "old-one", "older"]


def test_who_chose_nothing_sees_what_holds_and_saving_it_changes_nothing(told: House) -> None:
    browser = Browser(told).sign_in("bob")
    former = made(told.as_("bob").get("/me/notifications"))
    page = browser.get(HERE)
    assert "Mails go to bob@example.com" in words(page)
    browser.send(HERE, HERE)
    assert made(told.as_("bob").get("/me/notifications")) == former


def test_turning_mails_off_leaves_emergencies(told: House) -> None:
    Browser(told).sign_in("bob").send(HERE, HERE, pace="off")
    told.submit(ONE_OF_RISK)
    assert sent(told) == [("carol", "gate.opened")]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"zone": "Mars/Olympus"}, "There is no time zone 'Mars/Olympus'"),
        ({"works": "on", "since": "17:00", "until": "09:00", "day": "mon"}, "The working hours end before they begin"),
        ({"works": "on", "since": "noon", "day": "mon"}, "'noon' is no time of day"),
        ({"daily_at": "24"}, "24 is no hour of a day"),
        ({"daily_at": "early"}, "'early' is no hour of a day"),
        ({"pace": "weekly"}, "How soon you are told was not said"),
    ],
)
def test_what_cannot_be_is_said_with_what_was_typed(told: House, typed: dict[str, str], said: str) -> None:
    browser = Browser(told).sign_in("bob")
    page = browser.form(HERE, HERE)
    with told.unchanged():
        answer = browser.post(HERE, {**page.fields, "muted": "keep-this-*", **typed})
    assert answer.status_code == 422
    assert said in words(answer)
    (again,) = (form for form in forms(answer) if form.action == HERE)
    assert again.fields["muted"] == "keep-this-*"
    if "zone" in typed:
        assert again.fields["zone"] == typed["zone"]


def test_a_run_says_who_was_told_by_what_and_what_was_answered(told: House) -> None:
    told.notifier.unknown.add("bob@example.com")
    add_target(told, models=["*"])
    run_id = told.submit(ONE_OF_RISK)
    page = words(Browser(told).sign_in("dave").get(f"/runs/{run_id}"))
    assert "Told" in page
    assert "250 kept" in page
    assert "bob@example.com is unknown there." in page
    assert "Given up" in page
    assert "Send again" not in page  # that is an administrator's


def test_an_administrator_sends_again_from_the_runs_page_and_is_led_back(told: House) -> None:
    run_id = told.submit(ONE_OF_RISK)
    first = to(told, "bob", "gate.opened")
    browser = Browser(told).sign_in("erin")
    answer = browser.send(f"/runs/{run_id}", f"/settings/deliveries/{first.id}/redeliver")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/runs/{run_id}#told")
    assert words(browser.get(f"/runs/{run_id}")).count("Not sent yet") == 1
    told.work()
    assert sent(told).count(("bob", "gate.opened")) == 2


def test_a_target_has_a_page_with_everything_that_went_through_it(told: House) -> None:
    add_target(told, models=["*"])
    told.notifier.dead.add("team")
    told.submit(ONE_OF_RISK)
    browser = Browser(told).sign_in("erin")
    assert 'href="/settings/targets/team"' in browser.get("/settings").text
    page = words(browser.get("/settings/targets/team"))
    assert "failed 1 time in a row" in page
    assert "team does not answer." in page
    assert "Nothing is sent." in words(browser.get("/settings/targets/team?state=sent"))
    assert "bob" in words(browser.get("/settings/targets/mail?state=sent"))
    assert browser.get("/settings/targets/mail?state=lost").status_code == 422
    assert browser.get("/settings/targets/nobody").status_code == 404


def test_a_long_history_of_a_target_is_read_page_by_page(told: House) -> None:
    add_target(told)
    for _ in range(26):
        made(told.as_("erin").post("/targets/team/test"))
        made(told.as_("erin").post("/targets/mail/test"))
        told.work()
    browser = Browser(told).sign_in("erin")
    assert "Older" not in words(browser.get("/settings/targets/team"))
    for _ in range(25):
        made(told.as_("erin").post("/targets/team/test"))
    page = browser.get("/settings/targets/team")
    following = page.text.partition('<a class="btn" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert following.startswith("/settings/targets/team?")
    assert browser.get(following).text.count("A test of team") >= 1
