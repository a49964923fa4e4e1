"""The models and versions that runs were ever about."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, Text, func, literal, literal_column, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from signoff.domain.run import RunKind
from signoff.store.database import Transaction
from signoff.store.tables import attempts, audit_events, deployments, runs

_LOOKED_AT = 300
# In the words of the index: a key that travels as a parameter is not seen to be the same.
_its_model = literal_column("attempts.version ->> 'model'", Text)
_its_version = literal_column("attempts.version ->> 'version'", Text)


def list_model_names(tx: Transaction) -> list[str]:
    """Every model that signoff ever heard of: by two walks along an index, a step a name."""
    names = {str(name) for table in (runs, audit_events) for name in tx.scalars(_walk(table))}
    return sorted(names)


def _walk(table: Table, after: str | None = None) -> Select[Any]:
    """The distinct values (beyond `after`) of the column `model` of `table`, which an index begins with; in order."""
    least = select(func.min(table.c.model).label("model"))
    first = (least if after is None else least.where(table.c.model > after)).cte("names", recursive=True)
    following = select(func.min(table.c.model)).where(table.c.model > first.c.model).scalar_subquery()
    names = first.union_all(select(following).where(first.c.model.is_not(None)))
    return select(names.c.model).where(names.c.model.is_not(None))


def has_model(tx: Transaction, model: str) -> bool:
    """Whether a run or a deployment was ever about the model."""
    seen = [select(table.c.model).where(table.c.model == model).exists() for table in (runs, deployments)]
    return bool(tx.scalar(select(or_(*seen))))


def list_models(
    tx: Transaction, *, after: str | None = None, hidden: Collection[str] = (), limit: int = 100
) -> list[str]:
    """The names of all models that a run was ever about, in order, without the `hidden` ones."""
    query = _walk(runs, after).limit(limit)
    if hidden:
        query = query.where(query.selected_columns.model.not_in(list(hidden)))
    return [str(name) for name in tx.scalars(query)]


def _about(model: str, version: str) -> tuple[ColumnElement[bool], ...]:
    """The attempts that this version came of, as an index knows them."""
    return (_its_model == model, _its_version == version)


def list_version_runs(tx: Transaction, model: str, version: str, *, limit: int = 100) -> list[Row[Any]]:
    """Attempts that had this version, newest first: run_id, model, number, version (JSON), started_at, submitter.

    Without reapprovals: they say of a version what the run says whose approval they renew.
    """
    return [*tx.execute(_runs_of(model).where(*_about(model, version)).limit(limit))]


def list_newest_runs(tx: Transaction, models: Collection[str], *, limit: int = 100) -> dict[str, list[Row[Any]]]:
    """Model -> the newest attempts that had a version of it, as `list_version_runs`, `limit` of each.

    Of a model with very many runs the newest are looked at: four for each that is wanted, a few hundred at most.
    """
    names = func.unnest(literal(sorted(models), ARRAY(Text))).table_valued("name").alias("names")
    other = runs.alias()
    newest = (
        select(other.c.id)
        .where(other.c.model == names.c.name, other.c.kind != RunKind.REAPPROVAL.value)
        .order_by(other.c.created_at.desc())
        .limit(max(limit, min(4 * limit, _LOOKED_AT)))
        .correlate(names)
    )
    each = _runs_of(names.c.name).where(runs.c.id.in_(newest)).limit(limit).correlate(names).lateral("each")
    found: dict[str, list[Row[Any]]] = {name: [] for name in models}
    for row in tx.execute(select(each).select_from(names.join(each, true()))):
        found[row.model].append(row)
    return found


def _runs_of(model: Any) -> Select[Any]:
    return (
        select(
            attempts.c.run_id,
            runs.c.model,
            attempts.c.number,
            attempts.c.version,
            attempts.c.started_at,
            runs.c.submitter,
        )
        .join(runs, runs.c.id == attempts.c.run_id)
        .where(runs.c.model == model, attempts.c.version.is_not(None), runs.c.kind != RunKind.REAPPROVAL.value)
        .order_by(attempts.c.started_at.desc())
    )


def list_contributors(tx: Transaction, model: str, version: str) -> list[str]:
    """Who submitted, resubmitted or started what brought this version forth, by name."""
    query = (
        select(func.unnest(attempts.c.contributors).label("name"))
        .join(runs, runs.c.id == attempts.c.run_id)
        .where(
            runs.c.model == model,
            runs.c.kind == RunKind.RELEASE.value,
            *_about(model, version),
        )
        .distinct()
    )
    return sorted(tx.scalars(query))
