"""The command deployer: what the administrator's own program does is the deployment. Only `bootstrap` imports this.

The order: verify the bytes; run the command; ask for health; move the alias. Where something fails after the command
has begun, the administrator's way back is run with the former version. A command cannot be asked what it did, so it is
run at least once, under a key that stays the same.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

from signoff.adapters.deploy.aftermath import ended, gone_back, wait_for_health
from signoff.adapters.deploy.alias import AliasDeployer, mirror
from signoff.adapters.deploy.order import Action, key_of, order_of, variables_of
from signoff.adapters.deploy.reference import look_up
from signoff.adapters.deploy.saying import Saying
from signoff.domain.deployer import CommandSpec
from signoff.domain.drift import Aliases, Sighting
from signoff.domain.environment import Environment
from signoff.domain.errors import (
    CancelledError,
    HandedBackError,
    MachineryError,
    SignoffError,
    UnavailableError,
)
from signoff.domain.secret import Secret
from signoff.ports import Live, Outcome, Release, Runner, Task, Tracking
from signoff.proof.manifest import verify

TRY_LATER = 75
"""EX_TEMPFAIL of sysexits.h: nothing was done, and the same may be asked again in a moment."""
_PAUSE = 1.0
_LONGEST_ADDRESS = 2000


class CommandDeployer:
    """Deploys by the commands of `CommandSpec`, run by `runner` like those of a step.

    `pause` seconds lie between two looks at health.
    """

    def __init__(self, runner: Runner, tracking: Tracking, *, pause: float = _PAUSE) -> None:
        self._runner = runner
        self._tracking = tracking
        self._alias = AliasDeployer(tracking)
        self._pause = pause

    def deploy(self, release: Release, /) -> str | None:
        """Run the command, wait for health, move the alias; returns the address that the command left, if it did.

        Raises:
            DigestMismatchError: the bytes are not those of the version; nothing was run.
            UnhealthyError: it did not get healthy; the way back was run.
            UnavailableError: the command asks to be asked later (exit status 75), or the registry is away.
            MachineryError: the command failed, and the way back was run; or it could not be started.
            HandedBackError, CancelledError: `should_stop` ended it.
        """
        version, environment = release.version, release.environment
        spec = environment.deployer.command
        if spec is None:
            raise MachineryError(f"{environment.name} names no command.", "Apply its environments file again.")
        verify(release.path, version.digest)
        self._tracking.list_aliases()  # rather now than when the command has run
        secrets = {name: look_up(name, reference) for name, reference in spec.secrets.items()}
        with TemporaryDirectory(dir=release.path.parent, prefix="command-", ignore_cleanup_errors=True) as folder:
            commands = _Commands(self._runner, spec, release, secrets, Path(folder))
            try:
                commands.deploy()
                commands.wait_for_health(self._pause)
                self._tracking.set_alias(version.model, environment.deployer.alias, version.version)
            except (HandedBackError, CancelledError, _TryLaterError):
                raise
            except SignoffError as error:
                raise commands.gone_back(error) from error
        mirror(self._tracking, release)
        return commands.address

    def current(self, environment: Environment, model: str, /) -> Live | None:
        """What the environment's alias points at: it moves when a deployment has succeeded, and at no other time."""
        return self._alias.current(environment, model)

    def observe(self, environment: Environment, models: Collection[str], aliases: Aliases, /) -> list[Sighting]:
        """What the alias says: a command cannot be asked what runs."""
        return self._alias.observe(environment, models, aliases)

    def is_ours(self, environment: Environment, model: str, /) -> bool:  # noqa: ARG002  (the port's words)
        """No machine of signoff's keeps it serving."""
        return False

    def ensure(self, release: Release, /) -> str | None:
        """Deploy it again only when the alias is gone."""
        if self.current(release.environment, release.version.model) is None:
            return self.deploy(release)
        return None


