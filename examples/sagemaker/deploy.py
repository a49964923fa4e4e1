"""Deploys to SageMaker by what many teams deploy by already: the approval status of a model package.

signoff runs this as an environment's command, to deploy and to go back. It puts the approved bytes into S3 under their
digest, registers them in the model's package group unless they are there, and sets the package to Approved. Whatever
listens to that (EventBridge, a pipeline) goes on as before. The package approved until then is set to Rejected.

    AWS_REGION, BUCKET, IMAGE    where, and the image that serves
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY    secrets
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError, ConnectionError, EndpointConnectionError  # noqa: A004 (its name there)

ASK_LATER = 75
PROPERTY = "signoff_digest"


def main() -> None:
    """Approve the package of SIGNOFF_DIGEST, which shall be live afterwards, and no other of the group."""
    region = os.environ["AWS_REGION"]
    sagemaker, s3 = boto3.client("sagemaker", region_name=region), boto3.client("s3", region_name=region)
    group, digest = os.environ["SIGNOFF_MODEL"], os.environ["SIGNOFF_DIGEST"]
    packages = list_packages(sagemaker, group)
    wanted = next((p for p in packages if properties(p).get(PROPERTY) == digest), None)
    arn = wanted["ModelPackageArn"] if wanted else register(sagemaker, group, digest, upload(s3, group, digest))
    who = f"signed off in run {os.environ['SIGNOFF_RUN_ID']} as v{os.environ['SIGNOFF_VERSION']}"
    set_status(sagemaker, arn, "Approved", who, {PROPERTY: digest})
    print(f"{arn} is Approved")
    for package in packages:
        if package["ModelPackageArn"] != arn and package["ModelApprovalStatus"] == "Approved":
            set_status(sagemaker, package["ModelPackageArn"], "Rejected", f"replaced by {arn}", properties(package))
            print(f"{package['ModelPackageArn']} is Rejected")


def list_packages(sagemaker: Any, group: str) -> list[dict[str, Any]]:
    """Every package of the group, which is made when there is none; so asking again finds what was done before."""
    try:
        sagemaker.create_model_package_group(ModelPackageGroupName=group)
    except ClientError as error:
        if "already exists" not in str(error):
            raise
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    arns = [summary["ModelPackageArn"] for page in pages for summary in page["ModelPackageSummaryList"]]
    return [sagemaker.describe_model_package(ModelPackageName=arn) for arn in arns]


def properties(package: dict[str, Any]) -> dict[str, str]:
    """What is known of the package beside its status."""
    return package.get("CustomerMetadataProperties") or {}


def upload(s3: Any, group: str, digest: str) -> str:
    """Put the verified bytes, packed as SageMaker takes them, under their digest; the address."""
    if "SIGNOFF_MODEL_PATH" not in os.environ:
        sys.exit(f"no package has the digest {digest}: there is nothing to go back to")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(Path(os.environ["SIGNOFF_MODEL_PATH"]), arcname=".")
    key = f"{group}/{digest.replace(':', '-')}/model.tar.gz"
    s3.put_object(Bucket=os.environ["BUCKET"], Key=key, Body=packed.getvalue())
    return f"s3://{os.environ['BUCKET']}/{key}"


def register(sagemaker: Any, group: str, digest: str, url: str) -> str:
    """Make the package; its name."""
    made = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription=f"{os.environ['SIGNOFF_MODEL_URI']}, {digest}",
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={PROPERTY: digest},
        InferenceSpecification={
            "Containers": [{"Image": os.environ["IMAGE"], "ModelDataUrl": url}],
            "SupportedContentTypes": ["application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    )
    return str(made["ModelPackageArn"])


def set_status(sagemaker: Any, arn: str, status: str, why: str, known: dict[str, str]) -> None:
    """Set the package's approval status, and say why."""
    sagemaker.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=why, CustomerMetadataProperties=known
    )


if __name__ == "__main__":
    try:
        main()
    except (ConnectionError, EndpointConnectionError) as error:
        print(error)
        sys.exit(ASK_LATER)
