"""Domain values to and from JSONB, by pydantic's adapters over the dataclasses: no second definition of a field."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from signoff.domain.actor import Directory
from signoff.domain.environment import Environment
from signoff.domain.evidence import Evidence, Metric, to_plain
from signoff.domain.gate import Reason, Subject
from signoff.domain.pipeline import Pipeline, RuleSpec
from signoff.domain.run import Asked
from signoff.domain.version import ModelVersion

T = TypeVar("T")

PIPELINE = TypeAdapter(Pipeline)
VERSION = TypeAdapter(ModelVersion)
SUBJECT = TypeAdapter(Subject)
RULES = TypeAdapter(tuple[RuleSpec, ...])
ASKED = TypeAdapter(tuple[Asked, ...])
REASONS = TypeAdapter(tuple[Reason, ...])
DIRECTORY = TypeAdapter(Directory)
ENVIRONMENTS = TypeAdapter(dict[str, Environment])
EVIDENCE = TypeAdapter(Evidence)
METRICS = TypeAdapter(list[Metric])


def plain(adapter: TypeAdapter[T], value: T) -> Any:
    """`value` as JSON-able data; numbers that JSON lacks become strings, which reading turns back."""
    return to_plain(adapter.dump_python(value, mode="json"))


@lru_cache(maxsize=512)
def _known_pipeline(digest: str) -> dict[str, Pipeline]:  # noqa: ARG001 - the digest is the key
    return {}


def pipeline_of(digest: str, document: Callable[[], Any]) -> Pipeline:
    """The pipeline with this digest; `document` gets what is kept of it, once per process and digest."""
    known = _known_pipeline(digest)
    if digest not in known:
        known[digest] = PIPELINE.validate_python(document(), strict=False)
    return known[digest]
