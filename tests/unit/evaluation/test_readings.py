"""The one-sentence readings are held to their words: with and without a champion, at ties, on tiny samples."""

from __future__ import annotations

import math

import pytest

from signoff.evaluation import readings
from signoff.evaluation.wording import named, number, numbers, percent, percents, signed

NAN = math.nan


@pytest.mark.parametrize(
    ("catches", "champion", "words"),
    [
        (0.81, 0.74, "At 5 % false alarms it catches 81 % where the champion catches 74 %."),
        (0.81, None, "At 5 % false alarms it catches 81 %."),
        (0.81, 0.81, "At 5 % false alarms it catches 81 %, the same as the champion."),
        (0.812, 0.808, "At 5 % false alarms it catches 81.2 % where the champion catches 80.8 %."),
        (1.0, 0.999, "At 5 % false alarms it catches 100 % where the champion catches 99.9 %."),
        (0.0, 0.004, "At 5 % false alarms it catches 0 % where the champion catches 0.4 %."),
    ],
)
def test_roc_says_what_is_caught_at_five_per_cent_false_alarms(
    catches: float, champion: float | None, words: str
) -> None:
    assert readings.roc(catches, champion, 800, 9200) == words


def test_roc_with_few_others_speaks_of_no_false_alarm_since_one_is_more_than_five_per_cent() -> None:
    said = readings.roc(0.4, 0.35, 200, 12)
    assert said == "Without a false alarm among the 12 other rows it catches 40 % where the champion catches 35 %."
    assert readings.roc(0.4, None, 200, 1).startswith("Without a false alarm among the one other row it")
    assert readings.roc(0.4, None, 200, 20).startswith("At 5 % false alarms")


def test_a_reading_says_when_a_class_has_few_rows() -> None:
    assert readings.roc(0.5, None, 29, 500).endswith("(only 29 rows of a class).")
    assert readings.roc(0.5, None, 1, 500).endswith("(only 1 row of a class).")
    assert "only" not in readings.roc(0.5, None, 30, 500)


@pytest.mark.parametrize(
    ("right", "champion", "words"),
    [
        (0.92, 0.88, "Catching 80 %, 92 % of its alarms are right where 88 % of the champion's are; "),
        (0.92, None, "Catching 80 %, 92 % of its alarms are right; "),
        (0.92, 0.92, "Catching 80 %, 92 % of its alarms are right, the same as the champion's; "),
    ],
)
def test_precision_recall_says_how_many_alarms_are_right(right: float, champion: float | None, words: str) -> None:
    said = readings.precision_recall(right, champion, 0.04, 400)
    assert said == f"{words}flagging everything, 4 % would be."


def test_calibration_says_how_far_percentages_are_off_and_where_most() -> None:
    said = readings.calibration(0.018, 0.061, 0.004, (0.8, 0.71, 420))
    assert said == (
        "Its percentages are off by 1.8 points on average, the champion's by 6.1; "
        "most where it says 80 % and 71 % happened (420 rows)."
    )
    assert readings.calibration(0.018, 0.018, 0.004, None).startswith(
        "Its percentages are off by 1.8 points on average, as the champion's are."
    )
    assert readings.calibration(0.01, None, 0.0, None) == "Its percentages are off by 1.0 point on average."


def test_calibration_on_few_rows_says_what_chance_alone_would_show() -> None:
    said = readings.calibration(0.09, None, 0.11, (0.8, 0.6, 5))
    assert said == (
        "Its percentages are off by 9.0 points on average; "
        "perfect ones would show 11.0 points on so many rows by chance."
    )


def test_confusion_of_two_counts_misses_and_false_alarms() -> None:
    said = readings.confusion_of_two("left", 143, 955, 261, 9045, (171, 240))
    assert said == (
        "It is right about 9,596 of 10,000 rows: it misses 143 of 955 'left' rows and flags 261 of 9,045 others "
        "wrongly; the champion misses 171 and flags 240 wrongly."
    )
    assert readings.confusion_of_two("left", 1, 2, 0, 3, (1, 0)).endswith("wrongly, as the champion does.")
    assert readings.confusion_of_two("left", 0, 2, 0, 3, None) == "It is right about all 5 rows."
    assert readings.confusion_of_two("left", 0, 1, 0, 0, None) == "It is right about the only row."


def test_confusion_of_several_names_the_commonest_mistake() -> None:
    said = readings.confusion(758, 900, ("cat", "dog", 30), 584)
    assert said == (
        "It is right about 758 of 900 rows, the champion about 584; most often it takes 'cat' for 'dog' (30 rows)."
    )
    assert "(1 row, and one other mistake is as common)" in readings.confusion(7, 9, ("cat", "dog", 1), None, 1)
    assert "and 3 other mistakes are as common" in readings.confusion(5, 9, ("cat", "dog", 1), None, 3)
    assert readings.confusion(9, 9, None, 9) == "It is right about all 9 rows, as many as the champion."


