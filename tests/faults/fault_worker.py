"""A worker whose registry is a folder, for tests that kill it: everything else is what `signoff worker` wires.

Run as a script with the scene's folder and the database's URL. Wherever the folder names a point under ``hold/``, the
worker stops there until the file is gone, having said so under ``held/``: so a test kills it exactly there. Every
effect on the outside is one line of ``effects``.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from signoff.adapters.blobs.file import FileBlobs
from signoff.adapters.deploy.alias import AliasDeployer
from signoff.adapters.deploy.command import CommandDeployer
from signoff.adapters.deploy.webhook import WebhookDeployer
from signoff.adapters.notify.mail import MailNotifier
from signoff.adapters.notify.webhook import WebhookNotifier
from signoff.adapters.registry.copies import copy_model
from signoff.adapters.runner.local import LocalRunner
from signoff.bootstrap.logs import configure_logs
from signoff.domain.errors import MachineryError, ModelNotFoundError, UnavailableError
from signoff.domain.notice import Message
from signoff.domain.secret import Secret
from signoff.domain.target import Target, TargetKind
from signoff.domain.version import Manifest, ModelVersion
from signoff.engine.machinery import Machinery
from signoff.engine.telling import tell
from signoff.engine.worker import Worker
from signoff.outbound import Outbound
from signoff.ports import Notifier, TrainingRun
from signoff.proof.manifest import manifest_of
from signoff.store.database import Database

HEARTBEAT = 0.5


class FolderRegistry:
    """Both ports of the registry, in files that several processes share. Down while ``registry-is-down`` exists."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, model: str, source: Path) -> ModelVersion:
        """Keep the files of `source` as the next version."""
        number = 1
        while True:
            folder = self._root / "models" / model / str(number)
            try:
                folder.mkdir(parents=True)
            except FileExistsError:
                number += 1
                continue
            copy_model(source, folder)
            return self._version(model, str(number))

    def resolve(self, reference: str, model: str | None, /) -> ModelVersion:  # noqa: ARG002 - the port's words
        self._ask()
        name, _, number = reference.removeprefix("models:/").partition("/")
        return self._version(name, number)

    def fetch(self, version: ModelVersion, target: Path, /) -> Manifest:
        self._ask()
        hold(self._root, f"fetch-{version.model}-{target.name}")
        return copy_model(self._root / "models" / version.model / version.version, target)

    def start_training_run(self, key: str, experiment: str, /) -> TrainingRun:  # noqa: ARG002
        self._ask()
        return TrainingRun(sha256(key.encode()).hexdigest()[:16])

    def collect(self, training_run_id: str, output: Path, model: str, /) -> ModelVersion:
        self._ask()
        known = self._root / "trained" / training_run_id
        if known.exists():
            return self._version(model, known.read_text())
        if not (output / "model").is_dir():
            raise MachineryError("The training command delivered no model.", "Leave it as $SIGNOFF_OUTPUT/model.")
        version = self.add(model, output / "model")
        known.write_text(version.version)
        return version

    def metrics(self, training_run_id: str, /) -> Mapping[str, float]:  # noqa: ARG002
        return {}

    def alias(self, model: str, alias: str, /) -> ModelVersion | None:
        self._ask()
        hold(self._root, f"alias-{model}")
        file = self._root / "aliases" / f"{model}.{alias}"
        return self._version(model, file.read_text()) if file.exists() else None

    def list_aliases(self) -> dict[str, dict[str, str]]:
        self._ask()
        found: dict[str, dict[str, str]] = {}
        for file in (self._root / "aliases").iterdir():
            model, _, alias = file.name.partition(".")
            if "." not in alias:
                found.setdefault(model, {})[alias] = file.read_text()
        return found

    def set_alias(self, model: str, alias: str, version: str, /) -> None:
        self._ask()
        hold(self._root, f"before-effect-{model}")
        fresh = self._root / "aliases" / f"{model}.{alias}.{os.getpid()}"
        fresh.write_text(version)
        fresh.replace(self._root / "aliases" / f"{model}.{alias}")
        with (self._root / "effects").open("a") as effects:
            effects.write(f"{model} {version}\n")
        hold(self._root, f"after-effect-{model}")

    def set_tags(self, model: str, version: str, tags: Mapping[str, str], /) -> None:
        """Tags are for people's eyes."""

    def _version(self, model: str, number: str) -> ModelVersion:
        folder = self._root / "models" / model / number
        if not number or not folder.is_dir():
            raise ModelNotFoundError(f"There is no {model} v{number}.", "Look at the scene.")
        return ModelVersion(model, number, manifest_of(folder).digest, f"models:/{model}/{number}")

    def _ask(self) -> None:
        if (self._root / "registry-is-down").exists():
            raise UnavailableError("The registry did not answer.", "It was told to be down.")


