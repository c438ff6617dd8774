"""Rows that say the same: what is kept for them, against a slow comparison of all pairs."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from jmlr.data import duplicates
from jmlr.data.duplicates import kept_copies, repeated_ids
from jmlr.data.shingles import likeness, signatures

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def word(draw: random.Random) -> str:
    return "".join(draw.choices(LETTERS, k=6))


def copies(draw: random.Random, clusters: int) -> list[tuple[int, list[str]]]:
    """Texts of 150 words, shuffled, each with its cluster: those of one differ in two words at most."""
    rows = []
    for cluster in range(clusters):
        base = [word(draw) for _ in range(150)]
        for _ in range(draw.choice([1, 1, 2, 3, 5])):
            words = list(base)
            for place in draw.sample(range(150), draw.choice([0, 1, 1])):
                words[place] = word(draw)
            rows.append((cluster, words))
    draw.shuffle(rows)
    return rows


def kept_of(texts: list[list[str]], least: float, subjects: list[str] | None = None, dropped: set[int] = frozenset()):
    bands, kept = signatures(texts, subjects or [])
    out = np.isin(np.arange(len(texts)), [*dropped])
    return kept_copies(lambda number: bands[:, number], lambda rows: kept[rows], out, least).tolist()


def slowly_kept(texts: list[list[str]], least: float, dropped: set[int] = frozenset()) -> list[int]:
    """Each with all earlier ones that are kept, the first that is alike; nothing is said of bands."""
    _, signature = signatures(texts)
    kept = list(range(len(texts)))
    for later in range(len(texts)):
        for earlier in range(later):
            alike = likeness(signature[[earlier]], signature[[later]])[0] >= least
            if kept[earlier] == earlier and alike and not {earlier, later} & dropped:
                kept[later] = earlier
                break
    return kept


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("pairs_at_once", [7, 200_000])
def test_copies_are_those_of_a_slow_comparison_of_all_pairs(seed, pairs_at_once, monkeypatch):
    monkeypatch.setattr(duplicates, "_PAIRS_AT_ONCE", pairs_at_once)
    texts = [words for _, words in copies(random.Random(seed), 40)]
    dropped = set(random.Random(seed).sample(range(len(texts)), 5))
    found = kept_of(texts, 0.8, dropped=dropped)
    assert found == slowly_kept(texts, 0.8, dropped)
    assert found != list(range(len(texts)))


@pytest.mark.parametrize("seed", range(4))
def test_one_of_each_cluster_is_kept_in_any_order(seed):
    rows = copies(random.Random(seed), 40)
    for _ in range(2):
        found = kept_of([words for _, words in rows], 0.75)
        kept = [cluster for number, (cluster, _) in enumerate(rows) if found[number] == number]
        assert sorted(kept) == list(range(40))
        assert all(rows[number][0] == rows[stands][0] for number, stands in enumerate(found))
        rows = rows[::-1]


def test_what_stands_for_others_stands_for_itself():
    """A chain: each is like its neighbours only; the second goes, and the third is not held by one that went."""
    draw = random.Random(8)
    chain = [[word(draw) for _ in range(150)]]
    for start in range(0, 60, 10):
        chain.append([*chain[-1][:start], *(word(draw) for _ in range(10)), *chain[-1][start + 10 :]])
    found = kept_of(chain, 0.8)
    assert 1 < len(set(found)) < len(chain)
    assert all(found[stands] == stands <= number for number, stands in enumerate(found))


def test_exact_repetitions_stand_behind_the_first():
    draw = random.Random(9)
    first, other = [word(draw) for _ in range(10)], [word(draw) for _ in range(10)]
    assert kept_of([first, other, first, first, other], 1.0) == [0, 1, 0, 0, 1]


def test_bound_is_of_likeness():
    draw = random.Random(10)
    first = [word(draw) for _ in range(150)]
    second = [word(draw) if place % 30 == 9 else one for place, one in enumerate(first)]  # Jaccard 133 / 163 = 0.82
    assert kept_of([first, second], 0.7) == [0, 0]
    assert kept_of([first, second], 0.95) == [0, 1]


def test_dropped_rows_neither_go_nor_hold_others():
    words = [word(random.Random(11)) for _ in range(20)]
    assert kept_of([words, words, words], 0.9, dropped={0}) == [0, 1, 1]


def test_dose_and_subject_keep_texts_apart():
    words = [word(random.Random(12)) for _ in range(150)]
    texts = [[*words, "5", "mg"], [*words, "50", "mg"], [*words, "5", "mg"]]
    assert kept_of(texts, 0.8) == [0, 1, 0]
    assert kept_of(texts, 0.8, subjects=["gout", "gout", "asthma"]) == [0, 1, 2]


def test_no_row_and_one_row():
    assert (kept_of([], 0.9), kept_of([["one"]], 0.9)) == ([], [0])


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


@pytest.mark.parametrize("order", [["a.jsonl", "b.jsonl"], ["b.jsonl", "a.jsonl"]])
def test_ingest_keeps_one_passage_of_each_cluster_and_tells_the_others(tmp_path, ingest_settings, ingested, order):
    rows = [(cluster, " ".join(words)) for cluster, words in copies(random.Random(13), 20)]
    for name, part in (("a.jsonl", rows[::2]), ("b.jsonl", rows[1::2])):
        lines = [
            json.dumps({"passage_id": f"{name[0]}{number}", "text": text}) for number, (_, text) in enumerate(part)
        ]
        (tmp_path / name).write_text("\n".join(lines))
    sources = [{"path": name} for name in order]
    found = ingested(ingest_settings(tmp_path, *sources, near_duplicates=0.8, passage_tokens=200))
    cluster_of = {text: cluster for cluster, text in rows}
    assert sorted(cluster_of[passage.text] for passage in found.passages) == list(range(20))
    assert found.counts["rejected_by_reason"] == {"nearly the same as another passage": len(rows) - 20}
    all_kept = ingested(ingest_settings(tmp_path, *sources, near_duplicates=None, passage_tokens=200))
    assert all_kept.counts["passages"] == len(rows)
