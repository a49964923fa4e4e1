"""Gates: an approval step that waits, its rules, people's decisions, and when these suffice.

`evaluate` is the whole rule of closing. One person counts for one rule of a set; who counts for which is found by
maximum `matching`, so the order of arrival never matters. The pipeline's rules and the environment's rules are two
sets, each matched by itself: an environment repeats what a pipeline may already ask for, it does not ask for more
people than either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from signoff.domain.actor import Directory
from signoff.domain.matching import assign, helping
from signoff.domain.pipeline import OnTimeout, RuleSpec
from signoff.domain.version import digest_json
from signoff.domain.voices import Voice, choose

POLICY_PREFIX = "policy:"
"""How the author of an automatic approval is named: ``policy:<pipeline digest>``."""


class Verdict(StrEnum):
    """What one decision says."""

    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"
    REJECT = "reject"


class ReasonKind(StrEnum):
    """What a reason is about; it reaches the next training as typed feedback."""

    METRIC = "metric"
    SLICE = "slice"
    DATA = "data"
    FAIRNESS = "fairness"
    DOCUMENTATION = "documentation"
    SECURITY = "security"
    OTHER = "other"


class GateStatus(StrEnum):
    """Where a gate stands.

    `void`: what it approved turned out different, and another round opened. `expired`: nobody answered in time.
    """

    OPEN = "open"
    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    REJECTED = "rejected"
    VOID = "void"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


GATE_TRANSITIONS: Mapping[GateStatus, frozenset[GateStatus]] = {
    GateStatus.OPEN: frozenset(
        {
            GateStatus.APPROVED,
            GateStatus.CHANGES_REQUESTED,
            GateStatus.REJECTED,
            GateStatus.VOID,
            GateStatus.CANCELLED,
            GateStatus.EXPIRED,
        }
    ),
    GateStatus.APPROVED: frozenset({GateStatus.VOID}),
    GateStatus.CHANGES_REQUESTED: frozenset(),
    GateStatus.REJECTED: frozenset(),
    GateStatus.VOID: frozenset(),
    GateStatus.CANCELLED: frozenset(),
    GateStatus.EXPIRED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in a form that a training script can read. `subject` names a metric, a slice, a file."""

    kind: ReasonKind
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """Exactly what a gate approves, frozen when it opens. Its digest is shown, sent and signed."""

    model: str
    version: str
    manifest_digest: str
    evidence_digests: tuple[str, ...]
    pipeline_digest: str
    environment: str | None
    attempt: int

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of the canonical JSON of all fields."""
        return digest_json({name: getattr(self, name) for name in self.__dataclass_fields__})

    def difference(self, other: Subject) -> tuple[str, ...]:
        """In words, which fields differ between what was approved and `other`."""
        words = {
            "version": "the version",
            "manifest_digest": "the model's bytes",
            "evidence_digests": "the evidence",
            "pipeline_digest": "the pipeline",
            "environment": "the environment",
            "attempt": "the attempt",
            "model": "the model",
        }
        return tuple(w for name, w in words.items() if getattr(self, name) != getattr(other, name))


@dataclass(frozen=True, slots=True)
class Decision:
    """One person's (or the policy's) verdict about one gate, on the subject that they saw.

    A delegate who stands in for somebody absent is `by`; whom they stand in for is `on_behalf_of`. `passkey` is the
    id of the one that confirmed exactly this decision, where one did. `is_claimed` says that a policy read metrics
    which nobody measured here.
    """

    id: str
    by: str
    verdict: Verdict
    digest: str
    at: datetime
    comment: str = ""
    reasons: tuple[Reason, ...] = ()
    ticked: tuple[str, ...] = ()
    saw: Mapping[str, float | str | None] = field(default_factory=dict)
    is_withdrawn: bool = False
    on_behalf_of: str | None = None
    passkey: str | None = None
    is_claimed: bool = False

    @property
    def counts_as(self) -> str:
        """Whose approval this is: the absent person's where a delegate gave it."""
        return self.on_behalf_of or self.by

    @property
    def is_policy(self) -> bool:
        """Whether the pipeline's own condition decided, not a person."""
        return self.by.startswith(POLICY_PREFIX)


