"""What a registry's news come to: looking for new versions, starting their runs, and webhooks, which only hint.

The rows are the truth: a version has a run, or a reason why it has none, or waits. Looking twice, or at the same time
as somebody else, starts nothing twice; a hint that is lost is made up for by the next minute's look.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import structlog

from signoff.domain.access import Do, authorize
from signoff.domain.actor import SYSTEM, Actor, Credential, actor_of
from signoff.domain.audit import Event
from signoff.domain.errors import (
    ConflictError,
    InvalidError,
    NotAllowedError,
    NotAvailableError,
    PipelineError,
    SignoffError,
    UnavailableError,
)
from signoff.domain.trigger import (
    HOOK_TOLERANCE,
    AlreadyStartedError,
    Arrival,
    HookRefusedError,
    HookRepeatedError,
    HookStaleError,
    Start,
    Watch,
    check_hook,
)
from signoff.engine.jobs import wake_watch
from signoff.service.desk import Desk, happened
from signoff.service.limits import HOOKS, note_attempt, refuse_too_many
from signoff.service.submission import Offer, Submission, resubmit_run, submit_run
from signoff.store import people, watches

LOG = structlog.get_logger("signoff.arrivals")
_AT_ONCE = 20
"""How many versions one look takes on: each may be big, and a worker that is told to stop waits for the look's end."""


class _HeldError(SignoffError):
    """Nothing can be started at present; the versions wait. `what` says why."""


def look(desk: Desk, pipeline: str) -> list[str]:
    """Start a run for every version that is new to the registered pipeline; returns the runs' ids.

    What cannot be started at present (the registry is away, the registrar may not submit any more, the file does not
    fit the server any more) waits for a later look, in order. What can never be started is settled with the reason.
    """
    authorize(SYSTEM, Do.SUBMIT)
    with desk.database.read() as tx:
        watch = watches.find_watch(tx, pipeline)
    if watch is None or desk.arrivals is None:
        return []
    started: list[str] = []
    seen, problem, is_held = watch.seen, None, False
    try:
        arrivals = desk.arrivals.newer_than(watch.watched, watch.seen)
        with desk.database.read() as tx:
            settled = watches.list_settled(tx, watch.watched, after=watch.seen)
        is_unbroken, left = True, _AT_ONCE
        for arrival in arrivals:
            if (arrival.version, arrival.made_at) not in settled:
                if not arrival.is_ready:
                    is_unbroken = False
                    continue
                if left == 0:
                    break
                left -= 1
                started += _settle(desk, watch, arrival)
            seen = arrival.version if is_unbroken else seen
    except (_HeldError, UnavailableError, OSError) as error:
        problem = str(error)
        is_held = isinstance(error, _HeldError)
        LOG.warning("new versions wait", pipeline=watch.name, model=watch.watched, why=problem)
    _note(desk, watch, seen, problem, is_held=is_held)
    return started


def receive_hook(desk: Desk, body: bytes, headers: Mapping[str, str], *, address: str) -> str | None:
    """Look soon for what MLflow says was registered; the name of the pipeline that is woken, None where there is none.

    Nothing else of what it says is believed: the registry is asked.

    Raises:
        HookRefusedError, HookStaleError, HookRepeatedError: not signed with our secret, not now, or not for the first
            time.
        InvalidError: no event of MLflow.
        TooManyAttemptsError: too many were refused from that address of late.
    """
    refuse_too_many(desk, HOOKS, address=address)
    if desk.hook_secret is None:
        raise NotAvailableError(
            "This server takes no webhooks of MLflow.", "Set SIGNOFF_MLFLOW_WEBHOOK_SECRET; until then it asks."
        )
    at = desk.clock()
    try:
        delivery = check_hook(desk.hook_secret, body, headers, at)
    except (HookRefusedError, HookStaleError):
        note_attempt(desk, HOOKS, address=address)
        raise
    model = _registered(body)
    with desk.database.begin() as tx:
        if not watches.use_hook(tx, delivery, expires_at=at + 2 * HOOK_TOLERANCE):
            raise HookRepeatedError("This webhook was taken before.", "Each delivery is good for once.")
        watch = watches.find_watch_of(tx, model) if model is not None else None
        if watch is not None:
            wake_watch(tx, watch.name)
    return watch.name if watch is not None else None


