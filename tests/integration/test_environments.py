"""Environments by command: applied, told in words, kept with their history, and never so that a gate is stuck."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any

import pytest
from httpx2 import Response

from factories import ALICE, BOB, CAROL, DAVE, ERIN, MODEL, a_rule
from house import APPROVE_AND_DEPLOY, PRODUCTION, STAGING, House, made, refused
from signoff.bootstrap.people import read_administration
from signoff.domain.actor import Credential, Role
from signoff.domain.environment import LOCAL
from signoff.domain.environment_errors import StuckGateError
from signoff.settings import Settings
from signoff.store.environments import lock_environments, set_environments

RISK = a_rule("group:risk", name="risk", allow_policy=False)
OTHERS = (BOB, CAROL, DAVE, ERIN)
FILE = """\
environments:
  production:
    deployer: {type: alias, alias: champion}
    accept_claimed: true
    rules: [{name: risk, approvers: ['group:risk'], required_approvals: 2}]
  staging:
    deployer: {type: alias}
    accept_claimed: true
"""


def apply(house: House, text: str, *, who: str = "erin", force: bool = False, **more: Any) -> Response:
    return house.as_(who, **more).ask("PUT", "/environments", json={"document": text, "force": force})


def put(house: House, name: str, environment: dict[str, Any], **more: Any) -> Response:
    return house.as_("erin").ask("PUT", f"/environments/{name}", json={"environment": environment, **more})


def applied_events(house: House) -> list[dict[str, Any]]:
    return [dict(event.detail) for event in house.events() if event.type == "environments.applied"]


def test_a_file_is_applied_and_says_what_it_changed(house: House) -> None:
    house.environments(replace(PRODUCTION, rules=(RISK,)), STAGING)
    body = made(apply(house, FILE))
    assert body["changes"] == ["production: rule risk now asks for 2 instead of 1"]
    [event] = [e for e in house.events() if e.type == "environments.applied"][-1:]
    assert (event.actor, event.detail["changes"]) == ("erin", body["changes"])
    assert event.detail["forced"] is False
    found = made(house.as_("dave").get("/environments/production"))
    assert [rule["required_approvals"] for rule in found["rules"]] == [2]
    with house.unchanged():
        assert made(apply(house, FILE))["changes"] == []


def test_the_history_says_who_changed_what_newest_first(house: House) -> None:
    made(apply(house, FILE))
    made(put(house, "production", {"deployer": {"type": "alias", "alias": "champion"}, "max_age": "14d"}))
    found = made(house.as_("dave").get("/environments/production/history"))["items"]
    assert [(v["number"], v["by"]) for v in found] == [(3, "erin"), (2, "erin"), (1, "system")]
    assert found[0]["changes"] == [
        "production: rule risk is gone",
        "production: an approval may be 14d old",
        "production: automatic approval may no longer read claimed metrics",
    ]
    assert found[1]["changes"] == ["production: rule risk is new and asks for 2 of group:risk"]
    assert [v["number"] for v in made(house.as_("dave").get("/environments/staging/history"))["items"]] == [1]
    assert "no environment called" in refused(house.as_("dave").get("/environments/x/history"), 422,
                                              "unknown_environment")  # fmt: skip
    assert made(house.as_("dave").get("/environments/local/history"))["items"] == []


def test_one_environment_is_put_beside_the_others(house: House) -> None:
    body = made(put(house, "canary", {"deployer": {"type": "alias"}, "promote_to": "production"}))
    assert body["changes"] == ["canary is new", "canary: promotes to production instead of nowhere"]
    names = [found["name"] for found in made(house.as_("dave").get("/environments"))["items"]]
    assert names == ["canary", "local", "production", "staging"]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"deployer": {"type": "alias"}, "rules": [{"name": "risk", "approvers": ["zoe"]}]},
         "nobody and no group is called 'zoe'"),
        ({"promote_to": "nowhere"}, "promote_to of production names no environment: 'nowhere'"),
        ({"step_up": "password"}, "step_up must be passkey, not 'password'"),
        ({"self_heal": "yes"}, "self_heal must be true or false, not 'yes'"),
        ({"chat_approval": "yes"}, "chat_approval must be true or false, not 'yes'"),
        ({"chat_approval": True, "step_up": "passkey"},
         "chat_approval: true and step_up: passkey exclude each other"),
        ({"private": True}, "private is not available yet"),
        ({"deployer": {"type": "kubernetes"}}, "deployer type: kubernetes is not available yet"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_environment_is_said_and_changes_nothing(
    house: House, environment: dict[str, Any], words: str
) -> None:
    with house.unchanged():
        answer = put(house, "production", environment)
    assert words in refused(answer, 422, "bad_environments")


def test_every_problem_of_a_file_is_told_with_its_place(house: House) -> None:
    with house.unchanged():
        answer = apply(house, FILE.replace("'group:risk'", "'group:nobody'").replace("{type: alias}", "{type: magic}"))
    refused(answer, 422, "bad_environments")
    places = [(place["line"], place["column"]) for place in answer.json()["errors"]]
    assert places == [(5, 38), (7, 22)]


@pytest.mark.parametrize("who", ["alice", "bob", "dave"])
def test_only_an_administrator_applies_environments(house: House, who: str) -> None:
    with house.unchanged():
        assert "may not administer" in refused(apply(house, FILE, who=who), 403, "not_allowed")
        answer = house.as_(who).ask("PUT", "/environments/production", json={"environment": {}})
        assert "may not administer" in refused(answer, 403, "not_allowed")


def test_a_token_does_not_apply_environments(house: House) -> None:
    with house.unchanged():
        refused(apply(house, FILE, credential=Credential.TOKEN), 403, "not_allowed")


def test_rules_that_nobody_could_satisfy_at_a_gate_that_waits_are_refused_with_its_name(house: House) -> None:
    run_id = house.submit()
    three = FILE.replace("required_approvals: 2", "required_approvals: 3")
    with house.unchanged():
        words = refused(apply(house, three), 409, "stuck_gate")
    assert words == (
        f"The gate approve of run {run_id} could never be approved: risk needs 3 approvals, and only bob, carol could "
        "give them. Name more people or ask for fewer, cancel that run, or apply it all the same: --force."
    )
    body = made(apply(house, three, force=True))
    assert body["despite"] == [words.split(" Name more")[0]]
    assert applied_events(house)[-1]["forced"] is True
    assert applied_events(house)[-1]["despite"] == body["despite"]


def test_what_was_stuck_already_stands_in_nobodys_way(house: House) -> None:
    house.submit()
    three = FILE.replace("required_approvals: 2", "required_approvals: 3")
    made(apply(house, three, force=True))
    assert made(apply(house, three.replace("name: risk", "name: board")))["despite"] == []


def test_a_gate_that_waits_is_asked_by_the_new_rules_at_once(house: House) -> None:
    run_id = house.submit()
    body = made(apply(house, FILE))
    assert body["gates"] == [f"approve of run {run_id}"]
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "waiting"
    rules = {rule["name"]: rule["missing"] for rule in house.gate(run_id)["rules"]}
    assert rules == {"approve": 0, "risk": 1}
    assert [item["step"] for item in made(house.as_("carol").get("/inbox"))["items"]] == ["approve"]
    [changed] = [e for e in house.events(run_id) if e.type == "gate.rules_changed"]
    assert (changed.actor, changed.detail["rules"]) == ("erin", ["2 of group:risk (risk)"])
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_a_gate_closes_when_the_new_rules_are_satisfied_already(house: House) -> None:
    made(apply(house, FILE))
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "waiting"
    made(apply(house, FILE.replace("required_approvals: 2", "required_approvals: 1")))
    house.work()
    assert house.status(run_id) == "succeeded"
    assert house.types(run_id).count("gate.closed") == 1
    assert house.types(run_id).count("gate.opened") == 1


def test_a_gate_that_closed_is_held_against_the_new_rules_at_the_deployment(house: House) -> None:
    run_id = house.submit()
    made(house.says("bob", run_id, "approve"))
    made(apply(house, FILE))
    house.work()
    gate = house.gate(run_id)
    assert (house.status(run_id), gate["round"]) == ("waiting", 2)
    assert gate["note"] == "Opened again: production now also demands the approval of risk"
    house.decide("bob", run_id, "approve")
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_whatever_a_pipeline_allows_the_submitter_does_not_count_for_an_environment(house: House) -> None:
    house.people(replace(ALICE, roles=ALICE.roles | {Role.APPROVER}, groups=frozenset({"risk"})), *OTHERS)
    made(apply(house, FILE))
    run_id = house.submit(APPROVE_AND_DEPLOY.replace("['bob']", "[alice], allow_self_approval: true"))
    house.decide("alice", run_id, "approve")
    assert house.status(run_id) == "waiting"
    rules = {rule["name"]: (rule["counted"], rule["candidates"]) for rule in house.gate(run_id)["rules"]}
    assert rules == {"approve": (["alice"], []), "risk": ([], ["bob", "carol"])}
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "waiting"
    house.decide("carol", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_rules_that_come_after_a_self_approval_do_not_count_it(house: House) -> None:
    house.people(replace(ALICE, roles=ALICE.roles | {Role.APPROVER}, groups=frozenset({"risk"})), *OTHERS)
    run_id = house.submit(APPROVE_AND_DEPLOY.replace("['bob']", "[alice], allow_self_approval: true"))
    made(house.says("alice", run_id, "approve"))
    made(apply(house, FILE.replace("required_approvals: 2", "required_approvals: 1")))
    house.work()
    assert house.status(run_id) == "waiting"
    assert house.gate(run_id)["note"] == "Opened again: production now also demands the approval of risk"


def test_a_gate_of_another_environment_keeps_its_rules(house: House) -> None:
    run_id = house.submit(APPROVE_AND_DEPLOY.replace("production", "staging"))
    assert made(apply(house, FILE))["gates"] == []
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "succeeded"


def test_an_environment_where_something_is_live_is_not_removed_unless_forced(house: House) -> None:
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
    without = "environments: {staging: {deployer: {type: alias}, accept_claimed: true}}"
    with house.unchanged():
        words = refused(apply(house, without), 409, "environment_in_use")
    assert words.startswith(f"production cannot be removed: {MODEL} v1 is live there. Keep production, or")
    assert made(apply(house, without, force=True))["changes"] == ["production is removed"]
    assert applied_events(house)[-1]["forced"] is True


def test_an_environment_that_a_run_is_on_its_way_to_is_not_removed_unless_forced(house: House) -> None:
    run_id = house.submit()
    without = "environments: {staging: {deployer: {type: alias}, accept_claimed: true}}"
    with house.unchanged():
        words = refused(apply(house, without), 409, "environment_in_use")
    assert f"production cannot be removed: run {run_id} of {MODEL} is on its way there." in words
    made(apply(house, without, force=True))
    house.decide("bob", run_id, "approve")
    assert house.status(run_id) == "errored"
    assert "no environment called production any more" in house.step(run_id, "deploy")["error"]


def test_an_environment_that_nothing_needs_is_removed(house: House) -> None:
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
    assert made(apply(house, FILE.partition("  staging")[0]))["changes"][-1] == "staging is removed"


def test_a_gate_that_opens_while_rules_change_is_asked_by_the_new_ones(house: House) -> None:
    run_id = str(
        made(house.as_("alice").post("/runs", {"pipeline": APPROVE_AND_DEPLOY, "model": house.version()}))["id"]
    )
    stricter = {LOCAL.name: LOCAL, "staging": STAGING, "production": replace(PRODUCTION, rules=(RISK,))}
    worker = Thread(target=house.work)
    with house.database.begin() as tx:
        lock_environments(tx, at=house.clock())
        worker.start()
        wait_for_lock(house)
        set_environments(tx, stricter, by="erin", at=house.clock(), audit=[])
    worker.join(30)
    assert {rule["name"] for rule in house.gate(run_id)["rules"]} == {"approve", "risk"}


def wait_for_lock(house: House) -> None:
    """Wait until somebody waits for a row that another transaction holds."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = monotonic() + 30
    while monotonic() < deadline:
        with house.database.begin() as tx:
            if tx.exec_driver_sql(asked).scalar():
                return
    raise AssertionError("nobody waits")


