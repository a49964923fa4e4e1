"""Every picture is valid Vega-Lite that draws by itself, small, of both models, with its table and its reading."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vl_convert

from signoff.domain.evidence import Interval, Metric, Provenance, SliceResult, Task
from signoff.evaluation import pictures
from signoff.evaluation.pictures import Measured, Names, Picture
from signoff.evaluation.pictures.confusion import OTHER
from signoff.evaluation.pictures.threshold import chosen_threshold
from signoff.evaluation.predictions import Predictions
from signoff.evaluation.static import to_svg

NAMES = Names("version 7", "version 6, the champion")


def binary(n: int, *, has_champion: bool = True, has_weight: bool = False, seed: int = 1) -> Predictions:
    random = np.random.default_rng(seed)
    y_true = (random.random(n) < 0.15).astype(np.int64)
    scores, other = (1 / (1 + np.exp(2.5 - d * y_true - random.normal(size=n))) for d in (2.6, 2.0))
    return Predictions(
        Task.BINARY,
        ("stayed", "left"),
        y_true,
        (scores > 0.4).astype(np.int64),
        scores,
        (other > 0.5).astype(np.int64) if has_champion else None,
        other if has_champion else None,
        random.random(n) if has_weight else None,
        None,
        None,
        {},
        "predictions.csv",
        "sha256:0",
    )


def several(n: int, classes: int) -> Predictions:
    random = np.random.default_rng(2)
    y_true = random.integers(0, classes, n)
    both = []
    for lead in (0.6, 0.4):
        scores = random.dirichlet(np.ones(classes), n)
        scores[np.arange(n), y_true] += lead
        both.append(scores / scores.sum(axis=1, keepdims=True))
    labels = tuple(f"class {i:02}" for i in range(classes))
    own, theirs = both
    return Predictions(
        Task.MULTICLASS, labels, y_true, own.argmax(1), own, theirs.argmax(1), theirs, None, None, None, {}, "p", "d"
    )


def regression(n: int) -> Predictions:
    random = np.random.default_rng(3)
    actual = random.normal(size=n) * 20 + 100
    own, theirs = actual + random.normal(size=n) * 5 + 1, actual + random.normal(size=n) * 7
    return Predictions(Task.REGRESSION, (), actual, own, None, theirs, None, None, None, None, {}, "p", "d")


def metric(value: float, low: float, high: float) -> Metric:
    return Metric("accuracy", value, Provenance.MEASURED, Interval(low, high), 300)


def slices(n: int) -> list[SliceResult]:
    champion = Metric("auc", 0.02, Provenance.MEASURED)
    return [
        SliceResult(
            ("region",), (f"r{i}",), 40 + i, "auc", 0.5 + i / 1000, Interval(0.4, 0.7), -0.1, champion, "worse", 0.01
        )
        for i in range(n)
    ]


def _of_results() -> list[Picture | None]:
    versions = [Measured(str(i), 0.8 + i / 100, Interval(0.7, 0.95), i == 3) for i in range(1, 6)]
    return [
        pictures.against_limit(metric(0.903, 0.866, 0.931), metric(0.89, 0.85, 0.92), NAMES, asked=(">", 0.9)),
        pictures.against_limit(metric(0.903, 0.866, 0.931), None, NAMES),
        pictures.forest(slices(60), 0.6, "higher", NAMES),
        pictures.history("auc", versions, "higher", limit=0.82),
    ]


def _everything() -> Iterator[tuple[str, Picture]]:
    for what, predictions in {
        "binary": binary(5000),
        "weighted": binary(300, has_weight=True),
        "alone": binary(60, has_champion=False),
        "three": several(400, 3),
        "thirty": several(400, 30),
        "numbers": regression(5000),
    }.items():
        for picture in pictures.draw(predictions, NAMES, seed=7):
            yield f"{what} {picture.name}", picture
    for each in _of_results():
        assert each is not None
        yield each.name, each


ALL = list(_everything())
EACH = pytest.mark.parametrize("picture", [p for _, p in ALL], ids=[name for name, _ in ALL])


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key), item
            yield from _parts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item)


@EACH
def test_a_picture_is_vega_lite_that_draws_without_a_network(picture: Picture) -> None:
    svg = to_svg(json.loads(picture.spec_json()))
    assert svg.count("<path") + svg.count("<rect") > 3
    assert "NaN" not in svg


@EACH
def test_a_picture_draws_at_most_2000_points_and_reads_as_its_description(picture: Picture) -> None:
    assert 0 < len(picture.table.rows) <= pictures.MOST_POINTS
    assert picture.spec["datasets"]["rows"] == list(picture.table.rows)
    assert picture.spec["description"] == picture.reading
    assert picture.reading.endswith(".")
    assert len(picture.reading) < 300


@EACH
def test_a_picture_has_no_colours_no_background_and_no_address_of_its_own(picture: Picture) -> None:
    keys = {key for key, _ in _parts({k: v for k, v in picture.spec.items() if k != "datasets"})}
    assert keys.isdisjoint({"background", "config", "url", "href", "fill", "stroke", "signal", "expr", "calculate"})
    text = picture.spec_json().decode()
    assert re.findall(r"https?://[^\"]*", text) == ["https://vega.github.io/schema/vega-lite/v6.json"]
    assert re.search(r"#[0-9a-fA-F]{6}", text) is None


@EACH
def test_a_picture_needs_no_expression_that_a_strict_page_cannot_run(picture: Picture) -> None:
    """vega-interpreter 2 evaluates these itself, or finds them among vega-functions; no label is in any of them."""
    compiled = vl_convert.vegalite_to_vega(dict(picture.spec), vl_version="6.4")
    code = [v for k, v in _parts(compiled) if k in {"expr", "signal", "update", "test", "init"} and isinstance(v, str)]
    called = {name for text in code for name in re.findall(r"([A-Za-z_]\w*)\(", text)}
    assert called
    assert called <= {
        "bandwidth", "ceil", "containerSize", "format", "isArray", "isFinite", "isValid", "join", "max", "toNumber",
        "toString",
    }  # fmt: skip
    labels = {v for row in picture.table.rows for v in row.values() if isinstance(v, str)}
    texts = [found for text in code for found in re.findall(r'(datum\[)?"((?:[^"\\]|\\.)*)"', text)]
    named = {text for is_field, text in texts if not is_field and text in labels}
    assert named == set()


@EACH
def test_no_mark_of_a_picture_is_read_out_point_by_point(picture: Picture) -> None:
    marks = [value for key, value in _parts(picture.spec) if key == "mark"]
    assert marks
    assert all(mark["aria"] is False for mark in marks)


@EACH
def test_every_cell_of_a_table_is_plain_json_and_has_a_column(picture: Picture) -> None:
    table = json.loads(picture.table_json())
    assert [set(column) for column in table["columns"]] == [{"field", "title", "kind"}] * len(picture.table.columns)
    assert all(len(row) == len(table["columns"]) for row in table["rows"])
    assert all(
        isinstance(value, str) == (column["kind"] == "text")
        for row in table["rows"]
        for column, value in zip(table["columns"], row, strict=True)
        if value is not None
    )


def test_names_of_an_album_are_different_and_safe_in_file_names() -> None:
    for predictions in (binary(200), several(200, 3), regression(200)):
        names = [picture.name for picture in pictures.draw(predictions)]
        assert len(set(names)) == len(names) > 1
        assert all(re.fullmatch(r"[a-z-]+", name) for name in names)


def test_both_models_are_in_one_picture_with_a_legend_and_not_by_colour_alone() -> None:
    roc = pictures.draw(binary(500), NAMES)[0]
    assert {row["model"] for row in roc.table.rows} == {NAMES.candidate, NAMES.champion}
    encoding = roc.spec["layer"][1]["encoding"]
    assert encoding["color"]["legend"] is not None
    assert encoding["strokeDash"]["scale"]["range"] == [[1, 0], [6, 3]]


def test_without_a_champion_there_is_no_legend_and_no_word_of_one() -> None:
    for picture in pictures.draw(binary(500, has_champion=False), NAMES):
        assert "champion" not in picture.spec_json().decode().replace("has_champion", "")


def test_the_roc_reading_is_of_all_rows_not_of_those_drawn() -> None:
    from sklearn.metrics import roc_curve

    predictions = binary(50_000)
    roc = pictures.draw(predictions)[0]
    fallout, recall, _ = roc_curve(predictions.y_true, predictions.scores)
    expected = np.interp(0.05, fallout, recall)
    assert f"it catches {expected:.0%} where".replace("%", " %") in roc.reading
    assert len(roc.table.rows) == 1000


def test_a_scatter_that_leaves_rows_out_says_so_in_its_subtitle() -> None:
    for picture in pictures.draw(regression(5000), seed=7):
        assert "1,000 of 5,000 rows, drawn evenly at random (seed 7)" in picture.subtitle
        assert picture.spec["usermeta"]["subtitle"] == picture.subtitle
    for picture in pictures.draw(regression(1000), seed=7):
        assert "random" not in picture.subtitle


def test_a_scatter_draws_the_same_rows_for_both_models_and_the_champion_beneath() -> None:
    rows = pictures.draw(regression(5000), NAMES, seed=7)[0].table.rows
    own = [row["actual"] for row in rows if row["model"] == NAMES.candidate]
    theirs = [row["actual"] for row in rows if row["model"] == NAMES.champion]
    assert own == theirs
    assert rows[0]["model"] == NAMES.champion


def test_a_confusion_matrix_counts_every_row_once() -> None:
    for predictions in (binary(700), several(700, 3), several(700, 30)):
        matrix = next(p for p in pictures.draw(predictions) if p.name == "confusion")
        assert sum(int(row["rows"] or 0) for row in matrix.table.rows) == 700
        assert sum(int(row["champion"] or 0) for row in matrix.table.rows) == 700


def test_of_many_classes_the_most_frequent_twenty_are_drawn_and_the_rest_as_one() -> None:
    matrix = next(p for p in pictures.draw(several(700, 30)) if p.name == "confusion")
    assert len({row["true"] for row in matrix.table.rows}) == 20
    assert len(matrix.table.rows) == 400
    assert OTHER in {row["said"] for row in matrix.table.rows}


def test_calibration_counts_every_row_and_its_gap_is_that_of_the_definition() -> None:
    predictions = binary(5000)
    assert predictions.scores is not None
    picture = next(p for p in pictures.draw(predictions, NAMES) if p.name == "calibration")
    own = [row for row in picture.table.rows if row["model"] == NAMES.candidate]
    assert sum(int(row["rows"] or 0) for row in own) == 5000
    gap = 0.0
    for low in np.arange(10) / 10:
        mask = (predictions.scores >= low) & (predictions.scores < low + 0.1)
        if mask.any():
            gap += abs(float(predictions.y_true[mask].mean() - predictions.scores[mask].mean())) * mask.sum() / 5000
    assert f"off by {100 * gap:.1f} points" in picture.reading


def test_scores_that_are_no_probabilities_have_no_calibration() -> None:
    predictions = binary(500)
    assert predictions.scores is not None
    predictions.scores[0] = 1.5
    assert "calibration" not in {picture.name for picture in pictures.draw(predictions)}


@pytest.mark.parametrize("meant", [0.5, 0.42, 0.3, 0.125])
def test_the_chosen_threshold_is_the_roundest_number_that_gives_the_same_answers(meant: float) -> None:
    scores = np.random.default_rng(1).random(2000)
    assert chosen_threshold(scores >= meant, scores) == meant


def test_the_chosen_threshold_parts_the_rows_however_the_scores_lie() -> None:
    scores = np.array([-2.4, -1.0, 0.4000001, 0.4000002, 0.9, 31.0])
    for place in range(1, 6):
        chosen = chosen_threshold(scores >= scores[place], scores)
        assert chosen is not None
        assert scores[place - 1] < chosen <= scores[place]
    assert chosen_threshold(scores > -9, scores) == -2.4


def test_there_is_no_chosen_threshold_where_nothing_or_not_the_highest_was_flagged() -> None:
    scores = np.array([0.1, 0.4, 0.6, 0.9])
    assert chosen_threshold(scores > 1, scores) is None
    assert chosen_threshold(np.array([True, False, True, True]), scores) is None
    assert chosen_threshold(np.array([True, False]), np.array([0.5, 0.5])) is None


def test_the_chosen_threshold_is_marked_only_where_there_is_one() -> None:
    predictions = binary(500)
    picture = next(p for p in pictures.draw(predictions) if p.name == "threshold")
    assert len(picture.spec["layer"]) == 2
    predictions.y_pred[:] = 1 - predictions.y_pred
    picture = next(p for p in pictures.draw(predictions) if p.name == "threshold")
    assert len(picture.spec["layer"]) == 1
    assert "do not follow from one threshold" in picture.reading


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_smallest_test_sets_give_pictures_or_none_but_no_error(n: int) -> None:
    for predictions in (binary(n), several(n, 3), regression(n)):
        for picture in pictures.draw(predictions):
            to_svg(picture.spec)
    assert pictures.draw(binary(0)) == pictures.draw(regression(0)) == ()


def test_of_one_class_only_what_needs_no_other_is_drawn() -> None:
    predictions = binary(50)
    predictions.y_true[:] = 1
    assert [picture.name for picture in pictures.draw(predictions)] == ["confusion"]


def test_labels_and_slices_may_hold_anything() -> None:
    nasty = "</script><b>'\"[x].y\\\n" + "z" * 200
    strange = slices(2)[0]
    drawn = pictures.forest(
        [SliceResult((nasty,), (nasty,), 9, "auc", 0.5, Interval(0.4, 0.6), None, None, "unsure")],
        0.6,
        "higher",
        Names(nasty, nasty + "!"),
    )
    assert strange.label == "region r0"
    assert drawn is not None
    assert "</script>" not in to_svg(drawn.spec)
    assert "\n" not in drawn.reading
    assert len(drawn.reading) < 250


def test_a_forest_draws_the_first_forty_and_says_so() -> None:
    picture = pictures.forest(slices(60), 0.6, "higher", NAMES)
    assert picture is not None
    assert len(picture.table.rows) == 40
    assert "the worst 40 of 60 slices" in picture.subtitle
    assert picture.reading.startswith("60 of 60 slices are surely worse")
    assert picture.table.rows[0]["champion"] == pytest.approx(0.48)


def test_what_is_not_a_number_gives_no_picture() -> None:
    nan = float("nan")
    assert pictures.against_limit(Metric("auc", nan, Provenance.MEASURED), None, NAMES) is None
    assert pictures.forest([SliceResult(("a",), ("b",), 1, "auc", nan)], 0.5, "higher", NAMES) is None
    assert pictures.history("auc", [], "higher") is None


def test_a_history_draws_the_newest_two_hundred() -> None:
    picture = pictures.history("auc", [Measured(str(i), 0.5) for i in range(300)], "higher")
    assert picture is not None
    assert [picture.table.rows[0]["version"], picture.table.rows[-1]["version"]] == ["100", "299"]
    assert "the newest 200 of 300" in picture.subtitle


def test_the_reading_names_the_lowest_slice_that_is_not_tiny_unless_one_is_surely_worse() -> None:
    tiny = SliceResult(("region",), ("tiny",), 2, "auc", 0.0, None, None, None, "unsure")
    middle = SliceResult(("region",), ("middle",), 90, "auc", 0.7, None, None, None, "fine")
    high = SliceResult(("region",), ("high",), 90, "auc", 0.8, None, None, None, "fine")
    worse = SliceResult(("region",), ("worse",), 400, "auc", 0.75, None, None, None, "worse")

    def reading(*results: SliceResult) -> str:
        picture = pictures.forest(results, 0.8, "higher", NAMES)
        assert picture is not None
        return picture.reading

    assert "the lowest is region middle" in reading(tiny, middle, high)
    assert "the worst is region worse" in reading(worse, tiny, middle, high)
    assert "region tiny" in reading(tiny)


def test_pictures_are_kept_beside_what_a_command_left(tmp_path: Path) -> None:
    folder = tmp_path / "plots"
    folder.mkdir()
    (folder / "roc.vl.json").write_text("{}")
    drawn = pictures.draw(binary(200))
    kept = pictures.keep(drawn, folder)
    assert [one.name for one in kept[:2]] == ["roc-2", "calibration"]
    assert (folder / "roc.vl.json").read_text() == "{}"
    assert kept[0].spec == "plots/roc-2.vl.json"
    assert kept[0].table == "plots/roc-2.table.json"
    assert (tmp_path / kept[0].spec).read_bytes() == drawn[0].spec_json()
    assert (tmp_path / kept[0].table).read_bytes() == drawn[0].table_json()
    assert kept[0].reading == drawn[0].reading
