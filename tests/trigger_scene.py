"""Pipelines that a registry's news start: registering them, versions that arrive, webhooks signed as MLflow does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping
from typing import Any

from httpx2 import Response

from house import HOOK_SECRET, House, made

_numbers = itertools.count(1)

ON_NEWS = """\
name: fraud
on: {model_version: fraud-detector}
steps:
  - name: approve
    type: approval
    inputs: {approvers: ['bob']}
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""


def register(house: House, text: str = ON_NEWS, *, by: str = "alice", **more: Any) -> dict[str, Any]:
    """`by` registers the file, and the first look is done."""
    body = made(house.as_(by).post("/pipelines", {"pipeline": text, **more}))
    house.work()
    return body


def arrive(house: House, model: str = "fraud-detector", *, by: str | None = None, **metrics: float) -> int:
    """Somebody who knows nothing of signoff registers a version of new bytes; its number."""
    files = {"MLmodel": b"flavors: {}", "weights": str(next(_numbers)).encode()}
    return house.registry.arrive(model, files, by=by, **metrics)


def run_ids(house: House, pipeline: str = "fraud") -> dict[int, str | None]:
    """Version -> the run that it started, None where there is none."""
    found = made(house.as_("erin").get(f"/pipelines/{pipeline}"))["starts"]
    return {start["version"]: start["run"] for start in reversed(found)}


def event_of(model: str, *, action: str = "created", entity: str = "model_version") -> dict[str, Any]:
    """An event as MLflow words it."""
    about = {"name": model, "version": "1", "source": "models:/m-1"}
    data: dict[str, Any] = {**about, "run_id": None, "tags": {}, "description": None}
    return {"entity": entity, "action": action, "timestamp": "2026-11-20T12:00:00+00:00", "data": data}


def send_hook(
    house: House,
    event: Any,
    *,
    delivery: str | None = None,
    secret: str = HOOK_SECRET,
    seconds: float = 0.0,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """What the server answers to this event, signed `seconds` from now."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    delivery = delivery or f"delivery-{next(_numbers)}"
    sent = str(int(house.clock.now.timestamp() + seconds))
    signed = hmac.new(secret.encode(), f"{delivery}.{sent}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(signed).decode()}"
    own = {"X-MLflow-Delivery-Id": delivery, "X-MLflow-Timestamp": sent, "X-MLflow-Signature": signature}
    answer: Response = house.client.post("/api/v1/hooks/mlflow", content=body, headers={**own, **(headers or {})})
    return answer
