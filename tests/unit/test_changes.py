"""What changed between two versions."""

from __future__ import annotations

from dataclasses import replace

from factories import a_version
from signoff.domain.changes import Change, Part, Side, changes_between
from signoff.domain.version import Lineage, Manifest

BEFORE = replace(
    a_version(6),
    tags={"team": "risk", "signoff.status": "approved"},
    lineage=Lineage(params={"depth": "6", "rate": "0.1"}, data=("churn@1", "extra@1"), code="a41c9e2"),
)
AFTER = replace(
    a_version(7),
    tags={"team": "growth", "signoff.status": "submitted"},
    lineage=Lineage(params={"depth": "8", "trees": "60"}, data=("churn@2", "extra@1"), code="b52d"),
)


def test_every_part_that_differs_is_named_with_both_sides() -> None:
    before = Side("v6", BEFORE, "sha256:p", {"train.py": "a", "old.py": "c"}, {"model": "x"})
    after = Side("v7", AFTER, "sha256:q", {"train.py": "b"}, {"model": "y"})
    found = changes_between(before, after)
    assert found.changes == (
        Change(Part.PARAM, "depth", "6", "8"),
        Change(Part.PARAM, "rate", "0.1", None),
        Change(Part.PARAM, "trees", None, "60"),
        Change(Part.DATA, "churn@1", "churn@1", None),
        Change(Part.DATA, "churn@2", None, "churn@2"),
        Change(Part.CODE, "commit", "a41c9e2", "b52d"),
        Change(Part.PIPELINE, "signoff.yaml", "sha256:p", "sha256:q"),
        Change(Part.CODE_FILE, "old.py", "c", None),
        Change(Part.CODE_FILE, "train.py", "a", "b"),
        Change(Part.TAG, "team", "risk", "growth"),
        Change(Part.MODEL_FILE, "model", "x", "y"),
    )
    assert (found.unknown, found.is_same_bytes) == ((), False)
    assert [change.word for change in found.changes[:3]] == ["changed", "removed", "added"]
    assert next(part for part, _ in found.groups) is Part.PARAM


def test_params_of_the_file_are_told_unless_training_logged_them() -> None:
    before = Side("v6", BEFORE, settings={"train.depth": "6", "train.seed": "1"})
    after = Side("v7", BEFORE, settings={"train.depth": "8", "train.seed": "2", "test.rows": "10"})
    assert changes_between(before, after).changes == (
        Change(Part.PARAM, "test.rows", None, "10"),
        Change(Part.PARAM, "train.seed", "1", "2"),
    )


def test_what_nobody_knows_is_not_said_to_be_the_same() -> None:
    found = changes_between(Side("v6", BEFORE, model_files={"model": "x"}), Side("v7", BEFORE, code_files={}))
    assert found.unknown == (Part.CODE_FILE, Part.MODEL_FILE)
    assert (found.changes, found.is_same_bytes) == ((), True)


def test_the_list_of_files_is_kept_beside_the_digest_unless_it_is_too_long() -> None:
    few = Manifest.of([("model", "00")])
    many = Manifest.of([(f"part-{number}", "00") for number in range(501)])
    assert few.recorded == (("model", "00"),)
    assert many.recorded == ()
