"""Trying a draft pipeline on the past: reads only, and what anybody may read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.environment import LOCAL
from signoff.domain.errors import InvalidError
from signoff.domain.pipeline import ApprovalStep, Pipeline, TestStep
from signoff.domain.replay import Replay, metrics_of, replay
from signoff.service.desk import Desk
from signoff.service.privacy import check_known
from signoff.spec import Known, load_pipeline
from signoff.spec.duration import HINT, parse_duration
from signoff.store import history, people
from signoff.store.environments import get_environments


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay, of which model, by which draft, and since when (None: from the first run on)."""

    model: str
    draft: Pipeline
    since: datetime | None
    replay: Replay


def replay_policy(
    desk: Desk,
    actor: Actor,
    text: str,
    *,
    model: str | None = None,
    since: str | None = None,
    folder_name: str | None = None,
) -> Replayed:
    """What the pipeline in `text` would have made of the model's past runs; `since` is a length of time such as 90d.

    Raises:
        PipelineError: the draft is wrong; with every problem in it.
        ModelNotFoundError: no run was ever about the model.
        InvalidError: it names no model and `model` is None, or `since` is no length of time.
    """
    authorize(actor, Do.VALIDATE)
    started = _start(desk, since)
    with desk.database.read() as tx:
        environments = {LOCAL.name: LOCAL, **get_environments(tx)}
        draft = load_pipeline(text, folder_name=folder_name, context=Known(people.get_directory(tx), environments))
        named = model or draft.model or (draft.name if draft.trains else None)
        if named is None:
            raise InvalidError(
                "The pipeline names no model whose past it could be tried on.",
                "Write model: NAME in it, or `signoff policy replay FILE --model NAME`.",
            )
        authorize(actor, Do.READ, Resource(named))
        check_known(tx, named)
        accepts: dict[str, bool] = {}
        for position, step in enumerate(draft.steps):
            if isinstance(step, ApprovalStep):
                target = draft.deployment_after(position)
                environment = environments.get(target.environment) if target is not None else None
                accepts[step.name] = (environment or environments[LOCAL.name]).accept_claimed
        checks = [check for step in draft.steps if isinstance(step, TestStep) for check in step.checks]
        with_slices = any(check.for_each is not None for check in checks)
        past = history.list_attempts(tx, named, since=started, metrics=metrics_of(draft), with_slices=with_slices)
        return Replayed(named, draft, started, replay(draft, past, accepts))


def _start(desk: Desk, since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        return desk.clock() - parse_duration(since)
    except ValueError as reason:
        raise InvalidError(f"since: {since!r} {reason}.", f"{HINT[:1].upper()}{HINT[1:]}.") from reason
