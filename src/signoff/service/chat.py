"""Deciding from a chat: a button that somebody pressed becomes a question, and the answer to it a decision.

What a message says is never believed: whoever knows a channel's webhook could post one. The question is asked by the
server, of one person, about what the gate is at that moment; only its answer decides, once, by the same function as a
decision on the page.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urlsplit

import structlog

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor, Credential, actor_of
from signoff.domain.chat import (
    CODE_LASTS,
    Act,
    Button,
    ChatCallError,
    ChatRefusedError,
    ChatRepeatedError,
    ChatUser,
    Press,
    Reply,
    read_question,
    why_not_in_chat,
)
from signoff.domain.deciding import check_can_decide, choose_for_whom
from signoff.domain.errors import NotAvailableError, NotFoundError, SignoffError
from signoff.domain.gate import Gate, GateStatus, Verdict
from signoff.domain.run import Run
from signoff.domain.standing import room_of
from signoff.domain.target import TargetKind
from signoff.service.challenges import Answer
from signoff.service.credentials import CHAT, fingerprint, new_secret
from signoff.service.decisions import GateView, Verdicts, ask_in_chat, decide_gate
from signoff.service.desk import Desk
from signoff.service.privacy import find_run_id
from signoff.store import absence, chat, evidence, gates, people, runs, targets
from signoff.store.database import Transaction
from signoff.store.environments import get_environments

LOG = structlog.get_logger("signoff.chat")
KEEP_CALLS = timedelta(minutes=15)
"""Longer than a signature is fresh."""


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody who pressed a button is to be shown."""

    press: Press
    reply: Reply


def receive_call(desk: Desk, body: bytes, *, timestamp: str, signature: str) -> Told | None:
    """Do what a button of a chat asks for; what its person is to be shown, or None where nothing was asked.

    The chat service's signature is what lets it in; what it may do is what the person may to whom the user is linked.

    Raises:
        NotAvailableError: no chat is set up.
        ChatSignatureError, ChatCallError: as `Chat.believe`.
        ChatRepeatedError: this very call came before.
    """
    if desk.chat is None:
        raise NotAvailableError("This server takes no answers from a chat.", "Set SIGNOFF_SLACK_SIGNING_SECRET.")
    at = desk.clock()
    press = desk.chat.believe(body, timestamp=timestamp, signature=signature, now=at)
    if press is None:
        return None
    with desk.database.begin() as tx:
        if not chat.use_call(tx, fingerprint(press.signature), expires_at=at + KEEP_CALLS):
            raise ChatRepeatedError("This call came before.", "Press the button again.")
    try:
        reply = _answer(desk, press)
    except SignoffError as error:
        LOG.info("refused in a chat", code=error.code, what=error.what, team=press.who.team, user=press.who.user)
        reply = _refusal(desk, press, error)
    return Told(press, reply)


def send_reply(desk: Desk, told: Told) -> None:
    """Show it to them. What was decided is decided, whether they see that or not."""
    if desk.chat is None:
        return
    with desk.database.read() as tx:
        known = [target for target in targets.list_targets(tx) if target.kind is TargetKind.SLACK]
    parts = [urlsplit(target.url.reveal()) for target in known]
    try:
        desk.chat.reply(told.press, told.reply, origins={f"{part.scheme}://{part.netloc}" for part in parts})
    except SignoffError as error:
        LOG.warning("a chat did not take an answer", why=str(error))


def _answer(desk: Desk, press: Press) -> Reply:
    if press.act == Act.CANCEL:
        return Reply(("Nothing was decided.",), replaces=True)
    if press.act not in {Act.APPROVE, Act.CONFIRM}:
        raise ChatCallError("This button asks for nothing that signoff knows.", "Use one of a newer message.")
    actor = _actor(desk, press.who)
    if actor is None:
        return _invitation(desk, press.who)
    return _ask(desk, actor, press.value) if press.act == Act.APPROVE else _decide(desk, actor, press.value)


def _actor(desk: Desk, who: ChatUser) -> Actor | None:
    """The person to whom that user of the chat is linked; None when they are nobody here."""
    with desk.database.read() as tx:
        account = chat.find_account(tx, who.team, who.user)
        directory = people.get_directory(tx)
    if account is None:
        return None
    person = directory.people.get(account.person)
    if person is None or not person.is_active:
        raise ChatRefusedError(f"{account.person} is let in no more.", "An administrator can change that.")
    return replace(actor_of(person, Credential.CHAT, directory.private), credential_id=f"{who.team}/{who.user}")


