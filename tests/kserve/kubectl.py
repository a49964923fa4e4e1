"""A `kubectl` for tests, and the cluster behind it: a folder, whose API server knows InferenceServices and no more.

It is copied to ``<cluster>/bin/kubectl``. A manifest is held against KServe's published schema, as strictly as
``--validate=strict`` holds it; a service gets ready when its bytes are on the volume.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs

CLUSTER = Path(sys.argv[0]).resolve().parents[1]


def main(arguments: list[str]) -> None:
    """Do what the two commands of the example ask."""
    options = dict(word[2:].partition("=")[::2] for word in arguments if word.startswith("--") and "=" in word)
    words = [word for word in arguments if not word.startswith("--")]
    check_login(json.loads(Path(options["kubeconfig"]).read_text()))
    if words[0] == "apply":
        apply(json.loads(sys.stdin.read()), options)
    elif words[:2] == ["get", "inferenceservice"]:
        sys.stdout.write(json.dumps(get(words[2])))
    else:
        sys.exit(f"error: unknown command {words[0]!r}")


def check_login(config: dict[str, Any]) -> None:
    """The API server believes one token."""
    [user] = config["users"]
    if user["user"]["token"] != (CLUSTER / "token").read_text():
        sys.exit("error: You must be logged in to the server (Unauthorized)")


def apply(manifest: dict[str, Any], options: dict[str, str]) -> None:
    """Keep the manifest, if it is one."""
    validator = jsonschema_rs.validator_for(json.loads((CLUSTER / "schema.json").read_text()))
    if options.get("validate") != "strict":
        sys.exit("error: this cluster wants --validate=strict")
    errors = [error.message for error in validator.iter_errors(manifest)]
    if (manifest.get("apiVersion"), manifest.get("kind")) != ("serving.kserve.io/v1beta1", "InferenceService"):
        errors.append(f"no matches for kind {manifest.get('kind')!r}")
    if errors:
        sys.exit("error: the InferenceService is invalid: " + "; ".join(errors))
    quota = CLUSTER / "quota"
    if quota.exists() and quota.read_text() == manifest["metadata"]["annotations"]["signoff/version"]:
        sys.exit("Error from server (Forbidden): exceeded quota: gpus, requested: 1, used: 4, limited: 4")
    name = manifest["metadata"]["name"]
    file = CLUSTER / f"{name}.json"
    did = "configured" if file.exists() else "created"
    former = json.loads(file.read_text()) if file.exists() else {"metadata": {"generation": 0}}
    manifest["metadata"]["generation"] = former["metadata"]["generation"] + 1
    file.write_text(json.dumps(manifest))
    sys.stdout.write(f"inferenceservice.serving.kserve.io/{name} {did}\n")


def get(name: str) -> dict[str, Any]:
    """The service with its status: KServe's storage initializer finds the bytes, or does not."""
    file = CLUSTER / f"{name}.json"
    if not file.exists():
        sys.exit(f'Error from server (NotFound): inferenceservices.serving.kserve.io "{name}" not found')
    found: dict[str, Any] = json.loads(file.read_text())
    claim, _, path = found["spec"]["predictor"]["model"]["storageUri"].removeprefix("pvc://").partition("/")
    is_ready = (CLUSTER / claim / path / "MLmodel").is_file() and not (CLUSTER / "slow").exists()
    ready = {"type": "Ready", "status": str(is_ready), "message": "" if is_ready else "0 of 1 replicas are available"}
    found["status"] = {
        "observedGeneration": found["metadata"]["generation"],
        "conditions": [ready],
        "url": f"http://{name}.{found['metadata']['namespace']}.example.com",
    }
    return found


main(sys.argv[1:])
