"""Chooses the adapters and opens the database: what `service` and `engine` work with."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from psycopg.conninfo import conninfo_to_dict

from signoff.adapters.blobs.file import FileBlobs
from signoff.adapters.deploy.alias import AliasDeployer
from signoff.adapters.deploy.command import CommandDeployer
from signoff.adapters.deploy.server import ServerDeployer, stop_all
from signoff.adapters.deploy.webhook import WebhookDeployer
from signoff.adapters.identity.job_tokens import JobTokens
from signoff.adapters.notify.chat import ChatNotifier
from signoff.adapters.notify.mail import MailNotifier
from signoff.adapters.notify.slack import SlackApp, SlackNotifier
from signoff.adapters.notify.webhook import WebhookNotifier
from signoff.adapters.registry.mlflow import MlflowRegistry, StepAccount
from signoff.adapters.runner.local import Limits, LocalRunner
from signoff.adapters.runner.snapshot import unpack
from signoff.bootstrap.scratch import take_scratch
from signoff.domain.account import Admission
from signoff.domain.errors import ConfigurationError
from signoff.domain.secret import reveal
from signoff.domain.target import TargetKind
from signoff.engine.jobs import NOTIFY_CONCURRENCY
from signoff.engine.machinery import Machinery
from signoff.engine.telling import tell
from signoff.outbound import Outbound
from signoff.outbound.addresses import AllowList
from signoff.ports import Notifier
from signoff.service import arrivals
from signoff.service.desk import Desk
from signoff.settings import Settings, prepare_home
from signoff.store import embedded
from signoff.store.database import Database
from signoff.store.migrate import upgrade

if TYPE_CHECKING:
    from signoff.adapters.identity.oidc import OidcProvider

SERVICE_ROLE = "signoff_service"
_SERVER_CONNECTIONS = 12
_PATIENCE = 30.0
"""Seconds that a service may take to answer that it deploys; what takes longer says where to ask."""


def clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


@contextmanager
def open_database(settings: Settings, *, connections: int) -> Iterator[Database]:
    """The migrated database, embedded or by SIGNOFF_DATABASE_URL, as the service's own role where there is one."""
    prepare_home(settings)
    if settings.database_url is None:
        with embedded.running(settings.home) as owner:
            upgrade(owner, service_role=SERVICE_ROLE)
            url = owner.replace("user=signoff", f"user={SERVICE_ROLE}")
            database = Database(url, pool_size=connections, tell=tell)
            try:
                yield database
            finally:
                database.close()
        return
    migrate_external(settings)
    database = Database(settings.database_url.reveal(), pool_size=connections, tell=tell)
    try:
        yield database
    finally:
        database.close()


def migrate_external(settings: Settings) -> None:
    """Bring the external database to the newest schema; its service role is granted what it needs."""
    if settings.database_url is None:
        raise ConfigurationError("No SIGNOFF_DATABASE_URL is set.", "Set it, or use the embedded database.")
    own = settings.database_url.reveal()
    owner = settings.migrate_database_url.reveal() if settings.migrate_database_url else own
    role = conninfo_to_dict(own).get("user")
    is_lesser = role is not None and role != conninfo_to_dict(owner).get("user")
    upgrade(owner, service_role=str(role) if is_lesser else None)


def migrate(settings: Settings) -> None:
    """`signoff migrate`: bring the database to the newest schema."""
    with open_database(settings, connections=1):
        pass


def stop_machine(settings: Settings) -> bool:
    """Stop this machine's model servers and embedded database; False when none ran."""
    stopped = stop_all(settings.home / "serving")
    return (settings.database_url is None and embedded.stop(settings.home)) or stopped > 0


def _blobs(settings: Settings) -> FileBlobs:
    if settings.storage_url is None:
        return FileBlobs(settings.home / "blobs")
    parts = urlsplit(settings.storage_url)
    return FileBlobs(Path(unquote(parts.path) if parts.scheme == "file" else settings.storage_url).absolute())


