"""The how-to page of SageMaker, played: the example's own files, boto3 as it is, and moto as the AWS behind it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from deploying_scene import deployed, log
from factories import MODEL
from fault_scene import until
from house import House, made
from signoff.adapters.deploy.command import CommandDeployer
from signoff.adapters.runner.local import Limits, LocalRunner
from signoff.spec import read_environments, read_people

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "sagemaker"
PYTHON = Path(sys.prefix) / "aws" / "bin" / "python"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAOFATEST", "AWS_SECRET_ACCESS_KEY": "secret-key-of-a-test"}

LOOK = f"""
import boto3, json, tarfile, io
s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
found = []
for summary in sagemaker.list_model_packages(ModelPackageGroupName="{MODEL}")["ModelPackageSummaryList"]:
    package = sagemaker.describe_model_package(ModelPackageName=summary["ModelPackageArn"])
    bucket, _, key = package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"][5:].partition("/")
    packed = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    files = tarfile.open(fileobj=io.BytesIO(packed)).getnames()
    known = {{name: package[name] for name in ("ModelApprovalStatus", "ApprovalDescription")}}
    found.append({{**known, **package["CustomerMetadataProperties"], "key": key, "files": files}})
print(json.dumps(found))
"""
BUCKET = """
import boto3
boto3.client("s3").create_bucket(
    Bucket="models.example.com", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
"""


class Aws:
    """moto's server, in a process and an environment of its own."""

    def __init__(self, folder: Path) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        with (folder / "moto.log").open("wb") as log_file:
            argv = [str(PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
            self.process = subprocess.Popen(argv, stdout=log_file, stderr=log_file)
        until(self._answers, "moto answers")
        self.run(BUCKET)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def run(self, script: str) -> str:
        variables = {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": "eu-west-1", **KEYS}
        done = subprocess.run(
            [PYTHON, "-c", script], env={**os.environ, **variables}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def packages(self) -> list[dict[str, Any]]:
        """The packages of the model, oldest first."""
        found: list[dict[str, Any]] = json.loads(self.run(LOOK))
        return sorted(found, key=lambda package: str(package["ApprovalDescription"]).rpartition(" ")[2])


@pytest.fixture
def aws(house: House, tmp_path: Path) -> Iterator[Aws]:
    assert PYTHON.is_file(), "make .venv/aws/.ready"
    aws = Aws(tmp_path)
    directory, problems = read_people((EXAMPLE / "people.yaml").read_text())
    assert directory is not None, problems
    text = (EXAMPLE / "environments.yaml").read_text()
    for there, here in (
        ("/etc/signoff/sagemaker/venv/bin/python", str(PYTHON)),
        ("/etc/signoff/sagemaker/deploy.py", str(EXAMPLE / "deploy.py")),
        ("AWS_REGION: eu-west-1", f"AWS_REGION: eu-west-1\n        AWS_ENDPOINT_URL: {aws.url}"),
        ("/run/secrets/", f"{tmp_path}/"),
    ):
        assert there in text
        text = text.replace(there, here)
    for name, key in KEYS.items():
        (tmp_path / name.lower().replace("_", "-")).write_text(f"{key}\n")
    environments, problems = read_environments(text, directory=directory)
    assert environments is not None, problems
    assert problems == ()
    house.environments(*environments.values())
    deployers: dict[str, Any] = house.machinery.deployers  # type: ignore[assignment]
    deployers["command"] = CommandDeployer(LocalRunner(Limits(poll=0.05)), house.registry)
    try:
        yield aws
    finally:
        aws.process.terminate()
        aws.process.wait()


def test_a_signed_off_version_is_the_approved_package_and_a_rollback_approves_the_former(
    house: House, aws: Aws
) -> None:
    first, second = deployed(house), deployed(house)
    assert house.status(first) == house.status(second) == "succeeded", log(house, second)
    digests = [house.run(run_id)["deployments"][0]["digest"] for run_id in (first, second)]
    packages = {package["signoff_digest"]: package for package in aws.packages()}
    assert [packages[digest]["ModelApprovalStatus"] for digest in digests] == ["Rejected", "Approved"]
    approved = packages[digests[1]]
    assert approved["ApprovalDescription"] == f"signed off in run {second} as v2"
    assert approved["key"] == f"{MODEL}/{digests[1].replace(':', '-')}/model.tar.gz"
    assert "./weights" in approved["files"]
    assert "is Approved" in log(house, second)

    made(house.as_("bob").post(f"/environments/production/models/{MODEL}/rollback", {"why": "recall fell"}))
    house.work()
    after = {package["signoff_digest"]: package["ModelApprovalStatus"] for package in aws.packages()}
    assert after == {digests[0]: "Approved", digests[1]: "Rejected"}


def test_an_aws_that_is_away_is_asked_again_and_the_step_errs(house: House, aws: Aws) -> None:
    aws.process.kill()
    aws.process.wait()
    run_id = deployed(house)
    body = house.run(run_id)
    assert body["status"] == "errored"
    assert "asks to be asked later: Could not connect to the endpoint URL" in body["error"]
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in log(house, run_id)
