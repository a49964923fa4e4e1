"""What signoff needs of the outside world, as Protocols of one to four methods.

Adapters implement them, `bootstrap` chooses them, `engine` and `service` call them. Each has a double in the
adapter's `memory.py` and one contract suite that the double and the real thing both pass. Failures of the outside
are `UnavailableError` (try again later) or `MachineryError`; refusals are their own `SignoffError`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol, runtime_checkable

from signoff.domain.chat import Press, Reply
from signoff.domain.drift import Aliases, Sighting
from signoff.domain.environment import DeploymentKind, Environment
from signoff.domain.notice import Message
from signoff.domain.target import Target
from signoff.domain.trigger import Arrival
from signoff.domain.version import Manifest, ModelVersion


class Registry(Protocol):
    """Where model versions live."""

    def resolve(self, reference: str, model: str | None, /) -> ModelVersion:
        """The version that `reference` names *now*, with its manifest digest computed from the bytes.

        `reference` is ``models:/name/3``, ``models:/name@alias``, ``runs:/id/path`` (registered if need be, under
        `model`) or a local folder or file on this machine (registered under `model`).

        Raises:
            ModelNotFoundError: no such version, alias or path.
            UnsafeModelError: files that a manifest cannot name.
            InvalidError: the reference is malformed, or a model name is needed and missing.
            UnavailableError: the registry did not answer.
        """

    def fetch(self, version: ModelVersion, target: Path, /) -> Manifest:
        """Copy the version's files into the empty folder `target`, now; returns the manifest of what was copied."""

    def start_training_run(self, key: str, experiment: str, /) -> TrainingRun:
        """The tracking run for the idempotency key `key` (``run/step/attempt``): found if it was made before.

        Its `environment` lets an ordinary MLflow script continue that run.
        """

    def collect(self, training_run_id: str, output: Path, model: str, /) -> ModelVersion:
        """The version that a training command delivered: registered by itself, or left as ``output/model``.

        Raises:
            MachineryError: neither is there.
        """


class Tracking(Protocol):
    """What the registry tells of runs and marks on versions for people's eyes."""

    def metrics(self, training_run_id: str, /) -> Mapping[str, float]:
        """The latest value of every metric logged to the tracking run; values may be NaN or infinite."""

    def alias(self, model: str, alias: str, /) -> ModelVersion | None:
        """The version behind `alias` now (digest computed from the bytes), or None."""

    def list_aliases(self) -> Aliases:
        """Every registered model -> its aliases -> the version that each is on, asked at one moment; no bytes are read.

        Raises:
            UnavailableError: the registry did not answer.
        """

    def set_alias(self, model: str, alias: str, version: str, /) -> None:
        """Put `alias` on `version`; asking first makes repeating it harmless."""

    def set_tags(self, model: str, version: str, tags: Mapping[str, str], /) -> None:
        """Mirror `tags` (all named ``signoff.*``) on the version. Never read as truth."""


