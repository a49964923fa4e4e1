"""A run as `signoff show` shows it: where it stands, what it waits for and whom, and what is known of the version."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from signoff.cli.evidence_page import evidence
from signoff.cli.screen import safe
from signoff.cli.words import (
    ago,
    deployed,
    minute,
    outlook,
    plain,
    sign,
    since,
    span,
    standing,
    status,
    version_of,
)

if TYPE_CHECKING:
    from rich.console import RenderableType

    from signoff.wire.gates import DecisionBody, GateBody
    from signoff.wire.runs import AttemptBody, RunBody, StepBody

_WORTH_SAYING = 0.1
_SAID = {"approve": "approved", "request_changes": "requested changes", "reject": "rejected"}


def page(run: RunBody) -> Iterator[RenderableType]:
    """Everything, part by part."""
    yield f"[bold]{version_of(run)}[/]  {sign(standing(run))} {status(standing(run))}"
    yield (
        f"[dim]run {safe(run.id)} of {safe(run.pipeline)} · attempt {run.attempt} of {run.max_attempts} · "
        f"begun by {safe(run.submitter)} {ago(run.created_at)}[/]"
    )
    if run.kind != "release":
        about = f" of run {safe(run.parent_id)}" if run.parent_id else ""
        yield f"[dim]{plain(run.kind)}{about}: nothing is trained or deployed[/]"
    if run.note:
        yield f"[dim]note:[/] {safe(run.note)}"
    if run.attempts:
        yield ""
        yield steps(run.attempts[-1])
    yield from _outlook(run)
    if run.attempts and run.attempts[-1].asked:
        yield from answers(run.attempts[-1])
    if run.attempts:
        yield from findings(run.attempts[-1])
    for attempt in reversed(run.attempts[:-1]):
        yield from _former(attempt)
    if run.comments:
        yield "\n[bold]Comments[/]"
        for comment in run.comments:
            yield f"  {safe(comment.by)}, {ago(comment.at)}: {safe(comment.body)}"
    if run.url:
        yield f"\n[dim]{safe(run.url)}[/]"


def steps(attempt: AttemptBody) -> RenderableType:
    """The steps of an attempt, a line each."""
    from rich.table import Table

    made = Table.grid(padding=(0, 2))
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    made.add_column(justify="right", no_wrap=True)
    for step in attempt.steps:
        made.add_row(f"  {sign(step.status)} {safe(step.name)}", _about(step, attempt), f"[dim]{_took(step)}[/]")
    return made


def answers(attempt: AttemptBody) -> Iterator[RenderableType]:
    """Each reason of the former reject, with the answer beneath it."""
    yield "\n[bold]What was asked of this attempt[/]"
    for asked in attempt.asked:
        about = f"{asked.kind} {asked.subject}" if asked.subject else asked.kind
        yield f"  {safe(asked.id)}. {safe(about)}, {safe(asked.by)}: {safe(asked.comment)}"
        yield f"     {safe(asked.answer)}" if asked.answer else "     [yellow]not answered yet[/]"


def findings(attempt: AttemptBody) -> Iterator[RenderableType]:
    """What the steps of an attempt found out: metrics with provenance and interval, checks, notes, files."""
    for step in attempt.steps:
        if step.evidence is not None:
            yield from evidence(step.name, step.evidence)


def decision(said: DecisionBody) -> str:
    """One person's verdict, in a line."""
    who = "the pipeline's own rule" if said.is_policy else said.by
    who += f" (for {said.on_behalf_of})" if said.on_behalf_of else ""
    about = ", ".join(f"{r.kind}: {r.subject}" if r.subject else r.kind for r in said.reasons)
    comment = f": {said.comment}" if said.comment else ""
    tail = f" [dim]({safe(about)})[/]" if about else ""
    if said.is_withdrawn:
        return f"[dim]- {safe(who)} {_SAID[said.verdict]} and withdrew it{safe(comment)}[/]"
    return f"{sign(said.verdict)} {safe(who)} {_SAID[said.verdict]} {ago(said.at)}{safe(comment)}{tail}"


