"""Deciding about a gate, and taking one's decision back while it is open."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor, Credential
from signoff.domain.audit import Event
from signoff.domain.chat import QUESTION_LASTS, ChatRefusedError, why_not_in_chat
from signoff.domain.deciding import check_can_decide, check_complete, choose_for_whom
from signoff.domain.errors import ConflictError, GateClosedError, NotFoundError, StepUpRequiredError
from signoff.domain.gate import Decision, Evaluation, Gate, GateStatus, Reason, Verdict, evaluate
from signoff.domain.protection import who_asks_for_passkey
from signoff.domain.run import Run
from signoff.domain.standing import decision_of, room_of
from signoff.domain.version import digest_bytes
from signoff.engine.gates import earlier_approvals
from signoff.engine.settling import close_gate
from signoff.service.challenges import Answer, Question, ask_passkey, confirm
from signoff.service.desk import Desk, happened
from signoff.service.privacy import find_run_id
from signoff.store import absence, chat, gates, people, runs
from signoff.store.database import Transaction
from signoff.store.environments import get_environments
from signoff.store.passkeys import Challenge, add_challenge, take_challenge

_PURPOSE = "decide"
_IN_CHAT = "decide in a chat"


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What one person says about one gate. `digest` is the subject that they saw.

    `on_behalf_of` names the absent person whom a delegate decides for, where the delegate has to choose. `confirmation`
    is a passkey's answer to what `ask_confirmation` asked, where the environment or the step wants one; from a chat,
    that they answered what `ask_in_chat` asked.
    """

    verdict: Verdict
    digest: str
    comment: str = ""
    reasons: tuple[Reason, ...] = ()
    ticked: tuple[str, ...] = ()
    on_behalf_of: str | None = None
    confirmation: Answer | None = None


@dataclass(frozen=True, slots=True)
class GateView:
    """A gate, how far its rules are, and every decision about it."""

    gate: Gate
    evaluation: Evaluation
    decisions: tuple[Decision, ...]


def decide_gate(desk: Desk, actor: Actor, run_id: str, step: str, said: Verdicts) -> GateView:
    """Record the decision; when the rules are satisfied or somebody says no, the gate closes.

    Returns the gate as it is then.

    Raises:
        StepUpRequiredError, PasskeyError: a passkey has to confirm it, and did not.
        ChatRefusedError: it comes from a chat, and is not taken from there or was not asked there.
        CannotDecideError, GateClosedError, SubjectChangedError, AlreadyDecidedError, CommentRequiredError,
        ChecklistError: and nothing changed.
    """
    at = desk.clock()
    with desk.database.begin() as tx:
        run = runs.lock_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.DECIDE, Resource(run.model))
        gate = find_gate(run, step)
        directory = people.get_directory(tx)
        before = gates.list_decisions(tx, [gate.id])[gate.id]
        room = room_of(gate, directory, absence.list_present(tx, at))
        absent = choose_for_whom(room, actor.name, before, said.on_behalf_of)
        check_can_decide(room, actor.name, said.verdict, before, digest=said.digest, on_behalf_of=absent)
        check_complete(gate, said.verdict, said.comment, said.ticked)
        passkey = _confirmed(desk, tx, actor, run, gate, said, absent)
        decision = Decision(
            id=secrets.token_hex(8),
            by=actor.name,
            verdict=said.verdict,
            digest=said.digest,
            at=at,
            comment=said.comment,
            reasons=said.reasons,
            ticked=said.ticked,
            on_behalf_of=absent,
            passkey=passkey,
        )
        evaluation = evaluate(gate, [*before, decision], directory, earlier=earlier_approvals(tx, run, gate))
        decided = happened(
            Event.GATE_DECIDED,
            actor,
            at,
            run.id,
            run.model,
            step=gate.step,
            gate=gate.id,
            attempt=gate.attempt,
            verdict=said.verdict.value,
            digest=said.digest,
            comment=said.comment,
            **({"on_behalf_of": absent} if absent is not None else {}),
            **_authenticated(actor, passkey),
            reasons=[{"kind": r.kind.value, "subject": r.subject} for r in said.reasons],
        )
        gates.add_decision(tx, gate, decision, audit=[decided])
        if evaluation.status is not GateStatus.OPEN:
            gate = _close(tx, actor, run, gate, evaluation.status, desk)
    return GateView(gate, evaluation, (*before, decision))


def ask_confirmation(desk: Desk, actor: Actor, run_id: str, step: str, said: Verdicts) -> Question:
    """What the browser asks a passkey of the actor, to confirm exactly this decision.

    Raises:
        PasskeyError: they have none.
        CannotDecideError, NotFoundError, ConflictError: they could not decide at all.
    """
    with desk.database.begin() as tx:
        run = runs.get_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.DECIDE, Resource(run.model))
        gate = find_gate(run, step)
        return ask_passkey(desk, tx, actor.name, _PURPOSE, _digest(actor, gate, said))


def ask_in_chat(tx: Transaction, actor: Actor, gate: Gate, said: Verdicts, absent: str | None, *, at: datetime) -> str:
    """Remember that exactly this decision was asked of the actor in a chat; what their answer has to name.

    For `service.chat`, which checked that they could decide so.
    """
    digest = _digest(actor, gate, replace(said, on_behalf_of=absent))
    question = secrets.token_hex(16)
    add_challenge(tx, Challenge(question, actor.name, _IN_CHAT, digest, b"", at, at + QUESTION_LASTS))
    return question