@dataclass(frozen=True, slots=True)
class Gate:
    """An approval step of one attempt, waiting or closed. `round` counts how often it had to open again.

    `excluded` are the submitter and contributors where the pipeline's rules do not count them. `environment_rules` are
    the administrator's, copied from the guarded environment when this is the last gate before it; they never count
    `contributors` (the submitter among them), whatever the pipeline allows. Deadlines are moments, so neither a
    restart nor daylight saving moves them: `expires_at` while it waits, `valid_until` once it is approved; `warned_at`
    says when its people were told that it expires soon, `lapsed_at` when an approval that had expired was dealt with.
    From `escalated_at` on `escalate_to` may approve too.
    """

    id: str
    run_id: str
    step: str
    attempt: int
    round: int
    status: GateStatus
    subject: Subject
    rules: tuple[RuleSpec, ...]
    opened_at: datetime
    environment_rules: tuple[RuleSpec, ...] = ()
    excluded: tuple[str, ...] = ()
    checklist: tuple[str, ...] = ()
    closed_at: datetime | None = None
    note: str = ""
    on_timeout: OnTimeout = OnTimeout.EXPIRE
    escalate_to: tuple[str, ...] = ()
    expires_at: datetime | None = None
    escalated_at: datetime | None = None
    remind_every: timedelta | None = None
    remind_at: datetime | None = None
    reminders: int = 0
    valid_for: timedelta | None = None
    valid_until: datetime | None = None
    lapsed_at: datetime | None = None
    contributors: tuple[str, ...] = ()
    warned_at: datetime | None = None

    @property
    def digest(self) -> str:
        """The subject's digest: what a decision must name."""
        return self.subject.digest

    @property
    def has_lapsed(self) -> bool:
        """Whether its approval expired and was not given anew."""
        return self.status is GateStatus.APPROVED and self.lapsed_at is not None

    @property
    def present_rules(self) -> tuple[RuleSpec, ...]:
        """The pipeline's rules as they count now: once escalated, `escalate_to` may approve for each of them too.

        Never for the environment's: who guards that is the administrator's word.
        """
        if self.escalated_at is None:
            return self.rules
        return tuple(
            replace(rule, approvers=tuple(dict.fromkeys((*rule.approvers, *self.escalate_to)))) for rule in self.rules
        )

    @property
    def all_rules(self) -> tuple[RuleSpec, ...]:
        """Every rule as it counts now, the pipeline's first."""
        return (*self.present_rules, *self.environment_rules)


@dataclass(frozen=True, slots=True)
class RuleState:
    """How far one rule is: who counts for it, how many are missing, and whose approval would bring it further.

    `candidates` are exactly those: an approval that fills another rule helps too where somebody counted there then
    counts here. Of a rule that has all it needs they are the others whom it names.
    """

    rule: RuleSpec
    counted: tuple[str, ...]
    candidates: tuple[str, ...]
    is_environment: bool = False

    @property
    def missing(self) -> int:
        """How many approvals the rule still needs."""
        return max(0, self.rule.required_approvals - len(self.counted))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A gate's status as its decisions make it, and how far each rule is."""

    status: GateStatus
    rules: tuple[RuleState, ...]
    closed_by: Decision | None = None


def counting(gate: Gate, rule: RuleSpec, people: Directory, *, is_environment: bool = False) -> frozenset[str]:
    """The people who may count for `rule`, one of `gate.all_rules`: active approvers of the model, not excluded.

    `is_environment`: it is one of the environment's.
    """
    barred = barred_from(gate, people) if is_environment else excluded_from(gate, people)
    return people.eligible(rule.approvers, gate.subject.model) - barred


def excluded_from(gate: Gate, people: Directory) -> frozenset[str]:
    """Who does not count for the pipeline's rules: submitter and contributors, under whichever of their accounts."""
    return people.with_accounts(gate.excluded)


def barred_from(gate: Gate, people: Directory) -> frozenset[str]:
    """Who does not count for the environment's rules, where there are any; nor do they stand in for anybody."""
    return people.with_accounts((*gate.excluded, *gate.contributors)) if gate.environment_rules else frozenset()


def deciders(gate: Gate, people: Directory) -> frozenset[str]:
    """Everybody whose verdict `gate` would take now."""
    return frozenset[str]().union(*counting_all(gate, people))


def counting_all(gate: Gate, people: Directory) -> list[frozenset[str]]:
    """`counting` for each of `gate.all_rules`, looking at everybody once."""
    rules = gate.all_rules
    references = {reference for rule in rules for reference in rule.approvers}
    behind = people.approvers(references, gate.subject.model)
    named = [frozenset[str]().union(*(behind[name] for name in rule.approvers)) for rule in rules]
    excluded, barred = excluded_from(gate, people), barred_from(gate, people)
    own = len(gate.rules)
    return [able - (excluded if place < own else barred) for place, able in enumerate(named)]


