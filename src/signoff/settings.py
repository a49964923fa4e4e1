"""One frozen Settings, read once from SIGNOFF_* (and *_FILE for what should not stand in an environment).

Read by `bootstrap` and the command line. Every variable is listed here with its default; an unknown SIGNOFF_* name is
refused with the nearest one that exists, because a misspelt setting that is silently ignored is a trap.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from signoff.domain.account import Admission
from signoff.domain.actor import Role
from signoff.domain.errors import ConfigurationError
from signoff.domain.secret import Secret

KNOWN = frozenset(
    {
        "SIGNOFF_HOME",
        "SIGNOFF_DATABASE_URL",
        "SIGNOFF_MIGRATE_DATABASE_URL",
        "SIGNOFF_STORAGE_URL",
        "SIGNOFF_URL",
        "SIGNOFF_SERVER",
        "SIGNOFF_TOKEN",
        "SIGNOFF_ID_TOKEN",
        "SIGNOFF_ID_TOKEN_2",
        "SIGNOFF_ID_TOKEN_3",
        "SIGNOFF_ID_TOKEN_4",
        "SIGNOFF_TRUSTED_PROXIES",
        "SIGNOFF_OUTBOUND_ALLOW",
        "SIGNOFF_LOG_FORMAT",
        "SIGNOFF_STEP_MEMORY_LIMIT",
        "SIGNOFF_STEP_MLFLOW_USERNAME",
        "SIGNOFF_STEP_MLFLOW_PASSWORD",
        "SIGNOFF_HEARTBEAT",
        "SIGNOFF_SIGNING_KEY_FILE",
        "SIGNOFF_SMTP_URL",
        "SIGNOFF_MLFLOW_WEBHOOK_SECRET",
        "SIGNOFF_SLACK_SIGNING_SECRET",
        "SIGNOFF_EXPIRY_NOTICE",
        "SIGNOFF_OIDC_ISSUER",
        "SIGNOFF_OIDC_CLIENT_ID",
        "SIGNOFF_OIDC_CLIENT_SECRET",
        "SIGNOFF_OIDC_SCOPES",
        "SIGNOFF_OIDC_LABEL",
        "SIGNOFF_OIDC_NAME_CLAIM",
        "SIGNOFF_OIDC_GROUPS_CLAIM",
        "SIGNOFF_OIDC_GROUPS",
        "SIGNOFF_OIDC_NEW_PEOPLE",
    }
)
"""Every variable of the server, worker and client. What a *step* sees (SIGNOFF_RUN_ID, ...) is not read here."""

OF_STEPS = frozenset(
    {
        "SIGNOFF_RUN_ID",
        "SIGNOFF_STEP",
        "SIGNOFF_ATTEMPT",
        "SIGNOFF_TRY",
        "SIGNOFF_OUTPUT",
        "SIGNOFF_CONTEXT",
        "SIGNOFF_MODEL_URI",
        "SIGNOFF_MODEL_PATH",
        "SIGNOFF_CHAMPION_URI",
        "SIGNOFF_ACTION",
        "SIGNOFF_IDEMPOTENCY_KEY",
        "SIGNOFF_ENVIRONMENT",
        "SIGNOFF_MODEL",
        "SIGNOFF_VERSION",
        "SIGNOFF_DIGEST",
        "SIGNOFF_KIND",
    }
)
"""What commands of steps and of deployers see; harmless when a client runs inside one."""

DEFAULT_HEARTBEAT = 10.0
DEFAULT_EXPIRY_NOTICE = timedelta(days=7)
DEFAULT_URL = "http://localhost:8010"
_PREFIXES = ("SIGNOFF_PARAM_", "SIGNOFF_TEST_", "SIGNOFF_FORMER_", "SIGNOFF_FAILED_")


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """The OpenID Connect provider by which people sign in, and whom it lets in."""

    issuer: str
    client_id: str
    client_secret: Secret | None = None
    scopes: str = "openid profile email"
    label: str = "single sign-on"
    name_claim: str = "preferred_username"
    groups_claim: str | None = None
    admission: Admission = field(default_factory=Admission)


@dataclass(frozen=True, slots=True)
class Settings:
    """What an administrator chose. What may hold a password is a `Secret`: it shows in no log and no traceback."""

    home: Path
    url: str = DEFAULT_URL
    database_url: Secret | None = None
    migrate_database_url: Secret | None = None
    storage_url: str | None = field(default=None, repr=False)
    tracking_uri: Secret | None = None
    registry_uri: Secret | None = None
    log_format: str = "human"
    step_memory_limit: int | None = None
    step_mlflow: tuple[str, Secret] | None = None
    heartbeat: float = DEFAULT_HEARTBEAT
    trusted_proxies: tuple[str, ...] = ()
    oidc: OidcSettings | None = None
    outbound_allow: tuple[str, ...] = ()
    smtp_url: Secret | None = None
    hook_secret: Secret | None = None
    slack_signing_secret: Secret | None = None
    expiry_notice: timedelta = DEFAULT_EXPIRY_NOTICE

    @property
    def mlflow_uri(self) -> str:
        """The tracking server, or a SQLite file in the home."""
        return self.tracking_uri.reveal() if self.tracking_uri else f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def state_file(self) -> Path:
        """Where `signoff up` writes its address and process, for the client and `signoff down`."""
        return self.home / "up.json"

    @property
    def credentials_folder(self) -> Path:
        """Where each person's session credential is kept, a 0600 file each."""
        return self.home / "credentials"


