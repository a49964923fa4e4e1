"""Emergencies: a deployment without the review before it, on the word of several people, with a debt.

The environment's `break_glass` rule says who may confirm and how many it takes. What was deployed so must be reviewed
afterwards (a run of kind ``after_review``), in time; `outcome` says what becomes of it. Reasons for all of this:
``docs/decisions/break-glass-is-a-debt.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from signoff.domain.actor import Directory
from signoff.domain.deployment_errors import (
    AlreadyConfirmedError,
    BreakGlassUnsatisfiableError,
    CannotConfirmError,
    EmergencyClosedError,
    NoBreakGlassError,
    UnconfirmedError,
)
from signoff.domain.environment import BreakGlass, Environment
from signoff.domain.errors import SubjectChangedError
from signoff.domain.run import RunStatus


class EmergencyStatus(StrEnum):
    """Where an emergency stands. From `deployed` on there is a debt, until it is `settled` or `returned`."""

    REQUESTED = "requested"
    DEPLOYING = "deploying"
    DEPLOYED = "deployed"
    SETTLED = "settled"
    ESCALATED = "escalated"
    RETURNING = "returning"
    RETURNED = "returned"
    FAILED = "failed"
    CANCELLED = "cancelled"


EMERGENCY_TRANSITIONS: Mapping[EmergencyStatus, frozenset[EmergencyStatus]] = {
    EmergencyStatus.REQUESTED: frozenset({EmergencyStatus.DEPLOYING, EmergencyStatus.CANCELLED}),
    EmergencyStatus.DEPLOYING: frozenset({EmergencyStatus.DEPLOYED, EmergencyStatus.FAILED}),
    EmergencyStatus.DEPLOYED: frozenset(
        {
            EmergencyStatus.SETTLED,
            EmergencyStatus.ESCALATED,
            EmergencyStatus.RETURNING,
            EmergencyStatus.RETURNED,  # something else serves already
        }
    ),
    EmergencyStatus.ESCALATED: frozenset({EmergencyStatus.SETTLED, EmergencyStatus.RETURNED}),
    EmergencyStatus.RETURNING: frozenset({EmergencyStatus.RETURNED, EmergencyStatus.ESCALATED}),
    EmergencyStatus.SETTLED: frozenset(),
    EmergencyStatus.RETURNED: frozenset(),
    EmergencyStatus.FAILED: frozenset(),
    EmergencyStatus.CANCELLED: frozenset(),
}

IN_DEBT = frozenset({EmergencyStatus.DEPLOYED, EmergencyStatus.ESCALATED, EmergencyStatus.RETURNING})
"""What is deployed and not reviewed yet."""

OPEN = IN_DEBT | {EmergencyStatus.REQUESTED, EmergencyStatus.DEPLOYING}
"""What people should know of now."""


@dataclass(frozen=True, slots=True)
class Emergency:
    """One glass that is broken: what is deployed where without review, who wanted it, and by when it is reviewed.

    `digest` is of the bytes at the request. `former_id` is the deployment that was live before, `run_id` the
    after-review, `due_at` the moment by which it has to approve. `note` says how it ended, in words.
    """

    id: str
    environment: str
    model: str
    version: str
    digest: str
    why: str
    status: EmergencyStatus
    requested_by: str
    requested_at: datetime
    confirmed_by: tuple[str, ...] = ()
    former_id: str | None = None
    run_id: str | None = None
    deployment_id: str | None = None
    due_at: datetime | None = None
    ended_at: datetime | None = None
    note: str = ""

    @property
    def label(self) -> str:
        """How people name it: ``fraud-detector v4 in production``."""
        return f"{self.model} v{self.version} in {self.environment}"

    @property
    def people(self) -> tuple[str, ...]:
        """Everybody who wanted it: they do not review it afterwards."""
        return tuple(sorted({self.requested_by, *self.confirmed_by}))

    @property
    def is_in_debt(self) -> bool:
        """Whether its review is still owed."""
        return self.status in IN_DEBT


@dataclass(frozen=True, slots=True)
class Confirmations:
    """How far an emergency is: who counts, how many more it takes, and who could be they."""

    counted: tuple[str, ...]
    missing: int
    candidates: tuple[str, ...]

    @property
    def is_enough(self) -> bool:
        """Whether it may be deployed."""
        return self.missing == 0

    @property
    def sentence(self) -> str:
        """What is missing and who can give it."""
        if self.is_enough:
            return f"Confirmed by {_all(self.counted)}."
        more = "1 more person" if self.missing == 1 else f"{self.missing} more people"
        who = f"from {_any(self.candidates)}" if self.candidates else "and nobody is left who could"
        return f"It takes the word of {more}, {who}."


def rule_of(environment: Environment) -> BreakGlass:
    """The environment's rule for emergencies.

    Raises:
        NoBreakGlassError: it has none.
    """
    if environment.break_glass is None:
        raise NoBreakGlassError(
            f"{environment.name} has no break_glass rule: nothing is deployed there without review.",
            "An administrator can add one to the environment; what was live before comes back with `signoff rollback`.",
        )
    return environment.break_glass


def confirmers(rule: BreakGlass, model: str, people: Directory) -> frozenset[str]:
    """Who may confirm: named by the rule, active, approvers for the model."""
    return people.eligible(rule.approvers, model)


def confirmations(emergency: Emergency, rule: BreakGlass, people: Directory) -> Confirmations:
    """How far `emergency` is by `rule`, with the people of this moment: who left the group counts no longer.

    Two accounts of one human being are one.
    """
    able = confirmers(rule, emergency.model, people)
    counted = tuple(sorted(able & set(emergency.confirmed_by)))
    missing = max(0, rule.required_approvals - len(people.humans(counted)))
    return Confirmations(counted, missing, tuple(sorted(able - people.with_accounts(emergency.confirmed_by))))


def check_can_request(environment: Environment, model: str, people: Directory) -> BreakGlass:
    """The rule, when enough people could confirm by it.

    Raises:
        NoBreakGlassError: the environment has no such rule.
        BreakGlassUnsatisfiableError: it wants more people than there are.
    """
    rule = rule_of(environment)
    able = people.humans(confirmers(rule, model, people))
    if len(able) < rule.required_approvals:
        raise BreakGlassUnsatisfiableError(
            f"The break_glass rule of {environment.name} takes {rule.required_approvals} people of "
            f"{', '.join(rule.approvers)}, and {len(able)} may approve {model}.",
            "An administrator can add an approver to them, or change the rule.",
        )
    return rule


def check_can_confirm(emergency: Emergency, rule: BreakGlass, person: str, people: Directory, *, digest: str) -> None:
    """Return when `person` may confirm the emergency about the bytes of `digest` now.

    Raises:
        CannotConfirmError: the rule does not count them; the message says who could.
        EmergencyClosedError: it no longer waits.
        SubjectChangedError: they looked at other bytes.
        AlreadyConfirmedError: they did before.
    """
    able = confirmers(rule, emergency.model, people)
    if person not in able:
        raise CannotConfirmError(
            f"{person} cannot confirm a break-glass deployment to {emergency.environment}: "
            f"its rule names {', '.join(rule.approvers)}.",
            f"{_any(sorted(able))} can." if able else "Nobody can at present: an administrator can add an approver.",
        )
    check_waits(emergency)
    if digest != emergency.digest:
        raise SubjectChangedError(
            f"What you looked at ({digest}) is not what {emergency.requested_by} asked for ({emergency.digest}).",
            "Look again, then confirm; or cancel it and ask anew.",
        )
    before = sorted(people.accounts_of(person).intersection(emergency.confirmed_by))
    if before:
        raise AlreadyConfirmedError(
            f"{before[0]} has confirmed {emergency.label} already.", confirmations(emergency, rule, people).sentence
        )


def check_confirmed(emergency: Emergency, rule: BreakGlass, people: Directory) -> None:
    """Return when those who confirmed still suffice; UnconfirmedError otherwise."""
    found = confirmations(emergency, rule, people)
    if not found.is_enough:
        raise UnconfirmedError(
            f"Somebody who confirmed {emergency.label} may not break the glass there any more.",
            f"Ask anew. {found.sentence}",
        )


def check_waits(emergency: Emergency) -> None:
    """Return when `emergency` waits for confirmations; EmergencyClosedError otherwise."""
    if emergency.status is not EmergencyStatus.REQUESTED:
        note = f" ({emergency.note})" if emergency.note else ""
        raise EmergencyClosedError(
            f"The emergency {emergency.id} is {emergency.status}{note}: it waits for nobody's word.",
            "`signoff deployments` shows what is live; ask anew if there is need.",
        )


def check_can_cancel(emergency: Emergency, rule: BreakGlass | None, person: str, people: Directory) -> None:
    """Return when `person` may call the request off: who asked, and whoever could confirm.

    Raises:
        CannotConfirmError: somebody else.
        EmergencyClosedError: it is decided already.
    """
    able = confirmers(rule, emergency.model, people) if rule is not None else frozenset[str]()
    if person not in able | {emergency.requested_by}:
        who = _any(sorted(able | {emergency.requested_by}))
        raise CannotConfirmError(f"{person} cannot cancel what {emergency.requested_by} asked for.", f"{who} can.")
    check_waits(emergency)


class Outcome(StrEnum):
    """What becomes of a deployed emergency now."""

    WAIT = "wait"
    SETTLE = "settle"
    OVERDUE = "overdue"


_ENDED_BADLY = {
    RunStatus.REJECTED: "the after-review was rejected",
    RunStatus.FAILED: "the after-review failed",
    RunStatus.EXPIRED: "nobody answered the after-review in time",
    RunStatus.CANCELLED: "the after-review was cancelled",
    RunStatus.SUPERSEDED: "the after-review was superseded",
}


def outcome(emergency: Emergency, review: RunStatus, now: datetime | None) -> tuple[Outcome, str]:
    """What to do about a deployed or escalated emergency whose after-review stands at `review`, and why in words.

    A no is not waited out: it counts as overdue at once. An approval settles, however late. Without `now` no deadline
    is judged.
    """
    if review is RunStatus.SUCCEEDED:
        return Outcome.SETTLE, "the after-review approved it"
    if emergency.status is not EmergencyStatus.DEPLOYED:
        return Outcome.WAIT, ""
    if review in _ENDED_BADLY:
        return Outcome.OVERDUE, _ENDED_BADLY[review]
    if now is not None and emergency.due_at is not None and now >= emergency.due_at:
        return Outcome.OVERDUE, "the after-review did not approve it in time"
    return Outcome.WAIT, ""


def has_lapsed(emergency: Emergency, expires: timedelta, now: datetime) -> bool:
    """Whether a request has waited so long for its confirmations that it is no emergency any more."""
    return emergency.status is EmergencyStatus.REQUESTED and now >= emergency.requested_at + expires


def _any(names: tuple[str, ...] | list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def _all(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nobody"
