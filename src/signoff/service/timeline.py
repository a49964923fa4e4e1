"""A model's versions as a timeline: who signed each, until when, where it went, and what must be known of it.

Reads only. A version that serves and that nobody's standing approval covers is told as such.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.drift import Drift
from signoff.domain.gate import Decision, Gate, GateStatus, Verdict
from signoff.service.catalogue import VersionLine, get_model
from signoff.service.deployed import Deployed, deployed
from signoff.service.desk import Desk
from signoff.store import deployments, drifts, gates

MOST_DEPLOYMENTS = 200


@dataclass(frozen=True, slots=True)
class Signature:
    """One approval that stands: of whom, at which step, when, and whose place they took."""

    by: str
    step: str
    at: datetime
    on_behalf_of: str | None = None


@dataclass(frozen=True, slots=True)
class VersionStory:
    """One version: its line, the approvals that closed its gates, until when they stand, and its deployments."""

    line: VersionLine
    signed: tuple[Signature, ...]
    valid_until: datetime | None
    deployments: tuple[Deployed, ...]


@dataclass(frozen=True, slots=True)
class ModelTimeline:
    """A model: its versions, newest first; what is live where; and the live ones that nobody signed or that are owed.

    `unsigned` are (deployment, why in words): what a page shows in red. So are `drifts`: what is found beside them.
    """

    name: str
    versions: tuple[VersionStory, ...]
    live: tuple[Deployed, ...]
    unsigned: tuple[tuple[Deployed, str], ...]
    drifts: tuple[Drift, ...] = ()


def get_timeline(desk: Desk, actor: Actor, name: str) -> ModelTimeline:
    """The story of every version of the model; ModelNotFoundError when no run was ever about it."""
    authorize(actor, Do.READ, Resource(name))
    model = get_model(desk, actor, name)
    with desk.database.read() as tx:
        history = deployed(tx, deployments.list_deployments(tx, model=name, limit=MOST_DEPLOYMENTS))
        live = [one for one in model.deployments if isinstance(one, Deployed)]
        runs = [*(line.run_id for line in model.versions), *(one.run_id for one in live)]
        found = gates.list_gates(tx, sorted(set(runs)))
        decided = gates.list_decisions(tx, [gate.id for gate in found])
        drifting = tuple(drifts.list_open(tx, model=name))
    closed = [gate for gate in found if gate.status is GateStatus.APPROVED]
    stories = tuple(_story(line, closed, decided, history) for line in model.versions)
    unsigned = tuple((one, why) for one in live if (why := _why_unsigned(one, closed)))
    return ModelTimeline(name, stories, tuple(live), unsigned, drifting)


def _story(
    line: VersionLine, closed: Sequence[Gate], decided: dict[str, list[Decision]], history: Iterable[Deployed]
) -> VersionStory:
    mine = [gate for gate in closed if gate.run_id == line.run_id and gate.subject.version == line.version]
    signed = tuple(
        Signature(decision.by, gate.step, decision.at, decision.on_behalf_of)
        for gate in mine
        for decision in decided[gate.id]
        if decision.verdict is Verdict.APPROVE and not decision.is_withdrawn
    )
    until = min((gate.valid_until for gate in mine if gate.valid_until is not None), default=None)
    return VersionStory(line, signed, until, tuple(one for one in history if one.version == line.version))


def _why_unsigned(one: Deployed, closed: Sequence[Gate]) -> str:
    """Why nobody's standing approval covers what is live; empty where one does."""
    if one.warning:
        return one.warning
    mine = [gate for gate in closed if gate.run_id == one.run_id and gate.subject.manifest_digest == one.digest]
    what = f"{one.model} v{one.version} serves in {one.environment}"
    if not mine:
        return f"{what}, and nobody approved it: its pipeline has no approval step before this deployment."
    lapsed = next((gate for gate in mine if gate.lapsed_at is not None), None)
    if lapsed is not None:
        return f"{what}, and its approval has expired: {lapsed.note or 'it was not given anew'}."
    return ""
