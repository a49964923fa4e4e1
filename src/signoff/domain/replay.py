"""A draft pipeline on the evidence of past runs: what it would have approved, blocked, or sent to people.

Nothing is run again and nothing is measured: the draft's checks and ``auto_approve_if`` are asked of what was found
out at the time. What people would have said is not known, so an attempt that goes to people goes no further here.
Everybody may import this file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from statistics import median

from signoff.domain.evidence import CheckResult, Evidence
from signoff.domain.expression import Scope, may_auto_approve, parse
from signoff.domain.judging import claimed_metrics, judge_checks, looks_of, no_answers, scope_among
from signoff.domain.pipeline import ApprovalStep, OnTestFail, Pipeline, RuleSpec, TestStep
from signoff.domain.version import ModelVersion


class Outcome(StrEnum):
    """What became of an attempt, as far as a pipeline alone decides it."""

    APPROVED = "approved"
    BLOCKED = "blocked"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """One attempt of a past run, with what was found out. `waited`: how long its gate was open, if one was."""

    run_id: str
    number: int
    version: ModelVersion
    at: datetime
    was: Outcome
    evidence: tuple[Evidence, ...] = ()
    waited: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the draft would have made of one attempt, and why. `rules`: whose it would have been to decide."""

    run_id: str
    attempt: int
    version: str
    at: datetime
    was: Outcome
    would: Outcome
    why: str
    rules: tuple[tuple[str, str], ...] = ()
    waited: timedelta | None = None

    @property
    def is_changed(self) -> bool:
        """Whether the draft would have made something else of it."""
        return self.was is not self.would


@dataclass(frozen=True, slots=True)
class Queue:
    """What would have come to one rule of one gate.

    `most_a_day` came on `busiest_on`. `most_at_once` is how many would have waited at the same time, if each had waited
    as long as it did, or as long as such attempts usually did.
    """

    step: str
    rule: str
    approvers: tuple[str, ...]
    required_approvals: int
    sent: int = 0
    most_a_day: int = 0
    busiest_on: date | None = None
    most_at_once: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """What a draft would have made of a model's past attempts, oldest first."""

    verdicts: tuple[Verdict, ...]
    queues: tuple[Queue, ...]
    usual_wait: timedelta | None
    was: Mapping[Outcome, int] = field(default_factory=dict)
    would: Mapping[Outcome, int] = field(default_factory=dict)

    @property
    def changes(self) -> tuple[Verdict, ...]:
        """The attempts of which the draft would have made something else."""
        return tuple(verdict for verdict in self.verdicts if verdict.is_changed)


def metrics_of(draft: Pipeline) -> frozenset[str]:
    """The names of the metrics that some expression of `draft` reads, of whomever."""
    texts = [check.that for step in draft.steps if isinstance(step, TestStep) for check in step.checks]
    texts += [step.auto_approve_if for step in draft.steps if isinstance(step, ApprovalStep) and step.auto_approve_if]
    return frozenset(reference.name for text in texts for reference in parse(text).references if not reference.is_text)


def replay(draft: Pipeline, past: Iterable[PastAttempt], accepts_claimed: Mapping[str, bool]) -> Replay:
    """Ask `draft` of each attempt. `accepts_claimed` says of its gates which may approve by metrics merely claimed."""
    verdicts = tuple(_judge(draft, attempt, accepts_claimed) for attempt in past)
    waits = [verdict.waited.total_seconds() for verdict in verdicts if verdict.waited is not None]
    usual = timedelta(seconds=median(waits)) if waits else None
    return Replay(
        verdicts,
        tuple(
            _queue(step, rule, verdicts, usual)
            for step in draft.steps
            if isinstance(step, ApprovalStep)
            for rule in step.rules
        ),
        usual,
        Counter(verdict.was for verdict in verdicts),
        Counter(verdict.would for verdict in verdicts),
    )


