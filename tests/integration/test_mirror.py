"""The tags on a version in the registry say where it stands: the present word, whoever or whatever changed it."""

from __future__ import annotations

import pytest

from factories import MODEL
from house import APPROVE_AND_DEPLOY, House, made
from signoff.adapters.registry.memory import MemoryRegistry
from signoff.domain.errors import UnavailableError
from trigger_scene import ON_NEWS, arrive, register, run_ids


def tags(house: House, version: str = "1", *, model: str = MODEL) -> dict[str, str]:
    return dict(house.registry.resolve(f"models:/{model}/{version}", None).tags)


def status(house: House, version: str = "1") -> str:
    return tags(house, version)["signoff.status"]


def test_five_tags_tell_what_who_which_bytes_and_where_to_read_on(house: House) -> None:
    run_id = house.submit()
    digest = house.registry.resolve(f"models:/{MODEL}/1", None).digest
    told = {"signoff.digest": digest, "signoff.run": run_id, "signoff.link": f"http://testserver/runs/{run_id}"}
    told["signoff.origin"] = "submitted"
    assert tags(house) == {**told, "signoff.status": "in_review", "signoff.approvers": "nobody"}
    house.decide("bob", run_id, "approve")
    deployed = {"signoff.status": "deployed", "signoff.approvers": "bob", "signoff.environment": "production"}
    assert tags(house) == told | deployed


def test_every_approver_is_named_once_and_a_policy_as_one(house: House) -> None:
    two = APPROVE_AND_DEPLOY.replace("{approvers: ['bob']}", "{approvers: ['bob', 'carol'], required_approvals: 2}")
    first = house.submit(two)
    house.decide("carol", first, "approve")
    assert tags(house)["signoff.approvers"] == "nobody"
    house.decide("bob", first, "approve")
    assert tags(house)["signoff.approvers"] == "bob, carol"
    by_policy = APPROVE_AND_DEPLOY.replace("['bob']}", "['bob'], auto_approve_if: accuracy > 0.5}")
    house.submit(by_policy, model=house.version(accuracy=0.9))
    assert tags(house, "2")["signoff.approvers"] == "policy"


@pytest.mark.parametrize(("verdict", "word"), [("reject", "rejected"), ("request_changes", "changes_requested")])
def test_a_no_is_told(house: House, verdict: str, word: str) -> None:
    house.decide("bob", house.submit(), verdict)
    assert (status(house), tags(house)["signoff.approvers"]) == (word, "nobody")


def test_a_cancelled_run_is_told(house: House) -> None:
    run_id = house.submit()
    made(house.as_("alice").post(f"/runs/{run_id}/cancel"))
    house.work()
    assert status(house) == "cancelled"


def test_a_version_that_another_one_replaced_is_told(house: House) -> None:
    for _ in range(2):
        house.decide("bob", house.submit(), "approve")
    assert [status(house, "1"), status(house, "2")] == ["superseded", "deployed"]


def test_a_revoked_version_is_told(house: House) -> None:
    house.decide("bob", house.submit(), "approve")
    body = {"why": "it leaks", "rollback": False}
    made(house.as_("bob").post(f"/models/{MODEL}/versions/1/revoke", body))
    house.work()
    assert (status(house), tags(house)["signoff.approvers"]) == ("revoked", "bob")


def test_what_could_not_be_told_is_told_once_the_registry_takes_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = house.submit()

    def refuses(*_: object) -> None:
        raise UnavailableError("The registry takes no tags.", "Wait.")

    monkeypatch.setattr(MemoryRegistry, "set_tags", refuses)
    house.decide("bob", run_id, "approve")
    house.tick()
    assert status(house) == "in_review"
    monkeypatch.undo()
    house.tick()
    assert status(house) == "deployed"
    assert house.kept()["stale_tags"][0] == 0


def test_the_version_that_a_copy_came_from_tells_the_same(house: House) -> None:
    text = ON_NEWS.replace("{model_version: fraud-detector}", "{model_version: fraud-detector-dev}")
    register(house, text.replace("name: fraud\n", "name: fraud\nmodel: fraud-detector\n"))
    arrive(house, "fraud-detector-dev")
    house.tick()
    house.decide("bob", run_ids(house)[1] or "", "approve")
    copy, origin = tags(house), tags(house, model="fraud-detector-dev")
    told = {name: copy[name] for name in origin if name != "signoff.copy"}
    assert origin == {**told, "signoff.copy": f"models:/{MODEL}/1"}
    assert {"signoff.status", "signoff.approvers", "signoff.digest", "signoff.link"} < origin.keys()
    assert copy["signoff.copy_of"] == "models:/fraud-detector-dev/1"


def test_forged_tags_are_never_believed(house: House) -> None:
    run_id = house.submit()
    house.registry.set_tags(MODEL, "1", {"signoff.status": "deployed", "signoff.approvers": "bob, carol"})
    house.tick()
    assert house.status(run_id) == "waiting"
    assert house.gate(run_id)["status"] == "open"