def _registry(settings: Settings, work: Path) -> MlflowRegistry:
    steps = StepAccount(*settings.step_mlflow) if settings.step_mlflow is not None else None
    return MlflowRegistry(settings.mlflow_uri, reveal(settings.registry_uri), work, steps=steps)


def _identity(settings: Settings) -> OidcProvider | None:
    if settings.oidc is None:
        return None
    from signoff.adapters.identity.oidc import OidcProvider

    oidc = settings.oidc
    return OidcProvider(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=oidc.client_secret,
        outbound=_outbound(settings),
        scopes=oidc.scopes,
        label=oidc.label,
        name_claim=oidc.name_claim,
        groups_claim=oidc.groups_claim,
    )


def _outbound(settings: Settings) -> Outbound:
    """The way out to addresses that somebody named."""
    return Outbound(AllowList.of(settings.outbound_allow))


def _slack(settings: Settings) -> SlackApp | None:
    secret = settings.slack_signing_secret
    return SlackApp(secret, _outbound(settings)) if secret is not None else None


def notifiers(settings: Settings) -> dict[TargetKind, Notifier]:
    """What can be told through, by kind of target.

    Raises:
        ConfigurationError: SIGNOFF_SMTP_URL names no mail server.
    """
    found: dict[TargetKind, Notifier] = {
        TargetKind.WEBHOOK: WebhookNotifier(_outbound(settings), clock),
        TargetKind.CHAT: ChatNotifier(),
        TargetKind.SLACK: SlackNotifier(_outbound(settings), can_answer=settings.slack_signing_secret is not None),
    }
    if settings.smtp_url is not None:
        found[TargetKind.MAIL] = MailNotifier(settings.smtp_url, urlsplit(settings.url).hostname or "localhost")
    return found


def _work(settings: Settings, part: str) -> Path:
    """A scratch folder of this process's own kind."""
    folder = settings.home / "work" / part
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def wire_desk(settings: Settings) -> Iterator[Desk]:
    """What the server's use-cases work with."""
    with open_database(settings, connections=_SERVER_CONNECTIONS) as database:
        work = _work(settings, "server")
        registry = _registry(settings, work)
        yield Desk(
            database=database,
            registry=registry,
            blobs=_blobs(settings),
            clock=clock,
            work=work,
            url=settings.url,
            unpack=unpack,
            identity=_identity(settings),
            admission=settings.oidc.admission if settings.oidc is not None else Admission(),
            id_tokens=JobTokens(_outbound(settings)),
            chat=_slack(settings),
            arrivals=registry.arrivals,
            hook_secret=settings.hook_secret,
        )


@contextmanager
def wire_machinery(settings: Settings, *, concurrency: int) -> Iterator[Machinery]:
    """What a worker works with."""
    with open_database(settings, connections=concurrency + NOTIFY_CONCURRENCY + 4) as database:
        work = take_scratch(settings.home / "work", f"worker-{socket.gethostname()}-")
        registry = _registry(settings, work)
        runner = LocalRunner(Limits(memory=settings.step_memory_limit))
        blobs = _blobs(settings)
        desk = Desk(database, registry, blobs, clock, work, settings.url, unpack, arrivals=registry.arrivals)
        yield Machinery(
            database=database,
            registry=registry,
            tracking=registry,
            runner=runner,
            deployers={
                "alias": AliasDeployer(registry),
                "server": ServerDeployer(settings.home / "serving", registry),
                "command": CommandDeployer(runner, registry),
                "webhook": WebhookDeployer(replace(_outbound(settings), deadline=_PATIENCE), registry, clock),
            },
            blobs=blobs,
            work=work,
            clock=clock,
            heartbeat=settings.heartbeat,
            notifiers=notifiers(settings),
            url=settings.url,
            look=partial(arrivals.look, desk),
            expiry_notice=settings.expiry_notice,
        )
