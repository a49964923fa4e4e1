"""Sending what is due, target by target, in a queue of its own: what one target does delays nobody else.

Each delivery is sent in a transaction that holds its row, and then its answer is written: a worker that dies in
between lets the row go, and another sends it. The outside cannot be asked whether a mail came, so it is at-least-once,
under an id that never changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from signoff.domain.actor import SYSTEM
from signoff.domain.audit import AuditEvent, Event
from signoff.domain.errors import InvalidError, NotFoundError, SignoffError, UnavailableError
from signoff.domain.notice import Message
from signoff.domain.notifications import ASKING
from signoff.domain.secret import redacted
from signoff.domain.target import (
    GIVE_UP_AFTER,
    Delivery,
    DeliveryStatus,
    GoneError,
    RefusedError,
    Target,
    TargetKind,
    back_off,
)
from signoff.engine.jobs import NOTIFY_QUEUE, wake_target
from signoff.engine.machinery import LOG, Machinery
from signoff.engine.telling import who_is_asked
from signoff.store import deliveries, gates, people, preferences, queue, runs, targets
from signoff.store.database import Transaction

KEEP_DELIVERIES = timedelta(days=90)
TURN_S = 5.0
"""For how long one target is sent to before the others have a turn."""
_LONGEST_ANSWER = 300

Send = Callable[[Message], str]


def notify(machinery: Machinery, name: str) -> None:
    """Send what is due through the target called `name`, until nothing is or it fails.

    One that takes its time goes to the end of the queue after a while, so that others need not wait for all of it.
    """
    with machinery.database.begin() as tx:
        target = targets.find_target(tx, name)
    if target is None or target.is_paused or (target.retry_at is not None and target.retry_at > machinery.clock()):
        return
    notifier = machinery.notifiers.get(target.kind)
    if notifier is None:
        LOG.warning("this worker cannot send through a target", target=name, kind=target.kind.value)
        return
    try:
        until = time.monotonic() + TURN_S
        with notifier.open(target) as send:
            while not machinery.stopping.is_set() and _send_next(machinery, target, send):
                if time.monotonic() >= until:
                    with machinery.database.begin() as tx:
                        wake_target(tx, name)
                    return
    except InvalidError as error:
        with machinery.database.begin() as tx:
            _failed(tx, target, (), error, machinery.clock())


def _send_next(machinery: Machinery, target: Target, send: Send) -> bool:
    """Send what is due first; whether it is worth going on."""
    now = machinery.clock()
    with machinery.database.begin() as tx:
        due = deliveries.take_due(tx, target.name, now)
        fresh = [one for one in due if not _is_dropped(tx, one, now)]
        if not fresh:
            return bool(due)
        ids = [one.id for one in fresh]
        try:
            answer = send(_message(tx, machinery, target, fresh))
        except RefusedError as error:
            _refused(tx, fresh, error, machinery.clock())
        except GoneError as error:
            _gone(tx, target, ids, error, machinery.clock())
            return False
        except (UnavailableError, InvalidError) as error:
            _failed(tx, target, ids, error, machinery.clock())
            return False
        else:
            deliveries.set_ended(tx, ids, DeliveryStatus.SENT, _shown(answer), at=machinery.clock())
            targets.set_working(tx, target.name)
    return True


def _refused(tx: Transaction, batch: Sequence[Delivery], error: RefusedError, at: datetime) -> None:
    """The receiver does not take these: given up where it never will, or once a day has gone."""
    LOG.warning("a delivery was refused", delivery=batch[0].id, target=batch[0].target, why=str(error))
    ids = [one.id for one in batch]
    if error.is_final or at - batch[0].due_at >= GIVE_UP_AFTER:
        deliveries.set_ended(tx, ids, DeliveryStatus.FAILED, _shown(error.what), at=at)
    else:
        deliveries.set_tried(tx, ids, _shown(error.what), send_at=at + back_off(batch[0].tries + 1))


def _failed(tx: Transaction, target: Target, ids: Sequence[str], error: SignoffError, at: datetime) -> None:
    """Nothing gets through: everything for this target waits, and after a day of this the tick pauses it."""
    LOG.warning("a target does not answer", target=target.name, why=str(error))
    present = targets.find_target(tx, target.name, lock=True)
    if present is None:
        return
    since = present.failing_since or at
    retry_at = at + back_off(present.failures + 1)
    targets.set_failing(tx, present, since=since, retry_at=retry_at)
    deliveries.set_tried(tx, ids, _shown(error.what), send_at=retry_at)


def _gone(tx: Transaction, target: Target, ids: Sequence[str], error: GoneError, at: datetime) -> None:
    """The receiver wants nothing more: the target is paused at once, and what is due for it waits."""
    present = targets.find_target(tx, target.name, lock=True)
    if present is None:
        return
    deliveries.set_tried(tx, ids, _shown(error.what), send_at=at)
    if not present.is_paused:
        _pause(tx, present, at, f"Its receiver is gone: {_shown(error.what)}")


def _is_dropped(tx: Transaction, delivery: Delivery, now: datetime) -> bool:
    """Whether the delivery is no longer so; it is written down then, and why."""
    why = _why_drop(tx, delivery, now)
    if why is not None:
        deliveries.set_ended(tx, [delivery.id], DeliveryStatus.DROPPED, why, at=now, was_tried=False)
    return why is not None


def _why_drop(tx: Transaction, delivery: Delivery, now: datetime) -> str | None:
    if delivery.person is not None:
        person = people.get_directory(tx).people.get(delivery.person)
        if person is None or not person.is_active:
            return f"{delivery.person} is not known any more, or is deactivated"
    if delivery.event not in ASKING or delivery.gate_id is None or delivery.run_id is None or delivery.person is None:
        return None
    try:
        gate = gates.get_gate(tx, delivery.gate_id)
        run = runs.get_run(tx, delivery.run_id, attempt=gate.attempt)
    except NotFoundError:
        return "the run is gone"
    if delivery.person not in who_is_asked(tx, run, gate, now):
        return f"{gate.step} did not wait for {delivery.person} any more"
    return None


def _message(tx: Transaction, machinery: Machinery, target: Target, batch: Sequence[Delivery]) -> Message:
    first = batch[0]
    to = None
    unsubscribe = None
    if target.kind is TargetKind.MAIL and first.person is not None:
        to = people.get_directory(tx).people[first.person].email
        word = preferences.unsubscribe_word(tx, first.person)
        unsubscribe = f"{machinery.url}/api/v1/unsubscribe/{word}"
    is_one = len(batch) == 1
    return Message(
        id=first.id,
        event=first.event if is_one else "digest",
        at=first.made_at,
        subject=first.subject if is_one else f"[signoff] {len(batch)} notices",
        notices=tuple(one.notice for one in batch),
        link_base=machinery.url,
        thread=first.run_id if is_one else None,
        to=to,
        unsubscribe=unsubscribe,
        data=first.data,
    )


def _shown(answer: str) -> str:
    """An answer as it may be kept and shown."""
    line = " ".join(redacted(answer).split())
    return line[:_LONGEST_ANSWER]


def wake_due(machinery: Machinery) -> None:
    """Once a minute: give up what is too old, pause what only fails, wake targets through which something is due."""
    now = machinery.clock()
    with machinery.database.begin() as tx:
        deliveries.give_up(tx, before=now - GIVE_UP_AFTER, at=now)
        for target in targets.list_targets(tx):
            if target.must_be_paused(now):
                _pause(tx, target, now, f"Nothing has got through it for a day, in {target.failures} tries.")
        due = {f"target/{name}": name for name in deliveries.list_due_targets(tx, now)}
        if not due:
            return
        for lock in sorted(due.keys() - queue.list_busy_locks(tx, NOTIFY_QUEUE, list(due))):
            wake_target(tx, due[lock])


def _pause(tx: Transaction, target: Target, at: datetime, why: str) -> None:
    """Try it no more until somebody resumes it; whoever defined it is told."""
    LOG.warning("a target is paused", target=target.name, why=why)
    paused = AuditEvent(
        Event.TARGET_PAUSED, SYSTEM.name, at, detail={"target": target.name, "owner": target.owner, "why": why}
    )
    targets.set_paused(tx, target.name, at, why, audit=[paused])


def forget_old(machinery: Machinery) -> None:
    """Once an hour: deliveries that ended long ago are deleted."""
    with machinery.database.begin() as tx:
        deliveries.forget_deliveries(tx, before=machinery.clock() - KEEP_DELIVERIES)
