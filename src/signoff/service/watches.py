"""Registered pipelines: files that new versions of a model start, each in the name of whoever registered it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.errors import NotAvailableError, SnapshotError
from signoff.domain.satisfiability import check_satisfiable
from signoff.domain.trigger import (
    PipelineExistsError,
    PipelineUnknownError,
    Start,
    TriggerError,
    Watch,
    contributors,
)
from signoff.engine.jobs import wake_watch
from signoff.service.desk import Desk, happened
from signoff.service.submission import check_snapshot
from signoff.spec import Known, load_pipeline
from signoff.store import evidence, people, pipelines, watches
from signoff.store.database import Transaction
from signoff.store.environments import get_environments
from signoff.store.targets import notifiable

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Registration:
    """A pipeline file to register. `since` is the first version that is to have a run; None: the next new one."""

    pipeline: str
    filename: str = "signoff.yaml"
    folder_name: str | None = None
    snapshot: str | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Watching:
    """A registered pipeline with what came of the newest versions."""

    watch: Watch
    starts: Sequence[Start] = ()


def register_pipeline(desk: Desk, actor: Actor, registration: Registration) -> Watching:
    """Have new versions of the model that the file names start it; its runs count as submitted by `actor`.

    A file of a name that is registered takes the other's place, and goes on where that one was.

    Raises:
        PipelineError: with every problem of the file.
        TriggerError: the file does not say what starts it.
        PipelineExistsError: the name is somebody else's, or the model starts another pipeline.
        UnsatisfiableRuleError: nobody could approve what is made by those who may make versions.
        UnavailableError: the registry did not answer.
    """
    authorize(actor, Do.REGISTER_PIPELINES)
    if desk.arrivals is None:
        raise NotAvailableError("This server asks no registry for news.", "Submit versions by hand.")
    with desk.database.begin() as tx:
        known = Known(people.get_directory(tx), get_environments(tx), actor.name, targets=notifiable(tx))
    filename, folder_name = registration.filename, registration.folder_name
    pipeline = load_pipeline(registration.pipeline, filename=filename, folder_name=folder_name, context=known)
    trigger = pipeline.on
    if trigger is None:
        raise TriggerError(
            f"{registration.filename} does not say what starts it.", "Add `on: {model_version: NAME}` to it."
        )
    model = pipeline.model or trigger.model_version
    for name in (trigger.model_version, model):
        authorize(actor, Do.REGISTER_PIPELINES, Resource(name))
        authorize(actor, Do.SUBMIT, Resource(name))
    known = replace(known, model=model)
    load_pipeline(registration.pipeline, filename=filename, folder_name=folder_name, context=known)
    check_snapshot(pipeline, registration.snapshot)
    newest = desk.arrivals.newest(trigger.model_version)
    at = desk.clock()
    watch = Watch(
        name=pipeline.name,
        watched=trigger.model_version,
        model=model,
        source=registration.pipeline,
        digest=pipeline.digest,
        owner=actor.name,
        added_at=at,
        seen=newest,
        made_by=trigger.made_by,
        filename=registration.filename,
        folder_name=registration.folder_name,
        snapshot=registration.snapshot,
    )
    with desk.database.begin() as tx:
        directory = people.lock_directory(tx, at=at)
        if registration.snapshot is not None and not evidence.has_snapshot(tx, registration.snapshot):
            raise SnapshotError(
                f"The folder {registration.snapshot} was not uploaded to this server.", "POST it to /snapshots first."
            )
        makers = {actor.name, *contributors(trigger.made_by, (), directory)}
        check_satisfiable(pipeline, model, sorted(makers), get_environments(tx), directory)
        former = _former(tx, actor, watch)
        watch = replace(watch, seen=_seen(watch, former, registration.since))
        if registration.since is not None:
            watches.forget_refused(tx, watch.watched, since=registration.since)
        about = {"pipeline": watch.name, "watched": watch.watched, "digest": watch.digest}
        more = {"made_by": list(watch.made_by), "replaced": former.digest if former is not None else None}
        registered = happened(Event.PIPELINE_REGISTERED, actor, at, None, model, **about, **more, seen=watch.seen)
        pipelines.set_pipeline(tx, pipeline, registration.pipeline, at=at)
        watches.set_watch(tx, watch, audit=[registered])
        wake_watch(tx, watch.name)
    return Watching(watch)


def list_pipelines(desk: Desk, actor: Actor) -> list[Watching]:
    """Every registered pipeline of models that the actor may know of, by name."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        found = [watch for watch in watches.list_watches(tx) if _sees(actor, watch)]
        newest = watches.list_newest_starts(tx)
    return [Watching(watch, [newest[watch.name]] if watch.name in newest else []) for watch in found]


def get_pipeline(desk: Desk, actor: Actor, name: str) -> Watching:
    """One registered pipeline; PipelineUnknownError when there is none that the actor may know of."""
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        watch = _known(actor, watches.get_watch(tx, name))
        return Watching(watch, watches.list_starts(tx, name))


def remove_pipeline(desk: Desk, actor: Actor, name: str) -> Watching:
    """Start it no more. Its runs go on.

    Raises:
        PipelineUnknownError: none is registered by that name.
    """
    at = desk.clock()
    with desk.database.begin() as tx:
        watch = _known(actor, watches.get_watch(tx, name, lock=True))
        authorize(actor, Do.REMOVE_PIPELINES, Resource(watch.model, watch.owner))
        about = {"pipeline": name, "watched": watch.watched, "seen": watch.seen, "owner": watch.owner}
        removed = happened(Event.PIPELINE_REMOVED, actor, at, None, watch.model, **about)
        watches.remove_watch(tx, name, audit=[removed])
    return Watching(watch)


def _former(tx: Transaction, actor: Actor, watch: Watch) -> Watch | None:
    """The pipeline whose place `watch` takes, which has to be the actor's own."""
    former = watches.find_watch(tx, watch.name, lock=True)
    if former is None:
        if len(watches.list_watches(tx)) >= _MOST:
            raise TriggerError(f"There are {_MOST} registered pipelines.", "Remove those that nobody needs.")
        return None
    if former.owner != actor.name:
        raise PipelineExistsError(
            f"{former.owner} registered a pipeline called {watch.name}.",
            f"Give yours another `name:`, or have {former.owner} or an administrator remove that one.",
        )
    return former


def _seen(watch: Watch, former: Watch | None, since: int | None) -> int:
    """The number of the newest version that gets no run."""
    if since is not None:
        return since - 1
    return former.seen if former is not None and former.watched == watch.watched else watch.seen


def _sees(actor: Actor, watch: Watch) -> bool:
    return actor.sees(watch.model) and actor.sees(watch.watched)


def _known(actor: Actor, watch: Watch) -> Watch:
    if not _sees(actor, watch):
        raise PipelineUnknownError(f"No pipeline {watch.name} is registered.", "`signoff pipeline list` shows them.")
    return watch
