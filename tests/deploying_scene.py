"""An outside that is a folder, and the script by which an administrator deploys to it: for the command deployer.

The script tells what it saw in ``seen``, one JSON document a line. ``serving`` holds the version that is live there.
Files named ``fails-<action>``, ``down`` or ``hold-<action>`` make it fail, ask to be asked later, or wait.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from factories import MODEL
from house import House
from signoff.domain.deployer import CommandSpec, SecretReference
from signoff.domain.environment import DeployerSpec, Environment

DEPLOY = """\
import hashlib, json, os, pathlib, sys, time
outside, action = pathlib.Path(sys.argv[1]), os.environ["SIGNOFF_ACTION"]
seen = {name: value for name, value in os.environ.items()}
seen["context"] = json.loads(pathlib.Path(os.environ["SIGNOFF_CONTEXT"]).read_text())
if "SIGNOFF_MODEL_PATH" in os.environ:
    folder = pathlib.Path(os.environ["SIGNOFF_MODEL_PATH"])
    files = sorted((f.relative_to(folder).as_posix(), f) for f in folder.rglob("*") if f.is_file())
    text = "".join(f"{hashlib.sha256(f.read_bytes()).hexdigest()}  {name}\\n" for name, f in files)
    seen["digest of the files"] = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
with (outside / "seen").open("a") as file:
    file.write(json.dumps(seen) + "\\n")
print(action, "of", os.environ["SIGNOFF_VERSION"], flush=True) if action != "health" else None
while (outside / f"hold-{action}").exists():
    (outside / f"held-{action}").write_text(str(os.getpid()))
    time.sleep(0.02)
if (outside / "down").exists():
    print("the cluster does not answer")
    sys.exit(75)
if action == "health":
    if (outside / "fails-health").exists():
        print("0 of 3 replicas answer")
        sys.exit(1)
    sys.exit(0)
(outside / "serving").write_text(os.environ["SIGNOFF_VERSION"])
(outside / "effects").open("a").write(os.environ["SIGNOFF_IDEMPOTENCY_KEY"] + "\\n")
if (outside / f"fails-{action}").exists():
    print("error: quota of gpus is exceeded, said", os.environ["TOKEN"])
    sys.exit(3)
if action == "deploy" and "ADDRESS" in os.environ:
    pathlib.Path(os.environ["SIGNOFF_OUTPUT"], "address").write_text(os.environ["ADDRESS"] + "\\n")
"""
SECRET = "s3cr3t-of-the-cluster"
ROLLBACK = f"/environments/production/models/{MODEL}/rollback"


def deployed(house: House) -> str:
    """alice submits a new version, bob approves it, and the workers do what they can; the run's id."""
    run_id = house.submit()
    house.decide("bob", run_id, "approve")
    return run_id


def log(house: House, run_id: str) -> str:
    """The log of the deployment step, as dave reads it."""
    answer = house.as_("dave").get(f"/runs/{run_id}/logs/deploy")
    assert answer.status_code == 200, answer.text
    return answer.text


class Outside:
    """The folder, and the environment whose command deploys to it."""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = root
        (root / "deploy.py").write_text(DEPLOY)
        (root / "token").write_text(f"{SECRET}\n")

    def environment(self, name: str, **more: Any) -> Environment:
        argv = (sys.executable, str(self.root / "deploy.py"), str(self.root))
        spec = CommandSpec(
            argv,
            rollback=argv,
            health=argv,
            env={"REGION": "eu-west-1", "ADDRESS": "http://models.example.org/fraud"},
            secrets={"TOKEN": SecretReference(file=str(self.root / "token"))},
        )
        deployer = DeployerSpec("command", "champion", command=replace(spec, **more))
        return Environment(name, deployer, accept_claimed=True)

    @property
    def serving(self) -> str | None:
        file = self.root / "serving"
        return file.read_text() if file.exists() else None

    def lines(self, name: str) -> list[str]:
        file = self.root / name
        return file.read_text().splitlines() if file.exists() else []

    def seen(self, action: str) -> list[dict[str, Any]]:
        """What each command for `action` saw, in order."""
        all_of_them = [json.loads(line) for line in self.lines("seen")]
        return [seen for seen in all_of_them if seen["SIGNOFF_ACTION"] == action]

    def tell(self, *names: str) -> None:
        for name in names:
            (self.root / name).touch()

    def forget(self, *names: str) -> None:
        for name in names:
            (self.root / name).unlink()
