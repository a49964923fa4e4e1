"""How statuses look and read on pages: a tone, an icon and words, never a colour alone. Filters of the templates.

The English of statuses is kept here, beside that of the templates, so that a translation finds it in one place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from signoff.domain.digits import joined, number, rows, signed
from signoff.web.markdown import as_html
from signoff.web.moments import in_words


@dataclass(frozen=True, slots=True)
class Look:
    """A tone of the stylesheet, the name of an icon, and the words."""

    tone: str
    icon: str
    words: str


_TICKED = re.compile("`([^`]+)`")
_GREEN, _BLUE, _YELLOW, _ORANGE, _RED, _GREY = "green", "blue", "yellow", "orange", "red", "secondary"

LOOKS: dict[str, Look] = {
    "untrained": Look(_BLUE, "loader", "Training"),
    "submitted": Look(_BLUE, "loader", "Under way"),
    "running": Look(_BLUE, "loader", "Under way"),
    "retraining": Look(_BLUE, "refresh", "Training again"),
    "deploying": Look(_BLUE, "loader", "Being deployed"),
    "in_review": Look(_YELLOW, "eye", "Waiting for approval"),
    "waiting": Look(_YELLOW, "eye", "Waiting for approval"),
    "open": Look(_YELLOW, "eye", "Waiting"),
    "requested": Look(_YELLOW, "eye", "Waiting for confirmation"),
    "changes_requested": Look(_ORANGE, "edit", "Changes requested"),
    "request_changes": Look(_ORANGE, "edit", "Asked for changes"),
    "expired": Look(_ORANGE, "hourglass", "Expired"),
    "escalated": Look(_ORANGE, "alert-triangle", "Review overdue"),
    "uncertain": Look(_ORANGE, "help-circle", "Uncertain"),
    "warning": Look(_ORANGE, "alert-triangle", "Look"),
    "approved": Look(_GREEN, "circle-check", "Approved"),
    "approve": Look(_GREEN, "circle-check", "Approved"),
    "deployed": Look(_GREEN, "rocket", "Deployed"),
    "succeeded": Look(_GREEN, "circle-check", "Done"),
    "settled": Look(_GREEN, "circle-check", "Reviewed since"),
    "passed": Look(_GREEN, "check", "Pass"),
    "live": Look(_GREEN, "heartbeat", "Live"),
    "rejected": Look(_RED, "ban", "Rejected"),
    "reject": Look(_RED, "ban", "Rejected"),
    "revoked": Look(_RED, "ban", "Revoked"),
    "failed": Look(_RED, "circle-x", "Failed"),
    "errored": Look(_RED, "alert-circle", "Broke"),
    "unhealthy": Look(_RED, "heartbeat", "Unhealthy"),
    "pending": Look(_GREY, "circle-dashed", "To come"),
    "skipped": Look(_GREY, "minus", "Skipped"),
    "cancelled": Look(_GREY, "x", "Cancelled"),
    "superseded": Look(_GREY, "versions", "Superseded"),
    "replaced": Look(_GREY, "versions", "Replaced"),
    "rolled_back": Look(_GREY, "arrow-back-up", "Rolled back"),
    "restored": Look(_GREY, "arrow-back-up", "Put back"),
    "adopted": Look(_ORANGE, "alert-triangle", "Adopted, not approved"),
    "returned": Look(_GREY, "arrow-back-up", "Taken back"),
    "returning": Look(_BLUE, "loader", "Being taken back"),
    "void": Look(_GREY, "refresh", "Asked anew"),
    "told_waiting": Look(_BLUE, "hourglass", "Not sent yet"),
    "told_sent": Look(_GREEN, "check", "Told"),
    "told_failed": Look(_RED, "circle-x", "Given up"),
    "told_dropped": Look(_GREY, "minus", "Not needed any more"),
}

CAUSES = {
    "submitted": "submitted",
    "trained": "trained",
    "check_failed": "trained again, for a check failed",
    "changes_requested": "the next one after changes were requested",
    "rejected": "trained again after a reject",
    "approval_expired": "approval expired, to be given anew",
    "glass_broken": "deployed in an emergency, to be reviewed",
    "adopted": "ran before signoff came, to be reviewed",
}


def look(status: Any) -> Look:
    """How a status looks; one that nobody thought of is shown in its own word."""
    word = str(getattr(status, "value", status))
    return LOOKS.get(word, Look(_GREY, "circle-dashed", word.replace("_", " ").capitalize()))


def short(digest: str | None, length: int = 12) -> str:
    """A digest as people compare it: its first characters."""
    return (digest or "").removeprefix("sha256:")[:length]


def took(began: datetime | None, ended: datetime | None, now: datetime) -> str:
    """How long something took, or takes so far; empty before it began."""
    if began is None:
        return ""
    span = (ended or now) - began
    if span < timedelta(seconds=1):
        return "under a second"
    return in_words(span)


def plain(words: Any) -> str:
    """``changes_requested`` as people write it."""
    return str(getattr(words, "value", words)).replace("_", " ")


def size(count: int) -> str:
    """So many bytes, in the unit that fits."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB"):
        if amount < 1000:  # noqa: PLR2004 - the next unit begins there
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"


def cause(word: Any) -> str:
    """Why an attempt began, in words."""
    return CAUSES.get(str(getattr(word, "value", word)), plain(word))


def ticks(words: Any) -> Markup:
    """What stands between backticks as code: hints name commands so."""
    parts = enumerate(_TICKED.split(str(words)))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in parts)


FILTERS: dict[str, Any] = {
    "look": look,
    "short": short,
    "plain": plain,
    "size": size,
    "cause": cause,
    "capitalize_first": lambda words: f"{words[:1].upper()}{words[1:]}",
    "number": number,
    "signed": signed,
    "rows": rows,
    "joined": lambda names, last="and": joined(list(names), last),
    "markdown": as_html,
    "ticks": ticks,
}
"""What templates may use beside Jinja's own filters."""
