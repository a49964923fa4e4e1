"""Should I say yes? What the evidence says, in one plain sentence, with the numbers that it rests on.

Pure: evidence in, an opinion out. It never decides and no rule reads it; it is how a page begins, for somebody who
may be a lawyer or a product manager. What it calls better is *surely* better: the interval of the paired difference
leaves zero out. What rests on nobody's measurement it says so of. Everybody may import it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from signoff.domain.digits import joined, number, percent, rows, signed, together
from signoff.domain.evidence import (
    Champion,
    CheckResult,
    CheckStatus,
    Evidence,
    FairnessGap,
    Metric,
    Provenance,
    Severity,
    SliceResult,
)
from signoff.domain.scorecard import MetricRow, Tone, direction, lost, rows_of, worst_first

NOTABLE_GAP = 0.1
"""Groups that are surely further apart than this are pointed out. It draws the eye; what is too far, a check says."""
MANY_LOOKS = 5
"""From so many looks at the same rows on, the reader is told: what was chosen by these rows flatters on them."""
_MOST_STRENGTHS = 3


class Leaning(StrEnum):
    """Which way the evidence leans, for the colour and the sign of the sentence."""

    GOOD = "good"
    WEIGH = "weigh"
    BAD = "bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the evidence says: `short` inside a sentence, `words` with its numbers."""

    short: str
    words: str
    is_grave: bool = False


@dataclass(frozen=True, slots=True)
class Opinion:
    """The sentence, what speaks for it, and what there is to weigh, gravest first."""

    leaning: Leaning
    sentence: str
    strengths: tuple[str, ...] = ()
    to_weigh: tuple[Finding, ...] = ()


def opinion_of(found: Sequence[Evidence], *, place: str | None = None, live: str | None = None) -> Opinion:
    """What `found`, the evidence of one version, says about putting it into the environment `place`.

    `live` is the version that serves there now: evidence that compares with another one is told to be of yesterday.
    """
    table = rows_of(found)
    if not table:
        return Opinion(Leaning.UNKNOWN, "Nothing is known of how good it is: no step measured it")
    champion = next((item.champion for item in reversed(found) if item.champion is not None), None)
    headline = [row for row in table if row.limits] or list(table)
    weigh = [*_failed(found), *_uncertain(found), *_others(found, table, headline), *_about_champion(champion, live)]
    who = f"the model now in {place}" if place is not None else "the champion"
    if champion is None:
        head, leaning, strengths = _alone(found, table, f" in {place}" if place is not None else "")
    else:
        head, leaning, strengths = _against(headline, who, champion.version)
    grave = [finding for finding in weigh if finding.is_grave]
    weigh.sort(key=lambda finding: not finding.is_grave)
    if grave:
        leaning = Leaning.BAD
    elif weigh and leaning is Leaning.GOOD:
        leaning = Leaning.WEIGH
    return Opinion(leaning, head + _with(weigh, but=leaning is Leaning.BAD), tuple(strengths), tuple(weigh))


def _with(weigh: Sequence[Finding], *, but: bool) -> str:
    """The tail of the sentence: how much there is to weigh, and the gravest of it."""
    if not weigh:
        return ""
    if but:
        more = f", and {len(weigh) - 1} more to weigh" if len(weigh) > 1 else ""
        return f", but {weigh[0].short}{more}"
    if len(weigh) == 1:
        return f", with one thing to weigh: {weigh[0].short}"
    return f", with {len(weigh)} things to weigh, first of all: {weigh[0].short}"


def _alone(found: Sequence[Evidence], table: Sequence[MetricRow], at: str) -> tuple[str, Leaning, list[str]]:
    """Without a champion only the limits say what is good enough."""
    checks = [check for item in found for check in item.checks]
    strengths = [_stands(row) for row in table[:_MOST_STRENGTHS]]
    if not checks:
        return "Measured, but no check says how good is good enough", Leaning.UNKNOWN, strengths
    met = sum(check.status is CheckStatus.PASSED for check in checks)
    if met == len(checks):
        what = "Meets its one limit" if met == 1 else f"Meets all its {met} limits"
        return what, Leaning.GOOD, [*strengths, f"No version is live{at} to compare it with."]
    return f"Meets {met} of its {len(checks)} limits", Leaning.WEIGH, strengths


