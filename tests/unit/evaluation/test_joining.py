"""Whose rows belong together: the candidate's predictions and the champion's, from two files."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet
import pytest

from signoff.domain.errors import PredictionsError
from signoff.evaluation.joining import has_champion, join_champion
from signoff.evaluation.predictions import read_predictions

OWN = "y_true,y_pred,y_score,region\n1,1,0.9,north\n0,0,0.2,south\n1,0,0.4,north\n0,0,0.1,south\n"
THEIRS = "y_true,y_pred,y_score,region\n1,1,0.8,north\n0,1,0.6,south\n1,1,0.7,north\n0,0,0.3,south\n"


def files(folder: Path, own: str = OWN, theirs: str = THEIRS) -> tuple[Path, Path, Path]:
    candidate, champion = folder / "predictions.csv", folder / "champion.csv"
    candidate.write_text(own)
    champion.write_text(theirs)
    return candidate, champion, folder / "predictions.parquet"


def with_ids(text: str, ids: str) -> str:
    lines = text.splitlines()
    return "\n".join(f"{one},{line}" for one, line in zip(["id", *ids], lines, strict=True)) + "\n"


def test_rows_with_equal_truth_belong_together_in_their_order(tmp_path: Path) -> None:
    candidate, champion, target = files(tmp_path)
    assert not has_champion(candidate)
    assert join_champion(candidate, champion, target) is None
    assert has_champion(target)
    found = read_predictions(target)
    assert found.y_pred.tolist() == [1, 0, 0, 0]
    assert found.champion_pred is not None
    assert found.champion_scores is not None
    assert found.champion_pred.tolist() == [1, 1, 1, 0]
    assert found.champion_scores.tolist() == [0.8, 0.6, 0.7, 0.3]
    assert found.digest == read_predictions(candidate).digest


def test_scores_of_several_classes_are_joined_class_by_class(tmp_path: Path) -> None:
    text = "y_true,y_pred,y_score_a,y_score_b,y_score_c\na,a,0.8,0.1,0.1\nb,c,0.1,0.2,0.7\nc,c,0.2,0.2,0.6\n"
    candidate, champion, target = files(tmp_path, text, text.replace("0.8,0.1,0.1", "0.6,0.2,0.2"))
    assert join_champion(candidate, champion, target) is None
    found = read_predictions(target)
    assert found.champion_scores is not None
    assert found.champion_scores[0].tolist() == [0.6, 0.2, 0.2]


def test_rows_in_another_order_are_found_by_their_id(tmp_path: Path) -> None:
    lines = with_ids(THEIRS, "abcd").splitlines()
    shuffled = "\n".join([lines[0], lines[4], lines[2], lines[1], lines[3]]) + "\n"
    candidate, champion, target = files(tmp_path, with_ids(OWN, "abcd"), shuffled)
    assert join_champion(candidate, champion, target) is None
    assert pyarrow.parquet.read_table(target)["champion_score"].to_pylist() == [0.8, 0.6, 0.7, 0.3]


def test_ids_that_differ_count_even_where_the_truth_is_the_same_in_every_row(tmp_path: Path) -> None:
    own = "id,y_true,y_pred\na,1,1\nb,1,0\nc,0,0\n"
    candidate, champion, target = files(tmp_path, own, "id,y_true,y_pred\nb,1,1\na,1,0\nc,0,1\n")
    assert join_champion(candidate, champion, target) is None
    assert pyarrow.parquet.read_table(target)["champion_pred"].to_pylist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("own", "theirs", "why"),
    [
        (OWN, THEIRS + "1,1,0.5,north\n", "the champion's predictions have 5 rows and the candidate's 4"),
        (
            OWN,
            THEIRS.replace("1,1,0.7,north", "0,1,0.7,north"),
            "y_true of row 3 is 1 for the candidate and 0 for the champion",
        ),
        (
            with_ids(OWN, "abcd"),
            with_ids(THEIRS, "abce"),
            "1 of 4 rows have no row of the champion's with their id",
        ),
        (
            with_ids(OWN, "abcd"),
            with_ids(THEIRS, "abcc"),
            "the column id of the champion's predictions is not different in every row",
        ),
        (OWN, "y_true,answer\n1,1\n0,0\n1,1\n0,0\n", "the predictions of the champion have no column y_pred"),
    ],
)
def test_rows_that_do_not_belong_together_are_not_compared(tmp_path: Path, own: str, theirs: str, why: str) -> None:
    candidate, champion, target = files(tmp_path, own, theirs)
    assert join_champion(candidate, champion, target) == why
    assert not target.exists()


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    candidate, champion, target = files(tmp_path, theirs="")
    with pytest.raises(PredictionsError, match=r"champion\.csv is empty"):
        join_champion(candidate, champion, target)
