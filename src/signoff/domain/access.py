"""Who may do what: the only place that says so. Deny by default.

*Allowed for you* is decided here; *possible in this state* is decided beside the state (`run`, `gate`). Called by
every service function.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from signoff.domain.actor import Actor, Credential, Role, Scope, reaches
from signoff.domain.errors import CannotDecideError, ModelNotFoundError, NotAllowedError


class Do(StrEnum):
    """Every action that somebody can ask for."""

    READ = "read"
    VALIDATE = "validate"
    SUBMIT = "submit"
    RESUBMIT = "resubmit"
    REGISTER_PIPELINES = "register_pipelines"
    REMOVE_PIPELINES = "remove_pipelines"
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
    ADOPT = "adopt"
    MANAGE_ACCOUNT = "manage_account"
    ADMINISTER = "administer"


@dataclass(frozen=True, slots=True)
class Resource:
    """What an action is about: a model, and whose run or account it is where that matters."""

    model: str | None = None
    owner: str | None = None


ANYTHING = Resource()

_EVERY_ROLE = frozenset(Role)
ALLOWED_ROLES: Mapping[Do, frozenset[Role]] = {
    Do.READ: _EVERY_ROLE,
    Do.VALIDATE: _EVERY_ROLE,
    Do.SUBMIT: frozenset({Role.SUBMITTER}),
    Do.RESUBMIT: frozenset({Role.SUBMITTER}),
    Do.REGISTER_PIPELINES: frozenset({Role.SUBMITTER}),
    Do.REMOVE_PIPELINES: frozenset({Role.SUBMITTER, Role.ADMIN}),
    Do.CANCEL: frozenset({Role.SUBMITTER, Role.ADMIN}),
    Do.RETRY: frozenset({Role.SUBMITTER, Role.ADMIN}),
    Do.COMMENT: frozenset({Role.SUBMITTER, Role.APPROVER, Role.ADMIN, Role.AUDITOR}),
    Do.DECIDE: frozenset({Role.APPROVER}),
    Do.WITHDRAW: frozenset({Role.APPROVER}),
    Do.ROLL_BACK: frozenset({Role.APPROVER, Role.ADMIN}),
    Do.DELEGATE: frozenset({Role.APPROVER, Role.ADMIN}),
    Do.REVOKE: frozenset({Role.APPROVER, Role.ADMIN}),
    Do.BREAK_GLASS: frozenset({Role.APPROVER}),
    Do.ADOPT: frozenset({Role.ADMIN}),
    Do.READ_AUDIT: frozenset({Role.AUDITOR, Role.ADMIN}),
    Do.MANAGE_ACCOUNT: _EVERY_ROLE,
    Do.ADMINISTER: frozenset({Role.ADMIN}),
}
"""Which roles may do what; one of them is enough."""

SCOPES: Mapping[Scope, frozenset[Do]] = {
    Scope.READ: frozenset({Do.READ, Do.VALIDATE}),
    Scope.SUBMIT: frozenset(
        {Do.READ, Do.VALIDATE, Do.SUBMIT, Do.RESUBMIT, Do.CANCEL, Do.RETRY, Do.COMMENT},
    ),
    Scope.AUDIT: frozenset({Do.READ, Do.READ_AUDIT}),
    Scope.DECIDE: frozenset({Do.READ, Do.DECIDE, Do.WITHDRAW}),
}
"""What a token of each scope may do, at most. `decide` is worth something only in a token that an administrator marked
for a named automation."""

NEEDS_SESSION = frozenset(
    {
        Do.REGISTER_PIPELINES,
        Do.REMOVE_PIPELINES,
        Do.DECIDE,
        Do.WITHDRAW,
        Do.ROLL_BACK,
        Do.DELEGATE,
        Do.REVOKE,
        Do.BREAK_GLASS,
        Do.ADOPT,
        Do.MANAGE_ACCOUNT,
        Do.ADMINISTER,
    }
)
"""What takes a signed-in person: a token never does it, but for decisions of one that was marked for an automation."""

FROM_CHAT = frozenset({Do.READ, Do.DECIDE})
"""What somebody may do by a button in a chat. Which approvals are taken from there is said beside gates (`chat`)."""

FROM_PIPELINE = frozenset({Do.SUBMIT, Do.RESUBMIT})
"""What a registered pipeline does in its registrar's name."""