def _against(headline: Sequence[MetricRow], who: str, version: str) -> tuple[str, Leaning, list[str]]:
    """Against the champion, by the metrics that checks read; by all of them where no check reads any."""
    better = [row for row in headline if row.tone is Tone.BETTER]
    worse = [row for row in headline if row.tone is Tone.WORSE]
    same = [row for row in headline if row.tone is Tone.SAME]
    told = [_differs(row, version) for row in (*better, *worse, *same)][:_MOST_STRENGTHS]
    if better and worse:
        names = [joined([row.name for row in group]) for group in (better, worse)]
        return f"Better than {who} in {names[0]}, worse in {names[1]}", Leaning.WEIGH, told
    if better:
        return f"Better than {who}", Leaning.GOOD, told
    if worse:
        return f"Worse than {who}", Leaning.BAD, told
    if same:
        return f"No clear difference from {who}", Leaning.WEIGH, told
    side_by_side = [row for row in headline if row.change is not None and row.champion is not None]
    told = [_beside(row, version) for row in side_by_side[:_MOST_STRENGTHS]]
    if not side_by_side:
        return f"Not compared with {who}", Leaning.UNKNOWN, told
    return f"Not compared with {who} row by row, so that nobody knows which is better", Leaning.UNKNOWN, told


def _differs(row: MetricRow, version: str) -> str:
    """Both values, the paired difference, and how sure that is on how many rows."""
    value = number(row.candidate.value)
    if row.champion is not None:
        value, former = together(row.candidate.value, row.champion.value)
        value = f"{value} where v{version} has {former}"
    sure = ""
    if (spread := row.spread) is not None:
        low, high = signed(spread.low), signed(spread.high)
        sure = f", {percent(spread.level)} sure between {low} and {high}{_on(row.candidate)}"
    maybe = "; that may be chance" if row.tone is Tone.SAME else ""
    return f"{row.name} is {value}: {signed(row.change or 0.0)}{sure}{maybe}."


def _beside(row: MetricRow, version: str) -> str:
    former = row.champion.value if row.champion is not None else float("nan")
    mine, theirs = together(row.candidate.value, former)
    return f"{row.name} is {mine}, and v{version} had {theirs} when it was measured."


def _stands(row: MetricRow) -> str:
    spread = row.candidate.interval
    said = f", {percent(spread.level)} sure between {number(spread.low)} and {number(spread.high)}" if spread else ""
    limits = f"; wanted is {joined(list(row.limits))}" if row.limits else ""
    return f"{row.name} is {number(row.candidate.value)}{said}{_on(row.candidate)}{limits}."


def _on(metric: Metric) -> str:
    return f", {rows(metric.n)}" if metric.n is not None else ""


def _failed(found: Sequence[Evidence]) -> Iterator[Finding]:
    for check in (check for item in found for check in item.checks if check.status is CheckStatus.FAILED):
        is_grave = check.severity is Severity.FAIL
        yield Finding(f"{_quoted(check)} does not hold", f"{_quoted(check)} does not hold: {check.reason}.", is_grave)


def _uncertain(found: Sequence[Evidence]) -> Iterator[Finding]:
    for check in (check for item in found for check in item.checks if check.status is CheckStatus.UNCERTAIN):
        short = f"the numbers cannot tell whether {_quoted(check)} holds"
        yield Finding(short, f"It is uncertain whether {_quoted(check)} holds: {check.reason}.")


def _quoted(check: CheckResult) -> str:
    return f"\u201c{check.name}\u201d"