def evaluate(
    gate: Gate, decisions: Sequence[Decision], people: Directory, *, earlier: Sequence[Decision] = ()
) -> Evaluation:
    """The gate's status, given every decision so far. The first reject or request for changes is final.

    `earlier` are approvals of earlier gates of the same attempt about the same bytes: they count for the
    environment's rules, so that nobody is asked twice. Decisions on another subject, withdrawn ones and those of
    people who may no longer decide do not count. A gate without any rule is never approved.
    """
    rules = gate.present_rules
    counts = counting_all(gate, people)
    may_decide = frozenset[str]().union(*counts)
    mine = [d for d in decisions if not d.is_withdrawn and d.digest == gate.digest]
    standing = sorted((d for d in mine if _counts(d, gate, may_decide, people)), key=lambda d: (d.at, d.id))
    closing = next((d for d in standing if d.verdict is not Verdict.APPROVE), None)
    approvals = [d for d in standing if d.verdict is Verdict.APPROVE]
    inherited = [d for d in earlier if d.verdict is Verdict.APPROVE and not d.is_withdrawn]
    inherited = [d for d in inherited if d.on_behalf_of is None or _may_stand_in(d.by, gate, people)]
    own = len(rules)
    states = (
        *_states(rules, counts[:own], approvals, people, is_environment=False),
        *_states(gate.environment_rules, counts[own:], [*approvals, *inherited], people, is_environment=True),
    )
    if closing is not None:
        rejected = closing.verdict is Verdict.REJECT
        return Evaluation(GateStatus.REJECTED if rejected else GateStatus.CHANGES_REQUESTED, states, closing)
    if states and all(state.missing == 0 for state in states):
        return Evaluation(GateStatus.APPROVED, states, standing[-1] if standing else None)
    return Evaluation(GateStatus.OPEN, states)


def _counts(decision: Decision, gate: Gate, may_decide: frozenset[str], people: Directory) -> bool:
    """Whether whoever decided, and whoever it was decided for, may still do so."""
    if decision.is_policy:
        return True
    if decision.on_behalf_of is not None and not _may_stand_in(decision.by, gate, people):
        return False
    return decision.counts_as in may_decide


def _may_stand_in(delegate: str, gate: Gate, people: Directory) -> bool:
    """Whether `delegate` could decide about this model, and has no part in the version themselves."""
    no_part = delegate not in excluded_from(gate, people) | barred_from(gate, people)
    return no_part and delegate in people.able(gate.subject.model)


def _states(
    rules: Sequence[RuleSpec],
    counts: Sequence[frozenset[str]],
    approvals: Sequence[Decision],
    people: Directory,
    *,
    is_environment: bool,
) -> tuple[RuleState, ...]:
    """How far each of one set of rules is. A policy's approval satisfies every rule that allows it."""
    policy = next((d.by for d in approvals if d.is_policy), None)
    by_policy = {rule.name for rule in rules if policy is not None and rule.allow_policy}
    open_rules = [rule for rule in rules if rule.name not in by_policy]
    eligible = {rule.name: able for rule, able in zip(rules, counts, strict=True)}
    given = sorted((d for d in approvals if not d.is_policy), key=lambda d: (d.at, d.id))
    names = frozenset(d.counts_as for d in given)
    if people.linked:
        # Who approved under two accounts counts for one rule, of all those for which either does.
        wider = {a: people.accounts_of(a) & names for a in names}
        eligible = {name: able | {a for a in names if wider[a] & able} for name, able in eligible.items()}
    # Nobody counts twice: neither for themselves and for another, nor by two delegates, nor under two accounts.
    voices = [Voice(people.humans((d.by, d.counts_as)), d.counts_as) for d in given]
    approvers = choose(voices, lambda chosen: len(assign(open_rules, eligible, chosen)))
    spoken = people.with_accounts(approvers.union(d.by for d in approvals))
    seats = assign(open_rules, eligible, approvers)
    others = sorted(frozenset[str]().union(*counts) - spoken)
    helpful = helping(open_rules, eligible, seats)
    states = []
    for rule in rules:
        if policy is not None and rule.name in by_policy:
            counted: tuple[str, ...] = (policy,) * rule.required_approvals
        else:
            counted = tuple(sorted(p for p, name in seats.items() if name == rule.name))
        able = helpful.get(rule.name, frozenset())
        states.append(RuleState(rule, counted, tuple(p for p in others if p in able), is_environment))
    return tuple(states)
