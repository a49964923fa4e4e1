"""A draft pipeline on 10,000 past runs, against reading the same evidence without judging it.

    python benchmarks/replay.py [--runs 10000] [--rounds 3] [--profile]

Each past run has its own evidence: a dozen metrics with intervals at three levels, their paired differences to the
champion, forty slices, pictures. The draft has three checks, one of them with a floor for each slice, and an
auto-approval. The floor is to fetch and parse the same documents; the other draft asks nothing of slices.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from functools import partial

import psycopg
from counting import profiled
from stage import BOB, Stage, about, report, signed_in, stage

from signoff.domain.actor import Actor
from signoff.domain.evidence import (
    Champion,
    Comparison,
    Evidence,
    Interval,
    Metric,
    Picture,
    Provenance,
    RowsNeeded,
    SliceResult,
    Task,
    TestSet,
)
from signoff.service.desk import Desk
from signoff.service.replays import replay_policy
from signoff.store import codec, history

METRICS = (
    "accuracy", "auc", "average_precision", "balanced_accuracy", "brier", "f1", "log_loss", "mcc", "precision",
    "recall", "specificity",
)  # fmt: skip
LEVELS = (0.95, 0.975, 0.9917)
SLICES = 40
DRAFT = """
model: model-0
steps:
  - name: test
    type: test
    inputs:
      run: python evaluate.py
      checks:
        - accuracy > 0.85
        - auc >= champion.auc - 0.02
{floor}  - name: approve
    type: approval
    inputs: {{approvers: ['bob'], auto_approve_if: accuracy > 0.9 and auc >= champion.auc - 0.005}}
  - {{name: deploy, type: deployment, inputs: {{environment: local}}}}
"""
FLOOR = "        - {name: floor, that: accuracy > 0.5, for_each: region}\n"


def document() -> str:
    """One step's evidence, as it is kept."""
    found = Evidence(
        step="test",
        attempt=1,
        model_digest="sha256:m",
        metrics=tuple(metric(name, 0.9) for name in METRICS),
        champion=Champion("1", "sha256:c", {name: metric(name, 0.89) for name in METRICS}),
        task=Task.BINARY,
        comparisons=tuple(Comparison(n, metric(n, 0.01), 0.2, "bca", 2_000, 0.02, "higher") for n in METRICS),
        slices=tuple(
            SliceResult(
                ("region" if number < SLICES // 2 else "age",),
                (f"value {number}",),
                250,
                "accuracy",
                0.9,
                metric("accuracy", 0.9).interval,
                -0.01,
                metric("delta.accuracy", 0.01),
                "unsure",
                0.8,
                metric("accuracy", 0.9).further,
            )
            for number in range(SLICES)
        ),
        test_set=TestSet("sha256:t", 2_000, 3),
        pictures=tuple(Picture(f"p{n}", "a title", "a sentence " * 10, f"plots/p{n}.vl.json") for n in range(10)),
    )
    return json.dumps(codec.plain(codec.EVIDENCE, found))


def metric(name: str, value: float) -> Metric:
    """A metric with all that may belong to one."""
    first, *others = (Interval(value - 0.05 * level, value + 0.05 * level, level, "bca") for level in LEVELS)
    needed = (RowsNeeded(0.9, 12_000),)
    return Metric(name, value, Provenance.MEASURED, first, 2_000, "test", tuple(others), 7, needed)


def fill(made: Stage, count: int) -> int:
    """Give each of `count` past runs its own evidence, with an accuracy of its own; the size of one in bytes."""
    made.open_gates(count)
    base = document()
    with psycopg.connect(made.owner, autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO evidence (digest, run_id, attempt, step, document, created_at)
            SELECT 'sha256:' || md5(id) || md5(id || 'x'), id, 1, 'test',
                jsonb_set(jsonb_set(jsonb_set(%s::jsonb,
                    '{metrics,0,value}', to_jsonb(low + 0.05)),
                    '{metrics,0,interval,low}', to_jsonb(low)),
                    '{metrics,0,interval,high}', to_jsonb(low + 0.1)), created_at
            FROM runs, LATERAL (SELECT 0.78 + abs(hashtext(id) %% 97) / 600.0 AS low) AS drawn
            """,
            [base],
        )
        connection.execute(
            "UPDATE steps SET evidence_digest = digest FROM evidence "
            "WHERE steps.run_id = evidence.run_id AND steps.name = 'test' AND evidence.digest LIKE 'sha256:%'"
        )
        connection.execute("VACUUM ANALYZE evidence, steps")
    return len(base)


def read(desk: Desk, *, with_slices: bool) -> int:
    """The floor: fetch and parse, and judge nothing."""
    names = ("accuracy", "auc")
    with desk.database.read() as tx:
        past = history.list_attempts(tx, "model-0", since=None, metrics=names, with_slices=with_slices)
        return sum(len(attempt.evidence) for attempt in past)


def _again(desk: Desk, reader: Actor, draft: str) -> None:
    replay_policy(desk, reader, draft)


def measure(made: Stage, count: int, rounds: int, *, profile: bool) -> dict[str, object]:
    size = fill(made, count)
    figures: dict[str, object] = {"runs": count, "bytes_of_evidence_each": size}
    with made.desk(2) as desk:
        reader = signed_in(BOB)
        for name, with_slices in (("whole", False), ("slices", True)):
            draft = DRAFT.format(floor=FLOOR if with_slices else "")
            took: dict[str, list[float]] = {"floor": [], "replay": [], "processor": []}
            for _ in range(rounds):
                began = time.perf_counter()
                assert read(desk, with_slices=with_slices) >= count
                took["floor"].append(time.perf_counter() - began)
                began, spent = time.perf_counter(), time.process_time()
                found = replay_policy(desk, reader, draft).replay
                took["replay"].append(time.perf_counter() - began)
                took["processor"].append(time.process_time() - spent)
                assert len(found.verdicts) >= count
                print(f"  {name}: floor {took['floor'][-1]:.2f} s  replay {took['replay'][-1]:.2f} s  {found.would}")
            figures[f"{name}_floor_seconds"] = round(statistics.median(took["floor"]), 2)
            figures[f"{name}_replay_seconds"] = round(statistics.median(took["replay"]), 2)
            figures[f"{name}_replay_processor_seconds"] = round(statistics.median(took["processor"]), 2)
            if profile:
                profiled(partial(_again, desk, reader, draft), 1)
    figures["largest_memory_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="say where the time goes as well")
    arguments = parser.parse_args()
    known = about()
    print(known)
    with stage() as made:
        figures = measure(made, arguments.runs, arguments.rounds, profile=arguments.profile)
    report("replay", known, figures)


if __name__ == "__main__":
    main()
