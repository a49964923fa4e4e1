"""How people come to sign in: one-time links, the first administrator, and passwords.

Nobody ever sets the password of somebody else: an administrator makes a link, and whoever gets it chooses one.
`use_link` and `find_link` are for people who cannot sign in yet, so nobody is there to be authorized.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.account import LINK_LASTS, Link, Method, Purpose
from signoff.domain.account_errors import (
    LinkUnknownError,
    PasswordError,
    PersonError,
    PersonUnknownError,
)
from signoff.domain.actor import SYSTEM, Actor, Credential, Directory, Person, Role, actor_of
from signoff.domain.audit import Event
from signoff.domain.directory import check_name
from signoff.domain.errors import ConflictError
from signoff.service.credentials import LINK, fingerprint, kind_of, new_id, new_secret
from signoff.service.desk import Desk, happened
from signoff.service.limits import LINKS, note_attempt, refuse_too_many
from signoff.service.passkeys import check_fresh
from signoff.service.passwords import check_new_password, check_password, hash_password
from signoff.service.sessions import begin_session
from signoff.store import accounts, people, sessions
from signoff.store.database import Transaction


@dataclass(frozen=True, slots=True)
class MadeLink:
    """A one-time link as it is shown, this once."""

    link: Link
    url: str


def make_link(desk: Desk, actor: Actor, person: str) -> MadeLink:
    """A link by which `person` sets a password: an invitation when they never had one, else a reset.

    Earlier links for them are good for nothing from then on. Nothing else changes until it is used.

    Raises:
        PersonUnknownError: nobody is called so, or they are deactivated.
    """
    authorize(actor, Do.ADMINISTER)
    with desk.database.begin() as tx:
        found = people.get_directory(tx).people.get(person)
        if found is None or not found.is_active:
            state = "is not known to this server" if found is None else "is deactivated"
            raise PersonUnknownError(f"{person} {state}.", "`signoff user list` shows everybody.")
        account = accounts.find_account(tx, person)
        has_password = account is not None and account.password_hash is not None
        accounts.drop_links(tx, person=person)
        return _add_link(tx, desk, actor, Purpose.RESET if has_password else Purpose.INVITE, person)


def make_first_link(desk: Desk, person: str | None = None) -> MadeLink | None:
    """The link that makes the first administrator; None when there is one who can sign in.

    `person` is who will be it; without them whoever uses the link says their name. Only the process that starts the
    server calls this.
    """
    authorize(SYSTEM, Do.ADMINISTER)
    with desk.database.begin() as tx:
        if _administrators_who_sign_in(tx):
            accounts.drop_links(tx, purpose=Purpose.FIRST_ADMIN)
            return None
        accounts.drop_links(tx, purpose=Purpose.FIRST_ADMIN)
        return _add_link(tx, desk, SYSTEM, Purpose.FIRST_ADMIN, person)


def has_administrator(desk: Desk) -> bool:
    """Whether an administrator can sign in: what a server needs before others can reach it."""
    authorize(SYSTEM, Do.ADMINISTER)
    with desk.database.read() as tx:
        return bool(_administrators_who_sign_in(tx))


def _administrators_who_sign_in(tx: Transaction) -> list[str]:
    known = people.get_directory(tx).people.values()
    return accounts.list_who_can_sign_in(tx, [p.name for p in known if p.is_active and Role.ADMIN in p.roles])


def _add_link(tx: Transaction, desk: Desk, actor: Actor, purpose: Purpose, person: str | None) -> MadeLink:
    at = desk.clock()
    secret = new_secret(LINK)
    link = Link(new_id(), purpose, person, actor.name, at, at + LINK_LASTS[purpose])
    made = happened(Event.LINK_MADE, actor, at, link=link.id, purpose=purpose.value, person=person)
    accounts.add_link(tx, link, fingerprint(secret), audit=[made])
    return MadeLink(link, f"{desk.url}/link?{urlencode({'code': secret})}")


def find_link(desk: Desk, secret: str, *, address: str = "") -> Link:
    """What a one-time link is for, without using it up.

    Raises:
        LinkUnknownError: it was used, is too old, was replaced, or never was one.
        TooManyAttemptsError: too many such links were tried from that address of late.
    """
    refuse_too_many(desk, LINKS, address=address)
    with desk.database.read() as tx:
        found = accounts.find_link(tx, fingerprint(secret), at=desk.clock()) if kind_of(secret) == LINK else None
    if found is None:
        note_attempt(desk, LINKS, address=address)
        raise _no_link()
    return found


def use_link(
    desk: Desk, secret: str, password: str, *, name: str | None = None, address: str = "", agent: str = ""
) -> str:
    """Set the password that a one-time link allows to set, and sign in; returns the session's secret.

    A link that names nobody makes the person `name` an administrator. A reset ends the person's other sessions.

    Raises:
        LinkUnknownError: it was used, is too old, was replaced, or never was one.
        PasswordError: the password is too short, too long, or guessed first; the link stays good.
        PersonError: a name that cannot be; the link stays good.
    """
    link = find_link(desk, secret, address=address)
    person = link.person or check_name((name or "").strip())
    password_hash = hash_password(check_new_password(password, person))
    at = desk.clock()
    with desk.database.begin() as tx:
        directory = people.lock_directory(tx, at=at)
        if accounts.use_link(tx, fingerprint(secret), at=at) is None:
            raise _no_link()
        if link.purpose is Purpose.FIRST_ADMIN:
            directory = _with_first_administrator(tx, directory, person, desk)
        known = directory.people.get(person)
        if known is None or not known.is_active:
            raise _no_link()
        actor = actor_of(known, Credential.SESSION)
        used = happened(Event.LINK_USED, actor, at, link=link.id, purpose=link.purpose.value)
        changed = happened(Event.PASSWORD_SET, actor, at, by="link")
        accounts.set_password_hash(tx, person, password_hash, at=at, audit=[used, changed])
        accounts.drop_links(tx, person=person)
        sessions.revoke_sessions_of(tx, person, at=at, with_local=False)
        return begin_session(tx, person, [Method.LINK, Method.PASSWORD], at=at, address=address, agent=agent)


def _with_first_administrator(tx: Transaction, directory: Directory, name: str, desk: Desk) -> Directory:
    """The people, `name` an administrator among them; refused when there is one who signs in by now."""
    if _administrators_who_sign_in(tx):
        raise _no_link()
    at = desk.clock()
    former = directory.people.get(name)
    taken = next((known for known in directory.people if known.casefold() == name.casefold()), name)
    if taken != name:
        raise PersonError(f"Somebody is called {taken} already, give or take upper case.", "Write it as they do.")
    person = replace(former or Person(name), is_active=True)
    person = replace(person, roles=person.roles | {Role.ADMIN})
    if person == former:
        return directory
    following = replace(directory, people={**directory.people, name: person})
    event = Event.PERSON_ADDED if former is None else Event.PERSON_CHANGED
    said = happened(event, SYSTEM, at, person=name, changes=["is the first administrator"])
    people.set_directory(tx, following, by=SYSTEM.name, at=at, audit=[said])
    return following


def set_password(desk: Desk, actor: Actor, password: str) -> None:
    """Give the actor's own account its first password.

    Raises:
        StaleSignInError: they signed in too long ago.
        ConflictError: it has one, which `change_password` changes.
        PasswordError: too short, too long, or guessed first.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    at = desk.clock()
    check_fresh(actor, at)
    password_hash = hash_password(check_new_password(password, actor.name))
    with desk.database.begin() as tx:
        people.lock_directory(tx, at=at)
        account = accounts.find_account(tx, actor.name)
        if account is not None and account.password_hash is not None:
            raise ConflictError(f"{actor.name} has a password already.", "Give the present one to change it.")
        _keep(tx, desk, actor, password_hash, by="first")


