"""Passkeys: the second factor, and the decisions that an environment wants confirmed by one."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from httpx2 import Response

from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, refused
from page_browser import Browser, forms, words
from passkey_device import PasskeyDevice
from signoff.domain.account import Method
from signoff.domain.account_errors import PasskeyError, StaleSignInError
from signoff.domain.environment import Environment
from signoff.domain.errors import StepUpRequiredError
from signoff.domain.gate import Decision, GateStatus, Verdict
from signoff.domain.protection import stale_gate
from signoff.service.accounts import make_link, use_link
from signoff.service.challenges import ANSWERS_WITHIN, Answer
from signoff.service.decisions import Verdicts, ask_confirmation, decide_gate
from signoff.service.passkeys import FRESH, begin_adding, finish_adding, list_passkeys
from signoff.service.sessions import authenticate, open_session
from signoff.store import gates, people, runs

PASSWORD = "seven quiet herons wade"
CAREFUL = replace(PRODUCTION, step_up="passkey")
CAREFUL_STEP = APPROVE_AND_DEPLOY.replace("approvers: ['bob']", "approvers: ['bob'], step_up: passkey")


def options_of(page: Response) -> str:
    """What a page asks the device."""
    found = re.search(r'data-options="([^"]+)"', page.text)
    assert found, words(page)
    return html.unescape(found.group(1))


def device_of(house: House, name: str) -> PasskeyDevice:
    """A device whose passkey `name` has just added."""
    device = PasskeyDevice()
    actor = authenticate(house.desk, open_session(house.desk, name, [Method.PASSWORD], address="", agent=""))
    question = begin_adding(house.desk, actor)
    finish_adding(house.desk, actor, "laptop", Answer(question.id, device.create(question.options)))
    return device


def with_password(house: House, name: str) -> None:
    link = make_link(house.desk, house.actor("erin"), name)
    use_link(house.desk, link.url.partition("code=")[2], PASSWORD)


def test_with_a_passkey_the_password_alone_lets_nobody_in(house: House) -> None:
    with_password(house, "bob")
    device = device_of(house, "bob")
    browser = Browser(house)
    asked = browser.send("/sign-in", "/sign-in", name="bob", password=PASSWORD, next="/account")
    assert "Now use the passkey of bob" in words(asked)
    assert browser.get("/account").status_code == 303
    fields = next(form for form in forms(asked) if form.action == "/sign-in/passkey").fields
    answer = {**fields, "credential": device.get(options_of(asked))}
    done = browser.post("/sign-in/passkey", answer)
    assert (done.status_code, done.headers["location"]) == (303, "/account")
    assert "signed in by password, passkey" in words(browser.get("/account"))
    assert browser.post("/sign-in/passkey", answer).status_code == 403, "the answer was good once"


@pytest.mark.parametrize(
    "wrong", ["origin", "site", "unverified", "other key", "nothing", "garbage", "late", "browser"]
)
def test_an_answer_that_is_not_quite_one_lets_nobody_in(house: House, wrong: str) -> None:
    with_password(house, "bob")
    device = device_of(house, "bob")
    browser = Browser(house)
    asked = browser.send("/sign-in", "/sign-in", name="bob", password=PASSWORD)
    bent = {
        "origin": {"origin": "http://evil.example"},
        "site": {"site": "evil.example"},
        "unverified": {"is_verified": False},
        "other key": {"key": PasskeyDevice().key},
    }.get(wrong, {})
    credential = replace(device, **bent).get(options_of(asked))  # type: ignore[arg-type]
    credential = {"nothing": "", "garbage": '{"id": 7, "response": {}}'}.get(wrong, credential)
    fields = next(form for form in forms(asked) if form.action == "/sign-in/passkey").fields
    if wrong == "late":
        house.clock.wait(seconds=ANSWERS_WITHIN.total_seconds() + 1)
    if wrong == "browser":
        browser = Browser(house)
        fields["csrf_token"] = browser.form("/sign-in", "/sign-in").fields["csrf_token"]
    refusal = browser.post("/sign-in/passkey", {**fields, "credential": credential})
    assert (refusal.status_code, refusal.headers["location"]) == (303, "/sign-in")
    assert browser.get("/account").status_code == 303


def test_a_passkey_that_was_copied_is_refused(house: House) -> None:
    device = device_of(house, "bob")
    house.environments(CAREFUL, STAGING)
    said, run_id = ready(house)
    question = ask_confirmation(house.desk, house.actor("bob"), run_id, "approve", said)
    device.count = 5
    confirmed = replace(said, confirmation=Answer(question.id, device.get(question.options)))
    decide_gate(house.desk, house.actor("bob"), run_id, "approve", confirmed)
    said, run_id = ready(house)
    question = ask_confirmation(house.desk, house.actor("bob"), run_id, "approve", said)
    device.count = 2
    with pytest.raises(PasskeyError, match="does not hold"):
        decide_gate(
            house.desk,
            house.actor("bob"),
            run_id,
            "approve",
            replace(said, confirmation=Answer(question.id, device.get(question.options))),
        )


def test_how_one_signs_in_is_changed_only_shortly_after_signing_in(house: House) -> None:
    secret = open_session(house.desk, "bob", [Method.PASSWORD], address="", agent="")
    house.clock.wait(seconds=FRESH.total_seconds() + 1)
    with pytest.raises(StaleSignInError):
        begin_adding(house.desk, authenticate(house.desk, secret))
    browser = Browser(house).sign_in("bob")
    form = browser.form("/account", "/account/passkeys/new")
    house.clock.wait(seconds=FRESH.total_seconds() + 1)
    answer = browser.post(form.action, form.fields, Referer="http://testserver/account")
    assert answer.status_code == 401
    assert "/sign-in?next=/account&amp;again=1" in answer.text
    assert browser.get("/sign-in?next=/account&again=1").status_code == 200


def test_nobody_removes_the_passkey_of_somebody_else(house: House) -> None:
    device_of(house, "bob")
    mine = list_passkeys(house.desk, house.actor("bob"))[0]
    carol = Browser(house).sign_in("carol")
    token = carol.form("/account", "/account/passkeys/new").fields["csrf_token"]
    assert carol.post("/account/passkeys/remove", {"csrf_token": token, "passkey": mine.id}).status_code == 404
    assert list_passkeys(house.desk, house.actor("bob")) == [mine]
    bob = Browser(house).sign_in("bob")
    assert bob.send("/account", "/account/passkeys/remove").status_code == 303
    assert list_passkeys(house.desk, house.actor("bob")) == []


# Deciding where the environment or the pipeline wants it confirmed


def ready(house: House) -> tuple[Verdicts, str]:
    """A run that waits for bob at a gate before production, and his approval of it."""
    run_id = house.submit()
    return Verdicts(Verdict.APPROVE, house.gate(run_id)["digest"]), run_id


def test_an_approval_without_a_passkey_is_refused_over_rest_and_says_where_to_go(house: House) -> None:
    house.environments(CAREFUL, STAGING)
    _, run_id = ready(house)
    with house.unchanged():
        told = refused(house.says("bob", run_id, "approve"), 403, "step_up_required")
    assert f"http://testserver/runs/{run_id}/gates/approve" in told
    assert house.says("bob", run_id, "request_changes").status_code == 200, "saying no needs none"


@pytest.mark.parametrize("asks", [CAREFUL, None], ids=["environment", "pipeline"])
def test_an_approval_is_confirmed_on_the_page_and_deployed(house: House, asks: Environment | None) -> None:
    house.environments(asks or PRODUCTION, STAGING)
    device = device_of(house, "bob")
    run_id = ready(house)[1] if asks else house.submit(CAREFUL_STEP)
    browser = Browser(house).sign_in("bob")
    review, target = f"/runs/{run_id}/gates/approve", f"/runs/{run_id}/gates/approve/decisions"
    asked = browser.send(review, target, verdict="approve", comment='fine "as is"\n<b>really</b>')
    assert "Approve with your passkey" in words(asked)
    fields = next(form for form in forms(asked) if form.action == target).fields
    done = browser.post(target, {**fields, "credential": device.get(options_of(asked))})
    assert (done.status_code, done.headers["location"]) == (303, review), words(done)
    house.work()
    assert house.status(run_id) == "succeeded"
    decided = next(event for event in house.events(run_id) if event.type.value == "gate.decided")
    assert decided.detail["passkey"]
    assert decided.detail["methods"] == ["password"]
    assert house.gate(run_id)["decisions"][0]["is_confirmed"] is True


def test_a_pipeline_asks_for_a_passkey_where_its_environment_does_not(house: House) -> None:
    run_id = house.submit(CAREFUL_STEP)
    with house.unchanged():
        told = refused(house.says("bob", run_id, "approve"), 403, "step_up_required")
    assert told.startswith("approve counts an approval only when a passkey confirms it.")
    assert house.says("bob", run_id, "request_changes").status_code == 200, "saying no needs none"


def test_what_no_passkey_confirmed_at_such_a_step_deploys_nothing(house: House) -> None:
    run_id = house.submit(CAREFUL_STEP)
    with house.database.begin() as tx:
        run = runs.get_run(tx, run_id)
        gate = run.gate("approve")
        assert gate is not None
        yes = Decision("d", "bob", Verdict.APPROVE, gate.digest, house.clock())
        gates.add_decision(tx, gate, yes, audit=[])
        people_now = people.get_directory(tx)
    run = replace(run, gates=(replace(gate, status=GateStatus.APPROVED),))
    confirmed = replace(yes, passkey="key")
    digest = gate.subject.manifest_digest
    found = stale_gate(run, 1, {gate.id: [yes]}, people_now, digest)
    assert found is not None
    assert stale_gate(run, 1, {gate.id: [confirmed]}, people_now, digest) is None


def test_somebody_without_a_passkey_is_told_where_to_add_one(house: House) -> None:
    house.environments(CAREFUL, STAGING)
    _, run_id = ready(house)
    browser = Browser(house).sign_in("bob")
    review = f"/runs/{run_id}/gates/approve"
    told = browser.send(review, f"{review}/decisions", verdict="approve", comment="typed already")
    assert "You have no passkey yet" in words(told)
    assert "typed already" in told.text


@pytest.mark.parametrize(
    "changed", [{"comment": "another"}, {"verdict": Verdict.REQUEST_CHANGES, "comment": "x"}, {"ticked": ("x",)}]
)
def test_a_confirmation_is_of_one_decision_and_of_no_other(house: House, changed: dict[str, object]) -> None:
    house.environments(CAREFUL, STAGING)
    device = device_of(house, "bob")
    said, run_id = ready(house)
    asked = replace(said, **changed)  # type: ignore[arg-type]
    question = ask_confirmation(house.desk, house.actor("bob"), run_id, "approve", asked)
    answer = Answer(question.id, device.get(question.options))
    with house.unchanged(), pytest.raises(PasskeyError, match="something else"):
        decide_gate(house.desk, house.actor("bob"), run_id, "approve", replace(said, confirmation=answer))


def test_a_confirmation_of_one_run_is_nothing_for_another_or_for_another_person(house: House) -> None:
    house.environments(CAREFUL, STAGING)
    device = device_of(house, "bob")
    one, first = ready(house)
    other, second = ready(house)
    question = ask_confirmation(house.desk, house.actor("bob"), first, "approve", one)
    answer = Answer(question.id, device.get(question.options))
    with pytest.raises(PasskeyError):
        decide_gate(house.desk, house.actor("bob"), second, "approve", replace(other, confirmation=answer))
    decide_gate(house.desk, house.actor("bob"), first, "approve", replace(one, confirmation=answer))
    with pytest.raises(StepUpRequiredError):
        decide_gate(house.desk, house.actor("bob"), second, "approve", other)


def test_an_approval_from_before_the_rule_is_asked_for_again_before_it_deploys(house: House) -> None:
    _, run_id = ready(house)
    assert house.says("bob", run_id, "approve").status_code == 200
    house.environments(CAREFUL, STAGING)
    house.work()
    assert house.run(run_id)["status"] == "waiting"
    assert "gate.voided" in house.types(run_id)
    told = next(event for event in house.events(run_id) if event.type.value == "gate.voided")
    assert "a passkey confirmed" in str(dict(told.detail))
