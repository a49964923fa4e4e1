"""What is being signed, as it is shown before somebody decides: everything that the digest stands for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from signoff.cli.run_page import answers, decision, findings
from signoff.cli.screen import safe
from signoff.cli.table import table
from signoff.cli.words import joined

if TYPE_CHECKING:
    from rich.console import RenderableType

    from signoff.wire.gates import GateBody
    from signoff.wire.runs import RunBody

_ABOUT_TO = {"approve": "approve", "request_changes": "request changes to", "reject": "reject"}


def signing(run: RunBody, gate: GateBody, person: str, verdict: str) -> Iterator[RenderableType]:
    """The version, what is known about it, the rules, the checklist and the digest."""
    subject = gate.subject
    goal = f" for [bold]{safe(subject.environment)}[/]" if subject.environment else ""
    what = f"[bold]{safe(subject.model)} v{safe(subject.version)}[/]{goal}"
    yield f"{safe(person)} is about to {_ABOUT_TO[verdict]} {what}"
    yield f"[dim]{safe(gate.step)} of run {safe(run.id)}, attempt {subject.attempt}, begun by {safe(run.submitter)}[/]"
    attempt = next((found for found in run.attempts if found.number == gate.attempt), None)
    note = (attempt.note if attempt is not None else "") or run.note
    if note:
        yield f"[dim]note:[/] {safe(note)}"
    if attempt is not None and attempt.asked:
        yield from answers(attempt)
    found = list(findings(attempt)) if attempt is not None else []
    yield from found or ["\n[yellow]No metrics and no checks: nothing was tested before this gate.[/]"]
    rows = [
        [
            safe(rule.name) + (" [dim](environment)[/]" if rule.is_environment else ""),
            f"{len(rule.counted)} of {rule.required_approvals}",
            safe(joined(rule.candidates)) if rule.missing else "",
            safe(", ".join(rule.approvers)),
        ]
        for rule in gate.rules
    ]
    if rows:
        yield "\n[bold]Rules[/]"
        yield table(["", "approvals", "can give what is missing", "approvers"], rows, cut="approvers")
    for said in gate.decisions:
        yield f"  {decision(said)}"
    if gate.checklist:
        yield "\n[bold]Checklist[/]"
        yield from (f"  - {safe(line)}" for line in gate.checklist)
    if gate.note:
        yield f"\n[yellow]{safe(gate.note)}[/]"
    yield f"\n[bold]Digest[/] {safe(gate.digest)}"
    yield f"  [dim]model     {safe(subject.manifest_digest)}[/]"
    yield f"  [dim]pipeline  {safe(subject.pipeline_digest)}[/]"
    yield from (f"  [dim]evidence  {safe(digest)}[/]" for digest in subject.evidence_digests)
    yield ""
