"""Approving from Slack: who, what exactly, and where; the whole way over a receiver in Slack's place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from factories import CAST, MODEL
from house import APPROVE_AND_DEPLOY, PRODUCTION, House, made
from page_browser import Browser, words
from slack_scene import ON_CHAT, Slack, a_slack, button_of, buttons, text_of
from told_scene import sent, to, with_mail


@pytest.fixture
def slack(house: House) -> Iterator[Slack]:
    with a_slack(house) as made_slack:
        yield made_slack


def opened(slack: Slack, pipeline: str = APPROVE_AND_DEPLOY) -> tuple[str, dict[str, Any]]:
    """A run that waits, and the message about it."""
    run_id = slack.house.submit(pipeline)
    return run_id, slack.messages()[-1]


def test_a_message_about_a_gate_opens_its_page_and_can_be_approved(slack: Slack) -> None:
    run_id, message = opened(slack)
    assert list(buttons(message)) == ["Review it", "Approve"]
    assert button_of(message, "Review it")["url"] == f"http://testserver/runs/{run_id}/gates/approve"
    assert f"{MODEL} v1 waits for your approval" in text_of(message)


def test_a_linked_person_approves_what_they_were_shown_and_nothing_else(slack: Slack) -> None:
    house = slack.house
    run_id, message = opened(slack)
    slack.link("bob", "U2")
    digest = house.gate(run_id)["digest"]
    asked = slack.press("U2", button_of(message, "Approve"))
    assert house.gate(run_id)["status"] == "open"  # asking decides nothing
    assert f"bob: approve {MODEL} v1 for production?" in text_of(asked)
    assert digest in text_of(asked)
    assert asked["response_type"] == "ephemeral"
    done = slack.press("U2", button_of(asked, "Approve this"))
    assert f"You approved {MODEL} v1 as bob. That was the last approval it needed." in text_of(done)
    assert done["replace_original"] is True
    assert house.status(run_id) == "succeeded"
    (decided,) = [event for event in house.events(run_id) if event.type == "gate.decided"]
    assert decided.actor == "bob"
    said = {name: decided.detail[name] for name in ("verdict", "digest", "credential", "chat")}
    assert said == {"verdict": "approve", "digest": digest, "credential": "chat", "chat": "T1/U2"}


def test_a_question_is_answered_once(slack: Slack) -> None:
    run_id, message = opened(slack, APPROVE_AND_DEPLOY.replace("['bob']", "['bob', 'carol'], required_approvals: 2"))
    slack.link("bob", "U2")
    asked = slack.press("U2", button_of(message, "Approve"))
    done = slack.press("U2", button_of(asked, "Approve this"))
    assert "1 more is needed" in text_of(done)
    made(slack.house.as_("bob").delete(f"/runs/{run_id}/gates/approve/decisions/mine"))
    again = slack.press("U2", button_of(asked, "Approve this"))
    assert "was answered already" in text_of(again)
    assert slack.house.gate(run_id)["status"] == "open"


def test_a_question_is_for_five_minutes(slack: Slack) -> None:
    run_id, message = opened(slack)
    slack.link("bob", "U2")
    asked = slack.press("U2", button_of(message, "Approve"))
    slack.house.clock.wait(minutes=5)
    assert "is too old" in text_of(slack.press("U2", button_of(asked, "Approve this")))
    assert slack.house.gate(run_id)["status"] == "open"


def test_a_question_is_one_persons(slack: Slack) -> None:
    run_id, message = opened(slack, APPROVE_AND_DEPLOY.replace("['bob']", "['bob', 'carol']"))
    slack.link("bob", "U2")
    slack.link("carol", "U3")
    asked = slack.press("U2", button_of(message, "Approve"))
    assert "was not asked of you" in text_of(slack.press("U3", button_of(asked, "Approve this")))
    assert slack.house.gate(run_id)["status"] == "open"


def test_nothing_is_decided_by_who_does_not_answer_or_answers_no(slack: Slack) -> None:
    run_id, message = opened(slack)
    slack.link("bob", "U2")
    asked = slack.press("U2", button_of(message, "Approve"))
    assert text_of(slack.press("U2", button_of(asked, "Do nothing"))) == "Nothing was decided."
    assert slack.house.gate(run_id)["status"] == "open"


def test_what_changed_since_the_message_is_refused_and_so_is_what_changed_since_the_question(slack: Slack) -> None:
    house = slack.house
    run_id, message = opened(slack)
    slack.link("bob", "U2")
    asked = slack.press("U2", button_of(message, "Approve"))
    about, digest = button_of(message, "Approve")["value"].split(" ")
    stale = {**button_of(message, "Approve"), "value": f"{about} sha256:{'0' * 64}"}
    assert "is not what approve is about now" in text_of(slack.press("U2", stale))
    question, *_ = button_of(asked, "Approve this")["value"].split(" ")
    forged = {**button_of(asked, "Approve this"), "value": f"{question} {about} sha256:{'0' * 64}"}
    refused = slack.press("U2", forged)
    assert "is not what approve is about now" in text_of(refused)
    assert list(buttons(refused)) == ["Open the review"]
    assert house.gate(run_id)["status"] == "open"
    assert digest == house.gate(run_id)["digest"]


def test_a_question_about_one_gate_does_not_answer_for_another(slack: Slack) -> None:
    first, message = opened(slack)
    second, other = opened(slack)
    slack.link("bob", "U2")
    asked = slack.press("U2", button_of(message, "Approve"))
    question, *_ = button_of(asked, "Approve this")["value"].split(" ")
    forged = {**button_of(asked, "Approve this"), "value": f"{question} {button_of(other, 'Approve')['value']}"}
    assert "was not asked of you" in text_of(slack.press("U2", forged))
    assert [slack.house.gate(run)["status"] for run in (first, second)] == ["open", "open"]


def test_the_same_rules_hold_as_on_the_page(slack: Slack) -> None:
    run_id, message = opened(slack)
    slack.link("carol", "U3")
    slack.link("alice", "U1")
    for user, name in (("U3", "carol"), ("U1", "alice")):
        refused = text_of(slack.press(user, button_of(message, "Approve")))
        assert f"{name} cannot decide about approve" in refused or f"{name} may not decide" in refused
    slack.house.decide("bob", run_id, "approve")
    slack.link("bob", "U2")
    assert "is closed: approved by bob" in text_of(slack.press("U2", button_of(message, "Approve")))


@pytest.mark.parametrize(
    ("environment", "pipeline"),
    [
        (PRODUCTION, APPROVE_AND_DEPLOY),
        (replace(ON_CHAT, step_up="passkey"), APPROVE_AND_DEPLOY),
        (ON_CHAT, APPROVE_AND_DEPLOY.replace("['bob']", "['bob'], checklist: ['I looked at the slices']")),
        (ON_CHAT, APPROVE_AND_DEPLOY.partition("  - name: deploy")[0]),
        (ON_CHAT, APPROVE_AND_DEPLOY + "  - {name: serve, type: deployment, inputs: {environment: local}}\n"),
        (ON_CHAT, APPROVE_AND_DEPLOY.replace("['bob']", "['bob'], step_up: passkey")),
    ],
    ids=["not-allowed", "passkey", "checklist", "no-environment", "another-after-it", "passkey-of-the-step"],
)
def test_where_it_is_not_taken_there_is_only_the_link(house: House, environment: object, pipeline: str) -> None:
    with a_slack(house, environment) as slack:  # type: ignore[arg-type]
        _, message = opened(slack, pipeline)
        assert list(buttons(message)) == ["Review it"]


def test_what_comes_after_somebody_else_was_asked_is_not_this_approvals(slack: Slack) -> None:
    later = (
        "  - {name: again, type: approval, inputs: {approvers: ['carol']}}\n"
        "  - {name: serve, type: deployment, inputs: {environment: local}}\n"
    )
    _, message = opened(slack, APPROVE_AND_DEPLOY + later)
    slack.link("bob", "U2")
    slack.press("U2", button_of(slack.press("U2", button_of(message, "Approve")), "Approve this"))
    assert [list(buttons(one)) for one in slack.messages() if "Review it" in buttons(one)] == [
        ["Review it", "Approve"],
        ["Review it"],
    ]


def test_where_it_is_not_taken_any_more_neither_question_nor_answer_is(slack: Slack) -> None:
    house = slack.house
    run_id, message = opened(slack)
    slack.link("bob", "U2")
    asked = slack.press("U2", button_of(message, "Approve"))
    house.environments(PRODUCTION)
    for button in (button_of(message, "Approve"), button_of(asked, "Approve this")):
        assert "production takes no approvals from a chat" in text_of(slack.press("U2", button))
    assert house.gate(run_id)["status"] == "open"


def test_a_delegate_is_told_for_whom_they_decide(slack: Slack) -> None:
    house = slack.house
    run_id, message = opened(slack)
    now = house.clock.now
    until = now.replace(year=now.year + 1).isoformat()
    made(house.as_("bob").post("/delegations", {"delegate": "carol", "since": now.isoformat(), "until": until}))
    house.clock.wait(minutes=1)
    slack.link("carol", "U3")
    asked = slack.press("U3", button_of(message, "Approve"))
    assert "You decide for: bob" in text_of(asked)
    slack.press("U3", button_of(asked, "Approve this"))
    (decision,) = house.gate(run_id)["decisions"]
    assert (decision["by"], decision["on_behalf_of"]) == ("carol", "bob")


def test_a_private_model_is_not_told_to_who_may_not_know_it(slack: Slack) -> None:
    house = slack.house
    house.people(*(replace(person, models=(MODEL,)) if person.name == "bob" else person for person in CAST))
    _, message = opened(slack)
    slack.link("dave", "U4")
    made(house.as_("erin").ask("PUT", "/private-models", json={"private": [f"{MODEL}*"]}))
    refused = slack.press("U4", button_of(message, "Approve"))
    assert MODEL not in text_of(refused)
    assert buttons(refused) == {}


# Who is who


def test_who_is_nobody_here_is_told_how_to_say_who_they_are_and_only_the_page_links_them(slack: Slack) -> None:
    house = slack.house
    run_id, message = opened(slack)
    shown = slack.press("U2", button_of(message, "Approve"))
    assert "signoff does not know yet who you are" in text_of(shown)
    address = button_of(shown, "Say who I am")["url"].removeprefix("http://testserver")
    browser = Browser(house).sign_in("bob")
    with house.unchanged():
        page = words(browser.get(address))
        assert "u2.of.slack (U2) of acme" in page
        assert Browser(house).get(address).status_code == 303  # signed in first, then back here
    assert made(house.as_("bob").get("/me/chats"))["items"] == []
    browser.send(address, "/settings/chat", answer="yes")
    (linked,) = made(house.as_("bob").get("/me/chats"))["items"]
    assert (linked["person"], linked["team"], linked["user"]) == ("bob", "T1", "U2")
    assert made(house.as_("erin").get("/chats"))["items"] == [linked]
    assert "u2.of.slack (U2) of acme" in words(Browser(house).sign_in("erin").get("/settings"))
    assert house.gate(run_id)["status"] == "open"
    assert "chat.linked" in house.types()


def test_a_link_is_good_once_for_a_quarter_of_an_hour_and_until_the_next(slack: Slack) -> None:
    house = slack.house
    _, message = opened(slack)

    def address() -> str:
        shown = slack.press("U2", button_of(message, "Approve"))
        return str(button_of(shown, "Say who I am")["url"].removeprefix("http://testserver"))

    bob = Browser(house).sign_in("bob")
    former, newer = address(), address()
    assert bob.get(former).status_code == 404
    bob.send(newer, "/settings/chat", answer="no")
    assert bob.get(newer).status_code == 404
    late = address()
    house.clock.wait(minutes=15)
    assert bob.get(late).status_code == 404
    assert made(house.as_("bob").get("/me/chats"))["items"] == []


def test_who_is_linked_hears_of_it_by_mail(slack: Slack) -> None:
    house = with_mail(slack.house)
    opened(slack)
    slack.link("bob", "U2")
    house.work()
    (notice,) = to(house, "bob", "chat.linked").notices
    assert notice.title == "u2.of.slack (U2) of acme in Slack is bob from now on"
    assert notice.why == "If that was not you, unlink it, and tell an administrator."
    assert notice.path == "/settings/notifications"
    assert [who for who, event in sent(house) if event == "chat.linked"] == ["bob"]


def test_linking_needs_a_sign_in_of_a_short_while_ago(slack: Slack) -> None:
    house = slack.house
    _, message = opened(slack)
    browser = Browser(house).sign_in("bob")
    house.clock.wait(minutes=31)
    shown = slack.press("U2", button_of(message, "Approve"))
    address = button_of(shown, "Say who I am")["url"].removeprefix("http://testserver")
    answer = browser.send(address, "/settings/chat", answer="yes")
    assert answer.status_code == 401
    assert made(house.as_("bob").get("/me/chats"))["items"] == []


def test_a_user_of_slack_is_one_person_here_until_that_is_ended(slack: Slack) -> None:
    house = slack.house
    run_id, message = opened(slack)
    slack.link("bob", "U2")
    page = Browser(house).sign_in("bob")
    assert "u2.of.slack (U2) of acme" in words(page.get("/settings/notifications"))
    with house.unchanged():
        for who in ("carol", "dave"):
            assert house.as_(who).delete("/chats/T1/U2").status_code == 404
    page.send("/settings/notifications", "/settings/chat/unlink")
    assert "does not know yet who you are" in text_of(slack.press("U2", button_of(message, "Approve")))
    slack.link("carol", "U2")
    made(house.as_("erin").delete("/chats/T1/U2"))
    assert made(house.as_("erin").get("/chats"))["items"] == []
    assert house.types().count("chat.unlinked") == 2
    assert house.gate(run_id)["status"] == "open"


def test_what_was_asked_of_somebody_who_is_nobody_any_more_is_not_answered(slack: Slack) -> None:
    house = slack.house
    run_id, message = opened(slack)
    slack.link("bob", "U2")
    asked = slack.press("U2", button_of(message, "Approve"))
    made(house.as_("erin").post("/users/bob/deactivate", {"force": True}))
    assert "does not know yet who you are" in text_of(slack.press("U2", button_of(asked, "Approve this")))
    made(house.as_("erin").post("/users/bob/activate"))
    assert made(house.as_("erin").get("/chats"))["items"] == []
    assert house.gate(run_id)["status"] == "open"


def test_somebody_whom_an_import_shut_out_is_refused(slack: Slack) -> None:
    house = slack.house
    _, message = opened(slack, APPROVE_AND_DEPLOY.replace("['bob']", "['bob', 'carol']"))
    slack.link("bob", "U2")
    house.people(*(replace(person, is_active=person.name != "bob") for person in CAST))
    assert "bob is let in no more" in text_of(slack.press("U2", button_of(message, "Approve")))