def _judge(draft: Pipeline, past: PastAttempt, accepts_claimed: Mapping[str, bool]) -> Verdict:
    verdict = Verdict(
        past.run_id, past.number, past.version.version, past.at, past.was, Outcome.APPROVED, "", (), past.waited
    )
    found: list[Evidence] = []
    said = "nothing in it asks anybody"
    for position, step in enumerate(draft.steps):
        if isinstance(step, TestStep):
            found.append(_evidence_for(step, past))
            why = _blocked_by(draft, position, step, past, found)
            if why and step.on_fail is not OnTestFail.CONTINUE:
                return replace(verdict, would=Outcome.BLOCKED, why=why)
        elif isinstance(step, ApprovalStep):
            scope = _scope(draft, past, found)
            approves, why = _approves(step, scope, accepts_claimed=accepts_claimed.get(step.name, False))
            if not approves:
                rules = tuple((step.name, rule.name) for rule in step.rules)
                return replace(verdict, would=Outcome.PEOPLE, why=why, rules=rules)
            said = why
    return replace(verdict, why=said)


def _evidence_for(step: TestStep, past: PastAttempt) -> Evidence:
    """What a test step of the draft would have found out: what the step of its name did, else what all steps did."""
    own = [item for item in past.evidence if item.step == step.name]
    taken = own or list(past.evidence)
    bare = Evidence(step.name, past.number, past.version.digest)
    if step.command is None and not own:
        return replace(bare, metrics=claimed_metrics(past.version))
    if not taken:
        return bare
    last = taken[-1]
    if len(own) == 1:
        return last
    metrics = {metric.name: replace(metric, step=step.name) for item in taken for metric in item.metrics}
    return replace(last, step=step.name, metrics=tuple(metrics.values()), checks=())


def _scope(draft: Pipeline, past: PastAttempt, found: Sequence[Evidence]) -> Scope:
    corrected = {step.name for step in draft.steps if isinstance(step, TestStep) and step.correct}
    champion = next((item.champion for item in reversed(found) if item.champion is not None), None)
    return scope_among(past.version, past.number, found, champion, corrected)


def _blocked_by(draft: Pipeline, position: int, step: TestStep, past: PastAttempt, found: Sequence[Evidence]) -> str:
    """The checks that say no, in words; empty where none does."""
    item, scope = found[-1], _scope(draft, past, found)
    people_follow = any(isinstance(later, ApprovalStep) for later in draft.steps[position + 1 :])

    def no(scope: Scope) -> list[CheckResult]:
        results = judge_checks(step.checks, scope, item.slices, correct=step.correct, looks=looks_of(item))
        return no_answers(results, people_follow=people_follow)

    # Most say yes, and the words of a yes take longer than the yes.
    if not no(replace(scope, is_terse=True)):
        return ""
    return "; ".join(f"{check.name}: {check.reason}" for check in no(scope))


def _approves(step: ApprovalStep, scope: Scope, *, accepts_claimed: bool) -> tuple[bool, str]:
    """Whether the policy approves, and why or why not."""
    if step.auto_approve_if is None:
        return False, f"{step.name} is for people"
    answer = may_auto_approve(_parse(step.auto_approve_if), scope)
    if answer and not (answer.is_measured or accepts_claimed):
        return False, "its metrics are claimed, and the environment wants measured"
    return bool(answer), answer.reason


_parse = lru_cache(maxsize=64)(parse)


def _queue(step: ApprovalStep, rule: RuleSpec, verdicts: Sequence[Verdict], usual: timedelta | None) -> Queue:
    sent = [verdict for verdict in verdicts if (step.name, rule.name) in verdict.rules]
    empty = Queue(step.name, rule.name, rule.approvers, rule.required_approvals)
    if not sent:
        return empty
    days = Counter(verdict.at.date() for verdict in sent)
    busiest = max(days, key=lambda day: (days[day], day))
    return replace(
        empty,
        sent=len(sent),
        most_a_day=days[busiest],
        busiest_on=busiest,
        most_at_once=_most_at_once([(v.at, v.at + wait) for v in sent if (wait := v.waited or usual) is not None]),
    )


def _most_at_once(spans: Iterable[tuple[datetime, datetime]]) -> int:
    """How many of the spans of time overlap at most; who leaves at the moment that another comes is gone."""
    moments = sorted(moment for start, end in spans for moment in ((start, 1), (end, -1)))
    most = waiting = 0
    for _, change in moments:
        waiting += change
        most = max(most, waiting)
    return most


def outcome_of(*, was_blocked: bool, gates: int, by_policy: int) -> Outcome:
    """What became of an attempt: a check stopped it before any gate, people were asked, or policy approved."""
    if not gates:
        return Outcome.BLOCKED if was_blocked else Outcome.APPROVED
    return Outcome.APPROVED if by_policy == gates else Outcome.PEOPLE
