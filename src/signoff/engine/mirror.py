"""Mirrors the status into the registry's tags, for people who look there. Never read as truth, never in the way."""

from __future__ import annotations

from signoff.domain.errors import SignoffError
from signoff.domain.run import Run, RunKind
from signoff.domain.status import model_status
from signoff.engine.machinery import LOG, Machinery
from signoff.store import deployments, revocations, runs


def mirror(machinery: Machinery, run_id: str, run: Run | None = None) -> None:
    """Put ``signoff.status``, ``signoff.run`` and ``signoff.digest`` on the run's version; a failure is only logged.

    `run` is given by who has just read or written it. A reapproval speaks for the run whose approval it renews.
    """
    try:
        with machinery.database.begin() as tx:
            run = run or runs.get_run(tx, run_id)
            if run.kind is RunKind.REAPPROVAL and run.parent_id is not None:
                run = runs.get_run(tx, run.parent_id)
            newest = deployments.find_newest(tx, run.id)
            version = run.attempt.version
            if version is None:
                return
            revoked = (version.model, version.version) in revocations.list_in_force(tx, [version.model])
        status = model_status(run, newest.status if newest is not None else None, is_revoked=revoked)
        tags = {"signoff.status": status.value, "signoff.run": run.id, "signoff.digest": version.digest}
        machinery.tracking.set_tags(version.model, version.version, tags)
    except SignoffError as error:
        LOG.warning("the status could not be mirrored into the registry", run=run_id, error=str(error))
