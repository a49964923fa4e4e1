"""Judge a phishing detector on the held-out pages only, and leave its predictions: signoff works out the rest.

`python evaluate.py` alone judges the newest registered version and writes to `output/`.
"""

from __future__ import annotations

import os
from pathlib import Path

import data
import mlflow.sklearn
import pandas as pd
from sklearn.metrics import classification_report

SLICES = ["https", "long_url", "ip_in_url", "is_popular", "age_of_domain"]


def main() -> None:
    """Predict the held-out pages with the model and write down page by page what it said."""
    model = mlflow.sklearn.load_model(os.environ.get("SIGNOFF_MODEL_PATH", "models:/phishing-detector/latest"))
    output = Path(os.environ.get("SIGNOFF_OUTPUT", "output"))
    output.mkdir(parents=True, exist_ok=True)

    _, held_out = data.load()
    features = held_out.drop(columns=data.LABEL)
    judged = pd.DataFrame(
        {
            "id": held_out.index,
            "y_true": held_out[data.LABEL],
            "y_pred": model.predict(features),
            "y_score": model.predict_proba(features)[:, 1],
            "group": data.twins(held_out),  # pages with equal features are no independent evidence
        }
    ).join(features[SLICES].astype(int))
    judged.to_csv(output / "predictions.csv", index=False)
    print(classification_report(judged["y_true"], judged["y_pred"], target_names=["legitimate", "phishing"]))


if __name__ == "__main__":
    main()
