"""What is another about a version than about one before it: params, data, code, tags, files.

Pure: two sides in, a list of changes out. `service.changes` fills the sides from the rows and the kept files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from signoff.domain.version import ModelVersion

OURS = ("signoff.", "mlflow.")
"""Tags that machinery writes: what they say is shown elsewhere, or to nobody."""


class Part(StrEnum):
    """What a change is of, in the order in which a reviewer wants to know."""

    PARAM = "parameter"
    DATA = "data"
    CODE = "code"
    CODE_FILE = "file of the pipeline folder"
    PIPELINE = "pipeline"
    TAG = "tag"
    MODEL_FILE = "file of the model"


@dataclass(frozen=True, slots=True)
class Side:
    """One version with what it came from. `code_files` maps paths of the pipeline's folder to digests; None: unknown.

    `settings` are the params that the pipeline file gives its commands, by ``step.name``.
    `label` is how people name it: ``v6, which is live in production``.
    """

    label: str
    version: ModelVersion
    pipeline_digest: str = ""
    code_files: Mapping[str, str] | None = None
    model_files: Mapping[str, str] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` is None for what was added, `after` for what is gone; texts are as they were."""

    part: Part
    name: str
    before: str | None
    after: str | None

    @property
    def word(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that is another since `since`. `unknown` are parts that could not be compared."""

    since: str
    changes: tuple[Change, ...] = ()
    unknown: tuple[Part, ...] = ()
    is_same_bytes: bool = False
    groups: tuple[tuple[Part, tuple[Change, ...]], ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        grouped = ((part, tuple(change for change in self.changes if change.part is part)) for part in Part)
        object.__setattr__(self, "groups", tuple((part, found) for part, found in grouped if found))


def changes_between(before: Side, after: Side) -> Changes:
    """What `after` has another than `before`."""
    unknown = []
    if before.code_files is None or after.code_files is None:
        unknown.append(Part.CODE_FILE)
    if before.model_files is None or after.model_files is None:
        unknown.append(Part.MODEL_FILE)
    is_same = before.version.digest == after.version.digest
    return Changes(before.label, tuple(_changes(before, after)), tuple(unknown), is_same)


def _changes(before: Side, after: Side) -> Iterator[Change]:
    was, now = before.version, after.version
    yield from _of_mapping(Part.PARAM, was.lineage.params, now.lineage.params)
    logged = was.lineage.params.keys() | now.lineage.params.keys()  # what training logged itself is told once
    yield from _of_mapping(Part.PARAM, _without(before.settings, logged), _without(after.settings, logged))
    if was.lineage.data != now.lineage.data:
        gone = [name for name in was.lineage.data if name not in now.lineage.data]
        come = [name for name in now.lineage.data if name not in was.lineage.data]
        yield from (Change(Part.DATA, name, name, None) for name in gone)
        yield from (Change(Part.DATA, name, None, name) for name in come)
    if was.lineage.code != now.lineage.code:
        yield Change(Part.CODE, "commit", was.lineage.code, now.lineage.code)
    if before.pipeline_digest != after.pipeline_digest:
        yield Change(Part.PIPELINE, "signoff.yaml", before.pipeline_digest or None, after.pipeline_digest or None)
    if before.code_files is not None and after.code_files is not None:
        yield from _of_mapping(Part.CODE_FILE, before.code_files, after.code_files)
    yield from _of_mapping(Part.TAG, _theirs(was.tags), _theirs(now.tags))
    if before.model_files is not None and after.model_files is not None:
        yield from _of_mapping(Part.MODEL_FILE, before.model_files, after.model_files)


def _without(settings: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name.partition(".")[2] not in names}


def _theirs(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if not name.startswith(OURS)}


def _of_mapping(part: Part, was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted(was.keys() | now.keys()):
        if was.get(name) != now.get(name):
            yield Change(part, name, was.get(name), now.get(name))
