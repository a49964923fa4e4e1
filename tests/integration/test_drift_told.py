"""Who hears that something runs which nobody signed off, and with which words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from factories import CAST, MODEL
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made
from signoff.domain.environment import Environment
from signoff.domain.notice import Message
from signoff.domain.pipeline import RuleSpec
from signoff.engine import drift
from signoff.service.targets import announce_mail

GUARDED = replace(PRODUCTION, rules=(RuleSpec("risk", ("group:risk",)),))


@pytest.fixture
def told(house: House) -> House:
    """v1 is live in production, which the group risk guards; everybody has a mail address."""
    house.people(*(replace(person, email=f"{person.name}@example.com") for person in CAST))
    announce_mail(house.desk, is_configured=True)
    house.environments(GUARDED, STAGING)
    run_id = house.submit(APPROVE_AND_DEPLOY)
    house.decide("bob", run_id, "approve")
    house.version()
    house.notifier.sent.clear()
    return house


def moved(house: House, *places: Environment) -> None:
    """Somebody moves production's alias to v2; the tick looks."""
    if places:
        house.environments(*places)
    house.registry.set_alias(MODEL, "champion", "2")
    look(house)


def look(house: House) -> None:
    house.clock.wait(minutes=2)
    drift.watch(house.machinery)
    house.work()


def hearers(house: House, event: str) -> list[str]:
    return sorted((m.to or target).partition("@")[0] for target, m in house.notifier.sent if m.event == event)


def message(house: House, event: str, who: str) -> Message:
    (found,) = [m for _, m in house.notifier.sent if m.event == event and m.to == f"{who}@example.com"]
    return found


def test_administrators_and_whom_the_environments_rules_name_hear_at_once(told: House) -> None:
    moved(told)
    assert hearers(told, "deployment.unapproved") == ["bob", "carol", "erin"]
    (notice,) = message(told, "deployment.unapproved", "carol").notices
    assert notice.title == "Not signed off: fraud-detector v2 in production"
    assert notice.what == (
        "production serves fraud-detector v2 (its alias champion points there), and what was signed off is v1. "
        "`signoff rollback production fraud-detector --to 1 -m WHY` puts v1 back."
    )
    assert notice.why == "Your approval counts for what is deployed to production."
    assert notice.path == "/deployments"
    assert message(told, "deployment.unapproved", "erin").notices[0].why == "You administer this server."


def test_where_the_environment_has_no_rules_those_who_decided_hear(told: House) -> None:
    moved(told, PRODUCTION, STAGING)
    assert hearers(told, "deployment.unapproved") == ["bob", "erin"]


def test_targets_hear_and_machines_get_what_was_found(told: House) -> None:
    body: dict[str, Any] = {"name": "team", "kind": "chat", "url": "json://127.0.0.1/x", "models": [MODEL]}
    made(told.as_("erin").post("/targets", body))
    moved(told)
    (heard,) = [m for target, m in told.notifier.sent if target == "team"]
    assert heard.event == "deployment.unapproved"
    detail = heard.data["detail"]
    assert (detail["environment"], detail["found"], detail["version"]) == ("production", "2", "1")


def test_what_is_found_on_the_first_day_comes_in_one_message_to_each_reader(told: House) -> None:
    for model in ("churn", "spam", "prices"):
        told.version(model=model)
        told.registry.set_alias(model, "champion", "1")
    look(told)
    mails = [m for _, m in told.notifier.sent if m.to == "erin@example.com"]
    assert [(m.event, len(m.notices)) for m in mails] == [("digest", 3)]
    assert "takes in what ran before signoff came" in mails[0].notices[0].what


def test_that_it_is_right_again_is_told_to_the_same_people(told: House) -> None:
    moved(told)
    told.registry.set_alias(MODEL, "champion", "1")
    look(told)
    assert hearers(told, "deployment.restored") == ["bob", "carol", "erin"]
    (notice,) = message(told, "deployment.restored", "erin").notices
    assert notice.title == "fraud-detector in production is what was signed off again"
    assert notice.what == "v1 is found there again."


def test_healing_is_told(told: House) -> None:
    moved(told, replace(GUARDED, self_heal=True), STAGING)
    assert hearers(told, "deployment.restored") == ["bob", "carol", "erin"]
    (found,) = message(told, "deployment.unapproved", "erin").notices
    assert "v1 is being put back." in found.what
    (healed,) = message(told, "deployment.restored", "erin").notices
    assert healed.what.endswith("The environment puts back what was signed off (self_heal).")


def test_of_a_private_model_only_those_hear_who_may_know_of_it(told: House) -> None:
    people = [replace(person, email=f"{person.name}@example.com") for person in CAST]
    bob = next(person for person in people if person.name == "bob")
    others = [person for person in people if person.name != "bob"]
    told.people(replace(bob, models=("churn-*",)), *others)
    made(told.as_("erin").ask("PUT", "/private-models", json={"private": [MODEL]}))
    moved(told)
    assert "bob" not in hearers(told, "deployment.unapproved")
    assert "erin" in hearers(told, "deployment.unapproved")
