"""What nobody may do with the glass, each with the words that it is refused by."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from httpx2 import Response

from factories import CAST, MODEL
from glass import LEADS, PATH, ROLLBACK, ask, guard
from house import APPROVE_AND_DEPLOY, House, made, refused
from signoff.domain.actor import Credential

Scene = Callable[[House], Response]


@pytest.fixture(autouse=True)
def leads(house: House) -> None:
    guard(house)


def scene_no_rule(house: House) -> Response:
    return house.as_("grace").post(
        PATH.replace("production", "staging"), {"reference": f"models:/{MODEL}/2", "why": "x"}
    )


def scene_no_reason(house: House) -> Response:
    return ask(house, "grace", why=" ")


def scene_one_lead(house: House) -> Response:
    house.people(*CAST, LEADS[0])
    return ask(house, "frank")


def scene_live_already(house: House) -> Response:
    return ask(house, "grace", f"models:/{MODEL}/1")


def scene_another_waits(house: House) -> Response:
    made(ask(house, "frank"))
    house.version()
    return ask(house, "grace", f"models:/{MODEL}/3")


def scene_same_person(house: House) -> Response:
    made(ask(house, "grace"))
    return ask(house, "grace")


def scene_not_named(house: House) -> Response:
    made(ask(house, "frank"))
    return ask(house, "bob")


def scene_other_digest(house: House) -> Response:
    asked = made(ask(house, "frank"))
    return house.as_("grace").post(PATH, {"confirm": asked["id"], "digest": "sha256:" + "0" * 64})


def scene_bytes_changed(house: House) -> Response:
    asked = made(ask(house, "frank"))
    house.tamper("2")
    return house.as_("grace").post(PATH, {"confirm": asked["id"], "digest": asked["digest"]})


def scene_bytes_changed_same_words(house: House) -> Response:
    made(ask(house, "frank"))
    house.tamper("2")
    return ask(house, "grace")


def scene_revoked(house: House) -> Response:
    run_id = house.submit(APPROVE_AND_DEPLOY, f"models:/{MODEL}/2")
    made(house.says("bob", run_id, "approve"))
    made(house.as_("carol").post(f"/models/{MODEL}/versions/2/revoke", {"why": "it leaks"}))
    return ask(house, "grace")


def scene_no_such_version(house: House) -> Response:
    return ask(house, "grace", f"models:/{MODEL}/9")


def scene_another_model(house: House) -> Response:
    return ask(house, "grace", house.version(model="churn"))


def scene_not_registered(house: House) -> Response:
    return ask(house, "grace", "runs:/abc/model")


def scene_no_digest(house: House) -> Response:
    asked = made(ask(house, "frank"))
    return house.as_("grace").post(PATH, {"confirm": asked["id"]})


def scene_no_such_emergency(house: House) -> Response:
    return house.as_("grace").post(PATH, {"confirm": "abc", "digest": "sha256:" + "0" * 64})


def scene_not_yours_to_cancel(house: House) -> Response:
    made(ask(house, "frank"))
    return house.as_("bob").delete(PATH)


def scene_token(house: House) -> Response:
    return house.as_("grace", Credential.TOKEN).post(PATH, {"reference": f"models:/{MODEL}/2", "why": "x"})


def scene_no_approver(house: House) -> Response:
    return ask(house, "alice")


def scene_deploying(house: House) -> Response:
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
    made(house.as_("bob").post(ROLLBACK, {"why": "x"}))
    made(ask(house, "frank", f"models:/{MODEL}/2"))
    return ask(house, "grace", f"models:/{MODEL}/2")


@pytest.mark.parametrize(
    ("scene", "status", "code", "words"),
    [
        (
            scene_no_rule,
            409,
            "no_break_glass",
            "staging has no break_glass rule: nothing is deployed there without review.",
        ),
        (scene_no_reason, 422, "reason_required", "Breaking the glass needs a reason. Say why with -m WHY."),
        (scene_one_lead, 409, "break_glass_unsatisfiable", "takes 2 people of group:leads, and 1 may approve"),
        (scene_live_already, 409, "already_live", "fraud-detector v1 is what production serves now."),
        (scene_another_waits, 409, "emergency_pending", "frank asked for fraud-detector v2 in production already"),
        (scene_same_person, 409, "already_confirmed", "grace has confirmed fraud-detector v2 in production already."),
        (scene_not_named, 403, "cannot_confirm", "its rule names group:leads. frank, grace or heidi can."),
        (scene_other_digest, 409, "subject_changed", "is not what frank asked for"),
        (
            scene_bytes_changed,
            409,
            "digest_mismatch",
            "The bytes of fraud-detector v2 changed since frank asked for them",
        ),
        (scene_bytes_changed_same_words, 409, "emergency_pending", "and its bytes changed since"),
        (scene_revoked, 409, "version_revoked", "was revoked by carol: it leaks. An emergency does not undo that."),
        (scene_no_such_version, 404, "model_not_found", "9"),
        (scene_another_model, 422, "wrong_model", "churn v1 is not a version of fraud-detector."),
        (scene_not_registered, 422, "invalid", "'runs:/abc/model' is not a registered version."),
        (scene_no_digest, 422, "invalid", "A confirmation names the digest that was seen."),
        (scene_no_such_emergency, 404, "no_emergency", "No emergency is called abc."),
        (scene_not_yours_to_cancel, 403, "cannot_confirm", "bob cannot cancel what frank asked for."),
        (scene_token, 403, "not_allowed", "An API token cannot break glass."),
        (scene_no_approver, 403, "not_allowed", "alice may not break glass."),
        (
            scene_deploying,
            409,
            "deployment_under_way",
            "Another deployment of fraud-detector to production is under way.",
        ),
    ],
)
def test_what_is_refused_says_why(house: House, scene: Scene, status: int, code: str, words: str) -> None:
    house.version()
    answer = scene(house)
    assert words in refused(answer, status, code)
    house.work()
    assert "glass.broken" not in house.types()


def test_a_refused_confirmation_changes_nothing(house: House) -> None:
    house.version()
    made(ask(house, "frank"))
    for who in ("frank", "bob", "dave"):
        with house.unchanged():
            assert ask(house, who).is_error
