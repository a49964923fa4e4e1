"""What applying environments changes, in words; freeze windows at their edges."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from factories import a_rule
from signoff.domain.deployer import CommandSpec, SecretReference, WebhookSpec
from signoff.domain.environment import LOCAL, BreakGlass, DeployerSpec, Environment, Freeze, Requirements
from signoff.domain.environment_changes import describe_changes
from signoff.domain.span import span

RISK = a_rule("group:risk", name="risk", allow_policy=False)
YEAR_END = Freeze(datetime(2026, 12, 20, tzinfo=UTC), datetime(2027, 1, 5, tzinfo=UTC), "year end")
NIGHT = Freeze(datetime(2026, 12, 24, 22, tzinfo=UTC), datetime(2026, 12, 25, 6, 30, tzinfo=UTC), "backups")
PRODUCTION = Environment("production", rules=(RISK,))


def changes(before: Environment, after: Environment) -> tuple[str, ...]:
    return describe_changes({before.name: before}, {after.name: after})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rules": (replace(RISK, required_approvals=2),)}, "rule risk now asks for 2 instead of 1"),
        ({"rules": (replace(RISK, approvers=("dan",)),)}, "rule risk now counts dan instead of group:risk"),
        ({"rules": (replace(RISK, allow_policy=True),)}, "a policy's approval now counts for rule risk"),
        ({"rules": ()}, "rule risk is gone"),
        ({"rules": (RISK, a_rule("carol", name="legal"))},
         "rule legal is new and asks for 1 of carol; a policy's approval counts"),
        ({"require": Requirements(measured=True)}, "now requires measured metrics"),
        ({"require": Requirements(checks_passed=True)}, "now requires every check to pass"),
        ({"require": Requirements(came_from="staging")}, "now takes only what was deployed to staging first"),
        ({"max_age": timedelta(days=14)}, "an approval may be 14d old"),
        ({"accept_claimed": True}, "automatic approval may now read claimed metrics"),
        ({"promote_to": "other"}, "promotes to other instead of nowhere"),
        ({"deployer": DeployerSpec("server")}, "is deployed by server instead of alias"),
        ({"deployer": DeployerSpec(alias="live")}, "moves the alias live instead of champion"),
        ({"deployer": DeployerSpec(health_timeout=timedelta(seconds=90))},
         "a new version has 1m30s instead of 1m to get healthy"),
        ({"freeze": (YEAR_END,)}, "is frozen from 2026-12-20 00:00 UTC until the end of 2027-01-04 UTC, year end"),
        ({"freeze": (NIGHT,)}, "is frozen from 2026-12-24 22:00 UTC until 2026-12-25 06:30 UTC, backups"),
        ({"self_heal": True}, "what was signed off is put back where something else runs"),
        ({"break_glass": BreakGlass(("group:leads",))},
         "the glass may be broken by 2 of group:leads; reviewed within 1d, else escalate"),
    ],
)  # fmt: skip
def test_every_change_has_its_words(change: dict[str, object], words: str) -> None:
    assert changes(PRODUCTION, replace(PRODUCTION, **change)) == (f"production: {words}",)  # type: ignore[arg-type]


def test_every_change_can_be_taken_back_and_says_so() -> None:
    full = replace(
        PRODUCTION,
        require=Requirements(measured=True, checks_passed=True, came_from="staging"),
        max_age=timedelta(days=1),
        freeze=(YEAR_END,),
        break_glass=BreakGlass(("bob",)),
    )
    assert changes(full, PRODUCTION) == (
        "production: no longer requires measured metrics",
        "production: no longer requires every check to pass",
        "production: no longer asks that the same bytes were deployed to staging first",
        "production: an approval may be of any age instead of 1d",
        "production: is no longer frozen from 2026-12-20 00:00 UTC until the end of 2027-01-04 UTC, year end",
        "production: nobody may break the glass any more",
    )


def test_what_comes_and_goes_is_named_and_what_stays_is_not() -> None:
    former = {"local": LOCAL, "staging": Environment("staging")}
    assert describe_changes(former, {"local": LOCAL, "production": PRODUCTION}) == (
        "production is new",
        "production: rule risk is new and asks for 1 of group:risk",
        "staging is removed",
    )
    assert describe_changes(former, former) == ()


def test_a_window_holds_from_its_first_moment_and_not_at_its_last() -> None:
    frozen = replace(PRODUCTION, freeze=(YEAR_END, NIGHT))
    assert frozen.freeze_at(YEAR_END.since) is YEAR_END
    assert frozen.freeze_at(YEAR_END.since - timedelta(microseconds=1)) is None
    assert frozen.freeze_at(YEAR_END.until - timedelta(microseconds=1)) is YEAR_END
    assert frozen.freeze_at(YEAR_END.until) is None
    assert frozen.freeze_at(NIGHT.since) is YEAR_END, "the one that ends last is told"
    assert frozen.frozen(NIGHT.since) == "production is frozen until the end of 2027-01-04 UTC, year end"
    assert frozen.frozen(YEAR_END.until) == ""


@pytest.mark.parametrize(("seconds", "words"), [(0, "0s"), (90, "1m30s"), (86400, "1d"), (90061, "1d1h1m1s")])
def test_a_length_of_time_is_told_as_the_files_write_it(seconds: int, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words


def by_command(**more: Any) -> Environment:
    deployer = DeployerSpec("command", command=CommandSpec(("/opt/deploy.sh",), **more))
    return replace(PRODUCTION, deployer=deployer)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rollback": ("/opt/back.sh", "now")}, "goes back by `/opt/back.sh now` instead of nothing"),
        ({"health": ("/opt/health.sh",)}, "asks for health by `/opt/health.sh` instead of nothing"),
        ({"env": {"REGION": "eu-west-1"}}, "gives the command another REGION"),
        ({"secrets": {"TOKEN": SecretReference(file="/run/token"), "KEY": SecretReference(env="KEY_2")}},
         "takes KEY from the worker's variable KEY_2, TOKEN from the file /run/token"),
        ({"timeout": timedelta(minutes=3)}, "a deployment may take 3m instead of 10m"),
    ],
)  # fmt: skip
def test_every_change_of_a_command_has_its_words(change: dict[str, Any], words: str) -> None:
    assert changes(by_command(), by_command(**change)) == (f"production: {words}",)


def by_webhook(url: str = "https://deployer.example.com/a-key", **more: Any) -> Environment:
    spec = WebhookSpec(url, more.pop("secret", SecretReference(file="/run/secret")), **more)
    return replace(PRODUCTION, deployer=DeployerSpec("webhook", webhook=spec))


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (by_webhook("https://other.example.com/"),
         "asks https://other.example.com instead of https://deployer.example.com"),
        (by_webhook("https://deployer.example.com/another-key"), "asks another address of https://deployer.example.com"),
        (by_webhook(secret=SecretReference(env="KEY")), "signs with the secret in the worker's variable KEY"),
        (by_webhook(health_url="https://a.example.com/"), "asks another address for health"),
        (by_webhook(timeout=timedelta(minutes=3)), "a deployment may take 3m instead of 10m"),
    ],
)  # fmt: skip
def test_every_change_of_a_webhook_has_its_words_without_its_address(after: Environment, words: str) -> None:
    assert changes(by_webhook(), after) == (f"production: {words}",)
    assert "a-key" not in words


def test_what_deploys_to_a_new_environment_is_said() -> None:
    assert describe_changes({}, {"production": by_command()})[:2] == (
        "production is new",
        "production: deploys by `/opt/deploy.sh`",
    )
    assert describe_changes({}, {"production": by_webhook()})[1:3] == (
        "production: asks https://deployer.example.com",
        "production: signs with the secret in the file /run/secret",
    )
    assert changes(PRODUCTION, by_command()) == (
        "production: is deployed by command instead of alias",
        "production: deploys by `/opt/deploy.sh`",
    )
