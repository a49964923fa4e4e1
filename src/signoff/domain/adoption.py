"""Adoption: taking in what ran in an environment before signoff came. Recorded as what it is, never as approved.

An adopted version is no drift, and its review is owed: a run of kind ``after_review``. Production goes on meanwhile.
Reasons: ``docs/decisions/adopted-is-not-approved.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from signoff.domain.environment import Environment
from signoff.domain.errors import ConflictError
from signoff.domain.run import FINAL, RunStatus

REVIEW_WITHIN = timedelta(days=30)
"""How long the review may take: longer than after an emergency, because nothing changed by being written down."""


class NothingToAdoptError(ConflictError):
    """The environment's alias points nowhere for that model."""

    code = "nothing_to_adopt"


class AlreadyDeployedError(ConflictError):
    """A deployment of signoff's own is live there: what to do about anything else is no adoption."""

    code = "already_deployed"


class AdoptionUnreviewableError(ConflictError):
    """Nobody is there who could review what is to be adopted."""

    code = "adoption_unreviewable"


class AdoptionStatus(StrEnum):
    """Where the review of an adopted version stands. `left`: something else serves there, and nobody asks any more."""

    OWED = "owed"
    ESCALATED = "escalated"
    SETTLED = "settled"
    LEFT = "left"


OPEN = frozenset({AdoptionStatus.OWED, AdoptionStatus.ESCALATED})
"""What nobody has approved yet, and somebody should."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What was there before signoff came, who took it in and why, and by when run `run_id` has to approve it."""

    run_id: str
    environment: str
    model: str
    version: str
    digest: str
    why: str
    by: str
    at: datetime
    due_at: datetime
    status: AdoptionStatus = AdoptionStatus.OWED
    ended_at: datetime | None = None
    note: str = ""

    @property
    def label(self) -> str:
        """How people name it: ``fraud-detector v4 in production``."""
        return f"{self.model} v{self.version} in {self.environment}"

    @property
    def is_approved(self) -> bool:
        """Whether its review approved it since."""
        return self.status is AdoptionStatus.SETTLED

    @property
    def warning(self) -> str:
        """What everybody who sees it live must know, with the command that helps; empty once it is approved."""
        if self.is_approved:
            return ""
        what = f"{self.model} v{self.version} was adopted by {self.by} ({self.why}): it ran before signoff came, and "
        if self.status is AdoptionStatus.OWED:
            by = self.due_at.strftime("%Y-%m-%d")
            return f"{what}nobody has approved it. It is to be reviewed by {by}: `signoff show {self.run_id}`."
        return f"{what}{self.note or 'nobody has approved it'}: `signoff submit models:/{self.model}/{self.version}`."


def outcome(adoption: Adoption, review: RunStatus, now: datetime, *, is_live: bool) -> tuple[AdoptionStatus, str]:
    """Where an open adoption goes now, and why in words; where it stands when nothing is to be done.

    A no is not waited out, and an approval settles however late. What serves no longer may still be approved until its
    time is over.
    """
    if review is RunStatus.SUCCEEDED:
        return AdoptionStatus.SETTLED, "the after-review approved it"
    is_over = review in FINAL
    is_late = now >= adoption.due_at
    if not is_live and (is_over or is_late):
        return AdoptionStatus.LEFT, "something else serves there"
    if adoption.status is AdoptionStatus.OWED and (is_over or is_late):
        why = f"its review ended {review}" if is_over else "its review did not approve it in time"
        return AdoptionStatus.ESCALATED, why
    return adoption.status, adoption.note


def nothing_there(environment: Environment, model: str) -> NothingToAdoptError:
    """The refusal where the alias points nowhere."""
    return NothingToAdoptError(
        f"{environment.name} has no {model}: its alias {environment.deployer.alias} points nowhere.",
        f"Put the alias on what runs there, or have a version approved: `signoff submit models:/{model}/VERSION`.",
    )
