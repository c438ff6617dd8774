"""Rows that say the same: what is kept for them, and what only looks alike."""

from __future__ import annotations

import json

import numpy as np
import pytest

from jmlr.data.duplicates import first_that_says, repeated_ids


@pytest.mark.parametrize("seed", range(3))
def test_the_first_that_says_the_same_is_that_of_a_slow_search(seed):
    draw = np.random.default_rng(seed)
    sayings, apart = draw.integers(0, 9, 40).astype(np.uint64), draw.random(40) < 0.2
    slow = [
        row if apart[row] else next(one for one in range(row + 1) if sayings[one] == sayings[row] and not apart[one])
        for row in range(40)
    ]
    assert first_that_says(sayings, apart).tolist() == slow != list(range(40))


def test_no_row_and_all_apart():
    assert first_that_says(np.empty(0, np.uint64), np.empty(0, bool)).tolist() == []
    assert first_that_says(np.array([5, 5], np.uint64), np.ones(2, bool)).tolist() == [0, 1]


def test_later_rows_of_an_id_are_repeated():
    ids, contents = np.array([5, 7, 5, 8, 7, 5], np.uint64), np.array([1, 2, 1, 3, 2, 1], np.uint64)
    repeated, clash = repeated_ids(ids, contents)
    assert (repeated.tolist(), clash) == ([False, False, True, False, True, True], None)


@pytest.mark.parametrize(
    ("ids", "contents", "clash"),
    [([1, 2, 1], [4, 4, 5], (0, 2)), ([9, 1, 9, 1], [1, 1, 2, 2], (0, 2)), ([1, 1, 1], [4, 4, 5], (1, 2))],
)
def test_first_clash_of_contents_is_named(ids, contents, clash):
    assert repeated_ids(np.array(ids, np.uint64), np.array(contents, np.uint64))[1] == clash


def test_no_ids():
    repeated, clash = repeated_ids(np.empty(0, np.uint64), np.empty(0, np.uint64))
    assert (repeated.tolist(), clash) == ([], None)


AROUND = " ".join(f"word{'x' * (number % 9)}{chr(97 + number % 26)}" for number in range(60))


@pytest.mark.parametrize("order", [["a.jsonl", "b.jsonl"], ["b.jsonl", "a.jsonl"]])
def test_ingest_keeps_one_of_those_that_say_the_same_and_tells_the_others(tmp_path, ingest_settings, ingested, order):
    """Over files and sources; of two texts that differ in one word of 120 both stay."""
    texts = {"a1": "in stage II", "a2": "In stage II.", "a3": "in stage III", "b1": "in  stage ii", "b2": "in stage IV"}
    for name in "ab":
        rows = [
            {"passage_id": one, "title": "Gout", "text": f"{AROUND} {text} {AROUND}"}
            for one, text in texts.items()
            if one[0] == name
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    sources = [{"path": name} for name in order]
    found = ingested(ingest_settings(tmp_path, *sources, passage_tokens=200))
    first = "a1" if order[0] == "a.jsonl" else "b1"
    assert sorted(one.passage_id for one in found.passages) == sorted([first, "a3", "b2"])
    assert found.counts["rejected_by_reason"] == {"says the same as another passage": 2}
    assert f'says the same as another passage,{first}' in found.rejects
    all_kept = ingested(ingest_settings(tmp_path, *sources, passage_tokens=200, drop_copies=False))
    assert all_kept.counts["passages"] == 5
