"""Pipeline files as they were submitted, each kept once, by digest. Used by `service`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from signoff.domain.errors import NotFoundError
from signoff.domain.pipeline import Pipeline
from signoff.store import codec
from signoff.store.database import Transaction
from signoff.store.tables import pipelines


def set_pipeline(tx: Transaction, pipeline: Pipeline, source: str, *, at: datetime) -> None:
    """Keep a pipeline file; the same digest again changes nothing."""
    row = {
        "digest": pipeline.digest,
        "name": pipeline.name,
        "source": source,
        "document": codec.plain(codec.PIPELINE, pipeline),
        "created_at": at,
    }
    tx.execute(upsert(pipelines).values(row).on_conflict_do_nothing())


def get_pipeline_source(tx: Transaction, digest: str) -> str:
    """The pipeline file's own text."""
    source = tx.scalar(select(pipelines.c.source).where(pipelines.c.digest == digest))
    if source is None:
        raise NotFoundError(f"No pipeline has the digest {digest}.")
    return str(source)
