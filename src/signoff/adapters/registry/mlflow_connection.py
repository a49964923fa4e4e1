"""The way to MLflow: one client, its time limits, the default store's making, and its errors in our words.

Only the other `mlflow*` files of this package import it. Importing MLflow takes seconds: it happens at the first call.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import structlog

from signoff.domain.errors import (
    ConfigurationError,
    InvalidError,
    ModelNotFoundError,
    SignoffError,
    UnavailableError,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = structlog.get_logger(__name__)

_TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Else a run that ends prints the server's address, with the credentials that may be in it.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # MLflow's own retries take minutes and hold a worker's thread: a server that hangs is given up after 14 s, one that
    # refuses at once, and the engine tries again later by its own schedule.
    _TIMEOUT: "7",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
}
_TRANSFER_TIMEOUT = "300"
_transfers: list[object] = []
"""The transfers under way: MLflow reads its time limit from the environment, which all threads share."""
_transfers_lock = threading.Lock()
_SQLITE = "sqlite:///"
_CREDENTIALS = re.compile(r"//[^/@\s]+@")
_LONGEST_TEXT = 300
_MISSING = frozenset({"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"})
_REFUSED = frozenset({"INVALID_PARAMETER_VALUE", "INVALID_STATE", "RESOURCE_ALREADY_EXISTS"})
_FORBIDDEN = frozenset({"PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"})


def without_credentials(text: str) -> str:
    """`text` with user names and passwords taken out of the addresses in it."""
    return _CREDENTIALS.sub("//", text)


class Connection:
    """One tracking server and registry, never MLflow's process-wide "current" ones.

    With a ``sqlite:///`` tracking URI the database is made when it is not there, and `artifacts` is the folder beside
    it where new experiments keep their files; with a server `artifacts` is None, the server knows where.
    """

    def __init__(self, tracking_uri: str, registry_uri: str | None) -> None:
        self.tracking_uri = _absolute(tracking_uri)
        self.registry_uri = _absolute(registry_uri) if registry_uri else self.tracking_uri
        self.shown = without_credentials(self.registry_uri)
        self.database = _database(self.tracking_uri)
        self.artifacts = self.database.parent / "mlartifacts" if self.database else None
        self._lock = threading.Lock()
        self._client: MlflowClient | None = None
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)

    @contextmanager
    def asking(self) -> Iterator[MlflowClient]:
        """The client; whatever it raises meanwhile becomes a `SignoffError`.

        Raises:
            ModelNotFoundError: the registry does not know what was asked for.
            InvalidError: the registry refused the request itself.
            ConfigurationError: a client library for the place of the files is not installed.
            UnavailableError: anything else: it did not answer, or answered nonsense.
        """
        try:
            yield self._connected()
        except SignoffError:
            raise
        except ImportError as error:
            raise ConfigurationError(
                f"The model registry at {self.shown} keeps its files where this machine cannot read them: {error}.",
                "Install the client library of that storage beside signoff on every worker.",
            ) from error
        except Exception as error:  # noqa: BLE001 - MLflow lets every storage library's own exceptions through
            self._translate(error)

    @contextmanager
    def transferring(self) -> Iterator[MlflowClient]:
        """The same for copying files, with time for a server that fetches a big one before it answers.

        A limit that the administrator set is left alone.
        """
        transfer = object()
        with _transfers_lock:
            _transfers.append(transfer)
            if os.environ.get(_TIMEOUT) == _DEFAULTS[_TIMEOUT]:
                os.environ[_TIMEOUT] = _TRANSFER_TIMEOUT
        try:
            with self.asking() as client:
                yield client
        finally:
            with _transfers_lock:
                _transfers.remove(transfer)
                if not _transfers and os.environ.get(_TIMEOUT) == _TRANSFER_TIMEOUT:
                    os.environ[_TIMEOUT] = _DEFAULTS[_TIMEOUT]

    def _connected(self) -> MlflowClient:
        with self._lock:
            if self._client is None:
                with warnings.catch_warnings():
                    # MLflow's tables use a loader that SQLAlchemy 2.1 deprecates: its business, not our readers'.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    self._client = self._connect()
            return self._client

    def _connect(self) -> MlflowClient:
        from mlflow import MlflowClient

        if self.database is not None and self.artifacts is not None:
            _make(self.database, self.artifacts)
        client = MlflowClient(tracking_uri=self.tracking_uri, registry_uri=self.registry_uri)
        if not (self.tracking_uri.startswith("http") and self.registry_uri.startswith("http")):
            client.search_registered_models(max_results=1)  # builds both stores while warnings are held back
            client.search_experiments(max_results=1)
        return client

    def _translate(self, error: Exception) -> NoReturn:
        code = str(getattr(error, "error_code", ""))
        text = without_credentials(str(error)).strip().split("\n", 1)[0][:_LONGEST_TEXT]
        if code in _MISSING:
            raise ModelNotFoundError(
                f"The model registry at {self.shown} does not have it: {text}", "Check the name."
            ) from error
        if code in _REFUSED:
            raise InvalidError(f"The model registry at {self.shown} refused: {text}") from error
        log.warning("registry.failed", registry=self.shown, error=text, kind=type(error).__name__)
        if code in _FORBIDDEN or re.search(r"error code 40[13]\b", text):
            raise UnavailableError(
                f"The model registry at {self.shown} did not let signoff in: {text}",
                "Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, for the worker.",
            ) from error
        raise UnavailableError(
            f"The model registry at {self.shown} did not answer as it should: {text}",
            "Check that it runs and that MLFLOW_TRACKING_URI names it; what failed can be tried again.",
        ) from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` against other threads and processes of this machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make(database: Path, artifacts: Path) -> None:
    """Make MLflow's database in a new file and put it in place whole: a kill in between leaves nothing half made."""
    if database.exists() and database.stat().st_size:
        return
    with locked(database.with_name(f"{database.name}.lock")):
        if database.exists() and database.stat().st_size:
            return
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        new = database.with_name(f"{database.name}.new")
        with suppress(FileNotFoundError):
            new.unlink()
        # The store's constructor creates the default experiment, whose files would else land in the current folder.
        store = SqlAlchemyStore(f"{_SQLITE}{new}", artifacts.as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()
        new.replace(database)


def _database(uri: str) -> Path | None:
    return Path(uri.removeprefix(_SQLITE).split("?", 1)[0]) if uri.startswith(_SQLITE) else None


def _absolute(uri: str) -> str:
    """A relative SQLite path made absolute: scripts that get the URI run in other folders."""
    if not uri.startswith(_SQLITE):
        return uri
    path, mark, query = uri.removeprefix(_SQLITE).partition("?")
    return f"{_SQLITE}{Path(path).absolute()}{mark}{query}"
