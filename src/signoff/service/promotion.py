"""`require.from`: what is submitted must have been in the environment before, or pass through it on the way."""

from __future__ import annotations

from collections.abc import Mapping

from signoff.domain.environment import Environment, Requirements
from signoff.domain.errors import ProtectedError
from signoff.domain.pipeline import DeploymentStep
from signoff.domain.protection import lacking
from signoff.domain.run import Run
from signoff.store import deployments
from signoff.store.database import Transaction


def check_promoted(tx: Transaction, run: Run, environments: Mapping[str, Environment]) -> None:
    """Return when every environment that wants its models from another one could get this run's from there.

    Raises:
        ProtectedError: a deployment of the run could never be carried out.
    """
    passed: set[str] = set()
    for step in run.pipeline.steps:
        environment = environments.get(step.environment) if isinstance(step, DeploymentStep) else None
        if environment is None:
            continue
        came_from = environment.require.came_from
        if came_from is not None and came_from not in passed:
            _check_there(tx, run, environment, came_from)
        passed.add(environment.name)


def _check_there(tx: Transaction, run: Run, environment: Environment, came_from: str) -> None:
    version = run.attempt.version
    hint = f"Deploy to {came_from} in a step before, or submit a version that was live there."
    if version is None:
        raise ProtectedError(
            f"{environment.name} takes only what was deployed to {came_from} first, and what is trained here was not.",
            hint,
        )
    there = deployments.list_deployments(tx, environment=came_from, model=version.model, digest=version.digest)
    wanted = Environment(environment.name, require=Requirements(came_from=came_from))
    refusal = lacking(wanted, [], there, version.digest)
    if refusal is not None:
        raise ProtectedError(refusal, hint)
