"""What a deployer of the administrator's is told: one document, for a command as for a webhook.

``version`` and ``digest`` are always what shall be live when it is done: of a deployment the new version, of going back
the former one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from signoff.domain.version import ModelVersion
from signoff.ports import Release

Action = Literal["deploy", "health", "rollback"]


def key_of(release: Release, action: Action) -> str:
    """The idempotency key of this part of the deployment."""
    return release.key if action == "deploy" else f"{release.key}/{action}"


def order_of(release: Release, action: Action) -> dict[str, Any]:
    """Everything about one thing to do, as JSON."""
    is_back = action == "rollback" and release.former is not None
    wanted = release.former if is_back and release.former is not None else release.version
    return {
        "action": action,
        "key": key_of(release, action),
        "environment": release.environment.name,
        **_named(wanted),
        "run_id": release.run_id,
        "kind": release.kind.value,
        "former": _named(release.former) if release.former is not None and not is_back else None,
        "failed": _named(release.version) if is_back else None,
        "approval": dict(release.approval),
    }


def variables_of(order: Mapping[str, Any]) -> dict[str, str]:
    """The same for a command, as the variables of its environment."""
    known = {
        "SIGNOFF_ACTION": order["action"],
        "SIGNOFF_IDEMPOTENCY_KEY": order["key"],
        "SIGNOFF_ENVIRONMENT": order["environment"],
        "SIGNOFF_MODEL": order["model"],
        "SIGNOFF_VERSION": order["version"],
        "SIGNOFF_DIGEST": order["digest"],
        "SIGNOFF_MODEL_URI": order["model_uri"],
        "SIGNOFF_RUN_ID": order["run_id"],
        "SIGNOFF_KIND": order["kind"],
    }
    for which in ("former", "failed"):
        for name, value in (order[which] or {}).items():
            known[f"SIGNOFF_{which}_{name}".upper()] = value
    return {name: str(value) for name, value in known.items()}


def _named(version: ModelVersion) -> dict[str, str]:
    return {
        "model": version.model,
        "version": version.version,
        "digest": version.digest,
        "model_uri": f"models:/{version.model}/{version.version}",
    }
