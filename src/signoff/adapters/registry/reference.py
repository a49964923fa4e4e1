"""What a person may write to name a model version, taken apart.

Shared by every registry adapter, so that all of them understand and refuse the same words. Touches no registry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from signoff.domain.errors import InvalidError

_FORMS = "Write models:/NAME/VERSION, models:/NAME@ALIAS, runs:/RUN_ID/PATH, or a folder or file on this machine."
_VERSION = re.compile(r"models:/(?P<model>[^/:@]+)/(?P<version>[1-9][0-9]*)")
_ALIAS = re.compile(r"models:/(?P<model>[^/:@]+)@(?P<alias>[^/@]+)")
_LOGGED = re.compile(r"models:/(?P<id>m-[0-9a-f]{32})")
_RUN = re.compile(r"runs:/(?P<run>[^/]+)/(?P<path>.+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


@dataclass(frozen=True, slots=True)
class NumberedVersion:
    """``models:/name/3``."""

    model: str
    version: str


@dataclass(frozen=True, slots=True)
class AliasedVersion:
    """``models:/name@alias``: what the alias points at when it is asked."""

    model: str
    alias: str


@dataclass(frozen=True, slots=True)
class RunArtifact:
    """``runs:/id/path``: something that a tracking run logged."""

    run_id: str
    path: str


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """``models:/m-...``: what `log_model` calls a model that is not registered yet (MLflow 3)."""

    id: str


Reference = NumberedVersion | AliasedVersion | RunArtifact | LoggedModel | Path


def parse(reference: str) -> Reference:
    """What `reference` names; a `Path` for a folder or file on this machine, which is not looked for here.

    Raises:
        InvalidError: it has none of the forms.
    """
    if match := _VERSION.fullmatch(reference):
        return NumberedVersion(match["model"], match["version"])
    if match := _ALIAS.fullmatch(reference):
        return AliasedVersion(match["model"], match["alias"])
    if match := _LOGGED.fullmatch(reference):
        return LoggedModel(match["id"])
    if match := _RUN.fullmatch(reference):
        return RunArtifact(match["run"], _inside(match["path"], reference))
    if reference.startswith("models:"):
        raise InvalidError(
            f"{reference!r} does not name a model version.",
            "Write models:/NAME/3 for a version number, or models:/NAME@champion for an alias.",
        )
    if reference.startswith("runs:"):
        raise InvalidError(
            f"{reference!r} does not name something that a run logged.",
            "Write runs:/RUN_ID/PATH, with the path that the model was logged under.",
        )
    if not reference.strip() or "\0" in reference or _SCHEME.match(reference):
        raise InvalidError(f"{reference!r} does not name a model version.", _FORMS)
    return Path(reference)


def needed(model: str | None, reference: str) -> str:
    """`model`, which registering `reference` cannot do without.

    Raises:
        InvalidError: it is missing.
    """
    if not model:
        raise InvalidError(
            f"{reference} is not registered yet, and no model name was given to register it under.",
            "Name the model: 'model:' in the pipeline file, or --model NAME.",
        )
    return model


def _inside(path: str, reference: str) -> str:
    parts = path.rstrip("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise InvalidError(f"The path in {reference!r} has empty parts or dots.", "Write it as it was logged.")
    return "/".join(parts)
