"""`load_verified`: a model in this process, from bytes that were proven first. `sdk.load_model` calls it.

The one way in which signoff loads a model into somebody else's process. What is verified is a private copy, so that
nothing can be swapped between the proof and the loading.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from signoff.domain.errors import ModelNotFoundError, UnavailableError
from signoff.proof.manifest import verify

if TYPE_CHECKING:
    from mlflow.pyfunc import PyFuncModel

_VERSION = re.compile(r"models:/(?P<name>[^/@]+)/(?P<version>[0-9]+)")
_LOGGED_MODEL = re.compile(r"models:/(?P<id>m-[^/@]+)")


def load_verified(
    source: str | Path, digest: str, *, tracking_uri: str | None = None, registry_uri: str | None = None
) -> PyFuncModel:
    """The pyfunc model at `source` (an MLflow URI or a local folder), whose manifest digest must be `digest`.

    The private copy lives as long as the model does, for models that read files later.

    Raises:
        DigestMismatchError: the bytes found are other ones; nothing of them was loaded.
        UnsafeModelError: files that a manifest cannot name.
        ModelNotFoundError: nothing is there.
        UnavailableError: the registry did not answer.
    """
    folder = Path(tempfile.mkdtemp(prefix="signoff-model-"))
    try:
        copied = _fetch(source, folder / "model", tracking_uri, registry_uri)
        verify(copied, digest)
        import mlflow.pyfunc

        model: PyFuncModel = mlflow.pyfunc.load_model(str(copied))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(model, shutil.rmtree, folder, ignore_errors=True)
    return model


def _fetch(source: str | Path, target: Path, tracking_uri: str | None, registry_uri: str | None) -> Path:
    """Copy or download the files; where they are."""
    local = Path(str(source).removeprefix("file://"))
    if local.is_dir():
        shutil.copytree(local, target, symlinks=True)
        return target
    if "://" not in str(source) and ":/" not in str(source):
        raise ModelNotFoundError(f"There is no model at {source}.", "Give an MLflow URI or a folder on this machine.")
    import mlflow.artifacts
    from mlflow.exceptions import MlflowException

    try:
        location = _settled(str(source), tracking_uri, registry_uri)
        found = mlflow.artifacts.download_artifacts(
            artifact_uri=location, dst_path=str(target), tracking_uri=tracking_uri, registry_uri=registry_uri
        )
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"}:
            raise ModelNotFoundError(
                f"{source} is not there: {error.message}", "Check its name and version."
            ) from error
        raise UnavailableError(f"{source} could not be downloaded: {error.message}", "Try again later.") from error
    except OSError as error:
        raise UnavailableError(f"{source} could not be downloaded: {error}.", "Try again later.") from error
    return Path(found)


def _settled(source: str, tracking_uri: str | None, registry_uri: str | None) -> str:
    """Where the files of ``models:/name/version`` lie; any other `source` as it is.

    MLflow itself would ask the process's own tracking server, whatever it is told, and where none is set make a
    database in the working folder.
    """
    found = _VERSION.fullmatch(source)
    if found is None:
        return source
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri, registry_uri or tracking_uri)
    location = str(client.get_model_version_download_uri(found["name"], found["version"]))
    logged = _LOGGED_MODEL.fullmatch(location)
    return str(client.get_logged_model(logged["id"]).artifact_location) if logged else location
