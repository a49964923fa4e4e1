"""Deployments with what must be known of them now: a review that is owed, an approval that was revoked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from signoff.domain.adoption import Adoption
from signoff.domain.emergency import Emergency, EmergencyStatus
from signoff.domain.environment import Deployment, DeploymentStatus
from signoff.domain.revocation import Revocation
from signoff.store import adoptions, drifts, emergencies, revocations
from signoff.store.database import Transaction
from signoff.store.environments import get_environments


@dataclass(frozen=True, slots=True)
class Deployed(Deployment):
    """A deployment, the emergency that it carried out, the revocation that is in force, and how it was adopted."""

    emergency: Emergency | None = None
    revocation: Revocation | None = None
    adoption: Adoption | None = None
    drift: str = ""
    """That something else is found there than this, which is what was signed off."""

    @property
    def warning(self) -> str:
        """What everybody who sees it must know, with the command that helps; empty when all is well."""
        if self.status is not DeploymentStatus.LIVE:
            return ""
        return " ".join(filter(None, [self._revoked(), self._owed(), self.adoption.warning if self.adoption else ""]))

    def _revoked(self) -> str:
        if self.revocation is None:
            return ""
        return (
            f"{self.model} v{self.version} was revoked by {self.revocation.by} ({self.revocation.why}), and "
            f"{self.environment} still serves it: `signoff rollback {self.environment} {self.model} -m WHY` ends that."
        )

    def _owed(self) -> str:
        found = self.emergency
        if found is None or not found.is_in_debt or found.due_at is None:
            return ""
        what = f"{self.model} v{self.version} was deployed without review by {' and '.join(found.people)} ({found.why})"
        match found.status:
            case EmergencyStatus.ESCALATED:
                then = f"and {found.note}: `signoff show {found.run_id}`, or `signoff rollback {self.environment} "
                return f"{what}, {then}{self.model} -m WHY`."
            case EmergencyStatus.RETURNING:
                return f"{what}, and {found.note}: the former version is being brought back."
            case _:
                by = found.due_at.strftime("%Y-%m-%d %H:%M UTC")
                return f"{what}; it is to be reviewed by {by}: `signoff show {found.run_id}`."


def deployed(tx: Transaction, found: Sequence[Deployment]) -> list[Deployed]:
    """`found` with what must be known of them, in the same order."""
    if not found:
        return []
    owed = emergencies.list_of_deployments(tx, [one.id for one in found])
    adopted = adoptions.list_of_runs(tx, [one.run_id for one in found])
    known = drifts.list_open(tx, models={one.model for one in found})
    drifting = {(one.environment, one.model): one.warning for one in known}
    places = get_environments(tx)
    revoked = {
        name: revocations.list_in_force(
            tx, [one.model for one in found if one.environment == name], place=places.get(name)
        )
        for name in {one.environment for one in found}
    }
    names = [field.name for field in fields(Deployment)]
    return [
        Deployed(
            **{name: getattr(one, name) for name in names},
            emergency=owed.get(one.id),
            adoption=adopted.get(one.run_id),
            drift=drifting.get((one.environment, one.model), "") if one.status is DeploymentStatus.LIVE else "",
            revocation=revoked[one.environment].get((one.model, one.version)),
        )
        for one in found
    ]