class _Commands:
    """The commands of one deployment: what each sees, and what its end means."""

    def __init__(
        self, runner: Runner, spec: CommandSpec, release: Release, secrets: dict[str, Secret], folder: Path
    ) -> None:
        self._runner = runner
        self._spec = spec
        self._release = release
        self._secrets = secrets
        self._folder = folder
        self._saying = Saying(release.log, secrets.values())
        self._tries = 0
        self.address: str | None = None
        """Where it answers, as far as a command has said so."""

    def deploy(self) -> None:
        """Run the command that deploys."""
        self._saying.say(f"deploys {self._release.version.label} to {self._release.environment.name}")
        outcome = self._run("deploy", self._spec.run, self._spec.timeout.total_seconds())
        if outcome.exit_status == TRY_LATER and outcome.reason is None:
            raise _TryLaterError(
                f"The command that deploys to {self._release.environment.name} asks to be asked later: "
                f"{self._last(outcome)}.",
                "`signoff logs` shows what it wrote.",
            )
        self._check(outcome, "deploys to")

    def wait_for_health(self, pause: float) -> None:
        """Run the health command until it succeeds, if there is one."""
        if self._spec.health:
            wait_for_health(self._release, self._saying, self._look, pause)

    def _look(self, seconds: float) -> str | None:
        outcome = self._run("health", self._spec.health, seconds)
        if outcome.reason is not None:
            return self._saying.last_line().rstrip(".")  # the time is up: what was said before is the better reason
        return None if outcome.exit_status == 0 else self._last(outcome)

    def gone_back(self, error: SignoffError) -> SignoffError:
        """Run the way back, if there is one; the error that says what came of it."""
        return gone_back(error, self._release, self._saying, self._back if self._spec.rollback else None)

    def _back(self) -> None:
        outcome = self._run("rollback", self._spec.rollback, self._spec.timeout.total_seconds())
        self._check(outcome, "goes back in")

    def _check(self, outcome: Outcome, what: str) -> None:
        """Return when the command succeeded; MachineryError with why it did not."""
        if outcome.reason is None and outcome.exit_status == 0:
            return
        raise MachineryError(
            f"The command that {what} {self._release.environment.name} failed: {self._last(outcome)}.",
            "`signoff logs` shows what it wrote; `signoff retry` runs it again.",
        )

    def _run(self, action: Action, argv: tuple[str, ...], timeout: float) -> Outcome:
        """Run one command to its end.

        Raises:
            HandedBackError, CancelledError: `should_stop` ended it.
            MachineryError: it could not be started.
        """
        release = self._release
        order = order_of(release, action)
        environment = {
            **self._spec.env,
            **{name: secret.reveal() for name, secret in self._secrets.items()},
            **variables_of(order),
        }
        if action != "rollback":
            environment["SIGNOFF_MODEL_PATH"] = str(release.path)
        self._tries += 1
        self._saying.forget()
        task = Task(
            key=key_of(release, action),
            attempt_number=1,
            try_number=self._tries,
            argv=argv,
            work=self._folder,
            environment=environment,
            context=order,
            timeout=max(timeout, 0.1),
        )
        outcome = self._runner.run(task, self._saying, release.should_stop or _never)
        self._saying.flush()
        ended(release, outcome.reason)
        self.address = _address(outcome.output) or self.address
        return outcome

    def _last(self, outcome: Outcome) -> str:
        """Why it failed: the last line that it wrote, else how it ended."""
        if outcome.reason is not None:
            return (" ".join(outcome.notes) or outcome.reason).rstrip(".")
        return self._saying.last_line().rstrip(".") or f"exit status {outcome.exit_status}"


class _TryLaterError(UnavailableError):
    """The command says that it did nothing; there is nothing to go back from."""


def _never() -> None:
    """Nobody wants it to stop."""


def _address(output: Path) -> str | None:
    """What the command says of where the version answers: one line, a web address."""
    try:
        with (output / "address").open(encoding="utf-8") as file:
            line = file.read(_LONGEST_ADDRESS + 1).strip()
    except (OSError, UnicodeDecodeError):
        return None
    is_one = line.startswith(("http://", "https://")) and line.isprintable() and " " not in line
    return line if is_one and len(line) <= _LONGEST_ADDRESS else None
