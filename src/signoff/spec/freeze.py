"""`freeze` of an environment: the windows in which nothing is deployed there."""

from __future__ import annotations

from datetime import datetime

from signoff.domain.environment import Freeze
from signoff.spec import moment
from signoff.spec.fields import Fields, kind_of
from signoff.spec.problem import said
from signoff.spec.tree import Scalar, Table

MOST_WINDOWS = 100
_EXAMPLE = "write - {from: 2026-12-20, until: 2027-01-04, reason: year end}"
_MISTAKES = {
    **dict.fromkeys(("since", "start", "begin", "starts"), "from"),
    **dict.fromkeys(("to", "end", "ends", "till"), "until"),
    **dict.fromkeys(("why", "because", "note", "comment"), "reason"),
}


def read_freezes(fields: Fields) -> tuple[Freeze, ...]:
    """The windows under `freeze`; those that could not be read are left out."""
    found: list[Freeze] = []
    for node in fields.items("freeze", "a list of windows", _EXAMPLE, most=MOST_WINDOWS) or ():
        if not isinstance(node, Table):
            fields.error(node, f"each window must be a mapping, not {kind_of(node)}", _EXAMPLE, code="type")
            continue
        window = _read(Fields(node, f"a freeze window of {fields.where}", fields.problems))
        if window is not None:
            found.append(window)
    return tuple(sorted(found, key=lambda window: (window.since, window.until)))


def _read(fields: Fields) -> Freeze | None:
    since, until = _moment(fields, "from"), _moment(fields, "until", is_end=True)
    reason = fields.text("reason")
    fields.close(_MISTAKES)
    fields.require("from", "add from: 2026-12-20")
    fields.require("until", "add until: 2027-01-04")
    fields.require("reason", "add reason: year end; whoever waits reads it")
    if since is None or until is None or reason is None:
        return None
    if until <= since:
        fields.error(fields.table.entries["until"].value, "the window ends before it begins", "mend from or until")
        return None
    return Freeze(since, until, reason)


def _moment(fields: Fields, key: str, *, is_end: bool = False) -> datetime | None:
    node = fields.filled(key)
    if node is None:
        return None
    if not isinstance(node, Scalar):
        fields.error(node, f"{key} must be a day or a moment, not {kind_of(node)}", moment.HINT, code="type")
        return None
    try:
        return moment.parse_moment(node.text, is_end=is_end)
    except (ValueError, OverflowError) as reason:
        words = str(reason) if str(reason).startswith(("is ", "does ")) else "is not a day or a moment"
        fields.error(node, f"{key}: {said(node.text)} {words}", moment.HINT, code="type")
        return None
