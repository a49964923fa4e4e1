"""An ordinary training script: it registers a version of fraud-detector-dev, and knows nothing of signoff."""

import json
import os
import tempfile
from pathlib import Path

import mlflow

MODEL = "fraud-detector-dev"

client = mlflow.MlflowClient()
mlflow.set_experiment(f"fraud-detector/{os.environ['MLFLOW_TRACKING_USERNAME']}")  # others only read it
with mlflow.start_run() as run, tempfile.TemporaryDirectory() as folder:
    weights = {"amount": 0.7, "country": 0.2, "run": run.info.run_id}
    (Path(folder) / "weights.json").write_text(json.dumps(weights))
    mlflow.log_metric("accuracy", 0.91)
    mlflow.log_artifacts(folder, "model")
    version = client.create_model_version(MODEL, f"{run.info.artifact_uri}/model", run.info.run_id)
print(f"{MODEL} v{version.version}")
