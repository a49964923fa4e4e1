"""Judge a phishing detector on the held-out pages only: metrics with intervals, predictions and a confusion plot.

`python evaluate.py` alone judges the newest registered version and writes to `output/`.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import data
import mlflow.sklearn
import pandas as pd
from sklearn.metrics import f1_score, roc_auc_score

SLICES = ["https", "long_url", "ip_in_url", "is_popular", "age_of_domain"]


def proportion(hits: int, n: int) -> dict[str, float]:
    """A share of `n` rows with its 95 % interval (Wilson 1927): a few hundred rows do not say more than this."""
    if n == 0:
        return {"value": math.nan, "n": 0}
    z, share = 1.959964, hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return {"value": share, "n": n, "low": centre - half, "high": centre + half}


def measure(judged: pd.DataFrame) -> dict[str, dict[str, float]]:
    """The metrics of a table with `y_true`, `y_pred` and `y_score`."""
    true, predicted = judged["y_true"] == 1, judged["y_pred"] == 1
    caught = int((true & predicted).sum())
    return {
        "accuracy": proportion(int((true == predicted).sum()), len(judged)),
        "precision": proportion(caught, int(predicted.sum())),
        "recall": proportion(caught, int(true.sum())),
        "f1": {"value": float(f1_score(true, predicted)), "n": len(judged)},
        "auc": {"value": float(roc_auc_score(true, judged["y_score"])), "n": len(judged)},
    }


def confusion_plot(judged: pd.DataFrame) -> dict[str, object]:
    """A Vega-Lite picture of what was taken for what, in numbers of pages."""
    names = {0: "legitimate", 1: "phishing"}
    cells = [
        {"truth": names[t], "verdict": names[p], "pages": int(((judged.y_true == t) & (judged.y_pred == p)).sum())}
        for t in names
        for p in names
    ]
    where = {
        "x": {"field": "verdict", "type": "nominal", "title": "the model says", "axis": {"labelAngle": 0}},
        "y": {"field": "truth", "type": "nominal", "title": "the page is"},
    }
    light = {"condition": {"test": f"datum.pages > {len(judged) / 4}", "value": "white"}, "value": "black"}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "title": f"Confusion on {len(judged)} held-out pages",
        "width": 220,
        "height": 160,
        "data": {"values": cells},
        "encoding": where,
        "layer": [
            {"mark": "rect", "encoding": {"color": {"field": "pages", "type": "quantitative"}}},
            {
                "mark": {"type": "text", "fontSize": 16},
                "encoding": {"text": {"field": "pages", "type": "quantitative"}, "color": light},
            },
        ],
    }


def main() -> None:
    """Predict the held-out pages with the candidate and write down how it did."""
    model = mlflow.sklearn.load_model(os.environ.get("SIGNOFF_MODEL_PATH", "models:/phishing-detector/latest"))
    output = Path(os.environ.get("SIGNOFF_OUTPUT", "output"))
    (output / "plots").mkdir(parents=True, exist_ok=True)

    _, held_out = data.load()
    features = held_out.drop(columns=data.LABEL)
    judged = pd.DataFrame(
        {
            "y_true": held_out[data.LABEL],
            "y_pred": model.predict(features),
            "y_score": model.predict_proba(features)[:, 1],
        }
    ).join(features[SLICES])

    metrics = measure(judged)
    judged.to_csv(output / "predictions.csv", index=False)
    (output / "metrics.json").write_text(json.dumps(metrics, indent=2), encoding="utf-8")
    (output / "plots" / "confusion.vl.json").write_text(json.dumps(confusion_plot(judged), indent=2), encoding="utf-8")
    for name, metric in metrics.items():
        span = f"  (95 %: {metric['low']:.3f} to {metric['high']:.3f})" if "low" in metric else ""
        print(f"{name:10}{metric['value']:.3f}{span}")


if __name__ == "__main__":
    main()
