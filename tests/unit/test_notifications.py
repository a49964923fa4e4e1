"""Who hears of an event and with which words: the table of the domain, looked at row by row."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from factories import MODEL, NOON, a_directory, a_gate, a_run
from signoff.domain import notice_words
from signoff.domain.actor import Directory, Person, Role
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.notifications import ASKING, TO_ALL, TOLD, Scene, asked, hearers, ways
from signoff.domain.preferences import Pace, Preferences
from signoff.domain.secret import Secret
from signoff.domain.target import MAIL, Target, TargetKind, back_off

MAILED = Directory.of(replace(person, email=f"{person.name}@x") for person in a_directory().people.values())
MAIL_TARGET = Target(MAIL, TargetKind.MAIL, "system", NOON)
DETAILS: dict[str, Any] = {
    "step": "approve",
    "verdict": "reject",
    "comment": "no",
    "environment": "production",
    "version": "3",
    "why": "because",
    "requested_by": "bob",
    "confirmed_by": ["bob", "carol"],
    "live_in": ["production"],
    "target": "team",
    "owner": "erin",
    "pipeline": "fraud",
    "watched": MODEL,
    "person": "erin",
    "called": "erin.of.slack (U5) of acme",
    "by": "erin",
    "until": "5 December 2026 12:00 UTC",
    "found": "7",
    "sentence": "production serves fraud-detector v7, and what was signed off is v3.",
}


def scene(kind: Event, *, actor: str = "system", **detail: Any) -> Scene:
    event = AuditEvent(kind, actor, NOON, "run1", MODEL, {**DETAILS, **detail}, 7)
    gate = a_gate()
    return Scene(event, MAILED, a_run(), gate, {"bob": "You may."}, frozenset({"carol"}), frozenset({"alice"}))


@pytest.mark.parametrize("kind", sorted(TOLD))
def test_every_event_that_is_told_has_words_without_holes(kind: Event) -> None:
    said = notice_words.notice(scene(kind), "Because.")
    assert said.title
    assert said.what
    assert said.path.startswith("/")
    for text in (said.title, said.what, said.until):
        assert "None" not in text
        assert "\n" not in text
    assert notice_words.subject(scene(kind)).startswith("[signoff] ")
    assert notice_words.data(scene(kind), said)["title"] == said.title


@pytest.mark.parametrize(
    ("kind", "who"),
    [
        (Event.GATE_OPENED, ["bob"]),
        (Event.GATE_REMINDED, ["bob"]),
        (Event.GATE_ESCALATED, ["bob"]),
        (Event.GATE_DECIDED, ["alice"]),
        (Event.RUN_SUCCEEDED, ["alice"]),
        (Event.RUN_ERRORED, ["alice"]),
        (Event.APPROVAL_EXPIRING, ["alice", "carol"]),
        (Event.APPROVAL_EXPIRED, ["alice", "carol"]),
        (Event.RUN_CHANGES_REQUESTED, ["alice"]),
        (Event.DEPLOYMENT_SUCCEEDED, ["carol"]),
        (Event.DEPLOYMENT_FAILED, ["carol"]),
        (Event.DEPLOYMENT_ROLLED_BACK, ["alice", "carol"]),
        (Event.APPROVAL_REVOKED, ["alice", "bob", "carol"]),
        (Event.GLASS_REQUESTED, ["bob"]),
        (Event.GLASS_SETTLED, ["bob", "carol"]),
        (Event.PIPELINE_HELD, ["erin"]),
        (Event.PIPELINE_REFUSED, ["erin"]),
        (Event.TARGET_PAUSED, ["erin"]),
        (Event.STEP_SUCCEEDED, []),
    ],
)
def test_an_event_is_told_to_those_whose_business_it_is(kind: Event, who: list[str]) -> None:
    assert sorted(hearers(scene(kind))) == who


@pytest.mark.parametrize("kind", sorted(TO_ALL))
def test_what_concerns_everybody_is_told_to_every_active_person(kind: Event) -> None:
    found = scene(kind)
    gone = Person("gone", frozenset({Role.APPROVER}), is_active=False)
    found = replace(found, people=Directory.of([*MAILED.people.values(), gone]))
    assert sorted(hearers(found)) == sorted(MAILED.people)


def test_nobody_hears_of_what_they_did_themselves() -> None:
    assert hearers(scene(Event.RUN_CANCELLED, actor="alice")) == {}
    assert "bob" not in hearers(scene(Event.GLASS_BROKEN, actor="bob"))


def test_who_sent_it_back_was_heard_so_the_wait_that_follows_is_not_told_again() -> None:
    assert hearers(scene(Event.RUN_CHANGES_REQUESTED, cause="rejected")) == {}
    assert hearers(scene(Event.RUN_CHANGES_REQUESTED, cause="check_failed")) != {}


def test_a_policys_decision_is_nobodys_news() -> None:
    assert hearers(scene(Event.GATE_DECIDED, actor="policy:sha256:abc")) == {}


def test_only_those_are_asked_whose_decision_brings_the_gate_further() -> None:
    gate = a_gate()
    people = a_directory()
    first = asked(gate, [], people)
    assert first
    assert set(first) <= {"bob", "carol"}
    assert asked(replace(gate, excluded=tuple(first)), [], people) == {}


def test_who_has_no_address_and_no_target_is_told_nothing_and_each_has_one_way() -> None:
    without = replace(MAILED, people={**MAILED.people, "bob": replace(MAILED.people["bob"], email=None)})
    assert ways(replace(scene(Event.GATE_OPENED), people=without), [MAIL_TARGET], {}) == []
    phone = Target("phone", TargetKind.CHAT, "erin", NOON, Secret("json://a"), person="bob")
    (way,) = ways(scene(Event.GATE_OPENED), [MAIL_TARGET, phone], {})
    assert (way.target, way.person) == ("phone", "bob")


def test_a_digest_is_gathered_and_an_emergency_is_not() -> None:
    chosen = {"bob": Preferences(Pace.HOURLY)}
    (way,) = ways(scene(Event.GATE_OPENED), [MAIL_TARGET], chosen)
    assert (way.is_gathered, way.at) == (True, NOON + timedelta(hours=1))
    (urgent,) = ways(scene(Event.GLASS_REQUESTED), [MAIL_TARGET], chosen)
    assert (urgent.is_gathered, urgent.at) == (False, NOON)


def test_a_paused_target_is_never_the_way_to_tell_so() -> None:
    mine = Target("team", TargetKind.CHAT, "erin", NOON, Secret("json://a"), person="erin")
    assert ways(scene(Event.TARGET_PAUSED), [MAIL_TARGET, mine], {}) == []
    (way,) = ways(scene(Event.TARGET_PAUSED, target="other"), [MAIL_TARGET, mine], {})
    assert way.target == "team"


def test_asking_is_a_part_of_what_is_told() -> None:
    assert ASKING < TOLD


def test_pauses_grow_up_to_an_hour() -> None:
    pauses = [back_off(number) for number in range(1, 9)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(minutes=1), timedelta(hours=1))


def test_a_targets_address_is_shown_without_what_opens_it() -> None:
    chat = Target("a", TargetKind.CHAT, "erin", NOON, Secret("slack://T1/B2/sesame"))
    hook = Target("b", TargetKind.WEBHOOK, "erin", NOON, Secret("https://host.example/path?token=sesame"))
    assert (chat.shown_url, hook.shown_url) == ("slack://...", "https://host.example")
    assert "sesame" not in repr([chat, hook])