def change_password(desk: Desk, actor: Actor, current: str, password: str, *, address: str = "") -> None:
    """Change the actor's own password and end their other sessions.

    Raises:
        SignInError, TooManyAttemptsError: the present password is not `current`.
        PasswordError: the new one is too short, too long, guessed first, or the same.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    normal = check_new_password(password, actor.name)
    check_password(desk, actor.name, current, address=address)
    if current == password:
        raise PasswordError("The new password is the present one.", "Choose another one.")
    password_hash = hash_password(normal)
    with desk.database.begin() as tx:
        _keep(tx, desk, actor, password_hash, by="change")


def _keep(tx: Transaction, desk: Desk, actor: Actor, password_hash: str, *, by: str) -> None:
    at = desk.clock()
    changed = happened(Event.PASSWORD_SET, actor, at, by=by)
    accounts.set_password_hash(tx, actor.name, password_hash, at=at, audit=[changed])
    accounts.drop_links(tx, person=actor.name)
    keep = [actor.credential_id] if actor.credential_id is not None else []
    sessions.revoke_sessions_of(tx, actor.name, at=at, keep=keep, with_local=False)


def _no_link() -> LinkUnknownError:
    return LinkUnknownError(
        "This link is not good any more: it was used, replaced by a newer one, or is too old.",
        "Ask an administrator for another one (`signoff user reset NAME`).",
    )
