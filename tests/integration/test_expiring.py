"""Approvals that will soon be too old: whoever gave or wanted one hears of it once, in time, while it matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from factories import CAST
from house import APPROVE_AND_DEPLOY, House
from signoff.engine.deadlines import moment_to_act
from signoff.engine.expiring import warn_of_expiry
from signoff.service.targets import announce_mail

LASTING = APPROVE_AND_DEPLOY.replace("['bob']", "['bob', 'carol'], valid_for: 90d")
BRIEF = APPROVE_AND_DEPLOY.replace("['bob']", "['bob'], valid_for: 10h")


@pytest.fixture
def told(house: House) -> House:
    """Everybody has a mail address, and there is a mail server."""
    house.people(*(replace(person, email=f"{person.name}@example.com") for person in CAST))
    announce_mail(house.desk, is_configured=True)
    return house


def approved(house: House, pipeline: str = LASTING) -> str:
    run_id = house.submit(pipeline)
    house.decide("bob", run_id, "approve")
    house.notifier.sent.clear()
    return run_id


def warned(house: House) -> list[str]:
    """Who was told that an approval expires."""
    return sorted(m.to.partition("@")[0] for _, m in house.notifier.sent if m.event == "approval.expiring" and m.to)


def later(house: House, **by: float) -> None:
    """So much later two ticks look, and what they made is sent."""
    house.clock.wait(**by)
    house.tick()


def test_submitter_and_approver_hear_a_week_before_and_only_once(told: House) -> None:
    run_id = approved(told)
    later(told, days=82.9)
    assert warned(told) == []
    later(told, days=0.2)
    assert warned(told) == ["alice", "bob"]
    (notice,) = told.notifier.sent[0][1].notices
    assert notice.title == "The approval of fraud-detector v1 expires soon"
    assert notice.what.startswith("It stands until 31 January 2027 12:00 UTC; then it is asked for anew")
    assert notice.path == f"/runs/{run_id}"
    later(told, days=1)
    assert warned(told) == ["alice", "bob"]


def test_a_brief_approval_is_told_of_in_its_last_tenth(told: House) -> None:
    approved(told, BRIEF)
    later(told, hours=8.9)
    assert warned(told) == []
    later(told, hours=0.2)
    assert warned(told) == ["alice", "bob"]


def test_how_long_before_is_the_administrators_choice(told: House) -> None:
    approved(told)
    told.machinery = replace(told.machinery, expiry_notice=timedelta(days=1))
    later(told, days=88.9)
    assert warned(told) == []
    later(told, days=0.2)
    assert warned(told) == ["alice", "bob"]


def test_nobody_hears_of_what_nothing_rests_on_any_more(told: House) -> None:
    approved(told)
    approved(told, APPROVE_AND_DEPLOY)
    later(told, days=84)
    assert warned(told) == []
    assert "approval.expiring" not in told.types()


def test_an_approval_that_was_given_anew_is_told_of_anew(told: House) -> None:
    run_id = approved(told)
    later(told, days=84)
    later(told, days=7)
    (review,) = [e.run_id for e in told.events() if e.type == "run.submitted" and e.detail.get("parent") == run_id]
    told.decide("carol", str(review), "approve")
    told.notifier.sent.clear()
    later(told, days=84)
    assert "alice" in warned(told)


def test_two_workers_tell_once(told: House) -> None:
    approved(told)
    told.clock.wait(days=84)
    moment_to_act(told.machinery)
    told.clock.wait(minutes=1)
    now = moment_to_act(told.machinery)
    assert now is not None
    assert [warn_of_expiry(told.machinery, now) for _ in range(2)] == [1, 0]
