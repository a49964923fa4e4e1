"""Judge the candidate on the flowers that `../seed/make_model.py` held out.

`python evaluate.py` reports the accuracy, `python evaluate.py worst` the recall of the kind that is recognised worst.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import mlflow.sklearn
from sklearn.datasets import load_iris
from sklearn.metrics import accuracy_score, recall_score
from sklearn.model_selection import train_test_split

features, labels = load_iris(return_X_y=True, as_frame=True)
_, held_out, _, truth = train_test_split(features, labels, test_size=0.4, stratify=labels, random_state=0)
predicted = mlflow.sklearn.load_model(os.environ["SIGNOFF_MODEL_PATH"]).predict(held_out)

if sys.argv[1:] == ["worst"]:
    found = {"worst_recall": min(recall_score(truth, predicted, average=None))}
else:
    found = {"accuracy": accuracy_score(truth, predicted)}
metrics = {name: {"value": float(value), "n": len(truth)} for name, value in found.items()}
(Path(os.environ["SIGNOFF_OUTPUT"]) / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
print(metrics)
