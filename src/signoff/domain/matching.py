"""Who counts for which rule: maximum matching of people to places.

Augmenting paths (Kuhn 1955, Ford and Fulkerson 1956): the order of arrival never matters. Used by `gate` and by
whoever asks whether a set of rules could ever be satisfied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from signoff.domain.pipeline import RuleSpec


def assign(rules: Sequence[RuleSpec], eligible: Mapping[str, frozenset[str]], people: Iterable[str]) -> dict[str, str]:
    """Who counts for which rule: a maximum matching of `people` to places in `rules`.

    `eligible` maps each rule's name to the people who may count for it. Returns person -> rule name. The result is
    the same for every order of `people`.
    """
    names = [rule.name for rule in rules]
    room = [rule.required_approvals for rule in rules]
    wants = {
        person: sum(1 << place for place, name in enumerate(names) if person in eligible[name])
        for person in sorted(set(people))
    }
    seated: list[list[str]] = [[] for _ in rules]
    free = sum(1 << place for place, places in enumerate(room) if places > 0)
    useful = (1 << len(rules)) - 1
    for person in wants:
        if not free:
            break
        found, came_from = _path(person, wants, seated, free, useful)
        if found is None:
            # Whatever cannot be reached from here to a free place never can be again (Hopcroft and Karp 1973).
            useful &= ~sum(1 << place for place in came_from)
            continue
        _move(person, found, came_from, seated)
        if len(seated[found]) == room[found]:
            free &= ~(1 << found)
    return {person: name for name, holders in zip(names, seated, strict=True) for person in holders}


def _path(
    person: str, wants: Mapping[str, int], seated: Sequence[Sequence[str]], free: int, useful: int
) -> tuple[int | None, dict[int, str]]:
    """The nearest rule with a free place that `person` reaches by moving others, and who would move to which rule.

    `wants`, `free` and `useful` are sets of rules as bits, so that a person with nothing new to offer costs one `&`.
    """
    came_from: dict[int, str] = {}
    queue = [person]
    for who in queue:
        fresh = wants[who] & useful
        while fresh:
            place = (fresh & -fresh).bit_length() - 1
            fresh &= fresh - 1
            useful &= ~(1 << place)
            came_from[place] = who
            if free >> place & 1:
                return place, came_from
            queue.extend(seated[place])
    return None, came_from


def _move(person: str, place: int, came_from: Mapping[int, str], seated: Sequence[list[str]]) -> None:
    """Seat `person`: everybody on the path to `place` moves one rule on."""
    while True:
        mover = came_from[place]
        former = next((index for index, holders in enumerate(seated) if mover in holders), None)
        seated[place].append(mover)
        if mover == person or former is None:
            return
        seated[former].remove(mover)
        place = former


def helping(
    rules: Sequence[RuleSpec], eligible: Mapping[str, frozenset[str]], seats: Mapping[str, str]
) -> dict[str, frozenset[str]]:
    """For each rule, the people one more of whose approvals would bring it further; of a full rule, whom it names.

    `seats` is what `assign` gave. Somebody helps a rule who is eligible for it, or for one that a person seated there
    could leave for it, and so on: the alternating paths that end at the rule.
    """
    holders: dict[str, list[str]] = {rule.name: [] for rule in rules}
    for person, name in seats.items():
        holders[name].append(person)
    found: dict[str, frozenset[str]] = {}
    for rule in rules:
        if len(holders[rule.name]) >= rule.required_approvals:
            found[rule.name] = eligible[rule.name]
            continue
        reached = [rule.name]
        seen = {rule.name}
        for name in reached:
            leavers = [other for person, other in seats.items() if other not in seen and person in eligible[name]]
            reached += dict.fromkeys(leavers)
            seen.update(leavers)
        found[rule.name] = frozenset[str]().union(*(eligible[name] for name in reached))
    return found


def is_satisfiable(rules: Sequence[RuleSpec], eligible: Mapping[str, frozenset[str]]) -> RuleSpec | None:
    """The first rule that cannot be filled even if everybody approved; None when all can."""
    everybody = {name for names in eligible.values() for name in names}
    seats = assign(rules, eligible, everybody)
    for rule in rules:
        if sum(1 for name in seats.values() if name == rule.name) < rule.required_approvals:
            return rule
    return None
