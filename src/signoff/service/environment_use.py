"""What stands in the way of changing environments: gates that would be stuck, and places that are needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from signoff.domain.actor import Directory
from signoff.domain.environment import DeploymentStatus, Environment
from signoff.domain.environment_errors import EnvironmentInUseError, StuckGateError
from signoff.domain.errors import SignoffError
from signoff.domain.gate import Gate
from signoff.domain.run import RunStatus, environments_ahead
from signoff.domain.satisfiability import never, unfillable
from signoff.store import deployments, runs
from signoff.store.database import Transaction

_ON_THEIR_WAY = (RunStatus.RUNNING, RunStatus.WAITING, RunStatus.CHANGES_REQUESTED, RunStatus.ERRORED)
_MOST = 10_000


def stuck_gates(
    waiting: Iterable[Gate], following: Mapping[str, Environment], directory: Directory
) -> list[SignoffError]:
    """Why these gates, which wait, could never be approved by the rules of `following`, where they could until now."""
    found: list[SignoffError] = []
    for gate in waiting:
        environment = following.get(gate.subject.environment or "")
        after = replace(gate, environment_rules=environment.rules if environment is not None else ())
        broken = unfillable(after, directory)
        if broken is not None and unfillable(gate, directory) is None:
            hint = "Name more people or ask for fewer, cancel that run, or apply it all the same: --force."
            found.append(StuckGateError(never(after, broken, directory), hint))
    return found


def uses(tx: Transaction, removed: Iterable[str]) -> list[SignoffError]:
    """What stands in the way of removing these environments."""
    names = sorted(removed)
    if not names:
        return []
    there = deployments.list_deployments(tx, statuses=[DeploymentStatus.LIVE, DeploymentStatus.DEPLOYING], limit=_MOST)
    on_their_way = runs.list_runs(tx, statuses=[status.value for status in _ON_THEIR_WAY], limit=_MOST)
    found: list[SignoffError] = []
    for name in names:
        hint = f"Keep {name}, or remove it all the same: --force."
        live = [f"{d.model} v{d.version}" for d in there if d.environment == name]
        if live:
            found.append(EnvironmentInUseError(f"{name} cannot be removed: {', '.join(live)} is live there.", hint))
        found += [
            EnvironmentInUseError(f"{name} cannot be removed: run {run.id} of {run.model} is on its way there.", hint)
            for run in on_their_way
            if name in environments_ahead(run)
        ]
    return found
