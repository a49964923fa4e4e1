"""What a reject teaches: its typed reasons, what the next attempt answers to each, and when trying again stops.

The reasons of the people who sent an attempt back become what the next one is asked. It has to answer every one before
it is judged again, so that a reviewer reads the answer beside the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from signoff.domain.errors import AnswersError, AnswersMissingError
from signoff.domain.gate import Decision, Verdict
from signoff.domain.pipeline import NoBetter
from signoff.domain.run import Asked, Attempt, Cause

LONGEST_ANSWER = 10_000
LOWER_IS_BETTER = frozenset(
    {"bias", "brier", "log_loss", "loss", "mae", "mape", "median_absolute_error", "mse", "rmse", "latency_ms"}
)
"""Metrics of which less is more; of every other one more is."""


def asked_of(decisions: Iterable[Decision]) -> tuple[Asked, ...]:
    """The typed reasons of everybody who said no, numbered from 1 in the order in which they said it."""
    said = sorted(
        (d for d in decisions if not d.is_withdrawn and d.verdict is not Verdict.APPROVE), key=lambda d: (d.at, d.id)
    )
    reasons = [(decision, reason) for decision in said for reason in decision.reasons]
    return tuple(
        Asked(str(number), reason.kind.value, reason.subject, decision.comment, decision.by)
        for number, (decision, reason) in enumerate(reasons, start=1)
    )


def asked_next(attempt: Attempt, cause: Cause, decisions: Iterable[Decision]) -> tuple[Asked, ...]:
    """What the attempt after `attempt` is asked.

    Where a check sent it back, nobody has looked at its answers yet: the reasons of before still stand.
    """
    return attempt.asked if cause is Cause.CHECK_FAILED else asked_of(decisions)


def unanswered(attempt: Attempt) -> tuple[Asked, ...]:
    """The reasons that `attempt` has not answered."""
    return tuple(asked for asked in attempt.asked if asked.id not in attempt.answers)


def label(asked: Asked) -> str:
    """The reason in a word or two: ``metric recall``."""
    return f"{asked.kind} {asked.subject}" if asked.subject else asked.kind


def match_answers(asked: Sequence[Asked], given: Mapping[str, object]) -> dict[str, str]:
    """`given` with the number of the reason as key, wherever it named the reason by ``kind`` or ``kind:subject``.

    Raises:
        AnswersError: a key that names no reason or several, or an answer without words.
    """
    matched: dict[str, str] = {}
    for key, text in given.items():
        fitting = [a for a in asked if key in {a.id, f"{a.kind}:{a.subject}"}] or [a for a in asked if key == a.kind]
        if len(fitting) != 1:
            listed = "; ".join(f"{a.id} ({label(a)})" for a in asked) or "none"
            how = "names several of the reasons" if fitting else "names none of the reasons"
            raise AnswersError(f"The answer to {key!r} {how}.", f"Name one by its number. They are: {listed}.")
        if not isinstance(text, str) or not text.strip():
            raise AnswersError(
                f"The answer to reason {fitting[0].id} ({label(fitting[0])}) has no words.", "Say what was done."
            )
        matched[fitting[0].id] = text.strip()[:LONGEST_ANSWER]
    return matched


def check_answered(run_id: str, asked: Sequence[Asked], answers: Mapping[str, str]) -> None:
    """Return when every reason has its answer.

    Raises:
        AnswersMissingError: naming each that has none, and how to answer it.
    """
    missing = [a for a in asked if a.id not in answers]
    if not missing:
        return
    told = "; ".join(f"{a.id}, {label(a)} ({a.by}: {a.comment})" for a in missing)
    flags = " ".join(f'--answer {a.id}="..."' for a in missing)
    count = "a reason" if len(missing) == 1 else f"{len(missing)} reasons"
    raise AnswersMissingError(
        f"The next attempt of run {run_id} has to answer {count} of the one before: {told}.",
        f"Say what was done about each: `signoff resubmit {run_id} ... {flags}`.",
    )


def why_stop(rule: NoBetter | None, values: Sequence[float | None]) -> str | None:
    """Why training again is pointless by `stop_when_no_better`, in words; None while it may go on.

    `values` is the metric of each attempt, oldest first; None or NaN where it was not measured, which is no progress.
    """
    if rule is None or len(values) <= rule.rounds:
        return None
    sign = -1 if rule.metric in LOWER_IS_BETTER else 1
    known = [-math.inf if value is None or math.isnan(value) else sign * value for value in values]
    before, last = known[: -rule.rounds], known[-rule.rounds :]
    if max(last) > max(before):
        return None
    shown = ", ".join("none" if value is None else f"{value:.6g}" for value in values)
    times = "attempt" if rule.rounds == 1 else f"{rule.rounds} attempts"
    return f"{rule.metric} got no better in the last {times} ({shown})"
