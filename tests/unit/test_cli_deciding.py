from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fake_server import (
    DIGEST,
    NOON,
    FakeServer,
    attempt,
    ended,
    explanation,
    gate,
    me,
)
from signoff.wire.runs import CommentBody
from typist import Type, a_home, a_keyboard, a_server, a_terminal, plain  # noqa: F401 - fixtures


def test_without_a_terminal_nobody_decides_by_accident(type_: Type, server: FakeServer) -> None:
    assert type_("approve", "last") == (
        2,
        "",
        (
            "error: Nobody is there to be asked whether to approve.\n"
            "       Give --digest with what was seen, or --yes to decide about what is there now.\n"
        ),
    )
    assert server.seen == []


def decided(server: FakeServer, **changes: Any) -> None:
    server.routes["GET", "/runs/abc123/gates/approve_model"] = gate(**changes)
    server.routes["GET", "/runs/abc123/gates/approve_model/explanation"] = explanation()
    server.routes["POST", "/runs/abc123/gates/approve_model/decisions"] = gate(status="approved")


def test_a_digest_given_is_the_digest_signed(type_: Type, server: FakeServer) -> None:
    decided(server)
    said = type_(
        *("approve", "last", "--digest", "sha256:seen", "-m", "fine", "--tick", "a", "--tick", "b"),
        *("--reason", "metric:recall", "--reason", "other"),
    )
    assert said.status == 0
    assert said.out.splitlines() == [
        "✔ Approved: fraud v3, approve_model of run abc123.",
        "  The gate is closed: approved. `signoff show abc123` shows what follows.",
    ]
    assert server.body("POST", "/runs/abc123/gates/approve_model/decisions") == {
        "verdict": "approve",
        "digest": "sha256:seen",
        "comment": "fine",
        "reasons": [{"kind": "metric", "subject": "recall"}, {"kind": "other"}],
        "ticked": ["a", "b"],
    }


@pytest.mark.parametrize(
    ("command", "verdict"), [("approve", "approve"), ("request-changes", "request_changes"), ("reject", "reject")]
)
def test_yes_signs_what_is_there_now(type_: Type, server: FakeServer, command: str, verdict: str) -> None:
    decided(server)
    assert type_(command, "last", "--yes", "-m", "why", "--json").document["status"] == "approved"
    sent = server.body("POST", "/runs/abc123/gates/approve_model/decisions")
    assert (sent["verdict"], sent["digest"], sent["comment"]) == (verdict, DIGEST, "why")


def test_on_a_terminal_what_is_signed_is_shown_and_then_asked(
    type_: Type, server: FakeServer, answers: Callable[..., None]
) -> None:
    decided(server, checklist=["I read the slice table"])
    answers("y", "y")
    said = type_("approve", "last")
    assert said.status == 0
    for shown in (
        "bob is about to approve",
        "fraud v3",
        "production",
        "0.915 to 0.947",
        "claimed",
        "latency is 2",
        "group:risk",
        "carol approved",
        "I read the slice table? [y/N]",
        f"Digest {DIGEST}",
        "sha256:" + "a" * 64,
        "Approve this? [y/N]",
    ):
        assert shown in plain(said.out)
    assert server.body("POST", "/runs/abc123/gates/approve_model/decisions")["ticked"] == ["I read the slice table"]


@pytest.mark.parametrize("said_no", [["n"], ["y", ""], ["y", "no"], []])
def test_anything_but_yes_decides_nothing(
    type_: Type, server: FakeServer, answers: Callable[..., None], said_no: list[str]
) -> None:
    decided(server, checklist=["I read the slice table"])
    answers(*said_no)
    said = type_("approve", "last")
    assert said.status == 3
    assert "Nothing was decided" in said.out
    assert server.sent("POST", "/runs/abc123/gates/approve_model/decisions") == []


def test_a_rejection_asks_why(type_: Type, server: FakeServer, answers: Callable[..., None]) -> None:
    decided(server)
    answers("too slow", "yes")
    assert type_("reject", "last").status == 0
    assert server.body("POST", "/runs/abc123/gates/approve_model/decisions")["comment"] == "too slow"


def test_who_cannot_decide_is_told_before_reading(
    type_: Type, server: FakeServer, answers: Callable[..., None]
) -> None:
    decided(server)
    server.routes["GET", "/me"] = me("alice")
    answers("y")
    said = type_("approve", "last")
    assert (said.status, said.out) == (3, "")
    assert "alice cannot decide about approve_model: submitted or contributed to this version." in said.err


def test_a_run_that_waits_for_nobody_is_not_decided(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/runs/last"] = ended("succeeded", attempts=[attempt(gates=[])])
    assert type_("approve", "last", "--yes") == (
        3,
        "",
        (
            "error: Nothing of run abc123 waits for a decision: it has succeeded.\n"
            "       `signoff show abc123` tells how it stands.\n"
        ),
    )


def test_an_unknown_kind_of_reason_is_refused(type_: Type, server: FakeServer) -> None:
    said = type_("reject", "last", "--yes", "-m", "no", "--reason", "taste")
    assert said.status == 2
    assert said.err.startswith("error: 'taste' is no kind of reason.\n       The kinds are metric, slice,")


def test_after_an_approval_that_is_not_enough_it_says_who_is_missing(type_: Type, server: FakeServer) -> None:
    decided(server)
    server.routes["POST", "/runs/abc123/gates/approve_model/decisions"] = gate()
    said = type_("approve", "last", "--yes")
    assert said.out.splitlines()[1] == "  approve_model waits for 1 more approval for risk, from bob."


def test_a_decision_is_withdrawn(type_: Type, server: FakeServer) -> None:
    server.routes["DELETE", "/runs/abc123/gates/approve_model/decisions/mine"] = gate()
    assert type_("withdraw", "last").out == "Your decision about approve_model of run abc123 is withdrawn.\n"


def test_a_comment_is_sent(type_: Type, server: FakeServer) -> None:
    server.routes["POST", "/runs/last/comments"] = CommentBody(id="c", by="bob", body="hm", at=NOON)
    assert type_("comment", "last", "-m", "hm").out == "Said.\n"
    assert server.body("POST", "/runs/last/comments") == {"body": "hm"}
