"""The minute tick: keeps deadlines, wakes what should move and does not, keeps servers up, and forgets what is old."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from signoff.domain.environment import Deployment, DeploymentStatus
from signoff.domain.errors import SignoffError
from signoff.engine import adoptions, drift, emergencies, freezes, notifying, watching
from signoff.engine.deadlines import keep_deadlines, moment_to_act
from signoff.engine.deploying_by_hand import BY_HAND
from signoff.engine.expiring import warn_of_expiry
from signoff.engine.jobs import RUNS_QUEUE, wake_by_hand, wake_run
from signoff.engine.machinery import LOG, Machinery
from signoff.engine.mirror import catch_up
from signoff.engine.settling import settle_gates
from signoff.ports import Release
from signoff.store import accounts, chat, deployments, devices, evidence, people, queue, sessions, trusts, watches
from signoff.store.environments import get_environments
from signoff.store.waiting import list_stuck_runs

STUCK_AFTER = timedelta(minutes=2)
KEEP_JOBS = timedelta(days=7)
KEEP_REQUESTS = timedelta(days=30)
KEEP_ATTEMPTS = timedelta(days=1)
KEEP_SESSIONS = timedelta(days=30)
KEEP_LOOSE_BLOBS = timedelta(days=1)


def tick(machinery: Machinery) -> None:
    """Once a minute. What people wait for comes first: servers may take long to bring back."""
    now = moment_to_act(machinery)
    if now is not None:
        keep_deadlines(machinery, now)
        warn_of_expiry(machinery, now)
        emergencies.attend(machinery, now)
        adoptions.attend(machinery, now)
    settle_gates(machinery)
    wake_stuck(machinery)
    freezes.wake_due(machinery)
    notifying.wake_due(machinery)
    watching.wake_due(machinery)
    keep_serving(machinery)
    drift.watch(machinery)
    catch_up(machinery)


def wake_stuck(machinery: Machinery) -> int:
    """Wake runs that should be moving, were not touched for a while, and have no job: a wake-up was lost.

    What people deploy by hand, too: a rollback that nobody carries out would keep every later deployment waiting.
    """
    before = machinery.clock() - STUCK_AFTER
    with machinery.database.begin() as tx:
        stuck = {f"run/{run_id}": partial(wake_run, tx, run_id) for run_id in list_stuck_runs(tx, older_than=before)}
        for one in deployments.list_deployments(tx, statuses=[DeploymentStatus.DEPLOYING]):
            if one.kind in BY_HAND and one.started_at < before:
                lock = f"deployment/{one.environment}/{one.model}"
                stuck[lock] = partial(wake_by_hand, tx, one.id, one.environment, one.model)
        lost = stuck.keys() - queue.list_busy_locks(tx, RUNS_QUEUE, list(stuck))
        for lock in sorted(lost):
            LOG.warning("a wake-up was lost; waking", lock=lock)
            stuck[lock]()
    return len(lost)


def keep_serving(machinery: Machinery) -> None:
    """Bring back model servers of this machine that are gone, after a reboot or an accident."""
    with machinery.database.begin() as tx:
        environments = get_environments(tx)
        live = deployments.list_live(tx)
    for deployment in live:
        environment = environments.get(deployment.environment)
        if environment is None or environment.deployer.type not in machinery.deployers:
            continue
        try:
            _keep_one(machinery, deployment)
        except SignoffError as error:
            LOG.warning("a deployed model could not be brought back", deployment=deployment.id, error=str(error))


def _keep_one(machinery: Machinery, deployment: Deployment) -> None:
    with machinery.database.begin() as tx:
        environment = get_environments(tx)[deployment.environment]
        version = deployments.get_version(tx, deployment.id)
    deployer = machinery.deployer_of(environment)
    if not deployer.is_ours(environment, deployment.model):
        return
    if deployer.current(environment, deployment.model) is not None:
        return
    copy = machinery.folder_of("ensure", deployment.id)
    try:
        manifest = machinery.registry.fetch(version, copy)
        if manifest.digest != deployment.digest:
            LOG.error("the registry no longer holds the approved bytes", deployment=deployment.id)
            return
        deployer.ensure(Release(f"ensure/{deployment.id}", environment, version, copy, {"run": deployment.run_id}))
        LOG.info("brought a deployed model back", model=deployment.model, environment=deployment.environment)
    finally:
        machinery.clean("ensure", deployment.id)


def sweep(machinery: Machinery) -> None:
    """Once an hour: old jobs, old Idempotency-Keys, what signing in left, blobs that nothing refers to."""
    now = machinery.clock()
    with machinery.database.begin() as tx:
        queue.forget_jobs(tx, before=now - KEEP_JOBS)
        people.forget_requests(tx, before=now - KEEP_REQUESTS)
        sessions.forget_sessions(tx, before=now - KEEP_SESSIONS)
        accounts.forget_old_attempts(tx, before=now - KEEP_ATTEMPTS)
        devices.forget_old_devices(tx, before=now - KEEP_ATTEMPTS)
        chat.forget_chat(tx, before=now)
        watches.forget_hooks(tx, before=now)
        trusts.forget_used_id_tokens(tx, before=now - KEEP_ATTEMPTS)
        trusts.forget_exchanged_tokens(tx, before=now - KEEP_ATTEMPTS)
    notifying.forget_old(machinery)
    collect_blobs(machinery)


def collect_blobs(machinery: Machinery) -> list[str]:
    """Delete blobs older than a day that no row refers to; returns their digests.

    A blob is written before the row that names it, and writing it again makes it young again: only what has been
    loose for a day is nobody's.
    """
    old = machinery.blobs.older_than(KEEP_LOOSE_BLOBS.total_seconds())
    loose: list[str] = []
    for start in range(0, len(old), 1000):
        batch = old[start : start + 1000]
        with machinery.database.begin() as tx:
            needed = evidence.referenced_blobs(tx, batch)
        loose += [digest for digest in batch if digest not in needed]
    for digest in loose:
        machinery.blobs.delete(digest)
    return loose
