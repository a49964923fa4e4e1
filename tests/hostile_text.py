"""Markup in names, notes, comments, metric names, logs and a model card, put there as their writers would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from archives import packed_folder
from house import House, made
from signoff.ports import Log, Task

MARK = "xss7f3a"
PAYLOADS = (
    f"<script>window.{MARK}=1</script>",
    f"<img src=x onerror=window.{MARK}=1>",
    f'"><svg onload=window.{MARK}=1>',
    f"'\"><iframe srcdoc='<script>parent.{MARK}=1</script>'></iframe>",
    f'<a href="javascript:window.{MARK}=1">{MARK}</a>',
    f"</textarea></title></script><script>window.{MARK}=1</script>",
    f"<base href=https://evil.example/><style>body{{display:none}}</style>{MARK}",
)
MARKDOWN = f"[{MARK}](javascript:window.{MARK}=1) ![{MARK}](https://evil.example/x.png) <{MARK}@evil.example>"
EVERYTHING = "\n\n".join((*PAYLOADS, MARKDOWN))
CARD = f"""\
---
license: "{MARK}<script>window.{MARK}=1</script>"
datasets: ["<img src=x onerror=window.{MARK}=1>"]
model-index:
  - results:
      - metrics: [{{name: "<svg onload=window.{MARK}=1>", value: 0.5}}]
---
# <script>window.{MARK}=1</script> of the card {MARK}

{EVERYTHING}

<{MARK} onclick=window.{MARK}=1>
<!-- --!><script>window.{MARK}=1</script> -->

| a | b |
|---|---|
| <script>window.{MARK}=1</script> | [x](data:text/html,<script>window.{MARK}=1</script>) |

[ref]: javascript:window.{MARK}=1
[a reference][ref] &#x6a;avascript:window.{MARK}=1 [tab](java\tscript:window.{MARK}=1)
"""
TESTED = """\
model: fraud-detector
steps:
  - {name: test, type: test, inputs: {run: evaluate, checks: [recall > 0.1]}}
  - name: approve
    type: approval
    inputs: {approvers: ['bob', 'carol'], required_approvals: 2, checklist: [PAYLOAD]}
  - {name: deploy, type: deployment, inputs: {environment: production}}
"""


@dataclass(frozen=True, slots=True)
class Story:
    """The run, the word that is in all of it, and what to look at."""

    run: str
    paths: tuple[str, ...]
    downloads: tuple[str, ...]
    mark: str = MARK


def evaluate(task: Task, log: Log, _should_stop: Callable[[], str | None]) -> int:
    """A test command that writes markup into its log, its metrics, its predictions and a model card."""
    import json

    log.write((EVERYTHING + f"\n\x1b]8;;javascript:window.{MARK}=1\x1b\\{MARK}\x1b]8;;\x1b\\\n").encode())
    output = Path(task.environment["SIGNOFF_OUTPUT"])
    lines = [f"{n % 2},{n % 2},{'<script>window.xss7f3a=1</script>' if n % 3 else 'west'}" for n in range(300)]
    (output / "predictions.csv").write_text("\n".join(["y_true,y_pred,<img src=x onerror=xss7f3a>", *lines]) + "\n")
    (output / "MODEL_CARD.md").write_text(CARD)
    metrics = {payload[:60]: 0.5 for payload in PAYLOADS}
    (output / "metrics.json").write_text(json.dumps(metrics))
    return 0


def tell(house: House) -> Story:
    """alice submits, everybody comments, and bob approves; the gate waits for carol."""
    house.runner._commands["evaluate"] = evaluate
    pipeline = TESTED.replace("PAYLOAD", "'" + PAYLOADS[0].replace("'", "''") + "'")
    snapshot = made(house.as_("alice").ask("POST", "/snapshots", content=packed_folder()))["digest"]
    run = house.submit(pipeline, snapshot=snapshot, note=EVERYTHING, folder_name=PAYLOADS[1][:100])
    for who in ("alice", "bob", "erin"):
        made(house.as_(who).post(f"/runs/{run}/comments", {"body": EVERYTHING}))
    house.decide(
        "bob",
        run,
        "approve",
        comment=EVERYTHING,
        ticked=[PAYLOADS[0]],
        reasons=[{"kind": "metric", "subject": PAYLOADS[2]}],
    )
    erin = house.as_("erin")
    made(erin.post("/tokens", {"name": PAYLOADS[0]}))
    gate = f"/runs/{run}/gates/approve"
    pages = ("/", "/runs", "/models", "/models/fraud-detector", "/deployments", "/audit", "/settings", "/account")
    base = f"/runs/{run}"
    return Story(
        run,
        (*pages, base, gate, f"{base}/logs/test", f"{base}/logs/test?q=script", f"/audit?run={run}"),
        (f"{base}/logs/test/raw", f"{base}/audit.jsonl", "/audit/export.jsonl"),
    )
