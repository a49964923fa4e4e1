"""`signoff approve`, `request-changes`, `reject`, `withdraw` and `comment`: what people say about a version.

A decision names a digest: exactly what was seen. Without `--digest` it is shown first, and then asked.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, MessageOption, RunArgument, connect
from signoff.cli.screen import Screen, safe
from signoff.domain.errors import ConflictError, InvalidError

if TYPE_CHECKING:
    from signoff.sdk.client import Client
    from signoff.wire.gates import GateBody, ReasonRequest
    from signoff.wire.runs import RunBody

KINDS = ("metric", "slice", "data", "fairness", "documentation", "security", "other")

StepOption = Annotated[str | None, Parameter(help="The approval step. Default: the one that waits.")]
CommentOption = Annotated[MessageOption, Parameter(help="Your comment; requesting changes and rejecting need one.")]
ReasonOption = Annotated[
    list[str] | None,
    Parameter(
        name="--reason", metavar="KIND[:SUBJECT]", help=f"Why, such as metric:recall. One of {', '.join(KINDS)}."
    ),
]
DigestOption = Annotated[
    str | None, Parameter(metavar="sha256:...", help="What you have seen, if you have seen it elsewhere.")
]
YesOption = Annotated[bool, Parameter(help="Do not ask; for scripts that have just read it.")]


def approve(
    run: RunArgument,
    /,
    *,
    step: StepOption = None,
    message: CommentOption = "",
    reason: ReasonOption = None,
    tick: Annotated[list[str] | None, Parameter(metavar="TEXT", help="A line of the checklist; repeat it.")] = None,
    digest: DigestOption = None,
    yes: YesOption = False,
    common: Common = NOTHING,
) -> int:
    """Sign a model version off. Shows what is being signed, then asks."""
    return _decide("approve", run, step, message, reason, digest, ticked=tick or [], is_sure=yes, common=common)


def request_changes(
    run: RunArgument,
    /,
    *,
    step: StepOption = None,
    message: CommentOption = "",
    reason: ReasonOption = None,
    digest: DigestOption = None,
    yes: YesOption = False,
    common: Common = NOTHING,
) -> int:
    """Send a version back, saying what to change; the next attempt is trained or submitted with your words."""
    return _decide("request_changes", run, step, message, reason, digest, ticked=[], is_sure=yes, common=common)


def reject(
    run: RunArgument,
    /,
    *,
    step: StepOption = None,
    message: CommentOption = "",
    reason: ReasonOption = None,
    digest: DigestOption = None,
    yes: YesOption = False,
    common: Common = NOTHING,
) -> int:
    """Say no, and why."""
    return _decide("reject", run, step, message, reason, digest, ticked=[], is_sure=yes, common=common)


def withdraw(run: RunArgument, /, *, step: StepOption = None, common: Common = NOTHING) -> int:
    """Take your own decision back, while the gate is open."""
    screen = Screen(common)
    with connect(common) as client:
        body = client.get_run(run)
        chosen = choose_gate(body, step)
        gate = client.withdraw(body.id, chosen or "")
    if screen.is_json:
        screen.document(gate)
    screen.say(f"Your decision about {safe(gate.step)} of run {safe(body.id)} is withdrawn.")
    return Exit.DONE


def comment(
    run: RunArgument,
    /,
    *,
    message: Annotated[MessageOption, Parameter(help="What you have to say.")],
    common: Common = NOTHING,
) -> int:
    """Say something about a run. It decides nothing."""
    screen = Screen(common)
    if not message.strip():
        raise InvalidError("The comment is empty.", "Say it with -m TEXT.")
    with connect(common) as client:
        said = client.comment(run, message)
    if screen.is_json:
        screen.document(said)
    screen.say("Said.")
    return Exit.DONE


def choose_gate(run: RunBody, step: str | None, *, must_be_open: bool = True) -> str | None:
    """The approval step meant: the one named, else the one that waits, else (if allowed) the last one, or None.

    Raises:
        ConflictError: none waits.
    """
    from signoff.cli.run_page import open_gate
    from signoff.cli.words import plain

    if step is not None:
        return step
    gate = open_gate(run)
    if gate is not None:
        return gate.step
    if not must_be_open:
        gates = run.attempts[-1].gates if run.attempts else []
        return gates[-1].step if gates else None
    hint = f"It waits for {run.waits_for}." if run.waits_for else f"`signoff show {run.id}` tells how it stands."
    raise ConflictError(f"Nothing of run {run.id} waits for a decision: it is {plain(run.status)}.", hint)


def _decide(
    verdict: str,
    name: str,
    step: str | None,
    comment: str,
    reasons: Sequence[str] | None,
    digest: str | None,
    *,
    ticked: list[str],
    is_sure: bool,
    common: Common,
) -> int:
    from signoff.wire.gates import DecisionRequest

    screen = Screen(common)
    typed = _reasons(reasons or [])
    word = verdict.replace("_", "-")
    if digest is None and not is_sure and not screen.can_ask:
        raise InvalidError(
            f"Nobody is there to be asked whether to {word.replace('-', ' ')}.",
            "Give --digest with what was seen, or --yes to decide about what is there now.",
        )
    with connect(common) as client:
        run = client.get_run(name)
        chosen = choose_gate(run, step) or ""
        seen = digest
        if seen is None:
            gate = client.get_gate(run.id, chosen)
            _show(screen, client, run, gate, verdict)
            seen = gate.digest
            if not is_sure:
                if gate.status == "open":
                    ticked = _ask_ticks(gate, ticked) if verdict == "approve" else ticked
                    comment = comment or ("" if verdict == "approve" else _ask("Why? ", ""))
                if _ask(f"{word.replace('-', ' ').capitalize()} this? [y/N] ", "n").lower() not in {"y", "yes"}:
                    screen.say("Nothing was decided.")
                    return Exit.REFUSED
        request = DecisionRequest(verdict=verdict, digest=seen, comment=comment, reasons=typed, ticked=ticked)
        after = client.decide(run.id, chosen, request)
        _tell(screen, client, run, after, verdict)
    return Exit.DONE


def _show(screen: Screen, client: Client, run: RunBody, gate: GateBody, verdict: str) -> None:
    from signoff.cli.signing import signing

    if not screen.is_json and not screen.is_quiet:
        for part in signing(run, gate, client.me().name, verdict):
            screen.say(part)


def _tell(screen: Screen, client: Client, run: RunBody, gate: GateBody, verdict: str) -> None:
    """What was decided, and what follows from it."""
    from signoff.cli.words import plain, sign, version_of

    if screen.is_json:
        screen.document(gate)
        return
    done = {"approve": "Approved", "request_changes": "Changes requested", "reject": "Rejected"}[verdict]
    screen.say(f"{sign(verdict)} {done}: {version_of(run)}, {safe(gate.step)} of run {safe(run.id)}.")
    if screen.is_quiet:
        return
    if gate.status == "open":
        screen.say(f"  {safe(client.explain(run.id, gate.step).sentence)}")
    else:
        screen.say(f"  The gate is closed: {plain(gate.status)}. `signoff show {safe(run.id)}` shows what follows.")


def _reasons(given: Sequence[str]) -> list[ReasonRequest]:
    from signoff.wire.gates import ReasonRequest

    typed = []
    for text in given:
        kind, _, subject = text.partition(":")
        if kind not in KINDS:
            raise InvalidError(
                f"{kind!r} is no kind of reason.", f"The kinds are {', '.join(KINDS)}; write metric:recall, or other."
            )
        typed.append(ReasonRequest(kind=kind, subject=subject or None))
    return typed


def _ask_ticks(gate: GateBody, ticked: list[str]) -> list[str]:
    """Every line of the checklist that the person says is so."""
    found = list(ticked)
    for line in gate.checklist:
        if line not in found and _ask(f"  {line}? [y/N] ", "n").lower() in {"y", "yes"}:
            found.append(line)
    return found


def _ask(question: str, otherwise: str) -> str:
    """What the person answers; Ctrl-D is `otherwise`."""
    from signoff.cli.screen import clean

    sys.stdout.write(clean(question))
    sys.stdout.flush()
    answer = sys.stdin.readline()
    return answer.strip() if answer else otherwise
