"""Signing in by password: one answer to everything wrong, and nobody guesses for long."""

from __future__ import annotations

from threading import Barrier, Thread

import pytest

from door_scene import GOOD, HERE, Cheap, a_cheap_hash, code, sign_in, why, with_password  # noqa: F401 - fixtures
from house import House
from signoff.domain.account_errors import (
    PasswordError,
    SignInError,
    TooManyAttemptsError,
)
from signoff.domain.actor import Role
from signoff.domain.errors import UnavailableError
from signoff.service import accounts, passwords, people


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
