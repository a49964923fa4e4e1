"""Packs the pipeline's folder, so that the worker can run the commands in a copy of it as it is now.

Imported by the SDK and the CLI. Deterministic: the same content gives the same bytes, so that a folder is uploaded
once. What git would not commit is left out (`.gitignore`, and `.signoffignore` with the same syntax and the last
word), as are environments and caches that are of no use on another machine.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tarfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from signoff.domain.errors import SnapshotError

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LIMIT = 100_000_000
"""Bytes of content, before packing."""
MAX_MEMBERS = 20_000
BIG = 10_000_000
"""A file this large is worth a word even when all of it fits."""
IGNORE_FILES = (".gitignore", ".signoffignore")
NEVER = frozenset({".git", "__pycache__", "node_modules"})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A packed folder: the tar.gz, its `digest`, how many members and bytes went in, and what the user should know."""

    data: bytes = field(repr=False)
    digest: str
    count: int
    size: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Member:
    """One thing to pack: its path within the folder, where it lies, what it is, and where a link leads."""

    name: str
    path: Path
    found: os.stat_result
    link: str = ""

    @property
    def size(self) -> int:
        """Bytes of content; none for folders and links."""
        return self.found.st_size if stat.S_ISREG(self.found.st_mode) else 0


def pack(folder: Path, *, limit: int = LIMIT) -> Snapshot:
    """Pack everything below `folder` that is not ignored.

    Raises:
        SnapshotError: no such folder, over `limit` bytes (names the biggest files), over 20,000 members, or a file
            that cannot be read or changes meanwhile.
    """
    if not folder.is_dir():
        raise SnapshotError(f"There is no folder {folder}.", "Name the folder that holds the pipeline file.")
    notes: list[str] = []
    try:
        members = sorted(_Walk(folder.resolve(), notes).members(), key=lambda member: member.name)
        _check_size(members, limit)
        data = _archive(members)
    except OSError as error:
        raise SnapshotError(
            f"The folder cannot be packed: {error.strerror or error} ({error.filename or folder}).",
            "Mend it, or leave the file out with a line in .signoffignore.",
        ) from error
    notes += [f"{member.name} is big ({_amount(member.size)})." for member in members if member.size >= BIG]
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Snapshot(data, digest, len(members), sum(member.size for member in members), tuple(notes))


def _check_size(members: list[_Member], limit: int) -> None:
    size = sum(member.size for member in members)
    if size > limit:
        biggest = sorted(members, key=lambda member: (-member.size, member.name))[:5]
        listed = "\n".join(f"  {_amount(member.size):>10}  {member.name}" for member in biggest if member.size)
        raise SnapshotError(
            f"The folder holds {_amount(size)}; at most {_amount(limit)} can be submitted. Its biggest:\n{listed}\n",
            f"Leave out what the commands do not need: one line each in .signoffignore, such as '/{biggest[0].name}'.",
        )
    if len(members) > MAX_MEMBERS:
        full = Counter(member.name.partition("/")[0] for member in members).most_common(1)[0]
        raise SnapshotError(
            f"The folder holds {len(members):,} files and folders, {full[1]:,} of them in '{full[0]}'; "
            f"{MAX_MEMBERS:,} at most can be submitted.",
            f"Leave out what the commands do not need: one line each in .signoffignore, such as '/{full[0]}'.",
        )


def _amount(size: int) -> str:
    """`size` bytes, for people."""
    if size < 1000:  # noqa: PLR2004
        return f"{size} bytes"
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"  # noqa: PLR2004


