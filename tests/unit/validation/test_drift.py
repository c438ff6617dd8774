from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmlr.errors import DataError
from jmlr.validation.drift import compare, distance, read_profile
from jmlr.validation.profile import FEATURES, FORMAT

COUNTS = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 10**6), min_size=1)


def profile_of(recipe: str = "mine", **features) -> dict:
    same = {feature: {"x": 10} for feature in FEATURES}
    return {"format": FORMAT, "recipe": recipe, "counts": {}, "features": {**same, **features}}


def test_distance_by_hand():
    # p = (1, 0), q = (1/2, 1/2), m = (3/4, 1/4): JS = (log2(4/3) + (log2(2/3) + log2(2)) / 2) / 2
    divergence = (math.log2(4 / 3) + (math.log2(2 / 3) + math.log2(2)) / 2) / 2
    assert distance({"a": 7}, {"a": 3, "b": 3}) == pytest.approx(math.sqrt(divergence), abs=1e-6)


@given(COUNTS, COUNTS)
def test_distance_is_symmetric_and_within_its_range(first, second):
    assert 0 <= distance(first, second) <= 1
    assert distance(first, second) == distance(second, first)
    assert distance(first, {name: 3 * count for name, count in first.items()}) == pytest.approx(0, abs=1e-6)


def test_nothing_against_something_is_as_far_as_can_be():
    assert distance({}, {}) == 0
    assert distance({}, {"a": 1}) == distance({"a": 1}, {}) == 1


def test_new_and_vanished_sources_are_named():
    before = profile_of(passage_sources={"a": 5, "b": 5}, vocabulary={"gout": 1})
    now = profile_of(passage_sources={"b": 5, "d": 1, "c": 2}, vocabulary={"fever": 4})
    rows = {row.feature: row for row in compare(before, now, 0.2).rows}
    assert list(rows) == list(FEATURES)
    assert (rows["passage_sources"].new_sources, rows["passage_sources"].vanished_sources) == ("c, d", "a")
    assert (rows["passage_sources"].accepted, rows["passage_sources"].current) == (10, 8)
    assert (rows["vocabulary"].distance, rows["vocabulary"].new_sources) == (1, "")
    assert (rows["answer_letters"].distance, rows["answer_letters"].bound) == (0, 0.2)


def test_nothing_is_compared_with_no_profile_or_that_of_another_recipe():
    assert compare(None, profile_of(), 0.2).rows == ()
    assert "no data were accepted yet" in compare(None, profile_of(), 0.2).note
    other = compare(profile_of("starter"), profile_of("mine"), 0.2)
    assert other.rows == ()
    assert "are of recipe starter, these are of mine" in other.note
    assert "jmlr data accept" in other.note


def test_a_profile_is_read_back(tmp_path):
    path = tmp_path / "accepted_data.json"
    assert read_profile(path) is None
    path.write_text(json.dumps(profile_of()))
    assert read_profile(path) == profile_of()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        json.dumps({**profile_of(), "format": FORMAT + 1}),
        json.dumps(profile_of(vocabulary={"gout": "many"})),
        json.dumps(profile_of(vocabulary={"gout": -1})),
        json.dumps(profile_of(vocabulary=[1])),
        json.dumps({**profile_of(), "features": {}}),
    ],
)
def test_a_broken_profile_is_refused(tmp_path, text):
    path = tmp_path / "accepted_data.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"accepted_data\.json: not a profile of data"):
        read_profile(path)
