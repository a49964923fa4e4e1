from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2

from fake_server import (
    DIGEST,
    NOON,
    FakeServer,
    attempt,
    explanation,
    gate,
    page,
    run,
)
from signoff.wire.catalogue import InboxItem
from typist import Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures


def test_a_run_is_shown_with_what_it_waits_for_and_whom(type_: Type, server: FakeServer) -> None:
    said = type_("show")
    assert said.status == 0
    lines = [line.rstrip() for line in said.out.splitlines()]
    assert lines[0] == "fraud v3  ◆ in review"
    assert lines[1].startswith("run abc123 of fraud-detector · attempt 1 of 3 · begun by alice")
    assert lines[2] == "note: retrained on October"
    assert lines[4] == "  ✔ test_model     1 of 2 checks passed"
    assert lines[5].startswith("  ◆ approve_model  1 of 2 for risk")
    assert lines[6].startswith("                   ✔ carol approved")
    assert lines[7] == "  ○ deploy_model   pending"
    assert lines[9:12] == [
        "approve_model waits for 1 more approval for risk, from bob.",
        "  signoff approve abc123   shows what is signed, then asks",
        "  signoff explain abc123   tells who can decide, and why others cannot",
    ]
    assert any(line.split() == ["recall", "0.931", "0.915", "to", "0.947", "1,200", "measured"] for line in lines)
    assert any(line.split() == ["auc", "0.9", "claimed"] for line in lines)
    assert "  ✔ recall > 0.9  it is" in lines
    assert "  ✘ fast: latency < 1 (warns only)  latency is 2" in lines
    assert lines[-1] == "http://localhost:8010/runs/abc123"


def test_a_run_says_until_when_its_approval_stands_and_that_it_has_expired(type_: Type, server: FakeServer) -> None:
    until = NOON
    lasting: dict[str, Any] = {"waits_for": None, "status": "succeeded", "attempts": [], "valid_until": until}
    server.routes["GET", "/runs/last"] = run(**lasting, model_status="deployed")
    there = until.astimezone().strftime("%Y-%m-%d %H:%M")
    assert f"  the approval stands until {there}\n" in type_("show").out
    old = {**lasting, "waits_for": "a new approval: the approval has expired; run def456 asks for it anew"}
    server.routes["GET", "/runs/last"] = run(**old, model_status="expired", has_expired_approval=True)
    said = type_("show").out
    assert said.startswith("fraud v3  ! approval expired\n")
    assert "Waits for a new approval: the approval has expired; run def456 asks for it anew." in said
    assert "the approval stands" not in said
    server.routes["GET", "/runs"] = page(run(**old, model_status="expired", has_expired_approval=True))
    assert "! approval expired" in type_("list").out
    server.routes["GET", "/runs"] = page(run(status="expired", model_status="expired"))
    assert "- expired" in type_("list").out


