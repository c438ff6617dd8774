from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jmlr.validation.identities import Identities

IDS = st.lists(st.sampled_from(["p1", "p2", "p3", "P1", "", "p\u00e9", "10", "1"]), max_size=12)


@given(st.lists(IDS, max_size=4), IDS)
def test_it_counts_as_a_list_of_ids_would(batches, asked):
    known = Identities(batches)
    everything = [row_id for batch in batches for row_id in batch]
    assert len(known) == len(everything)
    assert known.missing(asked) == [row_id for row_id in asked if row_id not in everything]
    assert known.rows_of(everything) == [everything.count(row_id) for row_id in everything]


def test_ids_added_after_a_look_are_seen():
    known = Identities([["p1"]])
    assert known.missing(["p2"]) == ["p2"]
    known.add(["p2", "p1"])
    assert known.missing(["p2"]) == []
    assert known.rows_of(["p1", "p2"]) == [2, 1]


@pytest.mark.parametrize("ids", [[], ["p1"]])
def test_nothing_is_known_of_an_empty_table(ids):
    assert Identities().missing(ids) == ids