# The start-up file


PEOPLE = """\
people:
  - {name: alice, roles: [submitter]}
  - {name: bob, roles: [approver], groups: [risk]}
  - {name: carol, roles: [approver], groups: [risk]}
  - {name: dave, roles: [viewer]}
  - {name: erin, roles: [admin]}
"""


def start(house: House, home: Path, environments: str | None = None) -> None:
    (home / "people.yaml").write_text(PEOPLE)
    if environments is not None:
        (home / "environments.yaml").write_text(environments)
    read_administration(Settings(home=home), house.desk)


def required(house: House) -> list[int]:
    found = made(house.as_("dave").get("/environments/production"))
    return [rule["required_approvals"] for rule in found["rules"]]


def test_what_a_command_changed_stands_until_the_file_is_edited(house: House, tmp_path: Path) -> None:
    start(house, tmp_path, FILE)
    assert required(house) == [2]
    one = FILE.replace("required_approvals: 2", "required_approvals: 1")
    made(apply(house, one))
    start(house, tmp_path)
    assert required(house) == [1]
    start(house, tmp_path, FILE + "# edited\n")
    assert required(house) == [2]


def test_a_file_that_is_gone_changes_nothing(house: House, tmp_path: Path) -> None:
    start(house, tmp_path, FILE)
    (tmp_path / "environments.yaml").unlink()
    start(house, tmp_path)
    assert required(house) == [2]


def test_a_start_up_file_that_would_leave_a_gate_stuck_is_refused_too(house: House, tmp_path: Path) -> None:
    start(house, tmp_path, FILE)
    house.submit()
    with pytest.raises(StuckGateError, match="could never be approved"):
        start(house, tmp_path, FILE.replace("required_approvals: 2", "required_approvals: 3"))
    assert required(house) == [2]
