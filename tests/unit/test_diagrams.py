"""The pages of the documentation say what the tables of the rules say."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import pytest

from signoff.domain.access import Do
from signoff.domain.actor import Role
from signoff.domain.adoption import AdoptionStatus
from signoff.domain.diagrams import access_table, filled, generated, state_diagram
from signoff.domain.emergency import EmergencyStatus
from signoff.domain.environment import DeploymentStatus
from signoff.domain.gate import GATE_TRANSITIONS, GateStatus
from signoff.domain.run import RunStatus, StepStatus

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGES = {
    "statuses.md": ["run-statuses", "step-statuses", "gate-statuses", "emergency-statuses"],
    "access.md": ["access-table"],
}


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_tables_say_now(name: str) -> None:
    page = (REFERENCE / name).read_text()
    assert page == filled(page), "write it anew: see signoff.domain.diagrams.filled"
    for marker in PAGES[name]:
        assert generated()[marker] in page


def test_every_generated_text_has_its_page() -> None:
    assert sorted(marker for markers in PAGES.values() for marker in markers) == sorted(generated())


@pytest.mark.parametrize(
    ("heading", "statuses"),
    [
        ("Runs", RunStatus),
        ("Steps", StepStatus),
        ("Gates", GateStatus),
        ("Emergencies", EmergencyStatus),
        ("Deployments", DeploymentStatus),
        ("Adoptions", AdoptionStatus),
    ],
    ids=str,
)
def test_every_status_is_explained_in_words(heading: str, statuses: type[StrEnum]) -> None:
    section = (REFERENCE / "statuses.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    explained = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")]
    assert explained[1:] == list(statuses)


def test_every_role_is_explained_in_words() -> None:
    page = (REFERENCE / "access.md").read_text().split("<!--")[0]
    explained = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    assert explained[1:] == list(Role)


def test_a_diagram_has_an_arrow_for_every_transition_and_an_end_for_every_final_status() -> None:
    lines = state_diagram(GATE_TRANSITIONS, GateStatus.OPEN).splitlines()
    arrows = {f"    {status} --> {after}" for status, following in GATE_TRANSITIONS.items() for after in following}
    ends = {f"    {status} --> [*]" for status, following in GATE_TRANSITIONS.items() if not following}
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> open"]
    assert set(lines[2:]) == arrows | ends
    assert len(lines[2:]) == len(arrows | ends)


def test_the_access_table_has_a_row_for_every_action() -> None:
    lines = access_table().splitlines()
    assert lines[0] == "| action | viewer | submitter | approver | auditor | admin | scope of a token |"
    assert len(lines) == 2 + len(Do)
    assert "| decide |  |  | yes |  |  | never, or decide by an automation |" in lines
    assert "| revoke |  |  | yes |  | yes | never |" in lines
    assert "| cancel |  | yes |  |  | yes | submit |" in lines
    assert "| read | yes | yes | yes | yes | yes | read or submit or audit or decide |" in lines


def test_filling_a_page_twice_changes_nothing_more() -> None:
    page = "before\n<!-- begin access-table -->\nold\n<!-- end access-table -->\nafter\n"
    once = filled(page)
    assert "old" not in once
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert filled(once) == once


def test_a_page_without_markers_stays_as_it_is() -> None:
    assert filled("# Nothing here\n") == "# Nothing here\n"


def test_a_marker_that_is_never_closed_is_refused() -> None:
    with pytest.raises(ValueError, match="access-table"):
        filled("<!-- begin access-table -->\n")
