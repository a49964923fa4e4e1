"""What a registry tells of new versions, and copying them: the same from the double and from MLflow."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry_world import SERVABLE, World
from signoff.domain.errors import DigestMismatchError


def test_newer_versions_are_told_in_order_and_deleted_models_are_no_news(world: World, model: str) -> None:
    assert (world.arrivals.newest(model), world.arrivals.newer_than(model, 0)) == (0, [])
    for _ in range(3):
        world.arrive(model, "dan")
    assert world.arrivals.newest(model) == 3
    told = world.arrivals.newer_than(model, 1)
    assert [(a.model, a.version, a.is_ready, a.is_ours) for a in told] == [(model, n, True, False) for n in (2, 3)]
    assert told[0].made_at <= told[1].made_at
    assert abs((datetime.now(UTC) - told[1].made_at).total_seconds()) < 60
    assert world.arrivals.newer_than(model, 3) == []


def test_whom_the_registry_names_is_told_as_it_names_them(world: World, model: str) -> None:
    world.arrive(model, "dan")
    world.arrive(model, None)
    assert [arrival.named for arrival in world.arrivals.newer_than(model, 0)] == [("dan",), ()]


def test_what_signoff_registered_or_trained_itself_is_marked_as_ours(world: World, model: str, folder: Path) -> None:
    world.registry.resolve(str(folder), model)
    run_id = world.run(SERVABLE)
    world.register(model, run_id, "model")
    other = world.run(SERVABLE)
    world.registry.resolve(f"runs:/{other}/model", model)
    assert [arrival.is_ours for arrival in world.arrivals.newer_than(model, 0)] == [True, True, True]


def test_a_copy_has_the_bytes_metrics_and_lineage_of_its_original_in_a_place_of_its_own(
    world: World, model: str
) -> None:
    run_id = world.run(SERVABLE)
    world.log(run_id, {"accuracy": 0.93}, {"max_depth": "6"})
    original = world.registry.resolve(f"models:/{model}/{world.register(model, run_id, 'model')}", None)

    copy = world.arrivals.copy(original, f"{model}-prod")

    assert (copy.label, copy.digest, copy.origin) == (f"{model}-prod v1", original.digest, original.uri)
    assert (copy.metrics, copy.lineage) == (original.metrics, original.lineage)
    (world.where(model, "1") / "data/weights.bin").write_bytes(b"other")
    found = world.registry.resolve(f"models:/{model}-prod/1", None)
    assert (found.digest, found.metrics) == (copy.digest, {"accuracy": 0.93})


def test_copying_again_finds_the_copy_and_another_version_is_another_one(world: World, model: str) -> None:
    originals = [
        world.registry.resolve(f"models:/{model}/{world.register(model, world.run(SERVABLE), 'model')}", None)
        for _ in range(2)
    ]
    prod = f"{model}-prod"
    made = [world.arrivals.copy(original, prod).version for original in (*originals, *originals)]
    assert made == ["1", "2", "1", "2"]


def test_a_version_that_changed_since_it_was_looked_at_is_not_copied(world: World, model: str) -> None:
    original = world.registry.resolve(f"models:/{model}/{world.register(model, world.run(SERVABLE), 'model')}", None)
    (world.where(model, "1") / "data/weights.bin").write_bytes(b"other")
    with pytest.raises(DigestMismatchError, match="changed while they were copied"):
        world.arrivals.copy(original, f"{model}-prod")
    assert world.arrivals.newest(f"{model}-prod") == 0
