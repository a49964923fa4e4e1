"""Reasons to refuse what is done to deployments by hand: rollback, revocation and emergencies.

One class per reason, as in `domain.errors`, whose classes these refine; everybody may import it.
"""

from __future__ import annotations

from signoff.domain.errors import ConflictError, InvalidError, NotAllowedError, NotFoundError


class ReasonRequiredError(InvalidError):
    """What is done by hand needs a reason that others can read."""

    code = "reason_required"


class NothingLiveError(ConflictError):
    """No version of the model is live in the environment."""

    code = "nothing_live"


class NeverLiveError(NotFoundError):
    """The version named was never live in the environment."""

    code = "never_live"


class NoFormerVersionError(ConflictError):
    """There is no version to go back to."""

    code = "no_former_version"


class AlreadyLiveError(ConflictError):
    """The version named is what the environment serves now."""

    code = "already_live"


class DeploymentUnderWayError(ConflictError):
    """Another deployment has the place."""

    code = "deployment_under_way"


class RevokedError(ConflictError):
    """The version's approval was revoked and it was not approved anew."""

    code = "version_revoked"


class LastDeploymentUnhealthyError(ConflictError):
    """The version failed its health check when it was last deployed there."""

    code = "last_deployment_unhealthy"


class NotSignedOffError(ConflictError):
    """The version was only ever deployed in an emergency, and its review has not approved it."""

    code = "not_signed_off"


class NothingToRevokeError(ConflictError):
    """Nobody has approved the version, so that there is nothing to take back."""

    code = "nothing_to_revoke"


class AlreadyRevokedError(ConflictError):
    """The approvals of the version are revoked already."""

    code = "already_revoked"


class NoBreakGlassError(ConflictError):
    """The environment has no rule by which it could be deployed to in an emergency."""

    code = "no_break_glass"


class BreakGlassUnsatisfiableError(ConflictError):
    """The environment's rule wants more people than there are."""

    code = "break_glass_unsatisfiable"


class CannotConfirmError(NotAllowedError):
    """The environment's rule for emergencies does not count this person."""

    code = "cannot_confirm"


class AlreadyConfirmedError(ConflictError):
    """This person has confirmed; it takes others."""

    code = "already_confirmed"


class UnconfirmedError(ConflictError):
    """Those who confirmed the emergency no longer suffice when it is to be deployed."""

    code = "emergency_unconfirmed"


class EmergencyPendingError(ConflictError):
    """Another emergency deployment waits for its confirmations there."""

    code = "emergency_pending"


class EmergencyClosedError(ConflictError):
    """The emergency no longer waits for confirmations."""

    code = "emergency_closed"


class EmergencyUnknownError(NotFoundError):
    """No emergency of that id, or none at all, is there."""

    code = "no_emergency"
