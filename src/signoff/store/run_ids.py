"""Runs by the names that people type: an id, a unique prefix of one, or ``last``."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, bindparam, select

from signoff.domain.errors import AmbiguousError, NotFoundError
from signoff.store.database import Transaction
from signoff.store.tables import runs

_RUN_ID = select(runs.c.id).where(runs.c.id == bindparam("run_id"))


def find_run_id(tx: Transaction, prefix: str, *, submitter: str | None = None, hidden: Collection[str] = ()) -> str:
    """The id of the one run that `prefix` begins; ``last`` is the newest (of `submitter`, when they have one).

    Raises:
        NotFoundError: none begins so.
        AmbiguousError: several do; the message names some.
    """
    if prefix == "last":
        newest = select(runs.c.id).where(*_not_of(hidden)).order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(1)
        mine = tx.scalar(newest.where(runs.c.submitter == submitter)) if submitter else None
        found = mine or tx.scalar(newest)
        if found is None:
            raise NotFoundError("There are no runs yet.", "`signoff submit MODEL` or `signoff run` starts one.")
        return str(found)
    if not hidden and tx.scalar(_RUN_ID, {"run_id": prefix}) is not None:
        return prefix
    begun = select(runs.c.id).where(runs.c.id.startswith(prefix, autoescape=True), *_not_of(hidden)).limit(4)
    ids = list(tx.scalars(begun.order_by(runs.c.id != prefix)))
    if prefix in ids:
        return prefix
    if not ids or not prefix:
        raise NotFoundError(f"No run is called {prefix!r}.", "`signoff list` shows the runs there are.")
    if len(ids) > 1:
        raise AmbiguousError(
            f"{prefix!r} begins several runs: {', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''}.",  # noqa: PLR2004
            "Type a few more characters.",
        )
    return str(ids[0])


def _not_of(hidden: Collection[str]) -> list[ColumnElement[bool]]:
    """The condition that leaves out the runs of these models."""
    return [runs.c.model.not_in(list(hidden))] if hidden else []
