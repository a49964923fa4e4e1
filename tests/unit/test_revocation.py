"""Which approvals a revocation takes back, and which version may serve again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import MODEL, a_deployment_step, a_gate, a_pipeline, a_run, an_approval, at
from signoff.domain.deployment_errors import (
    AlreadyLiveError,
    LastDeploymentUnhealthyError,
    NeverLiveError,
    NoFormerVersionError,
    NotSignedOffError,
    RevokedError,
)
from signoff.domain.environment import Deployment, DeploymentKind, DeploymentStatus
from signoff.domain.gate import GateStatus
from signoff.domain.revocation import History, Revocation, former_of, live_of, named_former, revoked_gate

REVOKED = Revocation("x", MODEL, "1", "sha256:1", "carol", at(10), "it leaks")


def one(version: int, minute: int, status: str = "replaced", kind: str = "run", **more: object) -> Deployment:
    """Version `version`, live since that minute."""
    made = Deployment(
        id=f"d{minute}",
        environment="production",
        model=MODEL,
        version=str(version),
        digest=f"sha256:{version}",
        status=DeploymentStatus(status),
        kind=DeploymentKind(kind),
        run_id=f"r{version}",
        by="system",
        started_at=at(minute),
        live_at=at(minute) if status not in {"failed", "unhealthy", "deploying"} else None,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def history(*deployed: Deployment, **more: object) -> History:
    return History(sorted(deployed, key=lambda d: d.started_at, reverse=True), **{"revoked": {}, **more})  # type: ignore[arg-type]


def former(found: History) -> str:
    live = live_of(found)
    assert live is not None
    return former_of(found, live).version


def test_a_gate_approved_before_the_revocation_no_longer_counts_and_one_after_it_does() -> None:
    run = a_run(a_pipeline(an_approval("first"), an_approval("second"), a_deployment_step()))
    before = a_gate(step="first", status=GateStatus.APPROVED, closed_at=at(9))
    after = a_gate(step="second", status=GateStatus.APPROVED, closed_at=at(11))
    run = replace(run, gates=(before, after))
    assert revoked_gate(run, 2, REVOKED) == (before, "the approval was revoked by carol: it leaks")
    assert revoked_gate(run, 2, None) is None
    assert revoked_gate(replace(run, gates=(replace(before, closed_at=at(12)), after)), 2, REVOKED) is None
    assert revoked_gate(replace(run, gates=(replace(before, status=GateStatus.VOID), after)), 2, REVOKED) is None


def test_without_a_version_it_goes_to_the_one_live_before_by_time() -> None:
    assert former(history(one(1, 1), one(2, 2), one(3, 3, "live"))) == "2"
    # The same version again: what was live in between was live before.
    assert former(history(one(1, 1), one(2, 2), one(1, 3, "live"))) == "2"


def test_from_a_version_that_a_rollback_brought_it_goes_further_back_never_forward() -> None:
    rolled = (one(1, 1), one(2, 2), one(3, 3, "rolled_back"), one(2, 4, "live", "rollback"))
    assert former(history(*rolled)) == "1"
    named = (one(1, 1), one(2, 2), one(3, 3, "rolled_back"), one(1, 4, "live", "rollback"))
    with pytest.raises(NoFormerVersionError, match="No version of fraud-detector was live in production before v1"):
        former(history(*named))


def test_what_was_left_by_a_rollback_is_passed_over_until_it_was_live_again() -> None:
    left = (one(1, 1), one(2, 2, "rolled_back"), one(1, 3, "replaced", "rollback"), one(3, 4, "live"))
    assert former(history(*left)) == "1"
    again = (one(1, 1), one(2, 2, "rolled_back"), one(1, 3, kind="rollback"), one(2, 4), one(3, 5, "live"))
    assert former(history(*again)) == "2"


def test_what_is_barred_is_passed_over_and_named_when_nothing_is_left() -> None:
    three = (one(1, 1), one(2, 2), one(3, 3, "live"))
    revoked = {"2": replace(REVOKED, version="2")}
    assert former(history(*three, revoked=revoked)) == "1"
    assert former(history(*three, unreviewed={"r2"})) == "1"
    assert former(history(*three, one(2, 4, "unhealthy", "rollback"))) == "1"
    assert former(history(*three, one(2, 4, "failed", "rollback"))) == "2"
    with pytest.raises(NoFormerVersionError, match=r"that may serve again .* v2 was revoked by carol: it leaks"):
        former(history(*three[1:], revoked=revoked))


@pytest.mark.parametrize(
    ("to", "more", "error"),
    [
        ("3", {}, AlreadyLiveError),
        ("9", {}, NeverLiveError),
        ("4", {}, NeverLiveError),
        ("2", {"revoked": {"2": replace(REVOKED, version="2")}}, RevokedError),
        ("2", {"unreviewed": {"r2"}}, NotSignedOffError),
        ("1", {}, LastDeploymentUnhealthyError),
    ],
)
def test_a_named_version_that_may_not_serve_is_refused(
    to: str, more: dict[str, object], error: type[Exception]
) -> None:
    found = history(one(1, 1), one(2, 2), one(3, 3, "live"), one(4, 4, "failed"), one(1, 5, "unhealthy"), **more)
    live = live_of(found)
    assert live is not None
    with pytest.raises(error):
        named_former(found, live, to)


def test_a_version_deployed_in_an_emergency_and_signed_off_too_may_be_named() -> None:
    glass = one(2, 3, kind="break_glass", run_id="review")
    found = history(one(2, 1), one(1, 2), glass, one(3, 4, "live"), unreviewed={"review"})
    live = live_of(found)
    assert live is not None
    assert named_former(found, live, "2").run_id == "r2"


@given(st.lists(st.sampled_from(["1", "2", "3", "4", "back", "to 1", "to 2"]), max_size=14))
def test_rolling_back_again_and_again_comes_to_an_end_and_never_repeats_a_version(story: list[str]) -> None:
    """However it came to be so: each rollback goes to what was live earlier, so that no two swing back and forth."""
    rows: list[Deployment] = []

    def deploy(version: str, kind: str) -> None:
        became = DeploymentStatus.ROLLED_BACK if kind == "rollback" else DeploymentStatus.REPLACED
        rows[:] = [replace(d, status=became) if d.status is DeploymentStatus.LIVE else d for d in rows]
        rows.append(one(int(version), len(rows) + 1, "live", kind))

    def back(to: str | None = None) -> str | None:
        live = live_of(history(*rows))
        try:
            target = live and (
                former_of(history(*rows), live) if to is None else named_former(history(*rows), live, to)
            )
        except (NoFormerVersionError, NeverLiveError, AlreadyLiveError):
            return None
        if target:
            deploy(target.version, "rollback")
        return target.version if target else None

    for act in story:
        if act == "back":
            back()
        elif act.startswith("to "):
            back(act[3:])
        else:
            deploy(act, "run")
    present = live_of(history(*rows))
    seen = [present.version] if present is not None else []
    while (version := back()) is not None:
        assert version not in seen
        seen.append(version)
