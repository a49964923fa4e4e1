"""The digest of a model's files, and JSON that is the same for equal values."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factories import a_version
from signoff.domain.errors import UnsafeModelError
from signoff.domain.version import Manifest, canonical_json, digest_bytes, digest_json

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\\\0"), min_size=1, max_size=8)
files = st.dictionaries(names, st.sampled_from([A, B, C]), min_size=1, max_size=5)


@given(files, st.randoms(use_true_random=False))
def test_the_order_in_which_files_come_never_matters(found: dict[str, str], order: object) -> None:
    pairs = list(found.items())
    shuffled = order.sample(pairs, len(pairs))  # type: ignore[attr-defined]
    assert Manifest.of(shuffled) == Manifest.of(pairs)
    assert Manifest.of(shuffled).digest == Manifest.of(pairs).digest


@given(files, files)
def test_only_equal_files_have_equal_digests(mine: dict[str, str], theirs: dict[str, str]) -> None:
    one, other = Manifest.of(mine.items()), Manifest.of(theirs.items())
    assert (one.digest == other.digest) == (mine == theirs)
    assert (one.difference(other) == ()) == (mine == theirs)


def test_the_digest_is_that_of_the_list_that_sha256sum_prints() -> None:
    manifest = Manifest.of([("b.bin", B), ("a.txt", A)])
    assert manifest.text == f"{A}  a.txt\n{B}  b.bin\n"
    assert manifest.digest == "sha256:" + hashlib.sha256(manifest.text.encode()).hexdigest()


def test_a_rename_is_noticed_though_no_byte_changed() -> None:
    before, after = Manifest.of([("weights.bin", A), ("b", B)]), Manifest.of([("weights.pkl", A), ("b", B)])
    assert before.digest != after.digest
    assert before.difference(after) == ("weights.bin is gone", "weights.pkl was added")


def test_two_files_that_change_places_are_noticed() -> None:
    assert Manifest.of([("a", A), ("b", B)]).digest != Manifest.of([("a", B), ("b", A)]).digest


def test_a_difference_names_every_file() -> None:
    before, after = Manifest.of([("a", A), ("b", B), ("c", C)]), Manifest.of([("b", A), ("c", C), ("d", A)])
    assert before.difference(after) == ("b changed", "a is gone", "d was added")


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a\\b", "", "a\0b", "caf\udce9"])
def test_names_that_a_list_cannot_hold_unambiguously_are_refused(name: str) -> None:
    with pytest.raises(UnsafeModelError) as refused:
        Manifest.of([("fine", A), (name, B)])
    assert refused.value.hint == "Rename the file and submit again."
    assert repr(name) in refused.value.what


@pytest.mark.parametrize("entries", [[], [("a", A), ("a", A)], [("a", A), ("a", B)]])
def test_a_model_without_files_or_with_a_name_twice_is_refused(entries: Sequence[tuple[str, str]]) -> None:
    with pytest.raises(UnsafeModelError):
        Manifest.of(entries)


def test_equal_values_have_equal_json_whatever_the_order_of_their_keys() -> None:
    assert canonical_json({"b": 1, "a": [1.5, None, "ü"]}) == '{"a":[1.5,null,"ü"],"b":1}'.encode()
    assert digest_json({"b": 1, "a": 2}) == digest_json({"a": 2, "b": 1}) == digest_bytes(b'{"a":2,"b":1}')


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_does_not_know_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"accuracy": value})


def test_a_version_is_named_as_people_name_it() -> None:
    assert a_version(3).label == "fraud-detector v3"