def test_scores_compare_the_middles_of_the_classes() -> None:
    said = readings.scores("left", (0.91, 0.12), (0.84, 0.2), (100, 900))
    assert said == (
        "Half of the 'left' rows score above 0.910, half of the others below 0.120; "
        "with the champion these are 0.840 and 0.200."
    )
    assert readings.scores("left", (0.5, 0.5), (0.5, 0.5), (100, 900)) == (
        "Half of the 'left' rows score above 0.500, and so do half of the others, as with the champion."
    )
    assert readings.scores("left", (0.9, 0.1), None, (3, 900)).endswith("(only 3 rows of a class).")


def test_threshold_says_what_happens_at_the_chosen_one() -> None:
    said = readings.threshold(0.42, 0.81, 0.92, (0.74, 0.9), 100)
    assert said == (
        "At the chosen threshold of 0.42 it catches 81 %, and 92 % of its alarms are right; "
        "for the champion these are 74 % and 90 %."
    )
    assert readings.threshold(0.42, 0.81, 0.92, (0.81, 0.92), 100).endswith("are right, as with the champion.")
    assert readings.threshold(0.42, 0.0, NAN, (0.0, NAN), 100) == (
        "At the chosen threshold of 0.42 it flags nothing; the champion flags nothing."
    )


def test_threshold_says_when_the_answers_follow_from_none() -> None:
    assert "do not follow from one threshold" in readings.threshold(None, 0.8, 0.9, None, 100)


def test_residuals_say_how_far_off_and_in_which_direction() -> None:
    said = readings.residuals(2.1, 6.3, (2.6, 7.9), 0.4, 500)
    assert said == (
        "Half of its predictions are off by at most 2.1 and 90 % by at most 6.3 (the champion's: 2.6 and 7.9); "
        "on average 0.400 too high."
    )
    assert readings.residuals(2.1, 6.3, None, -12.5, 500).endswith("on average 12.5 too low.")
    assert readings.residuals(2.1, 6.3, (2.1, 6.3), 0.0, 9) == (
        "Half of its predictions are off by at most 2.1 and 90 % by at most 6.3 (the same with the champion); "
        "on average neither too high nor too low (on only 9 rows)."
    )
    assert readings.residuals(2.1, 2.1, None, 2.1, 1) == "Its only prediction is off by 2.1."


def test_predicted_and_actual_say_how_much_is_explained() -> None:
    assert readings.predicted_actual(0.84, 0.79, 500) == (
        "It explains 84 % of the differences between rows where the champion explains 79 %."
    )
    assert readings.predicted_actual(0.84, -0.2, 500).endswith("; the champion does worse than the average.")
    assert readings.predicted_actual(-0.1, -0.2, 500) == (
        "It does worse than always saying the average, as does the champion."
    )
    assert readings.predicted_actual(-0.1, 0.2, 500).endswith("the average; the champion explains 20 %.")
    assert readings.predicted_actual(NAN, None, 1).endswith("cannot be said: with one row.")
    assert readings.predicted_actual(NAN, None, 5).endswith("cannot be said: the true values are all the same.")


def test_limit_knows_three_answers() -> None:
    def said(low: float, high: float, sign: str = ">") -> str:
        return readings.limit("accuracy", 0.903, (low, high, 0.95), asked=(sign, 0.9), n=300)

    assert said(0.866, 0.931) == (
        "accuracy is 0.903, 95 % between 0.866 and 0.931, 300 rows: not sure that it is above 0.9."
    )
    assert said(0.901, 0.931).endswith(": surely above 0.9.")
    assert said(0.866, 0.899).endswith(": surely not above 0.9.")
    assert said(0.866, 0.899, "<").endswith(": surely below 0.9.")


def test_limit_takes_an_end_on_the_limit_for_what_it_is() -> None:
    def said(low: float, high: float, sign: str) -> str:
        return readings.limit("accuracy", 0.903, (low, high, 0.95), asked=(sign, 0.9))

    assert said(0.9, 0.931, ">=").endswith("surely at least 0.9.")
    assert said(0.9, 0.931, ">").endswith("not sure that it is above 0.9.")
    assert said(0.8, 0.9, ">").endswith("surely not above 0.9.")
    assert said(0.8, 0.9, "<=").endswith("surely at most 0.9.")


def test_limit_never_shows_a_value_as_the_limit_it_is_not() -> None:
    assert "is 0.9003" in readings.limit("accuracy", 0.9003, asked=(">", 0.9))


def test_limit_without_an_interval_or_a_number_says_so() -> None:
    assert readings.limit("accuracy", 0.91, asked=(">", 0.9)) == (
        "accuracy is 0.910: above 0.9, though how sure is not known."
    )
    assert readings.limit("accuracy", 0.89, asked=(">", 0.9)).endswith(": not above 0.9, though how sure is not known.")
    assert readings.limit("auc", NAN, asked=(">", 0.9)) == "auc could not be computed."
    assert readings.limit("auc", 0.9, champion=0.88) == "auc is 0.900 (the champion's 0.880)."
    assert readings.limit("auc", 0.9, champion=NAN) == "auc is 0.900."


