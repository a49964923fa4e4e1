"""`signoff policy replay`: a draft on past runs, in words."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fake_server import NOON, FakeServer
from signoff.wire.replay import QueueBody, ReplayBody, VerdictBody
from typist import Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures

DRAFT = "steps:\n  - {name: approve, type: approval, inputs: {approvers: ['bob']}}\n"


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    file = tmp_path / "signoff.yaml"
    file.write_text(DRAFT)
    return file


def answer(changes: int = 1, **more: Any) -> ReplayBody:
    verdict = VerdictBody(
        run_id="abc123", attempt=2, version="3", at=NOON, was="people", would="approved", why="it is above 0.9"
    )
    queue = QueueBody(
        step="approve",
        rule="risk",
        approvers=["group:risk"],
        required_approvals=2,
        sent=1200,
        most_a_day=40,
        busiest_on=date(2026, 11, 22),
        most_at_once=12,
    )
    values: dict[str, Any] = {
        "model": "fraud",
        "pipeline": "strict",
        "attempts": 2000,
        "was": {"approved": 0, "blocked": 500, "people": 1500},
        "would": {"approved": 300, "blocked": 500, "people": 1200},
        "usual_wait_seconds": 7200.0,
        "queues": [queue, queue.model_copy(update={"rule": "approve", "sent": 0})],
        "changes": [verdict] * changes,
    }
    return ReplayBody(**{**values, **more})


def test_a_replay_tells_what_would_have_become_of_past_runs(type_: Type, server: FakeServer, draft: Path) -> None:
    server.routes["POST", "/policy/replay"] = answer(300)
    said = type_("policy", "replay", str(draft), "--since", "90d", "--model", "fraud", "--limit", "2")
    assert said.status == 0
    lines = [line.rstrip() for line in said.out.splitlines()]
    rows = [line.split() for line in lines]
    assert lines[0] == "strict on 2,000 past attempts of fraud"
    assert ["approved", "0", "300", "+300"] in rows
    assert ["blocked", "by", "a", "check", "500", "500"] in rows
    assert ["to", "people", "1,500", "1,200", "-300"] in rows
    assert (
        "approve, risk (group:risk): 1,200 would have come, at most 40 a day (2026-11-22), 12 waiting at once, "
        "2 approvals each"
    ) in lines
    assert "approve (group:risk): nothing would have come" in lines
    assert "People usually took 2 hours." in lines
    assert "300 outcomes would have been another" in lines
    assert sum("it is above 0.9" in line for line in lines) == 2
    assert lines[-1] == "There are more: --limit 300."
    sent = json.loads(server.seen[0].content)
    assert sent == {"pipeline": DRAFT, "model": "fraud", "since": "90d", "folder_name": draft.parent.name}


def test_a_replay_that_changes_nothing_says_so(type_: Type, server: FakeServer, draft: Path) -> None:
    server.routes["POST", "/policy/replay"] = answer(0)
    assert type_("policy", "replay", str(draft)).out.endswith("Nothing would have come out otherwise.\n")
    server.routes["POST", "/policy/replay"] = answer(0, attempts=0)
    assert type_("policy", "replay", str(draft)).out.splitlines()[1] == "There is nothing to try it on."


def test_a_replay_is_a_document_for_scripts(type_: Type, server: FakeServer, draft: Path) -> None:
    server.routes["POST", "/policy/replay"] = answer()
    assert type_("policy", "replay", str(draft), "--json").document["would"]["approved"] == 300
