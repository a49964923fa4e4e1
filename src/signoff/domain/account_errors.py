"""Reasons to refuse what has to do with accounts: signing in, passwords, links, tokens, people and groups."""

from __future__ import annotations

from signoff.domain.errors import (
    ConflictError,
    InvalidError,
    NotAuthenticatedError,
    NotFoundError,
    SignoffError,
)


class SignInError(NotAuthenticatedError):
    """Name and password do not go together. It never says which of them is wrong."""

    code = "sign_in_refused"


class SecondFactorError(NotAuthenticatedError):
    """The password is right, and this account also asks for a passkey."""

    code = "second_factor_required"


class SessionOverError(NotAuthenticatedError):
    """The session expired or was ended."""

    code = "session_over"


class TokenOverError(NotAuthenticatedError):
    """The token expired or was revoked."""

    code = "token_over"


class TooManyAttemptsError(SignoffError):
    """Too many wrong passwords of late, for this account or from this address. `after` is seconds to wait."""

    code = "too_many_attempts"

    def __init__(self, what: str, hint: str = "", *, after: int = 60) -> None:
        super().__init__(what, hint)
        self.after = after


class PasswordError(InvalidError):
    """A password that is too short, too long, too common, or not there to be changed."""

    code = "bad_password"


class LinkUnknownError(NotFoundError):
    """A one-time link that was never made, was used, is too old, or was replaced."""

    code = "link_unknown"


class PersonError(InvalidError):
    """A name, role, group, pattern or address that cannot be."""

    code = "bad_person"


class PersonExistsError(ConflictError):
    """Somebody has this name already."""

    code = "person_exists"


class PersonUnknownError(NotFoundError):
    """The server knows nobody of this name."""

    code = "person_unknown"


class GroupUnknownError(NotFoundError):
    """There is no such group."""

    code = "group_unknown"


class GroupInUseError(ConflictError):
    """Somebody still belongs to the group."""

    code = "group_in_use"


class LastAdministratorError(ConflictError):
    """Nobody would be left who administers."""

    code = "last_administrator"


class PeopleNeededError(ConflictError):
    """A gate that waits could never be approved any more."""

    code = "people_needed"


class AccountLinkError(InvalidError):
    """Two accounts that cannot be joined, or are not."""

    code = "bad_account_link"


class TokenError(InvalidError):
    """A token that cannot be made so."""

    code = "bad_token"


class TokenUnknownError(NotFoundError):
    """There is no such token, or it is not yours."""

    code = "token_unknown"


class SessionUnknownError(NotFoundError):
    """There is no such session, or it is not yours."""

    code = "session_unknown"


class SignOnError(NotAuthenticatedError):
    """The identity provider refused, was not believed, or vouches for somebody who has no account here."""

    code = "sign_on_refused"


class IdentityTakenError(ConflictError):
    """That account of the identity provider is somebody else's way in already."""

    code = "identity_taken"


class PasskeyError(NotAuthenticatedError):
    """What came from a passkey is not what was asked of it."""

    code = "passkey_refused"


class PasskeyUnknownError(NotFoundError):
    """There is no such passkey, or it is not yours."""

    code = "passkey_unknown"


class StaleSignInError(NotAuthenticatedError):
    """The person signed in too long ago for this: they have to do it once more."""

    code = "sign_in_again"
