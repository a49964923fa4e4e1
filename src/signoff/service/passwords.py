"""Passwords: what one must be like, hashing them with few at a time, and checking one at the cost of any other.

Hashing takes 64 MB and up to a second on purpose, so only `AT_ONCE` are hashed at a time and never in a transaction.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from hashlib import sha256
from importlib.resources import files
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from signoff.domain.account import LONGEST_PASSWORD, SHORTEST_PASSWORD
from signoff.domain.account_errors import PasswordError, SignInError, TooManyAttemptsError
from signoff.domain.actor import Person
from signoff.domain.errors import UnavailableError
from signoff.service.desk import Desk
from signoff.service.limits import place_of
from signoff.store import accounts, people

if TYPE_CHECKING:
    from pwdlib import PasswordHash

AT_ONCE = 2
_QUEUE = 8
_PATIENCE_S = 15.0
_WINDOW = timedelta(minutes=15)
_MOST_HERE = 10
"""Wrong passwords for one account from one address in the window."""
_MOST_OF_ACCOUNT = 100
"""For one account from anywhere: more than a person mistypes, and few enough that guessing is hopeless."""
_MOST_OF_ADDRESS = 50
_FEWEST_CHARACTERS = 5
_KIND = "password"

_hashing = BoundedSemaphore(AT_ONCE)
_waiting = BoundedSemaphore(AT_ONCE + _QUEUE)


@cache
def hasher() -> PasswordHash:
    """argon2id with the library's parameters."""
    from pwdlib import PasswordHash

    return PasswordHash.recommended()


@cache
def _nobodys_hash() -> str:
    """What the password of an unknown name is compared with, so that it takes as long as a known one's."""
    return hasher().hash("nobody has this password")


@cache
def _common() -> frozenset[str]:
    text = files("signoff.service").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def check_new_password(password: str, person: str) -> str:
    """The password in the form that is hashed, when it may be one.

    Raises:
        PasswordError: too short, too long, or one that is guessed first.
    """
    normal = unicodedata.normalize("NFKC", password)
    if len(normal) < SHORTEST_PASSWORD:
        raise PasswordError(
            f"A password has at least {SHORTEST_PASSWORD} characters, and this one has {len(normal)}.",
            "Several words in a row are easy to remember and hard to guess.",
        )
    if len(normal) > LONGEST_PASSWORD:
        raise PasswordError(f"A password has at most {LONGEST_PASSWORD} characters.", "Shorten it.")
    folded = normal.casefold()
    is_plain = len(set(folded)) < _FEWEST_CHARACTERS or folded.replace(person.casefold(), "").strip("0123456789") == ""
    if is_plain or folded in _common():
        raise PasswordError("This password is among the first that are guessed.", "Choose another one.")
    return normal


def hash_password(password: str) -> str:
    """The hash of a password that `check_new_password` gave; UnavailableError when too many wait to be hashed."""
    with _turn():
        return hasher().hash(password)


def check_password(desk: Desk, name: str, password: str, *, address: str) -> Person:
    """The person called `name`, when this is their password. Unknown names cost what known ones do.

    Raises:
        SignInError: it is not, or they are unknown, deactivated, or without a password.
        TooManyAttemptsError: too many wrong ones of late, for this account or from this address.
    """
    # Not the name itself: people type their password there, too.
    hashed_name = sha256(name.casefold().encode("utf-8", "surrogatepass")).hexdigest()
    at, address = desk.clock(), place_of(address)
    with desk.database.read() as tx:
        counts = accounts.count_attempts(tx, _KIND, hashed_name, address, since=at - _WINDOW)
        known = people.get_directory(tx).people.get(name) if "\x00" not in name else None
        account = accounts.find_account(tx, name) if known is not None else None
    _refuse_too_many(counts)
    is_right, better = _verify(password, account.password_hash if account is not None else None)
    if not is_right or known is None or not known.is_active:
        with desk.database.begin() as tx:
            accounts.add_attempt(tx, _KIND, hashed_name, address, at=at)
        raise SignInError(
            "The name or the password is not right.",
            "Try again; an administrator can send a link that sets a new password (`signoff user reset NAME`).",
        )
    with desk.database.begin() as tx:
        accounts.forget_attempts(tx, _KIND, hashed_name, address)
        if better is not None and account is not None and account.password_hash is not None:
            accounts.rehash_password(tx, name, account.password_hash, better)
    return known


def _verify(password: str, known: str | None) -> tuple[bool, str | None]:
    """Whether it is the password of that hash, and a stronger hash of it where there is one."""
    normal = unicodedata.normalize("NFKC", password)[:LONGEST_PASSWORD]
    with _turn():
        try:
            is_right, better = hasher().verify_and_update(normal, known or _nobodys_hash())
        except UnicodeEncodeError:
            return False, None
    return is_right and known is not None and len(password) <= LONGEST_PASSWORD, better


def _refuse_too_many(counts: tuple[int, int, int]) -> None:
    for count, most in zip(counts, (_MOST_HERE, _MOST_OF_ACCOUNT, _MOST_OF_ADDRESS), strict=True):
        if count >= most:
            minutes = math.ceil(_WINDOW.total_seconds() / 60)
            raise TooManyAttemptsError(
                "There were too many wrong passwords of late.",
                f"Wait {minutes} minutes, or ask an administrator for a link that sets a new one.",
                after=int(_WINDOW.total_seconds()),
            )


@contextmanager
def _turn() -> Iterator[None]:
    """One's turn to hash; who comes when the queue is full is sent away at once."""
    busy = UnavailableError("Too many people are signing in at this moment.", "Try again in a few seconds.")
    if not _waiting.acquire(blocking=False):
        raise busy
    try:
        if not _hashing.acquire(timeout=_PATIENCE_S):
            raise busy
        try:
            yield
        finally:
            _hashing.release()
    finally:
        _waiting.release()
