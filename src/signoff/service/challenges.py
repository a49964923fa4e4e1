"""Asking a passkey and believing its answer: parts of the use-cases that need one, in their transaction.

A challenge is good once, for five minutes, for one person and purpose. What it is bound to goes into it: the challenge
is the hash of a fresh nonce and of the digest of the thing that is confirmed.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from signoff.domain.account import Passkey
from signoff.domain.account_errors import PasskeyError
from signoff.service.credentials import new_id
from signoff.service.desk import Desk
from signoff.store import passkeys
from signoff.store.database import Transaction
from signoff.store.passkeys import Challenge, add_challenge, take_challenge

if TYPE_CHECKING:
    from webauthn.helpers.structs import PublicKeyCredentialDescriptor

ANSWERS_WITHIN = timedelta(minutes=5)
_LARGEST_ANSWER = 20_000


@dataclass(frozen=True, slots=True)
class Question:
    """What a browser asks a passkey: `options` is the JSON for it, `id` comes back with the answer."""

    id: str
    options: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the question's id and the credential as JSON."""

    question: str
    credential: str


def ask_passkey(desk: Desk, tx: Transaction, person: str, purpose: str, digest: str) -> Question:
    """What the browser asks a passkey of `person` to confirm the thing of `digest`; PasskeyError without a passkey."""
    mine = passkeys.list_passkeys(tx, person)
    if not mine:
        raise PasskeyError("You have no passkey yet.", f"Add one under Your account: {desk.url}/account")
    challenge = ask(tx, desk, person, purpose, digest)
    return Question(challenge.id, _request(desk, challenge, mine))


def confirm(desk: Desk, tx: Transaction, person: str | None, purpose: str, digest: str, answer: Answer) -> Passkey:
    """The passkey by which `person` (without one: whoever was asked) confirmed exactly the thing of `digest`.

    Raises:
        PasskeyError: it is another person's, about something else, used, or too late.
    """
    challenge = answered(tx, desk, answer, person, purpose)
    if challenge.digest != digest:
        raise PasskeyError("The passkey confirmed something else than what was sent.", "Confirm it once more.")
    return _check(tx, desk, challenge, answer)


def _check(tx: Transaction, desk: Desk, challenge: Challenge, answer: Answer) -> Passkey:
    """The passkey that answered `challenge`, whose use is noted; PasskeyError when none did."""
    from webauthn import verify_authentication_response
    from webauthn.helpers.exceptions import WebAuthnException

    credential = credential_of(answer)
    found = passkeys.find_passkey(tx, str(credential.get("id", "")))
    if found is None or found.person != challenge.person:
        raise PasskeyError("This passkey is not one of yours here.", "Use another one.")
    try:
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=bound(challenge),
            expected_rp_id=site(desk),
            expected_origin=origin(desk),
            credential_public_key=found.public_key,
            credential_current_sign_count=found.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise not_believed(error) from error
    passkeys.note_use(tx, found.id, verified.new_sign_count, at=desk.clock())
    return found


def bound(challenge: Challenge) -> bytes:
    """What the passkey signs: the hash of a fresh nonce and of what is confirmed."""
    return sha256(challenge.nonce + (challenge.digest or "").encode()).digest()


def site(desk: Desk) -> str:
    """The name that passkeys are tied to: the server's, without scheme and port."""
    return urlsplit(desk.url).hostname or "localhost"


def origin(desk: Desk) -> str:
    """Where the browser has to be, exactly."""
    parts = urlsplit(desk.url)
    return f"{parts.scheme}://{parts.netloc}"


def ask(tx: Transaction, desk: Desk, person: str, purpose: str, digest: str | None = None) -> Challenge:
    """A fresh challenge, kept until it is answered or too old."""
    at = desk.clock()
    challenge = Challenge(new_id(), person, purpose, digest, secrets.token_bytes(32), at, at + ANSWERS_WITHIN)
    add_challenge(tx, challenge)
    return challenge


def answered(tx: Transaction, desk: Desk, answer: Answer, person: str | None, purpose: str) -> Challenge:
    """The challenge that `answer` is to, used up by that; PasskeyError when `person` was asked none such."""
    challenge = take_challenge(tx, answer.question, purpose, at=desk.clock())
    if challenge is None or person not in {None, challenge.person}:
        raise too_late()
    return challenge


def _request(desk: Desk, challenge: Challenge, mine: list[Passkey]) -> str:
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=site(desk),
        challenge=bound(challenge),
        allow_credentials=descriptors(mine),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def descriptors(mine: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    """Passkeys as the library names them to a browser."""
    from webauthn.helpers import base64url_to_bytes
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    known = {transport.value: transport for transport in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(passkey.id),
            transports=[known[word] for word in passkey.transports if word in known] or None,
        )
        for passkey in mine
    ]


def credential_of(answer: Answer) -> dict[str, Any]:
    """What the browser sent; PasskeyError when it is nothing of the kind."""
    try:
        found = json.loads(answer.credential) if len(answer.credential) <= _LARGEST_ANSWER else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("response", {}), dict):
        raise PasskeyError("The browser sent no answer of a passkey.", "Try again; passkeys need JavaScript.")
    return found


def too_late() -> PasskeyError:
    """Of a challenge that is not there any more."""
    return PasskeyError("The passkey was not asked that, or answered too late.", "Try once more.")


def not_believed(error: Exception) -> PasskeyError:
    """Of an answer that does not hold."""
    return PasskeyError(f"The passkey's answer does not hold: {error}.", "Try once more.")
