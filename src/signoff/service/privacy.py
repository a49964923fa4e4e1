"""Private models for whoever may not know of them: left out of every list, and their runs never found.

Which models an actor sees is the domain's rule (`Actor.sees`); here it becomes what queries leave out, so that pages
stay full and no text differs from that about something that is not there.
"""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from dataclasses import replace

from signoff.domain.access import unknown_model
from signoff.domain.actor import Actor, Credential, Role
from signoff.domain.audit import AuditEvent
from signoff.domain.errors import ModelNotFoundError
from signoff.domain.version import ModelVersion
from signoff.service.desk import Desk
from signoff.store import run_ids, versions
from signoff.store.database import Transaction

_NAMED = re.compile(r"models:/([^/:@]+)(?:/[1-9][0-9]*|@[^/@]+)")
"""A reference that says which model it is of."""


def hidden_models(tx: Transaction, actor: Actor) -> tuple[str, ...]:
    """The names of the models that exist and that `actor` may not know of."""
    if not actor.private or actor.credential is Credential.SYSTEM or Role.ADMIN in actor.roles:
        return ()
    return tuple(name for name in versions.list_model_names(tx) if not actor.sees(name))


def check_known(tx: Transaction, model: str) -> None:
    """Return when signoff knows the model; else say of it what `authorize` says of one that is private to others.

    Asked before anything that such a model cannot have, so that no other answer tells the two apart.

    Raises:
        ModelNotFoundError: no run and no deployment was ever about it.
    """
    if not versions.has_model(tx, model):
        raise unknown_model(model)


def resolve_seen(desk: Desk, actor: Actor, reference: str, model: str | None) -> ModelVersion:
    """The version that `reference` names in the registry, if the actor may know of its model.

    Where models are private the registry's own words would tell which there are: names that are spelt alike, the
    newest version, aliases. So of a model that signoff does not know one hears what is said of a private one, and the
    registry is asked for either.

    Raises:
        ModelNotFoundError: there is none such, as far as the actor may know.
    """
    found = _NAMED.fullmatch(reference)
    name = found[1] if found else None
    if not actor.private or name is None or Role.ADMIN in actor.roles:
        return desk.registry.resolve(reference, model)
    if not actor.sees(name):
        with suppress(ModelNotFoundError):
            desk.registry.resolve(f"models:/{secrets.token_hex(8)}/1", model)
        raise unknown_model(name)
    try:
        return desk.registry.resolve(reference, model)
    except ModelNotFoundError:
        with desk.database.read() as tx:
            check_known(tx, name)
        raise


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
