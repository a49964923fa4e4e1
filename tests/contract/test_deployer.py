"""What every deployer promises: the double and the real ones pass the same suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploying_scene import Outside
from deploying_service import WEBHOOK_SECRET, a_deploying_service
from signoff.adapters.deploy.alias import AliasDeployer
from signoff.adapters.deploy.command import CommandDeployer
from signoff.adapters.deploy.memory import MemoryDeployer
from signoff.adapters.deploy.server import ServerDeployer, stop_all
from signoff.adapters.deploy.webhook import WebhookDeployer
from signoff.adapters.runner.local import Limits, LocalRunner
from signoff.domain.drift import SeenBy
from signoff.domain.environment import LOCAL, Environment
from signoff.domain.errors import DigestMismatchError, SignoffError, UnavailableError
from signoff.outbound import Outbound
from signoff.ports import Deployer, Live, Observer, Release
from tiny_models import Aliases, release_of, write_model


@dataclass(frozen=True)
class Bench:
    deployer: Deployer
    first: Release
    second: Release
    aliases: Aliases

    @property
    def environment(self) -> Environment:
        return self.first.environment

    def break_down(self) -> None:
        if isinstance(self.deployer, MemoryDeployer):
            self.deployer.failing = UnavailableError("The deployer's target did not answer.")
        self.aliases.is_down = True

    def mend(self) -> None:
        if isinstance(self.deployer, MemoryDeployer):
            self.deployer.failing = None
        self.aliases.is_down = False


Made = Iterator[tuple[Deployer, Environment]]


@contextmanager
def _memory(_folder: Path, _aliases: Aliases) -> Made:
    yield MemoryDeployer(address="http://memory"), LOCAL


@contextmanager
def _alias(_folder: Path, aliases: Aliases) -> Made:
    yield AliasDeployer(aliases), LOCAL


@contextmanager
def _server(folder: Path, aliases: Aliases) -> Made:
    yield ServerDeployer(folder / "serving", aliases), LOCAL
    stop_all(folder / "serving")


@contextmanager
def _command(folder: Path, aliases: Aliases) -> Made:
    runner = LocalRunner(Limits(poll=0.05))
    yield CommandDeployer(runner, aliases, pause=0.05), Outside(folder / "outside").environment("local", env={})


@contextmanager
def _webhook(folder: Path, aliases: Aliases) -> Made:
    (folder / "secret").write_text(WEBHOOK_SECRET)
    with a_deploying_service() as service:
        deployer = WebhookDeployer(Outbound(), aliases, lambda: datetime.now(UTC), pause=0.05)
        yield deployer, service.environment("local", str(folder / "secret"))


MAKERS = {"memory": _memory, "alias": _alias, "server": _server, "command": _command, "webhook": _webhook}
BY_ALIAS = (AliasDeployer, CommandDeployer, WebhookDeployer)
"""What runs is what the alias says: nobody else can be asked."""


@pytest.fixture(scope="module", params=MAKERS)
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("deployer")
    aliases = Aliases()
    with MAKERS[request.param](folder, aliases) as (deployer, environment):
        first, second = (
            release_of(
                write_model(folder / f"v{n}", predict=f"return [{n}.0] * len(frame)"), n, environment=environment
            )
            for n in "12"
        )
        aliases.add(first, second)
        yield Bench(deployer, first, second, aliases)


def current(bench: Bench) -> tuple[str, str | None] | None:
    live = bench.deployer.current(bench.environment, "fraud")
    return (live.version, live.digest) if live else None


def named(release: Release) -> tuple[str, str]:
    return release.version.version, release.version.digest


def test_nothing_is_current_where_nothing_was_deployed(bench: Bench) -> None:
    assert bench.deployer.current(bench.environment, "never-deployed") is None
    assert not bench.deployer.is_ours(bench.environment, "never-deployed")


def test_what_was_deployed_last_is_current_and_the_way_back_is_open(bench: Bench) -> None:
    for release in (bench.first, bench.second, bench.first):
        address = bench.deployer.deploy(release)
        assert bench.deployer.current(bench.environment, "fraud") == Live(*named(release), address)


def test_deploying_what_is_live_gives_the_same_address(bench: Bench) -> None:
    address = bench.deployer.deploy(bench.second)
    assert bench.deployer.deploy(bench.second) == address
    assert current(bench) == named(bench.second)


def test_other_bytes_than_the_approved_are_refused_and_the_former_version_stays(bench: Bench, tmp_path: Path) -> None:
    bench.deployer.deploy(bench.first)
    tampered = release_of(write_model(tmp_path / "v3"), "3", environment=bench.environment)
    (tampered.path / "code" / "extra.py").write_text("print('owned')")
    with pytest.raises(DigestMismatchError):
        bench.deployer.deploy(tampered)
    assert current(bench) == named(bench.first)


def test_a_target_that_does_not_answer_is_unavailable_and_the_former_version_stays(bench: Bench) -> None:
    bench.deployer.deploy(bench.first)
    bench.break_down()
    try:
        with pytest.raises(UnavailableError):
            bench.deployer.deploy(bench.second)
    finally:
        bench.mend()
    assert current(bench) == named(bench.first)


def test_ensure_leaves_what_is_live_alone(bench: Bench) -> None:
    address = bench.deployer.deploy(bench.first)
    assert bench.deployer.ensure(bench.first) == address
    assert current(bench) == named(bench.first)


def test_ensure_brings_back_what_was_lost(bench: Bench, tmp_path: Path) -> None:
    address = bench.deployer.deploy(bench.second)
    match bench.deployer:
        case MemoryDeployer() as memory:
            memory.lose("local", "fraud")
        case AliasDeployer() | CommandDeployer() | WebhookDeployer():
            bench.aliases.aliases.clear()
        case _:
            assert stop_all(bench.second.path.parent / "serving") == 1
    assert current(bench) is None
    assert bench.deployer.ensure(bench.second) == address
    assert current(bench) == named(bench.second)


def test_what_is_observed_is_what_was_deployed_whoever_tells_of_it(bench: Bench) -> None:
    assert isinstance(bench.deployer, Observer)
    bench.deployer.deploy(bench.first)
    seen = bench.deployer.observe(bench.environment, {"fraud"}, bench.aliases.list_aliases())
    assert {(one.model, one.version) for one in seen} == {("fraud", "1")}
    assert {one.digest for one in seen} <= {None, bench.first.version.digest}
    servers = [one for one in seen if one.seen_by is SeenBy.SERVER]
    assert len(servers) == (0 if isinstance(bench.deployer, BY_ALIAS) else 1)


def test_an_alias_that_somebody_moved_is_observed_beside_what_runs(bench: Bench) -> None:
    assert isinstance(bench.deployer, Observer)
    bench.deployer.deploy(bench.first)
    moved = {"fraud": {"champion": "2"}, "churn": {"champion": "1"}, "other": {"staging": "1"}}
    seen = bench.deployer.observe(bench.environment, {"fraud"}, moved)
    aliases = {(one.model, one.version) for one in seen if one.seen_by is SeenBy.ALIAS}
    assert aliases == (set() if isinstance(bench.deployer, MemoryDeployer) else {("fraud", "2"), ("churn", "1")})
    assert {one.version for one in seen if one.seen_by is SeenBy.SERVER} <= {"1"}


def test_a_refusal_says_what_to_do(bench: Bench, tmp_path: Path) -> None:
    tampered = release_of(write_model(tmp_path / "v4"), "4", environment=bench.environment)
    (tampered.path / "MLmodel").write_text("{}")
    with pytest.raises(SignoffError) as refusal:
        bench.deployer.deploy(tampered)
    assert refusal.value.what
    assert refusal.value.hint
