"""What the format has words for but signoff cannot honour yet: checked in form, then refused, never ignored.

A capability that arrives takes its line out of here and reads the field where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from signoff.spec.fields import Fields
from signoff.spec.tree import Node

Reader = Callable[[Fields, str], object]

HINT = "take it out: this version of signoff cannot honour it"


def refuse(fields: Fields, key: str, node: Node, *, value: str = "", hint: str = HINT) -> None:
    """Say that `key` (with `value`) is understood but not available yet."""
    called = f"{key}: {value}" if value else key
    fields.error(node, f"{called} is not available yet", hint, code="not_available_yet")


def read_deferred(fields: Fields, table: Mapping[str, Reader]) -> None:
    """Check the form of every field of `table` that is there; refuse those that are well-formed."""
    for key, read in table.items():
        entry = fields.table.entries.get(key)
        if entry is None:
            fields.node(key)
            continue
        before = fields.problems.count
        read(fields, key)
        if fields.problems.count == before:
            fields.problems.error(entry.key.place, f"{key} is not available yet", HINT, code="not_available_yet")


ENVIRONMENT: Mapping[str, Reader] = {
    "private": lambda fields, key: fields.flag(key, default=False),
}
