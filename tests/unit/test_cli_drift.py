"""`signoff adopt`, and what the command line says of what runs without having been signed off."""

from __future__ import annotations

from datetime import timedelta

from fake_server import NOON, FakeServer, deployment, page
from signoff.cli.exits import Exit
from signoff.wire.catalogue import ModelBody
from signoff.wire.drift import AdoptionBody, DriftBody
from typist import Type, a_home, a_keyboard, a_server, a_terminal  # noqa: F401 - fixtures

SENTENCE = "production serves fraud v7 (its alias champion points there), and what was signed off is v2."
DRIFT = DriftBody(
    id="d1",
    environment="production",
    model="fraud",
    seen_by="alias",
    alias="champion",
    version="7",
    signed_version="2",
    found_at=NOON,
    sentence=SENTENCE,
    hint="put it back",
    warning=f"{SENTENCE} put it back",
)
ADOPTED = deployment().model_copy(
    update={
        "kind": "adopted",
        "adoption": AdoptionBody(
            by="erin",
            at=NOON,
            why="since 2023",
            status="owed",
            run_id="abc123",
            due_at=NOON + timedelta(days=30),
            is_approved=False,
        ),
    }
)


def test_what_nobody_signed_off_is_said_below_the_deployments(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/deployments"] = page(deployment())
    server.routes["GET", "/emergencies"] = page()
    server.routes["GET", "/drifts"] = page(DRIFT)
    assert f"! {SENTENCE} put it back" in " ".join(type_("deployments").out.split())


def test_it_is_said_of_the_models_too(type_: Type, server: FakeServer) -> None:
    drifting = deployment().model_copy(update={"drift": f"{SENTENCE} put it back"})
    server.routes["GET", "/models"] = page(ModelBody(name="fraud", deployments=[drifting]))
    assert f"! {SENTENCE} put it back" in " ".join(type_("models").out.split())


def test_it_is_said_where_nothing_was_deployed_too(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/deployments"] = page()
    server.routes["GET", "/emergencies"] = page()
    server.routes["GET", "/drifts"] = page(DRIFT)
    shown = type_("deployments").out
    assert shown.startswith("Nothing was deployed yet.\n!")


def test_an_adopted_version_is_not_called_approved(type_: Type, server: FakeServer) -> None:
    server.routes["GET", "/deployments"] = page(ADOPTED)
    server.routes["GET", "/emergencies"] = page()
    server.routes["GET", "/drifts"] = page()
    assert "adopted, not approved" in " ".join(type_("deployments").out.split())


def test_adopting_says_what_it_is_and_what_is_owed(type_: Type, server: FakeServer) -> None:
    server.routes["POST", "/environments/production/models/fraud/adopt"] = ADOPTED
    done = type_("adopt", "production", "fraud", "-m", "since 2023")
    assert done.status == Exit.DONE
    first, second, _ = done.out.splitlines()
    assert first == "✔ fraud v2 in production is adopted, not approved. It runs on as it did."
    assert second.startswith("  digest sha256:")
    assert "It is to be reviewed by 2026-" in done.out
    assert type_("adopt", "production", "fraud", "-m", "since 2023", "--json").document["kind"] == "adopted"
    assert type_("adopt", "production", "fraud", "-m", "since 2023", "-q").out.strip() == ADOPTED.run_id


def test_adopting_needs_a_reason(type_: Type) -> None:
    done = type_("adopt", "production", "fraud")
    assert (done.status, done.err) == (Exit.WRONG_CALL, "error: Adopting needs a reason.\n       Say it with -m WHY.\n")


def test_putting_back_says_that_it_is_back(type_: Type, server: FakeServer) -> None:
    back = deployment().model_copy(update={"kind": "restore", "status": "restored"})
    server.routes["POST", "/environments/production/models/fraud/rollback"] = back
    done = type_("rollback", "production", "fraud", "--to", "2", "-m", "somebody moved it")
    assert "✔ fraud v2, which was signed off, is back in production." in done.out
