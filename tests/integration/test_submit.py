"""Submitting over REST: what a run is bound to, what is refused in which words, and that a refusal keeps nothing."""

from __future__ import annotations

import io
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from factories import ALICE, BOB, CAST, DAVE, ERIN, MODEL
from house import APPROVE_AND_DEPLOY, House, made, refused
from signoff.domain.actor import Credential, Person, Role

APPROVE = "steps:\n  - {name: approve, type: approval, inputs: {approvers: ['bob']}}\n"
TRAINS = """\
model: fraud-detector
steps:
  - {name: train, type: training, inputs: {run: train}}
  - {name: approve, type: approval, inputs: {approvers: ['bob']}}
"""


def packed(*members: tarfile.TarInfo, **files: str) -> bytes:
    """A .tar.gz of these files and members."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content.encode()))
        for member in members:
            tar.addfile(member)
    return archive.getvalue()


def link(name: str, to: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, to
    return info


def uploaded(house: House, content: bytes) -> str:
    return str(made(house.as_("alice").ask("POST", "/snapshots", content=content))["digest"])


def test_a_submission_starts_a_run_about_exactly_that_version(house: House) -> None:
    reference = house.version(accuracy=0.9)
    body = made(house.as_("alice").post("/runs", {"pipeline": APPROVE, "model": reference, "note": "October"}))
    assert (body["status"], body["model"], body["version"], body["submitter"]) == ("running", MODEL, "1", "alice")
    assert body["note"] == "October"
    assert body["attempts"][0]["digest"] == house.registry.resolve(reference, None).digest
    [event] = [e for e in house.events(body["id"]) if e.type == "run.submitted"]
    assert (event.actor, event.detail["version"], event.detail["credential"]) == ("alice", "1", "session")


def test_a_model_that_does_not_exist_is_refused(house: House) -> None:
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": APPROVE, "model": "models:/nothing/1"})
    assert "'nothing'" in refused(answer, 404, "model_not_found")


def test_a_version_that_does_not_exist_is_refused(house: House) -> None:
    house.version()
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": APPROVE, "model": f"models:/{MODEL}/7"})
    words = refused(answer, 404, "model_not_found")
    assert f"{MODEL} has no version 7" in words
    assert "newest version is 1" in words


def test_a_version_of_another_model_than_the_pipelines_is_refused(house: House) -> None:
    other = house.version(model="churn")
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": f"model: {MODEL}\n{APPROVE}", "model": other})
    assert f"churn v1 is not a version of {MODEL}" in refused(answer, 422, "wrong_model")


def test_an_alias_that_moves_after_the_submit_leaves_the_run_its_version(house: House) -> None:
    house.version()
    house.version()
    house.registry.set_alias(MODEL, "candidate", "1")
    run_id = house.submit(model=f"models:/{MODEL}@candidate")
    house.registry.set_alias(MODEL, "candidate", "2")
    house.decide("bob", run_id, "approve")
    assert house.run(run_id)["version"] == "1"
    live = house.registry.alias(MODEL, "champion")
    assert live is not None
    assert live.version == "1"


@pytest.mark.parametrize("reference", ["/etc/passwd", "file:///etc", "../../secret", "s3://bucket/model", ""])
def test_a_path_on_the_server_is_refused(house: House, reference: str) -> None:
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": APPROVE, "model": reference})
    words = refused(answer, 422, "invalid")
    assert "is not a model version" in words
    assert "models:/NAME/VERSION" in words


def test_an_uploaded_folder_becomes_a_version_of_the_pipelines_model(house: House) -> None:
    digest = uploaded(house, packed(MLmodel="flavors: {}", weights="1"))
    run_id = house.submit(f"model: {MODEL}\n{APPROVE}", upload=digest)
    assert house.status(run_id) == "waiting"
    assert house.run(run_id)["model"] == MODEL
    assert sorted(p.name for p in house.registry.where(MODEL, "1").iterdir()) == ["MLmodel", "weights"]


def test_an_upload_that_was_never_sent_is_refused(house: House) -> None:
    with house.unchanged():
        answer = house.as_("alice").post(
            "/runs", {"pipeline": f"model: {MODEL}\n{APPROVE}", "upload": "sha256:" + "0" * 64}
        )
    assert "sha256:0000" in refused(answer, 404, "not_found")


def test_an_upload_with_a_link_leading_out_is_refused_and_registers_nothing(house: House, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    digest = uploaded(house, packed(link("weights", str(tmp_path / "secret")), MLmodel="flavors: {}"))
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": f"model: {MODEL}\n{APPROVE}", "upload": digest})
    assert "weights" in refused(answer, 422, "bad_snapshot")
    assert list((house.folder / "work").iterdir()) == []
    with house.unchanged():
        again = house.as_("alice").post("/runs", {"pipeline": APPROVE, "model": f"models:/{MODEL}/1"})
    refused(again, 404, "model_not_found")


def test_an_upload_that_is_no_archive_is_refused(house: House) -> None:
    digest = uploaded(house, b"not an archive")
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": f"model: {MODEL}\n{APPROVE}", "upload": digest})
    refused(answer, 422, "bad_snapshot")


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ('{"accuracy": "0.93"}', "The metric accuracy is '0.93', not a number."),
        ('{"accuracy": NaN}', "The metric accuracy is nan."),
        ('{"accuracy": Infinity}', "The metric accuracy is inf."),
        ('{"accuracy": true}', "The metric accuracy is True, not a number."),
        ('{"accuracy": null}', "The metric accuracy is None, not a number."),
        ('{"accuracy": {"value": 0.9}}', "not a number."),
        ('{"accuracy": 1' + "0" * 400 + "}", "The metric accuracy is"),
    ],
)
def test_metrics_that_are_not_numbers_are_refused(house: House, metrics: str, words: str) -> None:
    reference = house.version()
    body = '{"pipeline": "steps:\\n  - {name: a, type: approval, inputs: {approvers: [bob]}}", '
    body += f'"model": "{reference}", "metrics": {metrics}}}'
    with house.unchanged():
        answer = house.as_("alice").ask("POST", "/runs", content=body, headers={"Content-Type": "application/json"})
    assert words in refused(answer, 422, "bad_metrics")


def test_metrics_without_a_version_are_refused(house: House) -> None:
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": TRAINS, "metrics": {"accuracy": 0.9}})
    assert "without a model version" in refused(answer, 422, "invalid")


def test_an_unknown_approver_is_refused_with_what_would_add_them(house: House) -> None:
    with house.unchanged():
        answer = house.as_("alice").post(
            "/runs", {"pipeline": APPROVE.replace("bob", "team_lead"), "model": house.version()}
        )
    words = refused(answer, 422, "bad_pipeline")
    assert "team_lead" in words
    [place] = answer.json()["errors"]
    assert (place["line"], place["code"]) == (2, "unknown_person")
    assert "`signoff user`" in place["hint"]


def test_a_gate_whose_only_approver_submits_is_refused(house: House) -> None:
    both = ALICE.__class__("alice", ALICE.roles | BOB.roles)
    house.people(both, BOB, DAVE, ERIN)
    with house.unchanged():
        answer = house.as_("alice").post(
            "/runs", {"pipeline": APPROVE.replace("bob", "alice"), "model": house.version()}
        )
    refused(answer, 422, "bad_pipeline")
    [place] = answer.json()["errors"]
    assert "alice" in place["message"]
    assert place["line"] == 2


def test_every_error_of_a_broken_pipeline_is_told_with_its_place(house: House) -> None:
    pipeline = "steps:\n  - name: approve\n    type: approval\n    inputs:\n      approvers: 'bob'\n      user: x\n"
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": pipeline, "model": house.version()})
    refused(answer, 422, "bad_pipeline")
    places = [(e["line"], e["column"]) for e in answer.json()["errors"] if e["severity"] == "error"]
    assert places == [(5, 18), (6, 7)]
    assert "not a single string" in answer.json()["errors"][0]["message"]


def test_commands_without_their_folder_are_refused(house: House) -> None:
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": TRAINS})
    assert "its folder was not sent" in refused(answer, 422, "bad_snapshot")


def test_a_folder_that_was_not_uploaded_is_refused(house: House) -> None:
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": TRAINS, "snapshot": "sha256:" + "0" * 64})
    assert "was not uploaded" in refused(answer, 422, "bad_snapshot")


def test_no_version_and_nothing_that_trains_is_refused(house: House) -> None:
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": APPROVE})
    assert "trains nothing" in refused(answer, 422, "invalid")


@pytest.mark.parametrize("who", ["bob", "dave", "erin"])
def test_who_is_no_submitter_may_not_submit(house: House, who: str) -> None:
    reference = house.version()
    with house.unchanged():
        answer = house.as_(who).post("/runs", {"pipeline": APPROVE, "model": reference})
    assert f"{who} may not submit" in refused(answer, 403, "not_allowed")


def test_a_submitter_of_other_models_may_not_submit_this_one(house: House) -> None:
    narrow = ALICE.__class__("alice", ALICE.roles, models=("churn*",))
    house.people(narrow, BOB, DAVE, ERIN)
    reference = house.version()
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": APPROVE, "model": reference})
    assert f"alice may not submit for {MODEL}" in refused(answer, 403, "not_allowed")
    digest = uploaded(house, packed(weights="1"))
    refused(
        house.as_("alice").post("/runs", {"pipeline": f"model: {MODEL}\n{APPROVE}", "upload": digest}),
        403,
        "not_allowed",
    )
    refused(house.as_("erin").get(f"/models/{MODEL}"), 404, "model_not_found")


def test_a_registry_that_is_down_is_told_as_such(house: House) -> None:
    reference = house.version()
    house.registry.is_down = True
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {"pipeline": APPROVE, "model": reference})
    refused(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "5"


def test_the_same_key_and_request_is_the_same_run(house: House) -> None:
    body = {"pipeline": APPROVE, "model": house.version(), "metrics": {"accuracy": 0.9}}
    first = made(house.as_("alice").post("/runs", body, headers={"Idempotency-Key": "k"}))
    with house.unchanged():
        again = made(house.as_("alice").post("/runs", body, headers={"Idempotency-Key": "k"}))
    assert again["id"] == first["id"]
    other = made(house.as_("alice").post("/runs", body, headers={"Idempotency-Key": "l"}))
    assert other["id"] != first["id"]


def test_the_same_key_for_another_request_is_refused(house: House) -> None:
    body = {"pipeline": APPROVE, "model": house.version()}
    made(house.as_("alice").post("/runs", body, headers={"Idempotency-Key": "k"}))
    with house.unchanged():
        answer = house.as_("alice").post("/runs", {**body, "note": "x"}, headers={"Idempotency-Key": "k"})
    refused(answer, 409, "idempotency_key_reused")


def test_the_same_key_at_once_makes_one_run(house: House) -> None:
    body = {"pipeline": APPROVE, "model": house.version()}
    together = threading.Barrier(6)

    def send(_: int) -> str:
        together.wait()
        return str(made(house.as_("alice").post("/runs", body, headers={"Idempotency-Key": "k"}))["id"])

    with ThreadPoolExecutor(6) as pool:
        ids = set(pool.map(send, range(6)))
    assert len(ids) == 1
    assert house.types().count("run.submitted") == 1


def test_a_token_submits_but_does_not_decide(house: House) -> None:
    token = house.as_("alice", Credential.TOKEN)
    run_id = str(made(token.post("/runs", {"pipeline": APPROVE_AND_DEPLOY, "model": house.version()}))["id"])
    house.work()
    digest = house.gate(run_id)["digest"]
    with house.unchanged():
        answer = house.says("bob", run_id, "approve", digest=digest, credential=Credential.TOKEN)
    assert "An API token cannot decide" in refused(answer, 403, "cannot_decide")
    house.decide("bob", run_id, "approve")
    with house.unchanged():
        rollback = house.as_("bob", Credential.TOKEN).post(
            f"/environments/production/models/{MODEL}/rollback", {"why": "x"}
        )
    refused(rollback, 403, "not_allowed")


def test_who_had_a_part_in_a_version_does_not_approve_it_in_another_run(house: House) -> None:
    fay = Person("fay", frozenset({Role.SUBMITTER, Role.APPROVER}))
    house.people(*CAST, fay)
    text = "steps:\n  - {name: approve, type: approval, inputs: {approvers: ['fay', 'bob']}}\n"
    reference = house.version()
    first = house.submit(text, reference, by="fay")
    made(house.as_("fay").post(f"/runs/{first}/cancel"))
    again = house.submit(text, reference)
    assert house.run(again)["attempts"][0]["contributors"] == ["alice", "fay"]
    words = refused(house.says("fay", again, "approve"), 403, "cannot_decide")
    assert "fay submitted or contributed to this version" in words
    assert made(house.says("bob", again, "approve"))["status"] == "approved"


def test_a_version_whose_maker_is_its_only_approver_is_refused_whoever_submits_it(house: House) -> None:
    fay = Person("fay", frozenset({Role.SUBMITTER, Role.APPROVER}))
    house.people(*CAST, fay)
    reference = house.version()
    first = house.submit("steps:\n  - {name: a, type: approval, inputs: {approvers: ['bob']}}\n", reference, by="fay")
    made(house.as_("fay").post(f"/runs/{first}/cancel"))
    text = "steps:\n  - {name: approve, type: approval, inputs: {approvers: ['fay']}}\n"
    with house.unchanged():
        response = house.as_("alice").post("/runs", {"pipeline": text, "model": reference})
        assert "fay" in refused(response, 422, "unsatisfiable_rule")
