"""Whether a decision may be made about a gate at this moment: possible now, and allowed for this person."""

from __future__ import annotations

from collections.abc import Sequence

from signoff.domain.errors import (
    AlreadyDecidedError,
    CannotDecideError,
    ChecklistError,
    ChooseAbsentError,
    CommentRequiredError,
    GateClosedError,
    NotDelegatedError,
    SubjectChangedError,
)
from signoff.domain.gate import Decision, Gate, GateStatus, Verdict
from signoff.domain.standing import Room, decision_of, stands_in_for, why_not_decide, why_not_stand_in


def choose_for_whom(room: Room, person: str, decisions: Sequence[Decision], wanted: str | None = None) -> str | None:
    """Whom `person` decides for: somebody absent, or None for themselves. `wanted` is whom they name, if they do.

    Raises:
        NotDelegatedError: they do not stand in for whom they named, at present.
        ChooseAbsentError: they could decide for several, and named none.
    """
    absent = [found.person for found in room.away if found.delegate == person]
    if wanted is not None and wanted != person:
        if wanted not in absent:
            raise NotDelegatedError(
                f"{wanted} has not named {person} to decide for them at present.",
                f"{wanted} or an administrator can: `signoff delegate {person} --from DATE --until DATE`.",
            )
        return wanted
    if wanted == person or why_not_decide(room, person) is None:
        return None
    open_for = stands_in_for(room, person, decisions)
    if len(open_for) > 1:
        raise ChooseAbsentError(
            f"{person} stands in for {' and '.join(open_for)} at {room.gate.step}.",
            f"Say for whom you decide: --for {open_for[0]}.",
        )
    return open_for[0] if open_for else None


def check_can_decide(
    room: Room,
    person: str,
    verdict: Verdict,
    decisions: Sequence[Decision],
    *,
    digest: str,
    on_behalf_of: str | None = None,
) -> None:
    """Return when `person` may give `verdict` about the subject `digest` now, for themselves or for somebody absent.

    Raises:
        CannotDecideError: no rule counts whom they decide for, or they may not stand in; the message says who could.
        GateClosedError: it is decided already.
        SubjectChangedError: they looked at something else.
        AlreadyDecidedError: they decided before.
    """
    gate = room.gate
    voter = on_behalf_of or person
    who, reason = voter, why_not_decide(room, voter)
    if reason is None and on_behalf_of is not None:
        who, reason = person, why_not_stand_in(room, person)
    if reason is not None:
        hint = _who_could(room, decisions)
        for_whom = f" on behalf of {on_behalf_of}" if on_behalf_of is not None else ""
        raise CannotDecideError(f"{person} cannot decide about {gate.step}{for_whom}: {who} {reason}.", hint)
    if gate.status is not GateStatus.OPEN:
        raise GateClosedError(
            f"{gate.step} of attempt {gate.attempt} is closed: {gate.status.replace('_', ' ')}{_by(gate, decisions)}.",
            f"`signoff show {gate.run_id}` tells what happened.",
        )
    if digest != gate.digest:
        raise SubjectChangedError(
            f"What you looked at ({digest}) is not what {gate.step} is about now ({gate.digest}).",
            f"Look again with `signoff show {gate.run_id}`, then decide.",
        )
    accounts = [person, voter, *sorted(room.people.with_accounts((person, voter)))]
    mine = next((found for name in accounts if (found := decision_of(name, decisions)) is not None), None)
    if mine is not None:
        named = f" for {mine.on_behalf_of}" if mine.on_behalf_of is not None else ""
        raise AlreadyDecidedError(
            f"{mine.by} already decided{named} about {gate.step}: {mine.verdict.replace('_', ' ')}.",
            f"`signoff withdraw {gate.run_id}` takes it back while the gate is open."
            if verdict != mine.verdict
            else "",
        )


def check_complete(gate: Gate, verdict: Verdict, comment: str, ticked: Sequence[str]) -> None:
    """Return when the decision has the comment and the ticks that it needs.

    Raises:
        CommentRequiredError: a request for changes or a reject without a comment.
        ChecklistError: an approval without every tick, or a tick that the checklist does not have.
    """
    if verdict is not Verdict.APPROVE:
        if not comment.strip():
            raise CommentRequiredError(
                f"A decision to {verdict.replace('_', ' ')} needs a comment.",
                "Say what should change (-m TEXT): it is what the next attempt learns from.",
            )
        return
    missing = [item for item in gate.checklist if item not in ticked]
    if missing:
        ticks = " ".join(f'--tick "{item}"' for item in missing)
        raise ChecklistError(
            f"{gate.step} asks you to confirm: {'; '.join(missing)}.", f"When it is so, approve with {ticks}."
        )
    unknown = [item for item in ticked if item not in gate.checklist]
    if unknown:
        raise ChecklistError(
            f"The checklist of {gate.step} has no {unknown[0]!r}.",
            f"It has: {'; '.join(gate.checklist) or 'nothing to tick'}.",
        )


def _who_could(room: Room, decisions: Sequence[Decision]) -> str:
    """Who can still decide, in a sentence."""
    able = [name for name in sorted(room.deciders) if decision_of(name, decisions) is None]
    if able:
        return f"{' or '.join(able)} can."
    if room.deciders:
        return "Everybody who can has decided."
    return "Nobody can at present: an administrator can add an approver."


def _by(gate: Gate, decisions: Sequence[Decision]) -> str:
    closing = [d for d in decisions if not d.is_withdrawn and d.digest == gate.digest]
    decisive = next((d for d in closing if d.verdict is not Verdict.APPROVE), closing[-1] if closing else None)
    return f" by {'policy' if decisive.is_policy else decisive.by}" if decisive is not None else ""
