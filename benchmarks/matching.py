"""`evaluate` and `explain` of a gate with many rules and people, and against how many must be asked anyway.

    python benchmarks/matching.py [--rules 100] [--people 1000] [--rounds 20]

The floor is what no way of doing it could leave out: asking of everybody whether they are an active approver of the
model, and in which groups they are, once. Measured in turns in one process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from machine import about, report

from signoff.domain.actor import Directory, Person, Role
from signoff.domain.explanation import explain
from signoff.domain.gate import Decision, Gate, GateStatus, Subject, Verdict, evaluate
from signoff.domain.pipeline import RuleSpec
from signoff.domain.standing import room_of
from signoff.domain.version import digest_bytes

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def a_scene(rules: int, people: int) -> tuple[Gate, list[Decision], Directory]:
    """Every rule names a group and one person and needs two of them; a sixth of the people have approved."""
    groups = max(1, rules // 2)
    names = [f"person-{number:05}" for number in range(people)]
    everybody = [
        Person(name, frozenset({Role.APPROVER}), frozenset({f"g{number % groups}"}), ("fraud-*",))
        for number, name in enumerate(names)
    ]
    wanted = tuple(
        RuleSpec(f"rule-{number}", (f"group:g{number % groups}", names[number % people]), 2) for number in range(rules)
    )
    digest = digest_bytes(b"x")
    subject = Subject("fraud-detector", "3", digest, (), digest, "production", 1)
    gate = Gate("gate", "run", "approve", 1, 1, GateStatus.OPEN, subject, wanted, NOON)
    said = [
        Decision(f"d{number}", name, Verdict.APPROVE, gate.digest, NOON + timedelta(seconds=number))
        for number, name in enumerate(names[: people // 6])
    ]
    return gate, said, Directory.of(everybody)


def milliseconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rules", type=int, default=100)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    gate, said, people = a_scene(arguments.rules, arguments.people)
    evaluation = evaluate(gate, said, people)

    def look_at_everybody() -> int:
        found = 0
        for person in people.people.values():
            if person.is_active and Role.APPROVER in person.roles and person.covers(gate.subject.model):
                found += len(person.groups)
        return found

    acts: dict[str, Callable[[], object]] = {
        "floor": look_at_everybody,
        "evaluate": lambda: evaluate(gate, said, people),
        "explain": lambda: explain(room_of(gate, people), evaluation, said),
    }
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(arguments.rounds):
        for name, act in acts.items():
            taken[name].append(milliseconds(act))
    known = about()
    print(known)
    middle = {name: statistics.median(times) for name, times in taken.items()}
    for name, value in middle.items():
        print(f"{name:10} {value:8.2f} ms   {value / middle['floor']:6.1f} x the floor")
    missing = sum(state.missing for state in evaluation.rules)
    print(f"{missing} approvals missing of {sum(rule.required_approvals for rule in gate.rules)}")
    report("matching", known, {"rules": arguments.rules, "people": arguments.people, "ms": middle})


if __name__ == "__main__":
    main()
