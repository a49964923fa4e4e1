"""The pages as a browser without scripts sees them: what they show, what their forms do, what they refuse and keep."""

from __future__ import annotations

import json

import pytest

from house import House
from page_browser import Browser, forms, words
from prediction_scene import Examiner, submit
from signoff.service.inbox import list_inbox

GATED = """\
model: fraud-detector
steps:
  - name: approve
    type: approval
    inputs:
      approvers: ['bob', 'carol']
      required_approvals: 2
      checklist: ['I read the card']
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""
PLACES = ("/", "/runs", "/models", "/deployments", "/settings", "/pipelines/validate")


def browser(house: House, name: str) -> Browser:
    return Browser(house).sign_in(name)


def test_an_empty_server_says_what_to_do_first(house: House) -> None:
    page = words(browser(house, "alice").get("/"))
    assert "No model was ever submitted here" in page
    assert "signoff run my-model/signoff.yaml" in page
    assert "signoff run" not in words(browser(house, "dave").get("/"))


@pytest.mark.parametrize("who", ["alice", "bob", "dave", "erin"])
def test_every_page_opens_for_whoever_may_read(house: House, who: str) -> None:
    run = house.submit()
    house.decide("bob", run, "approve")
    waiting = house.submit()
    visitor = browser(house, who)
    for path in (*PLACES, f"/runs/{run}", f"/runs/{waiting}/gates/approve", "/models/fraud-detector"):
        answer = visitor.get(path)
        assert answer.status_code == 200, path
        assert "style=" not in answer.text, path
        assert "onclick" not in answer.text, path
    expected = 200 if who == "erin" else 403
    assert visitor.get("/audit").status_code == expected


@pytest.mark.parametrize("path", [*PLACES, "/audit", "/runs/none", "/models/none", "/live", "/runs/none/live"])
def test_nobody_sees_a_page_without_signing_in(house: House, path: str) -> None:
    answer = Browser(house).get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


def test_the_inbox_shows_what_waits_for_the_reader_and_what_they_wait_for(house: House) -> None:
    run = house.submit()
    mine = words(browser(house, "bob").get("/"))
    assert "Waiting for you 1" in mine
    assert "Your word counts for approve." in mine
    theirs = words(browser(house, "alice").get("/"))
    assert "Nothing waits for you" in theirs
    assert "approve waits for 1 more approval for approve, from bob" in theirs
    assert f"/runs/{run}/gates/approve" in browser(house, "bob").get("/").text


def test_of_a_full_inbox_the_oldest_that_wait_for_the_reader_are_shown(house: House) -> None:
    made = [house.submit(GATED) for _ in range(4)]
    house.decide("bob", made[0], "approve", ticked=["I read the card"])
    shown = [item.gate.run_id for item in list_inbox(house.desk, house.actor("bob"), limit=2)]
    assert shown == made[1:3]


def test_a_review_says_in_a_sentence_what_the_evidence_says(house: House) -> None:
    Examiner(house, 40, 20)
    house.decide("bob", submit(house), "approve")
    run = submit(house, "compare: champion")
    page = browser(house, "bob").get(f"/runs/{run}/gates/approve")
    shown = words(page)
    assert "the model now in production" in shown
    assert "accuracy is 0.933" in shown
    assert "> 0.85" in shown
    assert "What changed Since v1, live in production" in shown
    assert "/files/" in page.text
    assert "You sign sha256:" in shown


def test_pictures_are_read_by_whoever_may_read_the_run(house: House) -> None:
    Examiner(house, 20)
    run = submit(house)
    visitor = browser(house, "dave")
    page = visitor.get(f"/runs/{run}/gates/approve").text
    address = page.split('data-spec="')[1].split('"')[0]
    answer = visitor.get(address)
    assert answer.headers["content-type"].startswith("application/json")
    assert "vega-lite" in answer.json()["$schema"]
    assert visitor.get(address.replace(".vl.json", ".none.json")).status_code == 404
    assert Browser(house).get(address).status_code == 303


def test_an_approval_with_its_checklist_is_given_in_the_box(house: House) -> None:
    run = house.submit(GATED)
    review, box = f"/runs/{run}/gates/approve", f"/runs/{run}/gates/approve/decisions"
    bob = browser(house, "bob")
    refused = bob.send(review, box, verdict="approve", comment="fine by me")
    assert refused.status_code == 422
    assert "asks you to confirm: I read the card" in words(refused)
    assert forms(refused)[-1] is not None
    assert "fine by me" in refused.text
    assert bob.send(review, box, verdict="approve", ticked="I read the card").status_code == 303
    after = words(bob.get(review))
    assert "already decided: approve" in after
    assert "Withdraw my decision" in after
    assert house.status(run) == "waiting"
    browser(house, "carol").send(review, box, verdict="approve", ticked="I read the card")
    house.work()
    assert house.status(run) == "succeeded"


def test_reasons_reach_the_next_attempt(house: House) -> None:
    run = house.submit()
    box = f"/runs/{run}/gates/approve/decisions"
    bob = browser(house, "bob")
    form = bob.form(f"/runs/{run}/gates/approve", box)
    typed = {**form.fields, "verdict": "request_changes", "comment": "Look at the east."}
    typed |= {"kind": ["slice", "", ""], "subject": ["region east", "", ""]}
    assert bob.post(box, typed).status_code == 303
    house.work()
    assert house.status(run) == "changes_requested"
    alice = browser(house, "alice")
    page = words(alice.get(f"/runs/{run}"))
    assert "bob, about slice region east: Look at the east." in page
    sent = alice.send(f"/runs/{run}", f"/runs/{run}/resubmit", model=house.version(), **{"answer-1": "More of it."})
    assert sent.status_code == 303
    house.work()
    review = words(browser(house, "bob").get(f"/runs/{run}/gates/approve"))
    assert "What was asked of this attempt" in review
    assert "More of it." in review
    assert "Since attempt 1 (v1)" in review


def test_a_refused_resubmission_keeps_what_was_typed(house: House) -> None:
    run = house.submit()
    house.decide("bob", run, "request_changes", reasons=[{"kind": "metric", "subject": "recall"}])
    alice = browser(house, "alice")
    answer = alice.send(f"/runs/{run}", f"/runs/{run}/resubmit", model="", **{"answer-1": "I lowered the bar."})
    assert answer.status_code == 422
    assert "I lowered the bar." in answer.text


def test_deciding_on_a_stale_page_is_caught_explained_and_loses_nothing(house: House) -> None:
    run = house.submit()
    box = f"/runs/{run}/gates/approve/decisions"
    bob = browser(house, "bob")
    form = bob.form(f"/runs/{run}/gates/approve", box)
    house.decide("bob", run, "request_changes")
    house.as_("alice").post(f"/runs/{run}/submissions", {"model": house.version()})
    house.work()
    before = house.status(run)
    answer = bob.post(box, {**form.fields, "verdict": "approve", "comment": "I thought long about this."})
    assert answer.status_code == 409
    shown = words(answer)
    assert "This changed while you were reading: nothing was decided" in shown
    assert "the version" in shown
    assert "I thought long about this." in answer.text
    assert house.status(run) == before == "waiting"
    fresh = next(f for f in forms(answer) if f.action == box)
    assert fresh.fields["digest"] == house.gate(run)["digest"] != form.fields["digest"]
    assert bob.post(box, {**fresh.fields, "verdict": "approve"}).status_code == 303


def test_of_two_who_close_a_gate_at_once_the_second_is_told_and_keeps_the_words(house: House) -> None:
    pipeline = GATED.replace("      required_approvals: 2\n      checklist: ['I read the card']\n", "")
    run = house.submit(pipeline)
    box = f"/runs/{run}/gates/approve/decisions"
    bob, carol = browser(house, "bob"), browser(house, "carol")
    forms_of = [one.form(f"/runs/{run}/gates/approve", box).fields for one in (bob, carol)]
    assert bob.post(box, {**forms_of[0], "verdict": "approve"}).status_code == 303
    answer = carol.post(box, {**forms_of[1], "verdict": "reject", "comment": "This leaks the label."})
    assert answer.status_code == 409
    assert "nothing was decided" in words(answer)
    assert "This leaks the label." in answer.text


def test_whoever_may_not_decide_sees_why_and_no_box(house: House) -> None:
    run = house.submit()
    for who, why in (("alice", "is not among"), ("carol", "is not among the approvers"), ("dave", "dave")):
        page = browser(house, who).get(f"/runs/{run}/gates/approve")
        assert f"/runs/{run}/gates/approve/decisions" not in page.text
        assert why in words(page)
    form = {"verdict": "approve", "digest": house.gate(run)["digest"]}
    alice = browser(house, "alice")
    token = alice.form("/settings", "/settings/tokens").fields["csrf_token"]
    assert alice.post(f"/runs/{run}/gates/approve/decisions", {**form, "csrf_token": token}).status_code == 403
    assert house.status(run) == "waiting"


def test_a_remark_is_safe_and_mentions_people(house: House) -> None:
    run = house.submit()
    review = f"/runs/{run}/gates/approve"
    bob = browser(house, "bob")
    sent = bob.send(review, f"/runs/{run}/comments", body="@alice is **this** <script>alert(1)</script> right?")
    assert sent.headers["location"] == f"{review}#discussion"
    page = bob.get(review).text
    assert '<span class="at-person">@alice</span> is <strong>this</strong> &lt;script&gt;' in page
    elsewhere = bob.post(f"/runs/{run}/comments", {**bob.form(review, f"/runs/{run}/comments").fields, "body": "a",
                                                   "back": "//evil.example"})  # fmt: skip
    assert elsewhere.headers["location"] == "/#discussion"


def test_a_rollback_takes_a_reason_and_brings_the_former_version_back(house: House) -> None:
    for _ in range(2):
        house.decide("bob", house.submit(), "approve")
    bob = browser(house, "bob")
    assert "/deployments/roll-back" not in browser(house, "alice").get("/deployments").text
    refused = bob.send("/deployments", "/deployments/roll-back", why=" ")
    assert refused.status_code == 422
    assert "needs a reason" in words(refused)
    assert bob.send("/deployments", "/deployments/roll-back", why="it is slow").status_code == 303
    house.work()
    page = words(bob.get("/deployments"))
    assert "fraud-detector v1 Live rollback" in page
    assert "it is slow" in page


def test_what_serves_without_an_approval_is_a_red_banner(house: House) -> None:
    house.decide("bob", house.submit(), "approve")
    bob = browser(house, "bob")
    shown = words(bob.get("/models/fraud-detector"))
    assert "Signed by bob" in shown
    assert "without a standing approval" not in shown
    bob.send("/models/fraud-detector", "/models/fraud-detector/versions/1/revoke", why="wrong labels", roll_back="")
    shown = words(bob.get("/models/fraud-detector"))
    assert "v1 serves in production without a standing approval" in shown
    assert "wrong labels" in shown


def test_a_version_that_no_step_approved_is_a_red_banner(house: House) -> None:
    house.submit("steps: [{name: deploy, type: deployment, inputs: {environment: production}}]")
    assert "nobody approved it" in words(browser(house, "dave").get("/models/fraud-detector"))


def test_runs_are_filtered_and_paged_by_cursor(house: House) -> None:
    made = [house.submit() for _ in range(31)]
    alice = browser(house, "alice")
    first = alice.get("/runs")
    assert sum(run in first.text for run in made) == 30
    following = first.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    second = alice.get(following)
    assert [run for run in made if run in second.text] == made[:1]
    assert "No run fits" in words(alice.get("/runs?state=failed"))
    assert alice.get("/runs?state=nonsense").status_code == 422
    assert alice.get("/runs?cursor=nonsense").status_code == 422


def test_the_audit_log_is_filtered_and_exported_whole(house: House) -> None:
    run = house.submit()
    house.decide("bob", run, "approve")
    other = house.submit()
    erin = browser(house, "erin")
    shown = erin.get(f"/audit?run={run}&type=gate.decided").text
    assert "gate.decided" in shown
    assert other not in shown
    lines = [json.loads(line) for line in erin.get("/audit/export.jsonl").text.splitlines()]
    assert [line["index"] for line in lines] == [event.index for event in house.events()]
    mine = browser(house, "alice").get(f"/runs/{run}/audit.jsonl")
    assert {json.loads(line)["run_id"] for line in mine.text.splitlines()} == {run}
    assert browser(house, "alice").get("/audit/export.jsonl").status_code == 403
    assert erin.get("/audit?type=nonsense").status_code == 422


def test_a_pipeline_is_tried_out_with_who_could_approve_today(house: House) -> None:
    alice = browser(house, "alice")
    sound = words(alice.send("/pipelines/validate", "/pipelines/validate", text=GATED))
    assert "It is sound" in sound
    assert "2 of bob or carol today" in sound
    wrong = alice.send(
        "/pipelines/validate", "/pipelines/validate", text=GATED.replace("type: approval", "type: aproval")
    )
    assert "1 thing is wrong" in words(wrong)
    assert "Line 4" in words(wrong)
    assert "^" in wrong.text


def test_a_run_is_cancelled_by_whoever_may(house: House) -> None:
    run = house.submit()
    assert f"/runs/{run}/cancel" not in browser(house, "bob").get(f"/runs/{run}").text
    alice = browser(house, "alice")
    assert alice.send(f"/runs/{run}", f"/runs/{run}/cancel").status_code == 303
    assert house.status(run) == "cancelled"
    assert f"/runs/{run}/cancel" not in alice.get(f"/runs/{run}").text


def test_settings_change_what_they_say(house: House) -> None:
    bob, erin = browser(house, "bob"), browser(house, "erin")
    assert (
        bob.send("/settings", "/settings/absence", delegate="carol", since="2026-11-02", until="2026-11-05").status_code
        == 303
    )
    assert "carol decides for bob until 2026-11-06" in words(bob.get("/settings"))
    assert "is not a day" in words(bob.send("/settings", "/settings/absence", delegate="carol", until="soon"))
    made = bob.post(
        "/settings/tokens", {**bob.form("/settings", "/settings/tokens").fields, "name": "ci", "scope": ["read"]}
    )
    assert "Your token, shown this once" in words(made)
    assert "/settings/people" not in bob.get("/settings").text
    added = erin.post(
        "/settings/people", {**erin.form("/settings", "/settings/people").fields, "name": "frank", "role": ["viewer"]}
    )
    assert "A link for frank, shown this once" in words(added)
    assert erin.send("/settings", "/settings/people/frank/deactivate").status_code == 303
    assert "deactivated" in words(erin.get("/settings"))
    erin.post(
        "/settings/groups",
        {**erin.form("/settings", "/settings/groups").fields, "name": "legal", "members": "bob, carol"},
    )
    assert "legal bob and carol" in words(erin.get("/settings"))


def test_an_administrator_says_who_is_told(house: House) -> None:
    erin = browser(house, "erin")
    assert "/settings/targets" not in browser(house, "bob").get("/settings").text
    typed = {"name": "ci", "kind": "webhook", "url": "https://hooks.example.org/x", "events": "gate.*"}
    made = erin.post("/settings/targets", {**erin.form("/settings", "/settings/targets").fields, **typed})
    assert "The secret of the webhook, shown this once" in words(made)
    assert "https://hooks.example.org/x" not in erin.get("/settings").text
    again = erin.post("/settings/targets", {**erin.form("/settings", "/settings/targets").fields, **typed})
    assert again.status_code == 409
    for what, said in (("try", "on its way"), ("pause", "is paused"), ("resume", "told again"), ("remove", "is gone")):
        assert erin.send("/settings", f"/settings/targets/ci/{what}").status_code == 303
        assert said in words(erin.get("/settings"))
    assert "Nobody is told of anything yet" in words(erin.get("/settings"))
