"""Environments that are written as a file are read back as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.domain.deployer import CommandSpec, SecretReference, WebhookSpec
from signoff.domain.environment import LOCAL, BreakGlass, DeployerSpec, Environment, Freeze, Requirements
from signoff.domain.pipeline import RuleSpec
from signoff.spec import read_environments
from signoff.spec.environments_file import write_environments

EXAMPLES = sorted(Path(__file__).parents[3].glob("examples/*/environments.yaml"))
EVERYTHING = Environment(
    "production",
    DeployerSpec("server", "champion-2", timedelta(seconds=90)),
    (RuleSpec("risk", ("group:risk", "bob"), 2, allow_policy=False), RuleSpec("legal", ("carol",))),
    Requirements(measured=True, checks_passed=True, came_from="staging"),
    timedelta(days=30, hours=1),
    accept_claimed=True,
    promote_to="staging",
    freeze=(Freeze(datetime(2026, 12, 20, tzinfo=UTC), datetime(2027, 1, 5, 6, 30, tzinfo=UTC), 'year end: "no"'),),
    break_glass=BreakGlass(("group:leads", "bob"), 2, timedelta(hours=8), "return_to_former"),
    step_up="passkey",
    self_heal=True,
)
STAGING = Environment("staging", DeployerSpec(alias="on"), chat_approval=True)
COMMAND = CommandSpec(
    ("/etc/signoff/deploy.sh", "--to", "{no: yes}"),
    ("/etc/signoff/back.sh",),
    ("/etc/signoff/health.sh",),
    {"REGION": "012", "EMPTY_LINES": "a\n\nb: #c"},
    {"KEY": SecretReference(file="/run/secrets/key"), "OTHER": SecretReference(env="THEIRS")},
    timedelta(minutes=5),
)
WEBHOOK = WebhookSpec(
    "https://deployer.example.com/deploy?a=b#c",
    SecretReference(env="HOOK"),
    "https://deployer.example.com/health",
    timedelta(minutes=20),
)


def back(*environments: Environment) -> dict[str, Environment]:
    """What is read of what is written."""
    text = write_environments({one.name: one for one in environments})
    found, problems = read_environments(text)
    assert found is not None, f"{text}\n" + "\n".join(problem.text() for problem in problems)
    return dict(found)


def test_whatever_an_environment_demands_comes_back() -> None:
    assert back(EVERYTHING, STAGING) == {"local": LOCAL, "production": EVERYTHING, "staging": STAGING}


@pytest.mark.parametrize(
    "deployer",
    [DeployerSpec("command", "champion", command=COMMAND), DeployerSpec("webhook", "champion", webhook=WEBHOOK)],
    ids=["command", "webhook"],
)
def test_however_it_deploys_comes_back(deployer: DeployerSpec) -> None:
    one = Environment("production", deployer)
    assert back(one)["production"] == one


def test_local_is_in_it_only_where_somebody_changed_it() -> None:
    assert write_environments({"local": LOCAL}) == "environments: {}\n"
    changed = Environment("local", DeployerSpec(alias="trial"))
    assert back(changed) == {"local": changed}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.parent.name)
def test_every_example_comes_back(file: Path) -> None:
    found, _ = read_environments(file.read_bytes())
    assert found is not None
    assert back(*found.values()) == found


LINES = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1).filter(str.strip)


@given(reason=LINES, value=LINES, words=st.lists(LINES, max_size=3))
def test_whatever_words_are_in_it_come_back(reason: str, value: str, words: list[str]) -> None:
    window = Freeze(datetime(2026, 12, 20, tzinfo=UTC), datetime(2026, 12, 21, tzinfo=UTC), reason)
    command = CommandSpec(("/bin/deploy", *words), env={"NAME": value})
    one = Environment("production", DeployerSpec("command", command=command), freeze=(window,))
    text = write_environments({"production": one})
    found, problems = read_environments(text)
    if found is not None:  # not every text may stand in such a file at all
        assert found["production"] == one, text
    else:
        assert "production" in text
        assert all(problem.code != "yaml" for problem in problems), text
