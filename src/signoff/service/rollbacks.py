"""Rolling an environment back to a version that was signed off and live there before."""

from __future__ import annotations

import secrets
from datetime import datetime

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.deployment_errors import (
    DeploymentUnderWayError,
    NothingLiveError,
    NotSignedOffError,
    ReasonRequiredError,
)
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus, Environment
from signoff.domain.errors import EnvironmentUnknownError
from signoff.domain.revocation import History, bar, former_of, live_of, named_former
from signoff.engine.drift import begin_restore
from signoff.engine.history import history_of
from signoff.engine.jobs import wake_by_hand
from signoff.service.desk import Desk, happened
from signoff.service.privacy import check_known
from signoff.store import deployments, drifts
from signoff.store.database import Transaction
from signoff.store.environments import get_environments


def roll_back(desk: Desk, actor: Actor, environment: str, model: str, *, to: str | None, why: str) -> str:
    """Ask for the former version (or version `to`) to be made live again; returns the new deployment's id.

    Raises:
        ModelNotFoundError: signoff knows no such model.
        NothingLiveError, NoFormerVersionError, NeverLiveError: there is nothing to roll back, or to go back to.
        RevokedError, LastDeploymentUnhealthyError, NotSignedOffError: version `to` may not serve.
        AlreadyLiveError, DeploymentUnderWayError: it is live already, or another deployment is under way.

    What is live already is put back where something else was found in its place.
    """
    authorize(actor, Do.ROLL_BACK, Resource(model))
    at = desk.clock()
    with desk.database.begin() as tx:
        check_known(tx, model)
        check_reason(why, "A rollback")
        known_environment(tx, environment)
        return begin_rollback(tx, actor, environment, model, to=to, why=why, at=at).id


def begin_rollback(
    tx: Transaction, actor: Actor, environment: str, model: str, *, to: str | None, why: str, at: datetime
) -> Deployment:
    """Write the rollback and wake a worker; raises as `roll_back` does, and then nothing was written."""
    history = history_of(tx, environment, model)
    live = live_of(history)
    if live is None:
        raise NothingLiveError(
            f"No version of {model} is live in {environment}.", "`signoff deployments` shows what is."
        )
    if to == live.version and drifts.list_open(tx, environment=environment, model=model):
        return _put_back(tx, actor, history, live, why, at)
    target = former_of(history, live) if to is None else named_former(history, live, to)
    wanted = Deployment(
        id=secrets.token_hex(8),
        environment=environment,
        model=model,
        version=target.version,
        digest=target.digest,
        status=DeploymentStatus.DEPLOYING,
        kind=DeploymentKind.ROLLBACK,
        run_id=target.run_id,
        by=actor.name,
        started_at=at,
        note=why,
    )
    started = happened(
        Event.DEPLOYMENT_STARTED,
        actor,
        at,
        target.run_id,
        model,
        environment=environment,
        version=target.version,
        why=f"rollback: {why}",
    )
    version = deployments.get_version(tx, target.id)
    if deployments.begin_deployment(tx, wanted, version, f"rollback/{wanted.id}", audit=[started]) is None:
        raise under_way(environment, model)
    wake_by_hand(tx, wanted.id, environment, model)
    return wanted


def _put_back(tx: Transaction, actor: Actor, history: History, live: Deployment, why: str, at: datetime) -> Deployment:
    """Put back what is live by our rows, and not in the environment; what an emergency deployed, too."""
    barred = bar(history, live)
    if barred is not None and not isinstance(barred, NotSignedOffError):
        raise barred
    back = begin_restore(tx, live, by=actor.name, why=why, at=at)
    if back is None:
        raise under_way(live.environment, live.model)
    return back


def under_way(environment: str, model: str) -> DeploymentUnderWayError:
    """The refusal where another deployment has the place."""
    return DeploymentUnderWayError(
        f"Another deployment of {model} to {environment} is under way.", "Try again when it has ended."
    )


def check_reason(why: str, what: str) -> None:
    """Return when there is a reason; ReasonRequiredError otherwise."""
    if not why.strip():
        raise ReasonRequiredError(f"{what} needs a reason.", "Say why with -m WHY.")


def known_environment(tx: Transaction, name: str) -> Environment:
    """The environment called `name`; EnvironmentUnknownError when there is none."""
    known = get_environments(tx)
    if name not in known:
        raise EnvironmentUnknownError(
            f"There is no environment called {name}.", f"There are {', '.join(sorted(known))}."
        )
    return known[name]
