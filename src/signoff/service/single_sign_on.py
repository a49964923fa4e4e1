"""Signing in by an identity provider: leaving for it, coming back, and connecting one's account to it.

People are known by issuer and subject only: an address or a name that somebody else may get one day opens no account.
A state is good once, for ten minutes, in the browser that left with it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.account import Method
from signoff.domain.account_errors import IdentityTakenError, SignOnError
from signoff.domain.actor import SYSTEM, Actor, Credential, Directory, Person, actor_of
from signoff.domain.audit import Event
from signoff.domain.directory import describe_person, with_new
from signoff.domain.errors import ConflictError
from signoff.ports import IdentityProvider, Vouched
from signoff.service.credentials import fingerprint
from signoff.service.desk import Desk, happened
from signoff.service.passkeys import check_fresh
from signoff.service.people import change_person
from signoff.service.sessions import open_session
from signoff.store import accounts, people
from signoff.store.database import Transaction
from signoff.store.single_sign_on import Departure, add_departure, drop_subject, take_departure

COMES_BACK_WITHIN = timedelta(minutes=10)
CALLBACK = "/sign-in/single/back"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody who came back. `session` is the secret of a new one; None when they connected their account."""

    session: str | None
    return_to: str


@dataclass(frozen=True, slots=True)
class WaysIn:
    """How somebody signs in."""

    has_password: bool
    issuer: str | None


def get_ways_in(desk: Desk, actor: Actor) -> WaysIn:
    """How the actor signs in."""
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    with desk.database.read() as tx:
        account = accounts.find_account(tx, actor.name)
    if account is None:
        return WaysIn(has_password=False, issuer=None)
    return WaysIn(has_password=account.password_hash is not None, issuer=account.issuer)


def begin_sign_on(desk: Desk, browser: str, return_to: str) -> str:
    """Where the browser goes to sign in. `browser` is a secret that only it has.

    Raises:
        SignOnError: no provider is configured.
        UnavailableError: it does not answer.
    """
    provider = _provider(desk)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    address = provider.address(desk.url + CALLBACK, state=state, nonce=nonce, verifier=verifier)
    at = desk.clock()
    departure = Departure(fingerprint(browser), nonce, verifier, return_to, at, at + COMES_BACK_WITHIN)
    with desk.database.begin() as tx:
        add_departure(tx, fingerprint(state), departure)
    return address


def begin_connecting(desk: Desk, actor: Actor, session: str) -> str:
    """Where the browser goes to connect the actor's account; `session` is the secret of theirs.

    Raises:
        StaleSignInError: they signed in too long ago.
        SignOnError, UnavailableError: as `begin_sign_on`.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    check_fresh(actor, desk.clock())
    return begin_sign_on(desk, session, "/account")


def finish_sign_on(
    desk: Desk, *, state: str, code: str, visit: str | None, session: tuple[str, Actor] | None, address: str, agent: str
) -> Arrival:
    """Let in whoever came back with `state` and `code`, or connect the account of who left as `session`.

    `visit` and the secret in `session` are what the browser has; one of them is what it left with.

    Raises:
        SignOnError: not this browser's, too old, not believed, or nobody whom the server knows.
        IdentityTakenError: that account of the provider is somebody else's way in.
        UnavailableError: the provider does not answer.
    """
    with desk.database.begin() as tx:
        departure = take_departure(tx, fingerprint(state), at=desk.clock())
    if departure is None:
        raise SignOnError("This sign-in was finished already, or took too long.", "Begin it once more.")
    connects = session is not None and departure.browser == fingerprint(session[0])
    if not connects and (visit is None or departure.browser != fingerprint(visit)):
        raise SignOnError("This sign-in began in another browser.", "Begin it once more, here.")
    vouched = _provider(desk).redeem(desk.url + CALLBACK, code=code, nonce=departure.nonce, verifier=departure.verifier)
    if connects and session is not None:
        connect_identity(desk, session[1], vouched)
        return Arrival(None, departure.return_to)
    name = _known_or_new(desk, vouched)
    _follow_groups(desk, name, vouched)
    return Arrival(open_session(desk, name, [Method.OIDC], address=address, agent=agent), departure.return_to)


def connect_identity(desk: Desk, actor: Actor, vouched: Vouched) -> None:
    """Let the provider's account be a way into the actor's own from now on.

    Raises:
        StaleSignInError: they signed in too long ago; where they left for the provider does not say that.
        IdentityTakenError: it is somebody else's.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    at = desk.clock()
    check_fresh(actor, at)
    with desk.database.begin() as tx:
        people.lock_directory(tx, at=at)
        known = accounts.find_account_of_subject(tx, vouched.issuer, vouched.subject)
        if known is not None and known.person != actor.name:
            raise IdentityTakenError("That account is somebody else's way in already.", "Sign in there as yourself.")
        connected = happened(Event.IDENTITY_CONNECTED, actor, at, issuer=vouched.issuer, subject=vouched.subject)
        accounts.set_subject(tx, actor.name, vouched.issuer, vouched.subject, at=at, audit=[connected])