class Arrivals(Protocol):
    """What was registered lately, and taking it in."""

    def newest(self, model: str, /) -> int:
        """The number of the newest version of `model`; 0 when it has none, or does not exist yet."""

    def newer_than(self, model: str, version: int, /) -> Sequence[Arrival]:
        """Every version of `model` with a higher number, lowest first; deleted ones are not among them."""

    def copy(self, version: ModelVersion, model: str, /) -> ModelVersion:
        """A version of `model` with the bytes of `version`, in a place of signoff's own; found if it was made before.

        It has the metrics and the lineage of `version`.

        Raises:
            DigestMismatchError: the bytes are no longer those of `version`.
        """


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A tracking run and the variables that point a script at it (``MLFLOW_*``)."""

    id: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """One command to run: idempotency `key` (``run/step/attempt``), which try, and everything it sees.

    `folder` is a packed snapshot (tar.gz) that is unpacked into a fresh working folder, or None for an empty one.
    `environment` holds every variable beyond the clean base (PATH, HOME, LANG, TMPDIR are the runner's business).
    `output` is created empty by the runner before the command starts; what the command writes there is the caller's
    to keep. `context` is written as JSON to the file named by SIGNOFF_CONTEXT. `log` takes the merged output as
    bytes, live. `timeout` in seconds.
    """

    key: str
    attempt_number: int
    try_number: int
    argv: tuple[str, ...]
    work: Path
    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, Any] = field(default_factory=dict)
    python: str | None = None
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended: its exit status (negative: killed by that signal), where its output folder is, notes.

    `reason` is set when the runner ended it: ``timeout``, ``cancelled``, ``stopped`` (the worker was told to stop),
    ``output_limit``; the notes say it in words.
    """

    exit_status: int
    output: Path
    reason: str | None = None
    notes: tuple[str, ...] = ()


class Log(Protocol):
    """Where a command's output goes as it comes; a file opened for writing bytes is one."""

    def write(self, data: bytes, /) -> int:
        """Keep all of `data`; OSError when that is impossible (a full disk)."""


class Runner(Protocol):
    """Runs training and test commands."""

    def run(self, task: Task, log: Log, should_stop: Callable[[], str | None], /) -> Outcome:
        """Run `task` to its end, writing its output to `log` as it comes.

        `should_stop` is asked at least every second; when it returns a word (``cancelled``, ``stopped``) the whole
        process group is killed and that word is the outcome's `reason`.

        Raises:
            MachineryError: the command could not be started at all (says which word of it and why).
        """


@dataclass(frozen=True, slots=True)
class Release:
    """What to deploy: verified bytes in `path`, whose manifest digest is `version.digest`; approved by `run_id`.

    `key` is the idempotency key: the same when a worker takes over from one that died, another when a person asks
    again. `approval` is the JSON that the model server shows as its approval at ``/version``. `former` is what the
    environment serves at present; a deployer that has begun and fails goes back to it unless `may_go_back` is False.
    What commands write goes to `log`; they end when `should_stop` returns a word.
    """

    key: str
    environment: Environment
    version: ModelVersion
    path: Path
    approval: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    kind: DeploymentKind = DeploymentKind.RUN
    former: ModelVersion | None = None
    may_go_back: bool = True
    log: Log | None = None
    should_stop: Callable[[], str | None] | None = None


class Deployer(Protocol):
    """Puts a release into an environment. Asked first, so that repeating is harmless."""

    def deploy(self, release: Release, /) -> str | None:
        """Make `release` what the environment serves; returns the address where it answers, if it serves.

        On return it is healthy. On any error the former version still serves.

        Raises:
            DigestMismatchError: the bytes in `release.path` are not those of `release.version`.
            UnhealthyError: it did not get healthy in time; the former version serves on.
            UnavailableError: the outside did not answer.
        """

    def current(self, environment: Environment, model: str, /) -> Live | None:
        """What the environment really serves now; None when nothing."""

    def is_ours(self, environment: Environment, model: str, /) -> bool:
        """Whether this machine is the one that keeps the environment's model serving."""

    def ensure(self, release: Release, /) -> str | None:
        """Bring back what should be live already (after a reboot); the same as `deploy` when it is not there."""


@runtime_checkable
class Observer(Protocol):
    """A deployer that can tell what runs, whoever put it there. Of one that cannot only the alias is looked at."""

    def observe(self, environment: Environment, models: Collection[str], aliases: Aliases, /) -> list[Sighting]:
        """Everything that is seen in the environment: of `models`, and of others that it comes across.

        `aliases` is what the registry says at this moment (`domain.drift.by_alias` reads it). What does not answer, or
        is looked after on another machine, is left out: it is not drift.
        """


@dataclass(frozen=True, slots=True)
class Live:
    """What an environment serves at this moment, as it says itself."""

    version: str
    digest: str | None
    address: str | None = None


class Blobs(Protocol):
    """Content-addressed files: snapshots, evidence, logs. Writing the same content twice is harmless."""

    def add(self, source: Path | bytes, /) -> str:
        """Keep `source` whole or not at all; returns ``sha256:<hex>``."""

    def open(self, digest: str, /) -> IO[bytes]:
        """The content, for reading (seekable).

        Raises:
            NotFoundError: no such blob.
        """

    def delete(self, digest: str, /, *, older_than: float | None = None) -> None:
        """Forget the blob; nothing happens when it is not there.

        With `older_than`, only if it was not added (again) in the last so many seconds: for the collector, whose
        look at what is referenced may be older than a re-use.
        """

    def older_than(self, seconds: float, /) -> list[str]:
        """The digests of all blobs written more than `seconds` ago: candidates for collection."""


class Notifier(Protocol):
    """Tells people or machines through one kind of target. At-least-once under the message's stable id."""

    def open(self, target: Target, /) -> AbstractContextManager[Callable[[Message], str]]:
        """A way to send through `target`, good for as many messages as one likes; connects when it must.

        What it gives sends one message and returns what was answered, in a line that may be shown. It raises

            RefusedError: the receiver does not take this message; others may get through.
            UnavailableError: nothing gets through at present.
            InvalidError: the target cannot be used as it is.
        """


class Chat(Protocol):
    """A chat service whose buttons come back: it is believed by its signature, and takes what one person is shown."""

    def believe(self, body: bytes, *, timestamp: str, signature: str, now: datetime) -> Press | None:
        """The button that somebody pressed; None where the service says something that asks for nothing.

        Raises:
            ChatSignatureError: it is not from the service, or of another time.
            ChatCallError: it is, and cannot be read.
        """

    def reply(self, press: Press, reply: Reply, *, origins: Collection[str]) -> None:
        """Show `reply` to whoever pressed, at an address of the service's own or of one of `origins`.

        Raises:
            ChatCallError: the address leads elsewhere.
            UnavailableError: it was not taken.
        """


@dataclass(frozen=True, slots=True)
class Vouched:
    """What an identity provider says of somebody who signed in there.

    `issuer` and `subject` say who it is, for ever; everything else is what they are called at the moment. `groups` is
    None where it says nothing of them.
    """

    issuer: str
    subject: str
    name: str = ""
    email: str | None = None
    groups: frozenset[str] | None = None


class IdentityProvider(Protocol):
    """Where people sign in instead of here."""

    @property
    def label(self) -> str:
        """What people call it."""

    @property
    def issuer(self) -> str:
        """What it calls itself."""

    def address(self, redirect_uri: str, /, *, state: str, nonce: str, verifier: str) -> str:
        """Where the browser goes to sign in, to come back to `redirect_uri`; UnavailableError when nobody answers."""

    def redeem(self, redirect_uri: str, /, *, code: str, nonce: str, verifier: str) -> Vouched:
        """Whom it vouches for, in exchange for the code that the browser came back with.

        Raises:
            SignOnError: the code, or what came for it, is not to be believed.
            UnavailableError: it did not answer.
        """


class IdTokens(Protocol):
    """What CI systems say about their jobs, signed."""

    def issuer_of(self, id_token: str, /) -> str:
        """Who the token says issued it, which is not yet to be believed; IdTokenError when it is no such token."""

    def believe(self, id_token: str, issuer: str, /) -> Mapping[str, Any]:
        """The claims of a token that `issuer` has signed.

        Raises:
            IdTokenError: it has not.
            UnavailableError: the issuer's keys could not be had.
        """
