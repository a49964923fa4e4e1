"""Reasons to refuse what an administrator does to environments. One class per reason, as in `domain.errors`."""

from __future__ import annotations

from signoff.domain.errors import ConflictError, PipelineError


class EnvironmentsFileError(PipelineError):
    """The environments that were sent are wrong; `problems` holds every reason."""

    code = "bad_environments"


class StuckGateError(ConflictError):
    """A gate that waits could never be approved any more."""

    code = "stuck_gate"


class EnvironmentInUseError(ConflictError):
    """Something is live in an environment that would be removed, or a run on its way needs it."""

    code = "environment_in_use"


class EnvironmentsChangedError(ConflictError):
    """Somebody else changed the environments since the file that is sent was begun."""

    code = "environments_changed"
