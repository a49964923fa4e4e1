"""Who may do what: the only place that says so. Deny by default.

*Allowed for you* is decided here; *possible in this state* is decided beside the state (`run`, `gate`). Called by
every service function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from signoff.domain.actor import Actor, Credential, Role
from signoff.domain.errors import CannotDecideError, NotAllowedError


class Do(StrEnum):
    """Every action that somebody can ask for."""

    READ = "read"
    VALIDATE = "validate"
    SUBMIT = "submit"
    RESUBMIT = "resubmit"
    CANCEL = "cancel"
    RETRY = "retry"
    COMMENT = "comment"
    DECIDE = "decide"
    WITHDRAW = "withdraw"
    ROLL_BACK = "roll_back"
    READ_AUDIT = "read_audit"
    DELEGATE = "delegate"
    REVOKE = "revoke"
    BREAK_GLASS = "break_glass"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Resource:
    """What an action is about: a model, and whose run it is where that matters."""

    model: str | None = None
    owner: str | None = None


ANYTHING = Resource()

_EVERY_ROLE = frozenset(Role)
ALLOWED_ROLES: Mapping[Do, frozenset[Role]] = {
    Do.READ: _EVERY_ROLE,
    Do.VALIDATE: _EVERY_ROLE,
    Do.SUBMIT: frozenset({Role.SUBMITTER}),
    Do.RESUBMIT: frozenset({Role.SUBMITTER}),
    Do.CANCEL: frozenset({Role.SUBMITTER, Role.ADMIN}),
    Do.RETRY: frozenset({Role.SUBMITTER, Role.ADMIN}),
    Do.COMMENT: frozenset({Role.SUBMITTER, Role.APPROVER, Role.ADMIN, Role.AUDITOR}),
    Do.DECIDE: frozenset({Role.APPROVER}),
    Do.WITHDRAW: frozenset({Role.APPROVER}),
    Do.ROLL_BACK: frozenset({Role.APPROVER, Role.ADMIN}),
    Do.DELEGATE: frozenset({Role.APPROVER, Role.ADMIN}),
    Do.REVOKE: frozenset({Role.APPROVER, Role.ADMIN}),
    Do.BREAK_GLASS: frozenset({Role.APPROVER}),
    Do.READ_AUDIT: frozenset({Role.AUDITOR, Role.ADMIN}),
    Do.ADMINISTER: frozenset({Role.ADMIN}),
}
"""Which roles may do what; one of them is enough."""

NEEDS_SESSION = frozenset({Do.DECIDE, Do.WITHDRAW, Do.ROLL_BACK, Do.DELEGATE, Do.REVOKE, Do.BREAK_GLASS, Do.ADMINISTER})
"""What an API token never does, whoever holds it."""

_OWN_ONLY = frozenset({Do.CANCEL, Do.RETRY})
"""What a submitter does to their own runs only; an administrator does it to any."""


def authorize(actor: Actor, action: Do, resource: Resource = ANYTHING) -> None:
    """Return when `actor` may do `action` to `resource`.

    Raises:
        NotAllowedError: with the reason and what would help.
        CannotDecideError: the same, for decisions.
    """
    refusal = why_not(actor, action, resource)
    if refusal is None:
        return
    what, hint = refusal
    kind = CannotDecideError if action in {Do.DECIDE, Do.WITHDRAW} else NotAllowedError
    raise kind(what, hint)


def why_not(actor: Actor, action: Do, resource: Resource = ANYTHING) -> tuple[str, str] | None:
    """Why `actor` may not do `action` (what, hint); None when they may."""
    if actor.credential is Credential.SYSTEM:
        return None
    words = action.replace("_", " ")
    if action in NEEDS_SESSION and actor.credential is not Credential.SESSION:
        return (
            f"An API token cannot {words}.",
            "Tokens submit and read. Sign in as the person who decides (with the command line: --as NAME).",
        )
    roles = ALLOWED_ROLES[action]
    if not actor.roles & roles:
        wanted = " or ".join(sorted(roles))
        return f"{actor.name} may not {words}.", f"It takes the role {wanted}; an administrator can give it."
    if resource.model is not None and not _is_covered(actor, action, resource.model):
        patterns = ", ".join(actor.models)
        return (
            f"{actor.name} may not {words} for {resource.model}.",
            f"Their roles apply to {patterns}; an administrator can widen that.",
        )
    if action in _OWN_ONLY and Role.ADMIN not in actor.roles and resource.owner not in {None, actor.name}:
        return (
            f"{actor.name} may not {words} a run that {resource.owner} submitted.",
            f"Ask {resource.owner} or an administrator.",
        )
    return None


def _is_covered(actor: Actor, action: Do, model: str) -> bool:
    """Whether the actor's model patterns cover `model`; reading and administration are not narrowed by them."""
    if action in {Do.READ, Do.READ_AUDIT, Do.VALIDATE, Do.ADMINISTER} or Role.ADMIN in actor.roles:
        return True
    return actor.covers(model)
