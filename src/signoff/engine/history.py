"""What was deployed to one place, with what bars its versions from coming back: read for rollbacks and returns."""

from __future__ import annotations

from signoff.domain.revocation import History
from signoff.domain.run import RunKind, RunStatus
from signoff.store import adoptions, deployments, revocations, runs
from signoff.store.database import Transaction
from signoff.store.environments import get_environments

_LOOK_BACK = 1000


def history_of(tx: Transaction, environment: str, model: str) -> History:
    """The deployments of `model` to `environment`, newest first, and what is known against them."""
    found = deployments.list_deployments(tx, environment=environment, model=model, limit=_LOOK_BACK)
    in_force = revocations.list_in_force(tx, [model], place=get_environments(tx).get(environment))
    reviews = runs.list_kinds(tx, {one.run_id for one in found})
    adopted = adoptions.list_of_runs(tx, reviews)
    unreviewed = {
        run_id
        for run_id, (kind, status) in reviews.items()
        if kind is RunKind.AFTER_REVIEW
        and status is not RunStatus.SUCCEEDED
        # What ran before signoff came may be gone back to, unless its review said no.
        and (run_id not in adopted or status in {RunStatus.REJECTED, RunStatus.FAILED})
    }
    return History(found, {version: one for (_, version), one in in_force.items()}, unreviewed)
