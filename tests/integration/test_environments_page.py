"""Environments edited in a browser: tried before they are applied, and never over somebody else's change."""

from __future__ import annotations

from dataclasses import replace

from factories import a_rule
from house import PRODUCTION, STAGING, House
from page_browser import Browser, forms, words

PAGE = "/settings/environments"
RISK = a_rule("bob", name="risk", allow_policy=False)


def edited(browser: Browser, old: str, new: str) -> dict[str, str]:
    """The form of the page with the file changed."""
    form = browser.form(PAGE, f"{PAGE}/try")
    assert old in form.fields["text"]
    return {**form.fields, "text": form.fields["text"].replace(old, new)}


def test_the_file_there_is_can_be_read_and_changes_nothing(house: House) -> None:
    house.environments(replace(PRODUCTION, rules=(RISK,)), STAGING)
    erin = Browser(house).sign_in("erin")
    page = erin.get(PAGE)
    assert page.headers["cache-control"] == "no-store"
    fields = erin.form(PAGE, f"{PAGE}/try").fields
    assert "{name: risk, approvers: [bob]}" in fields["text"]
    tried = erin.post(f"{PAGE}/try", fields)
    assert "It changes nothing" in words(tried)
    assert 'formaction="/settings/environments"' not in tried.text


def test_every_error_is_shown_with_its_line_and_fix_and_nothing_is_applied(house: House) -> None:
    erin = Browser(house).sign_in("erin")
    wrong = "environments:\n  production:\n    deployer: {type: alias}\n    promote_to: stagin\n  staging: {}\n"
    with house.unchanged():
        for where in (f"{PAGE}/try", PAGE):
            page = erin.post(where, {**erin.form(PAGE, f"{PAGE}/try").fields, "text": wrong})
            assert "Line 4: promote_to of production names no environment: 'stagin'" in words(page).replace(
                "&#39;", "'"
            )
            assert "did you mean" in page.text
            assert wrong.splitlines()[3] in page.text
    assert page.status_code == 422


def test_what_changes_is_said_with_the_gates_that_it_touches_and_then_applied(house: House) -> None:
    house.environments(replace(PRODUCTION, rules=(RISK,)), STAGING)
    run = house.submit()
    erin = Browser(house).sign_in("erin")
    form = edited(erin, "approvers: [bob]", "approvers: [bob, carol]")
    with house.unchanged():
        tried = words(erin.post(f"{PAGE}/try", form))
    assert "production: rule risk now counts bob, carol instead of bob" in tried
    assert f"approve of run {run}" in tried
    applied = erin.post(PAGE, form)
    assert applied.headers["location"] == "/settings#environments"
    assert "rule risk now counts bob, carol" in words(erin.get("/settings"))
    assert "approvers: [bob, carol]" in erin.form(PAGE, f"{PAGE}/try").fields["text"]


def test_what_is_in_the_way_is_forced_only_with_a_reason_which_is_kept(house: House) -> None:
    house.environments(replace(PRODUCTION, rules=(RISK,)), STAGING)
    house.submit()
    erin = Browser(house).sign_in("erin")
    form = edited(erin, "approvers: [bob]", "approvers: [alice]")
    with house.unchanged():
        refused = erin.post(PAGE, form)
        assert refused.status_code == 409
        assert "Something is in the way" in words(refused)
        assert "--force" not in refused.text
        assert "It is forced without a reason" in words(erin.post(PAGE, {**form, "force": "yes"}))
    assert erin.post(PAGE, {**form, "force": "yes", "why": "bob left"}).status_code == 303
    event = next(one for one in reversed(house.events()) if one.type == "environments.applied")
    assert (event.detail["forced"], event.detail["why"]) == (True, "bob left")


def test_nobody_overwrites_what_somebody_else_changed_meanwhile(house: House) -> None:
    house.environments(PRODUCTION, STAGING)
    erin = Browser(house).sign_in("erin")
    form = edited(erin, "environments:", "environments:\n  mine: {deployer: {type: alias}}")
    house.environments(PRODUCTION, STAGING, replace(STAGING, name="theirs"))
    with house.unchanged():
        page = erin.post(PAGE, form)
    assert page.status_code == 409
    assert "Somebody else changed the environments" in words(page)
    assert "theirs is removed" in words(page)
    again = next(one.fields for one in forms(page) if one.action == f"{PAGE}/try")
    assert again["seen"] != form["seen"]
    assert erin.post(PAGE, again).status_code == 303


def test_it_is_for_administrators_only(house: House) -> None:
    bob = Browser(house).sign_in("bob")
    assert bob.get(PAGE).status_code == 403
    assert PAGE not in bob.get("/settings").text