def _registered(body: bytes) -> str | None:
    """The model that the event says has a new version; None for any other event."""
    try:
        event = json.loads(body)
        entity, action, data = event["entity"], event["action"], event["data"]
        name = data["name"] if (entity, action) == ("model_version", "created") else None
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidError("The webhook holds no event of MLflow.", "Subscribe it to model_version.created.") from error
    return name if isinstance(name, str) and "\x00" not in name else None


def _settle(desk: Desk, watch: Watch, arrival: Arrival) -> list[str]:
    """Start the run of a version, or keep why it has none; the run's id, where there is a new one.

    Raises:
        _HeldError, UnavailableError: not now.
    """
    at = desk.clock()
    start = Start(arrival.model, arrival.version, arrival.made_at, watch.name, at, named=arrival.named)
    with desk.database.begin() as tx:
        known = watches.find_run_about(tx, watch.model, arrival)
        if known is not None or arrival.is_ours:
            why = "it was submitted by hand" if known is not None else "signoff registered it itself"
            watches.add_start(tx, replace(start, run_id=known, why_not=why))
            return []
        waiting = watches.find_waiting(tx, watch)
    try:
        return [_start(desk, _registrar(desk, watch), watch, start, waiting)]
    except AlreadyStartedError:
        return []
    except (_HeldError, UnavailableError):
        raise
    except (NotAllowedError, PipelineError) as error:
        raise _HeldError(error.what, error.hint) from error
    except SignoffError as error:
        about = {"pipeline": watch.name, "version": arrival.version, "why": error.what, "owner": watch.owner}
        refused = happened(Event.PIPELINE_REFUSED, SYSTEM, at, None, watch.model, watched=watch.watched, **about)
        with desk.database.begin() as tx:
            watches.add_start(tx, replace(start, why_not=error.what), audit=[refused])
        return []


def _start(desk: Desk, registrar: Actor, watch: Watch, start: Start, waiting: str | None) -> str:
    """The run of the version: the one that is `waiting` for the next version, or a new one."""
    offer = Offer(reference=f"models:/{start.model}/{start.version}")
    note = _note_of(start)
    if waiting is not None:
        try:
            return resubmit_run(desk, registrar, waiting, offer, note, start=start)
        except AlreadyStartedError:
            raise
        except ConflictError as error:  # somebody gave it another version, or cancelled it: look again
            raise _HeldError(error.what, error.hint) from error
    submission = Submission(
        pipeline=watch.source,
        offer=offer,
        filename=watch.filename,
        folder_name=watch.folder_name,
        snapshot=watch.snapshot,
        note=note,
    )
    return submit_run(desk, registrar, submission, start=start)


def _registrar(desk: Desk, watch: Watch) -> Actor:
    """Whoever registered the pipeline, as they are now; _HeldError when they are deactivated or gone."""
    with desk.database.read() as tx:
        directory = people.get_directory(tx)
    person = directory.people.get(watch.owner)
    if person is None or not person.is_active:
        raise _HeldError(
            f"{watch.owner}, who registered {watch.name}, is deactivated.",
            "Somebody else registers it: `signoff pipeline remove`, then `signoff pipeline add`.",
        )
    return actor_of(person, Credential.PIPELINE, directory.private)


def _note_of(start: Start) -> str:
    """What approvers read about where the version came from."""
    who = f"by {', '.join(start.named)}, as MLflow says" if start.named else "MLflow does not say by whom"
    return f"{start.model} v{start.version} was registered in MLflow; {who}."


def _note(desk: Desk, watch: Watch, seen: int, problem: str | None, *, is_held: bool) -> None:
    """Keep how far it came, and say once what is in the way, where that is not an outage: those end by themselves."""
    at = desk.clock()
    audit = []
    if is_held and watch.problem != problem:
        about = {"pipeline": watch.name, "why": problem, "owner": watch.owner, "watched": watch.watched}
        audit = [happened(Event.PIPELINE_HELD, SYSTEM, at, None, watch.model, **about)]
    with desk.database.begin() as tx:
        watches.note_look(tx, watch, seen=seen, problem=problem, at=at, audit=audit)
