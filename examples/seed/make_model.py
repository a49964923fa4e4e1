"""Make a small model to submit: the folder `model/` in MLflow's format, and `metrics.json` with what is claimed of it.

`python make_model.py weak` makes one whose accuracy stays below 0.9.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import mlflow.sklearn
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

features, labels = load_iris(return_X_y=True, as_frame=True)
learn, held_out, learn_labels, held_out_labels = train_test_split(
    features, labels, test_size=0.4, stratify=labels, random_state=0
)
is_weak = sys.argv[1:] == ["weak"]
model = LogisticRegression(C=0.001 if is_weak else 1.0, max_iter=1000).fit(learn, learn_labels)

here = Path(__file__).parent
shutil.rmtree(here / "model", ignore_errors=True)
mlflow.sklearn.save_model(
    model,
    here / "model",
    signature=infer_signature(learn, model.predict(learn)),
    input_example=learn.head(2),
    pip_requirements=["mlflow-skinny", "pandas", "scikit-learn", "skops"],
)
metrics = {"accuracy": float(model.score(held_out, held_out_labels))}
(here / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
print(f"model/ and metrics.json: {metrics}, on {len(held_out)} held-out rows")
