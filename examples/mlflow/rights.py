"""Run once by MLflow's administrator: accounts, the two models, who may write where, and the webhook.

    MLFLOW_TRACKING_USERNAME=admin MLFLOW_TRACKING_PASSWORD=... python rights.py

It asks for what it needs by the environment: MLFLOW_TRACKING_URI, SIGNOFF_HOOK (the address of signoff's receiver) and
SIGNOFF_HOOK_SECRET (what SIGNOFF_MLFLOW_WEBHOOK_SECRET holds there); a password for each account as PASSWORD_<NAME>.
"""

import os

import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

SERVER = os.environ["MLFLOW_TRACKING_URI"]
AUTH = (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"])

ACCOUNTS = ("signoff", "alice", "dan")
RIGHTS = [
    # Data scientists register what they trained in the one model; signoff marks there what became of it.
    ("alice", "registered_model", "fraud-detector-dev", "EDIT"),
    ("dan", "registered_model", "fraud-detector-dev", "EDIT"),
    ("signoff", "registered_model", "fraud-detector-dev", "EDIT"),
    # Nobody but signoff writes in the other: its alias says what production serves.
    ("signoff", "registered_model", "fraud-detector", "MANAGE"),
]


def ask(path: str, **body: str) -> None:
    answer = requests.post(f"{SERVER}/api/{path}", json=body, auth=AUTH, timeout=30)
    if not answer.ok and "ALREADY_EXISTS" not in answer.text:
        raise SystemExit(f"{path}: {answer.text}")


client = MlflowClient()
for name in ACCOUNTS:
    ask("2.0/mlflow/users/create", username=name, password=os.environ[f"PASSWORD_{name.upper()}"])
for model in ("fraud-detector-dev", "fraud-detector"):
    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
for who, kind, what, may in RIGHTS:
    ask("3.0/mlflow/users/permissions/grant", username=who, resource_type=kind, resource_id=what, permission=may)
if "SIGNOFF_HOOK" in os.environ:
    client.create_webhook(
        name="signoff",
        url=os.environ["SIGNOFF_HOOK"],
        events=["model_version.created"],
        secret=os.environ["SIGNOFF_HOOK_SECRET"],
    )
print("MLflow knows who may write where.")
