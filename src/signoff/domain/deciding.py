"""Whether a decision may be made about a gate at this moment: possible now, and allowed for this person."""

from __future__ import annotations

from collections.abc import Sequence

from signoff.domain.actor import Directory
from signoff.domain.errors import (
    AlreadyDecidedError,
    CannotDecideError,
    ChecklistError,
    CommentRequiredError,
    GateClosedError,
    SubjectChangedError,
)
from signoff.domain.explanation import why_not_decide
from signoff.domain.gate import Decision, Gate, GateStatus, Verdict, deciders


def check_can_decide(
    gate: Gate, person: str, verdict: Verdict, decisions: Sequence[Decision], people: Directory, *, digest: str
) -> None:
    """Return when `person` may give `verdict` about the subject `digest` now.

    Raises:
        CannotDecideError: no rule counts them; the message says why and who could.
        GateClosedError: it is decided already.
        SubjectChangedError: they looked at something else.
        AlreadyDecidedError: they decided before.
    """
    reason = why_not_decide(gate, person, people)
    if reason is not None:
        who = sorted(deciders(gate, people))
        hint = f"{' or '.join(who)} can." if who else "Nobody can at present: an administrator can add an approver."
        raise CannotDecideError(f"{person} cannot decide about {gate.step}: {person} {reason}.", hint)
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
    mine = next((d for d in decisions if d.by == person and not d.is_withdrawn), None)
    if mine is not None:
        raise AlreadyDecidedError(
            f"{person} already decided about {gate.step}: {mine.verdict.replace('_', ' ')}.",
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


def _by(gate: Gate, decisions: Sequence[Decision]) -> str:
    closing = [d for d in decisions if not d.is_withdrawn and d.digest == gate.digest]
    decisive = next((d for d in closing if d.verdict is not Verdict.APPROVE), closing[-1] if closing else None)
    return f" by {'policy' if decisive.is_policy else decisive.by}" if decisive is not None else ""
