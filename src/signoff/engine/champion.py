"""The champion: the version now behind the guarded environment's alias, and the metrics it is known by."""

from __future__ import annotations

from dataclasses import replace

from signoff.domain.environment import LOCAL, Deployment, Environment
from signoff.domain.evidence import Champion, Metric, Provenance
from signoff.domain.run import Run, RunKind
from signoff.domain.version import ModelVersion
from signoff.engine.machinery import Machinery
from signoff.store import deployments, emergencies, evidence, runs
from signoff.store.database import Transaction
from signoff.store.environments import get_environments


def guarded_environment(tx: Transaction, run: Run, position: int, *, hold: bool = False) -> Environment | None:
    """The environment of the next deployment step at or after `position`; None when the pipeline deploys nothing.

    With `hold` it stays as it is until the transaction ends: a gate that opens never misses a change of its rules.
    """
    step = run.pipeline.deployment_after(position)
    return get_environments(tx, hold=hold).get(step.environment) if step is not None else None


def find_champion(machinery: Machinery, run: Run, position: int) -> tuple[Champion, ModelVersion] | None:
    """The version to beat, asked of the registry now; None when there is none, or it is the candidate itself.

    In the review after an emergency the candidate serves already: it has to beat what it replaced.
    """
    if run.kind is RunKind.AFTER_REVIEW:
        return _former(machinery, run)
    with machinery.database.begin() as tx:
        environment = guarded_environment(tx, run, position) or get_environments(tx)[LOCAL.name]
    version = machinery.tracking.alias(run.model, environment.deployer.alias)
    candidate = run.attempt.version
    if version is None or (candidate is not None and version.version == candidate.version):
        return None
    with machinery.database.begin() as tx:
        live = deployments.find_live(tx, environment.name, version.model)
        return Champion(version.version, version.digest, _metrics(tx, live, version)), version


def _former(machinery: Machinery, run: Run) -> tuple[Champion, ModelVersion] | None:
    """The version that the emergency replaced; None when nothing was live there."""
    with machinery.database.begin() as tx:
        emergency = emergencies.find_of_run(tx, run.id)
        if emergency is None or emergency.former_id is None:
            return None
        former = deployments.get_deployment(tx, emergency.former_id)
        version = deployments.get_version(tx, former.id)
        return Champion(version.version, version.digest, _metrics(tx, former, version)), version


def _metrics(tx: Transaction, deployed: Deployment | None, version: ModelVersion) -> dict[str, Metric]:
    """What was measured of the champion when it was signed off; else what was logged with it."""
    claimed = {name: Metric(name, value, Provenance.CLAIMED) for name, value in version.metrics.items()}
    if deployed is None or deployed.digest != version.digest:
        return claimed
    digests = [
        step.evidence_digest
        for attempt in runs.list_attempts(tx, deployed.run_id)
        if attempt.version is not None and attempt.version.digest == version.digest
        for step in attempt.steps
        if step.evidence_digest is not None
    ]
    found = evidence.list_evidence(tx, digests)
    measured = {m.name: replace(m, step=None) for digest in digests for m in found[digest].metrics}
    return {**claimed, **measured}
