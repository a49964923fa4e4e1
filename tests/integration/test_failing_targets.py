"""Targets that fail, are slow, are gone, or refuse: tried again, given up, paused, sent again by hand."""

from __future__ import annotations

import pytest

from house import House, made
from signoff.engine.notifying import forget_old
from told_scene import ONE_OF_RISK, add_target, sent, to, with_mail


@pytest.fixture
def told(house: House) -> House:
    """A house where everybody has a mail address and there is a mail server."""
    return with_mail(house)


def test_a_dead_target_delays_nobody_else_and_is_tried_again_later_and_later(told: House) -> None:
    add_target(told, models=["*"])
    told.notifier.dead.add("team")
    told.submit(ONE_OF_RISK)
    assert sorted(who for who, _ in sent(told)) == ["bob", "carol"]
    tries = []
    for _ in range(12):
        told.tick()
        (one,) = made(told.as_("erin").get("/deliveries?target=team"))["items"]
        tries.append(one["tries"])
    assert one["status"] == "waiting"
    assert "does not answer" in one["answer"]
    assert tries[-1] < 8 < len(tries) * 2  # every minute would be 24
    told.notifier.dead.clear()
    told.clock.wait(hours=1)
    told.tick()
    assert [event for who, event in sent(told) if who == "team"] == ["gate.opened"]
    (target,) = (t for t in made(told.as_("erin").get("/targets"))["items"] if t["name"] == "team")
    assert (target["failures"], target["retry_at"]) == (0, None)


def test_a_target_that_fails_for_a_day_is_paused_its_owner_told_and_what_is_due_given_up(told: House) -> None:
    add_target(told, models=["*"])
    told.notifier.dead.add("team")
    told.submit(ONE_OF_RISK)
    for _ in range(26):
        told.clock.wait(hours=1)
        told.tick()
    assert sent(told, "target.paused") == [("erin", "target.paused")]
    assert "resume team" in to(told, "erin", "target.paused").notices[0].what
    (one,) = made(told.as_("erin").get("/deliveries?target=team"))["items"]
    assert one["status"] == "failed"
    assert "does not answer" in one["answer"]


def test_a_target_whose_receiver_is_gone_is_paused_at_once_and_its_owner_told(told: House) -> None:
    add_target(told, models=["*"])
    told.notifier.gone.add("team")
    told.submit(ONE_OF_RISK)
    assert sent(told, "target.paused") == [("erin", "target.paused")]
    assert "team answered with HTTP 410" in to(told, "erin", "target.paused").notices[0].what
    (target,) = (t for t in made(told.as_("erin").get("/targets"))["items"] if t["name"] == "team")
    assert target["paused_why"] == "Its receiver is gone: team answered with HTTP 410."
    (one,) = made(told.as_("erin").get("/deliveries?target=team"))["items"]
    assert (one["status"], one["tries"], one["answer"]) == ("waiting", 1, "team answered with HTTP 410.")
    told.notifier.gone.clear()
    made(told.as_("erin").post("/targets/team/resume"))
    told.work()
    assert [event for who, event in sent(told) if who == "team"] == ["gate.opened"]


def test_targets_take_turns_so_that_a_slow_one_holds_up_no_other(told: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signoff.engine.notifying.TURN_S", 0.0)  # as if every message took longer than a turn
    for name in ("first", "second"):
        add_target(told, name, models=["*"])
        made(told.as_("erin").post(f"/targets/{name}/pause", {}))
    for _ in range(3):
        told.submit(ONE_OF_RISK)
    told.notifier.sent.clear()
    for name in ("first", "second"):
        made(told.as_("erin").post(f"/targets/{name}/resume"))
    told.work()
    assert [who for who, _ in sent(told)] == ["first", "second"] * 3


def test_an_address_that_does_not_exist_is_given_up_at_once_and_shown(told: House) -> None:
    told.notifier.unknown.add("bob@example.com")
    told.submit(ONE_OF_RISK)
    assert [who for who, _ in sent(told)] == ["carol"]
    (one,) = made(told.as_("erin").get("/deliveries?state=failed"))["items"]
    assert (one["person"], one["answer"]) == ("bob", "bob@example.com is unknown there.")


def test_what_was_sent_is_sent_again_by_hand_under_the_same_id(told: House) -> None:
    told.submit(ONE_OF_RISK)
    first = to(told, "bob", "gate.opened")
    made(told.as_("erin").post(f"/deliveries/{first.id}/redeliver"))
    told.work()
    assert [m.id for _, m in told.notifier.sent if m.to == "bob@example.com"] == [first.id, first.id]
    assert "delivery.repeated" in told.types()


def test_what_waits_while_a_target_is_paused_goes_out_when_it_is_resumed(told: House) -> None:
    add_target(told, models=["*"])
    made(told.as_("erin").post("/targets/team/pause", {"why": "the channel moves"}))
    told.submit(ONE_OF_RISK)
    told.tick()
    assert not [event for who, event in sent(told) if who == "team"]
    made(told.as_("erin").post("/targets/team/resume"))
    told.work()
    assert [event for who, event in sent(told) if who == "team"] == ["gate.opened"]


def test_deliveries_are_kept_for_three_months(told: House) -> None:
    told.submit(ONE_OF_RISK)
    told.clock.wait(days=89)
    forget_old(told.machinery)
    assert len(made(told.as_("erin").get("/deliveries"))["items"]) == 2
    told.clock.wait(days=2)
    forget_old(told.machinery)
    assert made(told.as_("erin").get("/deliveries"))["items"] == []
