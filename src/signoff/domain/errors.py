"""One class per reason to refuse. Each has a stable `code` and a message that says what to do.

An expected refusal is raised as one of these and rendered at the edge (HTTP status in `api`, exit status in `cli`).
Anything else that escapes is a bug. Everybody may import this file; nothing here knows how a refusal is shown.
"""

from __future__ import annotations

from typing import ClassVar


class SignoffError(Exception):
    """An expected refusal: `what` happened and `hint`, what to do about it.

    `code` is a contract with scripts: it never changes once released.
    """

    code: ClassVar[str] = "error"

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what} {self.hint}".rstrip()


class NotAllowedError(SignoffError):
    """The actor may not do this, whatever the state."""

    code = "not_allowed"


class NotAuthenticatedError(SignoffError):
    """Nobody is behind this request, or the credential is unknown."""

    code = "not_authenticated"


class CannotDecideError(NotAllowedError):
    """The actor may not decide about this gate (not an approver, the submitter, a token)."""

    code = "cannot_decide"


class NotFoundError(SignoffError):
    """The thing named does not exist, or the actor may not know that it does."""

    code = "not_found"


class AmbiguousError(SignoffError):
    """A prefix fits more than one run."""

    code = "ambiguous"


class ConflictError(SignoffError):
    """Not possible in the present state."""

    code = "conflict"


class GateClosedError(ConflictError):
    """The gate no longer takes decisions."""

    code = "gate_closed"


class SubjectChangedError(ConflictError):
    """The digest sent is not the gate's present subject: the reviewer saw something else."""

    code = "subject_changed"


class AlreadyDecidedError(ConflictError):
    """This person's decision is already recorded."""

    code = "already_decided"


class FencedError(ConflictError):
    """Somebody else took this run over since it was read; the write was refused."""

    code = "fenced"


class InvalidError(SignoffError):
    """The request itself is wrong, in whatever state."""

    code = "invalid"


class CommentRequiredError(InvalidError):
    """Request changes and reject need a comment."""

    code = "comment_required"


class ChecklistError(InvalidError):
    """An approval came without every tick of the gate's checklist."""

    code = "checklist_incomplete"


class DelegationError(InvalidError):
    """A delegate or dates that cannot be."""

    code = "bad_delegation"


class StepUpRequiredError(CannotDecideError):
    """The environment counts an approval only when a passkey confirms it, which takes the page."""

    code = "step_up_required"


class NotDelegatedError(CannotDecideError):
    """The person decided for did not name this delegate for now."""

    code = "not_delegated"


class ChooseAbsentError(InvalidError):
    """A delegate stands in for several people here and did not say for whom they decide."""

    code = "choose_absent"


class AnswersError(InvalidError):
    """An answer to a reviewer's reason that names no reason, or says nothing."""

    code = "bad_answers"


class AnswersMissingError(InvalidError):
    """The next attempt does not answer every typed reason of the one before."""

    code = "answers_missing"


class IdempotencyError(ConflictError):
    """The same Idempotency-Key came with another request."""

    code = "idempotency_key_reused"


class UnsatisfiableRuleError(InvalidError):
    """No set of people the server knows can satisfy a rule."""

    code = "unsatisfiable_rule"


class ModelNotFoundError(NotFoundError):
    """The model version named does not exist in the registry."""

    code = "model_not_found"


class WrongModelError(InvalidError):
    """A version of another model than the one the run is about."""

    code = "wrong_model"


class UnsafeModelError(InvalidError):
    """The model's files cannot be named safely (symlink, newline or backslash in a name, no files)."""

    code = "unsafe_model"


class NotServableError(InvalidError):
    """The model's files are not in the format that the model server loads."""

    code = "not_servable"


class MetricsError(InvalidError):
    """Metrics that are not numbers."""

    code = "bad_metrics"


class SnapshotError(InvalidError):
    """The pipeline's folder is missing, too big, or unsafe to unpack."""

    code = "bad_snapshot"


class PipelineError(InvalidError):
    """The pipeline file is wrong; `problems` holds every one of them, rendered by `spec`."""

    code = "bad_pipeline"

    def __init__(self, what: str, hint: str = "", problems: tuple[object, ...] = ()) -> None:
        super().__init__(what, hint)
        self.problems = problems


class NotAvailableError(InvalidError):
    """Understood, but this version of signoff cannot honour it yet."""

    code = "not_available_yet"


class EnvironmentUnknownError(InvalidError):
    """The pipeline or command names an environment that the administrator has not defined."""

    code = "unknown_environment"


class DigestMismatchError(ConflictError):
    """The bytes found are not the bytes that were approved."""

    code = "digest_mismatch"


class ProtectedError(ConflictError):
    """An environment's own rules are not satisfied."""

    code = "environment_protected"


class ConfigurationError(SignoffError):
    """A setting, people or environments file is wrong."""

    code = "bad_configuration"


class UnavailableError(SignoffError):
    """A system that signoff depends on did not answer; trying again later may help."""

    code = "unavailable"


class DatabaseAwayError(UnavailableError):
    """Postgres did not answer. `why` is the driver's word, for logs and for the machine itself: it names hosts."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__("The database did not answer.", hint)
        self.why = why

    def __str__(self) -> str:
        return f"{self.what} {self.why} {self.hint}".rstrip()


class MachineryError(SignoffError):
    """A step could not be done for reasons that are not the model's: its command broke, a server was down.

    `is_retryable` says whether repeating it by itself makes sense.
    """

    code = "machinery"

    def __init__(self, what: str, hint: str = "", *, is_retryable: bool = True) -> None:
        super().__init__(what, hint)
        self.is_retryable = is_retryable


class PredictionsError(MachineryError):
    """A predictions file that cannot be read as one; says file, column and row. The same bytes stay wrong."""

    code = "predictions"

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what, hint, is_retryable=False)


class UnhealthyError(SignoffError):
    """The deployed version did not get healthy; the former one serves on."""

    code = "unhealthy"


class HandedBackError(SignoffError):
    """The worker was told to stop and gave its unfinished step back. Never shown to a user."""

    code = "handed_back"


class CancelledError(SignoffError):
    """The run was cancelled while a step ran. Never shown to a user."""

    code = "cancelled"
