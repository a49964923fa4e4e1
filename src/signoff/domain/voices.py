"""Whose approvals are counted where one human being stands behind several: as themselves, and for somebody absent.

Used by `gate`, once for each set of rules. Which approval came first decides only among choices that fill as many
places: the order of arrival must never keep a gate open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

_MOST = 100
"""How many choices are tried: people who decide for themselves and for each other are few."""


@dataclass(frozen=True, slots=True)
class Voice:
    """One approval: the human beings who stand behind it, and whose it counts as."""

    humans: frozenset[str]
    counts_as: str


def choose(voices: Iterable[Voice], places: Callable[[frozenset[str]], int]) -> frozenset[str]:
    """Whose approvals to count of `voices`, the earliest first: no human being stands behind two of them.

    `places` says how many places the approvals of these people fill; the choice fills the most. Of what somebody said
    for themselves under several accounts the first is taken, which has to count as any of them would.
    """
    unique: dict[object, Voice] = {}
    for voice in voices:
        unique.setdefault(voice if len(voice.humans) > 1 else voice.humans, voice)
    times = Counter(name for voice in unique.values() for name in voice.humans)
    disputed = [voice for voice in unique.values() if any(times[name] > 1 for name in voice.humans)]
    settled = frozenset(voice.counts_as for voice in unique.values() if voice not in disputed)
    if not disputed:
        return settled
    most = places(settled.union(voice.counts_as for voice in disputed))
    best, filled = settled, -1
    for some in islice(_apart(disputed), _MOST):
        chosen = settled.union(voice.counts_as for voice in some)
        number = places(chosen)
        if number > filled:
            best, filled = chosen, number
        if filled == most:
            break
    return best


def _apart(voices: Sequence[Voice]) -> Iterator[tuple[Voice, ...]]:
    """The choices of `voices` that share nobody, the one of the earliest first; every one that cannot be added to."""
    if not voices:
        yield ()
        return
    first, rest = voices[0], voices[1:]
    others = [voice for voice in rest if not voice.humans & first.humans]
    for some in _apart(others):
        yield (first, *some)
    if len(others) < len(rest):
        yield from _apart(rest)
