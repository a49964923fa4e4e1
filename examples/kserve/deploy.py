"""Deploys to KServe: puts the approved bytes where the cluster reads them, and applies an InferenceService.

signoff runs this as an environment's command, for all three: to deploy, to ask for health, and to go back. Standard
library and `kubectl` only. What it needs to know comes from environments.yaml:

    KUBE_SERVER, KUBE_CA     the address of the cluster's API, and the file of the authority that vouches for it
    KUBE_TOKEN               a secret: the token of a service account that may get and apply InferenceServices
    KUBE_NAMESPACE           where the InferenceService is
    MODEL_STORE, MODEL_CLAIM the folder of the worker where the models' volume is mounted, and its claim in the cluster
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

LONGEST_NAME = 50


def main() -> None:
    """Do what SIGNOFF_ACTION says; SIGNOFF_VERSION and SIGNOFF_DIGEST are what shall be live afterwards."""
    if os.environ["SIGNOFF_ACTION"] == "health":
        check_health()
        return
    folder = store()
    kubectl("apply", "--validate=strict", "-f", "-", manifest=render(folder))


def store() -> str:
    """Copy the verified bytes into a folder that is named by their digest; the folder's name.

    One that is there is never written again: so the same digest is always the same bytes, and going back needs none.
    """
    kind, _, digits = os.environ["SIGNOFF_DIGEST"].partition(":")
    folder = f"{os.environ['SIGNOFF_MODEL']}/{kind}-{digits}"
    target = Path(os.environ["MODEL_STORE"], folder)
    if target.is_dir():
        return folder
    if "SIGNOFF_MODEL_PATH" not in os.environ:
        sys.exit(f"{target} is gone: there is nothing to go back to")
    half = target.with_name(f"{target.name}.{os.getpid()}")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(os.environ["SIGNOFF_MODEL_PATH"], half)
    half.rename(target)
    return folder


def render(folder: str) -> dict[str, Any]:
    """The manifest of the InferenceService that serves what is in `folder` of the models' volume."""
    told = ("MODEL", "VERSION", "DIGEST", "RUN_ID", "IDEMPOTENCY_KEY")
    model = {
        "modelFormat": {"name": "mlflow"},
        "protocolVersion": "v2",
        "storageUri": f"pvc://{os.environ['MODEL_CLAIM']}/{folder}",
    }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": service_name(),
            "namespace": os.environ["KUBE_NAMESPACE"],
            "labels": {"app.kubernetes.io/managed-by": "signoff"},
            "annotations": {
                f"signoff/{name.lower().replace('_', '-')}": os.environ[f"SIGNOFF_{name}"] for name in told
            },
        },
        "spec": {"predictor": {"model": model}},
    }


def service_name() -> str:
    """The model's name as Kubernetes takes one: fraud_detector is fraud-detector."""
    name = re.sub(r"[^a-z0-9]+", "-", os.environ["SIGNOFF_MODEL"].lower()).strip("-")
    return name[:LONGEST_NAME].rstrip("-") or "model"


def check_health() -> None:
    """End well when the cluster says that what serves is what was approved, and is ready; and say where it answers."""
    found = json.loads(kubectl("get", "inferenceservice", service_name(), "-o", "json"))
    if found["metadata"]["annotations"].get("signoff/digest") != os.environ["SIGNOFF_DIGEST"]:
        sys.exit("somebody applied another version meanwhile")
    status = found.get("status", {})
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        sys.exit("the cluster has not looked at it yet")
    for condition in status.get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            Path(os.environ["SIGNOFF_OUTPUT"], "address").write_text(status.get("url", ""), encoding="utf-8")
            return
    waiting = [f"{c['type']}: {c.get('message', c['status'])}" for c in status.get("conditions", [])]
    sys.exit(f"not ready: {'; '.join(waiting) or 'no condition yet'}")


def kubectl(*arguments: str, manifest: dict[str, Any] | None = None) -> str:
    """What kubectl prints. The token is in a file of this run's own home, never among the arguments."""
    home = Path(os.environ["HOME"], "kubeconfig")
    home.write_text(json.dumps(kubeconfig()), encoding="utf-8")  # JSON is YAML
    home.chmod(0o600)
    given = None if manifest is None else json.dumps(manifest)
    done = subprocess.run(
        ["kubectl", f"--kubeconfig={home}", f"--namespace={os.environ['KUBE_NAMESPACE']}", *arguments],
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.returncode)  # what it wrote last is the reason that people read
    if manifest is not None:
        print(done.stdout, end="")
    return done.stdout


def kubeconfig() -> dict[str, Any]:
    """One cluster, one account."""
    cluster = {"server": os.environ["KUBE_SERVER"], "certificate-authority": os.environ["KUBE_CA"]}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "signoff", "user": {"token": os.environ["KUBE_TOKEN"]}}],
        "contexts": [{"name": "it", "context": {"cluster": "cluster", "user": "signoff"}}],
        "current-context": "it",
    }


if __name__ == "__main__":
    main()
