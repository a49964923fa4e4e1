"""Manifests of real files: what they hold, what they refuse, and what verifying says."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from pathlib import Path

import pytest

from signoff.domain.errors import DigestMismatchError, ModelNotFoundError, UnsafeModelError
from signoff.proof import manifest as module
from signoff.proof.manifest import files_of, manifest_of, verify


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {}\n")
    (folder / "data" / "weights.bin").write_bytes(b"\x00\x01" * 500)
    (folder / "data.txt").write_text("a")
    return folder


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_every_file_is_named_and_hashed_in_a_stable_order(model: Path) -> None:
    assert manifest_of(model).entries == (
        ("MLmodel", sha256(b"flavors: {}\n")),
        ("data.txt", sha256(b"a")),
        ("data/weights.bin", sha256(b"\x00\x01" * 500)),
    )


def test_the_list_is_what_sha256sum_checks(model: Path) -> None:
    text = manifest_of(model).text
    checked = subprocess.run(["sha256sum", "-c", "--strict", "-"], cwd=model, input=text.encode(), check=False)
    assert checked.returncode == 0


def test_a_single_file_has_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(b"weights")
    assert manifest_of(file).entries == (("model.pkl", sha256(b"weights")),)


def test_a_renamed_file_has_another_digest(model: Path) -> None:
    before = manifest_of(model).digest
    (model / "data.txt").rename(model / "date.txt")
    assert manifest_of(model).digest != before


def test_what_mlflow_writes_when_it_downloads_is_left_out_at_the_top_only(model: Path) -> None:
    before = manifest_of(model).digest
    (model / "registered_model_meta").write_text("model_name: fraud\n")
    assert manifest_of(model).digest == before
    (model / "data" / "registered_model_meta").write_text("part of the model")
    assert manifest_of(model).digest != before


def test_a_folder_cannot_hide_behind_the_name_that_is_left_out(model: Path) -> None:
    (model / "registered_model_meta").mkdir()
    with pytest.raises(UnsafeModelError, match="registered_model_meta"):
        manifest_of(model)


def test_a_link_cannot_hide_behind_the_name_that_is_left_out(model: Path) -> None:
    (model / "registered_model_meta").symlink_to("/etc/hostname")
    with pytest.raises(UnsafeModelError, match="symbolic link"):
        manifest_of(model)


@pytest.mark.parametrize("target", ["/etc/hostname", "data", "data/weights.bin", "nowhere"])
def test_symbolic_links_are_refused_by_name(model: Path, target: str) -> None:
    (model / "data" / "link").symlink_to(model / target)
    with pytest.raises(UnsafeModelError, match="'data/link' is a symbolic link"):
        manifest_of(model)


def test_a_model_that_is_itself_a_link_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(model)
    with pytest.raises(UnsafeModelError, match="'current' is a symbolic link"):
        manifest_of(tmp_path / "current")


def test_pipes_and_sockets_are_refused_without_reading_them(model: Path) -> None:
    os.mkfifo(model / "pipe")
    with pytest.raises(UnsafeModelError, match="'pipe' is not a file but a device"):
        manifest_of(model)
    (model / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(model / "sock"))  # an absolute one may be too long for a socket
        with pytest.raises(UnsafeModelError, match="'sock' is not a file"):
            manifest_of(model)


def test_a_device_is_refused() -> None:
    with pytest.raises(UnsafeModelError, match="'null' is not a file but a device"):
        manifest_of(Path("/dev/null"))


@pytest.mark.parametrize("name", ["two\nlines", "back\\slash", "carriage\rreturn"])
def test_names_that_a_list_cannot_hold_are_refused(model: Path, name: str) -> None:
    (model / name).write_text("x")
    with pytest.raises(UnsafeModelError, match="newline or backslash") as refusal:
        manifest_of(model)
    assert repr(name) in str(refusal.value)


def test_a_name_that_is_not_text_is_refused(model: Path) -> None:
    Path(os.fsdecode(os.fsencode(model) + b"/caf\xe9")).write_text("x")
    with pytest.raises(UnsafeModelError, match="not UTF-8"):
        manifest_of(model)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty" / "inner").mkdir(parents=True)
    with pytest.raises(UnsafeModelError, match="no files"):
        manifest_of(tmp_path / "empty")


@pytest.mark.parametrize("name", ["nowhere", "nul\0byte"])
def test_nothing_at_the_path_says_so(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelNotFoundError, match="no file or folder"):
        manifest_of(tmp_path / name)


def test_many_big_files_are_hashed_side_by_side_with_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        (tmp_path / f"part-{number:02}").write_bytes(bytes([number]) * (3000 + number))
    alone = manifest_of(tmp_path)
    monkeypatch.setattr(module, "_WORTH_THREADS", 1)
    assert manifest_of(tmp_path) == alone
    assert [name for name, _ in alone.entries] == [f"part-{number:02}" for number in range(12)]
    assert alone.entries[5][1] == sha256(b"\x05" * 3005)


def test_a_file_longer_than_the_buffer_is_hashed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BUFFER", 7)
    (tmp_path / "weights").write_bytes(b"0123456789abcdef")
    assert manifest_of(tmp_path).entries == (("weights", sha256(b"0123456789abcdef")),)


def test_a_file_that_became_a_link_since_the_folder_was_listed_is_refused(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = files_of(model)
    (model / "data.txt").unlink()
    (model / "data.txt").symlink_to("/etc/hostname")
    monkeypatch.setattr(module, "files_of", lambda _: listed)
    with pytest.raises(UnsafeModelError, match=r"'data\.txt' is a symbolic link"):
        manifest_of(model)


def test_verifying_unchanged_files_gives_their_manifest(model: Path) -> None:
    manifest = manifest_of(model)
    assert verify(model, manifest) == manifest
    assert verify(model, manifest.digest) == manifest


def test_verifying_says_which_files_changed_were_added_and_are_gone(model: Path) -> None:
    manifest = manifest_of(model)
    (model / "MLmodel").write_text("flavors: {evil: {}}\n")
    (model / "data.txt").unlink()
    (model / "extra.py").write_text("import os")
    with pytest.raises(DigestMismatchError) as refusal:
        verify(model, manifest)
    assert "MLmodel changed; data.txt is gone; extra.py was added." in refusal.value.what
    assert manifest.digest in refusal.value.what


def test_verifying_against_a_digest_says_both_digests(model: Path) -> None:
    digest = manifest_of(model).digest
    (model / "data.txt").write_text("b")
    with pytest.raises(DigestMismatchError, match=digest) as refusal:
        verify(model, digest)
    assert manifest_of(model).digest in refusal.value.what


def test_verifying_an_emptied_folder_says_what_is_gone(model: Path) -> None:
    manifest = manifest_of(model)
    for name, _ in manifest.entries:
        (model / name).unlink()
    with pytest.raises(DigestMismatchError, match="MLmodel is gone"):
        verify(model, manifest)


def test_a_long_difference_is_cut_with_the_number_left_out(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("x")
    manifest = manifest_of(tmp_path)
    for number in range(25):
        (tmp_path / f"extra-{number:02}").write_text("x")
    with pytest.raises(DigestMismatchError, match=r"extra-09 was added; and 15 more\."):
        verify(tmp_path, manifest)
