"""Private models for whoever may not know of them: left out of every list, and their runs never found.

Which models an actor sees is the domain's rule (`Actor.sees`); here it becomes what queries leave out, so that pages
stay full and no text differs from that about something that is not there.
"""

from __future__ import annotations

from dataclasses import replace

from signoff.domain.actor import Actor, Credential, Role
from signoff.domain.audit import AuditEvent
from signoff.store import run_ids, versions
from signoff.store.database import Transaction


def hidden_models(tx: Transaction, actor: Actor) -> tuple[str, ...]:
    """The names of the models that exist and that `actor` may not know of."""
    if not actor.private or actor.credential is Credential.SYSTEM or Role.ADMIN in actor.roles:
        return ()
    return tuple(name for name in versions.list_model_names(tx) if not actor.sees(name))


def find_run_id(tx: Transaction, actor: Actor, run_id: str) -> str:
    """The whole id of the run that `run_id` (an id, a unique prefix, or ``last``) names, among those `actor` sees.

    Raises:
        NotFoundError, AmbiguousError: none or several, as far as the actor may know.
    """
    return run_ids.find_run_id(tx, run_id, submitter=actor.name, hidden=hidden_models(tx, actor))


def veiled(actor: Actor, event: AuditEvent) -> AuditEvent:
    """The event as `actor` may read it: changes of people name patterns, which say what private models are called."""
    sees_all = actor.credential is Credential.SYSTEM or Role.ADMIN in actor.roles or not actor.private
    if sees_all or event.model is not None or not _NAMES_MODELS & event.detail.keys():
        return event
    detail = {key: value for key, value in event.detail.items() if key not in _NAMES_MODELS}
    if isinstance(event.detail.get("changes"), list):
        detail["changes"] = [line for line in event.detail["changes"] if not str(line).startswith("acts on ")]
    return replace(event, detail=detail)


_NAMES_MODELS = frozenset({"private", "despite", "changes"})
"""What in an event of no model may name one."""
