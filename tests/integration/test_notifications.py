"""Who hears of what, through what and when: the whole way from a change to what was sent, on a real database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from factories import CAST, MODEL
from house import APPROVE_AND_DEPLOY, PRODUCTION, House, made, refused
from signoff.domain.actor import SYSTEM, Person, Role
from signoff.domain.environment import BreakGlass
from signoff.engine.notifying import notify
from signoff.engine.tick import tick
from signoff.service.targets import announce_mail
from told_scene import ONE_OF_RISK, add_target, mailed, sent, to, waiting, with_mail

TWO_OF_RISK = """\
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['group:risk'], required_approvals: 2, timeout: 72h, remind_every: 24h}
"""
NOTIFIES = "notify: [team]\n" + APPROVE_AND_DEPLOY


@pytest.fixture
def told(house: House) -> House:
    """A house where everybody has a mail address and there is a mail server."""
    return with_mail(house)


def choose(house: House, who: str, **chosen: Any) -> dict[str, Any]:
    return made(house.as_(who).ask("PUT", "/me/notifications", json=chosen))


# Who hears


def test_each_approver_hears_of_a_gate_that_waits_for_them_and_nobody_else(told: House) -> None:
    run_id = told.submit(ONE_OF_RISK)
    assert sorted(sent(told)) == [("bob", "gate.opened"), ("carol", "gate.opened")]
    (notice,) = to(told, "bob", "gate.opened").notices
    assert notice.title == f"{MODEL} v1 waits for your approval"
    assert "alice submitted" in notice.what
    assert notice.why == "Your approval counts for approve."
    assert notice.until == "There is no deadline."
    assert notice.path == f"/runs/{run_id}/gates/approve"


def test_a_deadline_is_told(told: House) -> None:
    told.submit(TWO_OF_RISK)
    assert to(told, "bob", "gate.opened").notices[0].until == "Until 5 November 12:00 UTC; then the run ends expired."


def test_the_delegate_of_somebody_away_hears_in_their_place_and_knows_why(told: House) -> None:
    frank = mailed(Person("frank", frozenset({Role.APPROVER})))
    told.people(*(mailed(person) for person in CAST), frank)
    until = (told.clock.now + timedelta(days=9)).isoformat()
    body = {"delegate": "frank", "since": told.clock.now.isoformat(), "until": until}
    made(told.as_("bob").post("/delegations", body))
    told.clock.wait(minutes=1)
    told.submit(ONE_OF_RISK)
    assert sorted(sent(told)) == [("carol", "gate.opened"), ("frank", "gate.opened")]
    assert (
        to(told, "frank", "gate.opened").notices[0].why == "You stand in for bob, who is away until 11 November 2026."
    )


def test_who_takes_part_is_not_asked_and_the_submitter_hears_how_it_went(told: House) -> None:
    run_id = told.submit(TWO_OF_RISK.replace("2", "1", 1))
    told.decide("bob", run_id, "approve")
    assert sent(told, "gate.decided") == [("alice", "gate.decided")]
    assert sent(told, "run.succeeded") == [("alice", "run.succeeded")]
    assert "bob approved" in to(told, "alice", "gate.decided").notices[0].title


def test_a_reject_reaches_the_submitter_with_its_words_and_the_end_of_the_run(told: House) -> None:
    run_id = told.submit(ONE_OF_RISK)
    told.decide("carol", run_id, "reject", comment="recall fell by half")
    assert "recall fell by half" in to(told, "alice", "gate.decided").notices[0].what
    assert sent(told, "run.rejected") == [("alice", "run.rejected")]


def test_a_gate_that_the_policy_closes_at_once_asks_nobody(told: House) -> None:
    told.submit(ONE_OF_RISK.replace("['group:risk']", "['bob'], auto_approve_if: attempt == 1"))
    assert sent(told) == [("alice", "run.succeeded")]


def test_reminders_go_to_those_who_are_still_missing(told: House) -> None:
    run_id = told.submit(TWO_OF_RISK)
    told.decide("bob", run_id, "approve")
    tick(told.machinery)
    told.clock.wait(hours=24)
    told.tick()
    assert sent(told, "gate.reminded") == [("carol", "gate.reminded")]


def test_an_expired_run_is_told_once(told: House) -> None:
    told.submit(TWO_OF_RISK)
    tick(told.machinery)
    told.clock.wait(hours=73)
    told.tick()
    assert [event for who, event in sent(told) if who == "alice"] == ["run.expired"]


def test_those_who_an_escalation_brings_in_are_asked(told: House) -> None:
    text = "steps: [{name: approve, type: approval, inputs: {approvers: [bob], timeout: 1h, on_timeout: escalate, "
    told.submit(text + "escalate_to: [carol]}}]\n")
    tick(told.machinery)
    told.clock.wait(hours=2)
    told.tick()
    assert sorted(sent(told, "gate.escalated")) == [("bob", "gate.escalated"), ("carol", "gate.escalated")]
    assert to(told, "carol", "gate.escalated").notices[0].title.startswith("Escalated:")


def test_of_two_accounts_of_one_human_being_one_hears(told: House) -> None:
    second = mailed(Person("bob-admin", frozenset({Role.APPROVER}), frozenset({"risk"})))
    told.people(*(mailed(person) for person in CAST), second)
    made(told.as_("erin").post("/users/bob/linked", {"other": "bob-admin"}))
    told.submit(ONE_OF_RISK)
    assert sorted(who for who, _ in sent(told)) == ["bob", "carol"]


def test_nobody_hears_of_a_private_model_that_they_may_not_see(told: House) -> None:
    covers = {"bob": ("fraud-*",), "alice": ("fraud-*",)}
    told.people(*(replace(mailed(p), models=covers.get(p.name, ("*",))) for p in CAST))
    add_target(told, models=["*"])
    made(told.as_("erin").ask("PUT", "/private-models", json={"private": ["fraud-*"], "force": True}))
    told.submit(ONE_OF_RISK)
    assert [who for who, _ in sent(told)] == ["bob"]


def test_an_emergency_is_announced_to_everybody_whatever_they_chose(told: House) -> None:
    glass = BreakGlass(("bob", "carol"), 2)
    told.environments(replace(PRODUCTION, break_glass=glass))
    add_target(told)
    for who in ("alice", "dave"):
        choose(told, who, pace="off", muted=["*"])
    model = told.version()
    told.submit(ONE_OF_RISK, model=model)
    path = f"/environments/production/models/{MODEL}/break-glass"
    asked = made(told.as_("bob").post(path, {"reference": model, "why": "v7 declines everybody"}))
    told.work()
    assert [who for who, _ in sent(told, "glass.requested")] == ["carol"]
    made(told.as_("carol").post(path, {"confirm": asked["id"], "digest": asked["digest"]}))
    told.work()
    heard = [who for who, _ in sent(told, "glass.broken")]
    assert sorted(heard) == ["alice", "bob", "carol", "dave", "erin", "team"]


# Once


def test_the_same_event_is_told_to_nobody_twice_however_often_jobs_run(told: House) -> None:
    told.submit(ONE_OF_RISK)
    for _ in range(3):
        notify(told.machinery, "mail")
    tick(told.machinery)
    told.work()
    assert sorted(sent(told)) == [("bob", "gate.opened"), ("carol", "gate.opened")]


def test_what_is_rolled_back_is_told_to_nobody(told: House) -> None:
    class StopError(Exception):
        pass

    def break_off() -> None:
        with told.database.begin() as tx:
            from signoff.domain.audit import AuditEvent, Event
            from signoff.store.audit import add_events

            add_events(tx, [AuditEvent(Event.GLASS_BROKEN, "bob", told.clock(), None, MODEL, {})])
            raise StopError

    with pytest.raises(StopError):
        break_off()
    assert told.work() == 0
    assert waiting(told) == 0


def test_who_decided_meanwhile_is_not_asked_any_more(told: House) -> None:
    choose(told, "carol", pace="hourly")
    run_id = told.submit(ONE_OF_RISK)
    told.decide("bob", run_id, "approve")
    told.clock.wait(hours=1)
    told.tick()
    assert ("carol", "gate.opened") not in sent(told)
    (dropped,) = made(told.as_("erin").get("/deliveries?state=dropped"))["items"]
    assert (dropped["person"], dropped["answer"]) == ("carol", "approve did not wait for carol any more")


# As they like it


def test_a_digest_gathers_what_came_in_an_hour_into_one_mail(told: House) -> None:
    choose(told, "bob", pace="hourly")
    for _ in range(3):
        told.submit("steps: [{name: approve, type: approval, inputs: {approvers: [bob]}}]\n")
    assert sent(told) == []
    told.clock.wait(hours=1)
    told.tick()
    (message,) = (message for _, message in told.notifier.sent)
    assert [notice.title for notice in message.notices] == [f"{MODEL} v{n} waits for your approval" for n in (1, 2, 3)]
    assert message.subject == "[signoff] 3 notices"


def test_a_muted_model_is_silent_and_others_are_not(told: House) -> None:
    choose(told, "bob", muted=["fraud-*"])
    told.submit(ONE_OF_RISK)
    told.submit(ONE_OF_RISK, model=told.version(model="churn"))
    assert sorted(who for who, _ in sent(told)) == ["bob", "carol", "carol"]


def test_reminders_wait_for_working_hours_and_openings_do_not(told: House) -> None:
    choose(told, "bob", hours={"since": "15:00", "until": "17:00", "days": ["tue"]}, zone="UTC")
    told.submit(TWO_OF_RISK)  # on a Monday at noon
    assert ("bob", "gate.opened") in sent(told)
    tick(told.machinery)
    told.clock.wait(hours=24)
    told.tick()
    assert sent(told, "gate.reminded") == [("carol", "gate.reminded")]
    told.clock.wait(hours=3)
    told.tick()
    assert ("bob", "gate.reminded") in sent(told)


def test_one_click_in_a_mail_ends_mails_and_looking_at_the_link_does_not(told: House) -> None:
    told.submit(ONE_OF_RISK)
    link = str(to(told, "bob", "gate.opened").unsubscribe).removeprefix("http://testserver")
    assert "bob" in told.client.get(link).text
    assert choose_nothing(told, "bob")["pace"] == "instant"
    for _ in range(2):
        answer = told.client.post(link, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    assert choose_nothing(told, "bob")["pace"] == "off"
    told.notifier.sent.clear()
    told.submit(ONE_OF_RISK)
    assert [who for who, _ in sent(told)] == ["carol"]
    assert told.types().count("preferences.changed") == 1


def choose_nothing(house: House, who: str) -> dict[str, Any]:
    return made(house.as_(who).get("/me/notifications"))


def test_a_made_up_link_ends_nobodys_mails(told: House) -> None:
    with told.unchanged():
        assert told.client.get("/api/v1/unsubscribe/guessed").status_code == 404
        assert told.client.post("/api/v1/unsubscribe/guessed").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"zone": "Mars/Base"},
        {"hours": {"since": "17:00", "until": "09:00"}},
        {"pace": "sometimes"},
        {"daily_at": 24},
    ],
)
def test_preferences_that_cannot_be_are_refused(told: House, wrong: dict[str, Any]) -> None:
    with told.unchanged():
        assert told.as_("bob").ask("PUT", "/me/notifications", json=wrong).status_code == 422


# Channels and machines


def test_a_channel_hears_of_runs_whose_pipeline_names_it(told: House) -> None:
    add_target(told)
    run_id = told.submit(NOTIFIES)
    told.decide("bob", run_id, "approve")
    heard = [event for who, event in sent(told) if who == "team"]
    assert heard == ["gate.opened", "gate.decided", "deployment.succeeded", "run.succeeded"]
    told.submit(APPROVE_AND_DEPLOY)
    assert [event for who, event in sent(told) if who == "team"] == heard


def test_a_target_hears_of_the_models_and_events_that_it_is_for(told: House) -> None:
    add_target(told, "all-fraud", models=["fraud-*"], events=["run.*"])
    told.decide("bob", told.submit(APPROVE_AND_DEPLOY), "approve")
    churn = told.submit(
        "steps: [{name: approve, type: approval, inputs: {approvers: [bob]}}]", told.version(model="churn")
    )
    told.decide("bob", churn, "approve")
    assert [event for who, event in sent(told) if who == "all-fraud"] == ["run.succeeded"]


def test_a_person_with_a_target_of_their_own_hears_there_and_not_by_mail_too(told: House) -> None:
    add_target(told, "bobs-phone", person="bob")
    told.submit(ONE_OF_RISK)
    assert sorted(sent(told)) == [("bobs-phone", "gate.opened"), ("carol", "gate.opened")]


def test_a_pipeline_that_notifies_an_unknown_target_is_refused_with_the_nearest_one(told: House) -> None:
    add_target(told)
    answer = told.as_("alice").post("/runs", {"pipeline": NOTIFIES.replace("team", "taem"), "model": told.version()})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["message"], error["hint"]) == ("there is no target taem on this server", "did you mean 'team'?")
    assert (error["line"], error["column"]) == (1, 10)


# Administration


def test_a_target_is_tried_out(told: House) -> None:
    add_target(told)
    tried = made(told.as_("erin").post("/targets/team/test"))
    told.work()
    assert made(told.as_("erin").get(f"/deliveries/{tried['id']}"))["status"] == "sent"
    mail = made(told.as_("erin").post("/targets/mail/test"))
    told.work()
    assert made(told.as_("erin").get(f"/deliveries/{mail['id']}"))["person"] == "erin"
    assert sent(told) == [("team", "target.tested"), ("erin", "target.tested")]


def test_addresses_and_secrets_of_targets_are_shown_nowhere_again(told: House) -> None:
    hook = add_target(told, "hook", kind="webhook", url="http://localhost:9/hook?token=secret-token")
    add_target(told)
    assert hook["secret"].startswith("whsec_")
    shown = [told.as_("erin").get(path).text for path in ("/targets", "/audit?limit=200", "/deliveries")]
    for text in shown:
        assert "secret-token" not in text
        assert hook["secret"] not in text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": "mail", "kind": "chat", "url": "json://a"}, "bad_target"),
        ({"name": "a b", "kind": "chat", "url": "json://a"}, "bad_target"),
        ({"name": "hook", "kind": "webhook", "url": "slack://a"}, "bad_target"),
        ({"name": "hook", "kind": "webhook", "url": "https://a", "person": "bob"}, "bad_target"),
        ({"name": "hook", "kind": "chat", "url": "json://a", "person": "nobody"}, "person_unknown"),
    ],
)
def test_a_target_that_cannot_be_is_refused(told: House, body: dict[str, Any], code: str) -> None:
    with told.unchanged():
        answer = told.as_("erin").post("/targets", body)
        refused(answer, answer.status_code, code)
        assert answer.status_code in {404, 422}


def test_only_administrators_define_targets_and_see_all_deliveries(told: House) -> None:
    add_target(told)
    run_id = told.submit(ONE_OF_RISK)
    with told.unchanged():
        for who in ("alice", "bob", "dave"):
            caller = told.as_(who)
            for answer in (
                caller.get("/targets"),
                caller.get("/deliveries"),
                caller.post("/targets", {"name": "mine", "kind": "chat", "url": "json://a"}),
                caller.post("/targets/team/test"),
                caller.post("/targets/team/pause", {}),
                caller.delete("/targets/team"),
            ):
                refused(answer, 403, "not_allowed")
    assert len(made(told.as_("dave").get(f"/deliveries?run={run_id}"))["items"]) == 2


def test_mail_pauses_when_the_server_starts_without_a_mail_server_and_resumes_with_one(told: House) -> None:
    announce_mail(told.desk, is_configured=False)
    told.submit(ONE_OF_RISK)
    assert sent(told) == []
    announce_mail(told.desk, is_configured=True)
    told.work()
    assert sorted(who for who, _ in sent(told)) == ["bob", "carol"]
    assert SYSTEM.name in {event.actor for event in told.events() if event.type == "target.resumed"}


def test_nothing_is_written_where_nobody_can_be_told(house: House) -> None:
    house.decide("bob", house.submit(APPROVE_AND_DEPLOY), "approve")
    assert waiting(house) == 0
    assert made(house.as_("erin").get("/deliveries"))["items"] == []


def test_deliveries_are_listed_page_by_page(told: House) -> None:
    for _ in range(3):
        told.submit(ONE_OF_RISK)
    seen, cursor = [], ""
    while True:
        page = made(told.as_("erin").get(f"/deliveries?limit=2{cursor}"))
        seen += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 6
