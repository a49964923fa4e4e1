"""The review of a gate: everything that a decision rests on, and the box in which it is made.

The page shows; whether somebody may decide, and about what, the domain says. What a form sent and the service refused
comes back with everything that was typed, beside what is true now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from signoff.domain.access import Do, Resource, why_not
from signoff.domain.actor import Actor
from signoff.domain.errors import ConflictError, GateClosedError, SignoffError, StepUpRequiredError, SubjectChangedError
from signoff.domain.gate import Gate, Reason, ReasonKind, Verdict
from signoff.domain.pipeline import ApprovalStep, OnReject
from signoff.domain.run import Attempt, Run
from signoff.domain.standing import Standing
from signoff.domain.verdict import opinion_of
from signoff.service import decisions, runs
from signoff.service.challenges import Answer, Question
from signoff.service.decisions import GateView
from signoff.service.desk import Desk
from signoff.service.reviews import get_review
from signoff.service.views import RunView
from signoff.web.destination import safe_path
from signoff.web.evidence_view import cell, show
from signoff.web.flash import Tone
from signoff.web.page import redirect, render
from signoff.web.steps_line import line_of
from signoff.web.visitor import DeskOf, SignedIn
from signoff.wire.statuses import status_of

router = APIRouter()
REASON_ROWS = 3
_LONGEST = 10_000
_MOST_MARKDOWN = 100_000


@dataclass(frozen=True, slots=True)
class Said:
    """One entry of the discussion: a remark, a decision, or the note that came with the submission.

    `is_plain`: shown as it was typed, where the discussion is so long that reading its Markdown would take too long.
    """

    by: str
    at: datetime | None
    body: str
    did: str
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    is_withdrawn: bool = False
    is_plain: bool = False


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed into the decision box, to be shown again."""

    verdict: str = ""
    comment: str = ""
    reasons: tuple[tuple[str, str], ...] = ()
    ticked: tuple[str, ...] = ()
    on_behalf_of: str = ""
    remark: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@router.get("/runs/{run_id}/gates/{step}")
def review(request: Request, run_id: str, step: str, desk: DeskOf, actor: SignedIn) -> Response:
    """The page; that of the run while the gate is still to come."""
    try:
        return _page(request, desk, actor, run_id, step)
    except ConflictError as error:
        return redirect(request, f"/runs/{run_id}", error.what, Tone.INFO)


@router.post("/runs/{run_id}/gates/{step}/decisions")
def decide(
    request: Request,
    run_id: str,
    step: str,
    desk: DeskOf,
    actor: SignedIn,
    digest: Annotated[str, Form(max_length=100)],
    verdict: Annotated[str, Form(max_length=40)] = "",
    comment: Annotated[str, Form(max_length=_LONGEST)] = "",
    ticked: Annotated[list[str], Form(max_length=200)] = [],  # noqa: B006 - the framework copies it
    kind: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006 - likewise
    subject: Annotated[list[str], Form(max_length=20)] = [],  # noqa: B006 - likewise
    on_behalf_of: Annotated[str, Form(max_length=200)] = "",
    question: Annotated[str, Form(max_length=100)] = "",
    credential: Annotated[str, Form(max_length=20_000)] = "",
) -> Response:
    """Record the decision and show the page again; a refusal shows it too, with what was typed."""
    pairs = tuple(zip(kind, [text.strip()[:500] for text in subject], strict=False))
    typed = Typed(verdict, comment, pairs, tuple(ticked), on_behalf_of)
    try:
        said = decisions.Verdicts(
            verdict=_verdict(verdict),
            digest=digest,
            comment=comment.strip(),
            reasons=tuple(Reason(ReasonKind(word), about or None) for word, about in pairs if word in set(ReasonKind)),
            ticked=typed.ticked if verdict == Verdict.APPROVE else (),
            on_behalf_of=on_behalf_of or None,
            confirmation=Answer(question, credential) if question else None,
        )
        asked = _decide(desk, actor, run_id, step, said)
        if asked is not None:
            return render(request, "confirm.html", run_id=run_id, step=step, said=said, typed=typed, question=asked)
    except SignoffError as error:
        return _page(request, desk, actor, run_id, step, typed=typed, problem=error, seen=digest)
    done = {"approve": "You approved it.", "request_changes": "You asked for changes.", "reject": "You rejected it."}
    # Who said no sends the run on: what comes of it is seen on its own page.
    where = f"/runs/{run_id}/gates/{step}" if verdict == Verdict.APPROVE else f"/runs/{run_id}"
    return redirect(request, where, f"{done[verdict]} That is in the audit trail now.")


