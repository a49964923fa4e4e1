"""Cursors of lists: where the next page begins, opaque to whoever carries it."""

from __future__ import annotations

import base64
import json
from datetime import datetime

from signoff.domain.errors import InvalidError


def cursor_of(created_at: datetime | None, run_id: str) -> str:
    """An opaque cursor after this run."""
    moment = created_at.isoformat() if created_at is not None else ""
    return base64.urlsafe_b64encode(json.dumps([moment, run_id]).encode()).decode()


def read_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """What `cursor_of` made; InvalidError for anything else."""
    if cursor is None:
        return None
    try:
        moment, run_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return datetime.fromisoformat(str(moment)), str(run_id)
    except (ValueError, TypeError) as error:
        raise InvalidError("The cursor is not one that this server gave.", "Start the list without it.") from error