def _invitation(desk: Desk, who: ChatUser) -> Reply:
    """For somebody who is nobody here yet: the link by which they say who they are."""
    code = new_secret(CHAT)
    with desk.database.begin() as tx:
        chat.add_code(tx, fingerprint(code), who, expires_at=desk.clock() + CODE_LASTS)
    minutes = CODE_LASTS.seconds // 60
    lines = (
        "Nothing was decided: signoff does not know yet who you are.",
        f"Open this within {minutes} minutes, sign in, and say that it is you. The link is for you alone.",
    )
    return Reply(
        lines, buttons=(Button("Say who I am", Act.OPEN, url=f"{desk.url}/settings/chat?code={code}", is_first=True),)
    )


def _ask(desk: Desk, actor: Actor, value: str) -> Reply:
    """Ask whether they really approve, and what exactly."""
    gate_id, digest = read_question(value)
    with desk.database.begin() as tx:
        gate, run = _found(tx, actor, gate_id)
        authorize(actor, Do.DECIDE, Resource(run.model))
        directory = people.get_directory(tx)
        before = gates.list_decisions(tx, [gate.id])[gate.id]
        room = room_of(gate, directory, absence.list_present(tx, desk.clock()))
        absent = choose_for_whom(room, actor.name, before)
        check_can_decide(room, actor.name, Verdict.APPROVE, before, digest=digest, on_behalf_of=absent)
        why = why_not_in_chat(gate, run.pipeline, get_environments(tx))
        if why is not None:
            raise ChatRefusedError(f"{gate.step} is not decided in a chat: {why}.", "Decide on the page.")
        checks = _checks(tx, gate)
        question = ask_in_chat(tx, actor, gate, _said(digest), absent, at=desk.clock())
    place = gate.subject.environment
    facts = [("Step", gate.step), ("Submitted by", run.submitter), ("Checks", checks)]
    facts += [("You decide for", absent)] if absent is not None else []
    facts += [("Bytes of the model", gate.subject.manifest_digest), ("What you sign", gate.digest)]
    return Reply(
        (f"{actor.name}: approve {_label(gate)} for {place}?",),
        tuple(facts),
        (
            Button("Approve this", Act.CONFIRM, f"{question} {value}", is_first=True),
            Button("Review it first", Act.OPEN, url=_page(desk, gate)),
            Button("Do nothing", Act.CANCEL),
        ),
    )


def _decide(desk: Desk, actor: Actor, value: str) -> Reply:
    question, _, about = value.partition(" ")
    gate_id, digest = read_question(about)
    with desk.database.read() as tx:
        gate, run = _found(tx, actor, gate_id)
    done = decide_gate(desk, actor, run.id, gate.step, replace(_said(digest), confirmation=Answer(question, "")))
    words = f"You approved {_label(gate)} as {actor.name}. {_what_follows(done)} That is in the audit trail now."
    return Reply((words,), (("What you signed", digest),), _to_page(desk, gate), replaces=True)


def _said(digest: str) -> Verdicts:
    return Verdicts(Verdict.APPROVE, digest)


def _found(tx: Transaction, actor: Actor, gate_id: str) -> tuple[Gate, Run]:
    """The gate and its run, as far as the actor may know of them."""
    gate = gates.get_gate(tx, gate_id)
    return gate, runs.get_run(tx, find_run_id(tx, actor, gate.run_id))


def _checks(tx: Transaction, gate: Gate) -> str:
    """How many checks said what, in words."""
    found = evidence.list_evidence(tx, gate.subject.evidence_digests).values()
    statuses = [check.status.value for one in found for check in one.checks]
    counts = [f"{statuses.count(status)} {status}" for status in sorted(set(statuses))]
    return ", ".join(counts) or "none"


def _what_follows(view: GateView) -> str:
    if view.gate.status is not GateStatus.OPEN:
        return "That was the last approval it needed."
    missing = sum(state.missing for state in view.evaluation.rules)
    return f"{missing} more {'is' if missing == 1 else 'are'} needed."


def _refusal(desk: Desk, press: Press, error: SignoffError) -> Reply:
    """A refusal in words, and the way to the page where there is one."""
    about = press.value if press.act == Act.APPROVE else press.value.partition(" ")[2]
    buttons: tuple[Button, ...] = ()
    with suppress(NotFoundError), desk.database.read() as tx:
        if not isinstance(error, NotFoundError):
            buttons = _to_page(desk, gates.get_gate(tx, about.partition(" ")[0]))
    lines = f"Nothing was decided. {error.what}", error.hint
    return Reply(tuple(filter(None, lines)), (), buttons, press.act == Act.CONFIRM)


def _to_page(desk: Desk, gate: Gate) -> tuple[Button, ...]:
    return (Button("Open the review", Act.OPEN, url=_page(desk, gate)),)


def _page(desk: Desk, gate: Gate) -> str:
    return f"{desk.url}/runs/{gate.run_id}/gates/{gate.step}"


def _label(gate: Gate) -> str:
    return f"{gate.subject.model} v{gate.subject.version}"
