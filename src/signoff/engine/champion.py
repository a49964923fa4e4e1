"""The champion: the version now behind the guarded environment's alias, and the metrics it is known by."""

from __future__ import annotations

from dataclasses import replace

from signoff.domain.environment import LOCAL, Environment
from signoff.domain.evidence import Champion, Metric, Provenance
from signoff.domain.run import Run
from signoff.domain.version import ModelVersion
from signoff.engine.machinery import Machinery
from signoff.store import deployments, evidence, runs
from signoff.store.database import Transaction
from signoff.store.environments import get_environments


def guarded_environment(tx: Transaction, run: Run, position: int, *, hold: bool = False) -> Environment | None:
    """The environment of the next deployment step at or after `position`; None when the pipeline deploys nothing.

    With `hold` it stays as it is until the transaction ends: a gate that opens never misses a change of its rules.
    """
    step = run.pipeline.deployment_after(position)
    return get_environments(tx, hold=hold).get(step.environment) if step is not None else None


def find_champion(machinery: Machinery, run: Run, position: int) -> tuple[Champion, ModelVersion] | None:
    """The version to beat, asked of the registry now; None when there is none, or it is the candidate itself."""
    with machinery.database.begin() as tx:
        environment = guarded_environment(tx, run, position) or get_environments(tx)[LOCAL.name]
    version = machinery.tracking.alias(run.model, environment.deployer.alias)
    candidate = run.attempt.version
    if version is None or (candidate is not None and version.version == candidate.version):
        return None
    return Champion(version.version, version.digest, _metrics(machinery, environment, version)), version


def _metrics(machinery: Machinery, environment: Environment, version: ModelVersion) -> dict[str, Metric]:
    """What was measured of the champion when it was signed off; else what was logged with it."""
    claimed = {name: Metric(name, value, Provenance.CLAIMED) for name, value in version.metrics.items()}
    with machinery.database.begin() as tx:
        live = deployments.find_live(tx, environment.name, version.model)
        if live is None or live.digest != version.digest:
            return claimed
        digests = [
            step.evidence_digest
            for attempt in runs.list_attempts(tx, live.run_id)
            if attempt.version is not None and attempt.version.digest == version.digest
            for step in attempt.steps
            if step.evidence_digest is not None
        ]
        found = evidence.list_evidence(tx, digests)
    measured = {m.name: replace(m, step=None) for digest in digests for m in found[digest].metrics}
    return {**claimed, **measured}
