"""Emergencies: who wanted what deployed without review, and what became of it.

Every write is fenced by the status that the emergency had when it was read: zero rows mean that somebody was first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import Row, any_, bindparam, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.types import Text

from signoff.domain.audit import AuditEvent
from signoff.domain.deployment_errors import EmergencyClosedError, EmergencyUnknownError
from signoff.domain.emergency import EMERGENCY_TRANSITIONS, Emergency, EmergencyStatus
from signoff.domain.gate import Gate, GateStatus
from signoff.domain.version import ModelVersion
from signoff.store import codec
from signoff.store.audit import add_events
from signoff.store.database import Transaction
from signoff.store.gates import references_of
from signoff.store.tables import emergencies, gates

_FIELDS = tuple(field.name for field in fields(Emergency))
_STATUSES = emergencies.c.status == any_(bindparam("statuses", type_=ARRAY(Text)))
_OF_STATUSES = select(emergencies).where(_STATUSES).order_by(emergencies.c.requested_at, emergencies.c.id)


def add_emergency(tx: Transaction, emergency: Emergency, version: ModelVersion, *, audit: Sequence[AuditEvent]) -> bool:
    """Keep a request; False when another one waits for the same environment and model."""
    row = {name: getattr(emergency, name) for name in _FIELDS}
    row |= {"confirmed_by": list(emergency.confirmed_by), "model_version": codec.plain(codec.VERSION, version)}
    added = upsert(emergencies).values(row).on_conflict_do_nothing().returning(emergencies.c.id)
    if tx.scalar(added) is None:
        return False
    add_events(tx, audit)
    return True


def set_emergency(
    tx: Transaction, former: Emergency, status: EmergencyStatus, *, audit: Sequence[AuditEvent], **more: Any
) -> Emergency:
    """Move the emergency to `status`, if it still stands where it did when it was read; returns it as it is then.

    `more` are its other fields. Staying where it is (one more confirmation) is a move too.

    Raises:
        EmergencyClosedError: somebody else was first.
    """
    if status is not former.status and status not in EMERGENCY_TRANSITIONS[former.status]:
        raise ValueError(f"an emergency does not go from {former.status} to {status}")
    values = {"status": status.value, **more}
    if "confirmed_by" in more:
        values["confirmed_by"] = list(more["confirmed_by"])
    here = (emergencies.c.id == former.id) & (emergencies.c.status == former.status.value)
    if tx.execute(update(emergencies).where(here).values(values)).rowcount != 1:
        raise EmergencyClosedError(
            f"The emergency {former.id} was moved on by somebody else meanwhile.", "Look at it again."
        )
    add_events(tx, audit)
    return replace(former, status=status, **more)


def get_emergency(tx: Transaction, emergency_id: str, *, lock: bool = False) -> Emergency:
    """The emergency; with `lock` its row is held until the transaction ends.

    Raises:
        EmergencyUnknownError: there is none of that id.
    """
    query = select(emergencies).where(emergencies.c.id == emergency_id)
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise unknown_emergency(emergency_id)
    return _emergency(row)


def unknown_emergency(emergency_id: str) -> EmergencyUnknownError:
    """What is said of an emergency that is not there, as far as the reader may know."""
    return EmergencyUnknownError(
        f"No emergency is called {emergency_id}.", "`signoff deployments` shows those that are open."
    )


def find_requested(tx: Transaction, environment: str, model: str, *, lock: bool = False) -> Emergency | None:
    """The request that waits for confirmations there, if one does."""
    query = select(emergencies).where(
        emergencies.c.environment == environment,
        emergencies.c.model == model,
        emergencies.c.status == EmergencyStatus.REQUESTED.value,
    )
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    return _emergency(row) if row is not None else None


def find_of_run(tx: Transaction, run_id: str) -> Emergency | None:
    """The emergency whose after-review the run is."""
    row = tx.execute(select(emergencies).where(emergencies.c.run_id == run_id)).one_or_none()
    return _emergency(row) if row is not None else None


def find_of_deployment(tx: Transaction, deployment_id: str) -> Emergency | None:
    """The emergency that the deployment carried out."""
    row = tx.execute(select(emergencies).where(emergencies.c.deployment_id == deployment_id)).one_or_none()
    return _emergency(row) if row is not None else None


def list_emergencies(
    tx: Transaction,
    statuses: Sequence[EmergencyStatus] | frozenset[EmergencyStatus],
    *,
    environment: str | None = None,
    model: str | None = None,
) -> list[Emergency]:
    """Emergencies that stand so, oldest first."""
    query = _OF_STATUSES
    if environment is not None:
        query = query.where(emergencies.c.environment == environment)
    if model is not None:
        query = query.where(emergencies.c.model == model)
    return [_emergency(row) for row in tx.execute(query, {"statuses": [status.value for status in statuses]})]


def list_of_deployments(tx: Transaction, deployment_ids: Sequence[str]) -> dict[str, Emergency]:
    """Deployment id -> the emergency that it carried out."""
    if not deployment_ids:
        return {}
    found = tx.execute(select(emergencies).where(emergencies.c.deployment_id.in_(deployment_ids)))
    return {row.deployment_id: _emergency(row) for row in found}


def widen_gate(tx: Transaction, gate: Gate, *, audit: Sequence[AuditEvent]) -> None:
    """Write `gate.escalate_to`, `gate.escalated_at` and who is asked, while it is open."""
    here = (gates.c.id == gate.id) & (gates.c.status == GateStatus.OPEN.value)
    asked = {"escalate_to": list(gate.escalate_to), "escalated_at": gate.escalated_at}
    if tx.execute(update(gates).where(here).values(approvers=references_of(gate), **asked)).rowcount == 1:
        add_events(tx, audit)


def get_model_version(tx: Transaction, emergency_id: str) -> ModelVersion:
    """The version as the registry knew it at the request."""
    document = tx.scalar(select(emergencies.c.model_version).where(emergencies.c.id == emergency_id))
    return codec.VERSION.validate_python(document)


def _emergency(row: Row[Any]) -> Emergency:
    values = {name: getattr(row, name) for name in _FIELDS}
    return Emergency(**{**values, "status": EmergencyStatus(row.status), "confirmed_by": tuple(row.confirmed_by)})
