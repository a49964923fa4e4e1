"""Archives sent to /snapshots that want out of their folder, or want everything: refused, nothing written outside."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from archives import member, packed, packed_folder
from house import House, made

TRAINS = """\
model: fraud-detector
steps:
  - {name: train, type: training, inputs: {run: train}}
  - {name: approve, type: approval, inputs: {approvers: ['bob']}}
"""


def zipped(name: str) -> bytes:
    made_of = io.BytesIO()
    with zipfile.ZipFile(made_of, "w") as archive:
        archive.writestr(name, "x")
    return made_of.getvalue()


BAD = {
    "up": packed(member("../../../../escaped", b"x")),
    "absolute": packed(member("/tmp/escaped", b"x")),  # noqa: S108 - it must not be written
    "up in the middle": packed(member("a/../../escaped", b"x")),
    "link out": packed(member("l", type=tarfile.SYMTYPE, linkname="../.."), member("l/escaped", b"x")),
    "link to root": packed(member("l", type=tarfile.SYMTYPE, linkname="/"), member("l/tmp/escaped", b"x")),
    "link by link": packed(
        member("a", type=tarfile.SYMTYPE, linkname="."),
        member("a/b", type=tarfile.SYMTYPE, linkname=".."),
        member("a/b/escaped", b"x"),
    ),
    "hard link": packed(member("h", type=tarfile.LNKTYPE, linkname="/etc/passwd")),
    "device": packed(member("d", type=tarfile.CHRTYPE, devmajor=1, devminor=5)),
    "pipe": packed(member("p", type=tarfile.FIFOTYPE)),
    "replaced by a link": packed(
        member("f", b"x"), member("f", type=tarfile.SYMTYPE, linkname="../../escaped"), member("f", b"y")
    ),
    "zip": zipped("../../escaped"),
    "gzip of no tar": gzip.compress(b"not a tar" * 100),
    "half": packed_folder()[:60],
    "nothing": b"",
    "text": b"<script>alert(1)</script>",
    "bomb": gzip.compress(bytes(200_000_000), 1),
}


@pytest.mark.parametrize("name", BAD)
def test_a_folder_that_wants_out_starts_no_command_and_writes_nothing_outside(
    house: House, tmp_path: Path, name: str
) -> None:
    started: list[str] = []
    house.runner._commands["train"] = lambda *_: started.append(name) or 0  # type: ignore[func-returns-value]
    before = set(tmp_path.rglob("*escaped*"))
    sent = house.as_("alice").ask("POST", "/snapshots", content=BAD[name])
    assert sent.status_code in {201, 422}
    if sent.status_code == 201:
        body = {"pipeline": TRAINS, "snapshot": sent.json()["digest"]}
        answer = house.as_("alice").post("/runs", body)
        assert answer.status_code < 500
        house.work()
        if answer.is_success:
            run = house.run(answer.json()["id"])
            assert run["status"] in {"errored", "failed"}, run["status"]
    assert set(tmp_path.rglob("*escaped*")) == before
    assert not Path("/tmp/escaped").exists()  # noqa: S108 - nor there


@pytest.mark.parametrize("name", BAD)
def test_a_model_that_wants_out_is_no_model(house: House, tmp_path: Path, name: str) -> None:
    sent = house.as_("alice").ask("POST", "/snapshots", content=BAD[name])
    if sent.status_code == 201:
        pipeline = "model: fraud-detector\nsteps:\n  - {name: a, type: approval, inputs: {approvers: ['bob']}}\n"
        answer = house.as_("alice").post("/runs", {"pipeline": pipeline, "upload": sent.json()["digest"]})
        assert answer.status_code == 422, answer.text
        assert made(house.as_("alice").get("/models"))["items"] == []
    assert not list(tmp_path.rglob("*escaped*"))


def test_who_may_not_submit_uploads_nothing(house: House) -> None:
    for who in ("bob", "dave", "erin"):
        with house.unchanged():
            assert house.as_(who).ask("POST", "/snapshots", content=packed_folder()).status_code == 403


def test_a_blob_is_found_by_its_digest_and_by_no_path(house: House) -> None:
    for digest in ("..%2f..%2fetc%2fpasswd", "sha256:../../../etc/passwd", "%00", "sha256:" + "0" * 64):
        assert house.as_("alice").get(f"/snapshots/{digest}").status_code in {404, 422}