def disconnect_identity(desk: Desk, actor: Actor) -> None:
    """Take that way into the actor's own account away again.

    Raises:
        StaleSignInError: they signed in too long ago.
        ConflictError: it is the only one.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    at = desk.clock()
    check_fresh(actor, at)
    with desk.database.begin() as tx:
        people.lock_directory(tx, at=at)
        account = accounts.find_account(tx, actor.name)
        if account is None or account.subject is None:
            return
        if account.password_hash is None:
            raise ConflictError("You have no other way in.", "Set a password first.")
        drop_subject(tx, actor.name, audit=(happened(Event.IDENTITY_DISCONNECTED, actor, at, issuer=account.issuer),))


def _provider(desk: Desk) -> IdentityProvider:
    if desk.identity is None:
        raise SignOnError("This server has no single sign-on.", "Sign in with name and password.")
    return desk.identity


def _known_or_new(desk: Desk, vouched: Vouched) -> str:
    """The person whom issuer and subject stand for, made when the server lets new people in."""
    at = desk.clock()
    with desk.database.begin() as tx:
        directory = people.lock_directory(tx, at=at)
        account = accounts.find_account_of_subject(tx, vouched.issuer, vouched.subject)
        if account is not None:
            return account.person
        if desk.admission.new_people is None:
            raise SignOnError(
                "Nobody here is connected to that account.",
                "Sign in with your password and connect it under Your account, or ask an administrator for an account.",
            )
        name = _free_name(directory, vouched)
        person = Person(name, desk.admission.new_people, email=vouched.email)
        following = with_new(directory, person)
        actor = replace(actor_of(person, Credential.SESSION), credential_id=None)
        said = happened(
            Event.PERSON_ADDED,
            SYSTEM,
            at,
            person=name,
            changes=list(describe_person(None, person)),
            by="single sign-on",
        )
        people.set_directory(tx, following, by=SYSTEM.name, at=at, audit=[said])
        _connect(tx, desk, actor, vouched)
        return name


def _connect(tx: Transaction, desk: Desk, actor: Actor, vouched: Vouched) -> None:
    at = desk.clock()
    connected = happened(Event.IDENTITY_CONNECTED, actor, at, issuer=vouched.issuer, subject=vouched.subject)
    accounts.set_subject(tx, actor.name, vouched.issuer, vouched.subject, at=at, audit=[connected])


def _free_name(directory: Directory, vouched: Vouched) -> str:
    """The name that the provider uses, in our letters; refused when somebody has it."""
    name = _NOT_IN_A_NAME.sub("-", vouched.name.partition("@")[0]).strip(".-_")[:100]
    if not name:
        raise SignOnError(
            "The provider did not say what to call you.", "An administrator may set SIGNOFF_OIDC_NAME_CLAIM."
        )
    if name.casefold() in {known.casefold() for known in directory.people}:
        raise SignOnError(
            f"Somebody is called {name} here already.",
            "If that is you: sign in with your password and connect the account. Else ask an administrator.",
        )
    return name


def _follow_groups(desk: Desk, name: str, vouched: Vouched) -> None:
    """Put the person into the groups that the provider says, of those that follow it."""
    with desk.database.read() as tx:
        known = people.get_directory(tx).people.get(name)
    if known is None or not known.is_active:
        return
    groups = desk.admission.groups_of(known.groups, vouched.groups)
    if groups != known.groups:
        change_person(desk, SYSTEM, name, groups=groups, force=True)