def prepare_home(settings: Settings) -> None:
    """Make the home folder; ConfigurationError when that is impossible."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{settings.home} cannot be made: {error.strerror}.", "Set SIGNOFF_HOME to a folder that you may write."
        ) from error


def default_home(environment: Mapping[str, str]) -> Path:
    """SIGNOFF_HOME, or /var/lib/signoff as root, or the platform's data folder."""
    chosen = environment.get("SIGNOFF_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/signoff")
    from platformdirs import user_data_path

    return user_data_path("signoff", appauthor=False)


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that `environment` (default: the process's own) asks for.

    Raises:
        ConfigurationError: an unknown SIGNOFF_* name, an unreadable *_FILE, or a value that cannot be.
    """
    env = dict(os.environ if environment is None else environment)
    refuse_unknown(env)

    def value(name: str) -> str | None:
        return _value(env, name)

    log_format = value("SIGNOFF_LOG_FORMAT") or "human"
    if log_format not in {"human", "json"}:
        raise ConfigurationError(f"SIGNOFF_LOG_FORMAT is {log_format!r}.", "Say human or json.")
    limit = value("SIGNOFF_STEP_MEMORY_LIMIT")
    if limit is not None and not limit.isdigit():
        raise ConfigurationError(f"SIGNOFF_STEP_MEMORY_LIMIT is {limit!r}.", "Say a number of bytes.")
    for later in ("SIGNOFF_SIGNING_KEY_FILE",):
        if later in env:
            raise ConfigurationError(f"{later} is not available yet.", "Remove it; this version would ignore it.")
    url = value("SIGNOFF_URL") or DEFAULT_URL
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise ConfigurationError(f"SIGNOFF_URL is {url!r}.", "Say an address such as http://localhost:8010.")
    storage = value("SIGNOFF_STORAGE_URL")
    if storage is not None and urlsplit(storage).scheme not in {"", "file"}:
        raise ConfigurationError(
            f"SIGNOFF_STORAGE_URL names a {urlsplit(storage).scheme} store.",
            "Object stores are not available yet: name a folder, or a file:// URL.",
        )
    return Settings(
        home=default_home(env),
        url=url.rstrip("/"),
        database_url=_secret(value("SIGNOFF_DATABASE_URL")),
        migrate_database_url=_secret(value("SIGNOFF_MIGRATE_DATABASE_URL")),
        storage_url=storage,
        tracking_uri=_secret(env.get("MLFLOW_TRACKING_URI")),
        registry_uri=_secret(env.get("MLFLOW_REGISTRY_URI")),
        log_format=log_format,
        step_memory_limit=int(limit) if limit else None,
        step_mlflow=_step_mlflow(value("SIGNOFF_STEP_MLFLOW_USERNAME"), value("SIGNOFF_STEP_MLFLOW_PASSWORD")),
        heartbeat=_above_zero("SIGNOFF_HEARTBEAT", value("SIGNOFF_HEARTBEAT"), DEFAULT_HEARTBEAT, "seconds"),
        oidc=_oidc(value),
        trusted_proxies=_proxies(value("SIGNOFF_TRUSTED_PROXIES")),
        outbound_allow=_entries(value("SIGNOFF_OUTBOUND_ALLOW")),
        smtp_url=_secret(value("SIGNOFF_SMTP_URL")),
        hook_secret=_secret(value("SIGNOFF_MLFLOW_WEBHOOK_SECRET")),
        slack_signing_secret=_secret(value("SIGNOFF_SLACK_SIGNING_SECRET")),
        expiry_notice=_days("SIGNOFF_EXPIRY_NOTICE", value("SIGNOFF_EXPIRY_NOTICE"), DEFAULT_EXPIRY_NOTICE),
    )


def refuse_unknown(environment: Mapping[str, str]) -> None:
    """Raise ConfigurationError for a SIGNOFF_* variable that does not exist."""
    for name in sorted(environment):
        if not name.startswith("SIGNOFF_") or name.startswith(_PREFIXES) or name in KNOWN | OF_STEPS:
            continue
        if name.removesuffix("_FILE") in KNOWN:
            continue
        near = difflib.get_close_matches(name, KNOWN, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"The settings are {', '.join(sorted(KNOWN))}."
        raise ConfigurationError(f"{name} is not a setting of signoff.", hint)


def _value(environment: Mapping[str, str], name: str) -> str | None:
    """The variable, or the content of the file that NAME_FILE points to."""
    if environment.get(name):
        return environment[name]
    file = environment.get(f"{name}_FILE")
    if not file:
        return None
    try:
        return Path(file).read_text().strip()
    except OSError as error:
        raise ConfigurationError(
            f"{name}_FILE points to {file}, which cannot be read: {error.strerror}.", "Mend the path or its rights."
        ) from error


def _step_mlflow(name: str | None, password: str | None) -> tuple[str, Secret] | None:
    """MLflow's account for training scripts; None where they take the worker's."""
    if not name and not password:
        return None
    if not name or not password:
        missing = "USERNAME" if not name else "PASSWORD"
        raise ConfigurationError(
            f"SIGNOFF_STEP_MLFLOW_{missing} is not set.", "An account takes a name and a password."
        )
    return name, Secret(password)


def _secret(given: str | None) -> Secret | None:
    return Secret(given) if given else None


def _entries(given: str | None) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(entry.strip() for entry in (given or "").split(",") if entry.strip())


def _proxies(given: str | None) -> tuple[str, ...]:
    """The addresses and networks of the proxies whose word about the caller's address is taken."""
    entries = _entries(given)
    for entry in entries:
        try:
            network = ip_network(entry)
        except ValueError as error:
            raise ConfigurationError(
                f"SIGNOFF_TRUSTED_PROXIES names {entry!r}: {error}.",
                "List the proxies' own addresses or networks, such as 10.0.0.7 or 10.0.0.0/24.",
            ) from error
        if network.prefixlen == 0:
            raise ConfigurationError(
                f"SIGNOFF_TRUSTED_PROXIES names everybody ({entry}).",
                "Anybody could then pretend to come from anywhere: list the proxies' own addresses.",
            )
    return entries


def _above_zero(name: str, given: str | None, otherwise: float, unit: str) -> float:
    """A positive number of seconds or days."""
    try:
        amount = float(given) if given is not None else otherwise
    except ValueError:
        amount = 0
    if not 0 < amount < float("inf"):
        raise ConfigurationError(f"{name} is {given!r}.", f"Say a number of {unit} above zero.")
    return amount


def _days(name: str, given: str | None, otherwise: timedelta) -> timedelta:
    """A positive number of days, a year at most."""
    days = _above_zero(name, given, otherwise / timedelta(days=1), "days")
    return timedelta(days=min(days, 366))


def _oidc(value: Callable[[str], str | None]) -> OidcSettings | None:
    """The provider that people sign in by; None without one."""
    issuer, client_id = value("SIGNOFF_OIDC_ISSUER"), value("SIGNOFF_OIDC_CLIENT_ID")
    if issuer is None and client_id is None:
        return None
    if issuer is None or client_id is None:
        missing = "SIGNOFF_OIDC_ISSUER" if issuer is None else "SIGNOFF_OIDC_CLIENT_ID"
        raise ConfigurationError(f"{missing} is not set.", "A provider takes an issuer and a client id.")
    scopes = value("SIGNOFF_OIDC_SCOPES") or "openid profile email"
    if "openid" not in scopes.split():
        raise ConfigurationError("SIGNOFF_OIDC_SCOPES leaves out openid.", "Without it nobody is vouched for.")
    groups_claim = value("SIGNOFF_OIDC_GROUPS_CLAIM")
    groups = dict(_pair(entry) for entry in _entries(value("SIGNOFF_OIDC_GROUPS")))
    if groups and groups_claim is None:
        raise ConfigurationError(
            "SIGNOFF_OIDC_GROUPS is set, and SIGNOFF_OIDC_GROUPS_CLAIM is not.",
            "Name the claim that the provider puts its groups into, often `groups`.",
        )
    return OidcSettings(
        issuer=issuer,
        client_id=client_id,
        client_secret=_secret(value("SIGNOFF_OIDC_CLIENT_SECRET")),
        scopes=scopes,
        label=value("SIGNOFF_OIDC_LABEL") or "single sign-on",
        name_claim=value("SIGNOFF_OIDC_NAME_CLAIM") or "preferred_username",
        groups_claim=groups_claim,
        admission=Admission(groups, _new_people(value("SIGNOFF_OIDC_NEW_PEOPLE"))),
    )


def _pair(entry: str) -> tuple[str, str]:
    theirs, _, ours = entry.partition("=")
    if not theirs or not ours:
        raise ConfigurationError(
            f"SIGNOFF_OIDC_GROUPS has {entry!r}.", "Write THEIRS=OURS, more of them with commas: ml-risk=risk."
        )
    return theirs.strip(), ours.strip()


def _new_people(given: str | None) -> frozenset[Role] | None:
    """The roles of people whom only the provider knows; None when those are not let in."""
    if given is None or given == "refuse":
        return None
    try:
        roles = frozenset(Role(entry) for entry in _entries(given))
    except ValueError as error:
        raise ConfigurationError(
            f"SIGNOFF_OIDC_NEW_PEOPLE is {given!r}.", "Say refuse, or roles such as viewer or viewer,submitter."
        ) from error
    if Role.ADMIN in roles:
        raise ConfigurationError(
            "SIGNOFF_OIDC_NEW_PEOPLE would make everybody an administrator.", "Give that role to people by name."
        )
    return roles
