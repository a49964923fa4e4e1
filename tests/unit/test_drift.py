"""Drift as a pure function: what is right, what another environment explains, what is put back, and the words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from factories import NOON
from signoff.domain.drift import SeenBy, Sighting, by_alias, drift_of, is_explained, is_nobodys, is_right, why_not_heal
from signoff.domain.environment import LOCAL, DeployerSpec, Deployment, DeploymentKind, DeploymentStatus, Environment
from signoff.domain.pipeline import RuleSpec

PRODUCTION = Environment("production", DeployerSpec("alias", "champion"))
GUARDED = replace(PRODUCTION, rules=(RuleSpec("risk", ("bob",)),))
CANARY = Environment("canary", DeployerSpec("alias", "champion"))
LIVE = Deployment(
    id="d1",
    environment="production",
    model="fraud",
    version="3",
    digest="sha256:" + "3" * 64,
    status=DeploymentStatus.LIVE,
    kind=DeploymentKind.RUN,
    run_id="r1",
    by="system",
    started_at=NOON,
    live_at=NOON,
)

SERVES = "production serves fraud v7 (its alias champion points there)"
NOWHERE = "production serves no version of fraud by its alias: the alias champion of fraud points nowhere"


def seen(version: str | None = "3", digest: str | None = None, by: SeenBy = SeenBy.ALIAS) -> Sighting:
    return Sighting("fraud", by, version, digest)


@pytest.mark.parametrize(
    ("sighting", "live", "right"),
    [
        (seen("3"), LIVE, True),
        (seen("3", LIVE.digest), LIVE, True),
        (seen("3", "sha256:other"), LIVE, False),
        (seen("4"), LIVE, False),
        (seen(None), LIVE, False),
        (seen(None), None, True),
        (seen("1"), None, False),
    ],
)
def test_right_is_what_was_deployed_and_nothing_where_nothing_was(
    sighting: Sighting, live: Deployment | None, right: bool
) -> None:
    assert is_right(sighting, live) is right


def test_the_alias_tells_of_what_is_asked_for_and_of_every_other_model_that_has_it() -> None:
    aliases = {"fraud": {"staging": "2"}, "churn": {"champion": "9", "staging": "1"}, "spam": {}}
    found = [(one.model, one.version) for one in by_alias(PRODUCTION, {"fraud"}, aliases)]
    assert found == [("churn", "9"), ("fraud", None)]


@pytest.mark.parametrize(
    ("mine", "theirs", "has_own", "explained"),
    [
        (PRODUCTION, CANARY, False, True),
        (PRODUCTION, CANARY, True, True),
        (GUARDED, CANARY, False, True),
        (GUARDED, CANARY, True, False),
        (GUARDED, replace(CANARY, rules=GUARDED.rules), True, True),
        (PRODUCTION, replace(CANARY, deployer=DeployerSpec("alias", "canary")), False, False),
    ],
)
def test_an_environment_that_shares_the_alias_explains_it_unless_it_is_less_protected(
    mine: Environment, theirs: Environment, has_own: bool, explained: bool
) -> None:
    places = {mine.name: mine, theirs.name: theirs}
    live = {theirs.name: replace(LIVE, environment=theirs.name, version="4")}
    live |= {mine.name: LIVE} if has_own else {}
    assert is_explained(seen("4"), mine, places, live) is explained
    assert not is_explained(seen("5"), mine, places, live)
    assert not is_explained(seen("4", by=SeenBy.SERVER), mine, places, live), "what runs is nobody else's"


def test_only_the_built_in_local_is_nobodys_and_only_where_nothing_was_deployed() -> None:
    assert is_nobodys(LOCAL, None)
    assert not is_nobodys(LOCAL, LIVE)
    assert not is_nobodys(replace(LOCAL, accept_claimed=False), None)
    assert not is_nobodys(PRODUCTION, None)


def test_what_may_not_serve_is_not_put_back_and_nothing_is_for_ever() -> None:
    assert why_not_heal(LIVE, None, [], NOON) is None
    assert why_not_heal(LIVE, "fraud v3 was revoked.", [], NOON) == "nothing is put back: fraud v3 was revoked"
    lately = [NOON - timedelta(minutes=m) for m in (1, 20, 59)]
    assert "3 times within an hour" in str(why_not_heal(LIVE, None, lately, NOON))
    assert why_not_heal(LIVE, None, [*lately[:2], NOON - timedelta(minutes=60)], NOON) is None


@pytest.mark.parametrize(
    ("live", "sighting", "words"),
    [
        (
            LIVE,
            seen("7"),
            "production serves fraud v7 (its alias champion points there), and what was signed off is v3.",
        ),
        (
            LIVE,
            seen("7", by=SeenBy.SERVER),
            "production serves fraud v7 (its server says so), and what was signed off is v3.",
        ),
        (
            LIVE,
            seen("3", "sha256:" + "7" * 64),
            "production runs other bytes of fraud v3 than those signed off: 777777777777, not 333333333333.",
        ),
        (
            LIVE,
            seen(None),
            f"{NOWHERE}, and what was signed off is v3.",
        ),
        (
            replace(LIVE, kind=DeploymentKind.ADOPTED),
            seen("7"),
            f"{SERVES}, and what was adopted is v3.",
        ),
        (
            replace(LIVE, kind=DeploymentKind.BREAK_GLASS),
            seen("7"),
            f"{SERVES}, and what the emergency deployed is v3.",
        ),
        (
            None,
            seen("7"),
            "production serves fraud v7 (its alias champion points there), which nobody signed off there.",
        ),
    ],
)
def test_every_finding_has_its_words(live: Deployment | None, sighting: Sighting, words: str) -> None:
    found = drift_of("d", PRODUCTION, sighting, live, NOON)
    assert found.sentence == words
    assert replace(found, note="v3 is being put back").warning.startswith(f"{words} V3 is being put back. `signoff ")
    assert found.warning == f"{words} {found.hint}"
