"""Sessions end when they should, and passwords change only for who knows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from door_scene import GOOD, HERE, a_cheap_hash, sign_in, with_password  # noqa: F401 - fixtures
from factories import CAST, ERIN
from house import House, made, refused
from signoff.domain.account import Method
from signoff.domain.account_errors import (
    PasswordError,
    SecondFactorError,
    SessionOverError,
    SignInError,
)
from signoff.domain.actor import Directory, Person, Role
from signoff.domain.errors import ConflictError, NotAuthenticatedError
from signoff.service import accounts, people, sessions


def test_a_session_ends_when_it_is_not_used_and_at_its_longest_time_however_busy(house: House) -> None:
    idle, busy = with_password(house, "bob"), with_password(house, "dave")
    for _ in range(11):
        house.clock.wait(hours=1)
        assert sessions.authenticate(house.desk, busy).name == "dave"
    with pytest.raises(SessionOverError, match=r"This session is over: it was not used for too long\. Sign in again\."):
        sessions.authenticate(house.desk, idle)
    house.clock.wait(hours=1)
    with pytest.raises(SessionOverError, match=r"This session is over: it reached its longest time\."):
        sessions.authenticate(house.desk, busy)


def test_people_see_and_end_their_own_sessions_and_administrators_anybodys(house: House) -> None:
    mine, other = with_password(house, "bob"), sessions.open_session(house.desk, "bob", [Method.OIDC], **HERE)
    listed = made(house.as_("bob").get("/sessions"))["items"]
    assert [item["methods"] for item in listed] == [["oidc"], ["link", "password"], ["file"]]
    assert [item["is_present"] for item in listed] == [False, False, True]
    assert all(secret not in str(listed) for secret in (mine, other))
    refused(house.as_("carol").get("/sessions?person=bob"), 403, "not_allowed")
    for who in ("carol", "alice"):
        said = refused(house.as_(who).delete(f"/sessions/{listed[0]['id']}"), 404, "session_unknown")
        assert said == f"There is no session {listed[0]['id']}. `signoff user sessions` lists yours."
        assert said.replace(listed[0]["id"], "x") == refused(
            house.as_(who).delete("/sessions/x"), 404, "session_unknown"
        )
    made(house.as_("bob").delete(f"/sessions/{listed[0]['id']}"))
    with pytest.raises(SessionOverError, match="it was ended"):
        sessions.authenticate(house.desk, other)
    assert len(made(house.as_("erin").get("/sessions?person=bob"))["items"]) == 2
    made(house.as_("erin").delete(f"/sessions/{listed[1]['id']}"))
    with pytest.raises(SessionOverError):
        sessions.authenticate(house.desk, mine)


def test_ending_all_others_keeps_the_present_one(house: House) -> None:
    kept, ended = with_password(house, "bob"), sessions.open_session(house.desk, "bob", [Method.OIDC], **HERE)
    actor = sessions.authenticate(house.desk, kept)
    assert sessions.revoke_other_sessions(house.desk, actor) == 1
    assert sessions.authenticate(house.desk, kept).name == "bob"
    with pytest.raises(SessionOverError):
        sessions.authenticate(house.desk, ended)


def test_stepping_up_changes_the_secret_and_says_when(house: House) -> None:
    former = with_password(house, "bob")
    actor = sessions.authenticate(house.desk, former)
    house.clock.wait(minutes=30)
    stronger = sessions.authenticate(house.desk, sessions.step_up(house.desk, actor, Method.PASSKEY))
    assert stronger.methods == ("link", "password", "passkey")
    assert stronger.credential_id == actor.credential_id
    assert stronger.authenticated_at is not None
    assert actor.authenticated_at is not None
    assert stronger.authenticated_at - actor.authenticated_at >= timedelta(minutes=30)
    with pytest.raises(NotAuthenticatedError):
        sessions.authenticate(house.desk, former)
    sessions.revoke_session(house.desk, stronger, stronger.credential_id or "")
    with pytest.raises(SessionOverError):
        sessions.step_up(house.desk, stronger, Method.PASSKEY)


def test_a_password_alone_is_not_enough_where_there_is_a_passkey(house: House) -> None:
    with_password(house, "bob")
    with house.database.begin() as tx:
        tx.exec_driver_sql(
            "INSERT INTO passkeys (id, person, name, public_key, sign_count, created_at) "
            "VALUES ('k', 'bob', 'key', 'x', 0, now())"
        )
    with pytest.raises(SecondFactorError, match="bob also signs in with a passkey"):
        sign_in(house, "bob")
    with pytest.raises(SignInError):
        sign_in(house, "bob", "wrong")


def test_nobody_signs_in_who_is_unknown_or_deactivated(house: House) -> None:
    people.deactivate_person(house.desk, house.actor("erin"), "dave")
    for name in ("nobody", "dave"):
        with pytest.raises(SignInError):
            sessions.open_session(house.desk, name, [Method.OIDC], **HERE)


def test_who_knows_their_password_changes_it_and_their_other_sessions_end(house: House) -> None:
    other, mine = with_password(house, "bob"), sessions.sign_in(house.desk, "bob", GOOD, **HERE)
    actor = sessions.authenticate(house.desk, mine)
    with pytest.raises(SignInError):
        accounts.change_password(house.desk, actor, "wrong", "another row of words")
    with pytest.raises(PasswordError, match="The new password is the present one"):
        accounts.change_password(house.desk, actor, GOOD, GOOD)
    accounts.change_password(house.desk, actor, GOOD, "another row of words")
    assert sessions.authenticate(house.desk, mine).name == "bob"
    with pytest.raises(SessionOverError):
        sessions.authenticate(house.desk, other)
    with pytest.raises(SignInError):
        sign_in(house, "bob")
    assert sign_in(house, "bob", "another row of words").name == "bob"


def test_a_first_password_is_set_without_one_and_only_once(house: House) -> None:
    assert house.as_("bob").ask("PUT", "/me/password", json={"password": GOOD}).status_code == 204
    said = refused(house.as_("bob").ask("PUT", "/me/password", json={"password": "x" * 5 + GOOD}), 409, "conflict")
    assert said == "bob has a password already. Give the present one to change it."
    body = {"password": "another row of words", "current": "wrong"}
    refused(house.as_("bob").ask("PUT", "/me/password", json=body), 401, "sign_in_refused")
    for _ in range(9):
        house.as_("bob").ask("PUT", "/me/password", json=body)
    limited = house.as_("bob").ask("PUT", "/me/password", json=body)
    refused(limited, 429, "too_many_attempts")
    assert limited.headers["retry-after"] == "900"
    body["current"] = GOOD
    house.clock.wait(minutes=16)
    assert house.as_("bob").ask("PUT", "/me/password", json=body).status_code == 204


def test_set_password_refuses_in_the_service_too(house: House) -> None:
    with_password(house, "bob")
    actor = replace(house.actor("bob"), authenticated_at=house.clock.now)
    with pytest.raises(ConflictError, match="bob has a password already"):
        accounts.set_password(house.desk, actor, "another row of words")


def test_no_password_is_ever_in_the_log_or_in_the_clear(house: House) -> None:
    with_password(house, "bob")
    assert GOOD not in str(house.events())
    assert Directory.of([*CAST]).people["erin"] == ERIN == Person("erin", frozenset({Role.ADMIN}))
