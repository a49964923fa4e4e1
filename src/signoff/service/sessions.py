"""Signing in and out: secrets to actors, sessions that expire, are listed and are ended.

`sign_in`, `open_session` and `authenticate` are where actors come from, so nobody is there yet to be authorized; the
rest is about one's own sessions, or anybody's for an administrator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.account import SESSION_IDLE, SESSION_LASTS, ApiToken, Method, Session
from signoff.domain.account_errors import (
    SecondFactorError,
    SessionOverError,
    SessionUnknownError,
    SignInError,
    TokenOverError,
)
from signoff.domain.actor import Actor, Credential, Directory, Person, actor_of
from signoff.domain.audit import Event
from signoff.domain.errors import NotAuthenticatedError
from signoff.service.credentials import fingerprint, kind_of, new_id, new_secret
from signoff.service.desk import Desk, happened
from signoff.service.passwords import check_password
from signoff.store import accounts, people, sessions, tokens
from signoff.store.database import Transaction

_NOTED_EVERY = timedelta(minutes=1)
"""How exactly it is known when a session or token was last used: more often would write on every read."""
_LONGEST_AGENT = 200


def sign_in(desk: Desk, name: str, password: str, *, address: str, agent: str) -> str:
    """Open a session for whoever knows the password of `name`; returns its secret, shown this once.

    Raises:
        SignInError: name and password do not go together, or the person is deactivated.
        TooManyAttemptsError: too many wrong ones of late.
        SecondFactorError: the password is right, and the account has passkeys: use `check_password`, ask for one of
            them, then `open_session` with both methods.
    """
    person = check_password(desk, name, password, address=address)
    with desk.database.read() as tx:
        account = accounts.find_account(tx, person.name)
    if account is not None and account.passkeys:
        raise SecondFactorError(f"{person.name} also signs in with a passkey.", "Use the passkey, too.")
    return open_session(desk, person, [Method.PASSWORD], address=address, agent=agent)


def open_session(
    desk: Desk,
    person: Person | str,
    methods: Iterable[str],
    *,
    address: str,
    agent: str,
    lasts: timedelta = SESSION_LASTS,
    idle: timedelta = SESSION_IDLE,
) -> str:
    """Open a session for `person`, who has just proved who they are by `methods`; returns its secret.

    Raises:
        SignInError: the server does not know them, or they are deactivated.
    """
    with desk.database.begin() as tx:
        name = person if isinstance(person, str) else person.name
        return begin_session(tx, name, methods, at=desk.clock(), address=address, agent=agent, lasts=lasts, idle=idle)


def begin_session(
    tx: Transaction,
    name: str,
    methods: Iterable[str],
    *,
    at: datetime,
    address: str,
    agent: str,
    lasts: timedelta = SESSION_LASTS,
    idle: timedelta = SESSION_IDLE,
    authenticated_at: datetime | None = None,
) -> str:
    """The same in a transaction that does more. Raises as `open_session` does.

    `authenticated_at` is when the person proved who they are, where that was before now.
    """
    # Held, so that nobody is deactivated between this look and the session.
    directory = people.get_directory(tx, hold=True)
    found = directory.people.get(name)
    if found is None or not found.is_active:
        raise refused_sign_in()
    secret = new_secret(Credential.SESSION)
    how = tuple(dict.fromkeys(str(method) for method in methods))
    proved = authenticated_at or at
    session = Session(new_id(), name, how, at, proved, at, at + lasts, idle, address, agent[:_LONGEST_AGENT])
    actor = replace(actor_of(found, Credential.SESSION), credential_id=session.id)
    opened = happened(Event.SESSION_OPENED, actor, at, session=session.id, methods=list(how), address=address)
    sessions.add_session(tx, session, fingerprint(secret), audit=[opened])
    return secret


def refused_sign_in() -> SignInError:
    """What is said to everybody who is not let in, whatever the reason."""
    return SignInError(
        "The name or the password is not right.",
        "Try again; an administrator can send a link that sets a new password (`signoff user reset NAME`).",
    )


def authenticate(desk: Desk, secret: str | None, *, is_use: bool = True) -> Actor:
    """The actor behind the secret of a session or token.

    Without `is_use` it is only looked at, as of somebody whose request is still being answered: it grows idle.

    Raises:
        NotAuthenticatedError: no secret, or nobody's.
        SessionOverError, TokenOverError: it was good once.
    """
    if not secret:
        raise NotAuthenticatedError(
            "This request says not who it is from.", "Send `Authorization: Bearer ...`; the command line: --as NAME."
        )
    kind = kind_of(secret)
    at = desk.clock()
    if kind == Credential.SESSION:
        with desk.database.begin() as tx:
            return _actor_of_session(tx, fingerprint(secret), at, is_use=is_use)
    if kind == Credential.TOKEN:
        with desk.database.begin() as tx:
            return _actor_of_token(tx, fingerprint(secret), at)
    raise _unknown()


def _actor_of_session(tx: Transaction, sha256: str, at: datetime, *, is_use: bool) -> Actor:
    found = sessions.find_session(tx, sha256)
    if found is None:
        raise _unknown()
    session, directory = found
    person = _known(session, directory)
    why = session.why_over(at)
    if why is not None:
        raise SessionOverError(f"This session is over: {why}.", "Sign in again.")
    if is_use and at >= session.last_seen_at + _NOTED_EVERY:
        sessions.touch_session(tx, session.id, at=at)
    return replace(
        actor_of(person, Credential.SESSION, directory.private),
        credential_id=session.id,
        methods=session.methods,
        authenticated_at=session.authenticated_at,
    )


def _actor_of_token(tx: Transaction, sha256: str, at: datetime) -> Actor:
    found = tokens.find_token(tx, sha256)
    if found is None:
        raise _unknown()
    token, directory = found
    person = _known(token, directory)
    why = token.why_over(at)
    if why is not None:
        raise TokenOverError(f"The token {token.name} is not good any more: {why}.", "Make another: signoff token.")
    if token.last_used_at is None or at >= token.last_used_at + _NOTED_EVERY:
        tokens.touch_token(tx, token.id, at=at)
    return replace(
        actor_of(person, Credential.TOKEN, directory.private),
        credential_id=token.id,
        scopes=token.scopes,
        automation=token.automation,
    )


def _known(credential: Session | ApiToken, directory: Directory) -> Person:
    person = directory.people.get(credential.person)
    if person is None or not person.is_active:
        raise _unknown()
    return person


def _unknown() -> NotAuthenticatedError:
    return NotAuthenticatedError(
        "This credential is not known to the server.",
        "It may be of another server, or of a person who was removed or deactivated.",
    )


def step_up(desk: Desk, actor: Actor, method: str) -> str:
    """Note that the person of this session has just proved who they are once more; returns the session's new secret.

    The former secret is good for nothing from then on.

    Raises:
        SessionOverError: the session was ended meanwhile.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    at = desk.clock()
    secret = new_secret(Credential.SESSION)
    with desk.database.begin() as tx:
        session = sessions.get_session(tx, actor.credential_id or "")
        over = SessionOverError("This session is over.", "Sign in again.")
        if session is None:
            raise over
        how = tuple(dict.fromkeys((*session.methods, str(method))))
        stronger = replace(session, methods=how, authenticated_at=at)
        renewed = happened(Event.SESSION_RENEWED, actor, at, session=session.id, methods=list(how))
        if not sessions.renew_session(tx, stronger, fingerprint(secret), audit=[renewed]):
            raise over
    return secret


