"""Judge a model on rows that it has not learnt from. `python evaluate.py` also works without signoff."""

from __future__ import annotations

import os
from pathlib import Path

import mlflow.sklearn
import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import classification_report
from sklearn.model_selection import train_test_split

if __name__ == "__main__":
    model = mlflow.sklearn.load_model(os.environ.get("SIGNOFF_MODEL_PATH", "models:/first-model/latest"))
    output = Path(os.environ.get("SIGNOFF_OUTPUT", "output"))  # what is written there is shown to the approvers
    output.mkdir(exist_ok=True)

    features, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    # The same seed as in train.py: these rows were held out there.
    _, held_out, _, truth = train_test_split(features, labels, test_size=0.3, stratify=labels, random_state=0)
    predicted, score = model.predict(held_out), model.predict_proba(held_out)[:, 1]

    table = pd.DataFrame({"y_true": truth, "y_pred": predicted, "y_score": score})
    table["size"] = pd.qcut(held_out["mean radius"], 3, labels=["small", "medium", "large"]).to_numpy()  # to slice by
    # From these rows signoff computes metrics with intervals, slices, pictures and the comparison with the champion.
    table.to_csv(output / "predictions.csv", index=False)
    print(classification_report(truth, predicted))
