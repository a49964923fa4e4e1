"""Environments by command: applied as a whole or one by one, checked against what waits, and with their history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from signoff.domain.access import Do, authorize
from signoff.domain.actor import Actor
from signoff.domain.audit import Event
from signoff.domain.environment import LOCAL, Environment
from signoff.domain.environment_changes import describe_changes
from signoff.domain.environment_errors import EnvironmentsChangedError, EnvironmentsFileError
from signoff.domain.errors import EnvironmentUnknownError, SignoffError
from signoff.domain.gate import Gate
from signoff.domain.run import Run
from signoff.domain.version import digest_bytes
from signoff.engine.jobs import wake_run
from signoff.engine.settling import settle
from signoff.service.desk import Desk, happened
from signoff.service.environment_use import stuck_gates, uses
from signoff.spec import Problem, read_environments, write_environments
from signoff.store import gates, people, runs
from signoff.store.database import Transaction
from signoff.store.environments import (
    find_file_digest,
    get_environments,
    list_environments_versions,
    lock_environments,
    set_environments,
    set_file_digest,
)
from signoff.store.waiting import take_waiting


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying changed, in words; `gates` took over new rules, `despite` is what force went over."""

    changes: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    despite: tuple[str, ...] = ()
    warnings: tuple[Problem, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether anything is another than before."""
        return bool(self.changes)


@dataclass(frozen=True, slots=True)
class Trial:
    """What applying a file would do: what is wrong with it, what it would change, which gates, what is in the way."""

    problems: tuple[Problem, ...] = ()
    changes: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    refusals: tuple[SignoffError, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether the file can be read; there may be warnings."""
        return not any(problem.is_error for problem in self.problems)


@dataclass(frozen=True, slots=True)
class VersionOfEnvironment:
    """One version of an environment: who applied it, when, and what it changed, in words."""

    number: int
    by: str
    at: datetime
    changes: tuple[str, ...]


def apply_environments(
    desk: Desk,
    actor: Actor,
    environments: Mapping[str, Environment],
    *,
    force: bool = False,
    file_digest: str | None = None,
) -> Applied:
    """Make `environments` the ones there are. `file_digest` is given when they come from the start-up file.

    Raises:
        StuckGateError: a gate that waits could never be approved any more; the message names it.
        EnvironmentInUseError: one that would be removed is needed.
    """
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    with desk.database.begin() as tx:
        former = lock_environments(tx, at=at)
        if file_digest is not None:
            set_file_digest(tx, file_digest, at=at)
        return _apply(tx, actor, at, former, {LOCAL.name: LOCAL, **environments}, force=force)


def get_environments_file(desk: Desk, actor: Actor) -> tuple[str, str]:
    """The environments there are as a file, and its digest: who applies another one says what they had seen."""
    authorize(actor, Do.ADMINISTER)
    with desk.database.read() as tx:
        return _written(get_environments(tx))


def try_environments_file(desk: Desk, actor: Actor, text: str, *, filename: str = "environments.yaml") -> Trial:
    """What `apply_environments_file` would do with this file; nothing is kept."""
    authorize(actor, Do.ADMINISTER)
    with desk.database.read() as tx:
        former, directory = get_environments(tx), people.get_directory(tx)
        following, problems = read_environments(text, filename=filename, directory=directory)
        if following is None:
            return Trial(problems)
        waiting = _guarding(tx, _with_other_rules(former, following), hold=False)
        refusals = _refusals(tx, former, following, waiting)
    gates = tuple(_named(run, gate) for run, gate in waiting if gate.subject.environment in following)
    return Trial(problems, describe_changes(former, following), gates, tuple(refusals))


def apply_environments_file(
    desk: Desk,
    actor: Actor,
    text: str,
    *,
    filename: str = "environments.yaml",
    force: bool = False,
    why: str = "",
    seen: str | None = None,
) -> Applied:
    """Make the environments of this file the ones there are; those that it does not name are removed.

    `why` is kept beside what was changed. `seen` is the digest of the file that somebody edited, where they edited the
    one there was.

    Raises:
        EnvironmentsFileError: with every problem of the file.
        EnvironmentsChangedError: somebody else applied another one since it was `seen`.
        StuckGateError, EnvironmentInUseError: as `apply_environments`.
    """
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    with desk.database.begin() as tx:
        former = lock_environments(tx, at=at)
        if seen is not None and seen != _written(former)[1]:
            raise EnvironmentsChangedError(
                "Somebody else changed the environments since this page was opened.",
                "Look at what yours would change now, and apply it if it still should.",
            )
        found, problems = read_environments(text, filename=filename, directory=people.get_directory(tx))
        following = _sound(found, problems, filename)
        applied = _apply(tx, actor, at, former, following, force=force, why=why)
    return replace(applied, warnings=problems)


def set_environment(
    desk: Desk, actor: Actor, name: str, document: Mapping[str, Any], *, force: bool = False
) -> Applied:
    """Add the environment `name` or put another in its place; `document` is what the file says under the name.

    Raises:
        EnvironmentsFileError: with everything that is wrong with it.
        StuckGateError: as `apply_environments`.
    """
    authorize(actor, Do.ADMINISTER)
    at = desk.clock()
    text = json.dumps({"environments": {name: document}})
    with desk.database.begin() as tx:
        former = lock_environments(tx, at=at)
        directory = people.get_directory(tx)
        found, problems = read_environments(text, filename=name, directory=directory, beside=former.keys())
        following = {**former, name: _sound(found, problems, name)[name]}
        applied = _apply(tx, actor, at, former, following, force=force)
    return replace(applied, warnings=problems)


def was_file_applied(desk: Desk, digest: str) -> bool:
    """Whether the start-up file with this digest is the one that was applied last."""
    with desk.database.read() as tx:
        return find_file_digest(tx) == digest


def list_history(desk: Desk, actor: Actor, name: str) -> list[VersionOfEnvironment]:
    """What was changed about the environment `name`, newest first.

    Raises:
        EnvironmentUnknownError: there never was one.
    """
    authorize(actor, Do.READ)
    with desk.database.read() as tx:
        versions = list_environments_versions(tx)
    before: Mapping[str, Environment] = {LOCAL.name: LOCAL}
    found = []
    for version in reversed(versions):
        mine, was = _only(version.environments, name), _only(before, name)
        changes = describe_changes(was, mine)
        before = version.environments
        if changes:
            found.append(VersionOfEnvironment(version.number, version.by, version.at, changes))
    if not found and name not in before:
        raise EnvironmentUnknownError(
            f"There is no environment called {name}.", "`signoff environment list` shows them."
        )
    return found[::-1]


def _only(environments: Mapping[str, Environment], name: str) -> dict[str, Environment]:
    return {name: environments[name]} if name in environments else {}


def _sound(
    found: Mapping[str, Environment] | None, problems: tuple[Problem, ...], filename: str
) -> Mapping[str, Environment]:
    if found is not None:
        return found
    errors = [problem for problem in problems if problem.is_error]
    count = "one error" if len(errors) == 1 else f"{len(errors)} errors"
    what = f"{filename} has {count}; the first: {errors[0].message} (line {errors[0].line})."
    raise EnvironmentsFileError(what, errors[0].hint, problems)


def _apply(
    tx: Transaction,
    actor: Actor,
    at: datetime,
    former: Mapping[str, Environment],
    following: Mapping[str, Environment],
    *,
    force: bool,
    why: str = "",
) -> Applied:
    """Check what waits, write the next version, and give the gates that wait their new rules."""
    changes = describe_changes(former, following)
    if not changes:
        return Applied()
    waiting = _guarding(tx, _with_other_rules(former, following), hold=True)
    refusals = _refusals(tx, former, following, waiting)
    if refusals and not force:
        kind = type(refusals[0])
        more = "" if len(refusals) == 1 else f" ({len(refusals) - 1} more.)"
        raise kind(f"{refusals[0].what}{more}", refusals[0].hint)
    despite = tuple(refusal.what for refusal in refusals)
    detail: dict[str, Any] = {"environments": sorted(following), "changes": list(changes), "forced": bool(despite)}
    if despite:
        detail["despite"] = list(despite)
    if why:
        detail["why"] = why
    applied = happened(Event.ENVIRONMENTS_APPLIED, actor, at, **detail)
    set_environments(tx, following, by=actor.name, at=at, audit=[applied])
    taken = tuple(
        _take_over(tx, actor, at, run, gate, _rules(following, gate.subject.environment or ""))
        for run, gate in waiting
        if gate.subject.environment in following
    )
    if any(_freeze(former, name) != _freeze(following, name) for name in former):
        for run_id in take_waiting(tx):
            wake_run(tx, run_id)
    return Applied(changes, taken, despite)


def _rules(environments: Mapping[str, Environment], name: str) -> tuple[Any, ...]:
    return environments[name].rules if name in environments else ()


def _freeze(environments: Mapping[str, Environment], name: str) -> tuple[Any, ...]:
    return environments[name].freeze if name in environments else ()


def _written(environments: Mapping[str, Environment]) -> tuple[str, str]:
    text = write_environments(environments)
    return text, digest_bytes(text.encode())


def _with_other_rules(former: Mapping[str, Environment], following: Mapping[str, Environment]) -> list[str]:
    return [name for name in former if _rules(former, name) != _rules(following, name)]


def _refusals(
    tx: Transaction,
    former: Mapping[str, Environment],
    following: Mapping[str, Environment],
    waiting: Sequence[tuple[Run, Gate]],
) -> list[SignoffError]:
    """What is in the way: gates that would be stuck, and environments that are needed and would be gone."""
    stuck = stuck_gates([gate for _, gate in waiting], following, people.get_directory(tx))
    return [*stuck, *uses(tx, former.keys() - following.keys())]


def _guarding(tx: Transaction, names: Iterable[str], *, hold: bool) -> list[tuple[Run, Gate]]:
    """The gates that wait and carry the rules of one of these environments; with `hold` each held with its run."""
    found = []
    for waiting in gates.list_gates_before(tx, set(names)):
        run = runs.lock_run(tx, waiting.run_id) if hold else runs.get_run(tx, waiting.run_id)
        gate = run.open_gate
        if gate is not None and run.pipeline.is_last_gate_before_deployment(run.pipeline.position(gate.step)):
            found.append((run, gate))
    return found


def _take_over(
    tx: Transaction,
    actor: Actor,
    at: datetime,
    run: Run,
    gate: Gate,
    rules: tuple[Any, ...],
) -> str:
    """The gate that waits is asked by the new rules from now on; where they are satisfied already, it closes."""
    about = {"step": gate.step, "gate": gate.id, "environment": gate.subject.environment}
    names = [f"{rule.required_approvals} of {', '.join(rule.approvers)} ({rule.name})" for rule in rules]
    changed = happened(Event.GATE_RULES_CHANGED, actor, at, run.id, run.model, **about, rules=names)
    gate = gates.set_environment_rules(tx, gate, rules, audit=[changed])
    closed = partial(happened, Event.GATE_CLOSED, actor, at, run.id, run.model, **about)
    settle(tx, run, gate, at=at, closed=lambda status: closed(status=status.value))
    return _named(run, gate)


def _named(run: Run, gate: Gate) -> str:
    return f"{gate.step} of run {run.id}"