def hold(root: Path, point: str) -> None:
    """Stop here for as long as the test wants."""
    wanted = root / "hold" / point
    if not wanted.exists():
        return
    (root / "held" / point).write_text(str(os.getpid()))
    while wanted.exists():
        time.sleep(0.01)


def clock_of(root: Path) -> datetime:
    """Now, off by the seconds that the file ``clock`` names."""
    file = root / "clock"
    return datetime.now(UTC) + timedelta(seconds=float(file.read_text()) if file.exists() else 0)


class HeldMail:
    """The real mail notifier, held where a test wants: at ``mailing-<address>`` before, ``mailed-<address>`` after."""

    def __init__(self, root: Path, inner: MailNotifier) -> None:
        self._root = root
        self._inner = inner

    @contextmanager
    def open(self, target: Target, /) -> Iterator[Callable[[Message], str]]:
        with self._inner.open(target) as send:

            def held(message: Message) -> str:
                hold(self._root, f"mailing-{message.to}")
                answer = send(message)
                hold(self._root, f"mailed-{message.to}")
                return answer

            yield held


def notifiers_of(root: Path) -> dict[TargetKind, Notifier]:
    """Mail, where the file ``smtp`` names a server; webhooks."""
    found: dict[TargetKind, Notifier] = {
        TargetKind.WEBHOOK: WebhookNotifier(Outbound(deadline=3), lambda: datetime.now(UTC))
    }
    if (root / "smtp").exists():
        found[TargetKind.MAIL] = HeldMail(root, MailNotifier(Secret((root / "smtp").read_text()), "localhost"))
    return found


def machinery_of(root: Path, url: str) -> Machinery:
    """What `bootstrap.wire_machinery` wires, with the folder registry."""
    registry = FolderRegistry(root)
    work = root / f"work-{os.getpid()}"
    work.mkdir(exist_ok=True)
    return Machinery(
        database=Database(url, pool_size=20, tell=tell),
        registry=registry,
        tracking=registry,
        runner=LocalRunner(),
        deployers={
            "alias": AliasDeployer(registry),
            "command": CommandDeployer(LocalRunner(), registry, pause=0.05),
            "webhook": WebhookDeployer(Outbound(deadline=20), registry, lambda: datetime.now(UTC), pause=0.05),
        },
        blobs=FileBlobs(root / "blobs"),
        work=work,
        clock=lambda: clock_of(root),
        heartbeat=HEARTBEAT,
        retry_pauses=(0.1, 0.2, 0.4),
        notifiers=notifiers_of(root),
    )


def main(root: Path, url: str) -> None:
    """Work until SIGTERM; SIGUSR1 tells where every thread is."""
    faulthandler.register(signal.SIGUSR1)
    configure_logs("human")
    if limit := os.environ.get("SIGNOFF_TEST_LARGEST_FILE"):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    worker = Worker(machinery_of(root, url), concurrency=8)

    def stop(*_: object) -> None:
        worker.stop()
        (root / "held" / f"told-{os.getpid()}").touch()

    signal.signal(signal.SIGTERM, stop)
    worker.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
