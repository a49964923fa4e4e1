"""What goes into a snapshot of a pipeline's folder, held against git itself where git is the measure."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from signoff.domain.errors import SnapshotError
from signoff.sdk.snapshot import pack


def write(folder: Path, **files: str) -> Path:
    """Files below `folder`; a double underscore stands for a slash, and `dot_` for a leading dot."""
    for name, content in files.items():
        put(folder, name.replace("__", "/").replace("dot_", "."), content)
    return folder


def put(folder: Path, name: str, content: str = "x") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def names(folder: Path) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(pack(folder).data)) as tar:
        return tar.getnames()


def files(folder: Path) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(pack(folder).data)) as tar:
        return {member.name for member in tar if not member.isdir()}


def test_the_same_content_gives_the_same_digest_wherever_and_whenever_it_lies(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "other" / "two"
    for folder, order in ((one, "ab"), (two, "ba")):
        for name in order:
            put(folder, f"src/{name}.py", name)
        (folder / "src/a.py").chmod(0o640 if folder is one else 0o604)
    os.utime(two / "src/a.py", (1, 1))

    assert pack(one).digest == pack(two).digest
    assert pack(one).data == pack(two).data
    (two / "src/a.py").chmod(0o755)
    assert pack(one).digest != pack(two).digest


def test_git_folders_environments_and_caches_are_never_packed(tmp_path: Path) -> None:
    for name in (
        ".git/config",
        "sub/.git",
        "env/pyvenv.cfg",
        "env/bin/python",
        "lib/__pycache__/a.pyc",
        "web/node_modules/a.js",
        "train.py",
        "web/page.js",
    ):
        put(tmp_path, name)

    assert files(tmp_path) == {"train.py", "web/page.js"}


def test_an_empty_folder_is_kept_but_not_one_in_which_everything_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    write(tmp_path, dot_cache__dot_gitignore="*\n", dot_cache__big="x", signoff="x")

    assert names(tmp_path) == ["results", "signoff"]


def test_signoffignore_has_the_last_word_over_gitignore(tmp_path: Path) -> None:
    write(tmp_path, dot_gitignore="*.csv\n", dot_signoffignore="!train.csv\nnotes.md\n")
    write(tmp_path, train="x")
    for name in ("train.csv", "other.csv", "notes.md"):
        put(tmp_path, name)

    assert files(tmp_path) == {".gitignore", ".signoffignore", "train", "train.csv"}


def test_ignore_files_of_the_repository_above_hold_too_unless_they_ignore_the_whole_folder(tmp_path: Path) -> None:
    put(tmp_path, ".git/config")
    put(tmp_path, ".gitignore", "*.log\n/models/fraud/data\n/scratch/\n")
    for folder in ("models/fraud", "scratch/mine"):
        for name in ("train.py", "a.log", "data/x"):
            put(tmp_path, f"{folder}/{name}")

    assert files(tmp_path / "models/fraud") == {"train.py"}
    assert files(tmp_path / "scratch/mine") == {"train.py", "a.log", "data/x"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the measure here, and is not installed")
@pytest.mark.parametrize(
    "rules",
    [
        {"": "foo/**\n!foo/bar/\n"},
        {"": "foo/*\n!foo/bar/\n"},
        {"": "foo/**\n!foo/a.csv\n"},
        {"": "foo/\n!foo/a.csv\n"},
        {"": "*\n!*/\n!*.py\n"},
        {"": "/*\n!/foo/\n/foo/*\n!/foo/bar/\n"},
        {"": "*.csv\n!/foo/**/a.csv\n"},
        {"": "**/bar\n"},
        {"": "foo/**/c.py\n"},
        {"": "**\n!a.csv\n"},
        {"": "bar/\n", "foo": "!bar/\nbar/*.csv\n"},
        {"": "*.py\n", "foo": "!c.py\n", "foo/bar": "c.py\n"},
        {"": "# note\n\\#odd\nspace\\ here \n[ab].csv\n"},
        {"foo": "/a.csv\n*.tmp\n"},
    ],
)
def test_ignore_files_mean_what_they_mean_to_git(tmp_path: Path, rules: dict[str, str]) -> None:
    for folder in ("", "foo/", "foo/bar/", "foo/bar/deep/", "bar/"):
        for name in ("a.csv", "b.csv", "c.py", "x.tmp", "space here", "#odd"):
            put(tmp_path, folder + name)
    for folder, lines in rules.items():
        put(tmp_path, f"{folder}/.gitignore".removeprefix("/"), lines)
    quiet = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "nobody"), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, env=quiet, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--others", "--exclude-standard"],
        cwd=tmp_path,
        env=quiet,
        check=True,
        capture_output=True,
    )

    assert files(tmp_path) == set(os.fsdecode(listed.stdout).rstrip("\0").split("\0"))


def test_links_inside_are_kept_and_links_leading_out_are_left_out_with_a_note(tmp_path: Path) -> None:
    outside = tmp_path / "secret"
    outside.write_text("s", encoding="utf-8")
    folder = tmp_path / "project"
    put(folder, "data/a.csv")
    (folder / "out").symlink_to(outside)
    (folder / "up").symlink_to("../secret")
    (folder / "sub").mkdir()
    (folder / "sub/in").symlink_to("../data/a.csv")
    (folder / "absolute").symlink_to(folder / "data")

    snapshot = pack(folder)
    with tarfile.open(fileobj=io.BytesIO(snapshot.data)) as tar:
        links = {member.name: member.linkname for member in tar if member.issym()}

    assert links == {"sub/in": "../data/a.csv", "absolute": "data"}
    assert [note.split()[0] for note in snapshot.notes] == ["out", "up"]
    assert "leads out of the folder" in snapshot.notes[0]


def test_pipes_and_sockets_are_left_out_with_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "train.py")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sock")
        snapshot = pack(tmp_path)

    assert [note.split()[0] for note in snapshot.notes] == ["pipe", "sock"]
    assert snapshot.count == 1


def test_over_the_limit_the_five_biggest_files_are_named_and_how_to_leave_them_out(tmp_path: Path) -> None:
    for number in range(1, 8):
        put(tmp_path, f"data/{number}.bin", "x" * 1000 * number)

    with pytest.raises(SnapshotError) as caught:
        pack(tmp_path, limit=20_000)

    said = caught.value.what.splitlines()
    assert said[0] == "The folder holds 28.0 kB; at most 20.0 kB can be submitted. Its biggest:"
    assert [line.split() for line in said[1:]] == [[f"{n}.0", "kB", f"data/{n}.bin"] for n in (7, 6, 5, 4, 3)]
    assert ".signoffignore, such as '/data/7.bin'" in caught.value.hint


def test_too_many_files_are_refused_naming_the_fullest_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signoff.sdk.snapshot.MAX_MEMBERS", 5)
    put(tmp_path, "train.py")
    for number in range(6):
        put(tmp_path, f"images/{number}.png")

    with pytest.raises(SnapshotError, match="7 of them in 'images'"):
        pack(tmp_path)


def test_a_big_file_within_the_limit_is_worth_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signoff.sdk.snapshot.BIG", 1000)
    put(tmp_path, "a.csv", "x" * 2500)
    put(tmp_path, "b.csv")

    snapshot = pack(tmp_path)

    assert snapshot.notes == ("a.csv is big (2.5 kB).",)
    assert (snapshot.count, snapshot.size) == (2, 2501)


def test_a_missing_folder_and_an_unreadable_file_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="There is no folder"):
        pack(tmp_path / "nowhere")
    put(tmp_path, ".gitignore/x")
    (tmp_path / "loop").symlink_to("loop")

    assert files(tmp_path) == {".gitignore/x", "loop"}


def test_odd_names_survive(tmp_path: Path) -> None:
    put(tmp_path, "naïve ñame\n.py")
    put(tmp_path, "d" * 120 + "/" + "e" * 120)
    put(tmp_path, os.fsdecode(b"latin-\xe9"))

    assert files(tmp_path) == {"naïve ñame\n.py", "d" * 120 + "/" + "e" * 120, os.fsdecode(b"latin-\xe9")}


def test_importing_it_is_cheap() -> None:
    code = "import sys, signoff.sdk.snapshot; print('pathspec' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "False"