def open_gate(run: RunBody) -> GateBody | None:
    """The gate that waits for people, if one does."""
    gates = run.attempts[-1].gates if run.attempts else []
    return next((gate for gate in reversed(gates) if gate.status == "open"), None)


def _outlook(run: RunBody) -> Iterator[RenderableType]:
    """What it waits for and whom, or why it ended."""
    gate = open_gate(run)
    if run.waits_for:
        yield f"\n[yellow]{safe(outlook(run.waits_for))}[/]"
    if run.valid_until is not None and not run.has_expired_approval:
        yield f"  [dim]the approval stands until {minute(run.valid_until)}[/]"
    if gate is not None:
        if gate.note:
            yield f"  [dim]{safe(gate.note)}[/]"
        if gate.reminders and gate.remind_at is not None:
            again = f"{gate.reminders} {'reminder' if gate.reminders == 1 else 'reminders'} sent"
            yield f"  [dim]{again}, the next {minute(gate.remind_at)}[/]"
        yield f"  signoff approve {safe(run.id)}   [dim]shows what is signed, then asks[/]"
        yield f"  signoff explain {safe(run.id)}   [dim]tells who can decide, and why others cannot[/]"
    told = {step.error for attempt in run.attempts[-1:] for step in attempt.steps}
    if run.error and run.error not in told:
        yield f"\n[red]{safe(run.error)}[/]"
    for deployment in run.deployments:
        if deployment.status == "live":
            at = f" at {safe(deployment.address)}" if deployment.address else ""
            yield f"\n{sign('live')} {deployed(deployment)} is live in [bold]{safe(deployment.environment)}[/]{at}"
            if deployment.warning:
                yield f"[bold red]![/] {safe(deployment.warning)}"


def _about(step: StepBody, attempt: AttemptBody) -> str:
    """What there is to say about a step, in a few words."""
    gates = [gate for gate in attempt.gates if gate.step == step.name]
    if gates:
        told = [decision(said) for said in gates[-1].decisions]
        rules = [
            f"{len(rule.counted)} of {rule.required_approvals} for {safe(rule.name)}"
            for rule in gates[-1].rules
            if rule.missing and gates[-1].status == "open"
        ]
        return "\n".join([*([" · ".join(rules)] if rules else []), *told]) or status(step.status)
    if step.error:
        return f"[red]{safe(step.error)}[/]"
    said = [safe(step.note)] if step.note else []
    if step.evidence is not None and step.evidence.checks:
        passed = sum(check.status == "passed" for check in step.evidence.checks)
        said.append(f"{passed} of {len(step.evidence.checks)} checks passed")
    again = f" (try {step.tries})" if step.tries > 1 else ""
    return (" · ".join(said) or status(step.status)) + again


def _took(step: StepBody) -> str:
    if step.started_at is not None and step.status == "running":
        return since(step.started_at)
    if step.started_at is None or step.ended_at is None:
        return ""
    seconds = (step.ended_at - step.started_at).total_seconds()
    return span(seconds) if seconds >= _WORTH_SAYING else ""


def _former(attempt: AttemptBody) -> Iterator[RenderableType]:
    """An attempt that another one followed: what was said about it."""
    version = f" · v{safe(attempt.version)}" if attempt.version else ""
    yield f"\n[bold]Attempt {attempt.number}[/]{version}"
    for step in attempt.steps:
        if step.status in {"failed", "errored"}:
            failed = [c.name for c in (step.evidence.checks if step.evidence else []) if c.status == "failed"]
            why = step.error or step.note or ", ".join(failed)
            yield f"  {sign(step.status)} {safe(step.name)}: {safe(why)}"
    for gate in attempt.gates:
        for said in gate.decisions:
            yield f"  {decision(said)}"
