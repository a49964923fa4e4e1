"""The one-sentence reading of each picture: what it shows, in plain words with its numbers.

Pure functions of plain numbers, standard library only, so that a page, a mail and a test can all hold them to their
words. Imported by `pictures`. "It" is the candidate. A value that cannot be known is None or nan and is said to be so;
two numbers that differ never print alike, and two that do not are called the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from signoff.evaluation.wording import (
    alike,
    class_rows,
    count,
    is_known,
    named,
    number,
    numbers,
    percent,
    percents,
    rows,
    short,
    signed,
)

Better = Literal["higher", "lower", "zero"]

FEW = 30
"""With fewer rows of a class than this, a reading says how few they are."""

_COUNTABLE = 20
"""At fewer rows of the other class, one false alarm is more than 5 % of them."""


def roc(catches: float, champion_catches: float | None, positives: int, negatives: int, at_alarms: float = 0.05) -> str:
    """What share it catches (true positive rate) when `at_alarms` of the others are flagged (false positive rate)."""
    if negatives < _COUNTABLE:
        others = "the one other row" if negatives == 1 else f"the {negatives} other rows"
        lead = f"Without a false alarm among {others} it catches"
    else:
        lead = f"At {percent(at_alarms)} false alarms it catches"
    return f"{_against_champion(lead, catches, champion_catches, 'catches')}{_few(positives)}."


def precision_recall(
    right: float, champion_right: float | None, base: float, positives: int, at_recall: float = 0.8
) -> str:
    """What share of its alarms is right (precision) where it catches `at_recall`; `base`: when it flags everything."""
    said = f"Catching {percent(at_recall)}, "
    if not is_known(champion_right):
        said += f"{percent(right)} of its alarms are right"
    elif alike(right, champion_right):
        said += f"{percent(right)} of its alarms are right, the same as the champion's"
    else:
        mine, theirs = percents(right, champion_right)
        said += f"{mine} of its alarms are right where {theirs} of the champion's are"
    return f"{said}; flagging everything, {percent(base)} would be{_few(positives)}."


def calibration(
    gap: float,
    champion_gap: float | None,
    chance: float,
    worst: tuple[float, float, int] | None,
) -> str:
    """How far its percentages are off on average (expected calibration error), and where most.

    `chance` is what perfect percentages would show on so many rows. `worst`: what it said, what happened, on how many.
    """
    points = f"{_points(gap)} on average"
    said = f"Its percentages are off by {points}"
    if is_known(champion_gap):
        own, other = _points(gap), _points(champion_gap)
        said += ", as the champion's are" if own == other else f", the champion's by {other.removesuffix(' points')}"
    if gap <= chance:
        return f"{said}; perfect ones would show {_points(chance)} on so many rows by chance."
    if worst is None:
        return f"{said}."
    expected, happened, n = worst
    says, was = percents(expected, happened)
    return f"{said}; most where it says {says} and {was} happened ({rows(n)})."


def confusion_of_two(
    positive: str, missed: int, positives: int, flagged: int, negatives: int, champion: tuple[int, int] | None
) -> str:
    """Misses and false alarms of two classes. `champion`: what it missed and flagged."""
    total = positives + negatives
    right = total - missed - flagged
    if missed == flagged == 0:
        said = f"It is right about all {rows(total)}" if total > 1 else "It is right about the only row"
    else:
        said = (
            f"It is right about {count(right)} of {rows(total)}: it misses {count(missed)} of {count(positives)} "
            f"{class_rows(positive)} and flags {count(flagged)} of {count(negatives)} others wrongly"
        )
    if champion is None:
        return f"{said}."
    if champion == (missed, flagged):
        return f"{said}, as the champion does."
    return f"{said}; the champion misses {count(champion[0])} and flags {count(champion[1])} wrongly."


def confusion(
    right: int, n: int, mistake: tuple[str, str, int] | None, champion_right: int | None, tied: int = 0
) -> str:
    """How many rows of several classes it is right about, and its commonest mistake: what was, what it said, how often.

    `tied`: how many other mistakes are as common.
    """
    said = f"It is right about all {rows(n)}" if right == n else f"It is right about {count(right)} of {rows(n)}"
    if champion_right is not None:
        same = champion_right == right
        said += ", as many as the champion" if same else f", the champion about {count(champion_right)}"
    if mistake is None:
        return f"{said}."
    true, answer, times = mistake
    also = f", and {count(tied)} other mistakes are as common" if tied > 1 else ""
    also = ", and one other mistake is as common" if tied == 1 else also
    return f"{said}; most often it takes {named(true)} for {named(answer)} ({rows(times)}{also})."


def scores(positive: str, middle: tuple[float, float], champion: tuple[float, float] | None, n: tuple[int, int]) -> str:
    """The middle scores (medians) of the positive rows and of the others, and how many rows they are of."""
    high, low = middle
    of_positive, of_others = numbers(high, low)
    if alike(high, low):
        said = f"Half of the {class_rows(positive)} score above {of_positive}, and so do half of the others"
    else:
        said = f"Half of the {class_rows(positive)} score above {of_positive}, half of the others below {of_others}"
    if champion is not None:
        if alike(champion[0], high) and alike(champion[1], low):
            said += ", as with the champion"
        else:
            their_positive, their_others = numbers(*champion)
            said += f"; with the champion these are {their_positive} and {their_others}"
    return f"{said}{_few(min(n))}."


def threshold(
    chosen: float | None, catches: float, right: float, champion: tuple[float, float] | None, positives: int
) -> str:
    """What it catches, and how much of its alarms is right, at the threshold its answers were made with."""
    if chosen is None:
        return "Its answers do not follow from one threshold of its score, so none is marked."
    at = f"At the chosen threshold of {chosen:.4g}"
    if not is_known(right):
        said = f"{at} it flags nothing"
    else:
        said = f"{at} it catches {percent(catches)}, and {percent(right)} of its alarms are right"
    if champion is not None:
        theirs, their_right = champion
        if not is_known(their_right):
            said += "; the champion flags nothing"
        elif alike(theirs, catches) and is_known(right) and alike(their_right, right):
            said += ", as with the champion"
        else:
            said += f"; for the champion these are {percent(theirs)} and {percent(their_right)}"
    return f"{said}{_few(positives)}."


def residuals(
    half: float, most: float, champion: tuple[float, float] | None, bias: float, n: int, share: float = 0.9
) -> str:
    """How far half and `share` of its predictions are off at most, and `bias`: predicted minus actual on average."""
    if n == 1:
        return f"Its only prediction is off by {number(half)}."
    within, most_within = number(half), number(most)
    said = f"Half of its predictions are off by at most {within} and {percent(share)} by at most {most_within}"
    if champion is not None:
        same = alike(champion[0], half) and alike(champion[1], most)
        theirs = "the same with the champion" if same else f"the champion's: {number(champion[0])} and "
        said += f" ({theirs}{'' if same else number(champion[1])})"
    if alike(bias, 0.0) or abs(bias) < abs(half) * 1e-3:
        said += "; on average neither too high nor too low"
    else:
        said += f"; on average {number(abs(bias))} too {'high' if bias > 0 else 'low'}"
    return f"{said}{_few(n, 'rows')}."


def predicted_actual(explained: float, champion_explained: float | None, n: int) -> str:
    """The share of the differences between rows that the predictions explain (R squared)."""
    if not is_known(explained):
        why = "with one row" if n == 1 else "the true values are all the same"
        return f"How much the predictions explain cannot be said: {why}."
    if explained < 0:
        said = "It does worse than always saying the average"
        if is_known(champion_explained):
            also = champion_explained < 0
            said += ", as does the champion" if also else f"; the champion explains {percent(champion_explained)}"
        return f"{said}{_few(n, 'rows')}."
    theirs = champion_explained
    lead = "It explains"
    if is_known(theirs) and theirs < 0:
        said = f"{lead} {percent(explained)} of the differences between rows; the champion does worse than the average"
    else:
        said = _against_champion(lead, explained, theirs, "explains", suffix=" of the differences between rows")
    return f"{said}{_few(n, 'rows')}."


def limit(
    metric: str,
    value: float,
    interval: tuple[float, float, float] | None = None,
    *,
    asked: tuple[str, float] | None = None,
    champion: float | None = None,
    n: int | None = None,
) -> str:
    """A metric beside its limit. `interval`: low, high, level; `asked`: ``>``, ``>=``, ``<`` or ``<=``, and where."""
    metric = short(metric)
    if not is_known(value):
        return f"{metric} could not be computed."
    shown = numbers(value, asked[1])[0] if asked else number(value)
    said = f"{metric} is {shown}"
    if champion is not None:
        said += f" (the champion's {number(champion)})" if is_known(champion) else ""
    if interval is not None:
        low, high, level = interval
        low_shown, high_shown = (numbers(end, asked[1])[0] if asked else number(end) for end in (low, high))
        said += f", {percent(level)} between {low_shown} and {high_shown}"
    if n is not None:
        said += f", {rows(n)}"
    if asked is None:
        return f"{said}."
    words = {">": "above", ">=": "at least", "<": "below", "<=": "at most"}[asked[0]]
    goal = f"{words} {asked[1]:.10g}"
    if interval is None:
        return f"{said}: {'' if meets(value, asked) else 'not '}{goal}, though how sure is not known."
    verdicts = {meets(end, asked) for end in interval[:2]}
    if verdicts == {True}:
        return f"{said}: surely {goal}."
    return f"{said}: surely not {goal}." if verdicts == {False} else f"{said}: not sure that it is {goal}."


def meets(value: float, asked: tuple[str, float]) -> bool:
    """Whether `value` is on the asked side of the limit."""
    sign, bound = asked
    return {">": value > bound, ">=": value >= bound, "<": value < bound, "<=": value <= bound}[sign]


def slices(
    metric: str,
    better: Better,
    worst: tuple[str, float, int],
    overall: float,
    *,
    total: int,
    worse: int,
    unsure: int,
) -> str:
    """The worst slice (name, value, rows) against all rows, and how many are surely worse, or may be: `unsure`."""
    label, value, n = short(worst[0], 80), *worst[1:]
    metric = short(metric)
    where = f"{label}, {metric} {number(value)} on {rows(n)}"
    if is_known(overall):
        here, everywhere = numbers(value, overall)
        same = alike(value, overall)
        where = f"{label}, {metric} {here} on {rows(n)}" + (
            ", as overall" if same else f" against {everywhere} overall"
        )
    if total == 1:
        if unsure:
            return f"The only slice is {where}; the rows cannot tell whether it is worse than the rest."
        return f"The only slice, {where}, is {'surely' if worse else 'not'} worse than the rest."
    small = f"; for {count(unsure)} the rows cannot tell" if unsure else ""
    if worse:
        be = "is" if worse == 1 else "are"
        return f"{count(worse)} of {count(total)} slices {be} surely worse than the rest{small}; the worst is {where}."
    extreme = {"higher": "lowest", "lower": "highest", "zero": "furthest from 0"}[better]
    return f"None of {count(total)} slices is surely worse than the rest{small}; the {extreme} is {where}."


def history(metric: str, versions: Sequence[tuple[str, float]], better: Better, *, overlaps: bool | None = None) -> str:
    """The newest version's value among all (oldest first). `overlaps`: whether the last two intervals do, if known."""
    metric = short(metric)
    if not versions or not is_known(versions[-1][1]):
        return f"{metric} of the newest version could not be computed."
    known = [(short(version), value) for version, value in versions if is_known(value)]
    version, value = known[-1]
    if len(known) == 1:
        return f"Version {version} is the first with a known {metric}: {number(value)}."
    former_version, former = known[-2]
    said = f"Version {version} has {metric} {numbers(value, former)[0]}"
    if better != "zero":
        said += f", {_place([v for _, v in known], better)} of {len(known)} versions"
    if alike(value, former):
        return f"{said}, the same as version {former_version}."
    said += f"; {signed(value - former)} to version {former_version}"
    return f"{said}, but their intervals overlap." if overlaps else f"{said}."