def _decide(desk: Desk, actor: Actor, run_id: str, step: str, said: decisions.Verdicts) -> Question | None:
    """Record the decision; where a passkey has to confirm it first: what it is asked."""
    try:
        decisions.decide_gate(desk, actor, run_id, step, said)
    except StepUpRequiredError:
        return decisions.ask_confirmation(desk, actor, run_id, step, said)
    return None


@router.post("/runs/{run_id}/gates/{step}/withdraw")
def withdraw(request: Request, run_id: str, step: str, desk: DeskOf, actor: SignedIn) -> Response:
    """Take one's own decision back."""
    decisions.withdraw_decision(desk, actor, run_id, step)
    return redirect(request, f"/runs/{run_id}/gates/{step}", "Your decision is withdrawn.")


@router.post("/runs/{run_id}/comments")
def remark(
    request: Request,
    run_id: str,
    desk: DeskOf,
    actor: SignedIn,
    body: Annotated[str, Form(max_length=_LONGEST)] = "",
    back: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Add a remark to the discussion."""
    target = safe_path(back) if back else f"/runs/{run_id}"
    if not body.strip():
        return redirect(request, f"{target}#discussion")
    runs.comment_run(desk, actor, run_id, body.strip())
    return redirect(request, f"{target}#discussion", "Your comment is there.")


def _verdict(word: str) -> Verdict:
    if word not in set(Verdict):
        raise _NoVerdictError("You chose no decision.", "Approve, ask for changes, or reject.")
    return Verdict(word)


class _NoVerdictError(SignoffError):
    """The form was sent without a choice."""

    code = "no_verdict"


def _page(
    request: Request,
    desk: Desk,
    actor: Actor,
    run_id: str,
    step: str,
    *,
    typed: Typed | None = None,
    problem: SignoffError | None = None,
    seen: str | None = None,
) -> Response:
    shown = get_review(desk, actor, run_id, step)
    view, gate, gate_view, attempt, changed = shown.view, shown.gate, shown.gate_view, shown.attempt, shown.changed
    run, explanation = view.line.run, shown.explanation
    found = [view.evidence[d] for d in gate.subject.evidence_digests if d in view.evidence]
    mine = next((one for one in explanation.people if one.person == actor.name), None)
    live = changed.live if changed.live != gate.subject.version else None
    is_stale = isinstance(problem, SubjectChangedError | GateClosedError)
    return render(
        request,
        "review.html",
        status=status_of(problem).value if problem is not None else 200,
        view=view,
        run=run,
        gate=gate,
        gate_view=gate_view,
        attempt=attempt,
        explanation=explanation,
        mine=mine,
        can_decide=_can_decide(actor, run, mine),
        why_not_decide=_why_not_decide(actor, run, mine),
        can_comment=why_not(actor, Do.COMMENT, Resource(run.model, run.submitter)) is None,
        can_withdraw=_can_withdraw(actor, gate, gate_view),
        choices=_choices(run, gate, gate_view),
        opinion=opinion_of(found, place=gate.subject.environment, live=live),
        shown=show(desk, run.id, found),
        cell=cell,
        changed=changed,
        marks=line_of(view, attempt, desk.clock()),
        discussion=discussion_of(view, attempt),
        people=shown.people,
        reason_kinds=[kind.value for kind in ReasonKind],
        reason_rows=REASON_ROWS,
        typed=typed or Typed(),
        problem=problem,
        is_stale=is_stale,
        became=_became(view, seen, gate) if is_stale else (),
        newest=shown.newest,
    )


def _can_decide(actor: Actor, run: Run, mine: Standing | None) -> bool:
    return mine is not None and mine.can_decide and why_not(actor, Do.DECIDE, Resource(run.model)) is None


def _why_not_decide(actor: Actor, run: Run, mine: Standing | None) -> str:
    refused = why_not(actor, Do.DECIDE, Resource(run.model))
    if mine is not None and not mine.can_decide:
        return f"{actor.name} {mine.why}." if not mine.why.startswith(("the gate", "already")) else f"{mine.why}."
    return refused[0] if refused is not None else ""


def _can_withdraw(actor: Actor, gate: Gate, view: GateView) -> bool:
    is_theirs = any(actor.name in {d.by, d.counts_as} and not d.is_withdrawn for d in view.decisions)
    return is_theirs and gate.status == "open" and why_not(actor, Do.WITHDRAW, Resource(gate.subject.model)) is None


def _choices(run: Run, gate: Gate, view: GateView) -> dict[str, str]:
    """What each verdict leads to, in a line."""
    step = run.pipeline.step(gate.step)
    missing = sum(state.missing for state in view.evaluation.rules)
    goes = f"goes to {gate.subject.environment}" if gate.subject.environment is not None else "goes on"
    approve = (
        f"The last approval that it needs: it {goes}" if missing <= 1 else f"{missing - 1} more needed after yours"
    )
    if not isinstance(step, ApprovalStep):
        return {"approve": approve, "request_changes": "", "reject": ""}
    return {
        "approve": approve,
        "request_changes": _leads(run, step.on_changes_requested, f"{run.submitter} can answer and submit again"),
        "reject": _leads(run, step.on_reject, "Trains again"),
    }


def _leads(run: Run, then: OnReject, words: str) -> str:
    if then is OnReject.FAIL_PIPELINE:
        return "Ends this run"
    left = run.pipeline.max_attempts - run.attempt.number
    if left <= 0:
        return "Ends this run: its attempts are used up"
    if run.pipeline.trains:
        return f"Trains attempt {run.attempt.number + 1} of {run.pipeline.max_attempts}, with your reasons"
    return words


def discussion_of(view: RunView, attempt: Attempt) -> list[Said]:
    """What was said about the run, oldest first."""
    said = [_comment(one) for one in view.comments]
    for found in view.gates:
        for one in found.decisions:
            reasons = tuple(f"{r.kind.value} {r.subject}" if r.subject else r.kind.value for r in one.reasons)
            about = "" if found.gate.attempt == attempt.number else f" attempt {found.gate.attempt}"
            who = "the pipeline's own rule" if one.is_policy else one.by
            behalf = f" for {one.on_behalf_of}" if one.on_behalf_of else ""
            did = f"decided about {found.gate.step}{about}{behalf}"
            said.append(Said(who, one.at, one.comment, did, one.verdict.value, reasons, one.is_withdrawn))
    said.sort(key=lambda one: one.at.timestamp() if one.at is not None else 0.0)
    run = view.line.run
    first = [Said(run.submitter, run.created_at, run.note, "submitted it")] if run.note else []
    return _with_plain([*first, *said])


def _with_plain(said: Sequence[Said]) -> list[Said]:
    """The same, of which the newest are read as Markdown, and what goes beyond so many characters is not."""
    left, found = _MOST_MARKDOWN, []
    for one in reversed(said):
        left -= len(one.body)
        found.append(one if left >= 0 else replace(one, is_plain=True))
    return found[::-1]


def _comment(row: Mapping[str, Any]) -> Said:
    return Said(str(row["by"]), row["at"], str(row["body"]), "commented")


def _became(view: RunView, seen: str | None, gate: Gate) -> Sequence[str]:
    """What is another about the gate than about the one whose digest was seen, in words."""
    former = next((found.gate for found in view.gates if found.gate.digest == seen), None)
    return former.subject.difference(gate.subject) if former is not None else ()
