"""`signoff approve`, `request-changes`, `reject`, `withdraw` and `comment`: what people say about a version.

A decision names a digest: exactly what was seen. Without `--digest` it is shown first, and then asked.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from signoff.cli.exits import Exit
from signoff.cli.options import NOTHING, Common, MessageOption, RunArgument, connect
from signoff.cli.screen import Screen, safe
from signoff.domain.errors import CannotDecideError, ConflictError, InvalidError

if TYPE_CHECKING:
    from signoff.sdk.client import Client
    from signoff.wire.gates import GateBody, ReasonRequest
    from signoff.wire.runs import RunBody

KINDS = ("metric", "slice", "data", "fairness", "documentation", "security", "other")
_YES = frozenset({"y", "yes"})

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
ForOption = Annotated[
    str | None, Parameter(name="--for", metavar="NAME", help="As a delegate: the absent person you decide for.")
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
    absent: ForOption = None,
    yes: YesOption = False,
    common: Common = NOTHING,
) -> int:
    """Sign a model version off. Shows what is being signed, then asks."""
    said = _Said("approve", message, reason or [], tick or [], digest, absent)
    return _decide(said, run, step, is_sure=yes, common=common)


def request_changes(
    run: RunArgument,
    /,
    *,
    step: StepOption = None,
    message: CommentOption = "",
    reason: ReasonOption = None,
    digest: DigestOption = None,
    absent: ForOption = None,
    yes: YesOption = False,
    common: Common = NOTHING,
) -> int:
    """Send a version back, saying what to change; the next attempt is trained or submitted with your words."""
    said = _Said("request_changes", message, reason or [], [], digest, absent)
    return _decide(said, run, step, is_sure=yes, common=common)


def reject(
    run: RunArgument,
    /,
    *,
    step: StepOption = None,
    message: CommentOption = "",
    reason: ReasonOption = None,
    digest: DigestOption = None,
    absent: ForOption = None,
    yes: YesOption = False,
    common: Common = NOTHING,
) -> int:
    """Say no, and why."""
    said = _Said("reject", message, reason or [], [], digest, absent)
    return _decide(said, run, step, is_sure=yes, common=common)


def withdraw(run: RunArgument, /, *, step: StepOption = None, common: Common = NOTHING) -> int:
    """Take your own decision back, while the gate is open."""
    screen = Screen(common)
    with connect(common) as client:
        body = client.get_run(run)
        chosen = choose_gate(body, step)
        gate = client.withdraw(body.id, chosen)
    if screen.is_json:
        screen.document(gate)
    screen.say(f"Your decision about {safe(gate.step)} of run {safe(body.id)} is withdrawn.")
    return Exit.DONE


def comment(
    run: RunArgument,
    /,
    *,
    message: Annotated[MessageOption, Parameter(help="What you have to say.")] = "",
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


def choose_gate(run: RunBody, step: str | None) -> str:
    """The approval step meant: the one named, else the one that waits.

    Raises:
        ConflictError: none waits.
    """
    from signoff.cli.run_page import open_gate
    from signoff.cli.words import outlook, plain

    if step is not None:
        return step
    gate = open_gate(run)
    if gate is not None:
        return gate.step
    hint = outlook(run.waits_for) if run.waits_for else f"`signoff show {run.id}` tells how it stands."
    has = "has" if run.status in {"succeeded", "failed", "errored", "expired"} else "is"
    raise ConflictError(f"Nothing of run {run.id} waits for a decision: it {has} {plain(run.status)}.", hint)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the command line said of a decision."""

    verdict: str
    comment: str
    reasons: Sequence[str]
    ticked: Sequence[str]
    digest: str | None
    absent: str | None


def _decide(said: _Said, name: str, step: str | None, *, is_sure: bool, common: Common) -> int:
    from signoff.wire.gates import DecisionRequest

    screen = Screen(common)
    typed = _reasons(said.reasons)
    word = said.verdict.replace("_", " ")
    if said.digest is None and not is_sure and not screen.can_ask:
        raise InvalidError(
            f"Nobody is there to be asked whether to {word}.",
            "Give --digest with what was seen, or --yes to decide about what is there now.",
        )
    comment, ticked = said.comment, list(said.ticked)
    with connect(common) as client:
        run = client.get_run(name)
        chosen = choose_gate(run, step)
        seen = said.digest
        if seen is None:
            gate = client.get_gate(run.id, chosen)
            seen = gate.digest
            if not is_sure:
                _show(screen, client, run, gate, said)
                confirmed = _ask_ticks(gate, ticked) if said.verdict == "approve" else ticked
                if confirmed is None:
                    screen.show("Nothing was decided: an approval confirms the whole checklist.")
                    return Exit.REFUSED
                ticked = confirmed
                comment = comment or ("" if said.verdict == "approve" else _ask("Why? ", ""))
                if _ask(f"{word.capitalize()} this? [y/N] ", "n").lower() not in _YES:
                    screen.show("Nothing was decided.")
                    return Exit.REFUSED
        request = DecisionRequest(
            verdict=said.verdict,
            digest=seen,
            comment=comment,
            reasons=typed,
            ticked=ticked,
            on_behalf_of=said.absent,
        )
        after = client.decide(run.id, chosen, request)
        _tell(screen, client, run, after, said.verdict)
    return Exit.DONE


def _show(screen: Screen, client: Client, run: RunBody, gate: GateBody, said: _Said) -> None:
    """What is being signed.

    Raises:
        CannotDecideError: the person would be refused anyway; better before the reading than after it.
    """
    from signoff.cli.signing import signing

    me = client.me().name
    standing = next((p for p in client.explain(run.id, gate.step).people if p.person == me), None)
    if standing is not None and not standing.can_decide:
        raise CannotDecideError(
            f"{me} cannot decide about {gate.step}: {standing.why}.",
            f"`signoff explain {run.id}` tells who can.",
        )
    absent = said.absent
    if absent is None and standing is not None and not standing.is_own and len(standing.stands_in_for) == 1:
        absent = standing.stands_in_for[0]
    who = me if absent is None else f"{me} on behalf of {absent}"
    for part in signing(run, gate, who, said.verdict):
        screen.show(part)


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


def _ask_ticks(gate: GateBody, ticked: Sequence[str]) -> list[str] | None:
    """The checklist's lines, each given with --tick or confirmed now; None as soon as one is not."""
    found = list(ticked)
    for line in gate.checklist:
        if line not in found:
            if _ask(f"  {line}? [y/N] ", "n").lower() not in _YES:
                return None
            found.append(line)
    return found


def _ask(question: str, otherwise: str) -> str:
    """What the person answers; Ctrl-D is `otherwise`."""
    from signoff.cli.screen import clean

    sys.stdout.write(clean(question))
    sys.stdout.flush()
    answer = sys.stdin.readline()
    return answer.strip() if answer else otherwise