def _archive(members: list[_Member]) -> bytes:
    """The tar.gz, with nothing in it that depends on when, where and by whom it was made."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=6, mtime=0) as plain,
        tarfile.open(fileobj=plain, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for member in members:
            info = tarfile.TarInfo(member.name)
            mode = member.found.st_mode
            info.mode = 0o755 if mode & 0o111 or stat.S_ISDIR(mode) else 0o644
            if member.link:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, member.link, 0o777
                tar.addfile(info)
            elif stat.S_ISDIR(mode):
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = member.size
                with member.path.open("rb") as file:
                    tar.addfile(info, file)
    return packed.getvalue()


class _Walk:
    """Everything to pack below one folder; says in `notes` what it skipped that the user may miss."""

    def __init__(self, root: Path, notes: list[str]) -> None:
        self._root = root
        self._notes = notes

    def members(self) -> Iterator[_Member]:
        """All of them."""
        prefix, rules = _rules_above(self._root)
        yield from self._below(self._root, prefix, len(prefix), rules)

    def _below(self, folder: Path, prefix: str, cut: int, above: list[_Rules]) -> Iterator[_Member]:
        """What is in `folder`, whose path for the rules is `prefix`; its first `cut` letters lie above the root."""
        rules = above + _rules_in(folder, prefix)
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            is_folder = entry.is_dir(follow_symlinks=False)
            path = f"{prefix}{entry.name}{'/' if is_folder else ''}"
            if entry.name in NEVER or _is_ignored(path, rules):
                continue
            name = path[cut:].rstrip("/")
            member = _Member(name, Path(entry.path), entry.stat(follow_symlinks=False))
            if is_folder:
                yield from self._folder(member, path, cut, rules)
            elif entry.is_symlink():
                yield from self._link(member)
            elif entry.is_file():
                yield member
            else:
                self._notes.append(f"{name} was left out: it is neither a file, a folder nor a link.")

    def _folder(self, member: _Member, path: str, cut: int, rules: list[_Rules]) -> Iterator[_Member]:
        if (member.path / "pyvenv.cfg").exists():
            return
        below = list(self._below(member.path, path, cut, rules))
        if below or not any(member.path.iterdir()):  # not one in which everything is ignored
            yield member
            yield from below

    def _link(self, member: _Member) -> Iterator[_Member]:
        """The link, if it stays inside wherever the folder is unpacked."""
        target = Path(os.path.realpath(member.path))
        if not target.is_relative_to(self._root):
            self._notes.append(f"{member.name} was left out: it is a link that leads out of the folder.")
            return
        yield replace(member, link=os.path.relpath(target, member.path.parent))


@dataclass(frozen=True, slots=True)
class _Rules:
    """The ignore file of one folder, whose path within the outermost one is `base` (ends with a slash, or empty)."""

    base: str
    spec: GitIgnoreSpec

    def verdict(self, path: str) -> bool | None:
        """True: ignored, False: kept by name, None: not mentioned. `path` of a folder ends with a slash.

        As in git, and other than in pathspec itself, a pattern is held against this very path and not against the
        folders above it: those were asked on the way down.
        """
        path = path.removeprefix(self.base)
        for pattern in reversed(self.spec.patterns):
            if pattern.include is not None and pattern.regex is not None and _is_about(pattern.regex, path):
                return pattern.include
        return None


def _is_about(regex: object, path: str) -> bool:
    """Whether a pattern's expression matches `path` itself, and neither a folder above it nor only what is below."""
    for match in regex.finditer(path):  # type: ignore[attr-defined]
        through = match.groupdict().get("ps_d")
        if through is not None:
            if match.end() == len(path):
                return True
        elif match.end() < len(path) or not path.endswith("/"):
            return True
    return False


def _rules_in(folder: Path, base: str) -> list[_Rules]:
    from pathspec import GitIgnoreSpec

    lines: list[str] = []
    for name in IGNORE_FILES:
        path = folder / name
        if path.is_file():
            lines += path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    return [_Rules(base, GitIgnoreSpec.from_lines(lines))] if lines else []


def _rules_above(root: Path) -> tuple[str, list[_Rules]]:
    """The path of `root` within its git repository ("" or ending with a slash), and the rules that hold there.

    A folder that the repository ignores as a whole has nothing to do with those rules.
    """
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), root)
    prefix, folder, rules = "", top, list[_Rules]()
    for name in root.relative_to(top).parts:
        rules += _rules_in(folder, prefix)
        prefix, folder = f"{prefix}{name}/", folder / name
        if _is_ignored(prefix, rules):
            return "", []
    return prefix, rules


def _is_ignored(path: str, rules: list[_Rules]) -> bool:
    """The nearest ignore file that mentions `path` decides."""
    return next((found for rule in reversed(rules) if (found := rule.verdict(path)) is not None), False)
