"""How often somebody may fail, or begin, before they are told to wait: per account and per address, kept in Postgres.

Every server of an installation counts together. What is counted is the same whether the account, link or code exists,
so that being told to wait tells nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address, ip_network

from signoff.domain.account_errors import TooManyAttemptsError
from signoff.service.desk import Desk
from signoff.store import accounts

_V6_BITS = 64


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in a window from one address; and, where there is one, for one account from anywhere."""

    kind: str
    what: str
    of_address: int
    of_account: int | None = None
    window: timedelta = timedelta(minutes=15)


LINKS = Limit("link", "links that are not good", of_address=20)
DEVICE_CODES = Limit("device_code", "requests to sign a program in", of_address=60)
DEVICE_POLLS = Limit("device_poll", "device codes that are not good", of_address=30)
USER_CODES = Limit("user_code", "codes that are not good", of_address=30, of_account=10)
ID_TOKENS = Limit("id_token", "id tokens that were refused", of_address=60)
HOOKS = Limit("hook", "webhooks that were refused", of_address=60)
LIMITS = (LINKS, DEVICE_CODES, DEVICE_POLLS, USER_CODES, ID_TOKENS, HOOKS)
"""All of them but that of passwords, which `passwords` keeps."""


def refuse_too_many(desk: Desk, limit: Limit, *, address: str, account: str = "") -> None:
    """Return while there were not too many of late.

    Raises:
        TooManyAttemptsError: there were.
    """
    at = desk.clock()
    with desk.database.read() as tx:
        hashed, place = _hashed(account, address), place_of(address)
        _, of_account, of_address = accounts.count_attempts(tx, limit.kind, hashed, place, since=at - limit.window)
    is_over = limit.of_account is not None and account != "" and of_account >= limit.of_account
    if is_over or of_address >= limit.of_address:
        minutes = math.ceil(limit.window.total_seconds() / 60)
        raise TooManyAttemptsError(
            f"There were too many {limit.what} of late.",
            f"Wait {minutes} minutes.",
            after=int(limit.window.total_seconds()),
        )


def note_attempt(desk: Desk, limit: Limit, *, address: str, account: str = "") -> None:
    """Count one."""
    with desk.database.begin() as tx:
        accounts.add_attempt(tx, limit.kind, _hashed(account, address), place_of(address), at=desk.clock())


def place_of(address: str) -> str:
    """What an address counts as: itself, or its network where one caller has a whole network of them (IPv6)."""
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        inner = known.ipv4_mapped
        return str(inner) if inner is not None else str(ip_network((known, _V6_BITS), strict=False))
    return str(known)


def _hashed(account: str, address: str) -> str:
    """Not the account itself: people type secrets where names belong. Without one, the address stands for it."""
    return sha256((account.casefold() or f"@{place_of(address)}").encode("utf-8", "surrogatepass")).hexdigest()