def _confirmed(
    desk: Desk, tx: Transaction, actor: Actor, run: Run, gate: Gate, said: Verdicts, absent: str | None
) -> str | None:
    """The passkey that confirmed the decision; None where none is asked for."""
    environments = get_environments(tx)
    if actor.credential is Credential.CHAT:
        why = why_not_in_chat(gate, run.pipeline, environments, said.verdict)
        if why is not None:
            raise ChatRefusedError(f"{gate.step} is not decided in a chat: {why}.", "Decide on the page.")
        _check_asked_in_chat(tx, actor, gate, replace(said, on_behalf_of=absent), at=desk.clock())
        return None
    who = who_asks_for_passkey(run.pipeline.step(gate.step), environments.get(gate.subject.environment or ""))
    if who is None or said.verdict is not Verdict.APPROVE:
        return None
    if said.confirmation is None:
        raise StepUpRequiredError(
            f"{who} counts an approval only when a passkey confirms it.",
            f"Approve on the page: {desk.url}/runs/{gate.run_id}/gates/{gate.step}",
        )
    return confirm(desk, tx, actor.name, _PURPOSE, _digest(actor, gate, said), said.confirmation).id


def _check_asked_in_chat(tx: Transaction, actor: Actor, gate: Gate, said: Verdicts, *, at: datetime) -> None:
    """Return when the actor was asked exactly this in a chat, and answers for the first time and in time.

    Held, so that nobody ends the link of the chat's user between this look and the decision.
    """
    team, _, user = (actor.credential_id or "").partition("/")
    account = chat.find_account(tx, team, user, hold=True)
    question = said.confirmation.question if said.confirmation is not None else ""
    asked = take_challenge(tx, question, _IN_CHAT, at=at)
    is_theirs = asked is not None and asked.person == actor.name and asked.digest == _digest(actor, gate, said)
    if account is None or account.person != actor.name or not is_theirs:
        raise ChatRefusedError(
            "This was not asked of you, is too old, or was answered already.", "Press Approve in the message once more."
        )


def _digest(actor: Actor, gate: Gate, said: Verdicts) -> str:
    """Of one person's whole decision about one gate: what a passkey confirms."""
    whole = {
        "by": actor.name,
        "gate": gate.id,
        "verdict": said.verdict.value,
        "digest": said.digest,
        "comment": said.comment,
        "reasons": [[reason.kind.value, reason.subject] for reason in said.reasons],
        "ticked": list(said.ticked),
        "on_behalf_of": said.on_behalf_of,
    }
    return digest_bytes(json.dumps(whole, sort_keys=True).encode())


def _authenticated(actor: Actor, passkey: str | None) -> dict[str, Any]:
    """How and when the person of a decision proved who they are."""
    found: dict[str, Any] = {"methods": list(actor.methods)} if actor.methods else {}
    if actor.authenticated_at is not None:
        found["authenticated_at"] = actor.authenticated_at.isoformat()
    return found | ({"passkey": passkey} if passkey is not None else {})


def _close(tx: Transaction, actor: Actor, run: Run, gate: Gate, status: GateStatus, desk: Desk) -> Gate:
    at = desk.clock()
    closed = happened(
        Event.GATE_CLOSED, actor, at, run.id, run.model, step=gate.step, gate=gate.id, status=status.value
    )
    return close_gate(tx, run, gate, status, at=at, audit=[closed])


def withdraw_decision(desk: Desk, actor: Actor, run_id: str, step: str | None = None) -> str:
    """Take one's own approval back while the gate is open. Returns the run's id.

    Raises:
        GateClosedError: it has closed; what follows has begun.
        NotFoundError: there is no decision of this person.
    """
    at = desk.clock()
    with desk.database.begin() as tx:
        run = runs.lock_run(tx, find_run_id(tx, actor, run_id))
        authorize(actor, Do.WITHDRAW, Resource(run.model))
        gate = find_gate(run, step)
        mine = _mine(actor, gates.list_decisions(tx, [gate.id])[gate.id])
        if mine is None:
            raise NotFoundError(f"{actor.name} has not decided about {gate.step}.", "There is nothing to withdraw.")
        if gate.status is not GateStatus.OPEN:
            raise GateClosedError(
                f"{gate.step} is closed: {gate.status.replace('_', ' ')}.", "A decision can be withdrawn until then."
            )
        withdrawn = happened(
            Event.GATE_WITHDRAWN, actor, at, run.id, run.model, step=gate.step, gate=gate.id, verdict=mine.verdict.value
        )
        gates.withdraw_decision(tx, mine, audit=[withdrawn])
    return run.id


def _mine(actor: Actor, decisions: Sequence[Decision]) -> Decision | None:
    """The decision that the actor made, or that a delegate made for them."""
    return decision_of(actor.name, decisions)


def find_gate(run: Run, step: str | None) -> Gate:
    """The newest gate of `step` in the present attempt; without a step the open one.

    Raises:
        NotFoundError: the run has no such gate, or none that waits.
        ConflictError: the step has not opened its gate yet.
    """
    if step is None:
        if run.open_gate is not None:
            return run.open_gate
        newest = max(run.gates, key=lambda gate: gate.opened_at, default=None)
        if newest is None:
            raise NotFoundError(f"Run {run.id} has no gate yet.", f"It is {run.status}: `signoff show {run.id}`.")
        return newest
    gate = run.gate(step)
    if gate is not None:
        return gate
    approvals = [s.name for s in run.pipeline.steps if s.type == "approval"]
    if step in approvals:
        raise ConflictError(
            f"{step} is not open yet in attempt {run.attempt.number}.",
            f"`signoff show {run.id}` tells where it stands.",
        )
    raise NotFoundError(
        f"Run {run.id} has no approval step {step!r}.", f"Its approval steps are {', '.join(approvals) or 'none'}."
    )