def test_slices_say_which_is_worst_and_how_many_cannot_tell() -> None:
    worst = ("region south", 0.81, 412)
    assert readings.slices("auc", "higher", worst, 0.9, total=14, worse=2, unsure=3) == (
        "2 of 14 slices are surely worse than the rest; for 3 the rows cannot tell; "
        "the worst is region south, auc 0.810 on 412 rows against 0.900 overall."
    )
    assert readings.slices("auc", "higher", worst, 0.9, total=14, worse=0, unsure=1) == (
        "None of 14 slices is surely worse than the rest; for 1 the rows cannot tell; "
        "the lowest is region south, auc 0.810 on 412 rows against 0.900 overall."
    )
    assert "the highest is region south" in readings.slices("mae", "lower", worst, 0.9, total=14, worse=0, unsure=0)


def test_slices_at_a_tie_alone_or_with_nothing_to_compare() -> None:
    worst = ("region south", 0.81, 1)
    assert "0.810 on 1 row, as overall" in readings.slices("auc", "higher", worst, 0.81, total=2, worse=0, unsure=0)
    assert readings.slices("auc", "higher", worst, NAN, total=1, worse=0, unsure=1) == (
        "The only slice is region south, auc 0.810 on 1 row; the rows cannot tell whether it is worse than the rest."
    )
    assert readings.slices("auc", "higher", worst, NAN, total=1, worse=1, unsure=0).endswith(
        "is surely worse than the rest."
    )
    assert "is not worse than the rest" in readings.slices("auc", "higher", worst, NAN, total=1, worse=0, unsure=0)


def test_history_ranks_the_newest_version() -> None:
    def said(*values: float, better: readings.Better = "higher", overlaps: bool | None = None) -> str:
        versions = [(str(number_), value) for number_, value in enumerate(values, start=1)]
        return readings.history("auc", versions, better, overlaps=overlaps)

    assert said(0.85, 0.884, 0.912) == "Version 3 has auc 0.912, the best of 3 versions; +0.028 to version 2."
    assert said(0.85, 0.912, 0.884) == "Version 3 has auc 0.884, number 2 of 3 versions; -0.028 to version 2."
    assert said(0.9, 0.8, 0.9).startswith("Version 3 has auc 0.900, as good as the best of 3 versions;")
    assert said(0.9, 0.9).endswith("the same as version 1.")
    assert said(0.9, 0.8, better="lower").startswith("Version 2 has auc 0.800, the best of 2 versions")
    assert said(0.9, 0.8, better="zero") == "Version 2 has auc 0.800; -0.100 to version 1."
    assert said(0.8, 0.9, overlaps=True).endswith("+0.100 to version 1, but their intervals overlap.")
    assert said(0.9) == "Version 1 is the first with a known auc: 0.900."
    assert said(NAN, 0.9).startswith("Version 2 is the first")
    assert said(0.9, NAN) == "auc of the newest version could not be computed."


def test_a_share_is_never_rounded_to_nothing_or_everything() -> None:
    assert percent(0.0) == "0 %"
    assert percent(1.0) == "100 %"
    assert percent(0.004) == "0.4 %"
    assert percent(0.997) == "99.7 %"
    assert percent(0.00001) == "less than 0.01 %"
    assert percent(0.99999) == "more than 99.99 %"
    assert percent(NAN) == "an unknown share"


def test_numbers_that_differ_never_look_the_same() -> None:
    assert percents(0.812, 0.814) == ("81.2 %", "81.4 %")
    assert numbers(0.9003, 0.9004) == ("0.9003", "0.9004")
    assert numbers(12345.25, 12345.5) == ("12,345", "12,346")
    assert numbers(12345.25, 12345.45) == ("12,345.2", "12,345.5")
    assert numbers(0.9, 0.9) == ("0.900", "0.900")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.903, "0.903"), (12.5, "12.5"), (1250.0, "1,250"), (1250.4, "1,250"), (0.00012, "0.00012"), (-0.0, "0")],
)
def test_a_number_is_short(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_change_carries_its_sign() -> None:
    assert signed(0.028) == "+0.028"
    assert signed(-0.009) == "-0.009"


def test_a_label_is_quoted_on_one_line_and_cut() -> None:
    assert named("a\nb") == "'a b'"
    assert named("") == "'(empty)'"
    assert len(named("x" * 100)) == 42


def test_a_positive_class_whose_name_says_nothing_is_called_positive() -> None:
    assert "it misses 1 of 2 positive rows and flags" in readings.confusion_of_two("1", 1, 2, 0, 3, None)
    assert readings.scores("True", (0.9, 0.1), None, (40, 40)).startswith("Half of the positive rows score above")
    assert "'spam' rows" in readings.confusion_of_two("spam", 1, 2, 0, 3, None)