def test_a_reapproval_says_that_it_only_looks_again(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/runs/last"] = run(kind="reapproval", parent_id="def456")
    assert "reapproval of run def456: nothing is trained or deployed\n" in type_("show").out


def test_a_gate_that_reminded_says_how_often_and_when_it_will_again(type_: Type, server: FakeServer) -> None:
    there = NOON.astimezone().strftime("%Y-%m-%d %H:%M")
    for count, words in ((1, "1 reminder sent"), (3, "3 reminders sent")):
        waiting = attempt(gates=[gate(reminders=count, remind_at=NOON)])
        server.routes["GET", "/runs/last"] = run(attempts=[waiting])
        assert f"  {words}, the next {there}\n" in type_("show").out


def test_nothing_is_coloured_where_nobody_looks(type_: Type, server: FakeServer) -> None:
    assert "\x1b" not in type_("show").out
    assert type_("show", "-q").out == "waiting\n"
    assert type_("show", "--json").document["model_status"] == "in_review"


def test_text_from_elsewhere_commands_no_terminal(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/runs/last"] = run(note="[bold red]\x1b[2J\x1b]0;title\x07 \u202e")
    said = type_("show")
    assert "note: [bold red]�[2J�]0;title� �\n" in said.out


def test_former_attempts_tell_what_was_said_about_them(type_: Type, server: FakeServer) -> None:
    decision = {
        "id": "d",
        "by": "bob",
        "verdict": "request_changes",
        "digest": DIGEST,
        "at": NOON,
        "comment": "too low",
    }
    reasons = [{"kind": "metric", "subject": "recall"}]
    sent_back = gate(status="changes_requested", decisions=[{**decision, "reasons": reasons}])
    body = run(attempt=2, attempts=[attempt(gates=[sent_back]), attempt(number=2, gates=[])])
    server.routes["GET", "/runs/last"] = body
    said = type_("show").out
    assert "\nAttempt 1 · v3\n  ↺ bob requested changes " in said
    assert ": too low (metric: recall)\n" in said


def test_runs_are_listed(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/runs"] = page(run(), following="c")
    said = type_("list", "--waiting-on", "me", "--state", "waiting", "--model", "fraud", "--limit", "1")
    assert said.status == 0
    row = said.out.splitlines()[1].split()
    assert row[:7] == ["abc123", "fraud", "v3", "◆", "in", "review", "approve_model"]
    assert row[-1] == "bob"
    assert said.out.splitlines()[2] == "There are more: --limit 4."
    query = server.seen[0].url.params
    assert dict(query) == {"waiting_on": "me", "state": "waiting", "model": "fraud", "limit": "1"}
    assert type_("list", "-q", "--limit", "1").out == "abc123\n"
    assert type_("list", "--json", "--limit", "1").document["items"][0]["id"] == "abc123"


def test_an_empty_list_says_how_to_fill_it(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/runs"] = page()
    assert type_("list").out == "No runs yet: `signoff run` or `signoff submit` starts one.\n"
    assert type_("list", "--model", "fraud").out == "No such runs.\n"
    assert type_("list", "--json").document == {"items": [], "next": None}


def test_the_inbox_parts_what_waits_for_me_from_what_waits_for_others(type_: Type, server: FakeServer) -> None:
    item = {"run": run(), "step": "approve_model", "digest": DIGEST, "waits_since": NOON, "sentence": "It waits."}
    mine = InboxItem(**item, can_decide=True, why="may decide for risk")
    other = InboxItem(**item, can_decide=False, why="already decided: approve")
    server.routes["GET", "/inbox"] = page(mine, other)
    said = type_("inbox").out.splitlines()
    assert [said[0], said[3]] == ["Waits for you", "Waits for others"]
    assert said[5] == "    It waits. You: already decided: approve."
    server.routes["GET", "/inbox"] = page()
    assert type_("inbox").out == "Nothing waits for you.\n"


def test_a_gate_is_explained(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/runs/abc123/gates/approve_model/explanation"] = explanation()
    said = type_("explain", "last")
    assert said.out.splitlines()[:2] == [
        "approve_model waits for 1 more approval for risk, from bob.",
        "  risk: 1 of 2 by carol; named are group:risk",
    ]
    assert "cannot  alice  submitted or contributed to this version" in said.out
    assert "can     bob    may decide for risk" in said.out
    assert type_("explain", "last", "--json").document["people"][1]["can_decide"] is True


def test_a_run_without_an_open_gate_is_explained_too(type_: Type, server: FakeServer) -> None:
    waits = "the next version from alice: `signoff resubmit abc123 MODEL`"
    server.routes["GET", "/runs/last"] = run(status="changes_requested", waits_for=waits, attempts=[attempt(gates=[])])
    assert type_("explain").out == (
        "Run abc123 is changes requested. Waits for the next version from alice: `signoff resubmit abc123 MODEL`.\n"
    )
    assert type_("explain", "--json").document["status"] == "changes_requested"


def log(text: bytes) -> httpx2.Response:
    return httpx2.Response(200, content=text, headers={"X-Log-Size": str(len(text)), "X-Log-Complete": "true"})


def test_the_log_of_the_step_that_ran_is_printed_byte_for_byte(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/runs/abc123/logs/test_model"] = log(b"epoch 1\n\x1b[31mred\x1b[0m \x1b]0;x\x07\n")
    assert type_("logs") == (0, "epoch 1\n\x1b[31mred\x1b[0m \x1b]0;x\x07\n", "")
    assert type_("logs", "last", "test_model", "--json").document["log"].startswith("epoch 1\n")
    server.routes["GET", "/runs/abc123/logs/test_model"] = log(b"")
    assert type_("logs") == (0, "", "test_model has printed nothing in attempt 1.\n")


def test_on_a_terminal_a_log_may_colour_and_nothing_else(
    type_: Type, server: FakeServer, answers: Callable[..., None]
) -> None:
    answers()
    server.routes["GET", "/runs/abc123/logs/test_model"] = log(b"\x1b[31mred\x1b[0m \x1b]0;title\x07\r\n")
    assert type_("logs").out == "\x1b[31mred\x1b[0m �]0;title�\r\n"
