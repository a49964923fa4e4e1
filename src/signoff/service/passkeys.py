"""Passkeys (WebAuthn) of people: adding and removing them, and the second factor beside a password."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.account import Method, Passkey
from signoff.domain.account_errors import PasskeyUnknownError, StaleSignInError
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.errors import ConflictError
from signoff.service.challenges import (
    Answer,
    Question,
    answered,
    ask,
    ask_passkey,
    bound,
    confirm,
    credential_of,
    descriptors,
    not_believed,
    origin,
    site,
)
from signoff.service.credentials import fingerprint
from signoff.service.desk import Desk, happened
from signoff.service.sessions import begin_session
from signoff.store import passkeys

FRESH = timedelta(minutes=30)
"""How long ago somebody may have signed in who changes how they sign in."""
MOST = 20
_ADD, _SECOND_FACTOR = "add", "second_factor"
_LONGEST_NAME = 100


def list_passkeys(desk: Desk, actor: Actor) -> list[Passkey]:
    """The actor's own, oldest first."""
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    with desk.database.read() as tx:
        return passkeys.list_passkeys(tx, actor.name)


def begin_adding(desk: Desk, actor: Actor) -> Question:
    """What the browser asks a device for a new passkey of the actor.

    Raises:
        StaleSignInError: they signed in too long ago.
        ConflictError: they have as many as anybody may.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    check_fresh(actor, desk.clock())
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    with desk.database.begin() as tx:
        mine = passkeys.list_passkeys(tx, actor.name)
        if len(mine) >= MOST:
            raise ConflictError(f"You have {len(mine)} passkeys.", "Remove one that you do not use.")
        challenge = ask(tx, desk, actor.name, _ADD)
        options = generate_registration_options(
            rp_id=site(desk),
            rp_name="signoff",
            user_id=sha256(f"signoff person {actor.name}".encode()).digest(),
            user_name=actor.name,
            challenge=bound(challenge),
            exclude_credentials=descriptors(mine),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
        )
    return Question(challenge.id, options_to_json(options))


def finish_adding(desk: Desk, actor: Actor, name: str, answer: Answer) -> Passkey:
    """Keep the passkey that a device made.

    Raises:
        PasskeyError: the answer is not to what was asked, or came too late.
        StaleSignInError: they signed in too long ago.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    at = desk.clock()
    check_fresh(actor, at)
    from webauthn import verify_registration_response
    from webauthn.helpers import bytes_to_base64url
    from webauthn.helpers.exceptions import InvalidRegistrationResponse, WebAuthnException

    credential = credential_of(answer)
    with desk.database.begin() as tx:
        challenge = answered(tx, desk, answer, actor.name, _ADD)
        try:
            verified = verify_registration_response(
                credential=credential,
                expected_challenge=bound(challenge),
                expected_rp_id=site(desk),
                expected_origin=origin(desk),
                require_user_verification=True,
            )
        except (WebAuthnException, InvalidRegistrationResponse, ValueError, KeyError, TypeError) as error:
            raise not_believed(error) from error
        found = credential.get("response", {}).get("transports") or []
        passkey = Passkey(
            id=bytes_to_base64url(verified.credential_id),
            person=actor.name,
            name=(name.strip() or "Passkey")[:_LONGEST_NAME],
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            created_at=at,
            transports=tuple(str(word)[:20] for word in found[:8]),
        )
        if passkeys.find_passkey(tx, passkey.id) is not None:
            raise ConflictError("This passkey is known already.", "Use it as it is.")
        added = happened(Event.PASSKEY_ADDED, actor, at, passkey=passkey.id, name=passkey.name)
        passkeys.add_passkey(tx, passkey, audit=[added])
    return passkey


def remove_passkey(desk: Desk, actor: Actor, passkey_id: str) -> None:
    """Forget one of the actor's own.

    Raises:
        PasskeyUnknownError: there is none, or it is somebody else's.
        StaleSignInError: they signed in too long ago.
    """
    authorize(actor, Do.MANAGE_ACCOUNT, Resource(owner=actor.name))
    at = desk.clock()
    check_fresh(actor, at)
    with desk.database.begin() as tx:
        found = passkeys.find_passkey(tx, passkey_id)
        if found is None or found.person != actor.name:
            raise PasskeyUnknownError("There is no such passkey.", "Your account shows yours.")
        removed = happened(Event.PASSKEY_REMOVED, actor, at, passkey=found.id, name=found.name)
        passkeys.remove_passkey(tx, passkey_id, audit=[removed])


def check_fresh(actor: Actor, at: datetime) -> None:
    """Return when the actor signed in a short while ago; on the server's own machine its session file is enough.

    Asked before every change of how one signs in, and before a program is let in for a week: what somebody with a
    stolen session would do to stay.
    """
    if Method.FILE in actor.methods or (actor.authenticated_at is not None and at < actor.authenticated_at + FRESH):
        return
    raise StaleSignInError("You signed in a while ago.", "Sign in once more; then do it again.")


def begin_second_factor(desk: Desk, name: str, browser: str) -> Question:
    """What the browser asks a passkey of `name`, whose password was just found right. `browser` is what only it has."""
    with desk.database.begin() as tx:
        return ask_passkey(desk, tx, name, _SECOND_FACTOR, fingerprint(browser))


def finish_second_factor(desk: Desk, browser: str, answer: Answer, *, address: str, agent: str) -> str:
    """Open the session of whoever gave their password and now answered with a passkey; returns its secret.

    Raises:
        PasskeyError: not an answer to what was asked of this browser, or too late.
        SignInError: the person was deactivated meanwhile.
    """
    at = desk.clock()
    with desk.database.begin() as tx:
        person = confirm(desk, tx, None, _SECOND_FACTOR, fingerprint(browser), answer).person
        return begin_session(tx, person, [Method.PASSWORD, Method.PASSKEY], at=at, address=address, agent=agent)
