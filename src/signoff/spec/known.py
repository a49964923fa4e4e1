"""What a server knows that a file alone cannot: the people, the environments, who submits, which metrics there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from signoff.domain.actor import Directory
from signoff.domain.environment import Environment


@dataclass(frozen=True, slots=True)
class Known:
    """What is known when a pipeline is read; whatever is None is not checked.

    `model` is the registered model that the run is about, where it is known; without it the pipeline's own counts.
    `metrics` are the names logged with the version that is submitted. `targets` are what a pipeline may notify.
    """

    directory: Directory | None = None
    environments: Mapping[str, Environment] | None = None
    submitter: str | None = None
    metrics: frozenset[str] | None = None
    model: str | None = None
    targets: frozenset[str] | None = None
