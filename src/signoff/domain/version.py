"""What is approved: a model version, its files' manifest and the digest over it.

Source of the manifest's form: GNU coreutils' `sha256sum` list (`<hex>  <path>`), one line a file, sorted by path.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from signoff.domain.errors import UnsafeModelError

LEFT_OUT = frozenset({"registered_model_meta"})
"""Files that MLflow writes when it downloads: they are not part of the model."""

MOST_RECORDED = 500
"""Of a model with more files only the digest is kept in rows, not the list."""

_UNSAFE = frozenset("\n\r\\\0")
"""What a line of the list cannot hold: `sha256sum` would print it escaped, or not at all."""


def digest_bytes(data: bytes) -> str:
    """``sha256:<hex>`` of `data`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical_json(value: object) -> bytes:
    """`value` as JSON that is the same for equal values: sorted keys, no spaces, UTF-8, no NaN.

    Raises:
        ValueError: for NaN or an infinity.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def digest_json(value: object) -> str:
    """``sha256:<hex>`` of the canonical JSON of `value`."""
    return digest_bytes(canonical_json(value))


@dataclass(frozen=True, slots=True)
class Manifest:
    """The name and sha256 (hex) of every file of a model, sorted by name."""

    entries: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, files: Iterable[tuple[str, str]]) -> Manifest:
        """A manifest of (relative POSIX path, sha256 hex) pairs.

        Raises:
            UnsafeModelError: no file at all, a name twice, or a name that the list cannot hold unambiguously.
        """
        entries = tuple(sorted(files))
        if not entries:
            raise UnsafeModelError("The model has no files.", "Submit a folder or file with something in it.")
        names = [name for name, _ in entries]
        for name in names:
            if not name or _UNSAFE & set(name) or any("\ud800" <= letter <= "\udfff" for letter in name):
                raise UnsafeModelError(
                    f"The file name {name!r} is empty, is not UTF-8 text, or holds a newline or backslash.",
                    "Rename the file and submit again.",
                )
        if len(set(names)) != len(names):
            raise UnsafeModelError("The model names a file twice.", "Submit each file once.")
        return cls(entries)

    @property
    def text(self) -> str:
        """The list as `sha256sum` prints it."""
        return "".join(f"{digest}  {name}\n" for name, digest in self.entries)

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of the list: *the* digest of the model version."""
        return digest_bytes(self.text.encode())

    def difference(self, other: Manifest) -> tuple[str, ...]:
        """In words, how `other` differs: files changed, added or gone. Empty when they are the same."""
        mine, theirs = dict(self.entries), dict(other.entries)
        changed = [f"{n} changed" for n in sorted(mine.keys() & theirs.keys()) if mine[n] != theirs[n]]
        gone = [f"{n} is gone" for n in sorted(mine.keys() - theirs.keys())]
        added = [f"{n} was added" for n in sorted(theirs.keys() - mine.keys())]
        return (*changed, *gone, *added)

    @property
    def recorded(self) -> tuple[tuple[str, str], ...]:
        """The entries as they are kept beside the digest; none where they are too many to keep with every row."""
        return self.entries if len(self.entries) <= MOST_RECORDED else ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a version came from, as far as the registry knows."""

    training_run_id: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    data: tuple[str, ...] = ()
    code: str | None = None


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered version of a model, with the digest of the bytes it had when it was submitted.

    `uri` is where the registry keeps the files; `metrics` are those logged with it: claimed, not measured.
    `is_servable` says whether the files are in MLflow's model format. `files` is the manifest's list for people's eyes,
    empty where it is not known or too long; the digest alone says what was approved. `origin` is the version that it
    is a copy of (``models:/fraud-detector-dev/3``), where it is one.
    """

    model: str
    version: str
    digest: str
    uri: str
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    lineage: Lineage = field(default_factory=Lineage)
    is_servable: bool = True
    files: tuple[tuple[str, str], ...] = ()
    origin: str | None = None

    @property
    def label(self) -> str:
        """How people name it: ``fraud-detector v3``."""
        return f"{self.model} v{self.version}"