def get_present_credential(desk: Desk, actor: Actor) -> Session | ApiToken | None:
    """The session or token that the actor came with."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        known = actor.credential_id or ""
        is_token = actor.credential is Credential.TOKEN
        return tokens.get_token(tx, known) if is_token else sessions.get_session(tx, known)


def list_sessions(desk: Desk, actor: Actor, *, person: str | None = None) -> list[Session]:
    """The sessions of the actor (of `person`, for an administrator) that hold, newest first."""
    owner = person or actor.name
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=owner))
    at = desk.clock()
    with desk.database.read() as tx:
        return [session for session in sessions.list_sessions(tx, owner) if session.why_over(at) is None]


def revoke_session(desk: Desk, actor: Actor, session_id: str) -> Session:
    """End a session now: one's own, or anybody's for an administrator. Signing out is ending the present one.

    Raises:
        SessionUnknownError: there is none, or it is somebody else's.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    at = desk.clock()
    with desk.database.begin() as tx:
        session = sessions.get_session(tx, session_id)
        if session is None or not actor.may_manage(session.person):
            raise SessionUnknownError(f"There is no session {session_id}.", "`signoff user sessions` lists yours.")
        ended = happened(Event.SESSION_REVOKED, actor, at, session=session.id, person=session.person)
        if session.revoked_at is None:
            sessions.revoke_session(tx, session.id, at=at, audit=[ended])
    return session


def revoke_other_sessions(desk: Desk, actor: Actor) -> int:
    """End every session of the actor but the present one; returns how many."""
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    at = desk.clock()
    with desk.database.begin() as tx:
        mine = [s for s in sessions.list_sessions(tx, actor.name) if s.id != actor.credential_id and not s.is_local]
        for session in mine:
            ended = happened(Event.SESSION_REVOKED, actor, at, session=session.id, person=actor.name)
            sessions.revoke_session(tx, session.id, at=at, audit=[ended])
    return len(mine)
