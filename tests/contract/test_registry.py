"""The registry's contract, held by the double in memory and by MLflow on its default SQLite store."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from registry_world import NUMBERS, SERVABLE, Both, World, written
from signoff.domain.errors import (
    InvalidError,
    MachineryError,
    ModelNotFoundError,
    SignoffError,
    UnsafeModelError,
    WrongModelError,
)
from signoff.proof.manifest import manifest_of

# What a reference names


def test_a_version_is_described_by_its_number_with_the_digest_of_its_bytes(world: World, model: str) -> None:
    run_id = world.run(SERVABLE)
    world.log(run_id, {"accuracy": 0.93}, {"max_depth": "6"})
    number = world.register(model, run_id, "model")

    version = world.registry.resolve(f"models:/{model}/{number}", None)

    assert (version.model, version.version, version.uri) == (model, "1", f"models:/{model}/1")
    assert version.digest == manifest_of(world.where(model, "1")).digest
    assert version.metrics == {"accuracy": 0.93}
    assert version.lineage.params == {"max_depth": "6"}
    assert version.lineage.training_run_id == run_id
    assert version.is_servable


def test_an_alias_names_the_version_it_is_on_now(registry: Both, model: str, folder: Path) -> None:
    first = registry.resolve(str(folder), model)
    (folder / "data/weights.bin").write_bytes(b"better")
    second = registry.resolve(str(folder), model)
    registry.set_alias(model, "champion", first.version)
    assert registry.resolve(f"models:/{model}@champion", None) == first
    registry.set_alias(model, "champion", second.version)
    assert registry.resolve(f"models:/{model}@champion", None) == second


def test_what_a_run_logged_becomes_one_version_however_often_it_is_named(world: World, model: str) -> None:
    run_id = world.run(SERVABLE)
    first = world.registry.resolve(f"runs:/{run_id}/model", model)
    again = world.registry.resolve(f"runs:/{run_id}/model/", model)
    assert (first.model, first.version, first.lineage.training_run_id) == (model, "1", run_id)
    assert again == first


def test_a_version_that_the_script_registered_is_the_one_that_its_run_names(world: World, model: str) -> None:
    run_id = world.run(SERVABLE)
    world.register(model, run_id, "model")
    assert world.registry.resolve(f"runs:/{run_id}/model", model).version == "1"


def test_a_single_file_that_a_run_logged_can_be_named(world: World, model: str, tmp_path: Path) -> None:
    run_id = world.run({"model.pkl": b"weights"})
    version = world.registry.resolve(f"runs:/{run_id}/model/model.pkl", model)
    assert not version.is_servable
    assert [name for name, _ in world.registry.fetch(version, tmp_path / "copy").entries] == ["model.pkl"]


def test_a_local_folder_is_registered_with_its_own_digest(registry: Both, model: str, folder: Path) -> None:
    version = registry.resolve(str(folder), model)
    assert (version.model, version.version) == (model, "1")
    assert version.digest == manifest_of(folder).digest
    assert version.is_servable
    assert version.lineage.training_run_id is not None


def test_a_local_file_is_registered_but_not_servable(registry: Both, model: str, tmp_path: Path) -> None:
    file = written(tmp_path, {"model.pkl": b"weights"}) / "model.pkl"
    version = registry.resolve(str(file), model)
    assert version.digest == manifest_of(file).digest
    assert not version.is_servable


def test_the_newest_version_is_not_registered_twice_from_the_same_bytes(
    registry: Both, model: str, folder: Path
) -> None:
    first = registry.resolve(str(folder), model)
    assert registry.resolve(str(folder), model) == first
    (folder / "data/weights.bin").write_bytes(b"other")
    assert registry.resolve(str(folder), model).version == "2"


def test_a_newest_version_that_was_tampered_with_is_not_taken_for_the_folder(
    world: World, model: str, folder: Path
) -> None:
    world.registry.resolve(str(folder), model)
    (world.where(model, "1") / "data/weights.bin").write_bytes(b"evil")
    version = world.registry.resolve(str(folder), model)
    assert version.version == "2"
    assert version.digest == manifest_of(folder).digest


def test_what_the_folder_becomes_after_submission_is_not_the_version(
    registry: Both, model: str, folder: Path, tmp_path: Path
) -> None:
    version = registry.resolve(str(folder), model)
    (folder / "data/weights.bin").write_bytes(b"changed later")
    assert registry.fetch(version, tmp_path / "copy").digest == version.digest


# What is refused


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "  ",
        "models:fraud/3",
        "models://fraud/3",
        "models:/fraud",
        "models:/fraud/latest",
        "models:/fraud/0",
        "models:/fraud/3/extra",
        "models:/fraud@",
        "runs:/abc",
        "runs:/abc/",
        "runs:/abc/../secrets",
        "s3://bucket/model",
        "file:///etc",
        "nul\0byte",
    ],
)
def test_a_malformed_reference_is_refused_with_the_forms_there_are(registry: Both, reference: str) -> None:
    with pytest.raises(InvalidError) as refusal:
        registry.resolve(reference, "fraud")
    assert refusal.value.code == "invalid"
    assert "Write" in refusal.value.hint


def test_a_model_that_does_not_exist_is_said_not_to(registry: Both) -> None:
    for reference in ("models:/no-such-model/1", "models:/no-such-model@champion"):
        with pytest.raises(ModelNotFoundError, match="There is no model 'no-such-model' in the registry"):
            registry.resolve(reference, None)


def test_a_missing_version_says_which_is_the_newest(registry: Both, model: str, folder: Path) -> None:
    registry.resolve(str(folder), model)
    with pytest.raises(ModelNotFoundError, match=rf"{model} has no version 7\. Its newest version is 1\."):
        registry.resolve(f"models:/{model}/7", None)


def test_a_missing_alias_says_which_there_are(registry: Both, model: str, folder: Path) -> None:
    registry.resolve(str(folder), model)
    with pytest.raises(ModelNotFoundError, match=r"has no alias 'champion'\. It has no alias at all\."):
        registry.resolve(f"models:/{model}@champion", None)
    registry.set_alias(model, "challenger", "1")
    with pytest.raises(ModelNotFoundError, match=r"has no alias 'champion'\. Its aliases are: challenger\."):
        registry.resolve(f"models:/{model}@champion", None)


def test_a_run_that_does_not_exist_is_said_not_to(registry: Both, model: str) -> None:
    with pytest.raises(ModelNotFoundError, match="There is no run 'abc'"):
        registry.resolve("runs:/abc/model", model)
    with pytest.raises(ModelNotFoundError, match="There is no run 'abc'"):
        registry.metrics("abc")


def test_a_path_that_the_run_did_not_log_says_what_it_logged(world: World, model: str) -> None:
    run_id = world.run(SERVABLE)
    with pytest.raises(ModelNotFoundError, match=r"logged nothing as 'modle'\. It logged: model\."):
        world.registry.resolve(f"runs:/{run_id}/modle", model)
    with pytest.raises(ModelNotFoundError, match="There is no model"):
        world.registry.resolve(f"models:/{model}/1", None)


def test_a_path_with_nothing_at_it_is_refused(registry: Both, model: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="There is no file or folder at"):
        registry.resolve(str(tmp_path / "nowhere"), model)


def test_registering_needs_a_model_name(world: World, folder: Path) -> None:
    for reference in (str(folder), f"runs:/{world.run(SERVABLE)}/model"):
        with pytest.raises(InvalidError, match="no model name was given"):
            world.registry.resolve(reference, None)


def test_a_folder_with_a_link_is_refused_by_the_file_name_and_nothing_is_registered(
    registry: Both, model: str, folder: Path
) -> None:
    (folder / "data" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(UnsafeModelError, match="'data/passwd' is a symbolic link"):
        registry.resolve(str(folder), model)
    with pytest.raises(ModelNotFoundError):
        registry.resolve(f"models:/{model}/1", None)


def test_a_link_to_a_folder_is_refused(registry: Both, model: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(folder)
    with pytest.raises(UnsafeModelError, match="'current' is a symbolic link"):
        registry.resolve(str(tmp_path / "current"), model)


def test_a_link_that_somebody_put_among_the_registrys_files_is_refused(
    world: World, model: str, folder: Path, tmp_path: Path
) -> None:
    version = world.registry.resolve(str(folder), model)
    (world.where(model, "1") / "extra").symlink_to("/etc/passwd")
    with pytest.raises(UnsafeModelError, match="'extra'"):
        world.registry.resolve(version.uri, None)
    with pytest.raises(UnsafeModelError, match="'extra'"):
        world.registry.fetch(version, tmp_path / "copy")


# Bytes


def test_a_tampered_file_changes_the_digest(world: World, model: str, folder: Path, tmp_path: Path) -> None:
    version = world.registry.resolve(str(folder), model)
    (world.where(model, "1") / "data/weights.bin").write_bytes(b"evil")
    assert world.registry.resolve(version.uri, None).digest != version.digest
    assert world.registry.fetch(version, tmp_path / "copy").digest != version.digest


def test_fetching_copies_the_files_and_never_lends_the_registrys_own(
    world: World, model: str, folder: Path, tmp_path: Path
) -> None:
    version = world.registry.resolve(str(folder), model)
    target = tmp_path / "copy"
    manifest = world.registry.fetch(version, target)
    assert manifest.digest == version.digest
    assert manifest_of(target) == manifest
    (target / "MLmodel").write_text("changed in the copy")
    assert world.registry.resolve(version.uri, None).digest == version.digest


def test_what_mlflow_writes_at_download_is_not_fetched(world: World, model: str, folder: Path, tmp_path: Path) -> None:
    version = world.registry.resolve(str(folder), model)
    (world.where(model, "1") / "registered_model_meta").write_text("model_name: fraud")
    assert world.registry.fetch(version, tmp_path / "copy").digest == version.digest
    assert not (tmp_path / "copy" / "registered_model_meta").exists()


def test_fetching_into_a_folder_with_something_in_it_is_refused(
    registry: Both, model: str, folder: Path, tmp_path: Path
) -> None:
    version = registry.resolve(str(folder), model)
    written(tmp_path / "copy", {"left-over.py": b"import os"})
    with pytest.raises(SignoffError, match="is not empty"):
        registry.fetch(version, tmp_path / "copy")


def test_a_version_whose_files_are_gone_is_said_to_have_lost_them(
    world: World, model: str, folder: Path, tmp_path: Path
) -> None:
    version = world.registry.resolve(str(folder), model)
    world.where(model, "1").rename(tmp_path / "moved")
    for attempt in (
        lambda: world.registry.resolve(version.uri, None),
        lambda: world.registry.fetch(version, tmp_path / "copy"),
    ):
        with pytest.raises(ModelNotFoundError, match=f"The files of {model} v1 are not where the registry says"):
            attempt()


# Training runs


def test_one_key_is_one_training_run_and_says_how_to_continue_it(registry: Both) -> None:
    key = f"run-{next(NUMBERS)}/train it's/1"
    run = registry.start_training_run(key, "fraud")
    assert registry.start_training_run(key, "fraud") == run
    assert registry.start_training_run(f"{key}0", "fraud").id != run.id
    assert run.environment["MLFLOW_RUN_ID"] == run.id
    assert run.environment["MLFLOW_EXPERIMENT_NAME"] == "fraud"


def test_a_training_run_that_ended_runs_again_when_its_step_does(world: World, tmp_path: Path, model: str) -> None:
    key = f"run-{next(NUMBERS)}/train/1"
    run = world.registry.start_training_run(key, "fraud")
    assert world.status(run.id) == "RUNNING"
    with pytest.raises(MachineryError):
        world.registry.collect(run.id, tmp_path, model)
    assert world.status(run.id) == "FAILED"
    assert world.registry.start_training_run(key, "fraud").id == run.id
    assert world.status(run.id) == "RUNNING"


def test_what_the_script_registered_is_collected_and_its_run_ended(world: World, model: str, tmp_path: Path) -> None:
    run_id = world.run(SERVABLE)
    world.register(model, run_id, "model")
    version = world.registry.collect(run_id, tmp_path, model)
    assert (version.model, version.version, version.lineage.training_run_id) == (model, "1", run_id)
    assert world.status(run_id) == "FINISHED"


def test_of_two_versions_of_one_run_the_newest_counts(world: World, model: str, tmp_path: Path) -> None:
    run_id = world.run(SERVABLE)
    world.log_files(run_id, {"better/MLmodel": b"better"})
    world.register(model, run_id, "model")
    world.register(model, run_id, "better")
    assert world.registry.collect(run_id, tmp_path, model).version == "2"


def test_a_model_folder_in_the_output_is_registered_against_the_run(world: World, model: str, tmp_path: Path) -> None:
    run_id = world.run()
    world.log(run_id, {"accuracy": 0.9}, {})
    folder = written(tmp_path / "model", SERVABLE)
    version = world.registry.collect(run_id, tmp_path, model)
    assert (version.model, version.version) == (model, "1")
    assert version.digest == manifest_of(folder).digest
    assert version.metrics == {"accuracy": 0.9}
    assert version.lineage.training_run_id == run_id


def test_collecting_twice_gives_the_same_version(world: World, model: str, tmp_path: Path) -> None:
    run_id = world.run()
    written(tmp_path / "model", SERVABLE)
    first = world.registry.collect(run_id, tmp_path, model)
    assert world.registry.collect(run_id, tmp_path, model) == first
    assert world.registry.collect(run_id, tmp_path / "cleaned up", model) == first


def test_a_repeated_try_that_leaves_another_folder_is_another_version(world: World, model: str, tmp_path: Path) -> None:
    run_id = world.run()
    folder = written(tmp_path / "model", SERVABLE)
    world.registry.collect(run_id, tmp_path, model)
    (folder / "data/weights.bin").write_bytes(b"of the second try")
    version = world.registry.collect(run_id, tmp_path, model)
    assert version.version == "2"
    assert version.digest == manifest_of(folder).digest


def test_an_identical_model_of_another_run_is_its_own_version(world: World, model: str, tmp_path: Path) -> None:
    written(tmp_path / "model", SERVABLE)
    runs = [world.run(), world.run()]
    versions = [world.registry.collect(run_id, tmp_path, model) for run_id in runs]
    assert [version.lineage.training_run_id for version in versions] == runs


def test_neither_version_nor_folder_says_what_was_looked_for(world: World, model: str, tmp_path: Path) -> None:
    run_id = world.run()
    with pytest.raises(
        MachineryError, match=f"delivered no model: the .*run {run_id} registered no version"
    ) as refusal:
        world.registry.collect(run_id, tmp_path, model)
    assert "$SIGNOFF_OUTPUT/model" in refusal.value.hint
    assert not refusal.value.is_retryable


def test_a_version_of_another_model_is_refused(world: World, model: str, tmp_path: Path) -> None:
    run_id = world.run(SERVABLE)
    world.register(f"{model}-other", run_id, "model")
    with pytest.raises(WrongModelError, match=f"registered {model}-other v1, but this run is about {model}"):
        world.registry.collect(run_id, tmp_path, model)


def test_a_version_of_another_model_beside_the_right_one_does_no_harm(world: World, model: str, tmp_path: Path) -> None:
    run_id = world.run(SERVABLE)
    world.register(model, run_id, "model")
    world.register(f"{model}-scaler", run_id, "model")
    assert world.registry.collect(run_id, tmp_path, model).model == model


# Tracking


def test_metrics_are_the_latest_values_nan_and_infinities_included(world: World) -> None:
    run_id = world.run()
    world.log(run_id, {"accuracy": 0.5, "loss": math.inf, "gain": -math.inf, "auc": math.nan}, {})
    world.log(run_id, {"accuracy": 0.9}, {})
    metrics = dict(world.registry.metrics(run_id))
    assert math.isnan(metrics.pop("auc"))
    assert metrics == {"accuracy": 0.9, "loss": math.inf, "gain": -math.inf}


def test_an_alias_that_nobody_set_is_none(registry: Both, model: str, folder: Path) -> None:
    assert registry.alias(model, "champion") is None
    registry.resolve(str(folder), model)
    assert registry.alias(model, "champion") is None


def test_setting_an_alias_twice_is_harmless(registry: Both, model: str, folder: Path) -> None:
    version = registry.resolve(str(folder), model)
    registry.set_alias(model, "champion", "1")
    registry.set_alias(model, "champion", "1")
    assert registry.alias(model, "champion") == version


def test_every_alias_of_every_model_is_told_at_once(registry: Both, model: str, folder: Path) -> None:
    registry.resolve(str(folder), model)
    assert registry.list_aliases()[model] == {}
    registry.set_alias(model, "champion", "1")
    registry.set_alias(model, "staging", "1")
    assert registry.list_aliases()[model] == {"champion": "1", "staging": "1"}


def test_an_alias_of_a_missing_version_is_refused(registry: Both, model: str, folder: Path) -> None:
    registry.resolve(str(folder), model)
    with pytest.raises(ModelNotFoundError, match="has no version 9"):
        registry.set_alias(model, "champion", "9")
    assert registry.alias(model, "champion") is None


def test_tags_are_mirrored_on_the_version(registry: Both, model: str, folder: Path) -> None:
    registry.resolve(str(folder), model)
    registry.set_tags(model, "1", {"signoff.status": "in_review", "signoff.run": "r-1"})
    registry.set_tags(model, "1", {"signoff.status": "approved"})
    tags = registry.resolve(f"models:/{model}/1", None).tags
    assert tags == {"signoff.status": "approved", "signoff.run": "r-1", "signoff.origin": "submitted"}
