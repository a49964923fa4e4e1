"""What nobody signed off is in red on every page of those who may know of it, and goes when it is right again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from factories import CAST, MODEL
from house import PRODUCTION, STAGING, House, made
from page_browser import Browser, forms, words
from signoff.domain.errors import UnavailableError
from signoff.engine import drift
from signoff.web import page as pages

EVERYWHERE = ("/", "/runs", "/models", "/settings", "/pipelines/validate", "/account")
SENTENCE = "production serves fraud-detector v2 (its alias champion points there), and what was signed off is v1."


def browser(house: House, name: str) -> Browser:
    return Browser(house).sign_in(name)


def look(house: House) -> None:
    house.clock.wait(minutes=2)
    drift.watch(house.machinery)
    house.work()


@pytest.fixture
def moved(house: House) -> House:
    """v1 was signed off for production, and somebody moved its alias to v2."""
    house.decide("bob", house.submit(), "approve")
    house.version()
    house.registry.set_alias(MODEL, "champion", "2")
    look(house)
    return house


@pytest.fixture
def unknown(house: House) -> House:
    """churn runs in production since before signoff came."""
    house.version(model="churn")
    house.registry.set_alias("churn", "champion", "1")
    look(house)
    return house


@pytest.mark.parametrize("who", ["alice", "bob", "dave", "erin"])
def test_the_banner_is_on_every_page_and_goes_when_it_is_right_again(moved: House, who: str) -> None:
    visitor = browser(moved, who)
    for path in (*EVERYWHERE, "/deployments", f"/models/{MODEL}"):
        page = visitor.get(path)
        assert SENTENCE in words(page), path
        assert 'role="alert"' in page.text or "Not signed off" in page.text, path
    moved.registry.set_alias(MODEL, "champion", "1")
    look(moved)
    for path in (*EVERYWHERE, "/deployments", f"/models/{MODEL}"):
        assert "signed off is v1" not in words(visitor.get(path)), path


def test_it_is_said_once_a_page(moved: House) -> None:
    visitor = browser(moved, "dave")
    for path in ("/", "/deployments", f"/models/{MODEL}"):
        assert words(visitor.get(path)).count(SENTENCE) == 1, path


def test_several_are_counted(moved: House) -> None:
    moved.version(model="churn")
    moved.registry.set_alias("churn", "champion", "1")
    look(moved)
    assert "And 1 more." in words(browser(moved, "dave").get("/"))


def test_nobody_hears_of_a_private_model_that_they_may_not_know_of(moved: House) -> None:
    moved.people(*(replace(one, models=("churn",)) if one.name == "dave" else one for one in CAST))
    made(moved.as_("erin").ask("PUT", "/private-models", json={"private": [MODEL]}))
    visitor = browser(moved, "dave")
    for path in (*EVERYWHERE, "/deployments"):
        assert MODEL not in words(visitor.get(path)), path
    assert SENTENCE in words(browser(moved, "erin").get("/"))


def test_who_is_not_signed_in_sees_nothing(moved: House) -> None:
    assert "signed off is v1" not in words(Browser(moved).get("/sign-in"))


def test_a_page_comes_where_what_runs_cannot_be_told(moved: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise UnavailableError("The database went away.", "")

    monkeypatch.setattr(pages, "list_drifts", gone)
    assert browser(moved, "dave").get("/pipelines/validate").status_code == 200


def test_who_may_roll_back_puts_it_back_with_a_reason(moved: House) -> None:
    bob = browser(moved, "bob")
    (form,) = [f for f in forms(bob.get("/deployments")) if f.fields.get("to") == "1"]
    answer = bob.post(form.action, {**form.fields, "why": "somebody moved it"})
    assert answer.status_code == 303
    moved.work()
    assert moved.registry.list_aliases()[MODEL]["champion"] == "1"
    page = words(bob.get("/deployments"))
    assert SENTENCE not in page
    assert "Put back" in page


def test_who_may_not_sees_no_button(moved: House, unknown: House) -> None:
    page = browser(moved, "dave").get("/deployments")
    assert [f.action for f in forms(page) if f.action.startswith("/deployments/")] == []


def test_an_administrator_adopts_by_a_button(unknown: House) -> None:
    erin = browser(unknown, "erin")
    (form,) = [f for f in forms(erin.get("/deployments")) if f.action == "/deployments/adopt"]
    assert (form.fields["environment"], form.fields["model"]) == ("production", "churn")
    assert erin.post(form.action, {**form.fields, "why": "since 2023"}).status_code == 303
    unknown.work()
    page = words(erin.get("/deployments"))
    assert "adopted, not approved" in page
    assert "churn v1 was adopted by erin (since 2023): it ran before signoff came, and nobody has approved it." in page
    model = words(erin.get("/models/churn"))
    assert "Adopted, not approved" in model
    assert "erin adopted it" in model
    assert "Adopted, not approved" in words(erin.get("/runs"))


def test_a_refusal_is_shown_where_it_was_asked_and_keeps_what_was_typed(unknown: House) -> None:
    unknown.environments(PRODUCTION, STAGING)
    erin = browser(unknown, "erin")
    (form,) = [f for f in forms(erin.get("/deployments")) if f.action == "/deployments/adopt"]
    unknown.registry.drop_alias("churn", "champion")
    answer = erin.post(form.action, {**form.fields, "why": "since 2023"})
    assert answer.status_code == 409
    assert "production has no churn: its alias champion points nowhere." in words(answer)
    assert "since 2023" in answer.text