_OWN_ONLY = frozenset({Do.CANCEL, Do.RETRY, Do.MANAGE_ACCOUNT, Do.REMOVE_PIPELINES})
"""What people do to what is their own only; an administrator does it to anybody's."""
_OF_OTHERS: Mapping[Do, str] = {
    Do.MANAGE_ACCOUNT: "manage the account of {owner}",
    Do.REMOVE_PIPELINES: "remove a pipeline that {owner} registered",
}


def authorize(actor: Actor, action: Do, resource: Resource = ANYTHING) -> None:
    """Return when `actor` may do `action` to `resource`.

    Raises:
        ModelNotFoundError: the model is private to others, and what is said of one that is not there is said of it.
        NotAllowedError: with the reason and what would help.
        CannotDecideError: the same, for decisions.
    """
    if resource.model is not None and not actor.sees(resource.model):
        # Whoever may not do that to any model, or not to names like this one, hears no more than of any other name.
        refusal = why_not(actor, action) or _why_not_by_name(actor, action, resource.model)
        if refusal is None:
            raise unknown_model(resource.model)
    else:
        refusal = why_not(actor, action, resource)
    if refusal is None:
        return
    what, hint = refusal
    kind = CannotDecideError if action in {Do.DECIDE, Do.WITHDRAW} else NotAllowedError
    raise kind(what, hint)


def unknown_model(name: str) -> ModelNotFoundError:
    """What is said of a model that is not there, or that is private to others: nothing tells the two apart."""
    return ModelNotFoundError(f"signoff knows no model called {name}.", "`signoff models` lists those that you see.")


def why_not(actor: Actor, action: Do, resource: Resource = ANYTHING) -> tuple[str, str] | None:
    """Why `actor` may not do `action` (what, hint); None when they may."""
    if actor.credential is Credential.SYSTEM:
        return None
    words = action.replace("_", " ")
    refusal = None
    if actor.credential is Credential.TOKEN:
        refusal = _why_not_by_token(actor, action, words)
    elif actor.credential is Credential.CHAT and action not in FROM_CHAT:
        refusal = f"From a chat nobody can {words}.", "Open the page, and do it there."
    elif actor.credential is Credential.PIPELINE and action not in FROM_PIPELINE:
        refusal = f"A registered pipeline cannot {words}.", "It submits; a person does the rest."
    roles = ALLOWED_ROLES[action]
    if refusal is None and not actor.roles & roles:
        wanted = " or ".join(sorted(roles))
        refusal = f"{actor.name} may not {words}.", f"It takes the role {wanted}; an administrator can give it."
    if refusal is not None:
        return refusal
    if resource.model is not None and (refusal := _why_not_by_name(actor, action, resource.model, actor.private)):
        return refusal
    if action in _OWN_ONLY and Role.ADMIN not in actor.roles and resource.owner not in {None, actor.name}:
        what = _OF_OTHERS.get(action, f"{words} a run that {{owner}} submitted").format(owner=resource.owner)
        return f"{actor.name} may not {what}.", f"Ask {resource.owner} or an administrator."
    return None


def _why_not_by_token(actor: Actor, action: Do, words: str) -> tuple[str, str] | None:
    """Why a token is not enough for `action`, or not this one."""
    is_automation = actor.automation is not None and action in SCOPES[Scope.DECIDE]
    if action in NEEDS_SESSION and not is_automation:
        return (
            f"An API token cannot {words}.",
            "Tokens submit and read. Sign in as the person who decides (with the command line: --as NAME).",
        )
    if not any(action in SCOPES[scope] for scope in actor.scopes):
        scopes = sorted(scope for scope in Scope if action in SCOPES[scope])
        return (
            f"This API token may not {words}: its scopes are {', '.join(sorted(actor.scopes)) or 'none'}.",
            f"It takes a token with the scope {' or '.join(scopes)}.",
        )
    return None


_NOT_NARROWED = frozenset({Do.READ, Do.READ_AUDIT, Do.VALIDATE, Do.MANAGE_ACCOUNT, Do.ADMINISTER})


def _why_not_by_name(actor: Actor, action: Do, model: str, private: Iterable[str] = ()) -> tuple[str, str] | None:
    """Why not for a model of that name: reading and administration are not narrowed by the actor's patterns."""
    if action in _NOT_NARROWED or Role.ADMIN in actor.roles or reaches(actor.models, model, private):
        return None
    return (
        f"{actor.name} may not {action.replace('_', ' ')} for {model}.",
        f"Their roles apply to {', '.join(actor.models)}; an administrator can widen that.",
    )
