"""The route that tries a draft pipeline on past runs."""

from __future__ import annotations

from fastapi import APIRouter

from signoff.api.request import ActorOf, DeskOf
from signoff.domain.replay import Outcome
from signoff.service import replays
from signoff.wire.replay import QueueBody, ReplayBody, ReplayRequest, VerdictBody

router = APIRouter(tags=["catalogue"])


@router.post("/policy/replay")
def replay_policy(body: ReplayRequest, desk: DeskOf, actor: ActorOf) -> ReplayBody:
    """What a draft pipeline's checks and auto-approval would have made of past runs. Changes nothing."""
    found = replays.replay_policy(
        desk, actor, body.pipeline, model=body.model, since=body.since, folder_name=body.folder_name
    )
    replay = found.replay
    return ReplayBody(
        model=found.model,
        pipeline=found.draft.name,
        since=found.since,
        attempts=len(replay.verdicts),
        was={outcome.value: replay.was.get(outcome, 0) for outcome in Outcome},
        would={outcome.value: replay.would.get(outcome, 0) for outcome in Outcome},
        usual_wait_seconds=replay.usual_wait.total_seconds() if replay.usual_wait is not None else None,
        queues=[
            QueueBody.model_validate({**{n: getattr(q, n) for n in q.__slots__}, "approvers": list(q.approvers)})
            for q in replay.queues
        ],
        changes=[VerdictBody.model_validate(verdict) for verdict in replay.changes],
    )
