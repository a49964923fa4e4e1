"""Mirrors the status into the registry's tags, for people who look there. Never read as truth, never in the way."""

from __future__ import annotations

from collections.abc import Mapping

from signoff.domain.errors import SignoffError
from signoff.domain.gate import POLICY_PREFIX, GateStatus, Verdict
from signoff.domain.run import Run, RunKind
from signoff.domain.status import model_status
from signoff.domain.version import ModelVersion
from signoff.engine.machinery import LOG, Machinery
from signoff.store import deployments, gates, revocations, runs
from signoff.store import tags as stale
from signoff.store.database import Transaction

NOBODY = "nobody"
_LONGEST = 500


def mirror(machinery: Machinery, run_id: str, run: Run | None = None) -> bool:
    """Put ``signoff.status``, ``.approvers``, ``.digest``, ``.run`` and ``.link`` on the run's version.

    `run` is given by who has just read or written it. A reapproval speaks for the run whose approval it renews. A
    failure is logged and kept for the next tick; returns whether there was none.
    """
    try:
        with machinery.database.begin() as tx:
            run = run or runs.get_run(tx, run_id)
            if run.kind is RunKind.REAPPROVAL and run.parent_id is not None:
                run = runs.get_run(tx, run.parent_id)
            version = run.attempt.version
            if version is None:
                return True
            tags = _tags(tx, run, version, machinery.url)
        machinery.tracking.set_tags(version.model, version.version, tags)
    except SignoffError as error:
        LOG.warning("the status could not be mirrored into the registry", run=run_id, error=str(error))
        with machinery.database.begin() as tx:
            stale.note_stale(tx, run_id, at=machinery.clock())
        return False
    _mirror_origin(machinery, run, version, tags)
    return True


def catch_up(machinery: Machinery) -> int:
    """Mirror what could not be mirrored before; returns how many runs that were. Stops at the first failure."""
    with machinery.database.begin() as tx:
        behind = stale.list_stale(tx)
    done = []
    for run_id in behind:
        if not mirror(machinery, run_id):
            break
        done.append(run_id)
    if done:
        with machinery.database.begin() as tx:
            stale.forget_stale(tx, done)
    return len(done)


def _tags(tx: Transaction, run: Run, version: ModelVersion, url: str) -> Mapping[str, str]:
    newest = deployments.find_newest(tx, run.id)
    revoked = (version.model, version.version) in revocations.list_in_force(tx, [version.model])
    status = model_status(run, newest.status if newest is not None else None, is_revoked=revoked)
    return {
        "signoff.status": status.value,
        "signoff.approvers": _approvers(tx, run),
        "signoff.digest": version.digest,
        "signoff.run": run.id,
        "signoff.link": f"{url}/runs/{run.id}",
    }


def _approvers(tx: Transaction, run: Run) -> str:
    """Whose approvals closed the gates of the present attempt."""
    closed = [gate.id for gate in run.gates if gate.status is GateStatus.APPROVED]
    decided = gates.list_decisions(tx, closed) if closed else {}
    given = [d for decisions in decided.values() for d in decisions if d.verdict is Verdict.APPROVE]
    names = {"policy" if d.by.startswith(POLICY_PREFIX) else d.by for d in given if not d.is_withdrawn}
    return ", ".join(sorted(names))[:_LONGEST] or NOBODY


def _mirror_origin(machinery: Machinery, run: Run, version: ModelVersion, tags: Mapping[str, str]) -> None:
    """The same on the version that this one is a copy of, where its makers look. They may have given us no right to."""
    if version.origin is None:
        return
    model, _, number = version.origin.removeprefix("models:/").rpartition("/")
    try:
        machinery.tracking.set_tags(model, number, {**tags, "signoff.copy": version.uri})
    except SignoffError as error:
        LOG.info("the status could not be mirrored to where the version came from", run=run.id, error=str(error))
