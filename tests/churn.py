"""A pipeline for stories in a browser: quick, deterministic, and with everything that a review can show.

What each version predicts is drawn from its attempt and its params, with a group that the new features do not help.
"""

from __future__ import annotations

from pathlib import Path

MODEL = "churn-classifier"
ENVIRONMENTS = """\
environments:
  production:
    deployer: {type: alias, alias: champion}
"""
PIPELINE = """\
name: churn
model: churn-classifier
max_attempts: 4
steps:
  - name: train
    type: training
    inputs:
      run: python train.py
      params: {depth: DEPTH, rate: 0.1}
  - name: test
    type: test
    inputs:
      run: python evaluate.py
      compare: champion
      sensitive: [age]
      checks:
        - accuracy > 0.7
        - name: catches more of those who leave
          that: recall >= champion.recall - 0.01
        - name: every age group is served
          that: accuracy > 0.7
          for_each: age
          severity: warn
  - name: approve
    type: approval
    inputs:
      approvers: APPROVERS
      required_approvals: REQUIRED
      checklist: ['I looked at the age groups']
    on_changes_requested: retrain
  - name: deploy
    type: deployment
    inputs: {environment: production}
"""
TRAIN = """\
import json, os, pathlib
context = json.loads(pathlib.Path(os.environ["SIGNOFF_CONTEXT"]).read_text())
depth = int(os.environ["SIGNOFF_PARAM_DEPTH"])
print("\\x1b[1mTraining\\x1b[0m with depth", depth)
for said in context.get("feedback", []):
    print("\\x1b[33m%s asked:\\x1b[0m %s" % (said["by"], said["comment"]))
output = pathlib.Path(os.environ["SIGNOFF_OUTPUT"])
if asked := context.get("asked"):
    answers = {one["id"]: "Weighted that group three times as much." for one in asked}
    (output / "answers.json").write_text(json.dumps(answers))
(output / "model").mkdir()
weights = {"depth": depth, "cares": bool(context.get("asked"))}
(output / "model" / "weights.json").write_text(json.dumps(weights))
print("\\x1b[32mdone\\x1b[0m")
"""
EVALUATE = """\
import json, os, pathlib, random
weights = json.loads((pathlib.Path(os.environ["SIGNOFF_MODEL_PATH"]) / "weights.json").read_text())
skill = 0.8 + 0.25 * weights["depth"]
print("judging", weights)
lines = ["y_true,y_pred,y_score,age,contract"]
for row in range(4000):
    draw = random.Random(row)
    age = draw.choice(["18 to 35", "36 to 65", "over 65"])
    leaves = draw.random() < 0.35
    helps = 0.7 if age == "over 65" and not weights["cares"] else 1.0
    noise = draw.gauss(0, 1)
    score = 1 / (1 + 2.718281828 ** -(skill * helps * (1.1 if leaves else -1.1) + noise))
    lines.append(f"{int(leaves)},{int(score > 0.5)},{score:.4f},{age},{draw.choice(['prepaid', 'contract'])}")
(pathlib.Path(os.environ["SIGNOFF_OUTPUT"]) / "predictions.csv").write_text("\\n".join(lines) + "\\n")
"""


def write(folder: Path, *, depth: int = 2, approvers: str = "['bob']", required: int = 1) -> Path:
    """The pipeline's folder with these rules; the path of its file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "evaluate.py").write_text(EVALUATE)
    text = PIPELINE.replace("DEPTH", str(depth)).replace("APPROVERS", approvers).replace("REQUIRED", str(required))
    (folder / "signoff.yaml").write_text(text)
    return folder / "signoff.yaml"
