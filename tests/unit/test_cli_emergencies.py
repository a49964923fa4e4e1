from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fake_server import DIGEST, NOON, FakeServer, deployment, environment, page, problem, run
from signoff.cli import words
from signoff.wire.catalogue import ModelBody
from signoff.wire.emergencies import EmergencyBody, EmergencyViewBody
from signoff.wire.revocations import NotRolledBackBody, RevokedBody
from signoff.wire.runs import RevocationMark
from typist import Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures

PATH = "/environments/production/models/fraud/break-glass"
REVOKE = "/models/fraud/versions/2/revoke"
WARNING = "fraud v2 was revoked by carol (it leaks), and production still serves it."
ASK = ("deploy", "--break-glass", "production", "models:/fraud/2")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two looks."""
    monkeypatch.setattr("signoff.cli.steering.POLL_S", 0)


def emergency(**changes: Any) -> EmergencyViewBody:
    values: dict[str, Any] = {
        "id": "e1",
        "environment": "production",
        "model": "fraud",
        "version": "2",
        "digest": DIGEST,
        "why": "v1 declines everybody",
        "status": "requested",
        "requested_by": "frank",
        "requested_at": NOON,
        "confirmed_by": ["frank"],
        "missing": 1,
        "candidates": ["bob", "grace"],
        "sentence": "It takes the word of 1 more person, from bob or grace.",
    }
    return EmergencyViewBody(**{**values, **changes})


def deployed(**changes: Any) -> EmergencyViewBody:
    due = datetime.now(UTC) + timedelta(hours=23, minutes=30)
    more = {"status": "deployed", "confirmed_by": ["frank", "bob"], "run_id": "r1", "due_at": due, "sentence": ""}
    return emergency(**{**more, **changes})


def test_the_first_person_asks_and_sees_the_digest_and_who_is_needed(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/emergencies"] = page()
    server.routes["POST", PATH] = emergency()
    said = type_(*ASK, "-m", "v1 declines everybody")
    assert said.status == 0
    assert said.out.splitlines() == [
        "! frank wants fraud v2 to production without review: v1 declines everybody",
        f"  digest {DIGEST}",
        "  It takes the word of 1 more person, from bob or grace. They say:",
        "  signoff deploy --break-glass production models:/fraud/2 --confirm e1",
    ]
    sent = server.body("POST", PATH)
    assert sent == {"reference": "models:/fraud/2", "why": "v1 declines everybody"}


@pytest.mark.parametrize("how", [["-m", "yes, at once"], ["--confirm", "e1"]])
def test_the_second_confirms_exactly_what_was_shown_and_waits_until_it_is_live(
    type_: Type, server: FakeServer, how: list[str]
) -> None:
    server.routes["GET", "/emergencies"] = page(emergency())
    server.routes["GET", "/emergencies/e1"] = [emergency(), deployed()] if "--confirm" in how else deployed()
    server.routes["POST", PATH] = emergency(status="deploying", confirmed_by=["frank", "bob"])
    said = type_(*ASK, *how, "--yes")
    assert said.status == 0
    assert said.out.splitlines() == [
        "✔ fraud v2 to production is done, without review.",
        "  after-review due in 23 h: run r1",
    ]
    sent = server.body("POST", PATH)
    assert (sent["confirm"], sent["digest"]) == ("e1", DIGEST)


def test_without_a_terminal_nobody_confirms_what_they_have_not_read(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/emergencies"] = page(emergency())
    said = type_(*ASK, "-m", "x")
    assert (said.status, server.sent("POST", PATH)) == (3, [])
    assert "confirm e1 with --yes" in said.err


def test_an_emergency_deployment_that_fails_ends_with_1(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/emergencies"] = page(emergency())
    server.routes["GET", "/emergencies/e1"] = deployed(status="failed", note="v2 did not get healthy.")
    server.routes["POST", PATH] = emergency(status="deploying")
    said = type_(*ASK, "--yes")
    assert said.status == 1
    assert said.err.startswith("error: The emergency deployment failed: v2 did not get healthy.\n")


def test_a_request_is_called_off(type_: Type, server: FakeServer) -> None:
    server.routes["DELETE", PATH] = emergency(status="cancelled")
    said = type_("deploy", "--break-glass", "production", "fraud", "--cancel")
    assert said.out == "The emergency deployment of fraud v2 to production is cancelled.\n"


@pytest.mark.parametrize(
    ("typed", "what"),
    [
        (
            ["deploy", "production", "models:/fraud/2"],
            "A version is deployed by the deployment step of an approved run.",
        ),
        (["deploy", "--break-glass", "production", "fraud", "-m", "x"], "'fraud' names no version."),
        (["deploy", "--break-glass", "production", "models:/fraud/2"], "Breaking the glass needs a reason."),
        (["revoke", "fraud", "2"], "A revocation needs a reason."),
    ],
)
def test_a_wrong_call_says_what_is_missing(type_: Type, server: FakeServer, typed: list[str], what: str) -> None:
    server.routes["GET", "/emergencies"] = page()
    said = type_(*typed)
    assert said.status == 2
    assert said.err.splitlines()[0] == f"error: {what}"
    assert not any(request.method == "POST" for request in server.seen)


def test_a_refusal_is_told_as_it_is(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/emergencies"] = page()
    server.routes["POST", PATH] = problem(409, "no_break_glass", "production has no break_glass rule.", "Add one.")
    said = type_(*ASK, "-m", "x")
    assert (said.status, said.err) == (3, "error: production has no break_glass rule.\n       Add one.\n")


def test_what_was_revoked_and_still_serves_is_said_with_the_command(type_: Type, server: FakeServer) -> None:
    made = RevokedBody(
        model="fraud",
        version="2",
        digest=DIGEST,
        by="bob",
        at=NOON,
        why="it leaks",
        live_in=["production"],
        reopened=["r9"],
    )
    server.routes["POST", REVOKE] = made
    said = type_("revoke", "fraud", "2", "-m", "it leaks")
    assert said.status == 0
    assert said.out.splitlines() == [
        "✔ fraud v2 is revoked: nothing is deployed on it any more.",
        "  Its gate opens again: run r9.",
        "! production still serves it: `signoff rollback production fraud -m WHY` ends that.",
    ]
    assert server.body("POST", REVOKE) == {"why": "it leaks", "rollback": False}
    assert type_("revoke", "fraud", "v2", "-m", "it leaks", "--json").document["live_in"] == ["production"]


def test_revoking_with_rollback_waits_for_it_and_fails_where_it_cannot_be(type_: Type, server: FakeServer) -> None:
    made = RevokedBody(
        model="fraud",
        version="2",
        digest=DIGEST,
        by="bob",
        at=NOON,
        why="it leaks",
        live_in=["production", "staging"],
        rollbacks=[deployment(status="deploying", version="1")],
        not_rolled_back=[NotRolledBackBody(environment="staging", why="No version was live before.")],
    )
    server.routes["POST", REVOKE] = made
    server.routes["GET", "/deployments/d1"] = deployment(version="1")
    said = type_("revoke", "fraud", "2", "-m", "it leaks", "--rollback")
    assert said.status == 1
    assert said.out.splitlines()[1:] == [
        "✔ production serves v1 again.",
        "! staging could not be rolled back: No version was live before.",
        "! staging still serves it: `signoff rollback staging fraud -m WHY` ends that.",
    ]
    server.routes["POST", REVOKE] = made.model_copy(update={"live_in": ["production"], "not_rolled_back": []})
    assert type_("revoke", "fraud", "2", "-m", "it leaks", "--rollback").status == 0
    server.routes["GET", "/deployments/d1"] = deployment(version="1", status="failed", note="it did not answer")
    failed = type_("revoke", "fraud", "2", "-m", "it leaks", "--rollback")
    assert failed.status == 1
    assert "! production could not be rolled back: it did not answer\n" in failed.out


def test_every_listing_says_what_is_owed_and_what_is_revoked(type_: Type, server: FakeServer) -> None:
    owed = EmergencyBody.model_validate(deployed().model_dump())
    live = deployment(emergency=owed, warning=WARNING, revocation=RevocationMark(by="carol", at=NOON, why="it leaks"))
    server.routes["GET", "/deployments"] = page(live)
    server.routes["GET", "/emergencies"] = page(emergency(), deployed())
    server.routes["GET", "/drifts"] = page()
    server.routes["GET", "/models"] = page(ModelBody(name="fraud", deployments=[live]))
    server.routes["GET", "/environments/production"] = environment(live=[live])
    server.routes["GET", "/runs/abc"] = run(deployments=[live])
    said = type_("deployments").out
    assert "after-review due in 23 h: run r1" in said
    assert f"\n! {WARNING}\n" in said
    assert "\n! frank wants fraud v2 in production without review (v1 declines everybody). It takes the word" in said
    assert "\n  signoff deploy --break-glass production models:/fraud/2 --confirm e1\n" in said
    for typed in (["models"], ["environment", "show", "production"], ["show", "abc"]):
        assert f"! {WARNING}\n" in type_(*typed).out


@pytest.mark.parametrize(
    ("status", "hours", "expected"),
    [
        ("deployed", 23.5, "[yellow]after-review due in 23 h: run r1[/]"),
        ("deployed", 0.5, "[yellow]after-review due in 30 min: run r1[/]"),
        ("deployed", 0.01, "[yellow]after-review due in 36 s: run r1[/]"),
        ("deployed", -2, "[yellow]after-review overdue by 2 h: run r1[/]"),
        ("escalated", -2, "[bold red]not reviewed, escalated: run r1[/]"),
        ("returning", -2, "[yellow]the former version is being brought back[/]"),
        ("settled", -2, ""),
    ],
)
def test_a_debt_in_a_few_words(status: str, hours: float, expected: str) -> None:
    assert words.owed(deployed(status=status, due_at=NOON + timedelta(hours=hours)), NOON) == expected