def _place(values: Sequence[float], better: Better) -> str:
    """The rank of the last of `values`."""
    sign = 1 if better == "higher" else -1
    own = sign * values[-1]
    others = [sign * value for value in values[:-1]]
    ahead = sum(1 for other in others if other > own and not alike(other, own))
    is_tie = any(alike(other, own) for other in others)
    if ahead == 0:
        return "as good as the best" if is_tie else "the best"
    return f"number {ahead + 1}"


def _against_champion(lead: str, own: float, champion: float | None, verb: str, *, suffix: str = "") -> str:
    if not is_known(own):
        return f"{lead} nobody knows how much"
    if not is_known(champion):
        return f"{lead} {percent(own)}{suffix}"
    if alike(own, champion):
        return f"{lead} {percent(own)}{suffix}, the same as the champion"
    mine, theirs = percents(own, champion)
    return f"{lead} {mine}{suffix} where the champion {verb} {theirs}"


def _points(share: float) -> str:
    """Percentage points, with one decimal."""
    shown = f"{share * 100:.1f}"
    if shown == "0.0" and share > 0:
        return "less than 0.1 points"
    return f"{shown} point" if shown == "1.0" else f"{shown} points"


def _few(n: int, what: str = "") -> str:
    if n >= FEW:
        return ""
    return f" (on only {rows(n)})" if what else f" (only {rows(n)} of a class)"
