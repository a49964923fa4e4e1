"""Which jobs of a CI system may submit without a stored secret: pinned by an administrator to what cannot be chosen.

A job proves what it is by an id token of its CI system. A trust says which job that has to be, to the letter: issuer,
audience, the repository's number (a name can be taken over), the workflow's file and ref, and the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from signoff.domain.errors import ConflictError, InvalidError, NotAuthenticatedError, NotFoundError

EXCHANGED_LASTS = timedelta(minutes=15)
"""How long the API token is good for that a job gets."""
CLOCKS_DIFFER = timedelta(seconds=30)
LONGEST_ID_TOKEN = timedelta(days=1)
"""An id token that lasts longer is refused: how long its number is remembered, and what a leaked one is worth."""
_LONGEST = 500
_LONGEST_NAME = 64
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class System(StrEnum):
    """A CI system whose id tokens are understood."""

    GITHUB = "github"
    GITLAB = "gitlab"


ISSUERS: Mapping[System, str] = {
    System.GITHUB: "https://token.actions.githubusercontent.com",
    System.GITLAB: "https://gitlab.com",
}
"""Who issues the id tokens of each, where nothing else is said."""

_PINNED: Mapping[System, tuple[str, str, str]] = {
    System.GITHUB: ("repository_id", "workflow_ref", "environment"),
    System.GITLAB: ("project_id", "ci_config_ref_uri", "environment"),
}
"""How each calls the repository's number, the workflow with its ref, and the environment."""

_TOLD: Mapping[System, tuple[str, ...]] = {
    System.GITHUB: ("repository", "ref", "sha", "run_id", "run_attempt", "actor", "event_name"),
    System.GITLAB: ("project_path", "ref", "sha", "pipeline_id", "job_id", "user_login", "pipeline_source"),
}
"""What the audit log keeps of a job besides."""


class IdTokenError(NotAuthenticatedError):
    """The id token is not one that this server believes, or fits no trust."""

    code = "id_token_refused"


class TrustError(InvalidError):
    """A trust that cannot be."""

    code = "bad_trust"


class TrustExistsError(ConflictError):
    """A trust has this name, or pins the same job, already."""

    code = "trust_exists"


class TrustUnknownError(NotFoundError):
    """There is no such trust."""

    code = "trust_unknown"


@dataclass(frozen=True, slots=True)
class Job:
    """What a believed id token says about the job that it was given to."""

    issuer: str
    audience: str
    repository_id: str
    workflow_ref: str
    environment: str | None
    number: str
    """The token's own number (`jti`), which it has with no other."""
    expires_at: datetime
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trust:
    """A job that may submit as `person`. Without an `environment` the job must run in none."""

    name: str
    system: System
    issuer: str
    audience: str
    repository_id: str
    workflow_ref: str
    environment: str | None
    person: str
    by: str
    created_at: datetime

    def differs(self, job: Job) -> tuple[str, ...]:
        """In what the job is another than the one that is trusted; empty for that one."""
        pins = ("issuer", "audience", "repository_id", "workflow_ref", "environment")
        return tuple(pin for pin in pins if getattr(self, pin) != getattr(job, pin))


def check_trust(trust: Trust) -> None:
    """Return when the trust can be.

    Raises:
        TrustError: with what is wrong about it.
    """
    if not (0 < len(trust.name) <= _LONGEST_NAME and trust.name.replace("-", "").replace("_", "").isalnum()):
        raise TrustError(
            f"A trust's name has 1 to {_LONGEST_NAME} letters, digits, dashes and underscores.", "Choose a short one."
        )
    parts = urlsplit(trust.issuer)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        raise TrustError(
            f"{trust.issuer!r} is no issuer.", "Write the CI system's own address, such as https://gitlab.example.com."
        )
    for pin, value in (("audience", trust.audience), ("workflow ref", trust.workflow_ref)):
        if not (0 < len(value) <= _LONGEST and value.isprintable() and "*" not in value):
            raise TrustError(
                f"The {pin} {value!r} cannot be one.", "It is compared to the letter; there are no patterns."
            )
    if not (trust.repository_id.isascii() and trust.repository_id.isdigit() and len(trust.repository_id) <= 20):  # noqa: PLR2004
        raise TrustError(
            f"{trust.repository_id!r} is not the number of a repository.",
            "GitHub: `gh api repos/OWNER/NAME --jq .id`; GitLab shows the project id on its page.",
        )
    if "@" not in trust.workflow_ref:
        raise TrustError(
            f"The workflow ref {trust.workflow_ref!r} names no ref.",
            "Write it like owner/name/.github/workflows/train.yml@refs/heads/main.",
        )
    if trust.environment is not None and not (
        0 < len(trust.environment) <= _LONGEST and trust.environment.isprintable()
    ):
        raise TrustError("An environment's name is 1 to 500 printable characters.", "Leave it out for none.")


def read_job(system: System, claims: Mapping[str, Any], now: datetime) -> Job:
    """What believed claims say, when they hold at `now`.

    Raises:
        IdTokenError: they are over, not good yet, good for too long, or lack something.
    """
    expires_at, issued_at = _moment(claims, "exp"), _moment(claims, "iat")
    not_before = _moment(claims, "nbf") if "nbf" in claims else issued_at
    if expires_at is None or issued_at is None or not_before is None:
        raise IdTokenError("The id token does not say from when until when it is good.", "Ask for a fresh one.")
    if now >= expires_at:
        raise IdTokenError("The id token is over.", "Ask the CI system for a fresh one just before it is exchanged.")
    if now + CLOCKS_DIFFER < max(issued_at, not_before):
        raise IdTokenError("The id token is not good yet.", "Compare the clocks of the CI system and of this server.")
    if expires_at - issued_at > LONGEST_ID_TOKEN:
        raise IdTokenError("The id token is good for more than a day.", "Have the CI system give shorter ones.")
    repository, workflow, environment = _PINNED[system]
    return Job(
        issuer=_text(claims, "iss"),
        audience=_audience(claims),
        repository_id=_text(claims, repository),
        workflow_ref=_text(claims, workflow),
        environment=_text(claims, environment) or None,
        number=_text(claims, "jti"),
        expires_at=expires_at,
        told={name: _text(claims, name) for name in _TOLD[system] if _text(claims, name)},
    )


def _moment(claims: Mapping[str, Any], name: str) -> datetime | None:
    seconds = claims.get(name)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _text(claims: Mapping[str, Any], name: str) -> str:
    """The claim as text: numbers are written out, anything else is nothing."""
    value = claims.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value[:_LONGEST] if isinstance(value, str) and "\x00" not in value else ""


def _audience(claims: Mapping[str, Any]) -> str:
    """The one audience; nothing when it is for several, who could each use it here."""
    value = claims.get("aud")
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else ""
    return value if isinstance(value, str) and len(value) <= _LONGEST else ""
