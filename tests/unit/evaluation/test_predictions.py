"""A predictions file is understood, or refused with file, column and row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from signoff.domain.errors import MachineryError, PredictionsError
from signoff.domain.evidence import Task
from signoff.evaluation.predictions import Limits, Predictions, read_predictions


def write(tmp_path: Path, text: str, name: str = "predictions.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, text: str, task: Task | None = None) -> Predictions:
    return read_predictions(write(tmp_path, text), task=task)


def refused(path: Path, limits: Limits | None = None, task: Task | None = None) -> str:
    with pytest.raises(PredictionsError) as caught:
        read_predictions(path, limits=limits, task=task)
    assert isinstance(caught.value, MachineryError)
    assert not caught.value.is_retryable
    assert caught.value.code == "predictions"
    assert caught.value.hint
    return str(caught.value)


def test_every_column_of_a_binary_file_is_understood(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        "y_true,y_pred,y_score,champion_pred,champion_score,weight,group,latency_ms,region\n"
        "0,0,0.2,1,0.6,1,u1,3.5,north\n1,1,0.9,1,0.7,2.5,u1,4,south\n1,0,0.4,1,0.8,1,u2,5,\n",
    )
    assert got.task is Task.BINARY
    assert got.labels == ("0", "1")
    assert got.y_true.tolist() == [0, 1, 1]
    assert got.y_pred.tolist() == [0, 1, 0]
    assert got.scores is not None
    assert got.scores.tolist() == [0.2, 0.9, 0.4]
    assert got.champion_pred is not None
    assert got.champion_pred.tolist() == [1, 1, 1]
    assert got.champion_scores is not None
    assert got.weight is not None
    assert got.weight.tolist() == [1, 2.5, 1]
    assert got.group is not None
    assert got.group.tolist() == [0, 0, 1]
    assert got.latency_ms is not None
    assert list(got.slices) == ["region"]
    assert got.slices["region"].values == ("north", "south")
    assert got.slices["region"].codes.tolist() == [0, 1, -1]
    assert got.source == "predictions.csv"
    assert got.n == 3


@pytest.mark.parametrize(
    ("rows", "task", "labels"),
    [
        ("spam,ham\nham,ham", Task.BINARY, ("ham", "spam")),
        ("True,False\ntrue,true", Task.BINARY, ("false", "true")),
        ("true,1\nfalse,0", Task.BINARY, ("0", "1")),
        ("1.0,1\n0.0,0", Task.BINARY, ("0", "1")),
        ("1,1\n1,1", Task.BINARY, ("0", "1")),
        ("2,10\n10,1", Task.MULTICLASS, ("1", "2", "10")),
        ("cat,dog\nbird,cat", Task.MULTICLASS, ("bird", "cat", "dog")),
        ("1,1.5\n2,2.5", Task.REGRESSION, ()),
        ("1.5,1\n2.5,2", Task.REGRESSION, ()),
        ("\n".join(f"{n},{n}" for n in range(21)), Task.REGRESSION, ()),
        ("\n".join(f"{n},{n}" for n in range(20)), Task.MULTICLASS, tuple(str(n) for n in range(20))),
    ],
)
def test_the_task_is_recognised(tmp_path: Path, rows: str, task: Task, labels: tuple[str, ...]) -> None:
    got = read(tmp_path, f"y_true,y_pred\n{rows}\n")
    assert (got.task, got.labels) == (task, labels)


def test_the_task_that_is_said_wins(tmp_path: Path) -> None:
    counts = "y_true,y_pred\n1,2\n3,3\n4,3\n"
    assert read(tmp_path, counts).task is Task.MULTICLASS
    got = read(tmp_path, counts, task=Task.REGRESSION)
    assert got.task is Task.REGRESSION
    assert got.y_pred.tolist() == [2.0, 3.0, 3.0]
    probabilities = "y_true,y_pred\n0,0.25\n1,0.75\n"
    assert read(tmp_path, probabilities, task=Task.REGRESSION).task is Task.REGRESSION
    assert "is binary" in refused(write(tmp_path, counts), task=Task.BINARY)
    assert read(tmp_path, "y_true,y_pred\na,b\nb,b\n", task=Task.MULTICLASS).task is Task.MULTICLASS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["predictions.csv is empty"]),
        ("y_true,y_pred\n", ["a header and no rows"]),
        ("y_true,pred\n1,1\n", ["no column 'y_pred'", "it has 'y_true', 'pred'", "Did you mean 'pred'?"]),
        ("y_pred,x\n1,1\n", ["no column 'y_true'"]),
        ("y_true;y_pred\n1;1\n", ["no column 'y_true'", "commas"]),
        ("y_true,y_pred,y_pred\n1,1,1\n", ["'y_pred' more than once"]),
        ("y_true,y_pred,\n1,1,1\n", ["column 3 has no readable name"]),
        ("y_true,y_pred\n1,1\n0\n", ["row 2: 1 values where the header has 2", "after the header"]),
        ("y_true,y_pred\n1,1\n,0\n", ["column 'y_true', row 2: no value"]),
        ("y_true,y_pred\n1.5,1\n2.5,nan\n", ["column 'y_pred', row 2: not a number (NaN)"]),
        ("y_true,y_pred\n1.5,1\n2.5,inf\n", ["column 'y_pred', row 2: infinite"]),
        ("y_true,y_pred\n1,1\n0,0.4\n", ["column 'y_pred', row 2: 0.4 where y_true is 0 or 1", "y_score"]),
        ("y_true,y_pred\na,a\na,a\n", ["one class only ('a')"]),
        ("y_true,y_pred,champion_pred\n1,1,1\n0,0,2\n", ["'champion_pred', row 2: '2' is none of the classes (0, 1)"]),
        ("y_true,y_pred,champion_pred\n1,1,1\n0,0,\n", ["column 'champion_pred', row 2: no value"]),
        ("y_true,y_pred,y_score\n1,1,.5\n0,0,nan\n", ["column 'y_score', row 2: not a number (NaN)"]),
        ("y_true,y_pred,y_score\n1,1,.5\n0,0,high\n", ["column 'y_score', row 2: 'high' is not a number"]),
        ("y_true,y_pred,y_score\na,a,.5\nb,c,.5\n", ["one column 'y_score' for 3 classes", "y_score_a"]),
        ("y_true,y_pred,y_score_a,y_score_b\na,a,.5,.5\nb,c,.5,.5\n", ["no column 'y_score_c'"]),
        ("y_true,y_pred,champion_score\n1,1,.5\n0,0,.5\n", ["champion_score and no champion_pred"]),
        ("y_true,y_pred,weight\n1,1,1\n0,0,-2\n", ["column 'weight', row 2: -2 is below 0"]),
        ("y_true,y_pred,weight\n1,1,0\n0,0,0\n", ["every weight is 0"]),
        ("y_true,y_pred,latency_ms\n1,1,1\n0,0,-2\n", ["column 'latency_ms', row 2"]),
        ("y_true,y_pred,group\n1,1,a\n0,0,\n", ["column 'group', row 2: no value"]),
        ("y_true,y_pred,group\n1,1,a\n0,0,a\n", ["every row is in one group"]),
        ('y_true,y_pred,note\n1,1,"fine"\n0,0,"cut o', ["ends inside a quoted value"]),
    ],
)
def test_what_makes_no_sense_is_refused_with_file_column_and_row(tmp_path: Path, text: str, words: list[str]) -> None:
    said = refused(write(tmp_path, text))
    assert said.startswith("predictions.csv")
    for word in words:
        assert word in said


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    assert "neither .csv nor .parquet" in refused(write(tmp_path, "x", "predictions.txt"))
    assert "cannot be read" in refused(tmp_path / "predictions.csv")
    assert "not a readable parquet file" in refused(write(tmp_path, "y_true,y_pred\n1,1\n", "predictions.parquet"))
    latin = tmp_path / "predictions.csv"
    latin.write_bytes(b"y_true,y_pred,town\n1,1,Bonn\n0,0,K\xf6ln\n")
    assert "column 'town', row 2: not UTF-8 text" in refused(latin)
    whole = tmp_path / "whole.parquet"
    pd.DataFrame({"y_true": [0, 1] * 500, "y_pred": [1, 0] * 500}).to_parquet(whole)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-30])
    assert "cut.parquet is not a readable parquet file" in refused(cut)


def test_a_file_above_the_caps_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = write(tmp_path, "y_true,y_pred\n1,1\n0,0\n0,1\n")
    assert "3 rows, more than the 2" in refused(path, Limits(rows=2))
    assert "2 columns, more than the 1" in refused(path, Limits(columns=1))
    assert "6 values, more than the 5" in refused(path, Limits(cells=5))
    assert "bytes, more than the 10" in refused(path, Limits(size=10))
    bomb = tmp_path / "bomb.parquet"
    pd.DataFrame({"y_true": np.arange(200_000) / 7, "y_pred": np.zeros(200_000)}).to_parquet(bomb, compression="zstd")
    assert "once unpacked" in refused(bomb, Limits(size=bomb.stat().st_size + 1))


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "y_true": rng.choice(["cat", "dog", "eel"], 200),
            "y_pred": rng.choice(["cat", "dog"], 200),
            "region": pd.Categorical(rng.choice(["n", "s"], 200)),
            "age": rng.integers(18, 90, 200),
            "is_new": rng.random(200) < 0.5,
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 300, 200), "D"),
        }
    )
    frame.to_csv(tmp_path / "p.csv", index=False)
    frame.to_parquet(tmp_path / "p.parquet")
    one, other = read_predictions(tmp_path / "p.csv"), read_predictions(tmp_path / "p.parquet")
    assert one.digest == other.digest
    assert one.labels == other.labels == ("cat", "dog", "eel")
    assert {name: item.values for name, item in one.slices.items()} == {
        name: item.values for name, item in other.slices.items()
    }


def test_numbers_are_cut_in_five_bins_of_about_equal_size(tmp_path: Path) -> None:
    rows = "\n".join(f"{n % 2},1,{n / 10},{n % 3},id-{n}" for n in range(1500))
    got = read(tmp_path, f"y_true,y_pred,age,kind,name\n{rows}\n")
    age = got.slices["age"]
    assert age.values == ("0 to 29.9", "29.9 to 59.9", "59.9 to 89.9", "89.9 to 119.9", "119.9 to 149.9")
    assert np.bincount(age.codes).tolist() == [300] * 5
    assert got.slices["kind"].values == ("0", "1", "2")
    assert "name" not in got.slices
    assert got.notes == ("name is no slice column: 1,500 different values.",)


def test_a_column_that_is_nearly_always_one_number_has_two_bins(tmp_path: Path) -> None:
    rows = "\n".join(f"{n % 2},1,{0 if n < 960 else n}" for n in range(1000))
    got = read(tmp_path, f"y_true,y_pred,paid\n{rows}\n").slices["paid"]
    assert got.values == ("0 to 0", "0 to 999")
    assert np.bincount(got.codes).tolist() == [960, 40]


def test_the_digest_names_the_test_set_whatever_was_predicted(tmp_path: Path) -> None:
    first = read(tmp_path, "y_true,y_pred,region\na,a,n\nb,a,s\n").digest
    assert first.startswith("sha256:")
    assert read(tmp_path, "y_true,y_pred,region\na,c,n\nb,b,s\n").digest == first
    assert read(tmp_path, "region,y_pred,y_true,champion_pred\nn,b,a,a\ns,b,b,b\n").digest == first
    assert read(tmp_path, "y_true,y_pred,region\nb,a,s\na,a,n\n").digest != first
    assert read(tmp_path, "y_true,y_pred,region\na,a,n\na,b,s\n").digest != first
    assert read(tmp_path, "y_true,y_pred,region\na,a,n\nb,a,n\n").digest != first
    assert read(tmp_path, "y_true,y_pred,region,group\na,a,n,1\nb,a,s,2\n").digest != first


def test_scores_of_every_class_are_taken_in_the_order_of_the_labels(tmp_path: Path) -> None:
    got = read(tmp_path, "y_score_b,y_true,y_pred,y_score_a,y_score_c\n.1,a,a,.7,.2\n.6,b,c,.2,.2\n")
    assert got.scores is not None
    assert got.scores.tolist() == [[0.7, 0.1, 0.2], [0.2, 0.6, 0.2]]
    assert got.slices == {}


def test_a_score_outside_nought_to_one_is_noted(tmp_path: Path) -> None:
    got = read(tmp_path, "y_true,y_pred,y_score\n1,1,0.5\n0,0,-2\n")
    assert got.notes == (
        "y_score is -2 in row 2, so it is no probability: log_loss, brier and calibration are left out.",
    )


def test_a_long_text_that_every_row_repeats_is_not_written_out(tmp_path: Path) -> None:
    path = tmp_path / "bomb.parquet"
    long = "x" * 1_000_000
    truth = np.tile([0, 1], 100_000)
    table = pa.table(
        {"y_true": truth, "y_pred": truth, "note": pa.DictionaryArray.from_arrays(truth, [long, long + "y"])}
    )
    pyarrow.parquet.write_table(table, path)
    got = read_predictions(path)
    assert got.slices == {}
    assert got.notes == ("note is no slice column: 2 different values.",)
    pyarrow.parquet.write_table(table.rename_columns(["a", "b", "y_true"]).append_column("y_pred", table["note"]), path)
    assert "name has 1,000,001 characters" in refused(path)


def test_categories_that_no_row_has_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "predictions.parquet"
    kinds = pd.CategoricalDtype(["z", "unused", "a"])
    frame = pd.DataFrame({"y_true": list("azaz"), "y_pred": list("aaza"), "kind": list("zzaz")}).astype(kinds)
    frame.assign(empty=pd.Series([None] * 4, dtype="object")).to_parquet(path)
    got = read_predictions(path)
    assert got.labels == ("a", "z")
    assert got.y_true.tolist() == [0, 1, 0, 1]
    assert got.slices["kind"].values == ("a", "z")
    assert got.slices["kind"].codes.tolist() == [1, 1, 0, 1]
    assert got.slices["empty"].values == ()
    assert got.slices["empty"].codes.tolist() == [-1] * 4
