"""`break_glass` of an environment: who may deploy there in an emergency, and what follows."""

from __future__ import annotations

from typing import Literal

from signoff.domain.environment import BreakGlass
from signoff.domain.pipeline import RuleSpec
from signoff.spec.fields import Fields
from signoff.spec.rules import MISTAKES, MOST_APPROVALS, check_counts, read_approvers
from signoff.spec.tree import find


def read_break_glass(fields: Fields) -> BreakGlass | None:
    """What stands under `break_glass`; None when nothing does or it could not be read."""
    table = fields.table_of("break_glass")
    if table is None:
        return None
    inner = Fields(table, f"break_glass of {fields.where}", fields.problems)
    approvers = read_approvers(inner)
    required = inner.whole("required_approvals", default=2, least=1, most=MOST_APPROVALS)
    expires = inner.duration("expires")
    word = inner.word("on_expiry", ["escalate", "return_to_former"])
    inner.close(MISTAKES)
    inner.require("approvers", "add approvers: ['group:leads']")
    if not approvers:
        return None
    key = "required_approvals" if "required_approvals" in inner else "approvers"
    check_counts(inner, (RuleSpec("break_glass", approvers, required),), find(table, key))
    on_expiry: Literal["escalate", "return_to_former"] = (
        "return_to_former" if word == "return_to_former" else "escalate"
    )
    default = BreakGlass(approvers)
    return BreakGlass(approvers, required, expires or default.expires, on_expiry)
