"""What somebody submits: a version that the registry has, or an uploaded folder that becomes one."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from signoff.domain.access import Do, Resource, authorize
from signoff.domain.actor import Actor
from signoff.domain.errors import InvalidError, MetricsError, NotAvailableError, WrongModelError
from signoff.domain.pipeline import Pipeline, TrainingStep
from signoff.domain.version import ModelVersion
from signoff.service.desk import Desk
from signoff.service.privacy import resolve_seen


@dataclass(frozen=True, slots=True)
class Offer:
    """The version that somebody submits: a registry reference, or an uploaded folder; with metrics they claim."""

    reference: str | None = None
    upload: str | None = None
    metrics: Mapping[str, Any] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no version is offered: the pipeline is to train one."""
        return self.reference is None and self.upload is None


def offered(desk: Desk, actor: Actor, pipeline: Pipeline, offer: Offer) -> ModelVersion | None:
    """The offered version as the registry knows it now, with the metrics claimed for it; None: it is to be trained.

    Raises:
        InvalidError: nothing is offered, and nothing can be trained; or no reference to a version.
        WrongModelError: a version of another model than the pipeline's.
        UnavailableError: the registry did not answer.
    """
    if offer.is_empty:
        if offer.metrics:
            raise InvalidError("Metrics were sent without a model version.", "Name the version that they belong to.")
        first = next((s for s in pipeline.steps if isinstance(s, TrainingStep)), None)
        if first is None or first.command is None:
            raise InvalidError(
                "This pipeline trains nothing, and no model version was submitted.",
                "`signoff submit MODEL` with a version, or give the training step a `run`.",
            )
        return None
    claimed = claimed_values(offer.metrics)
    name = pipeline.model or pipeline.name
    if offer.upload is not None:
        # Registering makes a version, so who may not submit this model is refused before.
        authorize(actor, Do.SUBMIT, Resource(name))
        version = _register_upload(desk, offer.upload, name)
    else:
        reference = offer.reference or ""
        if not reference.startswith(("models:/", "runs:/")):
            raise InvalidError(
                f"{reference!r} is not a model version.",
                "Say models:/NAME/VERSION, models:/NAME@ALIAS or runs:/RUN_ID/PATH; a local folder is sent by the "
                "command line.",
            )
        if reference.startswith("runs:/"):
            # That registers a version too.
            authorize(actor, Do.SUBMIT, Resource(name))
        version = resolve_seen(desk, actor, reference, name)
        if version.model == pipeline.copies_from:
            authorize(actor, Do.SUBMIT, Resource(name))
            version = _copied(desk, version, name)
    if pipeline.model is not None and version.model != pipeline.model:
        raise WrongModelError(
            f"{version.label} is not a version of {pipeline.model}, which this pipeline is about.",
            f"Submit a version of {pipeline.model}, or mend `model:` in the pipeline.",
        )
    return replace(version, metrics={**version.metrics, **claimed})


def _copied(desk: Desk, version: ModelVersion, model: str) -> ModelVersion:
    """The copy of `version` in `model`, where nobody but signoff may write."""
    if desk.arrivals is None:
        raise NotAvailableError("This server copies no versions.", f"Submit a version of {model}.")
    return desk.arrivals.copy(version, model)


def _register_upload(desk: Desk, digest: str, model: str) -> ModelVersion:
    """Register an uploaded, packed folder as a version of `model`."""
    room = Path(tempfile.mkdtemp(dir=desk.work, prefix="upload-"))
    try:
        archive, folder = room / "model.tgz", room / "model"
        with desk.blobs.open(digest) as source, archive.open("wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)
        folder.mkdir()
        desk.unpack(archive, folder)
        found = sorted(folder.iterdir())
        # A single file was sent as a folder that holds just it.
        path = found[0] if len(found) == 1 and found[0].is_file() else folder
        return desk.registry.resolve(str(path), model)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def claimed_values(metrics: Mapping[str, Any] | None) -> dict[str, float]:
    """`metrics` as name -> number.

    Raises:
        MetricsError: a value that is not a finite number.
    """
    values = {}
    for name, given in (metrics or {}).items():
        if isinstance(given, bool) or not isinstance(given, int | float):
            raise MetricsError(f"The metric {name} is {given!r}, not a number.", 'Send {"accuracy": 0.93}.')
        try:
            value = float(given)
        except OverflowError:  # a whole number of more than 308 digits
            value = math.inf
        if not math.isfinite(value):
            raise MetricsError(f"The metric {name} is {value}.", "Leave it out, or send the number it should be.")
        values[str(name)] = value
    return values


def about_offer(version: ModelVersion | None, offer: Offer) -> dict[str, Any]:
    """What the audit log keeps of an offer."""
    if version is None:
        return {}
    return {
        "version": version.version,
        "digest": version.digest,
        "reference": offer.reference or f"upload {offer.upload}",
        "claimed": sorted(offer.metrics or {}),
    }
