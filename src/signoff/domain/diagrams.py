"""The tables of the rules as text for the documentation: diagrams of statuses, and who may do what.

Written from the tables that the code itself uses, so the pages cannot say anything else. The build of the
documentation puts each text between its markers (`filled`); a test compares the pages with what is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from signoff.domain.access import ALLOWED_ROLES, NEEDS_SESSION, SCOPES, Do
from signoff.domain.actor import Role, Scope
from signoff.domain.emergency import EMERGENCY_TRANSITIONS, EmergencyStatus
from signoff.domain.gate import GATE_TRANSITIONS, GateStatus
from signoff.domain.run import RUN_TRANSITIONS, STEP_TRANSITIONS, RunStatus, StepStatus

Status = TypeVar("Status", RunStatus, StepStatus, GateStatus, EmergencyStatus)


def state_diagram(transitions: Mapping[Status, frozenset[Status]], start: Status) -> str:
    """`transitions` as a Mermaid stateDiagram-v2 that begins at `start`; what nothing leaves leads to the end."""
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    for status in type(start):
        following = transitions[status]
        lines += [f"    {status} --> {after}" for after in type(start) if after in following]
        if not following:
            lines.append(f"    {status} --> [*]")
    return "\n".join(lines) + "\n"


def access_table() -> str:
    """Which role may do what, as a Markdown table: one row an action, one column a role."""
    header = ["action", *Role, "scope of a token"]
    rows = [
        [
            action.replace("_", " "),
            *("yes" if role in ALLOWED_ROLES[action] else "" for role in Role),
            _by_token(action),
        ]
        for action in Do
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in [header, ["---"] * len(header), *rows])


def _by_token(action: Do) -> str:
    """Which scopes let a token do it."""
    scopes = " or ".join(scope for scope in Scope if action in SCOPES[scope])
    if action in NEEDS_SESSION:
        return f"never, or {scopes} by an automation" if scopes else "never"
    return scopes


def generated() -> dict[str, str]:
    """Every generated text by the name of its markers."""
    diagrams = {
        "run-statuses": state_diagram(RUN_TRANSITIONS, RunStatus.RUNNING),
        "step-statuses": state_diagram(STEP_TRANSITIONS, StepStatus.PENDING),
        "gate-statuses": state_diagram(GATE_TRANSITIONS, GateStatus.OPEN),
        "emergency-statuses": state_diagram(EMERGENCY_TRANSITIONS, EmergencyStatus.REQUESTED),
    }
    fenced = {name: f"```mermaid\n{text}```\n" for name, text in diagrams.items()}
    return {**fenced, "access-table": access_table()}


def filled(page: str) -> str:
    """`page` with what stands between each pair of markers replaced by what is generated now.

    Raises:
        ValueError: a marker is opened and not closed.
    """
    for name, text in generated().items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        before, found, rest = page.partition(begin)
        if not found:
            continue
        _, closed, after = rest.partition(end)
        if not closed:
            raise ValueError(f"the marker {begin.strip()} is never closed by {end}")
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page
