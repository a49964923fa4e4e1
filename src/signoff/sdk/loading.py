"""`signoff.load_model`: what is live in an environment, in this process, from the bytes that were approved."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from signoff.domain.errors import ModelNotFoundError
from signoff.domain.secret import reveal
from signoff.sdk.connection import connect
from signoff.settings import read_settings

if TYPE_CHECKING:
    from signoff.sdk.client import Client


def load_model(name: str, *, environment: str, client: Client | None = None) -> Any:
    """The model `name` that is live in `environment`, as MLflow's `PyFuncModel`; its files are compared first.

    What is live was approved, and the digest of the bytes that were approved is the server's word, not the registry's.
    Where that does not hold (its approval was revoked, its review is still owed, it was adopted and nobody has approved
    it) a UserWarning says so. Whatever somebody moved the alias to, it is not what is loaded.

    Raises:
        ModelNotFoundError: no version of it is live there.
        DigestMismatchError: the registry holds other bytes than those approved; nothing of them was loaded.
        SignoffError: the server or the registry refused or could not be reached.
    """
    server = client or connect()
    live = [found for found in server.get_environment(environment).live if found.model == name]
    if not live:
        raise ModelNotFoundError(
            f"No version of {name} is live in {environment}.",
            "`signoff deployments` shows what is live where; a version gets there by an approved run.",
        )
    if live[0].warning:
        warnings.warn(live[0].warning, UserWarning, stacklevel=2)
    from signoff.serving.load import load_verified

    settings = read_settings(os.environ)
    source = f"models:/{live[0].model}/{live[0].version}"
    registry = reveal(settings.registry_uri)
    return load_verified(source, live[0].digest, tracking_uri=settings.mlflow_uri, registry_uri=registry)
