"""Train a phishing detector and register it in MLflow; when reviewers or checks sent it back, answer what they said.

An ordinary MLflow script: `python train.py` works on its own. Under signoff it also reads the context file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import data
import mlflow
import mlflow.sklearn
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline

DEFAULTS = {"features": "address", "max_depth": 2, "trees": 60, "cost_of_a_miss": 1}

# What the address alone tells, before anything is fetched: the cheapest detector to run, so it is tried first.
ADDRESS = ["https", "long_url", "ip_in_url"]

# skops refuses trees unless they are named here: a forged one can crash whoever predicts with it. This one is our own,
# and what was approved is what is loaded.
TRUSTED_TYPES = ["sklearn.tree._tree.Tree"]


def read_context() -> dict[str, Any]:
    """What signoff says about this attempt; nothing when the script runs on its own."""
    path = os.environ.get("SIGNOFF_CONTEXT")
    return json.loads(Path(path).read_text(encoding="utf-8")) if path else {}


def choose_params(context: dict[str, Any]) -> dict[str, Any]:
    """The parameters of this attempt: the pipeline's own, changed by what was said about the former attempt."""
    params = DEFAULTS | context.get("params", {})
    attempt = context.get("attempt", 1)
    if attempt > 1:
        # The address was not enough once; no later attempt goes back to it.
        params["features"] = "page"
    feedback = context.get("feedback", [])
    if feedback:
        # Somebody looked and wants more than this: let the trees tell finer differences.
        params["max_depth"] = 6
    asked_for = {reason.get("subject") for said in feedback for reason in said["reasons"] if reason["kind"] == "metric"}
    if "recall" in asked_for:
        # A missed phishing page weighs more than a false alarm, and more again the later it still has to be asked for.
        params["cost_of_a_miss"] = attempt
    elif "precision" in asked_for:
        params["cost_of_a_miss"] = 1 / attempt
    return params


def answers(context: dict[str, Any]) -> str:
    """Who or what this attempt answers, in one line for the log and the MLflow run."""
    failed = [f"check {check['name']}: {check['reason']}" for check in context.get("failed_checks", [])]
    return "; ".join(failed + [f"{said['by']}: {said['comment']}" for said in context.get("feedback", [])])


def answer_reviewers(context: dict[str, Any], params: dict[str, Any]) -> None:
    """Tell the reviewers, reason by reason, what this attempt does about it: they read it beside what they asked."""
    asked = context.get("asked", [])
    if asked:
        done = f"trained on the {params['features']}, {params['max_depth']} deep, a miss weighing "
        done += f"{params['cost_of_a_miss']:g} times a false alarm"
        said = {reason["id"]: done for reason in asked}
        (Path(os.environ["SIGNOFF_OUTPUT"]) / "answers.json").write_text(json.dumps(said), encoding="utf-8")


def main() -> None:
    """Fit on the rows to learn from, log the parameters, and register the model."""
    context = read_context()
    params = choose_params(context)
    learn, _ = data.load()
    features, labels = learn.drop(columns=data.LABEL), learn[data.LABEL]

    # Every version takes the whole page's features and picks its own, so that versions can replace each other.
    columns = ADDRESS if params["features"] == "address" else list(features.columns)
    model = make_pipeline(
        make_column_transformer(("passthrough", columns)),
        RandomForestClassifier(
            n_estimators=params["trees"],
            max_depth=params["max_depth"],
            class_weight={0: 1, 1: params["cost_of_a_miss"]},
            random_state=0,
        ),
    )
    answer_reviewers(context, params)
    with mlflow.start_run():
        mlflow.log_params(params)
        if said := answers(context):
            print(f"answering {said}")
            mlflow.set_tag("answers", said)
        model.fit(features, labels)
        mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=context.get("model") or "phishing-detector",
            signature=infer_signature(features, model.predict(features)),
            input_example=features.head(2),
            skops_trusted_types=TRUSTED_TYPES,
            pip_requirements=["mlflow-skinny", "pandas", "scikit-learn", "skops"],
        )
    print(f"trained on {len(learn)} pages with {params}")


if __name__ == "__main__":
    main()
