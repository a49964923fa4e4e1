"""Signing in: passwords, one-time links, sessions that end, and every refusal in its words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from factories import CAST, ERIN
from house import House, made, refused
from signoff.domain.account import Method
from signoff.domain.account_errors import (
    LinkUnknownError,
    PasswordError,
    PersonError,
    SecondFactorError,
    SessionOverError,
    SignInError,
    TooManyAttemptsError,
)
from signoff.domain.actor import SYSTEM, Actor, Directory, Person, Role
from signoff.domain.errors import ConflictError, NotAuthenticatedError, SignoffError, UnavailableError
from signoff.service import accounts, passwords, people, sessions
from signoff.service.accounts import MadeLink

GOOD = "four words in a row"
HERE: dict[str, Any] = {"address": "192.0.2.7", "agent": "a browser"}


class Cheap:
    """Stands in for argon2id where its cost is not what a test is about."""

    def __init__(self) -> None:
        self.verified = 0

    def hash(self, password: str) -> str:
        return f"cheap:{password}"

    def verify_and_update(self, password: str, known: str) -> tuple[bool, str | None]:
        self.verified += 1
        return known == f"cheap:{password}", None


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cheap]:
    stand_in = Cheap()
    monkeypatch.setattr(passwords, "hasher", lambda: stand_in)
    passwords._nobodys_hash.cache_clear()
    yield stand_in
    passwords._nobodys_hash.cache_clear()


def code(link: MadeLink | None) -> str:
    assert link is not None
    return parse_qs(urlsplit(link.url).query)["code"][0]


def with_password(house: House, name: str, password: str = GOOD) -> str:
    """Let `name` choose a password by an invitation; the session that gives."""
    link = accounts.make_link(house.desk, house.actor("erin"), name)
    return accounts.use_link(house.desk, code(link), password, **HERE)


def sign_in(house: House, name: str, password: str = GOOD, address: str = "192.0.2.7") -> Actor:
    return sessions.authenticate(house.desk, sessions.sign_in(house.desk, name, password, address=address, agent="it"))


def why(error: SignoffError) -> str:
    return f"{error.what} {error.hint}"


# Passwords


def test_who_knows_the_password_is_signed_in_and_the_actor_says_how(house: House) -> None:
    with_password(house, "bob")
    actor = sign_in(house, "bob")
    assert (actor.name, actor.methods, actor.roles) == ("bob", ("password",), frozenset({Role.APPROVER}))
    assert actor.authenticated_at is not None
    assert house.types()[-1] == "session.opened"
    assert house.events()[-1].detail["address"] == "192.0.2.7"


def test_every_way_not_to_get_in_is_told_in_the_same_words_and_costs_the_same(house: House, cheap: Cheap) -> None:
    with_password(house, "bob")
    with_password(house, "dave")
    people.deactivate_person(house.desk, house.actor("erin"), "dave")
    said = set()
    attempts = [("bob", "wrong"), ("nobody", GOOD), ("dave", GOOD), ("carol", GOOD), ("bob", GOOD + " "), ("a\0b", "x")]
    for name, password in [*attempts, ("bob", "x" * 5000), ("bob", "\ud800" * 12)]:
        before = cheap.verified
        with pytest.raises(SignInError) as refusal:
            sign_in(house, name, password)
        assert cheap.verified == before + 1
        said.add((refusal.value.code, why(refusal.value)))
    words = (
        "The name or the password is not right. Try again; an administrator can send a link that sets a new password "
        "(`signoff user reset NAME`)."
    )
    assert said == {("sign_in_refused", words)}


def test_after_ten_wrong_passwords_from_one_address_none_is_looked_at_for_a_quarter_of_an_hour(
    house: House, cheap: Cheap
) -> None:
    with_password(house, "bob")
    for _ in range(10):
        with pytest.raises(SignInError):
            sign_in(house, "bob", "wrong")
    before = cheap.verified
    with pytest.raises(TooManyAttemptsError, match="There were too many wrong passwords of late") as refusal:
        sign_in(house, "bob")
    assert (refusal.value.code, refusal.value.after, cheap.verified) == ("too_many_attempts", 900, before)
    assert sign_in(house, "bob", address="198.51.100.1").name == "bob"
    house.clock.wait(minutes=16)
    assert sign_in(house, "bob").name == "bob"


def test_unknown_names_are_limited_like_known_ones(house: House) -> None:
    for _ in range(10):
        with pytest.raises(SignInError):
            sign_in(house, "nobody", "wrong")
    with pytest.raises(TooManyAttemptsError):
        sign_in(house, "nobody", "wrong")


def test_one_address_does_not_try_many_accounts(house: House) -> None:
    for number in range(50):
        with pytest.raises(SignInError):
            sign_in(house, f"nobody{number}", "wrong")
    with pytest.raises(TooManyAttemptsError):
        sign_in(house, "nobody-else", "wrong")


def test_who_got_in_starts_to_count_anew(house: House) -> None:
    with_password(house, "bob")
    for _ in range(3):
        for _ in range(9):
            with pytest.raises(SignInError):
                sign_in(house, "bob", "wrong")
        sign_in(house, "bob")


def test_what_was_typed_into_the_name_is_not_kept_for_it_may_be_a_password(house: House) -> None:
    with pytest.raises(SignInError):
        sign_in(house, GOOD, "bob")
    with house.database.begin() as tx:
        kept = str(tx.exec_driver_sql("SELECT * FROM attempts_to_sign_in").all())
    assert GOOD not in kept


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("short", "A password has at least 12 characters, and this one has 5."),
        ("", "at least 12 characters"),
        ("x" * 257, "A password has at most 256 characters."),
        ("PasswordPassword", "This password is among the first that are guessed."),
        ("aaaaaaaaaaaaab", "among the first that are guessed"),
        ("bobbobbobbob", "among the first that are guessed"),
        ("bob1234567890", "among the first that are guessed"),
        ("123456789012", "among the first that are guessed"),
    ],
)
def test_a_password_that_is_guessed_is_refused_and_the_link_stays_good(house: House, password: str, words: str) -> None:
    secret = code(accounts.make_link(house.desk, house.actor("erin"), "bob"))
    with house.unchanged(), pytest.raises(PasswordError) as refusal:
        accounts.use_link(house.desk, secret, password, **HERE)
    assert words in why(refusal.value)
    accounts.use_link(house.desk, secret, GOOD, **HERE)


def test_a_password_is_the_same_however_it_was_composed(house: House) -> None:
    with_password(house, "bob", "cafe\u0301 cafe\u0301 cafe\u0301")
    assert sign_in(house, "bob", "caf\u00e9 caf\u00e9 caf\u00e9").name == "bob"


def test_the_real_hash_is_argon2id_and_only_two_are_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from pwdlib import PasswordHash

    known = PasswordHash.recommended()
    assert known.hash(GOOD).startswith("$argon2id$v=19$m=65536,t=3,")
    together, most = 0, 0
    inside = Barrier(2, timeout=10)

    class Slow(Cheap):
        def hash(self, password: str) -> str:
            nonlocal together, most
            together += 1
            most = max(most, together)
            inside.wait()
            together -= 1
            return password

    slow = Slow()
    monkeypatch.setattr(passwords, "hasher", lambda: slow)
    threads = [Thread(target=passwords.hash_password, args=(GOOD,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert most == passwords.AT_ONCE == 2


def test_who_comes_when_the_queue_is_full_is_sent_away_at_once() -> None:
    seats = 0
    while passwords._waiting.acquire(blocking=False):
        seats += 1
    try:
        with pytest.raises(UnavailableError, match="Too many people are signing in at this moment"):
            passwords.hash_password(GOOD)
    finally:
        for _ in range(seats):
            passwords._waiting.release()
    assert seats == 10


# Links


def test_an_invitation_is_used_once(house: House) -> None:
    link = accounts.make_link(house.desk, house.actor("erin"), "bob")
    assert (link.link.purpose, link.link.person) == ("invite", "bob")
    assert link.url.startswith("http://testserver/link?code=signoffl_")
    assert accounts.find_link(house.desk, code(link)).person == "bob"
    secret = accounts.use_link(house.desk, code(link), GOOD, **HERE)
    assert sessions.authenticate(house.desk, secret).methods == ("link", "password")
    for use in (accounts.find_link, lambda desk, secret: accounts.use_link(desk, secret, GOOD)):
        with pytest.raises(LinkUnknownError) as refusal:
            use(house.desk, code(link))
        assert refusal.value.code == "link_unknown"
        assert why(refusal.value) == (
            "This link is not good any more: it was used, replaced by a newer one, or is too old. "
            "Ask an administrator for another one (`signoff user reset NAME`)."
        )
    assert code(link) not in str(house.events())


def test_a_link_is_used_by_one_of_those_who_try_at_the_same_time(house: House) -> None:
    secret = code(accounts.make_link(house.desk, house.actor("erin"), "bob"))
    outcomes: list[str] = []

    def use() -> None:
        try:
            accounts.use_link(house.desk, secret, GOOD, **HERE)
            outcomes.append("in")
        except LinkUnknownError:
            outcomes.append("out")

    threads = [Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(outcomes) == ["in", "out", "out", "out"]


def test_links_grow_old_are_replaced_and_die_with_their_person(house: House) -> None:
    erin = house.actor("erin")
    old = code(accounts.make_link(house.desk, erin, "bob"))
    house.clock.wait(days=8)
    replaced = code(accounts.make_link(house.desk, erin, "bob"))
    newest = code(accounts.make_link(house.desk, erin, "bob"))
    people.deactivate_person(house.desk, erin, "bob", force=True)
    for secret in (old, replaced, newest, "signoffl_x", house.secret("bob")):
        with pytest.raises(LinkUnknownError):
            accounts.use_link(house.desk, secret, GOOD)


def test_a_reset_ends_other_sessions_and_the_former_password(house: House) -> None:
    former = with_password(house, "bob")
    link = accounts.make_link(house.desk, house.actor("erin"), "bob")
    assert link.link.purpose == "reset"
    assert sign_in(house, "bob").name == "bob"
    accounts.use_link(house.desk, code(link), "another row of words", **HERE)
    with pytest.raises(SessionOverError):
        sessions.authenticate(house.desk, former)
    with pytest.raises(SignInError):
        sign_in(house, "bob")
    assert sign_in(house, "bob", "another row of words").name == "bob"


def test_nobody_but_an_administrator_makes_links(house: House) -> None:
    with house.unchanged():
        for who in ("alice", "bob", "dave"):
            refused(house.as_(who).post("/users/bob/link"), 403, "not_allowed")
        refused(house.as_("erin").post("/users/nobody/link"), 404, "person_unknown")


# The first administrator


@pytest.fixture
def empty(house: House) -> House:
    """A server that knows nobody."""
    with house.database.begin() as tx:
        tx.exec_driver_sql("DELETE FROM documents WHERE name = 'people'")
    return house


def test_the_first_link_makes_an_administrator_and_there_is_no_second(empty: House) -> None:
    desk = empty.desk
    earlier, link = accounts.make_first_link(desk), accounts.make_first_link(desk)
    assert not accounts.has_administrator(desk)
    with pytest.raises(LinkUnknownError):
        accounts.use_link(desk, code(earlier), GOOD, name="zoe")
    for name in (None, "", "system", "System", "a/b", "a b", "x" * 101, "<script>"):
        with pytest.raises(PersonError):
            accounts.use_link(desk, code(link), GOOD, name=name)
    actor = sessions.authenticate(desk, accounts.use_link(desk, code(link), GOOD, name="zoe", **HERE))
    assert (actor.name, actor.roles) == ("zoe", frozenset({Role.ADMIN}))
    assert accounts.has_administrator(desk)
    assert accounts.make_first_link(desk) is None
    with pytest.raises(LinkUnknownError):
        accounts.use_link(desk, code(link), GOOD, name="mallory")
    assert [view.person.name for view in people.list_people(desk, SYSTEM)] == ["zoe"]


def test_a_first_link_is_good_for_nothing_once_an_administrator_can_sign_in(house: House) -> None:
    link = accounts.make_first_link(house.desk)
    with_password(house, "erin")
    with pytest.raises(LinkUnknownError):
        accounts.use_link(house.desk, code(link), GOOD, name="mallory")


def test_a_first_link_for_a_known_administrator_only_lets_them_choose_a_password(house: House) -> None:
    link = accounts.make_first_link(house.desk, "erin")
    actor = sessions.authenticate(house.desk, accounts.use_link(house.desk, code(link), GOOD, name="mallory", **HERE))
    assert actor.name == "erin"
    assert "mallory" not in [view.person.name for view in people.list_people(house.desk, SYSTEM)]


def test_the_first_administrator_keeps_the_roles_they_had_and_no_name_is_there_twice(house: House) -> None:
    link = accounts.make_first_link(house.desk)
    with pytest.raises(PersonError, match="Somebody is called bob already, give or take upper case"):
        accounts.use_link(house.desk, code(link), GOOD, name="BOB")
    actor = sessions.authenticate(house.desk, accounts.use_link(house.desk, code(link), GOOD, name="bob"))
    assert actor.roles == frozenset({Role.ADMIN, Role.APPROVER})


# Sessions


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


# Changing it


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
    with pytest.raises(ConflictError, match="bob has a password already"):
        accounts.set_password(house.desk, house.actor("bob"), "another row of words")


def test_no_password_is_ever_in_the_log_or_in_the_clear(house: House) -> None:
    with_password(house, "bob")
    assert GOOD not in str(house.events())
    assert Directory.of([*CAST]).people["erin"] == ERIN == Person("erin", frozenset({Role.ADMIN}))