def _others(found: Sequence[Evidence], table: Sequence[MetricRow], headline: Sequence[MetricRow]) -> Iterator[Finding]:
    """What no check asked about, and what the numbers rest on."""
    for row in table:
        if row.candidate.conflict:
            yield Finding(
                f"two sources contradict each other about {row.name}", f"{row.name}: {row.candidate.conflict}."
            )
        if row.tone is Tone.WORSE and row not in headline:
            change = f"{row.name} changes by {signed(row.change or 0.0)}"
            yield Finding(f"{row.name} is worse", f"{change}, which is surely worse; no check reads it.")
    yield from _slices(found)
    for gap in (gap for item in found for gap in item.fairness):
        low = gap.interval.low if gap.interval is not None else gap.value
        if low > NOTABLE_GAP:
            yield _unfair(gap)
    claimed = [row.name for row in table if row.candidate.provenance is Provenance.CLAIMED and row in headline]
    if claimed:
        are = "is" if len(claimed) == 1 else "are"
        short = (
            "nobody measured its numbers here" if len(claimed) == len(headline) else f"{joined(claimed)} {are} claimed"
        )
        yield Finding(short, f"{joined(claimed)} {are} what the submitter says; no worker measured it on these bytes.")
    looks = max((item.test_set.looks for item in found if item.test_set is not None), default=1)
    if looks >= MANY_LOOKS:
        what = f"These test rows were used {looks} times to judge this model. What was chosen by them flatters on them."
        yield Finding(f"the test rows were looked at {looks} times", what)


def _slices(found: Sequence[Evidence]) -> Iterator[Finding]:
    """Groups that are surely worse off; those that a check said no about already are left to it."""
    told = {check.slice for item in found for check in item.checks if check.status is not CheckStatus.PASSED}
    every = worst_first(one for item in found for one in item.slices)
    losing = [one for one in every if lost(one) and one.label not in told]
    behind = [one for one in every if one.status == "worse" and one not in losing and one.label not in told]
    if losing:
        yield Finding(_named(losing, "than before"), f"{_lost(losing[0])}{_and_more(losing)}.")
    if behind:
        yield Finding(_named(behind, "than the rest"), f"{_behind(behind[0])}{_and_more(behind)}.")


def _named(some: Sequence[SliceResult], than: str) -> str:
    if len(some) == 1:
        return f"{some[0].label} does worse {than}"
    more = "1 more group" if len(some) == 2 else f"{len(some) - 1} more groups"  # noqa: PLR2004 - one more
    return f"{some[0].label} and {more} do worse {than}"


def _and_more(some: Sequence[SliceResult]) -> str:
    return f"; {len(some) - 1} more below" if len(some) > 1 else ""


def _lost(one: SliceResult) -> str:
    change = one.to_champion.value if one.to_champion is not None else 0.0
    return f"For {one.label} {one.metric} is {number(one.value)}, {signed(change)} against the champion ({rows(one.n)})"


def _behind(one: SliceResult) -> str:
    apart = f", {signed(one.to_rest)} against everybody else" if one.to_rest is not None else ""
    lower = "; lower is better" if direction(one.metric) == "lower" else ""
    return f"For {one.label} {one.metric} is {number(one.value)}{apart} ({rows(one.n)}{lower})"


def _unfair(gap: FairnessGap) -> Finding:
    definition = gap.definition.replace("_", " ")
    ends = ""
    if len(gap.groups) > 1:
        low, high = min(gap.groups, key=gap.groups.__getitem__), max(gap.groups, key=gap.groups.__getitem__)
        ends = f": {low} {number(gap.groups[low])}, {high} {number(gap.groups[high])}"
    words = f"By {definition} the groups of {gap.column} are {number(gap.value)} apart{ends}."
    return Finding(f"it treats the groups of {gap.column} differently", words)


def _about_champion(champion: Champion | None, live: str | None) -> Iterator[Finding]:
    if champion is not None and live is not None and champion.version != live:
        version = champion.version
        words = f"The evidence compares with v{version}; by now v{live} serves. Test it again to compare with that."
        yield Finding(f"it was compared with v{version}, which serves no longer", words)
