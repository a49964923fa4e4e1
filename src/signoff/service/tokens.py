"""API tokens: made, shown once, listed, revoked. They do what their scopes say and no more than their person may."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.account import LONGEST_TOKEN, TOKEN_LASTS, ApiToken
from signoff.domain.account_errors import PersonUnknownError, TokenError, TokenUnknownError
from signoff.domain.actor import Actor, Credential, Scope
from signoff.domain.audit import Event
from signoff.domain.errors import NotAllowedError
from signoff.service.credentials import fingerprint, new_id, new_secret
from signoff.service.desk import Desk, happened
from signoff.store import people, tokens
from signoff.store.database import Transaction

_MOST_TOKENS = 100
_LONGEST_NAME = 100
DEFAULT_SCOPES = frozenset({Scope.READ, Scope.SUBMIT})


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A token and its secret, which is shown this once."""

    token: ApiToken
    secret: str = field(repr=False)


def make_token(
    desk: Desk,
    actor: Actor,
    name: str,
    *,
    scopes: Iterable[Scope] = DEFAULT_SCOPES,
    lasts: timedelta = TOKEN_LASTS,
    person: str | None = None,
    automation: str | None = None,
) -> MadeToken:
    """Make a token for the actor; an administrator also makes one for another `person`.

    With `automation`, a name that the audit log shows, an administrator lets a token with the scope `decide` decide.

    Raises:
        TokenError: a name, scopes or a time that cannot be, or too many tokens.
        NotAllowedError: for somebody else, or for an automation, by another than an administrator.
        PersonUnknownError: nobody is called so, or they are deactivated.
    """
    owner = person or actor.name
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=owner))
    wanted = frozenset(scopes)
    if automation is not None:
        authorize(actor, Do.ADMINISTER)
    _check(name, wanted, lasts, automation)
    with desk.database.begin() as tx:
        return add_token(desk, tx, actor, owner, name, scopes=wanted, lasts=lasts, automation=automation)


def add_token(
    desk: Desk,
    tx: Transaction,
    actor: Actor,
    owner: str,
    name: str,
    *,
    scopes: frozenset[Scope],
    lasts: timedelta,
    automation: str | None = None,
) -> MadeToken:
    """The same in a transaction that does more; for `owner`, who exists and is active."""
    at = desk.clock()
    known = people.get_directory(tx, hold=True).people.get(owner)
    if known is None or not known.is_active:
        state = "is not known to this server" if known is None else "is deactivated"
        raise PersonUnknownError(f"{owner} {state}.", "`signoff user list` shows everybody.")
    mine = [token for token in tokens.list_tokens(tx, owner) if token.why_over(at) is None]
    if len(mine) >= _MOST_TOKENS:
        raise TokenError(f"{owner} has {len(mine)} tokens.", "Revoke those that nobody uses: `signoff token revoke`.")
    secret = new_secret(Credential.TOKEN)
    token = ApiToken(new_id(), owner, name, scopes, at, at + lasts, actor.name, automation=automation)
    detail: dict[str, Any] = {"made": token.id, "person": owner, "name": name, "scopes": sorted(scopes)}
    if automation is not None:
        detail["may_decide_as"] = automation
    made = happened(Event.TOKEN_MADE, actor, at, **detail, expires_at=token.expires_at.isoformat())
    tokens.add_token(tx, token, fingerprint(secret), audit=[made])
    return MadeToken(token, secret)


def list_tokens(desk: Desk, actor: Actor, *, person: str | None = None, everybody: bool = False) -> list[ApiToken]:
    """The actor's tokens that were not revoked, newest first; those of `person` or everybody for an administrator."""
    if everybody:
        authorize(actor, Do.ADMINISTER)
    owner = person or actor.name
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=owner))
    with desk.database.read() as tx:
        return tokens.list_tokens(tx, None if everybody else owner)


def revoke_token(desk: Desk, actor: Actor, token_id: str) -> ApiToken:
    """Make a token good for nothing, now: one's own, or anybody's for an administrator.

    Raises:
        TokenUnknownError: there is none, or it is somebody else's.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    at = desk.clock()
    with desk.database.begin() as tx:
        token = tokens.get_token(tx, token_id)
        if token is None or not actor.may_manage(token.person):
            raise TokenUnknownError(f"There is no token {token_id}.", "`signoff token list` shows yours.")
        revoked = happened(Event.TOKEN_REVOKED, actor, at, revoked=token.id, person=token.person, name=token.name)
        if token.revoked_at is None:
            tokens.revoke_token(tx, token.id, at=at, audit=[revoked])
    return token


def _check(name: str, scopes: frozenset[Scope], lasts: timedelta, automation: str | None) -> None:
    for what, text in (("token", name), ("automation", automation)):
        if text is not None and not (0 < len(text.strip()) <= _LONGEST_NAME and text.isprintable()):
            raise TokenError(f"A name for {what} has 1 to {_LONGEST_NAME} printable characters.", "Say what it is for.")
    if not scopes:
        raise TokenError("A token without a scope is good for nothing.", f"Scopes: {', '.join(Scope)}.")
    if not timedelta() < lasts <= LONGEST_TOKEN:
        raise TokenError(f"A token lasts up to {LONGEST_TOKEN.days} days.", "Make another when it is over.")
    if Scope.DECIDE in scopes and automation is None:
        raise NotAllowedError(
            "A token cannot decide, unless an administrator marks it for a named automation.",
            "An administrator: `signoff token create NAME --person WHO --scope decide --automation WHAT`.",
        )
    if automation is not None and Scope.DECIDE not in scopes:
        raise TokenError("A token for an automation that decides needs the scope decide.", "Add --scope decide.")
